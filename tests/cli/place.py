"""A folder with a configuration, both sandboxes beside it in a thread of their own, and the commands on it.

The tests here are plain functions: a command has its own event loop. What belongs to the sandboxes' loop is done there.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import structlog
from acceptance.world import CONNECTOR, RemoteSystems, Service, pending, rows
from anyio.from_thread import BlockingPortal
from click.testing import CliRunner, Result

from connector import registry
from connector.cli import main
from connector.config import settings as config
from connector.model.deliveries import Delivery
from connector.operations.engine import Engine

T = TypeVar("T")


def invoke(*arguments: str) -> Result:
    """Run a command in this process; its answer has exit_code, stdout and stderr apart."""
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    try:
        result = CliRunner().invoke(main, list(arguments))
    finally:
        # Commands set logging up for a process of their own.
        root.handlers[:], root.level = kept, level
        structlog.reset_defaults()
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


class Place:
    """One database, with or without a running service."""

    def __init__(self, folder: Path, portal: BlockingPortal, sides: RemoteSystems, **settings: Any) -> None:
        self.folder = folder
        self.sides = sides
        self.file = sides.config(folder, **settings)
        self.database = folder / "connector.db"
        self.service: Service | None = None
        self.portal = portal

    def there(self, action: Callable[..., T], *arguments: Any, **more: Any) -> T:
        """Do something in the sandboxes' loop."""

        async def do() -> T:
            return action(*arguments, **more)

        return self.portal.call(do)

    def run(self, *arguments: str) -> Result:
        """A command on this configuration."""
        return invoke(*arguments, "--config", str(self.file))

    def json(self, *arguments: str, code: int = 0) -> Any:
        """A command's one JSON document."""
        result = self.run(*arguments, "--json")
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)

    def client(self, **fields: Any) -> int:
        """A new Booxi client."""
        return self.there(self.sides.booxi.add_client, **fields)

    def contact(self, **properties: str) -> str:
        """A HubSpot contact that the search has known for long."""
        return self.there(self.sides.hubspot.add_contact, age=3600.0, **properties)

    def links(self) -> dict[int, str]:
        """What Booxi stores."""
        return self.there(self.sides.booxi.links)

    def book(self, client: int, *, settle: bool = True, **fields: Any) -> None:
        """Let a client book, take the webhook in, and wait until everything is decided."""
        self.there(self.sides.booxi.book, client, **fields)
        self.receive()
        if settle:
            self.settle()

    def receive(self) -> None:
        """Take in what the sandbox sends: by the service, or into the database where none runs."""
        if self.service is not None:
            self.there(self.sides.send_to, self.service.url)
            self.portal.call(self.sides.booxi.send_webhooks)
        else:
            asyncio.run(self._store())

    def settle(self) -> None:
        """Wait until nothing is waiting; where no service runs, work it off."""
        if self.service is None:
            asyncio.run(self._work())
        else:
            self.until(lambda: not pending(self.database))

    def until(self, true: Callable[[], bool], seconds: float = 100) -> None:
        """Wait for another process."""
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, "it did not come to that in time"
            time.sleep(0.02)

    def events(self, client: int) -> list[dict[str, Any]]:
        """The events of a client, newest first, as the command lists them."""
        return self.json("events", "list", "--client", str(client))

    def make(self) -> None:
        """Make the database, as any start does."""
        asyncio.run(self._work())

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the database."""
        return rows(self.database, query, *values)

    @contextmanager
    def served(self, *arguments: str) -> Iterator[Service]:
        """Within the block `connector serve` runs on the database."""
        service = Service(self.file, *arguments)
        with self.portal.wrap_async_context_manager(service.running()):
            self.service = service
            try:
                yield service
                assert self.portal.call(service.stop) == 0, service.text[-10:]
            finally:
                self.service = None

    async def _engine(self) -> Engine:
        return await Engine.open(config.load(self.file, systems=registry.Registry()))

    async def _store(self) -> None:
        engine = await self._engine()
        waiting, self.sides.booxi.outbox.waiting = self.sides.booxi.outbox.waiting, []
        for body in waiting:
            reading = engine.connections.booking["stores"].read_delivery({}, body)
            raw = json.dumps(body).encode()
            delivery = Delivery("stores", reading.event_id or "", False, {}, raw, time.time(), reading)
            await engine.store.inbox.accept(delivery)
        await engine.stop()

    async def _work(self) -> None:
        engine = await self._engine()
        await engine.worker.run_once()
        await engine.stop()


class Process:
    """A command in a process of its own. `line` waits for what it prints."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen([*CONNECTOR, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def line(self) -> str:
        """The next line on stdout."""
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def stop(self, signal_: int = signal.SIGTERM) -> tuple[int, str, str]:
        """End it; exit code, and the rest of both streams."""
        self._process.send_signal(signal_)
        return self.ends()

    def ends(self) -> tuple[int, str, str]:
        """Wait for its end; exit code, and the rest of both streams."""
        out, err = self._process.communicate(timeout=100)
        return self._process.returncode, out, err

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
