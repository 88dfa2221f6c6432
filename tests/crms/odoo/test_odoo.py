"""What is special about Odoo: two APIs, failures with status 200, permanent 500s, races, archives, merges, keys that end."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from msgspec.structs import replace
from pydantic import ValidationError

from connector.crms.odoo import mapping
from connector.crms.odoo.settings import OdooSettings
from connector.model.bookings import Appointment, Status
from connector.model.errors import AccountPaused, ActionRefused, Conflict, RateLimited, Rejected, Transient, UnknownOutcome
from connector.model.persons import Customer, NewCustomer
from connector.remote.circuit_breaker import REFUSALS_BEFORE_STOP
from connector.sandbox.odoo.app import OdooSandbox

from .conftest import BASE

pytestmark = pytest.mark.anyio
KEY, OTHER = "a" * 64, "b" * 64
ADA = NewCustomer(
    first_name="Ada", last_name="Byron", email="ada@example.com", mobile_phone="+15145550123", phone="+15145550124"
)
NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
FITTING = Appointment(id="B1", status=Status.SCHEDULED, starts_at=NOON, ends_at=NOON + timedelta(minutes=30), title="Fitting")
OLDER = {"database": "sandbox", "login": "connector"}


# ---- the two APIs ----


async def test_an_older_server_is_used_by_json_rpc_and_keeps_both_numbers(older, connect):
    crm = connect(older, **OLDER)
    made = await crm.create(ADA, KEY)
    assert (made.mobile_phone, made.phone, made.refused) == ("+15145550123", "+15145550124", ())
    assert [c.id for c in await crm.by_phone("+15145550124")] == [made.id]
    with pytest.raises(Conflict) as caught:
        await crm.create(ADA, KEY)
    assert caught.value.winner == made.id
    await crm.probe()


async def test_an_older_server_without_database_and_login_says_what_is_missing(older, connect):
    with pytest.raises(AccountPaused) as caught:
        await connect(older).by_key(KEY)
    assert "database and login in [crm.main]" in caught.value.hint


async def test_a_login_answered_false_pauses_the_account(older, connect):
    older.api_key = "another"
    crm = connect(older, **OLDER)
    with pytest.raises(AccountPaused):
        await crm.by_key(KEY)
    assert crm.remote.breaker.error is not None


async def test_a_wrong_database_pauses_the_account(sandbox, connect):
    with pytest.raises(AccountPaused) as caught:
        await connect(sandbox, database="another").by_key(KEY)
    assert "database in [crm.main]" in caught.value.hint


def test_the_older_api_by_setting_needs_database_and_login():
    with pytest.raises(ValidationError, match="needs database and login"):
        OdooSettings.model_validate({**BASE, "api": "json-rpc"})


# ---- one person, one contact ----


async def test_fifty_creates_at_once_make_one_contact(sandbox, connect):
    crm = connect(sandbox)
    results = await asyncio.gather(*(crm.create(ADA, KEY) for _ in range(50)), return_exceptions=True)
    (made,) = [r for r in results if isinstance(r, Customer)]
    assert {r.winner for r in results if isinstance(r, Conflict)} == {made.id}
    assert len(sandbox.partners()) == 1


async def test_of_two_processes_one_loses_in_odoo_and_finds_the_winner(sandbox, connect):
    results = await asyncio.gather(*(connect(sandbox).create(ADA, KEY) for _ in range(8)), return_exceptions=True)
    ids = {r.id if isinstance(r, Customer) else r.winner for r in results}
    assert ids == {str(partner["id"]) for partner in sandbox.partners()}
    assert len(ids) == 1


@pytest.mark.parametrize(
    "text", ["could not serialize access due to concurrent update", 'violates "ir_model_data_module_name_x"']
)
async def test_a_lost_race_with_status_200_is_tried_again(scripted, far, text):
    far.answer("load", 200, {"ids": False, "messages": [{"type": "error", "message": text}]})
    with pytest.raises(Transient) as caught:
        await scripted.create(ADA, KEY)
    assert not isinstance(caught.value, UnknownOutcome)


async def test_a_failure_with_status_200_is_held_and_its_sentence_is_not_repeated(scripted, far):
    message = {"type": "error", "message": "ada@example.com is not allowed", "field": "email"}
    far.answer("load", 200, {"ids": False, "messages": [message]})
    with pytest.raises(Rejected) as caught:
        await scripted.create(ADA, KEY)
    assert caught.value.fields == ("email",)
    assert "@" not in f"{caught.value} {caught.value.hint}"


async def test_a_load_without_ids_and_reasons_proves_nothing(scripted, far):
    far.answer("load", 200, {})
    with pytest.raises(UnknownOutcome):
        await scripted.create(ADA, KEY)


async def test_without_the_right_to_create_the_account_pauses(sandbox, connect):
    sandbox.records.rights.remove(("res.partner", "create"))
    crm = connect(sandbox)
    with pytest.raises(AccountPaused) as caught:
        await crm.create(ADA, KEY)
    assert "contacts" in caught.value.hint
    assert {check.id: check.level for check in await crm.checks()}["crm.main.contacts"] == "error"


async def test_without_the_right_to_create_events_only_appointments_wait(sandbox, connect):
    sandbox.records.rights.remove(("calendar.event", "create"))
    crm = connect(sandbox)
    made = await crm.create(ADA, KEY)
    with pytest.raises(ActionRefused) as caught:
        await crm.record_appointment(made.id, FITTING, KEY, None)
    assert (caught.value.action, caught.value.certain) == ("record the appointment", True)
    assert crm.remote.breaker.error is None
    assert "crm.main.events" not in {check.id for check in await crm.checks()}, "no sync needs them"
    crm.records = True
    events = {check.id: check for check in await crm.checks()}["crm.main.events"]
    assert (events.level, "may not create calendar events" in events.message) == ("error", True)


@pytest.mark.parametrize("major", [19, 17])
async def test_without_the_calendar_app_only_appointments_wait(connect, major):
    sandbox = OdooSandbox(major=major)
    del sandbox.records.schema["calendar.event"]
    crm = connect(sandbox, **({} if major == 19 else OLDER))
    made = await crm.create(ADA, KEY)
    for record in (None, "77"):
        with pytest.raises(ActionRefused) as caught:
            await crm.record_appointment(made.id, FITTING, KEY, record)
        assert caught.value.certain
        assert "Calendar" in caught.value.hint
    assert crm.remote.breaker.error is None
    crm.records = True
    events = {check.id: check for check in await crm.checks()}["crm.main.events"]
    assert (events.level, "Calendar" in events.hint) == ("error", True)


async def test_a_right_that_an_older_server_refuses_with_status_200_stops_this_action_alone(connect):
    def answer(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)["params"]
        if asked["service"] == "common":
            result = {"server_version_info": [17, 0]} if asked["method"] == "version" else 7
            return httpx.Response(200, json={"jsonrpc": "2.0", "result": result})
        error = {"data": {"name": "odoo.exceptions.AccessError", "message": "ada@example.com"}}
        return httpx.Response(200, json={"jsonrpc": "2.0", "error": error})

    crm = connect(httpx.MockTransport(answer), api="json-rpc", **OLDER)
    for _ in range(REFUSALS_BEFORE_STOP):
        with pytest.raises(ActionRefused) as caught:
            await crm.by_key(KEY)
    breaker = crm.remote.breaker
    assert (breaker.error, breaker.is_stopped(caught.value.action)) == (None, True)
    assert len(breaker.stopped()) == 1
    with pytest.raises(AccountPaused) as paused:
        await crm.probe()
    assert type(paused.value) is AccountPaused, "what the probe is refused, the account is"


async def test_an_archived_contact_with_our_key_is_neither_found_nor_changed(sandbox, connect):
    crm = connect(sandbox)
    made = await crm.create(ADA, KEY)
    sandbox.archive(made.id)
    assert await crm.get(made.id) is None
    assert await crm.by_key(KEY) is None
    with pytest.raises(Rejected) as caught:
        await crm.create(ADA.model_copy(update={"email": "other@example.com"}), KEY)
    assert made.id in caught.value.hint
    assert sandbox.records.tables["res.partner"][int(made.id)]["email"] == "ada@example.com"


async def test_after_a_merge_both_keys_lead_to_the_survivor(sandbox, connect):
    crm = connect(sandbox)
    loser, survivor = await crm.create(ADA, KEY), await crm.create(NewCustomer(email="grace@example.com"), OTHER)
    sandbox.merge(loser.id, survivor.id)
    assert {(await crm.by_key(key)).id for key in (KEY, OTHER)} == {survivor.id}


async def test_empty_cells_are_never_sent(sandbox, connect, monkeypatch):
    seen = []
    real = sandbox.records.load
    monkeypatch.setattr(sandbox.records, "load", lambda *a: (seen.append(a[2]), real(*a))[1])
    await connect(sandbox).create(NewCustomer(email="ada@example.com"), KEY)
    assert seen
    assert all(cell for row in seen[0] for cell in row)


# ---- refusals ----


@pytest.mark.parametrize(
    ("status", "name", "kind"),
    [
        (500, "builtins.ValueError", Rejected),
        (422, "odoo.exceptions.ValidationError", Rejected),
        (403, "odoo.exceptions.AccessError", ActionRefused),
        (401, "werkzeug.exceptions.Unauthorized", AccountPaused),
        (500, "psycopg2.errors.SerializationFailure", Transient),
        (500, "some.module.Unheard", UnknownOutcome),
        (429, "", RateLimited),
    ],
)
async def test_the_class_of_an_exception_decides_not_the_status(scripted, far, status, name, kind):
    far.answer("load", status, {"name": name, "message": "ada@example.com", "debug": "traceback"})
    with pytest.raises(kind) as caught:
        await scripted.create(ADA, KEY)
    assert type(caught.value) is kind
    assert "@" not in f"{caught.value} {caught.value.hint}"


async def test_an_error_that_does_not_quote_our_key_is_not_an_empty_answer(scripted, far):
    far.answer("check_object_reference", 500, {"name": "builtins.ValueError", "message": "Invalid field"})
    with pytest.raises(Rejected):
        await scripted.by_key(KEY)


# ---- numbers and names ----


async def test_a_server_without_a_field_for_mobile_numbers_keeps_one_number(sandbox, connect):
    crm = connect(sandbox)
    made = await crm.create(ADA, KEY)
    assert (made.phone, made.mobile_phone, made.refused) == ("+15145550123", "", ("phone",))
    assert await crm.fill(made, ADA) == ()


@pytest.mark.parametrize("typed", ["(514) 555-0123", "+1 514 555 01 23", "514.555.0123"])
async def test_a_number_is_found_however_it_was_typed(sandbox, connect, typed):
    made = sandbox.add_partner(name="Ada", phone=typed)
    sandbox.add_partner(name="Grace", phone="514 555 0124")
    assert [c.id for c in await connect(sandbox).by_phone("+15145550123")] == [made]


async def test_a_name_that_only_stands_in_for_one_is_filled(sandbox, connect):
    crm = connect(sandbox)
    made = await crm.create(NewCustomer(email="ada@example.com"), KEY)
    assert made.first_name == ""
    assert await crm.fill(made, NewCustomer(first_name="Ada", last_name="Byron")) == ("first_name", "last_name")
    assert (await crm.get(made.id)).first_name == "Ada Byron"


async def test_a_name_of_which_one_part_was_known_is_completed(sandbox, connect):
    crm = connect(sandbox)
    made = await crm.create(NewCustomer(last_name="Byron", email="ada@example.com"), KEY)
    assert await crm.fill(made, NewCustomer(first_name="Ada", last_name="Byron")) == ("first_name", "last_name")
    completed = await crm.get(made.id)
    assert (completed.first_name, completed.one_name) == ("Ada Byron", True)
    assert await crm.fill(completed, NewCustomer(first_name="Augusta Ada", last_name="Byron")) == ()


# ---- appointments ----


async def test_an_appointment_is_moved_cancelled_and_taken_back_without_a_mail(sandbox, connect):
    crm = connect(sandbox)
    ada = (await crm.create(ADA, KEY)).id
    record = await crm.record_appointment(ada, FITTING, "m1", None)
    assert await crm.record_appointment(ada, FITTING, "m1", None) == record
    for status, name, show_as in (
        (Status.CANCELLED, "Cancelled: Fitting", "free"),
        (Status.NO_SHOW, "No-show: Fitting", "free"),
        (Status.SCHEDULED, "Fitting", "busy"),
    ):
        later = NOON + timedelta(days=1)
        # Without a title the present one stays, with the label of the new status.
        moved = replace(FITTING, status=status, title="", starts_at=later, ends_at=None)
        await crm.record_appointment(ada, moved, "m1", record)
        (event,) = sandbox.events()
        assert (event["name"], event["show_as"]) == (name, show_as)
        assert (event["start"], event["stop"]) == ("2027-03-02 12:00:00", "2027-03-02 13:00:00")
    assert sandbox.records.mails == 0


def test_an_event_never_ends_before_it_starts():
    found = mapping.event(replace(FITTING, ends_at=NOON - timedelta(hours=1)), 60)
    assert (found["start"], found["stop"]) == ("2027-03-01 12:00:00", "2027-03-01 13:00:00")


# ---- the key's end ----


@pytest.mark.parametrize(("days", "level"), [(90, "ok"), (15, "ok"), (13, "warning")])
async def test_the_days_of_the_key_are_counted_from_the_list_of_keys(connect, days, level):
    crm = connect(OdooSandbox(key_expires=datetime.now(UTC) + timedelta(days=days, hours=1)))
    check = {check.id: check for check in await crm.checks()}["crm.main.key"]
    assert check.level == level
    assert str(days) in check.message


async def test_the_configured_end_counts_and_an_unknown_one_is_a_warning(sandbox, connect):
    today = datetime.now(UTC).date()
    ended = connect(sandbox, api_key_expires=today - timedelta(days=2))
    assert {check.id: check.level for check in await ended.checks()}["crm.main.key"] == "error"
    sandbox.add_key("another", "2027-01-01 00:00:00")
    check = {check.id: check for check in await connect(sandbox).checks()}["crm.main.key"]
    assert (check.level, "api_key_expires" in check.hint) == ("warning", True)


async def test_only_named_fields_of_json_2_are_sent(scripted, far):
    """The published form: POST /json/2/<model>/<method>, `bearer`, named arguments, `ids` and `context` beside them."""
    far.answer("load", 200, {"ids": False, "messages": [{"type": "error", "message": "x"}]})
    with pytest.raises(Rejected):
        await scripted.create(ADA, KEY)
    for request in far.asked:
        body = json.loads(request.content)
        assert (request.method, request.headers["authorization"]) == ("POST", "bearer sandbox-key")
        assert request.url.path.startswith("/json/2/")
        assert isinstance(body["context"], dict)
        assert isinstance(body.get("ids", []), list)


async def test_times_are_utc_whatever_zone_our_user_has_chosen(sandbox, connect):
    sandbox.records.user_zone = "America/Toronto"
    crm = connect(sandbox)
    made = await crm.create(ADA, KEY)
    await crm.record_appointment(made.id, FITTING, "m1", None)
    (event,) = sandbox.events()
    assert (event["start"], event["stop"]) == ("2027-03-01 12:00:00", "2027-03-01 12:30:00")
