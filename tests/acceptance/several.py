"""Several services on one PostgreSQL database: their configuration, their commands, and what is waited for."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from .world import CONNECTOR, RemoteSystems, Service


def configure(sides: RemoteSystems, folder: Path, url: str, *, lease: float = 10, **more: Any) -> Path:
    folder.mkdir(exist_ok=True)
    file = sides.config(folder, **more)
    database = f'url = "{url}"\nlease_seconds = {lease}'
    file.write_text(file.read_text().replace('url = "sqlite:///connector.db"', database))
    return file


async def run(*words: str, file: Path) -> subprocess.CompletedProcess[str]:
    command = [*CONNECTOR, *words, "--config", str(file)]
    return await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)


@asynccontextmanager
async def several(sides: RemoteSystems, folder: Path, url: str, *roles: str, **more: Any) -> AsyncIterator[list[Service]]:
    """So many services on one database, each as if on a machine of its own: with its folder and a copy of the key file."""
    async with AsyncExitStack() as stack:
        services: list[Service] = []
        for number, role in enumerate(roles):
            place = folder / f"machine-{number}"
            file = configure(sides, place, url, **more)
            if services:
                (place / "connector.key").write_bytes((folder / "machine-0" / "connector.key").read_bytes())
            services.append(await stack.enter_async_context(Service(file, "--role", role).running()))
        yield services


async def links(service: Service) -> list[dict[str, Any]]:
    """What `links list` prints on the machine of a service."""
    done = await run("links", "list", "--json", file=service.file)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def status_of(service: Service) -> dict[str, Any]:
    headers = {"Authorization": "Bearer a-status-token-for-tests"}
    async with httpx.AsyncClient(headers=headers, base_url=service.url) as client:
        return (await client.get("/status.json")).json()


async def until_said(service: Service, level: str, text: str) -> None:
    """Wait until the page says this of the processes."""
    async with asyncio.timeout(60):
        while not any(
            (check["id"], check["level"]) == ("processes", level) and text in check["message"]
            for check in (await status_of(service))["checks"]
        ):
            await asyncio.sleep(0.2)


async def until_linked(service: Service, clients: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(60):
        while len(found := await links(service)) < clients:
            await asyncio.sleep(0.2)
    return found


async def book(sides: RemoteSystems, name: str) -> None:
    sides.booxi.book(sides.booxi.add_client(firstName=name, lastName="Client", email=f"{name}@example.com"))
    await sides.booxi.send_webhooks()


async def book_people(sides: RemoteSystems, number: int, times: int = 1) -> None:
    """Let so many persons book, each so many times, and deliver it."""
    for one in range(number):
        client = sides.booxi.add_client(firstName=f"Person{one}", lastName=f"Of{one}", email=f"person{one}@example.com")
        for _ in range(times):
            sides.booxi.book(client)
    await sides.booxi.send_webhooks()


async def kill_one_with_events_in_hand(sides: RemoteSystems, first: Service, second: Service) -> None:
    """Twelve persons book, the second service is killed at work, and the first one takes over."""
    sides.send_to(first.url)
    # Whoever has done one of a client's events has the next one in hand.
    await book_people(sides, 12, times=3)
    await second.says("event done")
    await second.kill()
    await first.says("took over events")
    sides.faults()
