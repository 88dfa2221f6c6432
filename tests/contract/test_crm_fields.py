"""The laws of further fields (`[sync.fields]`), for every CRM that takes them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest

from connector import registry
from connector.config.settings import CrmSettings
from connector.crms.base import CRM
from connector.model.errors import Rejected
from connector.model.fields import FieldRule, FieldValue, Mode
from connector.model.persons import Customer, NewCustomer
from connector.remote.fields import Kind

from .accounts import CrmAccount, account

pytestmark = pytest.mark.anyio
KEY = "a" * 64
ADA = NewCustomer(first_name="Ada", last_name="Byron", email="ada@example.com", mobile_phone="+15145550123")
#: The CRMs whose settings allow `[sync.fields]`.
TAKE_FIELDS = sorted(
    name for name in registry.CRMS if registry.crm(name).settings_model.identity_fields is not CrmSettings.identity_fields
)
WANTED: dict[str, Any] = {
    "text": "Downtown",
    "lines": "Cut",
    "number": 12.5,
    "yes_no": True,
    "date": date(2027, 3, 1),
    "time": datetime(2027, 3, 1, 12, tzinfo=UTC),
    "option": "Red",
    "options": "Red",
}
#: What stands there instead of it.
OTHER: dict[str, Any] = {
    "text": "Uptown",
    "lines": "Colour",
    "number": -3,
    "yes_no": False,
    "date": date(2028, 12, 31),
    "time": datetime(2028, 12, 31, 23, 59, tzinfo=UTC),
    "option": "Blue",
    "options": "Blue",
}
KINDS = dict(zip(WANTED, (Kind.TEXT, Kind.LINES, Kind.NUMBER, Kind.YES_NO, Kind.DATE, Kind.TIME, Kind.OPTION, Kind.OPTIONS),
                 strict=True))  # fmt: skip


@pytest.fixture(params=TAKE_FIELDS)
def far(request: pytest.FixtureRequest) -> CrmAccount:
    return account(request.param)


@pytest.fixture
def names(far: CrmAccount) -> dict[str, str]:
    return far.add_fields()


@pytest.fixture
async def crm(far: CrmAccount, names: dict[str, str]) -> AsyncIterator[CRM]:
    adapter = far.connect()
    adapter.keep([FieldRule(name, "store.name") for name in names.values()])
    yield adapter
    await adapter.remote.aclose()


def wanted(names: Mapping[str, str], values: Mapping[str, Any], mode: Mode = "if_empty") -> list[FieldValue]:
    return [FieldValue(names[key], value, mode) for key, value in values.items() if key in names]


async def made(crm: CRM, names: Mapping[str, str], values: Mapping[str, Any] = WANTED) -> Customer:
    changes = await crm.changes(wanted(names, values))
    assert changes.left_out == {}
    created = await crm.create(ADA, KEY, changes.values)
    found = await crm.get(created.id)
    assert found is not None
    return found


async def filled(crm: CRM, customer: Customer, values: list[FieldValue], new: NewCustomer = NewCustomer()) -> Customer:  # noqa: B008
    """What is there after a later event, as the pipeline writes it."""
    changes = await crm.changes(values, customer)
    assert changes.left_out == {}
    written = await crm.fill(customer, new, changes.values)
    assert {*changes.values} <= {*written}
    found = await crm.get(customer.id)
    assert found is not None
    return found


async def test_the_schema_says_what_each_field_takes(far, crm, names):
    known = await crm.fields()
    assert {key: known[names[key]].kind for key in KINDS if key in names} == {k: v for k, v in KINDS.items() if k in names}
    assert known[names["text"]].length == far.text_length
    assert {*known[names["option"]].options.values()} == {"Red", "Blue"}
    assert not known[names["fixed"]].writable
    assert all(known[names[key]].writable for key in KINDS if key in names)


async def test_events_that_come_together_read_the_schema_once(crm, names, monkeypatch):
    read, real = [], crm.fields

    async def counted():
        read.append(await real())
        return read[-1]

    monkeypatch.setattr(crm, "fields", counted)
    await asyncio.gather(*(crm.changes(wanted(names, WANTED)) for _ in range(20)))
    assert len(read) == 1


async def test_names_of_the_customer_are_no_further_fields(far):
    settings = registry.crm(far.system).settings_model.model_validate(far.settings("http://far.test"))
    assert len(settings.identity_fields()) > 3


async def test_a_customer_is_made_with_all_of_them_in_one_call(far, crm, names):
    found = await made(crm, names)
    kept = far.kept(found.id)
    assert {key: kept[names[key]] for key in far.written} == far.written
    assert far.effects() == 1
    assert far.as_kept(ADA).last_name == found.last_name


async def test_they_are_read_in_every_way(crm, names):
    found = await made(crm, names)
    (by_email,), (by_phone,) = await crm.by_email(ADA.email), await crm.by_phone(ADA.mobile_phone)
    by_key = await crm.by_key(KEY)
    assert by_key is not None
    assert by_email.properties == by_phone.properties == by_key.properties == found.properties


async def test_where_nothing_changes_nothing_is_written(far, crm, names):
    found = await made(crm, names)
    for mode in ("if_empty", "on_create", "overwrite"):
        assert (await crm.changes(wanted(names, WANTED, mode), found)).values == {}
    appended = {key: WANTED[key] for key in ("lines", "options")}
    assert (await crm.changes(wanted(names, appended, "append"), found)).values == {}
    assert await crm.fill(found, NewCustomer(), {}) == ()
    assert far.effects() == 1


async def test_blank_fields_are_filled_with_blank_names_in_one_call(far, crm, names):
    found = await crm.get(far.add(NewCustomer(last_name="Byron", email="ada@example.com")))
    before = far.effects()
    full = await filled(crm, found, wanted(names, WANTED), NewCustomer(mobile_phone=ADA.mobile_phone))
    kept, written = far.kept(found.id), dict(far.written)
    if far.starts_with_no:
        # A person may have said no: that is not empty.
        written["yes_no"] = False
    assert {key: kept[names[key]] for key in far.written} == written
    assert (full.mobile_phone, far.effects()) == (ADA.mobile_phone, before + 1)


async def test_if_empty_and_on_create_leave_what_is_there(crm, names):
    found = await made(crm, names)
    assert (await crm.changes(wanted(names, OTHER), found)).values == {}
    assert (await crm.changes(wanted(names, OTHER, "on_create"), found)).values == {}


async def test_overwrite_writes_what_differs(far, crm, names):
    found = await filled(crm, await made(crm, names), wanted(names, OTHER, "overwrite"))
    assert far.effects() == 2
    assert (await crm.changes(wanted(names, OTHER, "overwrite"), found)).values == {}
    differing = await crm.changes(wanted(names, WANTED, "overwrite"), found)
    assert differing.values.keys() == {names[key] for key in WANTED if key in names}
    # What was not said is as it was.
    assert (found.first_name or found.last_name, found.emails) != ("", ())


async def test_append_keeps_what_is_there(far, crm, names):
    more = wanted(names, {key: OTHER[key] for key in ("lines", "options")}, "append")
    found = await filled(crm, await made(crm, names), more)
    assert str(far.kept(found.id)[names["lines"]]).split() == ["Cut", "Colour"]
    assert (await crm.changes(more, found)).values == {}
    both = await crm.changes(wanted(names, {"options": "Red"}, "append"), found)
    assert both.values == {}


async def test_check_says_what_is_wrong_with_each_rule(crm, names):
    nearly = names["text"][:-2] + names["text"][-1]
    crm.rules = (
        FieldRule(nearly, "store.name"),
        FieldRule(names["fixed"], "store.name"),
        FieldRule(names["number"], "store.name"),
        FieldRule(names["option"], value="Blu"),
        FieldRule(names["text"], "store.name", mode="append"),
    )
    checks = await crm.field_checks()
    texts = [check.message for check in checks]
    assert {check.level for check in checks} == {"error"}
    assert texts[0].startswith(f"{crm.title}: there is no field {nearly}; did you mean")
    assert texts[1] == f"{crm.title}: the field {names['fixed']} cannot be written"
    assert texts[2] == f"{crm.title}: the field {names['number']} takes a number, and store.name is text"
    assert texts[3] == f'{crm.title}: the field {names["option"]} takes one of its options; did you mean "Blue"?'
    assert "append is for" in texts[4]


async def test_check_names_what_is_too_long(far, crm, names):
    if far.text_length is None:
        pytest.skip("texts have no length there")
    crm.rules = (FieldRule(names["text"], value="x" * (far.text_length + 1)),)
    (check,) = await crm.field_checks()
    assert check.message == f"{crm.title}: the field {names['text']} takes at most {far.text_length} characters"


async def test_check_says_that_all_is_well(crm, names):
    crm.rules = (FieldRule(names["text"], "store.name"), FieldRule(names["lines"], "service.name", mode="append"))
    assert [check.level for check in await crm.field_checks()] == ["ok"]


#: What the CRM refuses although we sent it: the schema was another one when it was read.
REFUSED = {"text": "x" * 65_537, "number": "many", "date": "soon", "option": "Green", "options": ("Green",), "fixed": "x"}


@pytest.mark.parametrize("key", [*REFUSED, "unknown"])
async def test_what_the_crm_refuses_is_left_out_and_the_rest_is_written(far, crm, names, key):
    if key == "text" and far.text_length is None:
        pytest.skip("texts have no length there")
    name = {**names, "unknown": "x_nowhere"}.get(key)
    if name is None:
        pytest.skip("there is no such field")
    sent = {names["lines"]: "Cut", name: REFUSED.get(key, "x")}
    created = await crm.create(ADA, KEY, sent)
    if key in far.ignored:
        found = await crm.get(created.id)
        assert (created.refused, found.properties[names["lines"]], found.properties.get(name) == "x") == ((), "Cut", False)
        return
    if key in far.unnamed:
        # Nothing says which field it is: the customer is made without any of them.
        assert created.refused == tuple(sent)
        with pytest.raises(Rejected):
            await crm.fill(created, NewCustomer(), sent)
        written = await crm.fill(created, NewCustomer(phone="+15145550124"), sent)
        assert written == ("phone",)
        return
    assert created.refused == (name,)
    found = await crm.get(created.id)
    assert (found.properties[names["lines"]], found.properties.get(name) == sent[name]) == ("Cut", False)
    if far.unnamed_updates:
        with pytest.raises(Rejected):
            await crm.fill(found, NewCustomer(), {name: sent[name]})
        return
    written = await crm.fill(found, NewCustomer(), {names["lines"]: "Colour", name: sent[name]})
    assert written == (names["lines"],)


async def test_a_field_that_was_taken_away_stops_nobody(far, crm, names):
    found = await made(crm, names)
    far.remove_field(names["text"])
    await crm.probe()
    read = await crm.get(found.id)
    assert [one.id for one in await crm.by_email(ADA.email)] == [found.id]
    assert {**read.properties, names["text"]: ""} == {**found.properties, names["text"]: ""}
