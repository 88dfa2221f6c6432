"""Appointments on the customer's timeline: one record each, brought up to date by newer statements only."""

from datetime import UTC, datetime

import httpx
import pytest

from connector.model.errors import Rejected, UnknownOutcome
from connector.sandbox.kit.faults import Faults
from connector.store.backup import back_up, restore

from .gate import BEFORE_IT_ARRIVED, LOST
from .harness import PAUSE, Ended, World

pytestmark = pytest.mark.anyio
CREATE = ("POST", "/meetings$")
UPDATE = ("PATCH", r"/meetings/\d+$")
NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def world(world: World) -> World:
    world.use(record_appointments=True)
    return world


async def happens(world: World, action: str, booking: str, **fields) -> Ended:
    """Something happens to a booking a minute later; returns how its event ended."""
    world.clock.now += 60
    getattr(world.booxi, action)(booking, **fields)
    await world.deliver_all()
    (ended,) = await world.run_all()
    return ended


def outcomes(world: World) -> list[str]:
    return [meeting["hs_meeting_outcome"] for meeting in world.meetings()]


async def booked(world: World, **fields) -> str:
    booking = await world.book(world.client(), starts_at=NOON, **fields)
    (ended,) = await world.run_all()
    assert ended.state == "done"
    return booking


async def test_an_appointment_is_recorded_once_on_its_customer(world: World):
    await booked(world, service="Fitting")
    (meeting,) = world.meetings()
    assert meeting["contacts"] == list(world.contacts())
    assert (meeting["hs_meeting_title"], meeting["hs_meeting_outcome"]) == ("Fitting", "SCHEDULED")
    assert meeting["hs_meeting_start_time"] == "2027-03-01T12:00:00.000Z"
    assert await world.rows("SELECT record_id FROM appointments") == [(meeting["id"],)]
    assert await world.open_effects() == []


async def test_nothing_is_recorded_unless_the_sync_says_so(world: World):
    world.use(record_appointments=False)
    await booked(world)
    assert world.meetings() == []


async def test_a_reschedule_moves_the_one_record(world: World):
    booking = await booked(world)
    span = {"start": "2027-03-02T09:00:00Z", "end": "2027-03-02T09:30:00Z"}
    ended = await happens(world, "update_booking", booking, totalClientTimespan=span)
    (meeting,) = world.meetings()
    assert (meeting["hs_meeting_start_time"], meeting["hs_meeting_outcome"]) == ("2027-03-02T09:00:00.000Z", "SCHEDULED")
    assert ended.note("record", "recorded")["note"] == f"the appointment is record {meeting['id']}: scheduled"
    assert world.effects["POST meetings"] == 1


async def test_a_time_that_cannot_be_read_is_said_in_trace_and_record(world: World):
    booking = await booked(world)
    span = {"start": "tomorrow at nine", "end": "2027-03-02T09:30:00Z"}
    ended = await happens(world, "update_booking", booking, totalClientTimespan=span, startsOn=None)
    (meeting,) = world.meetings()
    assert meeting["hs_meeting_body"].endswith("The start could not be read: look at the booking itself.")
    assert ended.note("record", "unread")["note"] == "the appointment's start could not be read; the record says so"


@pytest.mark.parametrize(
    ("action", "outcome", "back", "fields"),
    [
        ("cancel", "CANCELED", "update_booking", {"status": "Approved"}),
        ("no_show", "NO_SHOW", "update_booking", {"presence": "Expecting"}),
        ("complete", "COMPLETED", "update_booking", {"isCompleted": False}),
    ],
)
async def test_outcomes_are_recorded_and_can_be_taken_back(world: World, action, outcome, back, fields):
    booking = await booked(world)
    await happens(world, action, booking)
    assert outcomes(world) == [outcome]
    await happens(world, back, booking, **fields)
    assert outcomes(world) == ["SCHEDULED"]
    await happens(world, action, booking)
    assert outcomes(world) == [outcome]
    assert world.effects["POST meetings"] == 1


async def test_two_attendees_have_a_record_each(world: World):
    ada, bob = world.client(), world.client(firstName="Bob", lastName="Hill", email="bob@example.com")
    await world.book(ada, attendees=[int(ada), int(bob)])
    await world.run_all()
    assert sorted(meeting["contacts"] for meeting in world.meetings()) == [[contact] for contact in sorted(world.contacts())]
    assert len({meeting["hs_internal_meeting_notes"] for meeting in world.meetings()}) == 2


async def merged(world: World, **fields) -> tuple[str, str, str]:
    """Ada has booked, and her two clients are merged in Booxi: (booking, the client that is gone, the one that is left)."""
    gone, left = world.client(), world.client()
    await world.process(left)
    booking = await world.book(gone, starts_at=NOON, **fields)
    await world.run_all()
    assert len(world.meetings()) == 2
    world.booxi.merge_clients(int(gone), int(left))
    return booking, gone, left


async def test_the_record_of_a_client_who_was_merged_away_goes_on(world: World):
    booking, gone, left = await merged(world)
    ended = await happens(world, "cancel", booking)
    assert ended.work.client_id == left
    assert ended.note("record", "merged")["note"].startswith(f"the record of client {gone} is continued")
    assert sorted(outcomes(world)) == ["CANCELED", "SCHEDULED"]
    assert world.effects["POST meetings"] == 2


