"""What runs until it is stopped: `demo`, `serve`, `sandbox`."""

from __future__ import annotations

import errno
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import config_option, ends_well, leave_out_terminals
from connector.model.errors import ConnectorError
from connector.registry import BOOKING_SYSTEMS, CRMS
from connector.sandbox.kit.listing import find_sandbox, list_sandboxes

if TYPE_CHECKING:
    import asyncio

_HINTS = {
    errno.EADDRNOTAVAIL: "Set [server] host to an address of this machine.",
    errno.EACCES: "Choose a port from 1024 up, or give the service the right to this one.",
}
CANNOT_LISTEN = (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES)


@click.command()
@click.option("--once", is_flag=True, help="Print the decisions and end, instead of keeping the status page up.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="Port of the status page.")
@click.option(
    "--booking",
    type=click.Choice(sorted(BOOKING_SYSTEMS)),
    default="booxi",
    show_default=True,
    help="The booking system to show.",
)
@click.option("--crm", type=click.Choice(sorted(CRMS)), default="hubspot", show_default=True, help="The CRM to show.")
@ends_well
def demo(once: bool, port: int, booking: str, crm: str) -> None:
    """Show everything without an account: sandboxes for both systems, sample webhooks, links, the status page."""
    from connector.cli.demo import run_demo

    _loop(lambda: run_demo(once=once, port=port, booking=booking, crm=crm))


@click.command()
@config_option
@click.option("--no-worker", is_flag=True, help="Only receive and store; everything waits for a process with a worker.")
@click.option(
    "--role",
    type=click.Choice(["all", "receiver", "worker"]),
    default="all",
    show_default=True,
    help="What this process does, if several share one PostgreSQL database.",
)
@ends_well
def serve(config_path: Path, no_worker: bool, role: str) -> None:
    """Run the webhook receiver, the worker and the status page in one process. SIGTERM drains and ends it."""
    leave_out_terminals("httpx", "structlog")
    from connector import registry
    from connector.app import Service
    from connector.config import logs
    from connector.config import settings as config
    from connector.operations.checks import raise_file_limit

    loaded = config.load(config_path, systems=registry.Registry())
    if role != "all" and not loaded.database.on_server:
        text = f"--role {role} needs PostgreSQL: an SQLite file belongs to one process."
        raise click.UsageError(f"{text} Set database.url, or leave out --role.")
    as_json = {"auto": None, "json": True, "console": False}[loaded.log.format]
    logs.set_up(json=as_json, level=loaded.log.level, queued=True)

    raise_file_limit()

    async def job() -> None:
        works = not no_worker and role != "receiver"
        service = await Service.open(loaded, works=works, receives=role != "worker")

        def listening() -> None:
            if loaded.status.token is None and not loaded.status.operators:
                click.echo(f"Status page, good for one login: {service.login_url}", err=True)

        await service.run_until_signal(listening)

    try:
        _loop(job)
    finally:
        logs.drain()


@click.command()
@click.argument("system", type=click.Choice(list_sandboxes()))
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on; 0 takes a free one.")
@click.option("--faults", "faults_path", type=click.Path(path_type=Path, dir_okay=False), help="A TOML file of faults.")
@ends_well
def sandbox(system: str, port: int, faults_path: Path | None) -> None:
    """Run a local test double of a remote system, with its rules and limits, and configurable faults."""
    from connector.sandbox.kit.faults import Faults

    faults = Faults.load(faults_path) if faults_path else Faults()

    async def job() -> None:
        await _serve_sandbox(system, port, faults)

    _loop(job)


async def _serve_sandbox(system: str, port: int, faults: Any) -> None:
    import asyncio

    from connector.sandbox.kit.server import Server

    listing = find_sandbox(system)
    box = listing.load()(faults=faults)
    async with Server(box.app, port=port) as server:
        click.echo(f"{system} sandbox: {server.url}{listing.api}")
        for key in listing.keys:
            click.echo(f"{'key' if len(listing.keys) == 1 else key}: {getattr(box, key)}")
        click.echo("Control routes are under /_sandbox. Ctrl-C ends it.")
        stopped = asyncio.Event()
        for one in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(one, stopped.set)
        await stopped.wait()


def _loop(job: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run on uvloop where there is one; say plainly when the address is taken."""
    import asyncio

    try:
        with asyncio.Runner(loop_factory=_fast_loop()) as runner:
            runner.run(job())
    except OSError as error:
        if error.errno not in CANNOT_LISTEN:
            raise
        hint = _HINTS.get(error.errno, "Stop what listens there, or choose another port.")
        raise ConnectorError(f"Cannot listen: {error.strerror or error}.", hint=hint) from error


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
