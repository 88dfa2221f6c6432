"""Further columns and owners of Dynamics 365, every request and answer compared with the published shapes."""

from datetime import date

import pytest

from connector.model.errors import Rejected
from connector.model.fields import FieldRule, FieldValue
from connector.model.persons import NewCustomer

pytestmark = pytest.mark.anyio
KEY = "a" * 64
ADA = NewCustomer(first_name="Ada", last_name="Byron", email="ada@example.com")
WANTED = (
    FieldValue("jobtitle", "Client", "on_create"),
    FieldValue("birthdate", date(1990, 12, 10)),
    FieldValue("description", "Cut", "append"),
    FieldValue("ownerid", "kim@example.com", "on_create"),
)


async def test_standard_columns_and_the_owner_are_written_as_published(sandbox, crm):
    kim = sandbox.add_user("kim@example.com")
    crm.keep([FieldRule(one.name, "store.name", mode=one.mode) for one in WANTED[:3]], owner=())
    made = await crm.create(ADA, KEY, (await crm.changes(WANTED)).values)
    (contact,) = sandbox.contacts()
    assert (contact["jobtitle"], contact["birthdate"], contact["_ownerid_value"]) == ("Client", "1990-12-10", kim)
    more = await crm.changes([FieldValue("description", "Colour", "append"), *WANTED], made)
    assert more.values == {"description": "Cut\nColour"}
    assert await crm.fill(made, NewCustomer(), more.values) == ("description",)


async def test_an_update_of_a_contact_that_is_gone_says_so(sandbox, crm):
    crm.keep([FieldRule("jobtitle", "store.name")])
    made = await crm.create(ADA, KEY)
    sandbox.delete(made.id)
    with pytest.raises(Rejected, match="the contact is gone"):
        await crm.fill(made, NewCustomer(), {"jobtitle": "Client"})
