"""What the commands print: tables and a progress bar for people, plain lines where nobody watches, JSON when asked."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, islice
from typing import Any, Self

import click
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from connector.model.text import visible, visible_json

#: Rows that say how wide the columns of a long table are.
MEASURED = 200
#: Seconds between progress lines where there is no terminal.
PLAIN_INTERVAL = 10.0
_LEVELS = {"ok": "ok", "warning": "warning", "error": "ERROR"}


def show_json(data: Any) -> None:
    """Print one JSON document."""
    click.echo(visible_json(data, indent=2))


def stream_json(rows: Iterable[Any]) -> None:
    """Print one JSON array, a line for each row as it comes."""
    before = "["
    for row in rows:
        sys.stdout.write(f"{before}\n  {visible_json(row)}")
        before = ","
    sys.stdout.write("[]\n" if before == "[" else "\n]\n")
    sys.stdout.flush()


def stream_json_lines(rows: Iterable[Any]) -> None:
    """Print one JSON object a line, as they come."""
    for row in rows:
        sys.stdout.write(f"{visible_json(row)}\n")
    sys.stdout.flush()


def stream_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """Print one line a row as they come, in columns as wide as the first rows need; `empty` where there are none."""
    coming = iter(rows)
    first = [[_cell(cell) for cell in row] for row in islice(coming, MEASURED)]
    if not first:
        click.echo(empty)
        return
    widths = [max(map(cell_len, cells)) for cells in zip(columns, *first, strict=True)]
    click.secho(_columns(columns, widths), bold=True)
    for line in chain(first, ([_cell(cell) for cell in row] for row in coming)):
        click.echo(_columns(line, widths))


def _columns(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _cell(value: Any) -> str:
    return "" if value is None else visible(value)


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, empty: str) -> None:
    """Print rows as a table as wide as they need; `empty` where there are none."""
    if not rows:
        click.echo(empty)
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        # Nobody's window limits a pipe.
        console = Console(highlight=False, width=400)
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        # As text: what senders say is no markup.
        grid.add_row(*(Text("" if cell is None else visible(cell)) for cell in row))
    console.print(grid)


def event(found: Mapping[str, Any]) -> None:
    """Print one event with its trace."""
    for name in ("id", "source", "event", "type", "client_id", "state", "step", "attempts", "received_at", "updated_at"):
        _line(name, found[name])
    for name in ("reason", "hint", "next_try", "waits_for"):
        if found[name]:
            _line(name, found[name])
    _line("duplicates", found["duplicates"])
    click.echo("trace:")
    trace(found["trace"], indent="  ")
    if "body" in found:
        click.echo(
            "body:" if found["body"] is not None else "body: no longer stored (dropped 30 days after all its events have ended)"
        )
        for line in (found["body"] or "").splitlines():
            click.echo(visible(line))


def trace(entries: Sequence[Mapping[str, Any]], *, indent: str) -> None:
    """Print what was found out, in order."""
    for entry in entries:
        customer = f" ({entry['customer_id']})" if entry.get("customer_id") else ""
        click.echo(visible(f"{indent}{entry['rule']:<15} {entry['result']:<9} {entry['note']}{customer}"))
    if not entries:
        click.echo(f"{indent}nothing yet")


def review(found: Mapping[str, Any], revealed: Mapping[str, Any]) -> None:
    """Print one review item, its candidates side by side; `revealed` holds the customers' records, if asked for."""
    for name in ("id", "source", "crm", "reason", "since", "events", "decision", "customer_id", "decided_by", "decided_at"):
        if found.get(name) not in (None, []):
            _line(name, found[name])
    _line("clients", ", ".join(found["client_ids"]))
    for candidate in found["candidates"]:
        click.echo(visible(f"candidate {candidate['customer_id']}: {'; '.join(candidate['evidence'])}"))
        for name, value in (revealed.get(candidate["customer_id"]) or {}).items():
            if value and name not in ("id", "person_key"):
                click.echo(visible(f"    {name}: {', '.join(value) if isinstance(value, list) else value}"))


