"""The two places for a customer id: everything else of the object goes back as it was read."""

import json

import httpx
import pytest

from connector.booking_systems.base import ClientLink
from connector.model.capabilities import BookingCapability
from connector.model.errors import AccountPaused, Rejected, Transient, UnknownOutcome
from connector.sandbox.bookeo.app import BookeoSandbox
from connector.sandbox.kit.faults import Faults

from .conftest import answers

pytestmark = pytest.mark.anyio

FIELDS = {"textFields": [{"id": "F1", "name": "CRM customer id"}]}
REF = {"write_back": "external_ref"}


def sent(request):
    return json.loads(request.content)


# ---- the custom field ----


async def test_everything_else_of_a_customer_is_sent_back_as_it_was_read(connect):
    customer = {
        "id": "C1",
        "firstName": "Ada",
        "unheardOf": {"a": [1, None, {"b": 2.50}], "ü": ""},
        "customFields": [{"id": "F0", "name": "Shoe size", "value": "38"}, {"id": "F1", "name": "CRM customer id", "new": 1}],
    }
    remote_system = answers(FIELDS, customer, {**customer, "customFields": [{"id": "F1", "value": "77"}]})
    await connect(remote_system).write_link(ClientLink(client_id="C1"), "77")
    *_, put = remote_system.requests
    assert (put.method, put.url.path, dict(put.url.params)) == ("PUT", "/v2/customers/C1", {"mode": "backend"})
    entry = {**customer["customFields"][1], "value": "77"}
    assert sent(put) == {**customer, "customFields": [customer["customFields"][0], entry]}


@pytest.mark.parametrize("fields", [{}, {"customFields": None}, {"customFields": []}])
async def test_a_customer_without_custom_fields_gets_one(connect, fields):
    customer = {"id": "C1", **fields}
    remote_system = answers(FIELDS, customer, httpx.Response(200), {"id": "C1", "customFields": [{"id": "F1", "value": "77"}]})
    written = await connect(remote_system).write_link(ClientLink(client_id="C1"), "77")
    assert written == ClientLink(client_id="C1", customer_id="77")
    assert sent(remote_system.requests[2]) == {"id": "C1", "customFields": [{"id": "F1", "value": "77"}]}


async def test_an_entry_known_by_name_only(connect):
    customer = {"id": "C1", "customFields": [{"name": "crm Customer ID ", "value": "76"}, {"name": "Other", "value": "1"}]}
    bookeo = connect(answers(FIELDS, customer, customer, {"id": "C1", "customFields": [{"id": "F1", "value": "77"}]}))
    link = await bookeo.read_link("C1")
    assert link.customer_id == "76"
    await bookeo.write_link(link, "77")


async def test_without_a_mode(connect, sandbox, ada):
    await connect(sandbox, customer_mode="none").write_link(ClientLink(client_id=ada), "77")
    remote_system = answers(FIELDS, {"id": "C1"}, {"id": "C1", "customFields": [{"id": "F1", "value": "77"}]})
    await connect(remote_system, customer_mode="none").write_link(ClientLink(client_id="C1"), "77")
    assert not remote_system.requests[-1].url.params


async def test_what_is_there_already_is_not_written(connect, sandbox, ada):
    bookeo = connect(sandbox)
    await bookeo.write_link(ClientLink(client_id=ada), "77")
    await bookeo.write_link(await bookeo.read_link(ada), "77")
    assert sandbox.requests["PUT /customers/{id}"] == 1
    assert len(sandbox.outbox.waiting) == 1


async def test_an_edit_by_the_staff_since_the_link_was_read_is_kept(connect, sandbox, ada):
    bookeo = connect(sandbox)
    link = await bookeo.read_link(ada)
    sandbox.update_customer(ada, firstName="Augusta")
    await bookeo.write_link(link, "77")
    assert sandbox.state.customers[ada]["firstName"] == "Augusta"


