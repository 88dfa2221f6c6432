"""`connector check`: is the file right, do both sides answer, is everything there that we need, do the links still agree?"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import config_option, ends_well, json_option, load_config, operate, run

if TYPE_CHECKING:
    from connector.config.settings import Config

#: Seconds between two looks at the progress.
LOOK = 0.25
#: What `--fix` came to, as people read it.
RESULTS = {"fixed": "repaired", "held": "waits for a person", "left": "not repaired", "pending": "still being repaired"}


@click.command()
@config_option
@click.option("--fix", is_flag=True, help="Create what is missing in the CRM; with --drift, repair what is safe.")
@click.option("--drift", "source", metavar="SOURCE", help="Compare the links of SOURCE with both sides instead.")
@click.option("--sample", type=click.IntRange(1), metavar="N", help="With --drift: only N links, taken at random.")
@json_option
@ends_well
def check(config_path: Path, fix: bool, source: str | None, sample: int | None, as_json: bool) -> None:
    """Validate the file, talk to both sides, and say what to do. Exit code 0 when nothing is wrong.

    With --drift, read every link of a source on both sides and report those that no longer agree.
    """
    if source is None and sample is not None:
        raise click.UsageError("--sample goes with --drift SOURCE.")
    config = load_config(config_path)
    if source is not None:
        _drift(config, source, sample, fix, as_json)
        return
    from connector.cli import output as terminal

    found = operate(config, "check", fix=fix)
    if as_json:
        terminal.show_json(found)
    else:
        terminal.checks(found)
    if any(one["level"] == "error" for one in found):
        sys.exit(1)


def _drift(config: Config, source: str, sample: int | None, fix: bool, as_json: bool) -> None:
    if source not in config.booking:
        known = ", ".join(config.booking) or "none"
        raise click.UsageError(f"{config.path} has no [booking.{source}]; configured: {known}.")
    try:
        found = run(_follow(config, source, sample, fix))
    except KeyboardInterrupt:
        click.echo("Stopped. What was begun to be repaired goes on with the next service.", err=True)
        sys.exit(1)
    if as_json:
        from connector.cli import output as terminal

        keys = ("source", "busy", "findings")
        terminal.show_json({**{key: found[key] for key in keys}, "links": found["counts"]["seen"] - found["open"], "fix": fix})
    else:
        _tell(found, fix)
    if found["state"] == "failed":
        click.echo(f"It ended early: {found['reason']}. {found['hint']}".strip(), err=True)
    if found["state"] == "failed" or any(finding["result"] != "fixed" for finding in found["findings"]):
        sys.exit(1)


async def _follow(config: Config, source: str, sample: int | None, fix: bool) -> Mapping[str, Any]:
    from connector.cli.admin_client import operator
    from connector.cli.output import Follow

    async with operator(config, work=fix) as ask:
        with Follow() as follow:
            progress = await ask("drift", source=source, sample=sample, fix=fix)
            while progress["state"] in ("comparing", "repairing"):
                await asyncio.sleep(LOOK)
                progress = await ask("drift_progress", source=source)
                follow.show(progress)
    found: Mapping[str, Any] = progress
    return found


def _tell(found: Mapping[str, Any], fix: bool) -> None:
    """Print one line for each disagreement, and a last one for all of them."""
    for one in found["findings"]:
        click.echo(f"client {one['client_id']} → customer {one['customer_id']}: {one['message']}")
        done = f"{RESULTS.get(one['result'], one['result'])}: {one['fix']}" if fix else f"with --fix: {one['fix']}"
        where = f" (`connector review show {one['review']}`)" if one["review"] else ""
        where = (
            f" (`connector events show {one['event']}`)" if one["event"] and one["result"] == "held" and not where else where
        )
        click.echo(f"         → {done}{where}")
    number = found["counts"]["seen"] - found["open"]
    tail = f"; {found['busy']} not judged: their events are on their way" if found["busy"] else ""
    said = _count(len(found["findings"]), "disagreement") if found["findings"] else "nothing disagrees"
    click.echo(f"{_count(number, 'link')} of {found['source']} compared: {said}{tail}.")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun if number == 1 else noun + 's'}"
