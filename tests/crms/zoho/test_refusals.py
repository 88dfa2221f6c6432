"""Every documented way in which Zoho says no, as the answer of a request and as the result of one record."""

import pytest

from connector.model.bookings import Appointment
from connector.model.errors import AccountPaused, ActionRefused, Conflict, RateLimited, Rejected, Transient, UnknownOutcome
from connector.model.persons import Customer, NewCustomer

from .conftest import KEY

pytestmark = pytest.mark.anyio
ADA = NewCustomer(email="ada@example.com", phone="+15145550123")
CONTACT = {"id": "77", "Last_Name": "Byron", "Email": "ada@example.com", KEY: "k1"}


def error(code: str, message: str = "ada@example.com is Ada Byron's", **details) -> dict:
    return {"code": code, "details": details, "message": message, "status": "error"}


def item(code: str, **details) -> dict:
    return {"data": [error(code, **details)]}


def several(*errors: dict) -> dict:
    return item("MULTIPLE_OR_MULTI_ERRORS", errors=list(errors))


def says_nothing_personal(caught) -> None:
    text = f"{caught.value} {caught.value.hint}"
    assert not [word for word in ("@", "Ada", "Byron", "555", "t1") if word in text]
    assert caught.value.account == "crm.main"


OURS = {"api_name": KEY, "json_path": f"$.data[0].{KEY}"}
HOLDER = {"duplicate_record": {"id": "77", "Owner": {"id": "1", "name": "Ada Byron"}, "module": {"api_name": "Contacts"}}}


@pytest.mark.parametrize("status", [200, 201, 202, 207, 400])
@pytest.mark.parametrize(
    ("body", "by"),
    [
        (item("DUPLICATE_DATA", **OURS, **HOLDER), "key"),
        (item("DUPLICATE_DATA", **OURS, id="77"), "key"),
        (item("DUPLICATE_DATA", api_name="Email", **HOLDER), "email"),
        (several(error("DUPLICATE_DATA", api_name="Email", **HOLDER), error("DUPLICATE_DATA", **OURS, **HOLDER)), "key"),
        (several(error("INVALID_DATA", api_name="Phone"), error("DUPLICATE_DATA", api_name="Email", **HOLDER)), "email"),
    ],
)
async def test_a_taken_value_is_a_conflict_whose_holder_was_read(remote, scripted, status, body, by):
    remote.answer(status, body)
    remote.answer(200, {"data": [CONTACT]})
    with pytest.raises(Conflict) as caught:
        await scripted.create(ADA, "k1")
    assert (caught.value.by, caught.value.winner) == (by, "77")
    assert [request.url.path for request in remote.asked] == ["/crm/v8/Contacts/upsert", "/crm/v8/Contacts/77"]
    says_nothing_personal(caught)


async def test_an_error_of_the_whole_request_counts_for_its_one_record(remote, scripted):
    remote.answer(400, error("DUPLICATE_DATA", **OURS, **HOLDER))
    remote.answer(200, {"data": [CONTACT]})
    with pytest.raises(Conflict) as caught:
        await scripted.create(ADA, "k1")
    assert (caught.value.by, caught.value.winner) == ("key", "77")


async def test_an_upsert_that_updated_is_a_conflict(remote, scripted):
    result = {"code": "SUCCESS", "status": "success", "message": "x", "details": {"id": "77"}}
    remote.answer(200, {"data": [result | {"action": "update", "duplicate_field": KEY}]})
    remote.answer(200, {"data": [CONTACT]})
    with pytest.raises(Conflict) as caught:
        await scripted.create(ADA, "k1")
    assert (caught.value.by, caught.value.winner) == ("key", "77")


