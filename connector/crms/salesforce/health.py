"""What a description of an object says about whether we can work with it; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from connector.crms.salesforce.mapping import READ
from connector.crms.salesforce.refusals import HINT_FIX, LATER
from connector.remote.values import read_objects

#: Characters of our key.
KEY_LENGTH = 64
WRITTEN = ("FirstName", "LastName", "Email", "MobilePhone", "Phone")
EVENT_FIELDS = ("WhoId", "Subject", "Location", "Description", "StartDateTime", "EndDateTime", "ShowAs")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is wrong, and what to do about it."""

    text: str
    hint: str
    #: Whether `connector check --fix` can make it right.
    fixable: bool = False


def unseen(what: str) -> Fault:
    """Our user does not see an object at all: then its description is answered as if there were no such object."""
    return Fault(f"our user does not see {what}", f"Let it read, create and edit {what}; {LATER}")


def key_fault(contact: dict[str, Any], key: str) -> Fault | None:
    """What is wrong with our key field."""
    field = _fields(contact).get(key)
    if field is None:
        return Fault(f"the contact field {key} does not exist, or our user may not see it", HINT_FIX, fixable=True)
    if not field.get("externalId") or not field.get("unique") or int(field.get("length") or 0) < KEY_LENGTH:
        text = f"the contact field {key} exists, but is not a unique external id of {KEY_LENGTH} characters"
        return Fault(text, "Correct it in Salesforce, or set another person_key_field and run `connector check --fix`.")
    if not field.get("createable") or not field.get("updateable"):
        return Fault(f"our user may not write the contact field {key}", HINT_FIX, fixable=True)
    return None


def contact_fault(contact: dict[str, Any]) -> Fault | None:
    """What our user may not do with contacts."""
    return _rights("contacts", contact, ("createable", "queryable", "updateable"), READ, WRITTEN)


def event_fault(event: dict[str, Any] | None) -> Fault | None:
    """What our user may not do with events; None: it does not see them."""
    if event is None:
        return unseen("events")
    return _rights("events", event, ("createable", "queryable", "updateable"), EVENT_FIELDS, EVENT_FIELDS)


def person_fault(contact: dict[str, Any]) -> Fault | None:
    """Person accounts: a person there is an account, which we neither read nor write."""
    if "IsPersonAccount" not in _fields(contact):
        return None
    text = "the organisation uses person accounts, which are not supported"
    return Fault(text, f"People who are person accounts would become contacts a second time, so nothing is written; {LATER}")


def _rights(what: str, described: dict[str, Any], rights: tuple[str, ...], read: Any, written: Any) -> Fault | None:
    missing = [right for right in rights if not described.get(right)]
    fields = _fields(described)
    hidden = [name for name in read if name not in fields]
    closed = [name for name in written if name in fields and not fields[name].get("createable")]
    if missing:
        return Fault(f"our user may not do everything with {what}: {', '.join(missing)}", f"Give it these rights; {LATER}")
    if hidden or closed:
        text = f"our user may not read or write fields of {what}: {', '.join([*hidden, *closed])}"
        return Fault(text, f"Give its permission set access to them; {LATER}")
    return None


def _fields(described: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {str(field.get("name")): field for field in read_objects(described.get("fields"))}
