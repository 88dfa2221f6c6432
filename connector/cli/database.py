"""`connector database`: all of it into a database of the other kind, and whether it is whole."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import config_option, ends_well, json_option, load_config, say
from connector.model.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from connector.cli.output import Bar
    from connector.config.database import DatabaseSettings
    from connector.config.settings import Config
    from connector.store.copying import Copied, Progress

_AGAIN = "Run the same command again: it continues where it ended."


@click.group()
def database() -> None:
    """Copy the database between SQLite and PostgreSQL, and check it."""


@database.command("copy")
@config_option
@click.option("--to", "address", required=True, metavar="URL", help="postgresql://USER@HOST/DATABASE, or sqlite:///FILE.")
@json_option
@ends_well
def copy_database(config_path: Path, address: str, as_json: bool) -> None:
    """Copy the database of the configuration into the empty one at URL, and check every row.

    Refused while a service runs on either. Run the same command again to continue a copy that was stopped.
    """
    from connector.cli import output as terminal

    config = load_config(config_path)
    target = _target(config, address)
    begun = time.monotonic()
    with terminal.Bar() as bar:
        made = _copy(config.database, target, bar)
    seconds = round(time.monotonic() - begun, 2)
    if as_json:
        terminal.show_json(_said(config.database, target, made) | {"seconds": seconds})
    else:
        _conclude(config, target, made, seconds)


def _target(config: Config, address: str) -> DatabaseSettings:
    """The database that was named. Raises ConfigError, which repeats nothing of the address."""
    from connector.config.database import DatabaseSettings

    source = config.database
    try:
        target = DatabaseSettings.at(address, config.path.parent)
    except ValueError as error:
        raise ConfigError([f"--to: {error}"]) from None
    same = source.url == target.url if source.on_server else os.path.realpath(source.path) == os.path.realpath(target.path)
    if same and source.on_server == target.on_server:
        raise ConfigError([f"--to: is the database of {config.path.name} itself"])
    return target


def _copy(source: DatabaseSettings, target: DatabaseSettings, bar: Bar) -> Copied:
    from connector.store.copying import copy

    last: list[Progress] = []

    def show(progress: Progress) -> None:
        news = not last or last[0].step != progress.step
        last[:] = [progress]
        share = progress.done / progress.total if progress.total else 1.0
        bar.put(progress.step, share, f"{progress.table}: {progress.done:,} of {progress.total:,} rows", news=news)

    try:
        return copy(source, target, time.time(), show)
    except KeyboardInterrupt:
        say(f"Stopped. {_AGAIN}", err=True)
        sys.exit(1)
    except StoreError as error:
        if last:
            error.hint = f"{error.hint} {_AGAIN}".strip()
        raise


def _said(source: DatabaseSettings, target: DatabaseSettings, made: Copied) -> dict[str, Any]:
    return {
        "from": source.name,
        "to": target.name,
        "url": target.url,
        "tables": made.rows,
        "rows": sum(made.rows.values()),
        "verified": True,
        "resumed": made.resumed,
        "put_back": made.put_back,
        "key_file": made.key_file.name,
    }


def _conclude(config: Config, target: DatabaseSettings, made: Copied, seconds: float) -> None:
    """Print what was done, and what is left to do."""
    source, key = config.database, made.key_file.name
    rows = f"{sum(made.rows.values()):,} rows of {len(made.rows)} tables"
    say(f"{source.name} is copied to {target.name}: {rows} in {seconds} s. Every row was read again on both sides;")
    say("counts and checksums of all tables agree.")
    if made.put_back:
        say(f"{made.put_back:,} interrupted events are queued again.")
    say(f"\nWhat to do now:\n1. In {config.path.name}, under [database]:\n\n   url = {_quoted(target.url)}")
    if target.password is not None:
        say('   password = { env = "CONNECTOR_DATABASE_PASSWORD" }')
    elif source.password is not None:
        say("   (and no password)")
    folder = "the configuration file" if target.on_server else target.name
    say(f"\n2. Leave {key} where it is, beside {folder}: known people are not recognised without it. Keep a copy elsewhere.")
    say("3. Run `connector database check`, and start the service.")
    say(f"Never start a service on {source.name} again: it would process old events again. Remove it once all is well.")


def _quoted(url: str) -> str:
    return '"' + url.replace("\\", "\\\\").replace('"', '\\"') + '"'


@database.command("check")
@config_option
@json_option
@ends_well
def check_database(config_path: Path, as_json: bool) -> None:
    """Read the whole database and report what is wrong. A service may run meanwhile; nothing is changed."""
    from connector.cli import output as terminal
    from connector.store.checking import check

    config = load_config(config_path)
    if not config.database.on_server and not config.database.path.exists():
        raise StoreError(f"There is no database {config.database.name}.", hint="It is made by the first `connector serve`.")
    found = check(config.database)
    terminal.conclude_checks(found, as_json)
