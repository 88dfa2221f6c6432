"""Answers as the vendor's own description shows them: with members that may be missing, null or more than we know."""

from datetime import UTC, datetime

import httpx
import pytest

from connector.model.bookings import Appointment, Status
from connector.sandbox.pipedrive.app import MARKER

pytestmark = pytest.mark.anyio
CODE, MARK = "f" * 40, "0123abcd"
VISIT = Appointment(id="B1", status=Status.SCHEDULED, starts_at=datetime(2027, 3, 1, 12, tzinfo=UTC), title="Fitting")
#: A field's definition in full: what it lacks is null.
FIELD = {
    "field_name": MARKER,
    "field_code": CODE,
    "description": "x",
    "field_type": "varchar",
    "options": None,
    "subfields": None,
    "is_custom_field": True,
    "is_optional_response_field": False,
    "ui_visibility": {"add_visible_flag": True, "show_in_add_deal_dialog": {"show": False, "order": None}},
    "required_fields": {"enabled": False},
}
PERSON = {
    "id": 7,
    "name": "Ada Byron",
    "first_name": "Ada",
    "last_name": "Byron",
    "owner_id": 1,
    "org_id": 1,
    "add_time": "2026-01-01T00:00:00Z",
    "update_time": "2026-01-02T00:00:00Z",
    "emails": [
        {"value": "ada@example.com", "primary": True, "label": "work"},
        {"value": "ada@example.org", "primary": False, "label": "home"},
    ],
    "phones": [{"value": "+1 514 555 0124", "primary": True, "label": "work"}],
    "is_deleted": False,
    "visible_to": 7,
    "label_ids": [1, 2],
    "picture_id": 1,
    "custom_fields": {CODE: "k" * 64},
    "notes": "x",
    "im": [{"value": "ada", "primary": True, "label": "skype"}],
    "birthday": "1990-12-31",
    "job_title": "x",
    "postal_address": {"value": "Main Street", "country": "CA"},
}
ACTIVITY = {
    "id": 9,
    "subject": "Fitting",
    "type": "meeting",
    "owner_id": 1,
    "creator_user_id": 1,
    "is_deleted": False,
    "add_time": "2026-01-01T00:00:00Z",
    "update_time": "2026-01-01T00:00:00Z",
    "deal_id": 5,
    "lead_id": "x",
    "person_id": 7,
    "org_id": 7,
    "project_id": 8,
    "due_date": "2027-03-01",
    "due_time": "12:00:00",
    "duration": "01:00:00",
    "busy": True,
    "done": False,
    "marked_as_done_time": "2026-01-01T00:00:00Z",
    "location": {"value": "Main Street", "country": "CA", "route": "Main St", "street_number": "1"},
    "participants": [{"person_id": 7, "primary": True}],
    "attendees": [{"email": "ada@example.com", "name": "Ada", "status": "accepted", "is_organizer": True, "user_id": 1}],
    "conference_meeting_client": "x",
    "public_description": "x",
    "priority": 263,
    "note": f"<div><p>connector: {MARK}</p></div>",
}
HIT = {
    "result_score": 0.5,
    "item": {
        "id": 7,
        "type": "person",
        "name": "Ada Byron",
        "phones": [],
        "emails": ["ada@example.com"],
        "visible_to": 3,
        "owner": {"id": 1},
        "organization": {"id": 1, "name": "x", "address": None},
        "custom_fields": [],
        "notes": [],
    },
}
USER = {
    "id": 1,
    "name": "Kim",
    "email": "kim@example.com",
    "active_flag": True,
    "is_deleted": False,
    "icon_url": None,
    "lang": 1,
}
#: Where there is no further page, the cursor may be null, and so may be what holds it, or it is not there.
ENDS = [{"additional_data": {"next_cursor": None}}, {"additional_data": None}, {"additional_data": {}}, {}]


class Examples:
    """Answers each call with its example; `end` is how a last page ends."""

    def __init__(self, end: dict) -> None:
        self.asked: list[str] = []
        self._lists = {
            "personFields": [FIELD],
            "persons": [PERSON],
            "activities": [ACTIVITY],
            "search": {"items": [HIT]},
            "users": [USER],
        }
        self._end = end

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.asked.append(f"{request.method} {path}")
        last = path.rpartition("/")[2]
        if request.method == "GET" and last in self._lists:
            return httpx.Response(200, json={"success": True, "data": self._lists[last], **self._end})
        record = ACTIVITY if "/activities" in path else PERSON
        return httpx.Response(200, json={"success": True, "data": record})


@pytest.fixture(params=ENDS, ids=["null", "nothing", "empty", "missing"])
def remote(request) -> Examples:
    return Examples(request.param)


async def test_a_person_is_read(scripted):
    person = await scripted.get("7")
    assert (person.emails, person.phone, person.person_key) == (
        ("ada@example.com", "ada@example.org"),
        "+1 514 555 0124",
        "k" * 64,
    )
    assert person.active_at == datetime(2026, 1, 2, tzinfo=UTC)


async def test_a_person_is_found_by_each_look_up(scripted):
    assert [one.id for one in await scripted.by_email("ada@example.org")] == ["7"]
    assert [one.id for one in await scripted.by_phone("+15145550124")] == ["7"]
    assert (await scripted.by_key("k" * 64)).id == "7"


async def test_an_appointment_is_recorded_updated_and_found_in_a_note_that_became_markup(scripted, remote):
    assert await scripted.record_appointment("7", VISIT, MARK, None) == "9"
    assert await scripted.record_appointment("7", VISIT, MARK, "9") == "9"
    assert await scripted.find_appointment("7", MARK) == "9"
    assert await scripted.find_appointment("7", "another") is None
    assert remote.asked.count("POST /api/v2/activities") == 1


async def test_users_and_fields_are_read(scripted):
    assert await scripted.users() == {"1": "kim@example.com"}
    assert MARKER in await scripted.fields()
