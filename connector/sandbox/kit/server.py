"""A real HTTP server on the loopback for a sandbox, inside the loop that is already running."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import uvicorn
from starlette.types import ASGIApp

#: Seconds which requests in progress get when the server stops.
GRACE = 1


class Server:
    """Serve `app` while the `async with` block runs; `url` is usable as soon as it is entered.

    `port` 0 takes a free one. Signals are left alone: they belong to the program around it.

    Raises:
        OSError: the address is in use.
    """

    def __init__(self, app: ASGIApp, port: int = 0, host: str = "127.0.0.1") -> None:
        self.host = host
        self.port = port
        self._app = app
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The address, without a slash at its end."""
        return f"http://{self.host}:{self.port}"

    async def __aenter__(self) -> Self:
        listener = socket.create_server((self.host, self.port), backlog=1024)
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._app, log_config=None, access_log=False, ws="none", timeout_graceful_shutdown=GRACE, server_header=False
        )
        self._server = _Uvicorn(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))
        started = asyncio.create_task(self._server.ready.wait())
        await asyncio.wait({self._task, started}, return_when=asyncio.FIRST_COMPLETED)
        if not self._server.ready.is_set():
            started.cancel()
            listener.close()
            await self._task
            raise RuntimeError("the sandbox's server did not start")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        if self._task is not None:
            await self._task


class _Uvicorn(uvicorn.Server):
    """uvicorn without its signal handlers, and with an event that says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        self.ready.set()

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until `should_exit`; connections that were cut on purpose are no errors."""
        with _quiet():
            await super().serve(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signals."""
        yield


class _OnPurpose(logging.Filter):
    """Drops uvicorn's complaints about connections which the fault injector cut."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError):
            return False
        return not str(record.msg).startswith(("ASGI callable returned without completing", "Cancel %s running task"))


@contextmanager
def _quiet() -> Iterator[None]:
    logger, keep_out = logging.getLogger("uvicorn.error"), _OnPurpose()
    logger.addFilter(keep_out)
    try:
        yield
    finally:
        logger.removeFilter(keep_out)
