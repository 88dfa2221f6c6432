"""`connector backup` and `connector restore`: a copy of the database that can be trusted, and the way back from it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.cli.common import config_option, ends_well, json_option, load_config
from connector.model.errors import ConfigError

if TYPE_CHECKING:
    from connector.config.settings import Config

_FILE = click.Path(path_type=Path, dir_okay=False)


def _with_file(config_path: Path) -> Config:
    """The configuration, of a database that is a file. Raises ConfigError."""
    config = load_config(config_path)
    if config.database.on_server:
        fault = f"{config_path.name}: database.url is PostgreSQL: back it up and restore it with PostgreSQL's own tools"
        raise ConfigError([f"{fault}; see docs/operating.md"])
    return config


@click.command()
@click.argument("file", type=_FILE)
@config_option
@json_option
@ends_well
def backup(file: Path, config_path: Path, as_json: bool) -> None:
    """Copy the database into FILE, which must not exist, and verify the copy. A service may run meanwhile."""
    from connector.cli import output as terminal
    from connector.store.backup import back_up
    from connector.store.key import key_file

    config = _with_file(config_path)
    begun = time.monotonic()
    now = time.time()
    made = back_up(config.database.path, file, now)
    seconds, key = round(time.monotonic() - begun, 2), key_file(config.database.path).name
    if as_json:
        terminal.show_json({"file": str(file), "bytes": made.size, "seconds": seconds, "verified": True, "key_file": key})
    else:
        click.echo(f"{file}: {made.size:,} bytes in {seconds} s, verified.")
        click.echo(f"{key} belongs to it: without that file it cannot be restored in full. Keep a copy of it in another place.")


@click.command()
@click.argument("file", type=_FILE)
@config_option
@json_option
@click.option("--key-lost", is_flag=True, help="The key file is lost for good: drop what was remembered under it.")
@ends_well
def restore(file: Path, config_path: Path, as_json: bool, key_lost: bool) -> None:
    """Verify the backup FILE and put it in the place of the database. Refused while a service runs."""
    from connector.cli import output as terminal
    from connector.store.backup import restore as put_back

    config = _with_file(config_path)
    begun = time.monotonic()
    made = put_back(config.database.path, file, time.time(), key_lost=key_lost)
    seconds = round(time.monotonic() - begun, 2)
    kept = made.kept.name if made.kept else None
    if as_json:
        terminal.show_json({"file": str(file), "bytes": made.size, "seconds": seconds, "verified": True, "kept": kept})
        return
    click.echo(f"{made.file.name} is {file.name} again: {made.size:,} bytes in {seconds} s, verified.")
    if kept:
        click.echo(f"What was there before is kept as {kept}.")
    click.echo('Start the service; then see "Restore" in docs/operating.md for what came in since the backup.')
