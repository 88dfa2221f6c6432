"""`connector review`: decide whose record a client is, where the evidence does not."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from connector.cli.common import ID, config_option, ends_well, json_option, load_config, operate, read, run, say, whoami
from connector.cli.lists import list_reviews
from connector.cli.reveal import revealed
from connector.model.errors import ConnectorError

if TYPE_CHECKING:
    from connector.config.settings import Config
    from connector.operations.operations import Operations

#: One decision of the item with this id.
Act: TypeAlias = "Callable[[Operations, int], Awaitable[Any]]"

reveal_option = click.option("--reveal", is_flag=True, help="Read the candidates from the CRM and show personal data.")
review_argument = click.argument("review_id", metavar="ID", type=ID)


def many(command: Callable[..., None]) -> Callable[..., None]:
    """The arguments of a decision that can be taken for several items at once."""
    options = (
        click.argument("ids", metavar="[ID]...", type=ID, nargs=-1),
        click.option("--all", "every", is_flag=True, help="All open reviews that --reason selects."),
        click.option("--reason", default="", metavar="TEXT", help="With --all: reviews whose reason contains TEXT."),
        config_option,
        json_option,
    )
    decorated = ends_well(command)
    for option in reversed(options):
        decorated = option(decorated)
    return decorated


@click.group()
def review() -> None:
    """Decide about clients that could be several customers."""


review.add_command(list_reviews)


@review.command("show")
@review_argument
@config_option
@reveal_option
@json_option
@ends_well
def show_review(review_id: int, config_path: Path, reveal: bool, as_json: bool) -> None:
    """Show one review: its candidates, and the evidence for each."""
    from connector.cli import output as terminal
    from connector.store.reviews import views

    config = load_config(config_path)
    found = read(config, views.review, review_id, absent=None)
    if found is None:
        say(f"There is no review {review_id}.", err=True)
        sys.exit(1)
    if as_json:
        customers = revealed(config, found) if reveal else {}
        compared = _compared(config, review_id) if reveal else {}
        terminal.show_json({**found, **({"customers": customers, **compared} if reveal else {})})
    else:
        terminal.review(found, {})
        if reveal:
            terminal.comparison(_compared(config, review_id))
        for past in found["history"]:
            taken_back = f", undone by {past['undone_by']} at {past['undone_at']}" if past["undone_at"] else ""
            customer = f" {past['customer_id']}" if past["customer_id"] else ""
            say(f"{past['decided_at']} {past['decided_by']}: {past['decision']}{customer}{taken_back}")


@review.command("link")
@review_argument
@click.argument("customer_id", metavar="CUSTOMER")
@config_option
@json_option
@ends_well
def link(review_id: int, customer_id: str, config_path: Path, as_json: bool) -> None:
    """The person is CUSTOMER: link every client of the review, and continue the waiting events."""
    config = load_config(config_path)
    operate(config, lambda to: to.decide(review_id, "link", customer_id, by=whoami()))
    _tell(config, review_id, f"linked to {customer_id}; its events continue.", as_json)


@review.command("create")
@many
def create(**chosen: Any) -> None:
    """The person is none of the candidates: create one customer for all clients of the review."""
    said = "a customer will be created; its events continue."
    _decide_many(chosen, lambda to, review: to.decide(review, "create", None, by=whoami()), said)


@review.command("different")
@many
def different(**chosen: Any) -> None:
    """As create; and remember for all clients of this person that they are none of the candidates."""
    said = "different people: a customer will be created, and this question is not asked again."
    _decide_many(chosen, lambda to, review: to.decide(review, "different", None, by=whoami()), said)


@review.command("shared")
@many
def shared(**chosen: Any) -> None:
    """The address or number belongs to several people: it is no evidence by itself. Waiting events are processed again."""
    said = "the address or number counts as shared; the waiting events are processed again."
    _decide_many(chosen, lambda to, review: to.share(review, by=whoami()), said)


@review.command("dismiss")
@many
def dismiss(**chosen: Any) -> None:
    """Do not link the clients: their events are discarded, and future ones are ignored."""
    _decide_many(chosen, lambda to, review: to.decide(review, "dismiss", None, by=whoami()), "dismissed.")


@review.command("undo")
@review_argument
@config_option
@json_option
@ends_well
def undo(review_id: int, config_path: Path, as_json: bool) -> None:
    """Undo a decision and the link that it made. The review is open again."""
    config = load_config(config_path)
    said = operate(config, lambda to: to.undo(review_id, by=whoami()))
    _tell(config, review_id, "the decision is undone and the review is open again.", as_json)
    for sentence in said:
        say(f"  {sentence}", err=as_json)


def _decide_many(chosen: dict[str, Any], act: Act, said: str) -> None:
    """Decide every chosen item; one that cannot be decided stops none of the others, and the exit code is 1 then."""
    config, as_json = load_config(chosen["config_path"]), chosen["as_json"]
    ids = _chosen(config, chosen)
    if len(ids) == 1 and not chosen["every"]:
        operate(config, lambda to: act(to, ids[0]))
        _tell(config, ids[0], said, as_json)
        return
    refused = _each(config, act, ids)
    done = [one for one in ids if one not in refused]
    if as_json:
        from connector.cli import output as terminal

        terminal.show_json({"done": done, "refused": [{"id": one, "why": why} for one, why in refused.items()]})
    else:
        for one in done:
            say(f"Review {one}: {said}")
        for one, why in refused.items():
            say(f"Review {one}: {why}", err=True)
    if refused:
        sys.exit(1)


def _chosen(config: Config, chosen: dict[str, Any]) -> list[int]:
    """The ids that were given, or with --all those of the open items that --reason chooses."""
    from connector.store.reviews import views

    ids, text = list(dict.fromkeys(chosen["ids"])), chosen["reason"].strip().casefold()
    if bool(ids) == chosen["every"] or chosen["every"] != bool(text):
        raise click.UsageError("Give the ids of reviews, or --all with --reason TEXT.")
    if not chosen["every"]:
        return ids
    found = read(config, views.reviews, absent=[])
    return [item["id"] for item in found if text in item["reason"].casefold()]


def _each(config: Config, act: Act, ids: list[int]) -> dict[int, str]:
    """Do an operation for each item over one connection; answers why not, by id."""
    from connector.cli.admin_client import ServiceGone, operator

    async def job() -> dict[int, str]:
        refused = {}
        async with operator(config) as operations:
            for one in ids:
                try:
                    await act(operations, one)
                except ServiceGone:
                    raise
                except ConnectorError as error:
                    refused[one] = f"{error} {error.hint}".strip()
        return refused

    return run(job())


def _tell(config: Config, review_id: int, said: str, as_json: bool) -> None:
    """Print what was done; as JSON, the item as `show --json` would answer it now."""
    from connector.cli import output as terminal
    from connector.store.reviews import views

    if as_json:
        terminal.show_json(read(config, views.review, review_id, absent=None))
    else:
        say(f"Review {review_id}: {said}")


def _compared(config: Config, review_id: int) -> dict[str, Any]:
    """The clients' and candidates' records as both systems have them now, with what speaks for and against each candidate."""
    found = operate(config, lambda to: to.compare(review_id, by=whoami()))
    return {"compared": {"clients": found["clients"], "candidates": found["candidates"]}}
