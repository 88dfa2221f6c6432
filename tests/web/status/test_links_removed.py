"""Every decision has an inverse, in a running service: links removed by command, by undo and by dismissal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from worker.harness import captured

from connector.operations.people import Refused
from connector.store import views
from connector.store.reviews import views as review_views

from ..live import Shop

pytestmark = pytest.mark.anyio
PHONE = "+15145550104"


@pytest.fixture
async def shop(anyio_backend: str, tmp_path: Path) -> AsyncIterator[Shop]:
    with captured():
        async with Shop(tmp_path).open() as shop:
            shop.booxi.state.empty_id_unlinks = True
            yield shop


async def ask(shop: Shop, name: str, **arguments: object) -> list[str]:
    said: list[str] = await shop.service.operations.call(name, {"by": "ops", **arguments})
    await shop.settled()
    return said


async def the_review(shop: Shop) -> int:
    (item,) = await shop.read(review_views.reviews)
    return int(item["id"])


async def test_a_removed_link_is_gone_on_both_sides_and_not_made_again(shop: Shop) -> None:
    """The next booking finds the same e-mail and the same stored id; a person has said that this is somebody else."""
    theirs = shop.customer(firstname="Dan", lastname="Lee", email="office@example.com")
    client = shop.client(email="office@example.com")
    await shop.book(client)
    assert (await shop.links(), shop.stored(client)) == ({client: theirs}, theirs)
    said = await ask(shop, "unlink", source="stores", client_id=client)
    assert said == [f"Client {client} of stores is no longer linked to {theirs}.", f"The id {theirs} was removed from Booxi."]
    assert (await shop.links(), shop.stored(client)) == ({}, None)
    assert await shop.read(lambda c: c.execute("SELECT count(*) FROM identities").fetchone()[0]) == 0
    (event,) = await shop.read(views.events, client_id=client)
    assert {key: event["trace"][-1][key] for key in ("rule", "result", "customer_id")} == {
        "rule": "link",
        "result": "removed",
        "customer_id": theirs,
    }
    assert event["trace"][-1]["note"].startswith("the link (email) was removed by ops at 20")
    await shop.book(client)
    another = (await shop.links())[client]
    assert another != theirs
    assert shop.stored(client) == another
    made = {contact["id"]: contact for contact in shop.hubspot.contacts()}[another]
    assert (made["firstname"], made.get("email", "")) == ("Dan", ""), "the address belongs to the other customer"


async def test_a_customer_made_for_the_client_is_not_taken_again_by_our_own_key(shop: Shop) -> None:
    client = shop.client()
    await shop.book(client)
    first = (await shop.links())[client]
    await ask(shop, "unlink", source="stores", client_id=client)
    await shop.book(client)
    second = (await shop.links())[client]
    assert second != first
    await ask(shop, "unlink", source="stores", client_id=client)
    await shop.book(client)
    assert (await shop.links())[client] not in (first, second)
    assert len(shop.hubspot.contacts()) == 3


async def test_an_id_that_cannot_be_cleared_is_said_and_not_believed(shop: Shop) -> None:
    shop.booxi.state.empty_id_unlinks = False
    client = shop.client()
    await shop.book(client)
    wrong = (await shop.links())[client]
    _, said = await ask(shop, "unlink", source="stores", client_id=client)
    assert said == f"Booxi still holds the id {wrong}: remove it there by hand. connector ignores it now."
    assert shop.stored(client) == wrong
    shop.booxi.state.empty_id_unlinks = True
    _, said = await ask(shop, "unlink", source="stores", client_id=client)
    assert said == f"The id {wrong} was removed from Booxi.", "repeating the command goes on where it ended"
    shop.booxi.state.set_link(int(client), "hubspot", wrong)
    await shop.book(client)
    right = (await shop.links())[client]
    assert right != wrong
    assert shop.stored(client) == right, "it is written over the wrong one"


async def test_a_link_that_is_not_there_is_refused(shop: Shop) -> None:
    with pytest.raises(Refused, match=r"Client 7 of stores has no link\."):
        await ask(shop, "unlink", source="stores", client_id="7")


async def test_undo_removes_a_link_in_use_and_create_works_then(shop: Shop) -> None:
    grace = shop.customer(firstname="Grace", lastname="Hopper", mobilephone=PHONE)
    client = shop.client()
    await shop.book(client)
    review = await the_review(shop)
    await ask(shop, "decide", review=review, decision="link", customer_id=grace)
    assert shop.stored(client) == grace
    said = await ask(shop, "undo", review=review)
    assert said == [
        f"Client {client} of stores: the link to {grace} was in use and is gone. Its events wait until you decide again.",
        f"The id {grace} was removed from Booxi.",
    ]
    assert (await shop.links(), shop.stored(client)) == ({}, None)
    await shop.book(client)
    assert [event["state"] for event in await shop.read(views.events, client_id=client)] == ["held", "done"]
    assert await the_review(shop) == review
    await ask(shop, "decide", review=review, decision="create", customer_id=None)
    made = (await shop.links())[client]
    assert made != grace
    assert shop.stored(client) == made
    assert await shop.read(review_views.reviews) == []


async def test_dismissing_a_linked_client_removes_its_link_and_undo_brings_it_back(shop: Shop) -> None:
    grace = shop.customer(firstname="Grace", lastname="Hopper", mobilephone=PHONE)
    client = shop.client()
    await shop.book(client)
    review = await the_review(shop)
    await ask(shop, "decide", review=review, decision="link", customer_id=grace)
    second = await shop.service.engine.store.reviews.open("stores", client, "main", "is it?", [], 0.0, standing=True)
    await ask(shop, "decide", review=second, decision="dismiss", customer_id=None)
    assert (await shop.links(), shop.stored(client)) == ({}, None)
    await ask(shop, "undo", review=second)
    assert (await shop.links(), shop.stored(client)) == ({client: grace}, grace)