async def test_a_holder_that_is_only_named_and_carries_neither_is_no_winner(remote, scripted):
    remote.answer(400, item("DUPLICATE_DATA", **OURS, **HOLDER))
    remote.answer(200, {"data": [{"id": "77", "Last_Name": "King", "Email": "b@example.com", KEY: "another"}]})
    remote.answer(204)
    with pytest.raises(Conflict) as caught:
        await scripted.create(ADA, "k1")
    assert (caught.value.by, caught.value.winner) == ("key", None)


@pytest.mark.parametrize("status", [200, 207, 400])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (item("DUPLICATE_DATA", api_name="Loyalty_Number", **HOLDER), Rejected),
        (item("INVALID_DATA", **OURS), Rejected),
        (item("MANDATORY_NOT_FOUND", api_name="Account_Name"), Rejected),
        (item("SOMETHING_NEW"), Rejected),
        (item("INVALID_DATA", json_path="$.duplicate_check_fields[0]", api_name=KEY), AccountPaused),
        (item("NO_PERMISSION", permissions=["Crm_Implied_Create_Contacts"]), ActionRefused),
        (item("AUTHORIZATION_FAILED", resource_path_index=0), ActionRefused),
        (item("RECORD_LOCKED"), Transient),
        (item("DEPENDENT_SERVICE_ERROR", dependency_error="PROCESSING_ERROR"), Transient),
        (item("INTERNAL_ERROR"), UnknownOutcome),
        ({"data": []}, UnknownOutcome),
        ({"data": [item("INVALID_DATA"), item("INVALID_DATA")]}, UnknownOutcome),
        ({"data": ["x"]}, UnknownOutcome),
        ([], UnknownOutcome),
        (None, UnknownOutcome),
    ],
)
async def test_what_a_result_means_for_a_create(remote, scripted, status, body, kind):
    remote.answer(status, body)
    with pytest.raises(kind) as caught:
        await scripted.create(ADA, "k1")
    assert type(caught.value) is kind
    assert len(remote.asked) == 1
    says_nothing_personal(caught)


@pytest.mark.parametrize(
    "result",
    [
        {"code": "SUCCESS", "status": "success", "message": "x", "details": {"id": "77"}},
        {"code": "SUCCESS", "status": "success", "message": "x", "details": {}, "action": "insert"},
        {"code": "SUCCESS", "status": "success", "message": "x", "details": {"id": "x"}, "action": "update"},
    ],
)
async def test_a_success_that_does_not_say_what_was_done_is_looked_for(remote, scripted, result):
    remote.answer(200, {"data": [result]})
    with pytest.raises(UnknownOutcome):
        await scripted.create(ADA, "k1")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (403, error("NO_PERMISSION", permissions=["Crm_Implied_View_Contacts"]), ActionRefused),
        (403, None, ActionRefused),
        (401, error("OAUTH_SCOPE_MISMATCH"), ActionRefused),
        (400, error("INVALID_MODULE", resource_path_index=0), ActionRefused),
        (404, error("INVALID_URL_PATTERN"), ActionRefused),
        (412, item("ALREADY_MODIFIED", id="77"), UnknownOutcome),
        (500, error("INTERNAL_ERROR"), UnknownOutcome),
    ],
)
async def test_what_an_answer_means_for_a_write(remote, scripted, status, body, kind):
    remote.answer(status, body)
    with pytest.raises(kind) as caught:
        await scripted.create(ADA, "k1")
    assert type(caught.value) is kind
    says_nothing_personal(caught)
    if status == 403 and body:
        assert "Crm_Implied_View_Contacts" in str(caught.value)


