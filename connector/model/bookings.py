"""The canonical vocabulary: what a booking system said, in words that belong to no vendor."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec
from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """Immutable value; unknown keys are dropped so that rows written by a newer version can still be read."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Value(msgspec.Struct, frozen=True, gc=False):
    """An immutable value of which every delivery makes some; changed copies by `msgspec.structs.replace`.

    A model of pydantic takes many times as long to make, and seven times the memory while its delivery waits for the commit.
    """


class Kind(StrEnum):
    """What happened to the appointment, as far as the delivery says."""

    CREATED = "created"
    UPDATED = "updated"
    STATUS = "status"
    DELETED = "deleted"
    BACKFILL = "backfill"
    UNKNOWN = "unknown"


class Status(StrEnum):
    """Where the appointment stands; UNKNOWN is legal, a vendor's novelty must not break parsing."""

    SCHEDULED = "scheduled"
    PENDING = "pending"
    ARRIVED = "arrived"
    COMPLETED = "completed"
    NO_SHOW = "no_show"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class Client(Value, frozen=True, kw_only=True):
    """The person's record in the booking system. An empty string means "not said"."""

    id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    mobile_phone: str = ""
    home_phone: str = ""


class Appointment(Value, frozen=True, kw_only=True):
    """One booking. Times are aware datetimes or None; `updated_at` orders two statements about the same booking."""

    id: str
    status: Status = Status.UNKNOWN
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    title: str = ""
    location: str = ""
    staff: str = ""
    staff_id: str = ""
    staff_email: str = ""
    service: str = ""
    service_id: str = ""
    store: str = ""
    store_id: str = ""
    updated_at: datetime | None = None
    #: Of `start` and `end`, what the booking system says in a way that cannot be read.
    unread: tuple[str, ...] = ()
    #: What the sync's template says of it; empty without one.
    text: str = ""

    @property
    def description(self) -> str:
        """The text of its record in a CRM: what the template says, or else who serves."""
        staff = self.staff.strip()
        return self.text or (f"With {staff}" if staff else "")


class Event(Value, frozen=True, kw_only=True):
    """One statement about one client, drawn from a delivery or from the backfill."""

    type: str
    kind: Kind = Kind.UNKNOWN
    client: Client
    appointment: Appointment | None = None
    #: The customer id which the delivery itself gives for this client under our module.
    linked_customer_id: str | None = None


_WRITER = msgspec.json.Encoder()
_READER = msgspec.json.Decoder(Event)


def write_event(event: Event) -> str:
    """The event as JSON, as it is stored. Raises UnicodeEncodeError for text that is not Unicode."""
    return _WRITER.encode(event).decode()


def read_event(text: str) -> Event:
    """The event that was stored as JSON; unknown keys are dropped, as a newer version may have written them.

    Raises msgspec.ValidationError where it is none, and its base DecodeError where it is no JSON.
    """
    return _READER.decode(text)


class Reading(Value, frozen=True, kw_only=True):
    """What an adapter makes of one delivery: events, or a reason to ignore it, or a reason to hold it."""

    #: The sender's own event id, if it gave one.
    event_id: str | None = None
    type: str = "unknown"
    events: tuple[Event, ...] = ()
    #: Set when the delivery is understood and needs nothing done.
    ignored: str | None = None
    #: Set when the delivery is not what the adapter expects; it is stored and waits for a person.
    held: str | None = None
    hint: str = ""
    #: The sender says that it gave up on an earlier delivery: what changed lately has to be read from its side.
    lost_before: bool = False
    #: Seconds after which an equal body without an id is news again (a status that went there and back); None: never.
    repeat_window: float | None = None
