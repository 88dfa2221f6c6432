"""What every peer shares: the sandboxes around it, the wait until it works, and what is measured."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import httpx
from measuring import family_cpu_seconds, family_resident
from world import Sending, fill, world

from connector.sandbox.booxi.app import BooxiSandbox
from connector.sandbox.booxi.webhooks import Target
from connector.sandbox.hubspot.app import HubSpotSandbox
from connector.sandbox.kit.server import Server

#: What the deliveries carry, and every peer must check.
TOKEN = "benchmark"
#: Deliveries on their way at once.
SENDERS = 16
#: Seconds that a client may take, on the average, before a run is given up.
PATIENCE = 1.0


class Ports(NamedTuple):
    """Where the two sandboxes and the peer listen, on the loopback."""

    booxi: int
    hubspot: int
    peer: int

    @property
    def booxi_url(self) -> str:
        """The base address of Booxi's API."""
        return f"http://127.0.0.1:{self.booxi}/booking/v1"

    @property
    def hubspot_url(self) -> str:
        """The base address of HubSpot's API."""
        return f"http://127.0.0.1:{self.hubspot}"


class Measured(NamedTuple):
    """New clients a second until each is linked, processor milliseconds for one, resident MB at the end; children included."""

    rate: float
    processor: float
    memory: float


@dataclass
class Peer:
    """A running service between two sandboxes."""

    booxi: BooxiSandbox
    hubspot: HubSpotSandbox
    pid: int


def free_ports(number: int) -> list[int]:
    """So many ports on which nobody listens, all different."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


@asynccontextmanager
async def connector(folder: Path) -> AsyncIterator[Peer]:
    """`connector serve`, as the other benchmarks run it."""
    async with world(folder) as here:
        yield Peer(here.booxi, here.hubspot, here.process.pid)


@asynccontextmanager
async def running(
    command: list[str], environment: dict[str, str], ports: Ports, path: str, folder: Path
) -> AsyncIterator[Peer]:
    """Run a peer between two sandboxes without quotas, from when it takes deliveries at `path`; its output goes to a file."""
    async with AsyncExitStack() as stack:
        booxi = BooxiSandbox(quota=None, transport=Sending())
        hubspot = HubSpotSandbox(unique_properties=("connector_person_key",), per_10_seconds=None, search_per_second=None)
        await stack.enter_async_context(Server(booxi.app, ports.booxi))
        await stack.enter_async_context(Server(hubspot.app, ports.hubspot))
        log = stack.enter_context((folder / "output.log").open("wb"))
        process = await asyncio.create_subprocess_exec(*command, env=environment, cwd=folder, stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{ports.peer}{path}"
            await refuses_strangers(url, process)
            booxi.outbox.target = Target(url, token=TOKEN)
            yield Peer(booxi, hubspot, process.pid)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def refuses_strangers(url: str, process: asyncio.subprocess.Process, seconds: float = 180) -> None:
    """Wait until a delivery without a token is refused with 401 or 403: the flow is loaded, and checks who sends.

    Another answer means nothing yet: n8n says 200 to everything while it starts. Raises SystemExit where the process ends
    first, or after so many seconds.
    """
    until, answer = time.monotonic() + seconds, None
    async with httpx.AsyncClient(trust_env=False, timeout=30) as api:
        while time.monotonic() < until and process.returncode is None:
            try:
                answer = (await api.post(url, json={})).status_code
            except httpx.TransportError:
                answer = None
            if answer in {401, 403}:
                return
            await asyncio.sleep(0.1)
    raise SystemExit(
        f"{url} does not refuse a delivery without a token (process: {process.returncode}, its last answer: {answer})"
    )


def mistaken(peer: Peer) -> list[int]:
    """The clients who are linked to another contact than the one with their e-mail address, or to none."""
    addresses = {contact["id"]: contact["email"] for contact in peer.hubspot.contacts()}
    links = peer.booxi.links()
    return [
        number for number, client in peer.booxi.state.clients.items() if addresses.get(links.get(number, "")) != client["email"]
    ]


async def measure(peer: Peer, clients: int) -> Measured:
    """Book for new clients, send the deliveries, and wait until each is linked.

    Raises SystemExit where some never are, or are linked to something else than one contact of their own.
    """
    fill(peer.booxi, clients)
    used, begun = family_cpu_seconds(peer.pid), time.perf_counter()
    sending = asyncio.create_task(peer.booxi.send_webhooks(concurrency=SENDERS))
    while len(peer.booxi.state.links) < clients:
        await asyncio.sleep(0.02)
        if time.perf_counter() - begun > 60 + clients * PATIENCE:
            raise SystemExit(f"only {len(peer.booxi.state.links)} of {clients} clients were linked")
    seconds = time.perf_counter() - begun
    await sending
    processor = (family_cpu_seconds(peer.pid) - used) * 1000 / clients
    if (wrong := mistaken(peer)) or len(peer.hubspot.contacts()) != clients:
        raise SystemExit(f"{len(wrong)} wrong links, {len(peer.hubspot.contacts())} contacts of {clients} clients")
    return Measured(clients / seconds, processor, family_resident(peer.pid))
