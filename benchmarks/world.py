"""A real `connector serve` between two sandboxes, for the benchmarks that need all of it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from connector.remote.transport import AiohttpTransport
from connector.sandbox.booxi.app import BooxiSandbox
from connector.sandbox.booxi.webhooks import Target
from connector.sandbox.hubspot.app import HubSpotSandbox
from connector.sandbox.kit.server import Server

CONFIG = """\
[server]
port = 0
[booking.stores]
system = "booxi"
base_url = "{booxi}"
partner_key = "sandbox-partner-key"
module_id = "hubspot"
default_country = "CA"
limits = {booxi_limits}
[booking.stores.webhook]
verify = "token"
tokens = ["benchmark"]
[crm.main]
system = "hubspot"
base_url = "{hubspot}"
token = "sandbox-token"
limits = {hubspot_limits}
[worker]
concurrency = 16
[status]
token = "benchmark-status-token"
[log]
level = "warning"
[[sync]]
booking = "stores"
crm = "main"
"""
NO_LIMITS = ("{ per_second = 0, per_minute = 0 }", "{ per_10_seconds = 0, search_per_second = 0 }")


class Sending(httpx.AsyncBaseTransport):
    """The service's own kind of connections for the sandbox's deliveries: by httpx's, sending takes longer than storing."""

    def __init__(self) -> None:
        self._made = AiohttpTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one delivery once."""
        return await self._made.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections; the next deliveries open others."""
        await self._made.aclose()
        self._made = AiohttpTransport()


#: A port where nobody listens, for remote systems that are down.
NOWHERE = "http://127.0.0.1:9"


@dataclass
class World:
    """The two sandboxes, and how to reach the service."""

    booxi: BooxiSandbox
    hubspot: HubSpotSandbox
    folder: Path
    url: str
    process: asyncio.subprocess.Process
    #: Seconds from the start of the process until it said where it listens.
    start_up: float

    async def status(self) -> dict[str, Any]:
        """Answer `/status.json`."""
        headers = {"Authorization": "Bearer benchmark-status-token"}
        async with httpx.AsyncClient(trust_env=False, headers=headers, timeout=60) as api:
            answer = (await api.get(f"{self.url}/status.json")).raise_for_status()
            found: dict[str, Any] = answer.json()
            return found

    def memory(self) -> dict[str, float]:
        """Resident memory of the service in MB: now, and the highest so far."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        figures = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines if line.startswith(("VmRSS", "VmHWM"))}
        return {"now": figures["VmRSS"], "peak": figures["VmHWM"]}


def write_config(folder: Path, booxi: str, hubspot: str, limits: tuple[str, str]) -> Path:
    """Write a configuration between these two addresses."""
    file = folder / "connector.toml"
    file.write_text(CONFIG.format(booxi=booxi, hubspot=hubspot, booxi_limits=limits[0], hubspot_limits=limits[1]))
    return file


def environment(code: Path | None) -> dict[str, str]:
    """The variables of a process that runs the package of this tree. It must be the current folder too, which `-m` adds."""
    return os.environ | ({} if code is None else {"PYTHONPATH": str(code)})


@contextmanager
def serving(folder: Path, code: Path | None = None) -> Iterator[tuple[int, int]]:
    """Run `connector serve --no-worker` alone (of another tree: `code`), and answer its port and process id."""
    file = write_config(folder, f"{NOWHERE}/booking/v1", NOWHERE, NO_LIMITS)
    command = [sys.executable, "-m", "connector", "serve", "--no-worker", "--config", str(file)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment(code), cwd=code)
    try:
        port = urlsplit(asyncio.run(announced(folder / "connector.db.lock"))).port
        assert port is not None
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


@asynccontextmanager
async def world(
    folder: Path,
    *,
    limits: tuple[str, str] = NO_LIMITS,
    booxi: BooxiSandbox | None = None,
    down: bool = False,
    under: Sequence[str] = (),
    options: Sequence[str] = (),
    code: Path | None = None,
) -> AsyncIterator[World]:
    """Start everything, until the service says that it works; with `down`, it finds nobody at either side.

    `under` stands before the command of the service (what it is measured with), `options` are `serve`'s, `code` is
    the tree whose package runs, where it is not this one.
    """
    async with AsyncExitStack() as stack:
        booxi = booxi or BooxiSandbox(quota=None, transport=Sending())
        hubspot = HubSpotSandbox(unique_properties=("connector_person_key",), per_10_seconds=None, search_per_second=None)
        booxi_url = (await stack.enter_async_context(Server(booxi.app))).url
        hubspot_url = (await stack.enter_async_context(Server(hubspot.app))).url
        if down:
            booxi_url = hubspot_url = NOWHERE
        file = write_config(folder, f"{booxi_url}/booking/v1", hubspot_url, limits)
        started = stack.enter_context(notified())
        begun = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            *[*under, sys.executable, "-m", "connector", "serve", "--config", str(file), *options],
            stderr=asyncio.subprocess.DEVNULL,
            env=environment(code) | {"NOTIFY_SOCKET": f"@{started.getsockname()[1:].decode()}"},
            cwd=code,
        )
        patience = 300 if under else 10
        url = await announced(folder / "connector.db.lock", patience)
        start_up = time.perf_counter() - begun
        await asyncio.wait_for(asyncio.get_running_loop().sock_recv(started, 100), patience)
        booxi.outbox.target = Target(f"{url}/webhooks/stores", token="benchmark")
        try:
            yield World(booxi, hubspot, folder, url, process, start_up)
        finally:
            process.terminate()
            await process.wait()


@contextmanager
def notified() -> Iterator[socket.socket]:
    """Where a service says, as to systemd, that its start has ended: later than it listens, once its worker works.

    At an abstract address: that of a file has at most 107 bytes, wherever the benchmark runs.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind("")  # Linux chooses one
        channel.setblocking(False)
        yield channel


async def announced(lock: Path, seconds: float = 60) -> str:
    """Where a service listens, once its lock file says so."""
    for _ in range(int(seconds * 100)):
        if lock.exists() and (text := lock.read_text()):
            return str(json.loads(text)["url"])
        await asyncio.sleep(0.01)
    raise SystemExit(f"the service did not start ({os.fspath(lock)})")


def fill(booxi: BooxiSandbox, clients: int, first: int = 0) -> None:
    """Book for so many new clients, numbered from `first`; nothing is sent yet."""
    for n in range(first, first + clients):
        client = booxi.add_client(firstName="Ada", lastName=f"Example{n}", email=f"c{n}@example.com")
        booxi.book(client)
