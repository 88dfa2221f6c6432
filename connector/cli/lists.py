"""`events list`, `links list` and `review list`: streamed, in bounded memory, however many rows there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import config_option, ends_well, json_option, load_config, read, read_stream
from connector.cli.reveal import reveal_candidates
from connector.model.states import STATES

if TYPE_CHECKING:
    from connector.config.settings import Config
    from connector.store.lists import Wanted

Row = Mapping[str, Any]
ORIGINS = ("delivery", "booking_system", "crm_key", "email", "phone", "created", "review")

_FILTERS = (
    click.option("--source", help="Only those of this source."),
    click.option("--client", "client_id", metavar="ID", help="Only those of this client."),
    click.option("--customer", "customer_id", metavar="ID", help="Only those of this customer."),
    click.option("--since", metavar="DATE", help="From this day or moment on: 2026-01-31, yesterday, 7d, 12h."),
    click.option("--until", metavar="DATE", help="Up to this day, which is included, or this moment."),
)
_OPTIONS = (
    *_FILTERS,
    click.option("--cursor", type=click.IntRange(0, 2**63 - 1), metavar="N", help="Continue where the list before ended."),
    json_option,
    click.option("--json-lines", is_flag=True, help="Print one JSON object a line and nothing else."),
    config_option,
)


def _list_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that all lists share."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that narrow a list, for a command that acts on all that it would show."""
    for option in reversed(_FILTERS):
        command = option(command)
    return command


def _limit(default: int | None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    shown = "At most this many." if default else "At most this many; default: all."
    return click.option("--limit", type=click.IntRange(1), default=default, show_default=default is not None, help=shown)


@dataclass(frozen=True)
class _Kind:
    """How one kind of list is read and shown: the view of `connector.store.lists`, columns, and each row as cells."""

    view: str
    columns: tuple[str, ...]
    cells: Callable[[Row], tuple[Any, ...]]
    empty: str


_EVENTS = _Kind(
    "events",
    ("id", "source", "client", "type", "state", "attempts", "received", "reason"),
    lambda e: (e["id"], e["source"], e["client_id"], e["type"], e["state"], e["attempts"], _at(e["received_at"]), e["reason"]),
    "No events.",
)
_LINK_COLUMNS = ("source", "client_id", "crm", "customer_id", "origin", "linked_at", "written_back_at")
_LINKS = _Kind("links", _LINK_COLUMNS, lambda link: tuple(link[column] for column in _LINK_COLUMNS), "No links.")
_REVIEWS = _Kind(
    "reviews",
    ("id", "source", "client", "since", "candidates", "reason"),
    lambda r: (r["id"], r["source"], ", ".join(r["client_ids"]), _at(r["since"]), _candidates(r), r["reason"]),
    "Nothing to review.",
)


@click.command("list")
@click.option("--state", type=click.Choice(STATES), help="Only events in this state.")
@click.option("--reason", metavar="TEXT", help="Only events whose reason holds this text.")
@_limit(100)
@_list_options
@ends_well
def list_events(config_path: Path, **options: Any) -> None:
    """List events, newest first."""
    _show(_EVENTS, load_config(config_path), options)


@click.command("list")
@click.option("--state", type=click.Choice(["written_back", "already_there"]), help="Whether the id was written back by us.")
@click.option("--reason", type=click.Choice(ORIGINS), help="Only links of this origin.")
@_limit(None)
@_list_options
@ends_well
def list_links(config_path: Path, **options: Any) -> None:
    """List links, oldest first."""
    _show(_LINKS, load_config(config_path), options)


@click.command("list")
@click.option("--state", type=click.Choice(["open", "decided"]), default="open", show_default=True, help="Which reviews.")
@click.option("--reason", metavar="TEXT", help="Only reviews whose reason holds this text.")
@click.option("--reveal", is_flag=True, help="With --json: also the candidates' records in the CRM, personal data.")
@_limit(None)
@_list_options
@ends_well
def list_reviews(config_path: Path, reveal: bool, **options: Any) -> None:
    """List the reviews that need a decision, oldest first."""
    if reveal and not (options["as_json"] or options["json_lines"]):
        raise click.UsageError("The table has no room for records: add --json, or use `connector review show ID --reveal`.")
    config = load_config(config_path)
    _show(_REVIEWS, config, options, each=(lambda item: reveal_candidates(config, item)) if reveal else None)


def _show(kind: _Kind, config: Config, options: dict[str, Any], *, each: Callable[[Any], Any] | None = None) -> None:
    """Print a list; `each` may add to a row before it is shown."""
    from connector.cli import output as terminal
    from connector.store import lists

    if options["as_json"] and options["json_lines"]:
        raise click.UsageError("Use --json or --json-lines, not both.")
    wanted = wanted_of(config, options)
    limit = options["limit"]
    rest = _Rest(read_stream(config, getattr(lists, kind.view), wanted), limit, each)
    if options["as_json"]:
        terminal.stream_json(rest)
    elif options["json_lines"]:
        terminal.stream_json_lines(rest)
    else:
        terminal.stream_table(kind.columns, map(kind.cells, rest), empty=kind.empty)
    if rest.more:
        click.echo(f"There are more; continue with --cursor {rest.last}", err=True)


class _Rest:
    """The rows of a list up to its limit; afterwards `more` says whether there are more, behind the id `last`."""

    def __init__(self, rows: Iterator[tuple[int, Row]], limit: int | None, each: Callable[[Any], Any] | None) -> None:
        self._rows, self._limit, self._each = rows, limit, each
        self.last, self.more = 0, False

    def __iter__(self) -> Iterator[Row]:
        for number, (row_id, row) in enumerate(self._rows):
            if number == self._limit:
                self.more = True
                return
            self.last = row_id
            yield self._each(row) if self._each else row


def wanted_of(config: Config, options: Mapping[str, Any]) -> Wanted:
    """The options as the store takes them. Raises UsageError for a source that is not there, or what is no date."""
    from connector.model.dates import moment
    from connector.store import lists

    source, now = options["source"], datetime.now(UTC)
    if source is not None and source not in config.booking:
        known = sorted({*config.booking, *read(config, lists.sources, absent=[])})
        if source not in known:
            raise click.UsageError(f"There is no source {source!r}; known here: {', '.join(known) or 'none'}.")
    try:
        since, until = (
            moment(options[name], f"--{name}", end=name == "until", now=now) if options[name] else None
            for name in ("since", "until")
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if since and until and since >= until:
        raise click.UsageError("--until is earlier than --since")
    plain: Any = {name: options.get(name) for name in ("state", "source", "client_id", "customer_id", "reason", "cursor")}
    return lists.Wanted(**plain, since=since.timestamp() if since else None, until=until.timestamp() if until else None)


def _candidates(review: Row) -> str:
    return ", ".join(str(candidate["customer_id"]) for candidate in review["candidates"])


def _at(moment: str) -> str:
    return moment[:19].replace("T", " ")
