"""What a linked client says of itself later is remembered at once, and never given to somebody with another name."""

import pytest

from connector.model.errors import NeedsReview
from connector.sandbox.kit.faults import Faults

from .harness import ADA, PHONE, World

pytestmark = pytest.mark.anyio
BY_PHONE = {name: value for name, value in ADA.items() if name != "email"}
BY_EMAIL = {name: value for name, value in ADA.items() if name != "mobilePhoneNumber"}
BOB = {"firstName": "Bob", "lastName": "Stone", "email": "bob@example.com"}
LAG = Faults(search_lag_seconds=60.0)


async def test_the_email_of_a_client_whom_a_person_linked_makes_no_second_customer(world: World):
    contact = world.contact(lastname="Byron", mobilephone=PHONE, email="older@example.com")
    await world.process(world.client())
    await world.store.reviews.decide(1, "link", contact, "the operator", world.clock())
    await world.run_all()
    ended = await world.process(world.client(**BY_EMAIL))
    assert isinstance(ended.error, NeedsReview)
    assert list(world.contacts()) == [contact]


async def test_the_email_of_a_client_whose_id_was_stored_makes_no_second_customer(world: World):
    contact = world.contact(firstname="Ada", lastname="Byron", email="older@example.com")
    first = world.client()
    world.booxi.set_link(int(first), contact)
    await world.process(first)
    ended = await world.process(world.client(**BY_EMAIL))
    assert isinstance(ended.error, NeedsReview)
    assert list(world.contacts()) == [contact]


async def test_an_email_that_has_not_reached_the_customer_yet_finds_them(world: World):
    contact = world.contact(firstname="Ada", lastname="Byron")
    first, second = world.client(**BY_EMAIL), world.client(**BY_EMAIL)
    world.booxi.set_link(int(first), contact)
    world.hubspot_gate.on("PATCH", r"/contacts/\d+$", Faults(error_500=1))
    await world.process(first)
    await world.process(second)
    await world.again()
    assert await world.link(second) == (contact, "email")
    assert list(world.contacts()) == [contact]


async def test_a_phone_that_a_linked_client_gives_later_finds_them_although_search_lags(world: World):
    first = world.client(**BY_EMAIL)
    await world.process(first)
    world.clock.now += 1000
    world.hubspot.faults = LAG
    world.booxi.state.clients[int(first)].update(mobilePhoneNumber=PHONE)
    await world.process(first)
    second = world.client(**BY_PHONE)
    await world.process(second)
    assert await world.link(second) == (*world.contacts(), "phone")


async def test_a_phone_out_of_the_client_record_is_remembered(world: World):
    contact = world.contact(email="ada@example.com", firstname="Ada", lastname="Byron")
    world.hubspot.faults = LAG
    first, second = world.client(), world.client(**BY_PHONE)
    world.booxi.book(int(first))
    world.booxi.outbox.waiting[0]["content"]["booking"]["client"] = {"id": int(first)}
    await world.deliver_all()
    await world.run_all()
    await world.process(second)
    assert await world.link(second) == (contact, "phone")


async def test_an_extension_in_one_source_only_makes_no_second_customer_while_search_lags(world: World):
    world.hubspot.faults = LAG
    await world.process(world.client(**{**BY_PHONE, "mobilePhoneNumber": f"{PHONE} ext. 12"}))
    second = world.client(**BY_PHONE)
    await world.process(second)
    assert await world.link(second) == (*world.contacts(), "phone")


async def test_a_client_record_that_became_somebody_elses_gives_no_address_away(world: World):
    ada = world.client(**BY_PHONE)
    await world.process(ada)
    world.booxi.state.clients[int(ada)].update(**BOB, mobilePhoneNumber="")
    await world.process(ada)
    bob = world.client(**BOB)
    await world.process(bob)
    assert (await world.link(bob))[0] != (await world.link(ada))[0]


async def test_an_old_event_that_is_released_gives_no_address_away(world: World):
    world.contact(lastname="Stone", mobilephone="+15145550177")
    ada = world.client(**BOB, mobilePhoneNumber="+15145550177")
    await world.process(ada)
    world.booxi.state.clients[int(ada)].update(**BY_PHONE, email="")
    await world.book(ada)
    await world.run_all()
    customer, _ = await world.link(ada)
    assert "email" not in world.contacts()[customer]


async def test_an_international_domain_is_found_as_it_was_typed(world: World):
    contact = world.contact(email="ada@münchen.example", firstname="Ada", lastname="Byron")
    ada = world.client(**{**BY_EMAIL, "email": "ada@münchen.example"})
    await world.process(ada)
    assert await world.link(ada) == (contact, "email")
