"""New clients a second and processor time: connector and the same flow in Node-RED, in turns, between the same sandboxes."""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop
from measuring import cpu_seconds, machine, spread, table
from node_red_flow import flow
from world import fill, world

from connector.sandbox.booxi.app import BooxiSandbox
from connector.sandbox.booxi.webhooks import Target
from connector.sandbox.hubspot.app import HubSpotSandbox
from connector.sandbox.kit.server import Server

#: The version that was tried; another one may be named with --node-red.
NODE_RED = "node-red@4.1.15"
#: Deliveries on their way at once.
SENDERS = 16


@dataclass
class Peer:
    """A running service between two sandboxes."""

    booxi: BooxiSandbox
    hubspot: HubSpotSandbox
    pid: int


@asynccontextmanager
async def connector(folder: Path) -> AsyncIterator[Peer]:
    """`connector serve`, as the other benchmarks run it."""
    async with world(folder) as here:
        yield Peer(here.booxi, here.hubspot, here.process.pid)


@asynccontextmanager
async def node_red(folder: Path, installed: Path) -> AsyncIterator[Peer]:
    """Node-RED with the flow of this folder; no editor, no login, no log."""
    async with AsyncExitStack() as stack:
        booxi = BooxiSandbox(quota=None)
        hubspot = HubSpotSandbox(unique_properties=("connector_person_key",), per_10_seconds=None, search_per_second=None)
        booxi_url = (await stack.enter_async_context(Server(booxi.app))).url
        hubspot_url = (await stack.enter_async_context(Server(hubspot.app))).url
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        (folder / "flows.json").write_text(json.dumps(flow(f"{booxi_url}/booking/v1", hubspot_url)))
        settings = {"flowFile": "flows.json", "uiHost": "127.0.0.1", "uiPort": port, "httpAdminRoot": False}
        logging = {"console": {"level": "off", "metrics": False, "audit": False}}
        (folder / "settings.js").write_text(f"module.exports = {json.dumps({**settings, 'logging': logging})}")
        script = installed / "node_modules" / "node-red" / "red.js"
        process = await asyncio.create_subprocess_exec(
            "node", str(script), "--userDir", str(folder), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            await _listening(port)
            booxi.outbox.target = Target(f"http://127.0.0.1:{port}/webhooks/stores", token="benchmark")
            yield Peer(booxi, hubspot, process.pid)
        finally:
            process.terminate()
            await process.wait()


async def _listening(port: int) -> None:
    for _ in range(300):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
            continue
        writer.close()
        return
    raise SystemExit("Node-RED did not start")


async def measure(peer: Peer, clients: int) -> tuple[float, float]:
    """New clients a second until each is linked, and processor milliseconds of the service for one."""
    fill(peer.booxi, clients)
    cpu, begun = cpu_seconds(peer.pid), time.perf_counter()
    sending = asyncio.create_task(peer.booxi.send_webhooks(concurrency=SENDERS))
    while len(peer.booxi.state.links) < clients:
        await asyncio.sleep(0.02)
        if time.perf_counter() - begun > 60:
            raise SystemExit(f"only {len(peer.booxi.state.links)} of {clients} clients were linked in a minute")
    seconds = time.perf_counter() - begun
    await sending
    return clients / seconds, (cpu_seconds(peer.pid) - cpu) * 1000 / clients


async def compare(rounds: int, clients: int, installed: Path) -> dict[str, list[tuple[float, float]]]:
    """Every round runs both, one after the other."""
    found: dict[str, list[tuple[float, float]]] = {"connector": [], "Node-RED": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(dir=".") as name:
            async with connector(Path(name)) as peer:
                found["connector"].append(await measure(peer, clients))
        with tempfile.TemporaryDirectory(dir=".") as name:
            async with node_red(Path(name), installed) as peer:
                found["Node-RED"].append(await measure(peer, clients))
    return found


def main() -> None:
    """Install Node-RED, run, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=300)
    parser.add_argument("--node-red", default=NODE_RED, help="the npm package, with its version")
    args = parser.parse_args()
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise SystemExit("Node.js and npm are needed for this comparison, and are not there.")
    print(f"Machine: {machine()}; {args.node_red}")
    with tempfile.TemporaryDirectory() as name:
        subprocess.run(["npm", "install", "--no-fund", "--no-audit", "--silent", args.node_red], cwd=name, check=True)
        found = uvloop.run(compare(args.rounds, args.clients, Path(name)))
    rows = [
        [
            service,
            spread([rate for rate, _ in runs], 0),
            spread([rate / other for (rate, _), (other, _) in zip(runs, found["Node-RED"], strict=True)]),
            spread([cpu for _, cpu in runs], 1),
        ]
        for service, runs in found.items()
    ]
    columns = ("service", "new clients a second", "ratio to Node-RED", "processor ms")
    table(f"{args.clients:,} new clients, {SENDERS} at once: median (minimum–maximum)", columns, rows)


if __name__ == "__main__":
    main()
