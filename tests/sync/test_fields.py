"""`[sync.fields]`: values from rules and facts, and how they meet what the CRM has."""

from datetime import UTC, date, datetime

import pytest
from msgspec.structs import replace

from connector.config.fields import read_rules
from connector.config.owner import OwnerSettings
from connector.model.bookings import Appointment, Client, Status
from connector.model.fields import SOURCES, FieldRule, FieldValue
from connector.model.persons import Customer
from connector.remote.fields import Field, Kind, Unfit, fault, fitted, plan
from connector.sync.fields import field_values, owner_of, sources, worded

from .harness import World

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
ADA = Client(id="7", first_name="Ada", last_name="Byron", email="ada@example.com", mobile_phone="1", home_phone="2")
CUT = Appointment(
    id="B1", status=Status.SCHEDULED, starts_at=NOON, ends_at=NOON, title="Cut", location="Main Street", staff="Kim",
    staff_id="4", staff_email="kim@example.com", service="Cut", service_id="9", store="Downtown", store_id="12",
)  # fmt: skip


# ---- values ----


def test_every_source_that_can_be_named_has_a_value_and_no_other():
    assert sources(ADA, CUT).keys() == set(SOURCES)


def test_a_blank_source_says_nothing_and_a_constant_always_does():
    rules = (
        FieldRule("store", "store.name"),
        FieldRule("status", "appointment.status"),
        FieldRule("stage", value="customer", mode="on_create"),
        FieldRule("agrees", value=False),
    )
    values = field_values(rules, Client(id="7"), Appointment(id="B1", store="  "))
    assert values == (FieldValue("stage", "customer", "on_create"), FieldValue("agrees", False))
    assert field_values(rules[:2], ADA, None) == ()
    assert field_values(rules[:2], ADA, CUT) == (FieldValue("store", "Downtown"), FieldValue("status", "scheduled"))


# ---- what is written ----

KNOWN = {
    "text": Field("text", Kind.TEXT, length=8),
    "notes": Field("notes", Kind.LINES, length=20),
    "visits": Field("visits", Kind.WHOLE),
    "closed": Field("closed", Kind.TEXT, writable=False),
    "stage": Field("stage", Kind.OPTION, options={"lead": "Lead", "customer": "Customer"}),
    "last": Field("last", Kind.TIME),
    "places": Field("places", Kind.OPTIONS, options={"n": "North", "s": "South", "e": "East"}),
}


def changed(value, *, mode="if_empty", name="text", **there):
    read = {**dict.fromkeys(KNOWN), **there}
    return plan(KNOWN, [FieldValue(name, value, mode)], Customer(id="1", properties=read)).values


@pytest.mark.parametrize("mode", ["if_empty", "overwrite", "append"])
def test_a_field_that_was_not_read_is_left_alone(mode):
    found = plan(KNOWN, [FieldValue("notes", "new", mode)], Customer(id="1", properties={"text": ""}))
    assert (found.values, found.left_out) == ({}, {})


def test_if_empty_writes_what_is_empty_only():
    assert changed("new") == {"text": "new"}
    assert changed("new", text="") == {"text": "new"}
    assert changed("new", text="old") == {}


def test_where_the_crm_has_no_empty_value_its_own_one_is_empty():
    known = {"visits": Field("visits", Kind.WHOLE, blank=0)}

    def written(value, there, mode="if_empty"):
        return plan(known, [FieldValue("visits", value, mode)], Customer(id="1", properties={"visits": there})).values

    assert written(3, 0) == {"visits": 3}
    assert written(3, 2) == {}
    assert written(0, 0) == written(0, 0, "overwrite") == {}


def test_on_create_writes_nothing_later():
    wanted = [FieldValue("text", "new", "on_create")]
    assert changed("new", mode="on_create") == {}
    assert plan(KNOWN, wanted, None).values == {"text": "new"}


def test_overwrite_writes_what_differs_only():
    assert changed("new", mode="overwrite", text="old") == {"text": "new"}
    assert changed("new", mode="overwrite", text=" new ") == {}
    assert changed(NOON, mode="overwrite", name="last", last="2027-03-01T13:00:00+01:00") == {}
    assert changed(NOON, mode="overwrite", name="last", last="2027-03-01T13:00:00Z") == {"last": NOON}


