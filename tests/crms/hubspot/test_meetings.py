"""An appointment is one meeting on the contact, through its whole life."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from msgspec.structs import replace

from connector.crms.hubspot.mapping import meeting
from connector.model.bookings import Appointment, Status
from connector.model.errors import Rejected, Transient, UnknownOutcome
from connector.sandbox.kit.faults import Faults

pytestmark = pytest.mark.anyio
START = datetime(2026, 12, 1, 10, 0, tzinfo=timezone(timedelta(hours=-5)))
VISIT = Appointment(
    id="b1",
    status=Status.SCHEDULED,
    starts_at=START,
    ends_at=START + timedelta(minutes=45),
    title="Fitting",
    location="Main Street",
    staff="Desk 4",
)
MARK = "0123abcd"


@pytest.fixture
def contact(sandbox):
    return sandbox.add_contact(email="ada@example.com")


async def test_an_appointment_becomes_a_meeting_on_the_contact(sandbox, crm, contact):
    meeting = await crm.record_appointment(contact, VISIT, MARK, None)
    assert sandbox.meetings() == [
        {
            "id": meeting,
            "contacts": [contact],
            "hs_timestamp": "2026-12-01T15:00:00.000Z",
            "hs_meeting_title": "Fitting",
            "hs_meeting_body": "With Desk 4",
            "hs_meeting_location": "Main Street",
            "hs_meeting_start_time": "2026-12-01T15:00:00.000Z",
            "hs_meeting_end_time": "2026-12-01T15:45:00.000Z",
            "hs_meeting_outcome": "SCHEDULED",
            "hs_internal_meeting_notes": "connector: 0123abcd",
        }
    ]


async def test_the_association_is_hubspots_own_type(scripted, remote):
    remote.answer(201, {"id": "9"})
    assert await scripted.record_appointment("6001", VISIT, MARK, None) == "9"
    assert json.loads(remote.asked[0].content)["associations"] == [
        {"to": {"id": "6001"}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 200}]}
    ]


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (Status.SCHEDULED, "SCHEDULED"),
        (Status.PENDING, "SCHEDULED"),
        (Status.ARRIVED, "SCHEDULED"),
        (Status.UNKNOWN, "SCHEDULED"),
        (Status.COMPLETED, "COMPLETED"),
        (Status.NO_SHOW, "NO_SHOW"),
        (Status.CANCELLED, "CANCELED"),
    ],
)
async def test_each_status_has_an_outcome_and_can_be_taken_back(sandbox, crm, contact, status, outcome):
    meeting = await crm.record_appointment(contact, VISIT, MARK, None)
    assert await crm.record_appointment(contact, replace(VISIT, status=status), MARK, meeting) == meeting
    assert sandbox.meetings()[0]["hs_meeting_outcome"] == outcome
    await crm.record_appointment(contact, VISIT, MARK, meeting)
    assert sandbox.meetings()[0]["hs_meeting_outcome"] == "SCHEDULED"
    assert len(sandbox.meetings()) == 1


async def test_a_reschedule_moves_the_meeting_and_leaves_it_scheduled(sandbox, crm, contact):
    meeting = await crm.record_appointment(contact, VISIT, MARK, None)
    later = replace(VISIT, starts_at=START + timedelta(days=1), ends_at=None, title="")
    await crm.record_appointment(contact, later, MARK, meeting)
    stored = sandbox.meetings()[0]
    assert stored["hs_meeting_start_time"] == stored["hs_timestamp"] == "2026-12-02T15:00:00.000Z"
    assert (stored["hs_meeting_outcome"], stored["hs_meeting_title"]) == ("SCHEDULED", "Fitting")


async def test_an_update_leaves_peoples_notes_alone(sandbox, crm, contact):
    meeting = await crm.record_appointment(contact, VISIT, MARK, None)
    sandbox.records.meeting(meeting).properties["hs_internal_meeting_notes"] += "\nwants the blue one"
    await crm.record_appointment(contact, VISIT, MARK, meeting)
    assert sandbox.meetings()[0]["hs_internal_meeting_notes"] == "connector: 0123abcd\nwants the blue one"
    assert await crm.find_appointment(contact, MARK) == meeting


async def test_an_appointment_that_says_little_still_gets_the_time_hubspot_requires(sandbox, crm, contact):
    said = Appointment(id="b1", updated_at=datetime(2026, 1, 1, tzinfo=UTC))
    await crm.record_appointment(contact, said, MARK, None)
    stored = sandbox.meetings()[0]
    assert (stored["hs_timestamp"], stored["hs_meeting_title"]) == ("2026-01-01T00:00:00.000Z", "Appointment")
    assert not {"hs_meeting_start_time", "hs_meeting_end_time", "hs_meeting_location"} & stored.keys()


async def test_a_meeting_that_a_person_deleted_is_not_made_again(sandbox, crm, contact):
    meeting = await crm.record_appointment(contact, VISIT, MARK, None)
    sandbox.archive_meeting(meeting)
    with pytest.raises(Rejected) as caught:
        await crm.record_appointment(contact, VISIT, MARK, meeting)
    assert "deleted the meeting" in caught.value.hint
    assert sandbox.meetings() == []


async def test_a_lost_answer_is_unknown_and_the_meeting_is_found_again_without_search(sandbox, crm, contact):
    sandbox.faults = Faults(lost_answer=1, search_lag_seconds=3600)
    with pytest.raises(UnknownOutcome):
        await crm.record_appointment(contact, VISIT, MARK, None)
    sandbox.faults = Faults(search_lag_seconds=3600)
    assert await crm.find_appointment(contact, MARK) == sandbox.meetings()[0]["id"]
    assert sandbox.requests["POST contacts/search"] == 0


async def test_the_marker_is_matched_exactly_and_on_this_contact_only(sandbox, crm, contact):
    other = sandbox.add_contact(email="bob@example.com")
    await crm.record_appointment(other, VISIT, MARK, None)
    await crm.record_appointment(contact, VISIT, MARK + "9", None)
    await crm.record_appointment(contact, VISIT, MARK + "-2", None)
    assert await crm.find_appointment(contact, MARK) is None
    mine = await crm.record_appointment(contact, VISIT, MARK, None)
    assert await crm.find_appointment(contact, MARK) == mine


async def test_the_marker_is_found_inside_what_an_editor_made_of_the_notes(sandbox, crm, contact):
    meeting = await crm.record_appointment(contact, VISIT, MARK, None)
    sandbox.records.meeting(meeting).properties["hs_internal_meeting_notes"] = "<p>connector: 0123abcd</p><p>x</p>"
    assert await crm.find_appointment(contact, MARK) == meeting


async def test_meetings_follow_a_merge(sandbox, crm, contact):
    meeting = await crm.record_appointment(contact, VISIT, MARK, None)
    survivor = sandbox.merge(sandbox.add_contact(email="bob@example.com"), contact)
    assert await crm.find_appointment(contact, MARK) == meeting == await crm.find_appointment(survivor, MARK)


async def test_the_marker_is_found_on_a_later_page_and_batch(sandbox, crm, contact):
    for number in range(620):
        sandbox.records.create_meeting({"hs_timestamp": "2026-01-01T00:00:00Z"}, [contact])
        if number == 3:
            sandbox.archive_meeting(next(iter(sandbox.records.meetings)))
    meeting = await crm.record_appointment(contact, VISIT, MARK, None)
    assert await crm.find_appointment(contact, MARK) == meeting
    assert sandbox.requests["GET contacts/{id}/associations/meetings"] == 2


async def test_endless_pages_of_meetings_are_no_answer(scripted, remote):
    for _ in range(10):
        remote.answer(200, {"results": [], "paging": {"next": {"after": "7"}}})
    remote.answer(200, {"results": []})
    with pytest.raises(Transient, match="too many"):
        await scripted.find_appointment("1", MARK)


async def test_no_meetings_and_no_contact_are_none(sandbox, crm, contact):
    assert await crm.find_appointment(contact, MARK) is None
    assert await crm.find_appointment("999999", MARK) is None


async def test_meetings_deleted_between_the_two_reads_are_skipped_and_unreadable_ones_are_not(scripted, remote):
    remote.answer(200, {"results": [{"toObjectId": 5}, {"id": "6"}]})
    remote.answer(207, {"results": [], "errors": [{"category": "OBJECT_NOT_FOUND"}]})
    assert await scripted.find_appointment("1", MARK) is None
    assert json.loads(remote.asked[1].content)["inputs"] == [{"id": "5"}, {"id": "6"}]
    remote.answers = []
    remote.answer(200, {"results": [{"toObjectId": 5}]})
    remote.answer(207, {"results": [], "errors": [{"category": "INTERNAL"}]})
    with pytest.raises(Transient, match="could not be read"):
        await scripted.find_appointment("1", MARK)


async def test_a_batch_of_meetings_that_are_all_gone_is_answered_with_404(scripted, remote):
    """As others have met it: bruin-data/ingestr pull request 1203. A 404 of somebody else is no answer."""
    remote.answer(200, {"results": [{"toObjectId": 5}]})
    remote.answer(404, {"status": "error", "category": "OBJECT_NOT_FOUND", "message": "none of them"})
    assert await scripted.find_appointment("1", MARK) is None
    remote.answers = []
    remote.answer(200, {"results": [{"toObjectId": 5}]})
    remote.answer(404, {"error": "no backend"})
    with pytest.raises(Transient, match="base_url"):
        await scripted.find_appointment("1", MARK)


async def test_a_meeting_that_is_listed_for_each_type_of_its_association_is_read_once(scripted, remote):
    types = ("contact_to_meeting_event", "contact_to_meeting_event_unlabeled")
    remote.answer(200, {"results": [{"id": "5", "type": kind} for kind in types]})
    remote.answer(200, {"results": [{"id": "5", "properties": {"hs_internal_meeting_notes": f"connector: {MARK}"}}]})
    assert await scripted.find_appointment("1", MARK) == "5"
    assert json.loads(remote.asked[1].content)["inputs"] == [{"id": "5"}]


@pytest.mark.parametrize("more", [{}, {"errors": []}, {"status": "PENDING"}])
async def test_meetings_that_are_left_out_without_a_word_are_no_answer(scripted, remote, more):
    """One of them may be the meeting, and it would be made a second time."""
    remote.answer(200, {"results": [{"toObjectId": "5"}, {"toObjectId": "6"}]})
    remote.answer(200, {"results": [{"id": "6", "properties": {"hs_internal_meeting_notes": None}}], **more})
    with pytest.raises(Transient, match="left out"):
        await scripted.find_appointment("1", MARK)


async def test_a_batch_may_name_those_that_are_gone_with_200_too(scripted, remote):
    """As version 2026-09 describes it, where older ones answer 207."""
    gone = {"category": "OBJECT_NOT_FOUND", "context": {"ids": ["5"]}, "message": "x", "status": "error"}
    remote.answer(200, {"results": [{"toObjectId": "5"}, {"toObjectId": "6"}]})
    held = {"id": "6", "properties": {"hs_internal_meeting_notes": f"connector: {MARK}"}}
    remote.answer(200, {"results": [held], "numErrors": 1, "errors": [gone], "status": "COMPLETE"})
    assert await scripted.find_appointment("1", MARK) == "6"


@pytest.mark.parametrize("data", [None, {}, {"id": "x"}, []])
async def test_a_meeting_without_an_id_is_unknown(scripted, remote, data):
    remote.answer(201, data)
    with pytest.raises(UnknownOutcome):
        await scripted.record_appointment("1", VISIT, MARK, None)


async def test_a_contact_that_is_gone_gets_no_meeting(sandbox, crm, contact):
    sandbox.archive(contact)
    with pytest.raises(Rejected):
        await crm.record_appointment(contact, VISIT, MARK, None)


@pytest.mark.parametrize(
    ("meetings", "read"),
    [
        ([{"toObjectId": "\ud800"}], None),
        ([{"toObjectId": None}], None),
        ([{"toObjectId": 5}], {"results": [{"id": "5", "properties": [1]}]}),
        ([{"toObjectId": 5}], {"results": [{"properties": {"hs_internal_meeting_notes": f"connector: {MARK}"}}]}),
        ([{"toObjectId": 5}], {"results": [], "errors": 7}),
    ],
)
async def test_what_is_no_meeting_is_no_answer(scripted, remote, meetings, read):
    remote.answer(200, {"results": meetings})
    if read is not None:
        remote.answer(200, read)
    with pytest.raises(Transient):
        await scripted.find_appointment("1", MARK)


def test_a_time_that_could_not_be_read_is_said_in_the_meeting():
    booked = Appointment(id="5", staff="Kim", unread=("start", "end"))
    assert meeting(booked)["hs_meeting_body"] == "With Kim\nThe start and end could not be read: look at the booking itself."
    assert "hs_meeting_body" not in meeting(Appointment(id="5"))
