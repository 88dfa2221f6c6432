"""Decisions on the page of a running service: they reach both remote systems, and can be taken back."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from worker.harness import captured

from connector.store import views

from ..fakes import TOKEN
from ..live import Shop

pytestmark = pytest.mark.anyio


@pytest.fixture
async def shop(anyio_backend: str, tmp_path: Path) -> AsyncIterator[Shop]:
    with captured():
        async with Shop(tmp_path).open() as shop:
            yield shop


@asynccontextmanager
async def page(shop: Shop) -> AsyncIterator[httpx.AsyncClient]:
    url = shop.service.url
    async with httpx.AsyncClient(base_url=url, trust_env=False, headers={"origin": url}) as client:
        assert (await client.post("/login", data={"token": TOKEN})).status_code == 303
        yield client


async def press(client: httpx.AsyncClient, shop: Shop, review: int, **fields: str) -> str:
    """Press a button; answers what the page says afterwards."""
    token = re.findall(r'name="token" value="([^"]*)"', (await client.get("/status")).text)[0]
    response = await client.post(f"/status/reviews/{review}", data={"token": token, **fields})
    await shop.settled()
    text = (await client.get(response.headers["location"])).text
    (said,) = re.findall(r'<p class="said \w+" role="status">(.*?)</p>', text)
    return str(said)


async def open_reviews(shop: Shop) -> list[tuple[int, list[str]]]:
    return [(item["id"], item["client_ids"]) for item in await shop.read(views.reviews)]


async def test_all_clients_of_a_person_are_linked_by_one_press(shop: Shop) -> None:
    grace = shop.customer(firstname="Grace", lastname="Hopper", mobilephone="+15145550104")
    one, two = shop.client(), shop.client()
    other = str(shop.booxi.add_client(firstName="Eve", lastName="Lee", mobilePhoneNumber="514-555-0104"))
    await shop.book(one, two, other)
    (first, clients), (second, others) = await open_reviews(shop)
    assert (clients, others) == ([one, two], [other]), "the same phone and another name is somebody else"
    async with page(shop) as client:
        assert (
            await press(client, shop, first, choice="link", customer_id=grace) == f"Review {first}: linked to customer {grace}."
        )
    assert await shop.links() == {one: grace, two: grace}
    assert (shop.stored(one), shop.stored(two), shop.stored(other)) == (grace, grace, None)
    assert await open_reviews(shop) == [(second, others)]
    trace = (await shop.read(views.events, client_id=one))[0]["trace"]
    (decided,) = [entry for entry in trace if entry["rule"] == "review"]
    assert decided["note"].startswith(f"decided in review {first} by status page at 20")


async def test_create_makes_one_customer_for_all_clients(shop: Shop) -> None:
    """Also where the customer that is made fits no better than the others."""
    for _ in range(2):
        shop.customer(firstname="Dan", lastname="Lee", mobilephone="+15145550104")
    one, two, three = shop.client(), shop.client(), shop.client()
    await shop.book(one, two, three)
    ((review, clients),) = await open_reviews(shop)
    assert clients == [one, two, three]
    async with page(shop) as client:
        assert await press(client, shop, review, choice="create") == f"Review {review}: a customer is being created."
    assert len(shop.hubspot.contacts()) == 3
    (made,) = set((await shop.links()).values())
    assert shop.stored(one) == shop.stored(two) == shop.stored(three) == made
    assert await open_reviews(shop) == []
    assert {event["state"] for event in await shop.read(views.events)} == {"done"}


async def test_dismissing_is_taken_back(shop: Shop) -> None:
    shop.customer(firstname="Grace", lastname="Hopper", mobilephone="+15145550104")
    dan = shop.client()
    await shop.book(dan)
    ((review, _),) = await open_reviews(shop)
    async with page(shop) as client:
        assert "dismissed" in await press(client, shop, review, choice="dismiss")
        await shop.book(dan)
        states = [event["state"] for event in await shop.read(views.events)]
        assert states == ["ignored", "discarded"]
        said = await press(client, shop, review, choice="undo")
        assert said.startswith(f"Review {review} is open again. Client {dan} of stores: coming events are held again")
    await shop.book(dan)
    states = [event["state"] for event in await shop.read(views.events)]
    assert states == ["held", "ignored", "discarded"]
    assert await open_reviews(shop) == [(review, [dan])]


async def test_a_wrong_link_is_put_right_at_once(shop: Shop) -> None:
    wrong = shop.customer(firstname="Grace", lastname="Hopper", mobilephone="+15145550104")
    right = shop.customer(firstname="Daniel", lastname="Leigh", email="dan@example.com")
    dan = shop.client()
    await shop.book(dan)
    ((review, _),) = await open_reviews(shop)
    async with page(shop) as client:
        await press(client, shop, review, choice="link", customer_id=wrong)
        assert f"stays linked to {wrong} until you decide anew" in await press(client, shop, review, choice="undo")
        assert (await shop.links(), shop.stored(dan)) == ({dan: wrong}, wrong)
        said = await press(client, shop, review, choice="create")
        assert f"Client {dan} is linked to customer {wrong}, so no customer is created for it." in said
        assert "no customer 1" in await press(client, shop, review, choice="link", customer_id="1")
        await press(client, shop, review, choice="link", customer_id=right)
    assert (await shop.links(), shop.stored(dan)) == ({dan: right}, right), "nothing waited, and yet it was carried out"
    assert await open_reviews(shop) == []
    history = (await shop.read(views.review, review))["history"]
    assert [(past["customer_id"], past["undone_by"]) for past in history] == [(wrong, "status page"), (right, None)]


async def test_pressing_twice_is_told(shop: Shop) -> None:
    shop.customer(firstname="Grace", lastname="Hopper", mobilephone="+15145550104")
    await shop.book(shop.client())
    ((review, _),) = await open_reviews(shop)
    async with page(shop) as client:
        await press(client, shop, review, choice="dismiss")
        assert f"Review {review} was decided before (dismiss)." in await press(client, shop, review, choice="create")