def test_append_adds_a_line_once_and_never_cuts():
    assert changed("b", mode="append", name="notes") == {"notes": "b"}
    assert changed("b", mode="append", name="notes", notes="a\n") == {"notes": "a\nb"}
    assert changed("b", mode="append", name="notes", notes="a\nb") == {}
    full = plan(KNOWN, [FieldValue("notes", "b", "append")], Customer(id="1", properties={"notes": "x" * 20}))
    assert (full.values, full.left_out) == ({}, {"notes": "there is no room for a further line"})


def test_several_options_are_chosen_by_value_or_label_and_never_taken_away():
    assert changed("South", name="places") == {"places": ("s",)}
    assert changed("south", name="places", places="n") == {}
    assert changed("e;North", mode="overwrite", name="places", places="s") == {"places": ("n", "e")}
    assert changed("e;North", mode="overwrite", name="places", places=["e", "n"]) == {}
    assert changed("South", mode="append", name="places", places="e;n") == {"places": ("n", "s", "e")}
    assert changed("South", mode="append", name="places", places=["s", "n"]) == {}
    assert changed("South", mode="append", name="places", places=[]) == {"places": ("s",)}
    assert changed("West", name="places") == {}


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("nowhere", "x", "the CRM has no such field"),
        ("closed", "x", "it cannot be written"),
        ("visits", "many", "the value is not a whole number"),
        ("stage", "friend", "the value is none of its options"),
    ],
)
def test_what_a_field_does_not_take_is_left_out_with_the_reason(name, value, why):
    found = plan(KNOWN, [FieldValue(name, value), FieldValue("text", "x")], None)
    assert (found.values, found.left_out) == ({"text": "x"}, {name: why})


def test_what_was_refused_a_moment_ago_is_not_sent_again():
    made = Customer(id="1", refused=("text",))
    assert plan(KNOWN, [FieldValue("text", "x")], made).values == {}


@pytest.mark.parametrize(
    ("kind", "given", "written"),
    [
        (Kind.TEXT, NOON, "2027-03-01 12:00 UTC"),
        (Kind.TEXT, True, "true"),
        (Kind.NUMBER, "12.0", 12),
        (Kind.NUMBER, 1.5, 1.5),
        (Kind.YES_NO, "Yes", True),
        (Kind.DATE, NOON, date(2027, 3, 1)),
        (Kind.DATE, "2027-03-01", date(2027, 3, 1)),
        (Kind.OPTION, "customer", "CUSTOMER"),
        (Kind.OPTION, "Paying customer", "CUSTOMER"),
    ],
)
def test_values_take_the_fields_type(kind, given, written):
    about = Field("x", kind, options={"CUSTOMER": "Paying customer"})
    assert fitted(about, given) == written


@pytest.mark.parametrize(
    ("kind", "given"),
    [(Kind.NUMBER, "nan"), (Kind.NUMBER, True), (Kind.WHOLE, 1.5), (Kind.YES_NO, "maybe"), (Kind.DATE, "soon"),
     (Kind.TIME, "noon"), (Kind.OTHER, "x")],
)  # fmt: skip
def test_values_that_do_not_fit_are_refused(kind, given):
    with pytest.raises(Unfit):
        fitted(Field("x", kind), given)


# ---- compared with the schema ----


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (FieldRule("txt", "store.name"), 'there is no field txt; did you mean "text"?'),
        (FieldRule("closed", "store.name"), "the field closed cannot be written"),
        (
            FieldRule("text", "store.name", mode="append"),
            "the field text takes one line of text; append is for lines of text and for several options",
        ),
        (FieldRule("stage", value="custmer"), 'the field stage takes one of its options; did you mean "customer"?'),
        (FieldRule("text", value="much too long"), "the field text takes at most 8 characters"),
        (FieldRule("visits", "store.name"), "the field visits takes a whole number, and store.name is text"),
        (FieldRule("last", "appointment.start"), None),
        (FieldRule("visits", "store.id"), None),
        (FieldRule("stage", value="Customer"), None),
    ],
)
def test_a_rule_is_compared_with_the_schema(rule, text):
    assert fault(rule, KNOWN) == text


# ---- the whole path, through HubSpot's sandbox ----