async def test_another_id_that_was_stored_meanwhile_is_not_overwritten(connect, sandbox, ada):
    bookeo, field = connect(sandbox), sandbox.state.field_id("CRM customer id")
    link = await bookeo.read_link(ada)
    sandbox.state.set_custom(ada, field, "88")
    with pytest.raises(Transient, match="meanwhile"):
        await bookeo.write_link(link, "77")
    assert sandbox.state.custom(ada, field) == "88"
    assert (await bookeo.write_link(await bookeo.read_link(ada), "77")).customer_id == "77"


async def test_a_write_that_is_not_shown_is_read_back(connect):
    sandbox = BookeoSandbox(quota=None, put_answer="nothing")
    customer = sandbox.add_customer()
    assert (await connect(sandbox).write_link(ClientLink(client_id=customer), "77")).customer_id == "77"
    assert sandbox.requests["GET /customers/{id}"] == 2


async def test_a_write_that_does_not_stick_is_no_success(connect):
    remote_system = answers(FIELDS, {"id": "C1"}, {"id": "C1"}, {"id": "C1"}, FIELDS, {"id": "C1"})
    bookeo = connect(remote_system)
    with pytest.raises(Transient, match="read back"):
        await bookeo.write_link(ClientLink(client_id="C1"), "77")
    await bookeo.read_link("C1")
    assert [request.url.path for request in remote_system.requests].count("/v2/settings/customercustomfields") == 2


@pytest.mark.parametrize("answer", [httpx.Response(503), httpx.Response(429, json={}), {"oops": 1}])
async def test_a_write_that_cannot_be_read_back_may_have_happened(connect, answer):
    responses = [answer] * 3 if isinstance(answer, httpx.Response) else [answer]
    bookeo = connect(answers(FIELDS, {"id": "C1"}, httpx.Response(200), *responses))
    with pytest.raises(UnknownOutcome):
        await bookeo.write_link(ClientLink(client_id="C1"), "77")


async def test_a_customer_who_is_gone_has_no_place_for_an_id(connect, sandbox):
    bookeo = connect(sandbox)
    assert await bookeo.read_link("2856CU9") == ClientLink(client_id="2856CU9", writable=False)
    with pytest.raises(Rejected) as caught:
        await bookeo.write_link(ClientLink(client_id="2856CU9"), "77")
    assert caught.value.hint


@pytest.mark.parametrize(
    "customer",
    [
        [],
        {},
        {"id": "C2"},
        {"id": "C1", "customFields": "x"},
        {"id": "C1", "customFields": {"F1": "77"}},
        {"id": "C1", "customFields": [{"id": "F1", "value": 77}]},
        {"id": "C1", "customFields": [{"id": "F1", "value": "77"}, {"id": "F1", "value": "78"}]},
    ],
)
async def test_what_cannot_be_read_is_not_no_link(connect, customer):
    with pytest.raises(Transient, match="unexpected shape"):
        await connect(answers(FIELDS, customer)).read_link("C1")


@pytest.mark.parametrize("value", ["", "  ", None])
async def test_an_empty_field_is_no_link(connect, value):
    bookeo = connect(answers(FIELDS, {"id": "C1", "customFields": [{"id": "F1", "value": value}]}))
    assert await bookeo.read_link("C1") == ClientLink(client_id="C1")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "none"),
        ({"textFields": []}, "none"),
        ({"textFields": [{"id": "F1", "name": "Another"}]}, "none"),
        ({"choiceFields": [{"id": "F1", "name": "CRM customer id"}]}, "not a text field"),
        ({"textFields": [{"id": i, "name": "CRM customer id"} for i in "ab"]}, "several"),
        ({"textFields": "x"}, "none"),
        ({"textFields": [{"id": None, "name": "CRM customer id"}]}, "not a text field"),
    ],
)
async def test_a_field_that_cannot_be_found_pauses_the_account(connect, fields, why):
    for action in (lambda b: b.read_link("C1"), lambda b: b.probe(), lambda b: b.write_link(ClientLink(client_id="C1"), "7")):
        with pytest.raises(AccountPaused, match=why) as caught:
            await action(connect(answers(fields)))
        assert '"CRM customer id"' in caught.value.hint


