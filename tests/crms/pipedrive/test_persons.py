"""Finding and creating where nothing is unique."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from connector.model.errors import Conflict, Lasting, Transient, UnknownOutcome
from connector.model.persons import Customer, NewCustomer
from connector.sandbox.kit.faults import Faults
from connector.sandbox.pipedrive.app import MARKER, PipedriveSandbox

pytestmark = pytest.mark.anyio
ADA = NewCustomer(first_name="Ada", last_name="Byron", email="ada@example.com", mobile_phone="+15145550123")


async def test_fifty_creates_of_one_person_under_different_keys_make_one_person(sandbox, crm):
    sandbox.faults = Faults(search_lag_seconds=3600)
    results = await asyncio.gather(*(crm.create(ADA, f"{n:064}") for n in range(50)), return_exceptions=True)
    (made,) = [result for result in results if isinstance(result, Customer)]
    conflicts = [result for result in results if isinstance(result, Conflict)]
    assert len(conflicts) == 49
    assert {(conflict.by, conflict.winner) for conflict in conflicts} == {("email", made.id)}
    assert len(sandbox.persons()) == 1


async def test_a_create_whose_answer_was_lost_is_found_by_its_marker_without_the_search(sandbox, crm):
    sandbox.faults = Faults(lost_answer=1, methods=("POST",))
    with pytest.raises(UnknownOutcome):
        await crm.create(ADA, "k" * 64)
    sandbox.faults = Faults(search_lag_seconds=3600)
    assert (await crm.by_key("k" * 64)).id == str(sandbox.persons()[0]["id"])
    assert sandbox.requests["GET persons/search"] == 0


async def test_an_old_person_is_found_by_key_and_email_through_the_search(sandbox, crm):
    old = sandbox.add_person("Ada Byron", emails=("ADA@example.com",), key="k" * 64, age=7200)
    assert (await crm.by_key("k" * 64)).id == old
    assert [customer.id for customer in await crm.by_email("ada@example.com")] == [old]


async def test_what_the_index_says_of_a_person_is_read_again(sandbox, crm):
    person = sandbox.add_person("Ada Byron", emails=("ada@example.com",), age=600)
    sandbox.records.update_person(int(person), {"emails": [{"value": "other@example.com"}]})
    sandbox.faults = Faults(search_lag_seconds=300)
    assert await crm.by_email("ada@example.com") == []


async def test_two_persons_with_one_key_are_for_a_person_to_tidy_up(sandbox, crm):
    for _ in range(2):
        sandbox.add_person("Ada Byron", key="k" * 64)
    with pytest.raises(Lasting) as caught:
        await crm.by_key("k" * 64)
    assert "Merge" in caught.value.hint


async def test_a_merged_person_is_followed_by_the_marker_that_went_over(sandbox, crm):
    loser = sandbox.add_person("Ada Byron", key="k" * 64, age=7200)
    survivor = sandbox.add_person("A. Byron", emails=("ada@example.com",), age=7200)
    sandbox.merge(loser, survivor)
    assert (await crm.get(loser)).id == survivor
    sandbox.rules.deleted_reads = "gone"
    assert await crm.get(loser) is None


async def test_pages_are_followed_and_a_list_without_end_is_no_answer(sandbox, crm):
    for number in range(1200):
        sandbox.add_person(f"Person {number}", emails=(f"p{number}@example.com",))
    sandbox.faults = Faults(search_lag_seconds=3600)
    assert len(await crm.by_email("p1199@example.com")) == 1
    for number in range(3900):
        sandbox.add_person(f"More {number}")
    with pytest.raises(Transient, match="cut short"):
        await crm.by_email("nobody@example.com")


async def test_the_window_is_counted_by_the_clock_of_the_answers(remote, scripted):
    there = datetime.now(UTC) - timedelta(hours=5)
    date = {"date": format_datetime(there, usegmt=True)}
    field = {"field_name": MARKER, "field_code": "f" * 40, "is_custom_field": True}
    remote.answer(200, {"success": True, "data": [field]}, date)
    remote.answer(200, {"success": True, "data": []}, date)
    await scripted.by_email("ada@example.com")
    asked = datetime.fromisoformat(remote.asked[1].url.params["updated_since"])
    assert abs(asked - (there - timedelta(minutes=15))) < timedelta(seconds=5)


async def test_a_person_without_a_name_is_named_by_the_address_and_gets_a_name_later(sandbox, crm):
    made = await crm.create(NewCustomer(email="ada@example.com"), "k" * 64)
    assert (made.first_name, made.last_name) == ("", "")
    assert set(await crm.fill(made, ADA)) == {"first_name", "last_name", "mobile_phone"}
    assert sandbox.persons()[0]["name"] == "Ada Byron"


async def test_how_pipedrive_divides_a_name_is_not_used(sandbox, crm):
    """It makes of this one "Tom" and "& Sue Hart"."""
    couple = await crm.get(sandbox.add_person("Tom & Sue Hart"))
    assert (couple.first_name, couple.last_name, couple.one_name) == ("Tom & Sue Hart", "", True)


async def test_a_name_of_which_one_part_was_known_is_completed(sandbox, crm):
    made = await crm.create(NewCustomer(last_name="Byron", email="ada@example.com"), "k" * 64)
    assert set(await crm.fill(made, ADA)) == {"first_name", "last_name", "mobile_phone"}
    completed = await crm.get(made.id)
    assert completed.first_name == "Ada Byron"
    assert await crm.fill(completed, ADA.model_copy(update={"first_name": "Augusta Ada"})) == ()


async def test_fill_keeps_what_somebody_wrote_meanwhile(sandbox, crm):
    person = sandbox.add_person("Ada Byron", phones=(("+15145550100", "work"),))
    seen = await crm.get(person)
    sandbox.records.update_person(int(person), {"emails": [{"value": "new@example.com"}]})
    assert await crm.fill(seen, ADA) == ("mobile_phone",)
    stored = sandbox.persons()[0]
    assert [entry["value"] for entry in stored["emails"]] == ["new@example.com"]
    assert [(entry["value"], entry["label"]) for entry in stored["phones"]] == [
        ("+15145550100", "work"),
        ("+15145550123", "mobile"),
    ]


async def test_where_the_list_is_late_too_a_second_person_is_made(connect):
    """The risk that stays: nobody but Pipedrive could refuse it. A check says so, and what cannot be checked."""
    sandbox = PipedriveSandbox(fields=(MARKER,), per_2_seconds=None, searches_per_2_seconds=None)
    sandbox.rules.list_lag_seconds = 60
    crm = connect(httpx.ASGITransport(sandbox.app))
    await crm.create(ADA, "a" * 64)
    await crm.create(ADA, "b" * 64)
    assert len(sandbox.persons()) == 2
    check, persons, writing = await crm.checks()
    assert "does not refuse a second person" in check.message
    assert (persons.id, persons.level) == ("crm.main.persons", "ok")
    assert (
        "cannot be checked without writing: whether the token's user may add and edit persons and activities" in writing.message
    )
    crm.records = True
    assert [check.id.removeprefix("crm.main.") for check in await crm.checks()] == ["field", "persons", "activities", "writing"]
    assert len(sandbox.persons()) == 2
    await crm.remote.aclose()


@pytest.mark.parametrize(
    ("status", "read", "made"),
    [
        (200, {"success": True, "data": {"id": 7, "name": "Ada Byron", "custom_fields": {"f" * 40: "k" * 64}}}, True),
        (200, {"success": True, "data": {"id": 7, "name": "Ada Byron", "custom_fields": {"f" * 40: "another"}}}, False),
        (200, {"success": True, "data": {"id": 7, "name": "Ada Byron", "custom_fields": {}}}, False),
        (404, {"success": False, "error": "Person not found"}, False),
        (500, {"success": False, "error": "no"}, False),
        (429, {"success": False, "error": "request over limit"}, False),
    ],
)
async def test_an_answer_without_own_fields_is_completed_by_a_read(remote, scripted, status, read, made):
    """That the person was made is never forgotten, whatever the read says."""
    field = {"field_name": MARKER, "field_code": "f" * 40, "is_custom_field": True}
    remote.answer(200, {"success": True, "data": [field], "additional_data": {"next_cursor": None}})
    remote.answer(200, {"success": True, "data": []})
    remote.answer(200, {"success": True, "data": {"id": 7, "name": "Ada Byron", "emails": [], "custom_fields": {}}})
    remote.answer(status, read)
    if made:
        customer = await scripted.create(ADA, "k" * 64)
        assert (customer.id, customer.person_key) == ("7", "k" * 64)
    else:
        with pytest.raises(UnknownOutcome):
            await scripted.create(ADA, "k" * 64)
    assert [request.method for request in remote.asked[:4]] == ["GET", "GET", "POST", "GET"]
    assert remote.asked[3].url.path == "/api/v2/persons/7"
    assert sum(request.method == "POST" for request in remote.asked) == 1


async def test_a_list_whose_next_page_is_refused_begins_again(remote, scripted):
    """A cursor may die between two pages, as those of others do: restforce/restforce issue 616."""
    remote.answer(200, {"success": True, "data": [], "additional_data": {"next_cursor": "c1"}})
    remote.answer(400, {"success": False, "error": "Invalid cursor"})
    with pytest.raises(Transient, match="the next page was refused"):
        await scripted.find_appointment("7", "m")
    assert [request.url.params.get("cursor") for request in remote.asked] == [None, "c1"]
