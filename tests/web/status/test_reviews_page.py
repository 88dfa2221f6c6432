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
from connector.store.reviews import views as review_views

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
    return [(item["id"], item["client_ids"]) for item in await shop.read(review_views.reviews)]


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
        assert said.startswith(f"Review {review} is open again. Client {dan} of stores: future events are held again")
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
        said = await press(client, shop, review, choice="undo")
        assert f"the link to {wrong} was in use and is gone. Its events wait until you decide again." in said
        assert f"Booxi still holds the id {wrong}: remove it there by hand." in said
        assert (await shop.links(), shop.stored(dan)) == ({}, wrong), "Booxi documents no way to unlink"
        assert "no customer 1" in await press(client, shop, review, choice="link", customer_id="1")
        await press(client, shop, review, choice="link", customer_id=right)
    assert (await shop.links(), shop.stored(dan)) == ({dan: right}, right), "nothing waited, and yet it was carried out"
    assert await open_reviews(shop) == []
    history = (await shop.read(review_views.review, review))["history"]
    assert [(past["customer_id"], past["undone_by"]) for past in history] == [(wrong, "status page"), (right, None)]


async def test_pressing_twice_is_told(shop: Shop) -> None:
    shop.customer(firstname="Grace", lastname="Hopper", mobilephone="+15145550104")
    await shop.book(shop.client())
    ((review, _),) = await open_reviews(shop)
    async with page(shop) as client:
        await press(client, shop, review, choice="dismiss")
        assert f"Review {review} was decided before (dismiss)." in await press(client, shop, review, choice="create")


async def test_side_by_side_is_read_fresh_logged_and_stored_nowhere(shop: Shop) -> None:
    shop.service.engine.config.crm["main"] = shop.service.engine.config.crm["main"].model_copy(
        update={"record_url": "https://crm.example.com/contacts/{id}"}
    )
    grace = shop.customer(firstname="Grace", lastname="Hopper", mobilephone="+15145550104", email="grace@example.com")
    dan = shop.client(email="dan@example.com")
    shop.hubspot.records.update_contact(grace, {"lastname": "Murray"})
    gone = shop.customer(firstname="Mary", lastname="Stone", phone="+15145550104")
    store = shop.service.engine.store
    candidates = [{"customer_id": grace, "evidence": ["same phone"]}, {"customer_id": gone, "evidence": ["same phone"]}]
    review = await store.reviews.open("stores", dan, "main", "the phone number matches, the name does not", candidates, 0.0)
    shop.hubspot.archive(gone)
    async with page(shop) as client:
        text = (await client.get(f"/status/reviews/{review}")).text
        assert f'<a href="https://crm.example.com/contacts/{grace}" target="_blank" rel="noreferrer noopener">' in text
        for seen in ("Dan Lee", "dan@example.com", "514-555-0104", "Grace Murray", "grace@example.com", "The record is gone."):
            assert seen in text, seen
        assert text.count('class="differs"') == 2, "name and address; the number is the same"
        assert "for: the same phone number" in text
        assert text.count("link anyway") == 1
        assert "Treat as shared" not in text, "it is not known which number raised the question"
        assert "The phone number matches, the name does not.</p>" in text
        assert (await client.get("/status/reviews/abc")).headers["location"].startswith("/status?said="), "a page that there is"
        assert (await client.get("/status/reviews/987654")).headers["location"].startswith("/status?said=")
    async with httpx.AsyncClient(base_url=shop.service.url, trust_env=False) as stranger:
        answer = await stranger.get(f"/status/reviews/{review}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/login?to=/status/reviews/1")
    dump = await shop.read(lambda connection: "".join(connection.iterdump()))
    assert "Murray" not in dump


async def test_many_are_decided_by_one_press(shop: Shop) -> None:
    for number in (104, 105, 106):
        shop.customer(firstname="Grace", lastname="Hopper", mobilephone=f"+1514555{number:04}")
        client_id = str(shop.booxi.add_client(firstName="Dan", lastName="Lee", mobilePhoneNumber=f"514-555-{number:04}"))
        await shop.book(client_id)
    first, second, third = (review for review, _ in await open_reviews(shop))
    async with page(shop) as client:
        token = re.findall(r'name="token" value="([^"]*)"', (await client.get("/status")).text)[0]
        form = {"token": token, "choice": "create", f"review-{first}": "1", f"review-{third}": "1", "review-99": "1"}
        asked = await client.post("/status/reviews", data=form)
        assert "Create a new customer for each of 3 reviews?" in asked.text
        assert len(await open_reviews(shop)) == 3, "nothing is done before the answer"
        form["sure"] = "1"
        response = await client.post("/status/reviews", data=form)
        await shop.settled()
        text = (await client.get(response.headers["location"])).text
        assert "2 of 3 reviews: a customer is being created. There is no review 99." in text
        nothing = await client.post("/status/reviews", data={"token": token, "choice": "create"})
        assert "Nothing was selected." in (await client.get(nothing.headers["location"])).text
        assert (await client.post("/status/reviews", data={**form, "token": "x"})).status_code == 403
    assert [review for review, _ in await open_reviews(shop)] == [second]
    assert len(await shop.links()) == 2