@pytest.mark.parametrize("code", ["INVALID_MODULE", "INVALID_URL_PATTERN", "FEATURE_NOT_SUPPORTED"])
@pytest.mark.parametrize("call", ["get", "by_email", "fill", "find_appointment", "record_appointment"])
async def test_what_concerns_all_records_stops_this_kind_of_call_and_holds_nobody(remote, scripted, code, call):
    remote.answer(404 if code == "INVALID_URL_PATTERN" else 400, error(code, resource_path_index=0))
    calls = {
        "get": lambda: scripted.get("77"),
        "by_email": lambda: scripted.by_email("ada@example.com"),
        "fill": lambda: scripted.fill(Customer(id="77"), NewCustomer(phone="+15145550123")),
        "find_appointment": lambda: scripted.find_appointment("77", "m"),
        "record_appointment": lambda: scripted.record_appointment("77", Appointment(id="1", title="Fitting"), "m", "78"),
    }
    with pytest.raises(ActionRefused) as caught:
        await calls[call]()
    assert "crm.main" in caught.value.hint
    says_nothing_personal(caught)


@pytest.mark.parametrize("code", ["INTERNAL_ERROR", "INTERNAL_SERVER_ERROR"])
async def test_an_internal_error_of_a_read_passes(remote, scripted, code):
    remote.answer(400, error(code))
    with pytest.raises(Transient) as caught:
        await scripted.by_key("k1")
    assert type(caught.value) is Transient


async def test_a_refused_token_is_replaced_once_and_then_it_is_the_rights(remote, scripted):
    remote.answer(401, error("INVALID_TOKEN"))
    with pytest.raises(AccountPaused) as caught:
        await scripted.create(ADA, "k1")
    assert (len(remote.asked), remote.tokens) == (2, 2)
    assert remote.asked[-1].headers["authorization"] == "Zoho-oauthtoken t2"
    says_nothing_personal(caught)


# ---- what an update meets ----

CUSTOMER = Customer(id="77", last_name="Byron")
NAMES = NewCustomer(first_name="Ada", mobile_phone="+15145550123")


@pytest.mark.parametrize(
    "gone",
    [
        item("INVALID_DATA", api_name="id", json_path="$.data[0].id"),
        item("INVALID_DATA", resource_path_index=1),
        error("INVALID_DATA", resource_path_index=1),
        item("INVALID_DATA"),
    ],
)
async def test_a_record_is_gone_only_when_a_read_says_so_too(remote, scripted, gone):
    remote.answer(400, gone)
    remote.answer(204)
    with pytest.raises(Rejected) as caught:
        await scripted.fill(CUSTOMER, NAMES)
    assert caught.value.status == 404
    remote.answers, remote.asked = [], []
    remote.answer(400, gone)
    remote.answer(200, {"data": [CONTACT]})
    with pytest.raises(Rejected) as caught:
        await scripted.fill(CUSTOMER, NAMES)
    assert caught.value.status == 400


async def test_an_appointment_on_a_contact_that_is_gone_is_refused_with_the_field(remote, scripted):
    fields = {"fields": [{"api_name": "Connector_Marker", "data_type": "text", "unique": {}}]}
    remote.answer(200, fields)
    remote.answer(400, item("INVALID_DATA", api_name="Who_Id", json_path="$.data[0].Who_Id"))
    with pytest.raises(Rejected) as caught:
        await scripted.record_appointment("77", Appointment(id="B1"), "m1", None)
    assert caught.value.fields == ("Who_Id",)


# ---- 429 ----


@pytest.mark.parametrize(("headers", "wait"), [({}, 30.0), ({"retry-after": "7"}, 7.0)])
async def test_too_many_calls_make_everybody_wait(remote, scripted, quotas, headers, wait):
    remote.answer(429, error("TOO_MANY_REQUESTS"), headers)
    with pytest.raises(RateLimited) as caught:
        await scripted.create(ADA, "k1")
    assert caught.value.retry_after == wait
    assert quotas["sandbox-refresh"]._blocked_until > 0


async def test_an_account_without_credits_pauses_as_a_whole(remote, scripted):
    remote.answer(429, error("TOO_MANY_REQUESTS"), {"X-API-CREDITS-REMAINING": "0"})
    with pytest.raises(AccountPaused) as caught:
        await scripted.create(ADA, "k1")
    assert caught.value.retry_after == 900
    assert "credits" in caught.value.hint
