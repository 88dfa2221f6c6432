"""Addresses and numbers of several people, and people who are not each other, in a running service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from worker.harness import captured

from connector.operations.people import Refused
from connector.store import views
from connector.store.reviews import views as review_views

from ..live import PHONE, Shop

pytestmark = pytest.mark.anyio
E164 = "+15145550104"
MAILBOX = "office@example.com"


@pytest.fixture
async def shop(anyio_backend: str, tmp_path: Path) -> AsyncIterator[Shop]:
    with captured():
        async with Shop(tmp_path).open() as shop:
            yield shop


async def ask(shop: Shop, name: str, **arguments: object) -> Any:
    said = await shop.service.operations.call(name, {"by": "ops", **arguments})
    await shop.settled()
    return said


async def booked(shop: Shop, first: str, last: str, **fields: str) -> str:
    client = str(shop.booxi.add_client(firstName=first, lastName=last, **fields))
    await shop.book(client)
    return client


async def reviews(shop: Shop) -> dict[str, str]:
    """Reason by the first client of each open item."""
    return {item["client_ids"][0]: item["reason"] for item in await shop.read(review_views.reviews)}


def contact(shop: Shop, customer: str) -> dict[str, str]:
    return {found["id"]: found for found in shop.hubspot.contacts()}[customer]


async def test_a_number_of_three_names_is_noticed_once_and_no_evidence_from_then_on(shop: Shop) -> None:
    shop.customer(firstname="Grace", lastname="Hopper", mobilephone=E164)
    two = await booked(shop, "Dan", "Lee", mobilePhoneNumber=PHONE)
    assert await reviews(shop) == {two: "the phone number matches, the name does not"}
    shop.customer(firstname="Mary", lastname="Stone", mobilephone=E164)
    three = await booked(shop, "Omar", "Haddad", mobilePhoneNumber=PHONE)
    said = "the phone number matches, the name does not; this phone number is used by 3 people"
    assert (await reviews(shop))[three] == said
    four = await booked(shop, "Ines", "Costa", mobilePhoneNumber=PHONE)
    assert set(await reviews(shop)) == {two, three}, "nobody is asked a third time"
    assert (await shop.links())[four] not in {None, ""}
    assert (await shop.read(views.links))[-1]["origin"] == "created"
    again = await booked(shop, "Grace", "Hopper", mobilePhoneNumber=PHONE)
    assert contact(shop, (await shop.links())[again])["firstname"] == "Grace", "number and name still link"


async def test_treating_a_number_as_shared_settles_all_that_waits_for_it(shop: Shop) -> None:
    shop.customer(firstname="Grace", lastname="Hopper", mobilephone=E164)
    waiting = [await booked(shop, *name.split(), mobilePhoneNumber=PHONE) for name in ("Dan Lee", "Omar Haddad")]
    other = await booked(shop, "Eve", "Lee", mobilePhoneNumber=PHONE, homePhoneNumber="514-555-0199")
    first, _, third = (item["id"] for item in await shop.read(review_views.reviews))
    assert len(await ask(shop, "share", review=first)) == 2
    assert set(await reviews(shop)) == {other}, "it has two numbers: which of them raises the question is not known"
    links = await shop.links()
    assert {contact(shop, links[client])["firstname"] for client in waiting} == {"Dan", "Omar"}
    trace = (await shop.read(views.events, client_id=waiting[0]))[0]["trace"]
    assert any(entry["note"].startswith(f"treated as shared by several people in review {first} by ops") for entry in trace)
    with pytest.raises(Refused, match="is not about one e-mail address or phone number"):
        await ask(shop, "share", review=third)
    (said,) = await ask(shop, "undo", review=first)
    assert said == "The address or number counts as one person's again; what has been linked or created since stays."
    five = await booked(shop, "Ines", "Costa", mobilePhoneNumber=PHONE)
    assert five in await reviews(shop), "what a person took back is not learned again"


async def test_the_second_person_of_a_mailbox_is_made_without_it_and_the_third_without_a_question(shop: Shop) -> None:
    first = await booked(shop, "Dan", "Lee", email=MAILBOX)
    second = await booked(shop, "Omar", "Haddad", email=MAILBOX)
    assert await reviews(shop) == {second: "the e-mail address matches, the name does not"}
    (item,) = await shop.read(review_views.reviews)
    await ask(shop, "decide", review=item["id"], decision="create", customer_id=None)
    third = await booked(shop, "Ines", "Costa", email=MAILBOX)
    assert await reviews(shop) == {}
    links = await shop.links()
    addresses = [contact(shop, links[client]).get("email", "") for client in (first, second, third)]
    assert addresses == [MAILBOX, "", ""]
    before = shop.hubspot.requests["PATCH contacts/{id}"]
    await shop.book(second)
    assert shop.hubspot.requests["PATCH contacts/{id}"] == before, "the address is not offered again with each booking"
    again = await booked(shop, "Ines", "Costa", email=MAILBOX)
    assert (await shop.links())[again] == links[third], "the same name beside the shared address"
    weak = await booked(shop, "I.", "Costa", email=MAILBOX)
    assert await reviews(shop) == {weak: "several people share this e-mail address, and the name agrees only in part"}


async def test_people_who_were_said_to_be_different_are_not_asked_about_again(shop: Shop) -> None:
    """Another client of the same person: by `create` alone nobody would know that it is not the customer either."""
    grace = shop.customer(firstname="Grace", lastname="Hopper", email=MAILBOX)
    one = await booked(shop, "Dan", "Lee", email=MAILBOX, mobilePhoneNumber=PHONE)
    (item,) = await shop.read(review_views.reviews)
    await ask(shop, "decide", review=item["id"], decision="different", customer_id=None)
    two = await booked(shop, "Dan", "Lee", email=MAILBOX, mobilePhoneNumber=PHONE)
    links = await shop.links()
    assert links[one] == links[two] != grace
    assert await reviews(shop) == {}
    (past,) = (await shop.read(review_views.review, item["id"]))["history"]
    assert past["decision"] == "different"
    assert await shop.read(lambda c: [tuple(r) for r in c.execute("SELECT client_id, customer_id FROM different")]) == [
        (one, grace)
    ]
    await ask(shop, "undo", review=item["id"])
    assert await shop.read(lambda c: c.execute("SELECT count(*) FROM different").fetchone()[0]) == 0


async def test_an_address_that_a_client_has_given_up_is_no_longer_its_key(shop: Shop) -> None:
    """The customer keeps the new address alone in the CRM; the old one went to a namesake."""
    ada = await booked(shop, "Ada", "Moreau", email="old@example.com")
    customer = (await shop.links())[ada]
    shop.booxi.state.clients[int(ada)]["email"] = "new@example.com"
    await shop.book(ada)
    shop.hubspot.records.update_contact(customer, {"email": "new@example.com"})
    namesake = await booked(shop, "Ada", "Moreau", email="old@example.com")
    assert (await shop.links())[namesake] != customer
    assert await reviews(shop) == {}
