"""Appointments: one event each, moved, cancelled, taken back, and found again by its marker."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from connector.model.bookings import Appointment, Status
from connector.model.errors import AccountPaused, Lasting, Rejected, Transient, UnknownOutcome
from connector.sandbox.kit.faults import Faults
from connector.sandbox.salesforce.app import Rules

pytestmark = pytest.mark.anyio
NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
FITTING = Appointment(
    id="B1",
    status=Status.SCHEDULED,
    starts_at=NOON,
    ends_at=NOON + timedelta(minutes=30),
    title="Fitting",
    location="Main Street",
    staff="Grace",
    updated_at=NOON,
)
CONTACT, EVENT = "0035g00000ABcDeAAL", "00U5g00000ABcDeAAL"


def at(hour: int, minute: int = 0, day: int = 1) -> str:
    return f"2027-03-{day:02}T{hour:02}:{minute:02}:00.000+0000"


def changed(**fields) -> Appointment:
    return replace(FITTING, **fields)


@pytest.fixture
def contact(sandbox) -> str:
    return sandbox.add_contact(LastName="Byron")


async def test_an_appointment_is_an_event_of_the_contact(sandbox, crm, contact):
    record = await crm.record_appointment(contact, FITTING, "m1", None)
    (event,) = sandbox.events()
    assert {name: event[name] for name in event if name not in ("CreatedDate", "LastModifiedDate")} == {
        "Id": record,
        "WhoId": contact,
        "Subject": "Fitting",
        "Location": "Main Street",
        "Description": "With Grace\n\nconnector: m1",
        "StartDateTime": at(12),
        "EndDateTime": at(12, 30),
        "ShowAs": "Busy",
    }


@pytest.mark.parametrize(
    ("status", "subject", "shown"),
    [
        (Status.CANCELLED, "Cancelled: Fitting", "Free"),
        (Status.NO_SHOW, "No-show: Fitting", "Busy"),
        (Status.COMPLETED, "Fitting", "Busy"),
        (Status.UNKNOWN, "Fitting", "Busy"),
    ],
)
async def test_what_became_of_it_stands_in_the_subject_and_can_be_taken_back(sandbox, crm, contact, status, subject, shown):
    record = await crm.record_appointment(contact, FITTING, "m1", None)
    await crm.record_appointment(contact, changed(status=status), "m1", record)
    (event,) = sandbox.events()
    assert (event["Subject"], event["ShowAs"]) == (subject, shown)
    await crm.record_appointment(contact, FITTING, "m1", record)
    (event,) = sandbox.events()
    assert (event["Subject"], event["ShowAs"]) == ("Fitting", "Busy")


async def test_a_move_moves_both_times_and_leaves_the_description_alone(sandbox, crm, contact):
    record = await crm.record_appointment(contact, FITTING, "m1", None)
    sandbox.records.update("Event", record, {"Description": "Bring the blue one. connector: m1"})
    later = NOON + timedelta(days=1)
    await crm.record_appointment(contact, changed(starts_at=later, ends_at=later + timedelta(hours=1)), "m1", record)
    (event,) = sandbox.events()
    assert (event["StartDateTime"], event["EndDateTime"]) == (at(12, day=2), at(13, day=2))
    assert event["Description"] == "Bring the blue one. connector: m1"
    assert await crm.find_appointment(contact, "m1") == record


@pytest.mark.parametrize("ends_at", [None, NOON - timedelta(minutes=1)])
async def test_an_end_that_is_not_known_is_what_the_settings_say(sandbox, wire, connect, contact, ends_at):
    adapter = connect(wire, unknown_end_minutes=45)
    await adapter.record_appointment(contact, changed(ends_at=ends_at), "m1", None)
    assert sandbox.events()[0]["EndDateTime"] == at(12, 45)
    await adapter.remote.aclose()


async def test_without_a_start_it_stands_at_its_last_change_and_an_update_leaves_the_times_alone(sandbox, crm, contact):
    record = await crm.record_appointment(contact, Appointment(id="B2", updated_at=NOON), "m1", None)
    assert (sandbox.events()[0]["Subject"], sandbox.events()[0]["StartDateTime"]) == ("Appointment", at(12))
    await crm.record_appointment(contact, Appointment(id="B2", status=Status.CANCELLED), "m1", record)
    assert sandbox.events()[0]["StartDateTime"] == at(12)


async def test_a_long_title_is_cut(sandbox, crm, contact):
    await crm.record_appointment(contact, changed(title="x" * 300, location="y" * 300, status=Status.NO_SHOW), "m1", None)
    (event,) = sandbox.events()
    assert (event["Subject"], len(event["Subject"]), len(event["Location"])) == ("No-show: " + "x" * 246, 255, 255)


async def test_an_event_whose_answer_was_lost_is_found_by_its_marker(sandbox, crm, contact):
    await crm.probe()
    sandbox.faults = Faults(lost_answer=1)
    with pytest.raises(UnknownOutcome):
        await crm.record_appointment(contact, FITTING, "m1", None)
    sandbox.faults = Faults()
    assert [await crm.find_appointment(contact, "m1")] == [event["Id"] for event in sandbox.events()]


async def test_a_marker_is_not_found_in_a_longer_one_or_with_somebody_else(sandbox, crm, contact):
    other = sandbox.add_contact(LastName="Hopper")
    await crm.record_appointment(contact, FITTING, "m12", None)
    assert await crm.find_appointment(contact, "m1") is None
    assert await crm.find_appointment(other, "m12") is None
    assert await crm.find_appointment("not an id", "m12") is None


async def test_events_move_with_a_merge(sandbox, crm, contact):
    record = await crm.record_appointment(contact, FITTING, "m1", None)
    survivor = sandbox.add_contact(LastName="Byron")
    sandbox.merge(survivor, contact)
    assert await crm.find_appointment(survivor, "m1") == record


async def test_all_pages_are_looked_through_and_too_many_are_no_answer(sandbox, crm, contact):
    sandbox.records.rules = Rules(page_size=1)
    first = await crm.record_appointment(contact, FITTING, "m0", None)
    for number in range(1, 10):
        await crm.record_appointment(contact, FITTING, f"m{number}", None)
    assert await crm.find_appointment(contact, "m0") == first
    assert await crm.find_appointment(contact, "other") is None
    await crm.record_appointment(contact, FITTING, "m10", None)
    with pytest.raises(Lasting):
        await crm.find_appointment(contact, "m0")


async def test_a_row_that_is_no_event_is_no_answer(scripted, remote):
    remote.rows({"Id": CONTACT, "Description": "connector: m1"})
    with pytest.raises(Transient):
        await scripted.find_appointment(CONTACT, "m1")


@pytest.mark.parametrize("answer", [(404, "NOT_FOUND"), (404, "ENTITY_IS_DELETED"), (400, "ENTITY_IS_DELETED")])
async def test_an_event_that_is_gone_is_said_and_not_made_again(scripted, remote, answer):
    remote.refuse(*answer)
    with pytest.raises(Rejected) as caught:
        await scripted.record_appointment(CONTACT, FITTING, "m1", EVENT)
    assert caught.value.status == 404
    assert "Restore it" in caught.value.hint
    assert len(remote.asked) == 1


async def test_a_page_that_says_404_does_not_read_as_a_deleted_event(scripted, remote):
    remote.answer(404, b"<html>nothing here</html>")
    with pytest.raises(Transient):
        await scripted.record_appointment(CONTACT, FITTING, "m1", EVENT)


async def test_a_user_who_does_not_see_events_pauses_the_account(scripted, remote):
    remote.refuse(404, "NOT_FOUND", "The requested resource does not exist")
    with pytest.raises(AccountPaused) as caught:
        await scripted.record_appointment(CONTACT, FITTING, "m1", None)
    assert "events" in caught.value.hint


@pytest.mark.parametrize("data", [None, {}, {"id": CONTACT, "success": True}])
async def test_an_event_without_an_id_is_an_unknown_outcome(scripted, remote, data):
    remote.answer(201, data)
    with pytest.raises(UnknownOutcome):
        await scripted.record_appointment(CONTACT, FITTING, "m1", None)
