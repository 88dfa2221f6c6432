"""What integrations can do or not, as their classes declare it."""

from __future__ import annotations

from enum import Enum


class Capability(Enum):
    """Something that one product can do and another cannot. Each family lists its own; the value says it in words."""


class BookingCapability(Capability):
    """What a booking system can do or not."""

    #: There is a place for a customer id. Without it `write_link` is never called.
    WRITES_LINKS = "stores a customer's id"
    #: Without it nobody compares what is stored with our links.
    READS_LINKS = "shows what is stored"
    #: Each booking carries its own link: a known client's next booking is written as well.
    LINKS_APPOINTMENTS = "stores it with each booking"
    #: A client's id is made of the e-mail address, which may come to belong to somebody else.
    MOVING_IDS = "knows clients by their address only"
    #: Deliveries may be HTML forms as well as JSON.
    FORMS = "sends HTML forms"


class CrmCapability(Capability):
    """What a CRM can do or not."""

    #: `get` of a record that was merged into another one leads there. Without it the record reads as gone (None), because
    #: the CRM does not say which one goes on.
    FOLLOWS_MERGES = "a merged customer leads to the surviving one"
    #: A create under a key that a customer carries is refused, and changes nothing. (An upsert would write to that customer.)
    REFUSES_KEYS = "refuses our key a second time"
    #: An owner is only chosen for a customer who is made.
    ALWAYS_OWNED = "every customer has an owner from the start"
