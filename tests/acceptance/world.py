"""Real processes: `connector` as a subprocess, both sandboxes as real HTTP servers in the test's own loop."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx

from connector.sandbox.booxi.app import BooxiSandbox
from connector.sandbox.booxi.webhooks import Target
from connector.sandbox.hubspot.app import HubSpotSandbox
from connector.sandbox.kit.faults import Faults
from connector.sandbox.kit.server import Server

KEY = "connector_person_key"
PARTNER_KEY = "partner-key-of-the-acceptance-tests"
HUBSPOT_TOKEN = "pat-na1-11111111-2222-4333-8444-555555555555"
WEBHOOK_TOKEN = "webhook-token-of-the-acceptance-tests"
#: Seconds which anything may take.
PATIENCE = 100.0
CONNECTOR = (sys.executable, "-m", "connector")

CONFIG = """
[server]
port = {port}
[database]
url = "sqlite:///{database}"
[worker]
drain_seconds = {drain}
[log]
format = "{log}"
level = "{level}"
[booking.stores]
system = "booxi"
base_url = "{booxi}"
partner_key = "{partner_key}"
module_id = "hubspot"
default_country = "CA"
timeout_seconds = {timeout}
limits = {booxi_limits}
[booking.stores.webhook]
verify = "token"
tokens = ["{webhook_token}"]
[crm.main]
system = "hubspot"
wait_minutes = 0.01
base_url = "{hubspot}"
token = "{hubspot_token}"
timeout_seconds = {timeout}
limits = {hubspot_limits}
[status]
token = "a-status-token-for-tests"
[[sync]]
booking = "stores"
crm = "main"
{sync}
"""

_LISTENING = re.compile(r"http://127\.0\.0\.1:\d+(?=.*\bversion\b)")


class RemoteSystems:
    """Both sandboxes, listening. Requests of the booking system's webhooks go through `transport`, if one is given."""

    def __init__(
        self,
        *,
        booxi_quota: tuple[int, int] | None = None,
        hubspot_quota: tuple[int, int] | tuple[None, None] = (None, None),
        property_exists: bool = True,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.booxi = BooxiSandbox(
            partner_key=PARTNER_KEY, quota=booxi_quota, retries=[0.1] * 300, transport=transport, page_size=10
        )
        self.hubspot = HubSpotSandbox(
            token=HUBSPOT_TOKEN,
            unique_properties=(KEY,) if property_exists else (),
            per_10_seconds=hubspot_quota[0],
            search_per_second=hubspot_quota[1],
        )

    async def __aenter__(self) -> Self:
        self._stack = AsyncExitStack()
        self.booxi_url = (await self._stack.enter_async_context(Server(self.booxi.app))).url
        self.hubspot_url = (await self._stack.enter_async_context(Server(self.hubspot.app))).url
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def config(self, folder: Path, **more: Any) -> Path:
        """Write the configuration that knows these remote systems; `more` replaces its values."""
        values: dict[str, Any] = {
            "port": 0,
            "database": "connector.db",
            "drain": 5,
            "log": "json",
            "level": "info",
            "timeout": 20,
            "booxi": f"{self.booxi_url}/booking/v1",
            "hubspot": self.hubspot_url,
            "partner_key": PARTNER_KEY,
            "hubspot_token": HUBSPOT_TOKEN,
            "webhook_token": WEBHOOK_TOKEN,
            "booxi_limits": "{ per_second = 0, per_minute = 0 }",
            "hubspot_limits": "{ per_10_seconds = 0, search_per_second = 0 }",
            "sync": "",
        }
        file = folder / "connector.toml"
        file.write_text(CONFIG.format(**(values | more)), encoding="utf-8")
        return file

    def send_to(self, url: str) -> None:
        """Webhooks go there from now on."""
        self.booxi.outbox.target = Target(f"{url}/webhooks/stores", token=WEBHOOK_TOKEN)

    def faults(self, **faults: Any) -> None:
        """Both sides misbehave so, or not at all."""
        self.booxi.faults = self.hubspot.faults = Faults(**faults)


class Service:
    """One `connector serve`. Its log lines arrive in `lines`; `url` is known once it listens."""

    def __init__(self, file: Path, *arguments: str, before: Callable[[], None] | None = None) -> None:
        self.file = file
        self.database = file.parent / "connector.db"
        self.lines: list[dict[str, Any]] = []
        self.text: list[str] = []
        self.url = ""
        self._command = (*CONNECTOR, "serve", "--config", str(file), *arguments)
        self._before = before
        self._news = asyncio.Condition()

    async def start(self) -> Self:
        """Start it and wait until it listens."""
        await self.spawn()
        await self.until(lambda: bool(self.url) or self.ended)
        assert not self.ended, f"it ended: {self.text}"
        return self

    async def spawn(self) -> None:
        """Start it, and wait for nothing."""
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(
            *self._command, stdout=pipe, stderr=pipe, preexec_fn=self._before, limit=1_000_000
        )
        self.ended = False
        self._reading = asyncio.gather(self._read(self.process.stderr), self._read(self.process.stdout))
        self._waiting = asyncio.create_task(self._wait())

    async def _read(self, stream: asyncio.StreamReader | None) -> None:
        assert stream is not None
        while raw := await stream.readline():
            self._take(raw.decode("utf-8", "replace").rstrip("\n"))
            await self._tell()

    def _take(self, text: str) -> None:
        self.text.append(text)
        with suppress(ValueError):
            self.lines.append(json.loads(text))
        # In either form of the log.
        if found := _LISTENING.search(text):
            self.url = found[0]

    async def _wait(self) -> None:
        await self.process.wait()
        await self._reading
        self.ended = True
        await self._tell()

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def until(self, true: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Wait until something is true, looking whenever it says or ends something."""
        try:
            async with asyncio.timeout(seconds), self._news:
                await self._news.wait_for(true)
        except TimeoutError:
            last = "\n".join(self.text[-15:])
            raise AssertionError(f"it did not come to that within {seconds} s; its last lines:\n{last}") from None

    async def says(self, event: str, number: int = 1) -> None:
        """Wait until it has logged this event so often."""
        await self.until(lambda: sum(event in text for text in self.text) >= number)

    async def first_done(self, sides: RemoteSystems) -> None:
        """Send webhooks here from now on; returns when a first one has gone all the way."""
        sides.send_to(self.url)
        sides.booxi.book(sides.booxi.add_client(firstName="First", lastName="Client", email="first@example.com"))
        await sides.booxi.send_webhooks()
        await self.says("event done")

    async def settled(self, seconds: float = PATIENCE) -> None:
        """Wait until no event is queued, running or retrying."""
        await self.until(lambda: not pending(self.database), seconds)

    async def stop(self, seconds: float = PATIENCE) -> int:
        """SIGTERM, unless it has ended; answers the exit code."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await self.exit(seconds)

    async def kill(self) -> None:
        """SIGKILL, unless it has ended."""
        if self.process.returncode is None:
            self.process.kill()
        await self.exit()

    async def exit(self, seconds: float = PATIENCE) -> int:
        """Wait for its end."""
        async with asyncio.timeout(seconds):
            await self._waiting
        assert self.process.returncode is not None
        return self.process.returncode

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Service]:
        """Within the block it runs; afterwards it is stopped, however the block ends."""
        try:
            yield await self.start()
        finally:
            await self.kill()


@dataclass(frozen=True)
class OnServer:
    """A database on a PostgreSQL server, as `connector.store.look` and `rows` take it."""

    address: str
    path: Path
    lease_seconds: float = 10.0


def rows(database: Path | OnServer, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """What a query answers, beside whatever works on the database."""
    if isinstance(database, OnServer):
        import psycopg

        with psycopg.connect(database.address) as session:
            return session.execute(query.replace("?", "%s").encode(), values).fetchall()
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=10)) as connection:
        return connection.execute(query, values).fetchall()


def pending(database: Path | OnServer) -> int:
    """How many events are neither final nor waiting for a person."""
    return int(rows(database, "SELECT count(*) FROM events WHERE state IN ('queued', 'running', 'retrying')")[0][0])


def states(database: Path | OnServer) -> dict[str, int]:
    """How many events are in each state."""
    return dict(rows(database, "SELECT state, count(*) FROM events GROUP BY state"))


async def run(*arguments: str, seconds: float = PATIENCE, before: Callable[[], None] | None = None) -> tuple[int, str, str]:
    """Run a command to its end: exit code, stdout, stderr."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*CONNECTOR, *arguments, stdout=pipe, stderr=pipe, preexec_fn=before)
    try:
        async with asyncio.timeout(seconds):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        out, err = await process.communicate()
        raise AssertionError(f"`connector {' '.join(arguments)}` did not end: {out!r} {err!r}") from None
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def post(client: httpx.AsyncClient, url: str, body: Any, **headers: str) -> httpx.Response:
    """One delivery with the right token."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await client.post(f"{url}/webhooks/stores", content=content, headers={"Authorization": WEBHOOK_TOKEN, **headers})


async def eventually(true: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Wait until something is true of which another process tells nobody."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.02)