@pytest.mark.parametrize("answer", [[], httpx.Response(404, json={"message": "no"}), httpx.Response(200)])
async def test_an_odd_answer_about_the_fields_says_nothing_of_them(connect, answer):
    with pytest.raises(Transient, match="unexpected shape"):
        await connect(answers(answer)).probe()


async def test_the_field_that_is_made_later_is_found_by_the_probe(connect):
    sandbox = BookeoSandbox(quota=None, text_fields=())
    bookeo = connect(sandbox)
    with pytest.raises(AccountPaused):
        await bookeo.probe()
    sandbox.state.add_field("CRM customer id")
    await bookeo.probe()


# ---- the external reference ----


@pytest.fixture
def booking(sandbox, ada):
    return sandbox.book(ada, participants={"numbers": [], "details": [{"personId": "2856P1"}]})


def at(booking, **more):
    return ClientLink(client_id="C1", appointment_id=booking, **more)


async def test_a_reference_is_written_and_nobody_is_told(connect):
    booking = {
        "bookingNumber": "B1",
        "startTime": "2026-12-01T10:00:00-08:00",
        "endTime": "2026-12-01T11:00:00-08:00",
        "customer": {"id": "C1"},
        "participants": {"numbers": [1], "details": [2]},
        "unheardOf": [None],
    }
    remote_system = answers(booking, {**booking, "externalRef": "crm:77"})
    await connect(remote_system, **REF).write_link(at("B1"), "77")
    put = remote_system.requests[1]
    assert (put.method, put.url.path) == ("PUT", "/v2/bookings/B1")
    assert dict(put.url.params) == {"mode": "backend", "notifyUsers": "false", "notifyCustomer": "false"}
    expected = {"bookingNumber": "B1", "participants": {"numbers": [1]}, "unheardOf": [None], "externalRef": "crm:77"}
    assert sent(put) == expected


async def test_what_is_left_out_is_a_setting(connect):
    booking = {"bookingNumber": "B1", "startTime": "x", "participants": None, "customer": 1}
    remote_system = answers(booking, {"externalRef": "crm:77"})
    await connect(remote_system, **REF, booking_omits=["customer", "participants.details"]).write_link(at("B1"), "77")
    assert sent(remote_system.requests[1]) == {
        "bookingNumber": "B1",
        "startTime": "x",
        "participants": None,
        "externalRef": "crm:77",
    }


async def test_a_booking_keeps_what_it_has(connect, sandbox, booking, ada):
    before = dict(sandbox.state.bookings[booking])
    await connect(sandbox, **REF).write_link(at(booking), "77")
    after = sandbox.state.bookings[booking]
    assert {**before, "externalRef": "crm:77"} == {k: v for k, v in after.items() if not k.startswith("lastChange")}


@pytest.mark.parametrize(
    ("fields", "customer_id", "writable"),
    [
        ({}, None, True),
        ({"externalRef": ""}, None, True),
        ({"externalRef": None}, None, True),
        ({"externalRef": "crm:77"}, "77", True),
        ({"externalRef": "RESELLER-1"}, None, False),
        ({"externalRef": "crm:"}, None, False),
        ({"externalRef": 5}, None, False),
        ({"externalRef": " "}, None, False),
        ({"canceled": True}, None, False),
        ({"canceled": True, "externalRef": "crm:77"}, "77", False),
    ],
)
async def test_whose_the_reference_is(connect, fields, customer_id, writable):
    bookeo = connect(answers({"bookingNumber": "B1", **fields}), **REF)
    assert await bookeo.read_link("C1", "B1") == at("B1", customer_id=customer_id, writable=writable)


