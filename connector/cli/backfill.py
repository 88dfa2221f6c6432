"""`connector backfill`: link the clients of past and coming bookings."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import config_option, ends_well, json_option, load_config, run, say

if TYPE_CHECKING:
    from connector.config.settings import Config


@click.command()
@click.argument("source")
@config_option
@click.option("--since", metavar="DATE", help="First day of bookings: 2026-01-31, yesterday, 90d. Default: a year ago.")
@click.option("--until", metavar="DATE", help="Last day of bookings. Default: a year ahead.")
@click.option("--dry-run", is_flag=True, help="Show what would change, without changing anything.")
@json_option
@ends_well
def backfill(source: str, config_path: Path, since: str | None, until: str | None, dry_run: bool, as_json: bool) -> None:
    """Read the bookings of SOURCE and link every client in them.

    Days are whole and inclusive, in UTC unless a date carries an offset. The same command continues a run that was stopped.
    """
    from connector.model.dates import absolute
    from connector.operations.backfill import period

    config = load_config(config_path)
    if source not in config.booking:
        known = ", ".join(config.booking) or "none"
        raise click.UsageError(f"{config_path} has no [booking.{source}]; configured: {known}.")
    now = datetime.now(UTC)
    try:
        # As dates, so that the service reads the same, and the same command goes on tomorrow only if it means the same.
        since, until = (absolute(text, now) if text else None for text in (since, until))
        period(since, until, now)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    try:
        progress = _follow(config, source, since, until, dry_run)
    except KeyboardInterrupt:
        click.echo("Stopped. Run the same command again to continue.", err=True)
        sys.exit(1)
    _conclude(progress, as_json)


def _follow(config: Config, source: str, since: str | None, until: str | None, dry_run: bool) -> Mapping[str, Any]:
    from connector.cli.admin_client import follow

    return run(follow(config, "backfill", source, lambda to: to.backfill(source, since, until, dry_run), work=not dry_run))


def _conclude(progress: Mapping[str, Any], as_json: bool) -> None:
    from connector.cli import output as terminal

    result = {"source": progress["source"], **progress["counts"], "dry_run": progress["dry_run"]}
    if as_json:
        terminal.show_json(result)
    else:
        terminal.counts(result)
    if progress["state"] == "failed":
        say(f"Stopped early: {progress['reason']}. {progress['hint']}".strip(), err=True)
        click.echo("Run the same command again to continue.", err=True)
    if progress["state"] == "failed" or progress["counts"]["failed"]:
        sys.exit(1)
