"""A CRM that shows a merged customer as gone and names no survivor: found by our key or address and an agreeing name."""

from collections.abc import AsyncIterator

import httpx
import pytest

from connector.crms.pipedrive.adapter import Pipedrive
from connector.crms.pipedrive.settings import PipedriveSettings
from connector.remote.rate_limit import Quota
from connector.sandbox.pipedrive.app import MARKER, PipedriveSandbox
from connector.sync.person.identity import person_key

from .harness import ADA, Ended, World

pytestmark = pytest.mark.anyio
NO_LIMITS = {"per_2_seconds": 0, "searches_per_2_seconds": 0, "daily_tokens": 0}
OLD = 7200


@pytest.fixture
async def pipedrive(world: World) -> AsyncIterator[PipedriveSandbox]:
    """The world's CRM is Pipedrive."""
    sandbox = PipedriveSandbox(fields=(MARKER,), per_2_seconds=None, searches_per_2_seconds=None, daily_tokens=None)
    hubspot = world.crm
    given = {"system": "pipedrive", "token": "sandbox-token", "limits": NO_LIMITS}
    settings = PipedriveSettings.model_validate(given)
    world.crm = Pipedrive.connect("main", settings, Quota, transport=httpx.ASGITransport(sandbox.app))
    world.use(record_appointments=False)
    yield sandbox
    await hubspot.remote.aclose()


def is_held_as_gone(ended: Ended, customer: str) -> bool:
    return ended.state == "held" and str(ended.error) == (
        f"the client is linked to customer {customer}, which the CRM no longer has"
    )


async def linked(world: World) -> tuple[str, str]:
    """(client, customer) of Ada, who was created in the CRM."""
    ada = world.client()
    await world.process(ada)
    link = await world.link(ada)
    assert link is not None
    return ada, link[0]


async def test_the_survivor_with_the_address_and_the_name_is_taken_and_written_back(world: World, pipedrive):
    ada, before = await linked(world)
    survivor = pipedrive.merge(before, pipedrive.add_person("Ada Byron", emails=("ada@example.com",), age=OLD))
    ended = await world.process(ada)
    assert ended.state == "done"
    assert ended.note("our_link", "match")["note"] == f"customer {before} was merged into this one"
    assert await world.link(ada) == (survivor, "created")
    assert world.stored(ada) == survivor
    assert await world.store.links.is_alias("main", before, survivor)
    assert (await world.process(ada)).rules == [("our_link", "match")], "it is looked for once"


async def test_the_survivor_that_carries_our_key_is_taken(world: World, pipedrive):
    ada, before = await linked(world)
    other = pipedrive.add_person("Ada Byron", key=person_key("stores", ada), age=OLD)
    pipedrive.delete(before)
    assert (await world.process(ada)).state == "done"
    assert await world.link(ada) == (other, "created")


async def test_the_same_address_with_another_name_is_not_the_survivor(world: World, pipedrive):
    ada, before = await linked(world)
    pipedrive.delete(before)
    pipedrive.add_person("Bruno Byron", emails=("ada@example.com",), age=OLD)
    assert is_held_as_gone(await world.process(ada), before)


async def test_two_who_could_be_the_survivor_are_not_chosen_between(world: World, pipedrive):
    ada, before = await linked(world)
    pipedrive.delete(before)
    for _ in range(2):
        pipedrive.add_person("Ada Byron", emails=("ada@example.com",), age=OLD)
    assert is_held_as_gone(await world.process(ada), before)


async def test_who_is_gone_without_a_trace_is_held(world: World, pipedrive):
    ada, before = await linked(world)
    pipedrive.delete(before)
    assert is_held_as_gone(await world.process(ada), before)


async def test_a_customer_that_the_client_is_not_is_no_survivor(world: World, pipedrive):
    ada, before = await linked(world)
    namesake = pipedrive.add_person("Ada Byron", emails=("ada@example.com",), age=OLD)
    pipedrive.delete(before)
    await world.store.database.write(
        lambda c: c.execute(f"UPDATE links SET customer_id = '{namesake}' WHERE client_id = '{ada}'")
    )
    await world.store.links.remove("stores", ada, "me", world.clock())
    await world.store.database.write(
        lambda c: c.execute(
            "INSERT INTO links (source, client_id, crm, customer_id, origin, linked_at)"
            f" VALUES ('stores', '{ada}', 'main', '{before}', 'created', 0)"
        )
    )
    assert is_held_as_gone(await world.process(ada), before)


async def test_a_crm_that_follows_merges_is_not_asked_further(world: World):
    ada = world.client(**ADA)
    await world.process(ada)
    (before,) = world.contacts()
    world.hubspot.archive(before)
    world.contact(email="ada@example.com", firstname="Ada", lastname="Byron")
    assert is_held_as_gone(await world.process(ada), before)
