"""Appointments: made once, moved, closed, reopened, and never made again."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from msgspec.structs import replace

from connector.model.bookings import Appointment, Status
from connector.model.errors import Rejected, Transient, UnknownOutcome
from connector.sandbox.kit.faults import Faults

pytestmark = pytest.mark.anyio
NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
FITTING = Appointment(
    id="B1", status=Status.SCHEDULED, starts_at=NOON, ends_at=NOON + timedelta(minutes=30), title="Fitting", staff="Grace"
)


@pytest.fixture
def ada(sandbox) -> str:
    return sandbox.add_contact(emailaddress1="ada@example.com")


async def test_it_is_made_on_the_contact_without_anybody_who_takes_part(sandbox, crm, ada):
    here = replace(FITTING, starts_at=NOON.astimezone(timezone(timedelta(hours=-5))), location="Main Street")
    record = await crm.record_appointment(ada, here, "m1", None)
    (stored,) = sandbox.appointments()
    assert {name: value for name, value in stored.items() if name not in ("createdon", "modifiedon")} == {
        "id": record,
        "subject": "Fitting",
        "location": "Main Street",
        "description": "With Grace",
        "scheduledstart": "2027-03-01T12:00:00Z",
        "scheduledend": "2027-03-01T12:30:00Z",
        "_regardingobjectid_value": ada,
        "statecode": 3,
        "statuscode": 5,
    }


@pytest.mark.parametrize(
    ("status", "state", "subject"),
    [
        (Status.SCHEDULED, (3, 5), "Fitting"),
        (Status.ARRIVED, (3, 5), "Fitting"),
        (Status.UNKNOWN, (3, 5), "Fitting"),
        (Status.PENDING, (0, 2), "Fitting"),
        (Status.COMPLETED, (1, 3), "Fitting"),
        (Status.CANCELLED, (2, 4), "Fitting"),
        (Status.NO_SHOW, (2, 4), "No-show: Fitting"),
    ],
)
@pytest.mark.parametrize("made", [None, Status.PENDING, Status.CANCELLED])
async def test_every_status_from_the_start_and_afterwards(sandbox, crm, ada, status, state, subject, made):
    record = None
    if made is not None:
        record = await crm.record_appointment(ada, replace(FITTING, status=made), "m1", None)
    assert await crm.record_appointment(ada, replace(FITTING, status=status), "m1", record) is not None
    (stored,) = sandbox.appointments()
    assert (stored["statecode"], stored["statuscode"]) == state
    assert stored["subject"] == subject


async def test_one_that_is_cancelled_is_reopened_to_move_and_left_alone_when_nothing_changes(sandbox, crm, wire, ada):
    cancelled = replace(FITTING, status=Status.CANCELLED)
    record = await crm.record_appointment(ada, cancelled, "m1", None)
    wire.seen.clear()
    await crm.record_appointment(ada, cancelled, "m1", record)
    assert [method for method, _, _ in wire.seen] == ["GET"]
    later = replace(cancelled, starts_at=NOON + timedelta(days=1), ends_at=None)
    await crm.record_appointment(ada, later, "m1", record)
    (stored,) = sandbox.appointments()
    assert (stored["scheduledstart"], stored["scheduledend"]) == ("2027-03-02T12:00:00Z", "2027-03-02T13:00:00Z")
    assert (stored["statecode"], stored["statuscode"]) == (2, 4)
    assert [method for method, _, _ in wire.seen] == ["GET", "GET", "PATCH", "PATCH", "PATCH"]


@pytest.mark.parametrize("fault", ["lost_answer", "error_after_effect", "timeout"])
@pytest.mark.parametrize("code", ["", "0x80040237"])
async def test_one_whose_answer_was_lost_is_not_made_again_even_if_nobody_looks_first(sandbox, crm, ada, fault, code):
    sandbox.rules.exists_code = code
    sandbox.faults = Faults(**{fault: 1, "timeout_seconds": 0}, methods=("PATCH",))
    with pytest.raises(UnknownOutcome):
        await crm.record_appointment(ada, FITTING, "m1", None)
    sandbox.faults = Faults()
    moved = replace(FITTING, title="Fitting, second")
    record = await crm.record_appointment(ada, moved, "m1", None)
    assert record == await crm.find_appointment(ada, "m1")
    assert [(one["id"], one["subject"]) for one in sandbox.appointments()] == [(record, "Fitting, second")]


async def test_a_412_without_an_appointment_is_tried_again(scripted, remote):
    remote.refuse(412, "")
    remote.rows()
    with pytest.raises(Transient) as caught:
        await scripted.record_appointment("0" * 8 + "-0000-0000-0000-" + "0" * 12, FITTING, "m1", None)
    assert not isinstance(caught.value, UnknownOutcome)


async def test_one_on_a_contact_that_is_gone_is_held_and_never_taken_for_deleted(sandbox, crm, ada):
    sandbox.delete(ada)
    with pytest.raises(Rejected, match="the contact is gone"):
        await crm.record_appointment(ada, FITTING, "m1", None)


async def test_one_that_somebody_closes_between_read_and_write_is_tried_again(scripted, remote):
    record = "00000001-5a3c-ef11-8e4f-000d3ab00001"
    remote.rows({"activityid": record, "statecode": 3, "statuscode": 5})
    remote.refuse(400, "0x8004022e")
    with pytest.raises(Transient):
        await scripted.record_appointment(record, FITTING, "m1", record)


@pytest.mark.parametrize("record", ["x", "../contacts", "1"])
async def test_an_id_that_cannot_be_theirs_is_gone(crm, ada, record):
    with pytest.raises(Rejected) as caught:
        await crm.record_appointment(ada, FITTING, "m1", record)
    assert caught.value.status == 404


async def test_a_merge_takes_the_appointment_along(sandbox, crm, ada):
    record = await crm.record_appointment(ada, FITTING, "m1", None)
    survivor = sandbox.add_contact(firstname="Ada")
    sandbox.merge(survivor, ada)
    assert await crm.find_appointment(survivor, "m1") == record
    assert await crm.find_appointment(ada, "m1") is None


async def test_one_without_times_stands_at_the_last_change(sandbox, crm, ada):
    await crm.record_appointment(ada, Appointment(id="B2", updated_at=NOON), "m1", None)
    (stored,) = sandbox.appointments()
    assert (stored["scheduledstart"], stored["scheduledend"]) == ("2027-03-01T12:00:00Z", "2027-03-01T13:00:00Z")
    assert stored["subject"] == "Appointment"


async def test_texts_are_cut_to_what_an_appointment_holds(sandbox, crm, ada):
    await crm.record_appointment(ada, replace(FITTING, title="t" * 300, location="l" * 300), "m1", None)
    (stored,) = sandbox.appointments()
    assert (len(stored["subject"]), len(stored["location"])) == (200, 200)
