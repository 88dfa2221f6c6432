"""Rules of the CRM's account, through the whole path: what is refused, what waits, and what goes on once a person acted."""

import pytest

from connector.config.fields import read_rules
from connector.model.errors import AccountPaused, Lasting, Rejected
from connector.sandbox.hubspot.account import PropertyRule

from .harness import World

pytestmark = pytest.mark.anyio


async def test_an_erased_person_is_asked_about_and_made_once_the_list_is_cleared(world: World):
    world.hubspot.account.privacy_deleted.add("ada@example.com")
    ended = await world.process(world.client())
    assert (ended.state, type(ended.error)) == ("retrying", Lasting)
    assert "list of erased contacts" in ended.error.hint
    assert (world.contacts(), await world.links(), await world.open_effects()) == ({}, {}, [])

    world.hubspot.account.privacy_deleted.clear()
    (ended,) = await world.again()
    (contact,) = world.contacts()
    assert await world.link(ended.work.client_id) == (contact, "created")


async def test_an_erased_person_in_the_other_form_is_held_and_the_property_named(world: World):
    world.hubspot.account.privacy_status = 400
    world.hubspot.account.privacy_deleted.add("ada@example.com")
    ended = await world.process(world.client())
    assert (ended.state, type(ended.error)) == ("held", Rejected)
    assert ended.error.hint == "HubSpot's reasons: VALIDATION_ERROR, GDPR_DELETED. Properties: email."
    assert (world.contacts(), await world.open_effects()) == ({}, [])


async def test_a_person_who_was_erased_after_the_link_is_not_made_again(world: World):
    ada = world.client()
    await world.process(ada)
    (contact,) = world.contacts()
    world.hubspot.records.delete_for_privacy(contact)
    ended = await world.process(ada)
    said = f"the client is linked to customer {contact}, which the CRM no longer has"
    assert (ended.state, str(ended.error)) == ("held", said)
    assert world.contacts() == {}


async def test_a_required_property_is_said_with_what_to_do_and_written_by_sync_fields(world: World):
    world.hubspot.account.required = ("company",)
    ended = await world.process(world.client())
    assert (ended.state, type(ended.error)) == ("held", Rejected)
    assert str(ended.error) == "HubSpot: create a contact: answered 400: the account requires company"
    assert "[sync.fields]" in ended.error.hint
    assert (world.contacts(), await world.open_effects()) == ({}, [])

    world.use(fields=read_rules({"company": {"value": "Shop", "mode": "on_create"}}))
    bob = world.client(firstName="Bob", lastName="Moreau", email="bob@example.com")
    assert (await world.process(bob)).state == "done"
    (contact,) = world.contacts().values()
    assert (contact["email"], contact["company"]) == ("bob@example.com", "Shop")


async def test_a_number_that_a_rule_refuses_costs_no_customer_and_is_said(world: World):
    world.hubspot.account.rules = {"mobilephone": PropertyRule(pattern="0.*")}
    ended = await world.process(world.client())
    assert ended.state == "done"
    assert "the CRM refused: mobile_phone" in str(ended.work.trace)
    (contact,) = world.contacts().values()
    assert (contact["email"], "mobilephone" in contact) == ("ada@example.com", False)


async def test_events_wait_while_the_calls_of_the_day_are_used_up(world: World):
    world.hubspot.account.daily_calls = 0
    ended = await world.process(world.client())
    assert (ended.state, isinstance(ended.error, AccountPaused)) == ("queued", True)
    assert "limited until midnight" in ended.error.hint
    assert world.contacts() == {}


async def test_events_wait_for_a_scope_and_go_on(world: World):
    world.hubspot.missing_scopes.add("crm.objects.contacts.write")
    ended = await world.process(world.client())
    assert (ended.state, world.contacts()) == ("queued", {})
    assert "crm.objects.contacts.write" in ended.error.hint

    world.hubspot.missing_scopes.clear()
    world.crm.remote.breaker.try_again()
    await world.again()
    assert len(world.contacts()) == 1