RULES = {
    "lifecyclestage": {"value": "Customer", "mode": "on_create"},
    "hs_lead_status": {"value": "NEW", "mode": "on_create"},
    "preferred_store": "store.id",
    "last_booking": {"from": "appointment.start", "mode": "overwrite"},
    "history": {"from": "service.name", "mode": "append"},
}


def prepare(world: World, rules=RULES) -> None:
    for name, type_, field_type in (
        ("preferred_store", "string", "text"), ("last_booking", "datetime", "date"), ("history", "string", "textarea"),
    ):  # fmt: skip
        shape = {"label": name, "type": type_, "fieldType": field_type, "groupName": "contactinformation"}
        world.hubspot.records.create_property({"name": name, **shape})
    world.use(fields=read_rules(rules))


@pytest.mark.anyio
async def test_a_new_customer_is_made_with_the_fields_in_one_call(world: World):
    prepare(world)
    await world.process(world.client())
    (contact,) = world.contacts().values()
    assert (contact["lifecyclestage"], contact["hs_lead_status"]) == ("customer", "NEW")
    assert contact["last_booking"].endswith("Z")
    assert all((contact["preferred_store"], contact["history"]))
    assert (world.effects["POST contacts"], world.effects["PATCH contacts/{id}"]) == (1, 0)


@pytest.mark.anyio
async def test_later_events_write_what_changed_and_nothing_else(world: World):
    prepare(world)
    ada = world.client()
    await world.process(ada, starts_at=NOON)
    (contact_id,) = world.contacts()
    world.hubspot.records.update_contact(contact_id, {"preferred_store": "by hand", "lifecyclestage": "lead"})
    ended = await world.process(ada, starts_at=NOON.replace(day=2))
    contact = world.contacts()[contact_id]
    assert (contact["preferred_store"], contact["lifecyclestage"]) == ("by hand", "lead")
    assert contact["last_booking"] == "2027-03-02T12:00:00.000Z"
    assert ended.note("fill", "written")["note"] == "fields written: last_booking"
    assert world.effects["PATCH contacts/{id}"] == 1
    await world.process(ada, starts_at=NOON.replace(day=2))
    assert world.effects["PATCH contacts/{id}"] == 1
    assert await world.open_effects() == []


@pytest.mark.anyio
async def test_nothing_is_written_to_a_customer_with_another_name(world: World):
    prepare(world)
    world.use(name_mismatch="link")
    world.contact(email="ada@example.com", firstname="Boris", lastname="Mann")
    await world.process(world.client())
    (contact,) = world.contacts().values()
    assert "last_booking" not in contact
    assert world.effects["PATCH contacts/{id}"] == 0


@pytest.mark.anyio
async def test_a_rule_that_cannot_be_carried_out_hinders_nobody(world: World):
    prepare(world, {"no_such": "store.id", **RULES})
    ended = await world.process(world.client())
    (contact,) = world.contacts().values()
    assert (ended.state, contact["lifecyclestage"]) == ("done", "customer")
    assert ended.note("fill", "left out")["note"] == "the field no_such: the CRM has no such field"
    checks = await world.crm.field_checks()
    assert [(check.level, check.message) for check in checks] == [("error", "HubSpot: there is no field no_such")]


@pytest.mark.anyio
async def test_check_says_that_all_is_well(world: World):
    prepare(world)
    assert [check.level for check in await world.crm.field_checks()] == ["ok"]


# ---- the owner ----


@pytest.mark.parametrize(
    ("given", "user"),
    [
        ({}, "kim@example.com"),
        ({"users": {"4": "by id", "kim@example.com": "by address", "Kim": "by name"}}, "by id"),
        ({"users": {"KIM@example.com": "by address", "Kim": "by name"}}, "by address"),
        ({"users": {"Kim": "by name"}, "by_email": False}, "by name"),
        ({"users": {"Sam": "another"}, "by_email": False}, None),
        ({"by_email": False, "otherwise": "front@example.com"}, "front@example.com"),
    ],
)
def test_the_owner_is_found_by_the_table_then_by_address_then_otherwise(given, user):
    assert owner_of(OwnerSettings.model_validate(given), CUT) == user


def test_without_an_appointment_there_is_no_owner_but_the_other_one():
    assert owner_of(OwnerSettings(), None) is None
    assert owner_of(OwnerSettings(otherwise="7"), None) == "7"


