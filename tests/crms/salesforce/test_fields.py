"""Further fields and owners of Salesforce, every request and answer compared with the published shapes."""

from datetime import date

import pytest

from connector.model.fields import FieldRule, FieldValue
from connector.model.persons import NewCustomer

pytestmark = pytest.mark.anyio
KEY = "a" * 64
ADA = NewCustomer(first_name="Ada", last_name="Byron", email="ada@example.com")
WANTED = (
    FieldValue("LeadSource", "web", "on_create"),
    FieldValue("Birthdate", date(1990, 12, 10)),
    FieldValue("Description", "Cut", "append"),
    FieldValue("OwnerId", "kim@example.com", "on_create"),
)


async def test_standard_fields_and_the_owner_are_written_as_published(sandbox, crm):
    kim = sandbox.add_user("kim@example.com")
    crm.keep([FieldRule(one.name, "store.name", mode=one.mode) for one in WANTED[:3]], owner=())
    made = await crm.create(ADA, KEY, (await crm.changes(WANTED)).values)
    (contact,) = sandbox.contacts()
    assert (contact["LeadSource"], contact["Birthdate"], contact["OwnerId"]) == ("Web", "1990-12-10", kim)
    more = await crm.changes([FieldValue("Description", "Colour", "append"), *WANTED], made)
    assert more.values == {"Description": "Cut\nColour"}
    assert await crm.fill(made, NewCustomer(), more.values) == ("Description",)


async def test_a_picklist_that_takes_other_values_is_only_given_its_own(sandbox, crm):
    crm.keep([FieldRule("LeadSource", "store.name")])
    changes = await crm.changes([FieldValue("LeadSource", "Somewhere")])
    assert (changes.values, changes.left_out) == ({}, {"LeadSource": "the value is none of its options"})
