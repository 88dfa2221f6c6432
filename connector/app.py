"""`connector serve`: the receiver, the worker and the status page in one process."""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import structlog
import uvicorn
from prometheus_client import Histogram

from connector import __version__
from connector.config.addresses import is_any
from connector.config.settings import Config
from connector.model.capabilities import BookingCapability
from connector.model.deliveries import Delivery
from connector.model.errors import ConfigError, StoreError
from connector.model.measures import STORING
from connector.operations import checks
from connector.operations.engine import Engine
from connector.operations.operations import Operations
from connector.operations.status import Overview
from connector.remote.signatures import verifier_for
from connector.web.access import Access, Operator
from connector.web.admin_api import admin_route
from connector.web.app import build_app
from connector.web.interfaces import Source, kept_headers
from connector.web.receiver.connection import KEEP_ALIVE, BoundedConnection
from connector.web.receiver.stats import ReceiverStats
from connector.worker.accounts import Transports

#: Seconds which requests in progress get when the service stops.
GRACE = 5
#: Seconds after which a thread that wants the interpreter is handed it. By Python's default, 0.005, the database's writer is
#: woken for nothing hundreds of times while the event loop is busy, after each call in which the loop lets go of the
#: interpreter (docs/benchmarks.md, Receiving).
SWITCH_INTERVAL = 0.000_01


class Intake:
    """The inbox, and a nudge to the worker for every delivery that gives it something to do."""

    def __init__(self, engine: Engine, repair: Callable[[str], None]) -> None:
        self._accept = engine.store.inbox.accept
        self._wake = engine.worker.wake
        self._repair = repair
        self._storing: dict[str, Histogram] = {}

    async def accept(self, delivery: Delivery) -> str:
        """Store durably; see `connector.store.inbox.Inbox.accept`."""
        begun = time.perf_counter()
        try:
            status = await self._accept(delivery)
        finally:
            self._seconds(delivery.source).observe(time.perf_counter() - begun)
        if status == "queued":
            self._wake()
        if delivery.reading.lost_before and status != "duplicate":
            self._repair(delivery.source)
        return status

    def _seconds(self, source: str) -> Histogram:
        """The histogram of one source, looked up once."""
        if (found := self._storing.get(source)) is None:
            found = self._storing[source] = STORING.labels(source)
        return found


