"""Appointments as events: made once, moved, cancelled, a no-show, taken back, found by the marker."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from connector.model.bookings import Appointment, Status
from connector.model.errors import AccountPaused, Rejected, Transient, UnknownOutcome
from connector.sandbox.kit.faults import Faults

from .conftest import MARKER

pytestmark = pytest.mark.anyio
NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
FITTING = Appointment(
    id="B1", status=Status.SCHEDULED, starts_at=NOON, ends_at=NOON + timedelta(minutes=30), title="Fitting",
    location="Room 2", staff="Grace", updated_at=NOON,
)  # fmt: skip


@pytest.fixture
def ada(sandbox) -> str:
    return sandbox.add_contact(Last_Name="Byron")


async def test_an_appointment_is_an_event_on_the_contact_and_invites_nobody(sandbox, crm, ada):
    record = await crm.record_appointment(ada, FITTING, "m1", None)
    assert sandbox.events() == [
        {
            "id": record,
            "Event_Title": "Fitting",
            "Start_DateTime": "2027-03-01T12:00:00+00:00",
            "End_DateTime": "2027-03-01T12:30:00+00:00",
            "Venue": "Room 2",
            "Description": "With Grace",
            "Who_Id": {"id": ada},
            MARKER: "m1",
        }
    ]


async def test_an_event_is_moved_cancelled_a_no_show_and_all_of_it_taken_back(sandbox, crm, ada):
    record = await crm.record_appointment(ada, FITTING, "m1", None)
    titles = []
    for status in (Status.CANCELLED, Status.SCHEDULED, Status.NO_SHOW, Status.COMPLETED, Status.ARRIVED):
        await crm.record_appointment(ada, replace(FITTING, status=status), "m1", record)
        titles.append(sandbox.events()[0]["Event_Title"])
    assert titles == ["Cancelled: Fitting", "Fitting", "No-show: Fitting", "Completed: Fitting", "Fitting"]
    later = replace(FITTING, starts_at=NOON + timedelta(days=1), ends_at=None)
    await crm.record_appointment(ada, later, "m1", record)
    (event,) = sandbox.events()
    assert (event["Start_DateTime"], event["End_DateTime"]) == ("2027-03-02T12:00:00+00:00", "2027-03-02T13:00:00+00:00")


async def test_what_a_person_wrote_on_an_event_stays(sandbox, crm, ada):
    record = await crm.record_appointment(ada, FITTING, "m1", None)
    sandbox.records.update("Events", record, {"Description": "brings her own hat"})
    await crm.record_appointment(ada, replace(FITTING, staff="Robin", title="Hat"), "m1", record)
    (event,) = sandbox.events()
    assert (event["Description"], event["Event_Title"]) == ("brings her own hat", "Hat")


async def test_where_no_start_is_known_an_update_leaves_the_times_alone(sandbox, crm, ada):
    record = await crm.record_appointment(ada, FITTING, "m1", None)
    await crm.record_appointment(ada, Appointment(id="B1", status=Status.CANCELLED, title="Fitting"), "m1", record)
    assert sandbox.events()[0]["Start_DateTime"] == "2027-03-01T12:00:00+00:00"


@pytest.mark.parametrize("fault", ["lost_answer", "error_after_effect"])
async def test_after_a_lost_answer_the_event_is_found_by_its_marker(sandbox, crm, ada, fault):
    await crm.record_appointment(ada, FITTING, "m0", None)
    sandbox.faults = Faults(**{fault: 1})
    with pytest.raises(UnknownOutcome):
        await crm.record_appointment(ada, FITTING, "m1", None)
    sandbox.faults = Faults(search_lag_seconds=600)
    assert await crm.find_appointment(ada, "m1") == sandbox.events()[1]["id"]


async def test_the_events_of_a_merged_contact_are_the_masters(sandbox, crm, ada):
    other = sandbox.add_contact(Last_Name="King")
    record = await crm.record_appointment(ada, FITTING, "m1", None)
    sandbox.merge(other, ada)
    assert await crm.find_appointment(other, "m1") == record


async def test_an_event_that_somebody_took_off_the_contact_is_still_ours(sandbox, crm, ada):
    record = await crm.record_appointment(ada, FITTING, "m1", None)
    sandbox.records.module("Events")[record].values.pop("Who_Id")
    assert await crm.find_appointment(ada, "m1") == record


async def test_without_the_markers_field_no_event_is_made(sandbox, crm, ada):
    sandbox.records.fields["Events"].clear()
    with pytest.raises(AccountPaused) as caught:
        await crm.record_appointment(ada, FITTING, "m1", None)
    assert "--fix" in caught.value.hint
    assert sandbox.events() == []


async def test_where_the_markers_field_is_unique_a_second_event_becomes_the_first(sandbox, crm, ada):
    sandbox.records.fields["Events"][MARKER]["unique"] = {"case_sensitive": False}
    first = await crm.record_appointment(ada, FITTING, "m1", None)
    assert await crm.record_appointment(ada, replace(FITTING, title="Hat"), "m1", None) == first
    assert [event["Event_Title"] for event in sandbox.events()] == ["Hat"]


async def test_an_update_that_is_refused_for_a_value_is_not_mistaken_for_a_deleted_event(sandbox, crm, ada):
    record = await crm.record_appointment(ada, FITTING, "m1", None)
    sandbox.records.fields["Events"]["Venue"] = {"length": 3, "unique": {}}
    with pytest.raises(Rejected) as caught:
        await crm.record_appointment(ada, FITTING, "m1", record)
    assert (caught.value.status, caught.value.fields) == (400, ("Venue",))


async def test_an_answer_about_another_marker_is_not_believed(remote, scripted):
    info = {"count": 1, "more_records": False}
    remote.answer(200, {"data": [{"id": "9", MARKER: "m10", "Who_Id": {"id": "1"}}], "info": info})
    with pytest.raises(Transient):
        await scripted.find_appointment("1", "m1")
    assert json.loads(remote.asked[0].content)["select_query"].startswith(f"select id, Who_Id, {MARKER} from Events where")
