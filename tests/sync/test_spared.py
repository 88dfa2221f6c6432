"""The look-up by our own key is left to the create where the CRM refuses that key twice; what it protected stays so."""

import pytest

from connector.model.bookings import Client
from connector.model.capabilities import CrmCapability
from connector.operations.dry_run.overlay import DryCRM

from .gate import BEFORE_IT_ARRIVED, LOST
from .harness import World

pytestmark = pytest.mark.anyio
CREATE = ("POST", "/contacts$")
DESK = "desk@example.com"
LATER = "not asked before the create: HubSpot itself refuses a second customer with our key"


async def test_a_new_client_costs_two_requests_to_the_crm(world: World):
    ended = await world.process(world.client(firstName="Ada", email="ada@example.com"))
    assert ended.work.outcome == "created"
    assert ended.note("crm_key", "later")["note"] == LATER
    assert [sent.split(" ")[0] for sent in world.hubspot_gate.sent] == ["GET", "POST"], "by e-mail, and the create"


async def test_after_a_lost_database_the_contact_with_our_key_is_taken_and_not_changed(world: World):
    """Its address was changed in the CRM since, so that only the key says who it is."""
    ada = world.client()
    ours = world.contact(key_of=ada, email="older@example.com", firstname="A.", lastname="Lovelace")
    before = dict(world.contacts()[ours])
    world.use(fill_blanks=False)
    ended = await world.process(ada)
    assert ended.note("create", "conflict")["note"] == "the CRM already had this person (same key)"
    assert await world.link(ada) == (ours, "crm_key")
    assert ended.work.outcome == "matched"
    assert world.stored(ada) == ours
    assert list(world.contacts()) == [ours]
    assert world.contacts()[ours] == before
    assert await world.open_effects() == []


async def test_where_somebody_else_has_the_address_the_key_is_asked_first(world: World):
    ada = world.client()
    world.contact(email="ada@example.com", firstname="Ada", lastname="Byron")
    ours = world.contact(key_of=ada, email="older@example.com")
    ended = await world.process(ada)
    assert ended.note("crm_key", "match")
    assert await world.link(ada) == (ours, "crm_key")


async def test_where_somebody_else_has_the_phone_the_key_is_asked_first(world: World):
    ada = world.client()
    world.contact(mobilephone="+15145550123", firstname="Bob")
    ours = world.contact(key_of=ada, email="older@example.com")
    await world.process(ada)
    assert await world.link(ada) == (ours, "crm_key")


@pytest.mark.parametrize("mishap", [LOST, BEFORE_IT_ARRIVED], ids=["made", "not made"])
async def test_once_a_create_was_begun_the_key_is_asked(world: World, mishap):
    world.hubspot_gate.on(*CREATE, mishap)
    await world.process(world.client())
    (ended,) = await world.again()
    assert ("crm_key", "later") not in ended.rules[-5:]
    assert len(world.contacts()) == 1
    assert ended.work.outcome == "created"


async def test_a_sync_that_creates_nobody_asks_for_the_key(world: World):
    ada = world.client()
    ours = world.contact(key_of=ada, email="older@example.com")
    world.use(create=False)
    await world.process(ada)
    assert await world.link(ada) == (ours, "crm_key")


async def test_a_crm_that_would_write_over_the_customer_is_asked_for_the_key(world: World):
    world.crm.capabilities = frozenset({CrmCapability.FOLLOWS_MERGES})
    ended = await world.process(world.client())
    assert ended.note("crm_key", "none")["note"] == "no customer carries our key for this client"


async def test_a_client_whose_link_was_removed_gets_another_customer(world: World):
    ada = world.client()
    await world.process(ada)
    (first,) = world.contacts()
    await world.store.links.remove("stores", ada, "ops", world.clock())
    world.booxi.state.links.clear()
    ended = await world.process(ada)
    assert ("crm_key", "none") in ended.rules
    (second,) = world.contacts().keys() - {first}
    assert await world.link(ada) == (second, "created")


async def shared_desk(world: World) -> str:
    """Somebody else's contact with an address that is known to be several people's."""
    key = world.sync.parts.identity(Client(id="1", email=DESK)).email_key
    await world.store.links.notice("main", key, 3)
    return world.contact(email=DESK, firstname="Zoe", lastname="Quinn")


async def test_with_an_address_of_several_people_the_key_is_asked(world: World):
    await shared_desk(world)
    ada = world.client(firstName="Ada", lastName="Byron", email=DESK)
    ours = world.contact(key_of=ada, firstname="Ada", lastname="Byron")
    await world.process(ada)
    assert await world.link(ada) == (ours, "crm_key")


async def test_a_create_without_the_address_that_meets_our_key_takes_that_customer(world: World):
    other = await shared_desk(world)
    ada = world.client(firstName="Ada", lastName="Byron", email=DESK)
    world.hubspot_gate.on(*CREATE, lambda: world.contact(key_of=ada, firstname="Ada"), skip=1)
    ended = await world.process(ada)
    assert ended.note("create", "conflict")["note"] == "the CRM already had this person (same key)"
    (ours,) = world.contacts().keys() - {other}
    assert await world.link(ada) == (ours, "crm_key")


async def test_a_dry_run_asks_for_the_key(world: World):
    """Its create is not refused by anybody."""
    assert world.crm.can(CrmCapability.REFUSES_KEYS)
    assert not DryCRM(world.crm).can(CrmCapability.REFUSES_KEYS)
