"""`connector review`: decide whose record a client is, where the evidence does not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from connector.cli.common import config_option, ends_well, json_option, load_config, operate, read, whoami

reveal_option = click.option("--reveal", is_flag=True, help="Read the candidates from the CRM and show personal data.")
review_argument = click.argument("review_id", metavar="ID", type=int)


@click.group()
def review() -> None:
    """Decide about clients that could be several customers."""


@review.command("list")
@config_option
@reveal_option
@json_option
@ends_well
def list_reviews(config_path: Path, reveal: bool, as_json: bool) -> None:
    """List what waits for a decision, oldest first."""
    from connector import terminal
    from connector.store import views

    config = load_config(config_path)
    found = read(config, views.reviews, absent=[])
    if reveal:
        for item in found:
            revealed = _revealed(config, read(config, views.review, item["id"], absent=None))
            for candidate in item["candidates"]:
                candidate["customer"] = revealed.get(candidate["customer_id"])
    if as_json:
        terminal.show_json(found)
    else:
        terminal.reviews(found)


@review.command("show")
@review_argument
@config_option
@reveal_option
@json_option
@ends_well
def show_review(review_id: int, config_path: Path, reveal: bool, as_json: bool) -> None:
    """Show one item, its candidates side by side with the evidence for each."""
    from connector import terminal
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
@ends_well
def link(review_id: int, customer_id: str, config_path: Path) -> None:
    """The person is CUSTOMER: link every client of the item, and let everything that waits go on."""
    _decide(config_path, review_id, "link", customer_id)
    click.echo(f"Review {review_id}: linked to {customer_id}; its events go on.")


@review.command("create")
@review_argument
@config_option
@ends_well
def create(review_id: int, config_path: Path) -> None:
    """The person is none of the candidates: create one customer for all clients of the item."""
    _decide(config_path, review_id, "create", None)
    click.echo(f"Review {review_id}: a customer will be created; its events go on.")


@review.command("dismiss")
@review_argument
@config_option
@ends_well
def dismiss(review_id: int, config_path: Path) -> None:
    """Leave the clients unlinked: their events are discarded, coming ones are ignored."""
    _decide(config_path, review_id, "dismiss", None)
    click.echo(f"Review {review_id}: dismissed.")


@review.command("undo")
@review_argument
@config_option
@ends_well
def undo(review_id: int, config_path: Path) -> None:
    """Take a decision back: what it did is undone as far as nobody else knows of it, and the item is open again."""
    said = operate(load_config(config_path), "undo", review=review_id, by=whoami())
    click.echo(f"Review {review_id}: the decision is withdrawn and the item is open again.")
    for sentence in said:
        click.echo(f"  {sentence}")


def _decide(config_path: Path, review_id: int, decision: str, customer_id: str | None) -> None:
    operate(load_config(config_path), "decide", review=review_id, decision=decision, customer_id=customer_id, by=whoami())


def _revealed(config: Any, item: dict[str, Any] | None) -> dict[str, Any]:
    if item is None:
        return {}
    ids = [candidate["customer_id"] for candidate in item["candidates"]]
    found: dict[str, Any] = operate(config, "reveal", crm=item["crm"], customer_ids=ids)
    return found
