"""Further fields and owners of Zoho CRM, every request and answer compared with the published shapes."""

import pytest

from connector.model.fields import FieldRule, FieldValue
from connector.model.persons import NewCustomer

pytestmark = pytest.mark.anyio
KEY = "a" * 64
ADA = NewCustomer(first_name="Ada", last_name="Byron", email="ada@example.com")
WANTED = (
    FieldValue("Lead_Source", "online store", "on_create"),
    FieldValue("Description", "Cut", "append"),
    FieldValue("Owner", "kim@example.com", "on_create"),
)


async def test_standard_fields_and_the_owner_are_written_as_published(sandbox, crm):
    sandbox.records.users["554023000000323002"] = ("kim@example.com", True)
    crm.keep([FieldRule(one.name, "store.name", mode=one.mode) for one in WANTED[:2]], owner=())
    made = await crm.create(ADA, KEY, (await crm.changes(WANTED)).values)
    (contact,) = sandbox.records.contacts()
    assert contact.values["Owner"] == {"id": "554023000000323002"}
    assert contact.values["Lead_Source"] == "Online Store"
    (read,) = await crm.by_email("ada@example.com")
    more = await crm.changes([FieldValue("Description", "Colour", "append"), *WANTED], read)
    assert more.values == {"Description": "Cut\nColour"}
    assert await crm.fill(made, NewCustomer(), more.values) == ("Description",)


async def test_the_option_that_clears_is_no_option(crm):
    crm.keep([FieldRule("Lead_Source", value="-None-")])
    (check,) = await crm.field_checks()
    assert check.message == "Zoho CRM: the field Lead_Source takes one of its options"