def comparison(found: Mapping[str, Any]) -> None:
    """Print the records of clients and candidates, one below the other; `!` marks what differs from the client."""
    for client in found["compared"]["clients"]:
        _record(f"client {client['client_id']} of {client['source']}", client, ())
    for candidate in found["compared"]["candidates"]:
        evidence = candidate["evidence"] or {}
        _record(f"customer {candidate['customer_id']}", candidate, evidence.get("differs", ()))
        for side in ("speaks_for", "unclear", "speaks_against"):
            if said := evidence.get(side):
                click.echo(visible(f"    {side.replace('_', ' ')}: {', '.join(said)}"))


def _record(title: str, one: Mapping[str, Any], differs: Sequence[str]) -> None:
    click.echo(visible(title + (f" {one['url']}" if one["url"] else "") + ("" if one["record"] else ": gone")))
    for name, value in (one["record"] or {}).items():
        text = ", ".join(value) if isinstance(value, list) else value
        mark = "!" if name.removesuffix("s") in differs else " "
        click.echo(visible(f"  {mark} {name}: {text or '-'}"))


def checks(found: Sequence[Mapping[str, Any]]) -> None:
    """Print checks, each with its hint."""
    for check in found:
        click.echo(visible(f"{_LEVELS[check['level']]:<8} {check['id']}: {check['message']}"))
        if check["hint"]:
            click.echo(visible(f"         → {check['hint']}"))


def conclude_checks(found: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    """Print checks, and end the command with exit code 1 if one of them is an error."""
    if as_json:
        show_json(found)
    else:
        checks(found)
    if any(one["level"] == "error" for one in found):
        sys.exit(1)


def counts(result: Mapping[str, Any]) -> None:
    """Print what a backfill did, or would do."""
    would = result["dry_run"]
    click.echo(f"Result for {result['source']}{' (dry run)' if would else ''}:")
    for name, value in result.items():
        if name not in ("source", "dry_run"):
            click.echo(f"  {name.replace('_', ' '):<15} {value:>8,}")
    if would:
        click.echo("Nothing was changed. Run it again without --dry-run to do it.")
    elif result["held"] or result["failed"]:
        click.echo("`connector events list --state held` says what waits, and why.")


class Bar:
    """Shows on stderr how far something is: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._last_line = 0.0
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[more]}", markup=False),
        )
        self._bar = Progress(*columns, console=self._console, transient=True)
        self._task = self._bar.add_task("", total=1.0, more="")

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        # A bar that was never shown would still leave an empty line.
        if self._console.is_terminal:
            self._bar.stop()

    def put(self, what: str, share: float, text: str, *, news: bool = False) -> None:
        """Show the newest figures; `news` are worth a line at once."""
        text = visible(text)
        if self._console.is_terminal:
            self._bar.update(self._task, completed=share, description=what, more=text)
            return
        now = time.monotonic()
        if news or now - self._last_line >= PLAIN_INTERVAL:
            self._last_line = now
            click.echo(f"{what} {share:.0%}, {text}", err=True)


class Follow(Bar):
    """Shows the progress of an operation that a service or this command runs."""

    def __init__(self) -> None:
        super().__init__()
        self._started = time.monotonic()
        self._last_reason = ""

    def show(self, progress: Mapping[str, Any]) -> None:
        """Show the newest figures."""
        news = progress["reason"] != self._last_reason
        self._last_reason = progress["reason"]
        self.put(progress["state"], self._share(progress), self._text(progress), news=news)

    def _share(self, progress: Mapping[str, Any]) -> float:
        seen = progress["counts"]["seen"]
        return float(progress["fraction"]) * ((seen - progress["open"]) / seen if seen else 1.0)

    def _text(self, progress: Mapping[str, Any]) -> str:
        seen = progress["counts"]["seen"]
        decided = seen - progress["open"]
        elapsed = max(time.monotonic() - self._started, 0.001)
        parts = [f"{decided:,} of {seen:,} clients", f"{decided / elapsed:.1f}/s"]
        if quota := progress.get("quota"):
            parts.append(f"quota {quota['used']:.0f}/{quota['limit']:.0f} in {quota['seconds']:.0f} s")
        share = self._share(progress)
        if 0.02 < share < 1:
            parts.append(f"about {_duration(elapsed / share * (1 - share))} left")
        if progress["reason"]:
            parts.append(f"waiting: {progress['reason']}")
        return ", ".join(parts)


def _line(name: str, value: Any) -> None:
    click.echo(visible(f"{name.replace('_', ' '):<12} {'' if value is None else value}"))


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