class Service:
    """Made by `open`; `start`, then `stop`. `url` is known once started."""

    def __init__(self, config: Config, engine: Engine, *, works: bool = True, receives: bool = True) -> None:
        self.config = config
        self.engine = engine
        self._stats = ReceiverStats()
        self._access = _access(config)
        self._overview = Overview(engine, self._stats, works=works)
        self.operations = Operations(engine, works=works, problems=self._overview.problems)
        self.url = ""
        self._works, self._receives = works, receives
        self._log = structlog.get_logger("connector.app").bind()

    @classmethod
    async def open(
        cls, config: Config, *, works: bool = True, receives: bool = True, transports: Transports | None = None
    ) -> Service:
        """Open the database and connect the accounts. Raises StoreError."""
        role = "all" if works and receives else "worker" if works else "receiver"
        return cls(config, await Engine.open(config, transports=transports, role=role), works=works, receives=receives)

    async def start(self) -> None:
        """Listen first, then work: what arrives during the start is stored.

        Raises:
            OSError: the address is taken.
            ConfigError: the host is none.
        """
        if self.engine.store.database.new:
            hint = "This is right at a first start. Otherwise stop: the old file, its disk or its mount is missing."
            self._log.warning("new database", file=self.engine.store.database.name, hint=hint)
        for check in [*checks.modes(self.config.database.path), *checks.disk(self.config.database)]:
            self._log.warning(check.message, hint=check.hint)
        token = secrets.token_urlsafe(32)
        listener = _listen(self.config)
        port = listener.getsockname()[1]
        self._server = _Server(self._uvicorn_config(token))
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]))
        # From here on there is something to stop.
        self.url = _url(self.config.server.host, port)
        ready = asyncio.create_task(self._server.ready.wait())
        await asyncio.wait({self._serving, ready}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if self._serving.done():
            await self._serving
        self._announce({"pid": os.getpid(), "url": _url("", port, self.config.server.host), "token": token})
        if self._works:
            await self.engine.start()
            await self.operations.resume()
            self.engine.taking_part.on_leading.append(self.operations.resume)
        else:
            await self.engine.follow_others()
        self._log.info("listening", url=self.url, version=__version__, worker=self._works)

    def _announce(self, details: dict[str, Any]) -> None:
        try:
            self.engine.store.database.announce(details)
        except OSError as error:
            name = self.config.database.path.name
            hint = f"Check the disk that holds {name}: its space, and the owner and permissions of the file."
            raise StoreError(f"The lock file {name}.lock cannot be written: {error.strerror}.", hint=hint) from error

    async def stop(self) -> None:
        """Refuse what comes, let what runs end within `worker.drain_seconds`, close."""
        notify("STOPPING=1")
        self._log.info("stopping", drain_seconds=self.config.worker.drain_seconds)
        self._server.should_exit = True
        await self.operations.stop()
        await asyncio.gather(self._serving, self.engine.worker.drain(self.config.worker.drain_seconds))
        await self.engine.stop()
        self._log.info("stopped")

    @property
    def login_url(self) -> str:
        """The address that opens one session of the status page; good once. Known once started."""
        return f"{self.url}{self._access.login_path}"

    async def run_until_signal(self, listening: Callable[[], None] = lambda: None) -> None:
        """Start, wait for SIGTERM, SIGINT or SIGHUP (or the server's end), stop. One of the first two again ends it at once.

        `listening` is called once the service can be reached.
        """
        signalled = asyncio.Event()
        loop = asyncio.get_running_loop()
        for one in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(one, lambda: os._exit(1) if signalled.is_set() else signalled.set())
        # A terminal that is closed may send it more than once; under nohup it is ignored, and stays so.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            loop.add_signal_handler(signal.SIGHUP, signalled.set)
        try:
            await self.start()
            listening()
            notify("READY=1")
            calm_the_collector()
            sys.setswitchinterval(SWITCH_INTERVAL)
            waiting = asyncio.create_task(signalled.wait())
            await asyncio.wait({waiting, self._serving}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
        finally:
            if self.url:
                await self.stop()
            else:
                await self.engine.stop()

    def _uvicorn_config(self, token: str) -> uvicorn.Config:
        config, overview = self.config, self._overview
        app = build_app(
            sources=self._sources() if self._receives else {},
            intake=Intake(self.engine, self.operations.repair),
            stats=self._stats,
            data=overview,
            ready=overview.ready,
            access=self._access,
            max_body_bytes=config.server.max_body_bytes,
            config_file=str(config.path),
            extra_routes=[admin_route(token, self.operations.call)],
            actions=self.operations,
        )
        return uvicorn.Config(
            app,
            http=BoundedConnection,
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            ws="none",
            lifespan="off",
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=GRACE,
            backlog=2048,
        )

    def _sources(self) -> dict[str, Source]:
        faults: list[str] = []
        found: dict[str, Source] = {}
        for name, settings in self.config.booking.items():
            adapter = self.engine.connections.booking[name]
            try:
                verifier = adapter.verifier()
                if verifier is None and settings.webhook is not None:
                    verifier = verifier_for(settings.webhook, where=f"booking.{name}.webhook")
            except ConfigError as error:
                faults += error.faults
                continue
            if verifier is not None:
                keep = kept_headers(adapter.reads_headers, settings.webhook.header if settings.webhook else None)
                found[name] = Source(name, adapter.read_delivery, verifier, keep, adapter.can(BookingCapability.FORMS))
        if faults:
            raise ConfigError([f"{self.config.path}: {fault}" for fault in faults])
        return found


def _access(config: Config) -> Access:
    """Who may see the status page and decide there, as `[status]` says."""
    status = config.status
    named = [(Operator(one.name, one.role == "decide"), one.token.get_secret_value()) for one in status.operators]
    token = status.token.get_secret_value() if status.token else None
    return Access(public_url=config.server.public_url, token=token, operators=named)


def notify(state: str) -> None:
    """Report a state to systemd (`Type=notify`); does nothing where nobody asked for it (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    # An abstract address begins with a zero byte, which is written as "@".
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.setblocking(False)
        channel.sendto(state.encode(), address.replace("@", "\0", 1) if address[0] == "@" else address)


def calm_the_collector() -> None:
    """Let the garbage collector leave alone what the start has built, and look less often at the rest.

    Requests that wait for their commit keep many young objects alive; at the interpreter's own thresholds a tenth of the
    receiver's time went into looking at them (docs/benchmarks.md). What was young then and is dropped later, such as
    connections that have ended, is found soon: after the freeze there is little to look at.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 5, 5)


class _Server(uvicorn.Server):
    """uvicorn that leaves the signals to us and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signals."""
        yield


def _listen(config: Config) -> socket.socket:
    host, port = config.server.host.strip("[]"), config.server.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        text = 'is no address of this machine that can be found; give one, for example "127.0.0.1"'
        raise ConfigError([f"{config.path}: [server] host: {text}"]) from None
    # "::" means every address, also those of IPv4: one of them alone surprises.
    both = is_any(host) and family == socket.AF_INET6 and socket.has_dualstack_ipv6()
    return socket.create_server((host, port), family=family, backlog=2048, dualstack_ipv6=both)


def _url(host: str, port: int, listening: str = "") -> str:
    """How to reach us: at `host`, or at the loopback of the address family we listen on."""
    if not host:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listening.strip("[]"), listening)  # noqa: S104 - only compared
    host = host.strip("[]")
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
