"""Clients of one customer whose names speak against one person: found, put into reviews, and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from connector.operations.drift.names import NamesCheck
from connector.operations.operations import Refused
from connector.store.reviews import views as review_views

from .world import Town

pytestmark = pytest.mark.anyio


async def _second_client(town: Town, first_name: str = "Ada") -> str:
    """Another client with Ada's address, linked to Ada's customer as one with her name."""
    other = str(town.client(firstName="Ada", lastName="Example", email="ada@example.com"))
    town.booxi.book(int(other))
    await town.deliver()
    await town.settled()
    assert await town.customer(other) == await town.customer(town.ada)
    town.booxi.state.clients[int(other)]["firstName"] = first_name
    town.to_booxi.sent.clear()
    town.to_hubspot.sent.clear()
    return other


async def _looked(town: Town) -> dict[str, Any]:
    job = NamesCheck(town.engine, "stores")
    async with asyncio.timeout(30):
        await job.run()
    found = job.as_dict()
    assert found["state"] == "done"
    return found


async def test_without_shared_customers_nothing_is_read(town: Town) -> None:
    found = await _looked(town)
    assert (found["pairs"], found["counts"]["seen"], found["open"]) == ([], 0, 0)
    assert town.to_booxi.methods() == town.to_hubspot.methods() == {}


async def test_two_clients_with_one_name_are_right(town: Town) -> None:
    await _second_client(town)
    found = await _looked(town)
    assert (found["pairs"], found["counts"]["seen"], found["unread"]) == ([], 1, 0)
    assert town.to_booxi.methods() == {"GET": 2}
    assert town.to_hubspot.methods() == {}


async def test_another_name_waits_for_a_person_and_nothing_is_changed(town: Town) -> None:
    other = await _second_client(town, "Otto")
    customer, before = await town.customer(town.ada), await town.links()
    found = await _looked(town)
    item = await town.review()
    assert found["pairs"] == [
        {
            "source": "stores",
            "client_id": other,
            "other_source": "stores",
            "other_client_id": town.ada,
            "customer_id": customer,
            "review": item["id"],
        }
    ]
    assert item["client_ids"] == [other], "the customer has the other one's name"
    assert [candidate["customer_id"] for candidate in item["candidates"]] == [customer]
    assert "Otto" not in str(item), "names are read fresh, not kept"
    assert await town.links() == before
    assert set(town.to_booxi.methods()) == set(town.to_hubspot.methods()) == {"GET"}
    assert (await _looked(town))["pairs"][0]["review"] == item["id"], "asked once"


async def test_the_client_whose_name_the_customer_does_not_have_is_asked_about(town: Town) -> None:
    other = await _second_client(town, "Otto")
    town.hubspot.records.contacts[await town.customer(other)].properties["firstname"] = "Otto"
    await _looked(town)
    assert (await town.review())["client_ids"] == [town.ada]


async def test_a_person_gives_the_client_a_customer_of_its_own_and_takes_it_back(town: Town) -> None:
    other = await _second_client(town, "Otto")
    customer = await town.customer(other)
    await _looked(town)
    number = (await town.review())["id"]
    own = town.hubspot.add_contact(firstname="Otto", lastname="Example")
    await town.decide("link", own)
    assert (await town.customer(other), await town.customer(town.ada)) == (own, customer)
    assert (await _looked(town))["counts"]["seen"] == 0
    await town.operations.call("undo", {"review": number, "by": "ops"})
    assert (await town.review())["id"] == number


async def test_what_a_person_confirmed_is_not_asked_again(town: Town) -> None:
    other = await _second_client(town, "Otto")
    customer = await town.customer(other)
    await _looked(town)
    await town.decide("link", customer)
    assert await town.customer(other) == await town.customer(town.ada) == customer
    assert (await _looked(town))["pairs"] == []


async def test_what_a_person_dismissed_is_not_asked_again(town: Town) -> None:
    await _second_client(town, "Otto")
    await _looked(town)
    await town.decide("dismiss")
    assert (await _looked(town))["pairs"] == []


async def test_of_three_clients_the_one_with_another_name_is_asked_about_once(town: Town) -> None:
    await _second_client(town)
    other = await _second_client(town, "Otto")
    found = await _looked(town)
    assert [(pair["client_id"], pair["review"]) for pair in found["pairs"]] == [(other, 1), (other, 1)]
    (candidate,) = (await town.review())["candidates"]
    assert len(candidate["evidence"]) == 3


async def test_clients_that_were_merged_are_one_person(town: Town) -> None:
    other = await _second_client(town, "Otto")
    town.booxi.merge_clients(int(other), int(town.ada))
    assert (await _looked(town))["pairs"] == []


async def test_a_client_without_a_name_is_counted(town: Town) -> None:
    other = await _second_client(town)
    town.booxi.state.clients[int(other)].update(firstName="", lastName="")
    found = await _looked(town)
    assert (found["pairs"], found["unread"]) == ([], 1)


async def test_as_an_operation(town: Town) -> None:
    await _second_client(town, "Otto")
    with pytest.raises(Refused):
        await town.operations.progress("names", "stores")
    with pytest.raises(Refused):
        await town.operations.names("nowhere")
    await town.operations.call("names", {"source": "stores"})
    async with asyncio.timeout(30):
        while (found := await town.operations.call("progress", {"kind": "names", "source": "stores"}))["state"] == "comparing":
            await asyncio.sleep(0)
    assert len(found["pairs"]) == len(await town.engine.store.read(review_views.reviews)) == 1
