"""A person in the CRM, and what we know of one who may become a customer."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from connector.model.bookings import Model


class Customer(Model):
    """A person's record in the CRM. `id` differs from the asked one where the CRM has merged the record."""

    id: str
    first_name: str = ""
    last_name: str = ""
    emails: tuple[str, ...] = ()
    mobile_phone: str = ""
    phone: str = ""
    #: Our own key on the record, if the CRM returned it.
    person_key: str = ""
    #: When the record was made and when something last happened to it, where the CRM says so.
    created_at: datetime | None = None
    active_at: datetime | None = None
    #: The CRM keeps the whole name in one field; it is in `first_name`, and where it would be divided is not known.
    one_name: bool = Field(default=False, exclude=True)
    #: What stands in the fields of `[sync.fields]`, by the CRM's name; as the CRM answers it, without wrappings.
    properties: dict[str, Any] = Field(default_factory=dict, exclude=True)
    #: After a create: our fields that the CRM's own rules refused, so that they were left out.
    refused: tuple[str, ...] = Field(default=(), exclude=True)


class NewCustomer(Model):
    """What we know of a person; an empty string means "not said". Phones are E.164."""

    first_name: str = ""
    last_name: str = ""
    email: str = ""
    mobile_phone: str = ""
    phone: str = ""