@pytest.mark.anyio
async def test_a_new_customer_gets_an_owner_and_keeps_the_one_a_person_chooses(world: World):
    world.hubspot.records.owners |= {"77001": "kim@example.com", "77002": "sam@example.com"}
    world.use(owner=OwnerSettings(otherwise="kim@example.com"))
    ada = world.client()
    await world.process(ada, starts_at=NOON)
    ((contact_id, contact),) = world.contacts().items()
    assert (contact["hubspot_owner_id"], world.effects["PATCH contacts/{id}"]) == ("77001", 0)
    world.hubspot.records.update_contact(contact_id, {"hubspot_owner_id": "77002"})
    await world.process(ada, starts_at=NOON.replace(day=2))
    assert world.contacts()[contact_id]["hubspot_owner_id"] == "77002"
    assert world.effects["PATCH contacts/{id}"] == 0
    world.hubspot.records.update_contact(contact_id, {"hubspot_owner_id": ""})
    ended = await world.process(ada, starts_at=NOON.replace(day=3))
    assert world.contacts()[contact_id]["hubspot_owner_id"] == "77001"
    assert ended.note("fill", "written")["note"] == "fields written: hubspot_owner_id"


@pytest.mark.anyio
async def test_staff_who_are_no_user_leave_a_note(world: World):
    world.hubspot.records.owners |= {"77001": "kim@example.com"}
    world.use(owner=OwnerSettings(otherwise="nobody@example.com"))
    ended = await world.process(world.client())
    assert "hubspot_owner_id" not in next(iter(world.contacts().values()))
    note = ended.note("fill", "left out")["note"]
    assert note == "the field hubspot_owner_id: no active user of the CRM has this e-mail address or id"


# ---- titles of appointments ----


@pytest.mark.parametrize(
    ("template", "title"),
    [
        (None, "Cut"),
        ("{service.name}[ with {staff.name}]", "Cut with Kim"),
        ("{client.first_name}: {service.name}[ ({appointment.id}, {store.name})]", "Ada: Cut (B1, Downtown)"),
        ("At {appointment.start}", "At 2027-03-01 12:00 UTC"),
        ("Always the same", "Always the same"),
    ],
)
def test_a_title_is_made_of_sources(template, title):
    assert worded(template, None, ADA, CUT).title == title


@pytest.mark.parametrize(
    ("template", "title"),
    [("{service.name}[ with {staff.name}]", "Cut"), ("{service.name} with {staff.name}", "Cut"), ("[{staff.name}]", "Cut")],
)
def test_where_a_source_says_nothing_its_part_is_left_out_or_the_title_stays(template, title):
    assert worded(template, None, ADA, replace(CUT, staff="")).title == title


def test_braces_in_a_value_are_no_template():
    assert worded("{service.name}", None, ADA, replace(CUT, service="{client.email} [x]")).title == "{client.email} [x]"


@pytest.mark.anyio
async def test_a_recorded_appointment_has_the_title_of_the_template(world: World):
    world.use(record_appointments=True, appointment_title="{client.first_name} books")
    await world.process(world.client())
    (meeting,) = world.hubspot.meetings()
    assert meeting["hs_meeting_title"] == "Ada books"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{service.name} for {client.first_name}", "Cut for Ada"),
        (
            "{service.name}\n[Staff: {staff.name}]\n[Shop: {store.name}]\n\nBooked by {client.email}",
            "Cut\n\nBooked by ada@example.com",
        ),
        ("  [{store.name}]\n[{staff.name}]", ""),
        ("{store.name}", ""),
        (None, ""),
    ],
)
def test_a_text_has_several_lines_and_leaves_out_those_that_say_nothing(template, text):
    nobody = replace(CUT, staff="", store="")
    assert worded(None, template, ADA, nobody).text == text
    assert worded(None, template, ADA, nobody).title == "Cut"


@pytest.mark.anyio
async def test_a_recorded_appointment_has_the_text_of_the_template(world: World):
    world.use(record_appointments=True, appointment_text="{appointment.status}\n[Unknown: {staff.email}]\n{client.first_name}")
    await world.process(world.client())
    (meeting,) = world.hubspot.meetings()
    assert meeting["hs_meeting_body"] == "scheduled\nAda"