async def test_what_is_said_of_the_client_who_is_left_is_newer_than_what_was_said_of_the_other(world: World):
    booking, gone, left = await merged(world)
    world.booxi.state.bookings[booking]["client"]["id"] = int(gone)
    world.booxi.update_booking(booking)
    older = world.booxi.outbox.waiting.pop()
    world.booxi.state.bookings[booking]["client"]["id"] = int(left)
    await happens(world, "cancel", booking)
    await world.deliver(older)
    (ended,) = await world.run_all()
    assert ended.note("record", "skipped")
    assert sorted(outcomes(world)) == ["CANCELED", "SCHEDULED"]


async def test_a_record_that_may_have_been_made_for_the_client_who_is_gone_is_waited_for(world: World):
    gone, left = world.client(), world.client()
    await world.process(left)
    world.hubspot_gate.on(*CREATE, LOST)
    booking = await world.book(gone, starts_at=NOON)
    (unsettled,) = await world.run_all()
    assert isinstance(unsettled.error, UnknownOutcome)
    world.booxi.merge_clients(int(gone), int(left))
    world.booxi.cancel(booking)
    await world.deliver_all()
    (waiting,) = await world.run_all()
    assert (waiting.state, "has begun to record this" in str(waiting.error)) == ("queued", True)
    await world.again()
    await world.again()
    assert sorted(outcomes(world)) == ["CANCELED", "SCHEDULED"]
    assert world.effects["POST meetings"] == 2


async def test_clients_of_one_customer_who_were_not_merged_have_a_record_each(world: World):
    """A mother books for two children who are clients of their own and share her record."""
    one, other = world.client(), world.client()
    await world.process(one)
    await world.process(other)
    assert len(world.contacts()) == 1
    await world.book(one, attendees=[int(one), int(other)])
    await world.run_all()
    assert len(world.contacts()) == 1
    assert len(world.meetings()) == 4


async def test_new_clients_of_one_booking_are_two_people_whatever_they_share(world: World):
    """Father and son of one name, one address and one number: the second is made without the address."""
    one, other = world.client(), world.client()
    await world.book(one, attendees=[int(one), int(other)])
    await world.run_all()
    assert {(await world.link(client))[1] for client in (one, other)} == {"created"}
    assert sorted(contact.get("email", "") for contact in world.contacts().values()) == ["", "ada@example.com"]
    await world.process(one)
    await world.process(other)
    assert len(world.contacts()) == 2, "and stay two"


async def test_two_bookings_of_a_client_are_two_records(world: World):
    ada = world.client()
    await world.process(ada)
    await world.process(ada)
    assert len(world.meetings()) == 2


async def test_an_older_statement_that_comes_late_changes_nothing(world: World):
    booking = await booked(world)
    world.clock.now += 60
    world.booxi.update_booking(booking)
    older = world.booxi.outbox.waiting.pop()
    await happens(world, "cancel", booking)
    world.clock.now += 60
    await world.deliver(older)
    (ended,) = await world.run_all()
    assert ended.rules[-1] == ("record", "skipped")
    assert "newer state" in ended.note("record", "skipped")["note"]
    assert outcomes(world) == ["CANCELED"]


async def test_the_same_statement_again_is_harmless(world: World):
    booking = await booked(world)
    world.booxi.queue_event(booking, "updated")
    await world.deliver_all()
    (ended,) = await world.run_all()
    assert ended.rules[-1] == ("record", "recorded")
    assert len(world.meetings()) == 1


async def test_without_a_date_of_change_the_time_of_receipt_orders_statements(world: World):
    booking = await booked(world, modifiedOn=None)
    world.clock.now += 60
    world.booxi.state.bookings[booking].update(status="Cancelled", modifiedOn="not a date")
    world.booxi.queue_event(booking, "updated")
    await world.deliver_all()
    await world.run_all()
    assert outcomes(world) == ["CANCELED"]


# ---- lost answers ----


@pytest.mark.parametrize("mishap", [LOST, Faults(timeout=1, timeout_seconds=0), Faults(error_after_effect=1)])
async def test_a_record_whose_answer_was_lost_is_found_by_its_marker(world: World, mishap):
    world.hubspot_gate.on(*CREATE, mishap)
    ada = world.client()
    ended = await world.process(ada)
    assert (ended.state, type(ended.error)) == ("retrying", UnknownOutcome)
    (ended,) = await world.again()
    (meeting,) = world.meetings()
    assert ended.state == "done"
    assert world.effects["POST meetings"] == 1
    assert await world.rows("SELECT record_id FROM appointments") == [(meeting["id"],)]
    assert await world.open_effects() == []


async def test_a_record_that_was_not_made_is_made_by_the_retry(world: World):
    world.hubspot_gate.on(*CREATE, BEFORE_IT_ARRIVED)
    await world.process(world.client())
    assert world.meetings() == []
    await world.again(world.crm.record_settle_seconds + PAUSE)
    assert len(world.meetings()) == 1


