"""A whole run over the sandboxes: what is counted, what is done, and that a dry run predicts it."""

from __future__ import annotations

import pytest

from connector.model.capabilities import BookingCapability
from connector.operations.dry_run.overlay import DryBooking
from connector.store import views
from connector.sync.person.identity import person_key

from .world import EXPECTED, KEY, World

pytestmark = pytest.mark.anyio


async def test_every_client_is_counted_once_under_what_became_of_it(world):
    world.populate()
    async with world.running():
        progress = await world.backfill()
        assert progress["state"] == "done"
        assert progress["counts"] == EXPECTED
        links = {int(link["client_id"]): link["customer_id"] for link in await world.engine.store.read(views.links)}
    assert links == world.booxi.links()
    assert len(links) == 5
    # Three were there; two are new, and one of them is two clients.
    assert len(world.hubspot.contacts()) == 5


async def test_a_second_run_finds_everything_linked_and_writes_nothing(world):
    world.populate()
    async with world.running():
        await world.backfill()
        world.to_booxi.sent.clear()
        world.to_hubspot.sent.clear()
        counts = (await world.backfill())["counts"]
    assert counts == EXPECTED | {"already_linked": 5, "matched": 0, "created": 0, "written_back": 0}
    assert set(world.to_booxi.methods()) == {"GET"}
    assert set(world.to_hubspot.methods()) <= {"GET", "SEARCH"}


async def test_a_dry_run_writes_nothing_at_either_side_and_foretells_the_real_one(world):
    world.populate()
    contacts, stored = world.hubspot.contacts(), world.booxi.links()
    async with world.running(started=False):
        simulated = await world.dry_run()
    assert (simulated["state"], simulated["dry_run"], simulated["counts"]) == ("done", True, EXPECTED)
    assert set(world.to_booxi.methods()) == {"GET"}
    assert set(world.to_hubspot.methods()) <= {"GET", "SEARCH"}
    assert (world.hubspot.contacts(), world.booxi.links()) == (contacts, stored)
    async with world.running():
        assert await world.events() == []
        assert (await world.backfill())["counts"] == simulated["counts"]


async def test_a_dry_run_beside_a_working_service_foretells_too(world):
    world.populate()
    async with world.running():
        assert (await world.dry_run())["counts"] == EXPECTED
        assert (await world.backfill())["counts"] == EXPECTED
        again = await world.dry_run()
    assert again["counts"] == EXPECTED | {"already_linked": 5, "matched": 0, "created": 0, "written_back": 0}


@pytest.mark.parametrize("sync", ["create = false", "fill_blanks = false", "record_appointments = true"])
async def test_dry_run_and_real_run_agree_under_other_settings(tmp_path, sync):
    world = World(tmp_path, sync=sync)
    world.populate()
    async with world.running():
        simulated = await world.dry_run()
        assert (await world.backfill())["counts"] == simulated["counts"]
    assert simulated["counts"]["seen"] == EXPECTED["seen"]
    assert simulated["counts"]["held"] == (4 if sync == "create = false" else 1)


async def test_two_clients_who_are_one_new_person_are_one_created_and_one_matched(world):
    for day in range(4):
        world.book(world.client(firstName="Ada", lastName="Moreau", email="ada@example.com"), day)
    async with world.running():
        simulated = await world.dry_run()
        counts = (await world.backfill())["counts"]
    assert (counts["created"], counts["matched"], counts["written_back"]) == (1, 3, 4)
    assert simulated["counts"] == counts
    assert len(world.hubspot.contacts()) == 1


async def test_a_contact_with_our_key_is_matched_by_both_where_the_database_was_lost(world):
    """Its address was changed since: only the key says who it is, which the real run leaves to the create."""
    client = world.client(firstName="Ada", lastName="Moreau", email="ada@example.com")
    world.book(client)
    world.hubspot.add_contact(age=3600, email="older@example.com", **{KEY: person_key("stores", str(client))})
    async with world.running():
        simulated = await world.dry_run()
        counts = (await world.backfill())["counts"]
    assert (counts["created"], counts["matched"], counts["written_back"]) == (0, 1, 1)
    assert simulated["counts"] == counts
    assert len(world.hubspot.contacts()) == 1


