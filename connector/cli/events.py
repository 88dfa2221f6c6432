"""`connector events` and `connector links`: look at the live database, and act on what waits."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import ID, config_option, ends_well, json_option, load_config, operate, read, whoami
from connector.cli.lists import filter_options, list_events, list_links, wanted_of

if TYPE_CHECKING:
    from connector.config.settings import Config


@click.group()
def events() -> None:
    """Look at stored events; retry or discard those that wait."""


events.add_command(list_events)


@events.command("show")
@click.argument("event_id", metavar="ID", type=ID)
@click.option("--body", "with_body", is_flag=True, help="Also show what the sender sent, which is personal data.")
@config_option
@json_option
@ends_well
def show_event(event_id: int, with_body: bool, config_path: Path, as_json: bool) -> None:
    """Show one event with its trace: the result of each rule, and the reason of its state."""
    from connector.cli import output as terminal
    from connector.store import views

    config = load_config(config_path)
    found = read(config, views.event, event_id, absent=None)
    if found is None:
        click.echo(f"There is no event {event_id}.", err=True)
        sys.exit(1)
    if with_body:
        found["body"] = read(config, views.body, event_id, absent=None)
    if as_json:
        terminal.show_json(found)
    else:
        terminal.event(found)


@events.command("retry")
@click.argument("ids", metavar="[ID]...", type=ID, nargs=-1)
@config_option
@click.option(
    "--all", "everything", is_flag=True, help="All held events. The options below select fewer, and do not need --all."
)
@click.option("--state", type=click.Choice(["held", "retrying", "ignored"]), help="All in this state; default: held.")
@click.option("--reason", metavar="TEXT", help="Only events whose reason holds this text.")
@filter_options
@json_option
@ends_well
def retry_events(ids: tuple[int, ...], config_path: Path, everything: bool, as_json: bool, **options: Any) -> None:
    """Queue held, retrying or ignored events again: single ones, or all that the options select. All attempts start again."""
    narrowed = everything or any(value is not None for name, value in options.items() if name != "state")
    if ids and narrowed:
        raise click.UsageError("Give event ids, or --all or a filter such as --reason TEXT, but not both.")
    if not (ids or narrowed or options["state"]):
        raise click.UsageError("Give one or more event ids, or --all, or a filter such as --reason TEXT.")
    config = load_config(config_path)
    wanted = wanted_of(config, options)
    if ids:
        done = operate(config, lambda to: to.retry(list(ids)))
    else:
        more = {name: getattr(wanted, name) for name in ("client_id", "customer_id", "since", "until")}
        done = operate(config, lambda to: to.retry(None, options["state"] or "held", wanted.source, wanted.reason, **more))
    _report(config, "retry", done, ids, as_json)


@events.command("discard")
@click.argument("ids", metavar="ID...", type=ID, nargs=-1, required=True)
@config_option
@json_option
@ends_well
def discard_events(ids: tuple[int, ...], config_path: Path, as_json: bool) -> None:
    """Discard events for good. They stay in the list, as discarded."""
    config = load_config(config_path)
    done = operate(config, lambda to: to.discard(list(ids), by=whoami()))
    _report(config, "discard", done, ids, as_json)


@click.group()
def links() -> None:
    """Look at which client is which customer."""


links.add_command(list_links)


@links.command("remove")
@click.argument("source", metavar="SOURCE")
@click.argument("client_id", metavar="CLIENT")
@config_option
@json_option
@ends_well
def remove_link(source: str, client_id: str, config_path: Path, as_json: bool) -> None:
    """Remove the link of CLIENT of SOURCE everywhere, because the client is another person than the customer."""
    from connector.cli import output as terminal

    said = operate(load_config(config_path), lambda to: to.unlink(source, client_id, by=whoami()))
    if as_json:
        terminal.show_json({"source": source, "client_id": client_id, "said": said})
    else:
        click.echo("\n".join(said))


def _report(config: Config, choice: str, done: list[int], asked: tuple[int, ...], as_json: bool) -> None:
    """What was done; exit code 1 where something was refused, with the reason for each."""
    from connector.cli import output as terminal
    from connector.model.states import why_not
    from connector.store import views

    action = {"retry": "queued again", "discard": "discarded"}[choice]
    missed = [event_id for event_id in asked if event_id not in done]
    if as_json:
        terminal.show_json({"done": done, "refused": missed})
    else:
        click.echo(f"{len(done)} {'event' if len(done) == 1 else 'events'} {action}.")
    if missed:
        click.echo(f"Not {action}:", err=True)
        for number in missed:
            click.echo(f"Event {number}: {why_not(choice, read(config, views.event, number, absent=None))}", err=True)
        sys.exit(1)
