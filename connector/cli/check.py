"""`connector check`: is the file right, do both sides answer, is everything there that we need, do the links still agree?"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import config_option, ends_well, json_option, load_config, operate, run, say

if TYPE_CHECKING:
    from connector.config.settings import Config

#: What `--fix` came to, as people read it.
RESULTS = {"fixed": "repaired", "held": "waits for a person", "left": "not repaired", "pending": "still being repaired"}


@click.command()
@config_option
@click.option("--fix", is_flag=True, help="Create what is missing in the CRM; with --drift, repair what is safe.")
@click.option("--drift", "source", metavar="SOURCE", help="Compare the links of SOURCE with both systems instead.")
@click.option("--links", "people", metavar="SOURCE", help="Look for customers of SOURCE's CRM whose clients' names differ.")
@click.option("--sample", type=click.IntRange(1), metavar="N", help="With --drift: only N links, taken at random.")
@json_option
@ends_well
def check(config_path: Path, fix: bool, source: str | None, people: str | None, sample: int | None, as_json: bool) -> None:
    """Validate the file, ask both systems, and say what to do. Exit code 0 when nothing is wrong.

    With --drift, read every link of a source in both systems and report differences. With --links, read the names of
    clients who share one customer, and open a review if they speak against one person; nothing else is changed.
    """
    if source is None and sample is not None:
        raise click.UsageError("--sample needs --drift SOURCE.")
    if people is not None and (source is not None or fix):
        raise click.UsageError("--links cannot be used with --drift or --fix: it changes nothing.")
    config = load_config(config_path)
    if source is not None:
        _drift(config, source, sample, fix, as_json)
        return
    if people is not None:
        _names(config, people, as_json)
        return
    from connector.cli import output as terminal

    found = operate(config, lambda to: to.check(fix))
    terminal.conclude_checks(found, as_json)


def _drift(config: Config, source: str, sample: int | None, fix: bool, as_json: bool) -> None:
    from connector.cli.admin_client import follow

    _check_source(config, source)
    try:
        found = run(follow(config, "drift", source, lambda to: to.drift(source, sample, fix), work=fix))
    except KeyboardInterrupt:
        say("Stopped. The next service finishes the repairs that have begun.", err=True)
        sys.exit(1)
    if as_json:
        from connector.cli import output as terminal

        keys = ("source", "busy", "findings")
        terminal.show_json({**{key: found[key] for key in keys}, "links": found["counts"]["seen"] - found["open"], "fix": fix})
    else:
        _tell(found, fix)
    if found["state"] == "failed":
        say(f"Stopped early: {found['reason']}. {found['hint']}".strip(), err=True)
    if found["state"] == "failed" or any(finding["result"] != "fixed" for finding in found["findings"]):
        sys.exit(1)


def _check_source(config: Config, source: str) -> None:
    if source not in config.booking:
        known = ", ".join(config.booking) or "none"
        raise click.UsageError(f"{config.path} has no [booking.{source}]; configured: {known}.")


def _names(config: Config, source: str, as_json: bool) -> None:
    from connector.cli.admin_client import follow

    _check_source(config, source)
    try:
        found = run(follow(config, "names", source, lambda to: to.names(source), work=False))
    except KeyboardInterrupt:
        say("Stopped. The pairs found so far are in the reviews.", err=True)
        sys.exit(1)
    if as_json:
        from connector.cli import output as terminal

        seen = found["counts"]["seen"] - found["open"]
        terminal.show_json({"source": source, "customers": seen, "unread": found["unread"], "pairs": found["pairs"]})
    else:
        _print_pairs(found)
    if found["state"] == "failed":
        say(f"Stopped early: {found['reason']}. {found['hint']}".strip(), err=True)
    if found["state"] == "failed" or found["pairs"]:
        sys.exit(1)


def _tell(found: Mapping[str, Any], fix: bool) -> None:
    """Print one line for each disagreement, and a last one for all of them."""
    for one in found["findings"]:
        say(f"client {one['client_id']} → customer {one['customer_id']}: {one['message']}")
        done = f"{RESULTS.get(one['result'], one['result'])}: {one['fix']}" if fix else f"with --fix: {one['fix']}"
        where = f" (`connector review show {one['review']}`)" if one["review"] else ""
        where = (
            f" (`connector events show {one['event']}`)" if one["event"] and one["result"] == "held" and not where else where
        )
        say(f"         → {done}{where}")
    number = found["counts"]["seen"] - found["open"]
    tail = f"; {found['busy']} not compared: their events are in progress" if found["busy"] else ""
    said = _count(len(found["findings"]), "difference") if found["findings"] else "no differences"
    say(f"{_count(number, 'link')} of {found['source']} compared: {said}{tail}.")


def _print_pairs(found: Mapping[str, Any]) -> None:
    """Print two lines for each pair, and a last one for all of them."""
    for pair in found["pairs"]:
        other = f"{pair['other_client_id']} of {pair['other_source']}"
        say(
            f"client {pair['client_id']} of {pair['source']} and client {other} → customer {pair['customer_id']}:"
            " their names speak against one person"
        )
        say(f"         → waits for a person (`connector review show {pair['review']}`)")
    number = found["counts"]["seen"] - found["open"]
    said = _count(len(found["pairs"]), "pair") if found["pairs"] else "no names differ"
    tail = f"; {_count(found['unread'], 'client')} without a name that can be read" if found["unread"] else ""
    say(f"{_count(number, 'customer')} with several clients compared: {said}{tail}.")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun if number == 1 else noun + 's'}"
