"""`connector review`: decide whose record a client is, where the evidence does not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import ID, config_option, ends_well, json_option, load_config, operate, read, whoami
from connector.cli.lists import list_reviews

if TYPE_CHECKING:
    from connector.config.settings import Config

reveal_option = click.option("--reveal", is_flag=True, help="Read the candidates from the CRM and show personal data.")
review_argument = click.argument("review_id", metavar="ID", type=ID)


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
    """Show one item, its candidates side by side with the evidence for each."""
    from connector.cli import output as terminal
    from connector.store import views

    config = load_config(config_path)
    found = read(config, views.review, review_id, absent=None)
    if found is None:
        click.echo(f"There is no review {review_id}.", err=True)
        sys.exit(1)
    revealed = _revealed(config, found) if reveal else {}
    if as_json:
        terminal.show_json({**found, **({"customers": revealed} if reveal else {})})
    else:
        terminal.review(found, revealed)
        for past in found["history"]:
            taken_back = f", taken back by {past['undone_by']} at {past['undone_at']}" if past["undone_at"] else ""
            customer = f" {past['customer_id']}" if past["customer_id"] else ""
            click.echo(f"{past['decided_at']} {past['decided_by']}: {past['decision']}{customer}{taken_back}")


@review.command("link")
@review_argument
@click.argument("customer_id", metavar="CUSTOMER")
@config_option
@json_option
@ends_well
def link(review_id: int, customer_id: str, config_path: Path, as_json: bool) -> None:
    """The person is CUSTOMER: link every client of the item, and let everything that waits go on."""
    _decide(config_path, review_id, "link", customer_id, f"linked to {customer_id}; its events go on.", as_json)


@review.command("create")
@review_argument
@config_option
@json_option
@ends_well
def create(review_id: int, config_path: Path, as_json: bool) -> None:
    """The person is none of the candidates: create one customer for all clients of the item."""
    _decide(config_path, review_id, "create", None, "a customer will be created; its events go on.", as_json)


@review.command("dismiss")
@review_argument
@config_option
@json_option
@ends_well
def dismiss(review_id: int, config_path: Path, as_json: bool) -> None:
    """Leave the clients unlinked: their events are discarded, coming ones are ignored."""
    _decide(config_path, review_id, "dismiss", None, "dismissed.", as_json)


@review.command("undo")
@review_argument
@config_option
@json_option
@ends_well
def undo(review_id: int, config_path: Path, as_json: bool) -> None:
    """Take a decision back: what it did is undone as far as nobody else knows of it, and the item is open again."""
    config = load_config(config_path)
    said = operate(config, "undo", review=review_id, by=whoami())
    _tell(config, review_id, "the decision is withdrawn and the item is open again.", as_json)
    for sentence in said:
        click.echo(f"  {sentence}", err=as_json)


def _decide(config_path: Path, review_id: int, decision: str, customer_id: str | None, said: str, as_json: bool) -> None:
    config = load_config(config_path)
    operate(config, "decide", review=review_id, decision=decision, customer_id=customer_id, by=whoami())
    _tell(config, review_id, said, as_json)


def _tell(config: Config, review_id: int, said: str, as_json: bool) -> None:
    """Print what was done; as JSON, the item as `show --json` would answer it now."""
    from connector.cli import output as terminal
    from connector.store import views

    if as_json:
        terminal.show_json(read(config, views.review, review_id, absent=None))
    else:
        click.echo(f"Review {review_id}: {said}")


def reveal_candidates(config: Any, item: dict[str, Any]) -> dict[str, Any]:
    """The item as listed, each candidate with the `customer` as the CRM has it now; personal data."""
    from connector.store import views

    revealed = _revealed(config, read(config, views.review, item["id"], absent=None))
    candidates = [{**one, "customer": revealed.get(one["customer_id"])} for one in item["candidates"]]
    return {**item, "candidates": candidates}


def _revealed(config: Any, item: dict[str, Any] | None) -> dict[str, Any]:
    if item is None:
        return {}
    ids = [candidate["customer_id"] for candidate in item["candidates"]]
    found: dict[str, Any] = operate(config, "reveal", crm=item["crm"], customer_ids=ids)
    return found
