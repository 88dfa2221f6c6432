"""What the commands share: the configuration option, the way errors end a command, the event loop."""

from __future__ import annotations

import functools
import getpass
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from connector.model.errors import ConfigError, ConnectorError, StoreError
from connector.model.text import visible

if TYPE_CHECKING:
    from connector.config.settings import Config
    from connector.operations.operations import Operations

P = ParamSpec("P")
T = TypeVar("T")

config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("connector.toml"),
    show_default=True,
    envvar="CONNECTOR_CONFIG",
    show_envvar=True,
    help="The configuration file.",
)


class _Id(click.IntRange):
    """The id of an event or a review; a longer number would not fit into the database."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return int(super().convert(value, param, ctx))
        except click.BadParameter:
            self.fail(f"{value!r} is no id; give the number that stands in the first column of the list.", param, ctx)


ID = _Id(1, 2**63 - 1)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")


def say(text: str, *, err: bool = False) -> None:
    """Print a sentence or a few lines that may hold what others wrote."""
    click.echo(visible(text, keep="\n"), err=err)


def ends_well(command: Callable[P, T]) -> Callable[P, T]:
    """End the command with a plain message: exit code 2 for the configuration, 1 for anything else that went wrong."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except ConfigError as error:
            for fault in error.faults:
                click.echo(fault, err=True)
            sys.exit(2)
        except ConnectorError as error:
            say(f"{error} {error.hint}".strip(), err=True)
            sys.exit(1)
        except BrokenPipeError:
            # `connector events list | head`: nobody reads on.
            sys.stderr.close()
            sys.exit(0)

    return wrapped


def leave_out_terminals(*libraries: str) -> None:
    """Import these without what they would draw on a terminal: a service would hold 3 MB for nothing, a command wait for it.

    Commands that draw something import `rich` themselves.
    """
    unused = [name for name in ("rich", "httpx._main") if name not in sys.modules]
    for name in unused:
        # What Python documents for a module that is not to be found.
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        for library in libraries:
            import_module(library)
    finally:
        for name in unused:
            del sys.modules[name]


def load_config(path: Path) -> Config:
    """Read the configuration and set up quiet logging. Raises ConfigError."""
    leave_out_terminals("structlog")
    from connector import registry
    from connector.config import logs
    from connector.config import settings as config

    loaded = config.load(path, systems=registry.Registry())
    logs.set_up(json=False, level="warning")
    return loaded


def run(job: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end."""
    import asyncio

    return asyncio.run(job)


def read_stream(config: Config, view: Callable[..., Iterator[T]], *args: Any) -> Iterator[T]:
    """What one of `connector.store.lists` yields; nothing where there is no database yet."""
    from connector.store import stream

    if not _there(config):
        return
    try:
        yield from stream(config.database, view, *args)
    except UnicodeEncodeError:
        raise click.UsageError("An option holds characters that are not valid text.") from None


def read(config: Config, view: Callable[..., T], *args: Any, absent: Any, **kwargs: Any) -> T:
    """Run one of the store's `views` beside whatever works on the database; `absent` where there is no database yet."""
    from connector.store import look

    if not _there(config):
        nothing: T = absent
        return nothing
    try:
        return look(config.database, view, *args, **kwargs)
    except UnicodeEncodeError:
        raise click.UsageError("An option holds characters that are not valid text.") from None


def _there(config: Config) -> bool:
    """Whether there is a database; says so where there is none. A server is asked, not guessed about."""
    if config.database.on_server or _exists(config.database.path):
        return True
    click.echo(f"There is no database yet ({config.database.name}); it is made by the first `connector serve`.", err=True)
    return False


def _exists(path: Path) -> bool:
    """Whether there is a database; a folder that may not be entered leaves that open."""
    try:
        return path.exists()
    except OSError as error:
        text = f"The database {path.name} cannot be opened: {error.strerror}."
        raise StoreError(text, hint="Run this as the user who runs the service.") from error


def operate(config: Config, act: Callable[[Operations], Awaitable[T]]) -> T:
    """Do one operation on the live database; see `connector.operations.operations`."""
    from connector.cli.admin_client import operator

    async def job() -> T:
        async with operator(config) as operations:
            return await act(operations)

    return run(job())


def whoami() -> str:
    """Who decides, for the trace: who typed `sudo`, where the command is run as the service's user."""
    try:
        return f"{os.environ.get('SUDO_USER') or getpass.getuser()} on the command line"
    except (KeyError, OSError):
        return "the command line"