async def test_the_marker_is_looked_for_among_other_meetings_of_the_customer(world: World):
    ada = world.client()
    await world.process(ada)
    world.hubspot_gate.on(*CREATE, LOST)
    await world.process(ada)
    await world.again()
    assert len(world.meetings()) == 2
    assert len(await world.rows("SELECT DISTINCT record_id FROM appointments")) == 2


async def test_a_lost_answer_to_an_update_is_repeated(world: World):
    booking = await booked(world)
    world.hubspot_gate.on(*UPDATE, LOST)
    ended = await happens(world, "cancel", booking)
    assert ended.state == "retrying"
    (ended,) = await world.again()
    assert (ended.state, outcomes(world)) == ("done", ["CANCELED"])


# ---- records that a person deleted ----


async def test_a_deleted_record_is_noted_and_not_made_again(world: World):
    booking = await booked(world)
    (meeting,) = world.meetings()
    world.hubspot.archive_meeting(meeting["id"])
    for action in ("cancel", "no_show"):
        ended = await happens(world, action, booking)
        assert ended.state == "done"
        assert "not created again" in ended.note("record", "skipped")["note"]
    assert world.meetings() == []
    assert world.effects["POST meetings"] == 1
    assert await world.open_effects() == []


async def test_a_customer_who_is_gone_is_not_mistaken_for_a_deleted_record(world: World):
    def gone() -> None:
        world.hubspot.archive(*world.contacts())

    world.hubspot_gate.on(*CREATE, gone)
    ended = await world.process(world.client())
    assert (ended.state, type(ended.error)) == ("held", Rejected)
    assert ("record", "skipped") not in ended.rules


async def test_a_refused_record_is_held_and_the_link_stays(world: World):
    world.hubspot_gate.on(*CREATE, httpx.Response(400, json={"category": "VALIDATION_ERROR", "message": "no"}))
    ada = world.client()
    ended = await world.process(ada)
    assert (ended.state, type(ended.error)) == ("held", Rejected)
    assert world.stored(ada) == (await world.link(ada))[0]


async def test_a_record_in_the_crm_that_was_used_before_is_not_written_over_in_the_next(world: World):
    ada = world.client()
    booking = await world.book(ada, starts_at=NOON)
    await world.run_all()
    for table in ("links", "identities", "appointments"):
        await world.store.database.write(lambda c, table=table: c.execute(f"UPDATE {table} SET crm = 'older'"))
    before = world.meetings()
    world.hubspot.reset()
    await world.process(world.client(firstName="Bob", lastName="Hill", email="bob@example.com"), starts_at=NOON)
    assert [m["id"] for m in world.meetings()] == [m["id"] for m in before]
    await happens(world, "cancel", booking)
    assert outcomes(world) == ["SCHEDULED", "CANCELED"]


@pytest.mark.parametrize(("over", "outcome"), [(True, "COMPLETED"), (False, "CANCELED")])
async def test_what_is_deleted_when_it_is_over_was_not_cancelled(world: World, over, outcome):
    booking = await booked(world)
    await happens(world, "complete", booking)
    world.clock.now = NOON.timestamp() + (86_400 if over else -86_400)
    world.booxi.cancel(booking)
    await world.deliver_all()
    await world.store.database.write(
        lambda c: c.execute("UPDATE events SET payload = json_set(payload, '$.kind', 'deleted') WHERE state = 'queued'")
    )
    await world.run_all()
    assert outcomes(world) == [outcome]


@pytest.mark.parametrize("first", ["the re-sent webhooks", "a change"])
async def test_after_a_restore_what_was_recorded_since_the_backup_is_found_again(world: World, tmp_path, first):
    path = tmp_path / "connector.db"
    made = back_up(path, tmp_path / "backup.db", world.clock())
    clients = [world.client(firstName="Ada", lastName="First", email=f"ada{n}@example.com") for n in range(10)]
    bookings = [world.booxi.book(int(client), starts_at=NOON) for client in clients]
    sent = list(world.booxi.outbox.waiting)
    await world.deliver_all()
    await world.run_all()
    before = [meeting["id"] for meeting in world.meetings()]
    assert len(before) == 10
    await world.store.close()
    restore(path, made.file, world.clock())
    await world.start()
    assert await world.rows("SELECT * FROM appointments") == []
    if first == "a change":
        world.clock.now += 60
        for booking in bookings:
            world.booxi.cancel(booking)
        await world.deliver_all()
        await world.run_all()
    for body in sent:
        await world.deliver(body)
    await world.run_all()
    assert looked_up(world) == 10, "once for each, before it is written"
    assert [meeting["id"] for meeting in world.meetings()] == before
    assert set(outcomes(world)) == ({"CANCELED"} if first == "a change" else {"SCHEDULED"})


def looked_up(world: World) -> int:
    """How often a contact's meetings were listed."""
    return sum(n for name, n in world.hubspot.requests.items() if "associations/meetings" in name)


async def test_without_a_restore_nothing_is_looked_up_before_a_record_is_made(world: World):
    await booked(world)
    assert looked_up(world) == 0
