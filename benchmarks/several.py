"""Several real `connector serve` on one PostgreSQL server, for the benchmarks of more than one machine."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from world import NO_LIMITS, NOWHERE, announced, write_config

from connector.sandbox.booxi.app import BooxiSandbox
from connector.sandbox.hubspot.app import HubSpotSandbox
from connector.sandbox.kit.faults import Faults
from connector.sandbox.kit.server import Server

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

import postgres  # type: ignore[import-not-found]  # noqa: E402 - the tests' own server
from arrivals import Arrivals, Counts  # type: ignore[import-not-found]  # noqa: E402

__all__ = ["Arrivals", "Counts", "Place", "copy_key", "listening", "load", "postgres", "sandboxes", "service"]


@dataclass(frozen=True)
class Place:
    """Where a database is, as the store takes it."""

    address: str
    path: Path
    lease_seconds: float = 10.0


@asynccontextmanager
async def service(
    folder: Path,
    address: str,
    role: str,
    *,
    booxi: str = NOWHERE,
    hubspot: str = NOWHERE,
    lease: float = 10.0,
    limits: tuple[str, str] = NO_LIMITS,
) -> AsyncIterator[tuple[str, int]]:
    """Run `connector serve` on a database (SQLite where no address is given); its address and process id."""
    folder.mkdir(exist_ok=True)
    file = write_config(folder, f"{booxi}/booking/v1", hubspot, limits)
    lock, how = folder / "connector.db.lock", ["--no-worker"] if role == "receiver" else []
    if address:
        file.write_text(f'{file.read_text()}[database]\nurl = "{address}"\nlease_seconds = {lease}\n')
        lock, how = folder / "connector.lock", ["--role", role]
    command = [sys.executable, "-m", "connector", "serve", *how, "--config", str(file)]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    try:
        yield await announced(lock), process.pid
    finally:
        with suppress(ProcessLookupError):  # it was killed
            process.terminate()
        await process.wait()


def copy_key(source: Path, target: Path) -> None:
    """Let another machine know the secret of the installation."""
    target.mkdir(exist_ok=True)
    (target / "connector.key").write_bytes((source / "connector.key").read_bytes())


@asynccontextmanager
async def sandboxes(latency_ms: int) -> AsyncIterator[tuple[BooxiSandbox, HubSpotSandbox]]:
    """Both remote systems without limits. Who wants them to listen gives each a server."""
    booxi = BooxiSandbox(quota=None)
    hubspot = HubSpotSandbox(unique_properties=("connector_person_key",), per_10_seconds=None, search_per_second=None)
    booxi.faults = hubspot.faults = Faults(latency_ms=(latency_ms, latency_ms))
    yield booxi, hubspot


async def listening(stack: AsyncExitStack, *apps: Any) -> list[str]:
    """The addresses of so many sandboxes, which listen as long as the stack is open."""
    return [(await stack.enter_async_context(Server(app))).url for app in apps]


async def load(urls: list[str], seconds: float, prefix: str) -> float:
    """202s a second, at 64 connections in all."""

    async def one(number: int, url: str) -> float:
        words = [str(urlsplit(url).port), str(64 // len(urls)), str(seconds), "benchmark", f"{prefix}{number}"]
        command = [sys.executable, str(HERE / "load.py"), *words]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        answer = json.loads((await process.communicate())[0])
        if set(answer["statuses"]) != {"202"} or answer["lost"]:
            raise SystemExit(f"unexpected answers {answer}")
        return float(answer["rate"])

    return sum(await asyncio.gather(*(one(number, url) for number, url in enumerate(urls))))
