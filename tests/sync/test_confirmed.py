"""`confirm_links_every`: a known client costs no request while nothing is new and the link was confirmed not long ago."""

import pytest

from .harness import PHONE, World

pytestmark = pytest.mark.anyio
NOTE = "linked to this customer, who was confirmed not long ago"


async def known(world: World, **settings) -> str:
    """Ada, linked and confirmed a moment ago."""
    world.use(**{"confirm_links_every": "1h", **settings})
    ada = world.client()
    await world.process(ada)
    world.hubspot_gate.sent.clear()
    world.booxi_gate.sent.clear()
    return ada


async def test_nothing_is_asked_where_nothing_is_new(world: World):
    ada = await known(world)
    ended = await world.process(ada)
    assert (ended.state, ended.work.outcome) == ("done", "already_linked")
    assert ended.note("our_link", "match")["note"] == NOTE
    assert (world.hubspot_gate.sent, world.booxi_gate.sent) == ([], [])


async def test_each_event_asks_where_nothing_is_set(world: World):
    ada = await known(world, confirm_links_every="0")
    ended = await world.process(ada)
    assert ended.note("our_link", "match")["note"] == "linked to this customer"
    assert len(world.hubspot_gate.sent) == 1


async def test_the_time_ends(world: World):
    ada = await known(world)
    (contact,) = world.contacts()
    survivor = world.contact(email="new@example.com")
    world.hubspot.merge(contact, survivor)
    world.clock.now += 3599
    await world.process(ada)
    assert (await world.link(ada))[0] == contact, "the merge is noticed when the link is confirmed again"
    world.clock.now += 2
    await world.process(ada)
    assert (await world.link(ada))[0] in world.contacts()
    assert world.stored(ada) in world.contacts()


async def test_something_new_of_the_client_is_written(world: World):
    world.use(confirm_links_every="1d")
    ada = world.client(firstName="Ada", lastName="Byron", email="ada@example.com")
    await world.process(ada)
    world.booxi.state.clients[int(ada)].update(mobilePhoneNumber=PHONE)
    await world.process(ada)
    ((contact),) = world.contacts().values()
    assert contact["mobilephone"] == PHONE


async def test_an_appointment_is_recorded_all_the_same(world: World):
    ada = await known(world, record_appointments=True)
    ended = await world.process(ada)
    assert ended.note("our_link", "match")["note"] == NOTE
    assert len(world.meetings()) == 2
    assert not [sent for sent in world.hubspot_gate.sent if sent.startswith("GET")]


async def test_a_link_that_was_changed_is_confirmed(world: World):
    ada = await known(world)
    other = world.contact(email="other@example.com", firstname="Ada", lastname="Byron")
    await world.store.database.write(lambda c: c.execute("UPDATE links SET customer_id = ?", (other,)))
    ended = await world.process(ada)
    assert ended.note("our_link", "match")["note"] == "linked to this customer"


async def test_an_id_that_the_booking_system_may_not_hold_is_written(world: World):
    ada = await known(world)
    await world.store.database.write(lambda c: c.execute("UPDATE links SET stored_id = NULL"))
    world.booxi.state.links.clear()
    await world.process(ada)
    assert world.stored(ada) == (await world.link(ada))[0]


async def test_a_restart_forgets_what_was_confirmed(world: World):
    ada = await known(world)
    await world.restart()
    ended = await world.process(ada)
    assert ended.note("our_link", "match")["note"] == "linked to this customer"