async def test_only_bookings_of_the_asked_days_count(world):
    for day in (0, 1, 2, 3):
        world.book(world.client(firstName="A", lastName="B", email=f"c{day}@example.com"), day)
    async with world.running():
        counts = (await world.backfill(since="2026-03-02", until="2026-03-03"))["counts"]
    assert counts["seen"] == 2


async def test_a_booking_on_the_border_of_two_windows_is_one(world):
    """Both ends of a listing are inclusive, so it comes on the last page of one window and the first of the next."""
    client = world.client(firstName="Ada", lastName="Moreau", email="ada@example.com")
    async with world.running():
        counts = (await world.backfill(since="2026-03-01T12:00", until="2026-05-15"))["counts"]
        assert counts["seen"] == 0
        world.book(client, 30)
        counts = (await world.backfill(since="2026-03-01T12:00", until="2026-05-15"))["counts"]
        assert (counts["seen"], counts["created"]) == (1, 1)
        assert len(await world.events()) == 1


async def test_with_record_appointments_every_appointment_is_recorded(tmp_path):
    world = World(tmp_path, sync="record_appointments = true")
    client = world.client(firstName="Ada", lastName="Moreau", email="ada@example.com")
    for day in (0, 1, 30, 31):
        world.book(client, day)
    async with world.running():
        counts = (await world.backfill(since="2026-03-01T12:00"))["counts"]
        assert (counts["seen"], counts["created"], counts["already_linked"]) == (1, 1, 0)
        await world.settled()
        assert len(await world.events()) == 4
    assert len(world.hubspot.meetings()) == 4


async def test_without_it_one_event_for_each_client_is_enough(world):
    client = world.client(firstName="Ada", lastName="Moreau", email="ada@example.com")
    for day in (0, 1, 30, 31):
        world.book(client, day)
    async with world.running():
        await world.backfill()
        assert len(await world.events()) == 1
    assert world.hubspot.meetings() == []


async def test_a_dry_run_knows_that_the_crm_refuses_a_second_customer_with_an_address(lines, tmp_path):
    world = World(tmp_path, sync='name_mismatch = "hold"')
    world.hubspot.add_contact(age=3600, email="family@example.com", firstname="Bob", lastname="Stone")
    world.book(world.client(firstName="Ada", lastName="Moreau", email="family@example.com"))
    async with world.running():
        await world.backfill()
        reviews = world.engine.store.reviews
        assert await reviews.decide(1, "create", None, "the operator", world.engine.clock()) is None
        predicted = await world.dry_run()
        assert predicted["counts"]["created"] == 1, "without the address"
        world.engine.worker.wake()
        await world.settled()
    assert sorted(contact.get("email", "") for contact in world.hubspot.contacts()) == ["", "family@example.com"]


async def test_a_dry_run_gives_nobody_an_address_that_another_customer_has(lines, tmp_path):
    world = World(tmp_path, sync='name_mismatch = "hold"', concurrency=1)
    world.hubspot.add_contact(age=3600, email="family@example.com", firstname="Bob", lastname="Stone")
    first, second = (world.client(firstName="Ada", lastName="Moreau", email="family@example.com") for _ in "ab")
    world.booxi.set_link(first, world.hubspot.add_contact(age=3600, firstname="Ada", lastname="Moreau"))
    world.book(first, 1)
    world.book(second, 2)
    async with world.running():
        predicted = await world.dry_run()
        assert predicted["counts"] == (await world.backfill())["counts"]


async def test_a_dry_run_treats_links_as_the_real_one_does(world):
    async with world.running(started=False) as engine:
        real = engine.connections.booking["stores"]
        for capabilities in (frozenset(), frozenset(BookingCapability)):
            real.capabilities = capabilities
            assert DryBooking(real).capabilities == capabilities


async def test_a_dry_run_learns_what_the_real_one_learns(lines, tmp_path):
    """The third name behind a number is asked about; the fourth is not, in either run."""
    world = World(tmp_path)
    for first, last in (("Grace", "Hopper"), ("Mary", "Stone")):
        world.hubspot.add_contact(age=3600, firstname=first, lastname=last, mobilephone="+15145550123")
    for day, (first, last) in enumerate((("Dan", "Lee"), ("Ines", "Costa"), ("Omar", "Haddad"))):
        world.book(world.client(firstName=first, lastName=last, mobilePhoneNumber="514 555 0123"), day)
    async with world.running():
        predicted = await world.dry_run()
        assert (predicted["counts"]["held"], predicted["counts"]["created"]) == (1, 2)