async def test_a_client_without_a_booking_has_no_place(connect):
    bookeo = connect(answers(), **REF)
    assert await bookeo.read_link("C1") == ClientLink(client_id="C1", writable=False)


async def test_a_booking_that_is_gone(connect, sandbox):
    bookeo = connect(sandbox, **REF)
    assert await bookeo.read_link("C1", "B9") == at("B9", writable=False)
    for link in (at("B9"), ClientLink(client_id="C1")):
        with pytest.raises(Rejected):
            await bookeo.write_link(link, "77")


async def test_a_reference_taken_meanwhile_is_not_overwritten(connect, sandbox, booking):
    bookeo = connect(sandbox, **REF)
    link = await bookeo.read_link("C1", booking)
    sandbox.update_booking(booking, externalRef="RESELLER-1")
    with pytest.raises(Transient, match="meanwhile"):
        await bookeo.write_link(link, "77")
    assert sandbox.state.bookings[booking]["externalRef"] == "RESELLER-1"


async def test_a_reference_of_ours_is_replaced_and_not_written_twice(connect, sandbox, booking):
    bookeo = connect(sandbox, **REF)
    for customer_id in ("77", "77", "78"):
        await bookeo.write_link(await bookeo.read_link("C1", booking), customer_id)
    assert sandbox.state.bookings[booking]["externalRef"] == "crm:78"
    assert sandbox.requests["PUT /bookings/{number}"] == 2


@pytest.mark.parametrize(("length", "fits"), [(60, True), (61, False)])
async def test_a_reference_has_64_characters_at_most(connect, sandbox, booking, length, fits):
    bookeo = connect(sandbox, **REF)
    if fits:
        await bookeo.write_link(at(booking), "x" * length)
        return
    with pytest.raises(Rejected, match="too long"):
        await bookeo.write_link(at(booking), "x" * length)
    assert sandbox.requests["PUT /bookings/{number}"] == 0


async def test_an_unclear_write_of_a_reference_is_unknown(connect, sandbox, booking):
    bookeo = connect(sandbox, **REF)
    sandbox.faults = Faults(lost_answer=1, methods=("PUT",))
    with pytest.raises(UnknownOutcome):
        await bookeo.write_link(at(booking), "77")
    sandbox.faults = Faults()
    assert (await bookeo.read_link("C1", booking)).customer_id == "77"


async def test_a_reference_that_is_not_shown_is_read_back(connect, ada):
    sandbox = BookeoSandbox(quota=None, put_answer="nothing")
    number = sandbox.book(sandbox.add_customer())
    await connect(sandbox, **REF).write_link(at(number), "77")
    assert sandbox.requests["GET /bookings/{number}"] == 2


@pytest.mark.parametrize("last", [{"bookingNumber": "B1"}, httpx.Response(404, json={})])
async def test_a_reference_that_does_not_stick(connect, last):
    with pytest.raises(Transient, match="read back"):
        await connect(answers({"bookingNumber": "B1"}, {}, last), **REF).write_link(at("B1"), "77")


@pytest.mark.parametrize("answer", [[], {}, {"bookingNumber": "B2"}, {"message": "hello"}])
async def test_a_booking_in_an_unexpected_shape_is_not_gone(connect, answer):
    with pytest.raises(Transient, match="unexpected shape"):
        await connect(answers(answer), **REF).read_link("C1", "B1")


# ---- nowhere ----


async def test_nowhere(connect):
    bookeo = connect(answers(), write_back="none")
    assert (bookeo.can(BookingCapability.WRITES_LINKS), bookeo.can(BookingCapability.LINKS_APPOINTMENTS)) == (False, False)
    assert await bookeo.read_link("C1", "B1") == at("B1")
    with pytest.raises(Rejected):
        await bookeo.write_link(at("B1"), "77")
