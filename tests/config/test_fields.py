"""`[sync.fields]` in the file: every mistake is one clear sentence."""

import re

import pytest

from connector import registry
from connector.config import settings
from connector.config.fields import read_rules
from connector.model.errors import ConfigError
from connector.model.fields import FieldRule

FILE = """
[booking.stores]
system = "booxi"
region = "na"
partner_key = "0123456789abcdef"
module_id = "hubspot"
[booking.stores.webhook]
verify = "none"
[crm.main]
system = "hubspot"
token = "0123456789abcdef"
[[sync]]
booking = "stores"
crm = "main"
[sync.fields]
"""


def loaded(tmp_path, lines):
    path = tmp_path / "connector.toml"
    path.write_text(FILE + lines, encoding="utf-8")
    return settings.load(path, systems=registry.Registry(), environ={}).sync[0].fields


def test_rules_are_read_in_their_order(tmp_path):
    lines = """
store = "store.name"
stage = { value = " customer ", mode = "on_create" }
last = { from = "appointment.start", mode = "overwrite" }
member = { value = false }
"""
    assert loaded(tmp_path, lines) == (
        FieldRule("store", "store.name"),
        FieldRule("stage", value="customer", mode="on_create"),
        FieldRule("last", "appointment.start", mode="overwrite"),
        FieldRule("member", value=False),
    )


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('store = "store.nam"', 'store: there is no such source; did you mean "store.name"?'),
        ('store = { from = "store.name", mod = "append" }', "store: unknown key mod; did you mean"),
        (
            'store = { from = "store.name", mode = "append_it" }',
            "store: mode must be one of if_empty, on_create, overwrite, append",
        ),
        ('store = { from = "store.name", value = "x" }', 'store: needs either from = "store.name" or value'),
        ('store = { value = " " }', "store: value must be text of 1 to 1000 characters"),
        ("store = 1", "store: must name a source"),
        ('"" = "store.name"', "is not the name of a field"),
        ('Email = "client.email"', "Email says who the customer is and is written by itself; remove it"),
        ('connector_person_key = "client.id"', "connector_person_key says who the customer is"),
    ],
)
def test_a_mistake_is_named_with_its_field(tmp_path, line, text):
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, line + "\n")
    (fault,) = caught.value.faults
    assert "[[sync]] number 1 fields: " in fault
    assert text in fault


def test_every_mistake_is_named_at_once():
    with pytest.raises(ValueError, match=r"a: .*; b: "):
        read_rules({"a": "store.nam", "b": 1})


def test_a_list_is_no_table():
    with pytest.raises(ValueError, match=r"must be a table"):
        read_rules(["store.name"])


# ---- the owner ----


def owner(tmp_path, lines):
    path = tmp_path / "connector.toml"
    path.write_text(FILE.replace("[sync.fields]", "[sync.owner]") + lines, encoding="utf-8")
    return settings.load(path, systems=registry.Registry(), environ={}).sync[0].owner


def test_the_owner_is_read_with_staff_in_small_letters(tmp_path):
    found = owner(tmp_path, 'otherwise = "front@example.com"\n[sync.owner.users]\n" Kim " = "kim@example.com"\n4 = "77001"\n')
    assert (found.by_email, found.otherwise) == (True, "front@example.com")
    assert found.users == {"kim": "kim@example.com", "4": "77001"}


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ('users = { Kim = "a@example.com", KIM = "b@example.com" }', "names the same staff twice"),
        ('users = { Kim = " " }', "somebody without a name"),
        ('user = "kim@example.com"', "unknown key"),
    ],
)
def test_a_mistake_in_the_owner_is_named(tmp_path, lines, text):
    with pytest.raises(ConfigError, match=text):
        owner(tmp_path, lines)


def test_the_owners_field_is_not_one_of_the_others(tmp_path):
    with pytest.raises(ConfigError, match="hubspot_owner_id is the owner"):
        loaded(tmp_path, 'hubspot_owner_id = "staff.email"')


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("{service.nam}", 'no source {service.nam}; did you mean "service.name"'),
        ("[ with {staff.name}", "bracket"),
        ("{staff", "bracket"),
    ],
)
@pytest.mark.parametrize("key", ["appointment_title", "appointment_text"])
def test_a_mistake_in_a_title_or_text_is_named(tmp_path, key, title, text):
    path = tmp_path / "connector.toml"
    path.write_text(FILE.replace("[sync.fields]", f'{key} = "{title}"'), encoding="utf-8")
    with pytest.raises(ConfigError, match=re.escape(text)):
        settings.load(path, systems=registry.Registry(), environ={})


def test_a_text_may_have_several_lines_and_a_part_only_one(tmp_path):
    path, line = tmp_path / "connector.toml", 'appointment_text = "{service.name}\\n[with {staff.name}]"'
    path.write_text(FILE.replace("[sync.fields]", line), encoding="utf-8")
    assert (
        settings.load(path, systems=registry.Registry(), environ={}).sync[0].appointment_text
        == "{service.name}\n[with {staff.name}]"
    )
    path.write_text(FILE.replace("[sync.fields]", line.replace("[with ", "[with\\n")), encoding="utf-8")
    with pytest.raises(ConfigError, match="bracket"):
        settings.load(path, systems=registry.Registry(), environ={})
