"""Readers of Bookablesites' values: people, statuses and times. Pure; what cannot be read is "not said"."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import phonenumbers

from connector.model.bookings import Client, Status
from connector.remote.values import read_iso, read_key, read_object, read_text

#: https://trafft.com/docs/custom-features/api/ ; spellings differ between clients of the API.
STATUSES = {
    "approved": Status.SCHEDULED,
    "pending": Status.PENDING,
    "canceled": Status.CANCELLED,
    "cancelled": Status.CANCELLED,
    "rejected": Status.CANCELLED,
    "noshow": Status.NO_SHOW,
}


def client_key(source: str, email: str, phone: str, name: str) -> str | None:
    """Our id of a client: a digest of the e-mail, which is unique in an account; deliveries carry no id.

    Without an e-mail, of phone and name together, or of the name. The source is part of it, so that the digest of one
    address differs from account to account. None when nothing is said.
    """
    address = unicodedata.normalize("NFC", email.strip().lower())
    digits = "".join(c for c in phone if c.isdecimal())
    plain = " ".join(unicodedata.normalize("NFC", name).casefold().split())
    kinds = (("email", address if "@" in address else ""), ("phone", digits and f"{digits} {plain}"), ("name", plain))
    said = next(((kind, value) for kind, value in kinds if value), None)
    return None if said is None else digest(source, *said)


def digest(*parts: str) -> str:
    """A short digest of texts; JSON keeps their borders apart."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def read_status(value: Any) -> Status:
    """`approved`, `pending`, `canceled`, `rejected`, `no-show` (also `no_show`); UNKNOWN for others."""
    letters = "".join(c for c in read_text(value, 50).lower() if c.isalpha())
    return STATUSES.get(letters, Status.UNKNOWN)


def read_local(value: Any, date_format: str | None, zone: str | None) -> datetime | None:
    """A time as the account displays it. Of an hour that comes twice in autumn, the first."""
    if date_format is None or zone is None or not isinstance(value, str) or len(value) > 100:
        return None
    try:
        # " ".join: a narrow or doubled space between time and "PM" is a matter of taste.
        moment = datetime.strptime(" ".join(value.split()), date_format)  # noqa: DTZ007
        return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def read_api_time(value: Any) -> datetime | None:
    """A time of the API as it stands, ISO 8601: naive when it names no zone."""
    if not isinstance(value, str) or len(value) > 64:
        return None
    try:
        return read_iso(value)
    except (ValueError, OverflowError):
        return None


def in_utc(moment: datetime | None, zone: str | None) -> datetime | None:
    """The moment in UTC; None for a naive one without a zone to read it in."""
    if moment is None or (moment.tzinfo is None and zone is None):
        return None
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone or "UTC"))).astimezone(UTC)
    except OverflowError:
        return None


def member(record: Mapping[str, Any], name: str) -> Any:
    """A member by its snake_case name, also where the API generation writes it in camelCase."""
    return record[name] if name in record else record.get(camel(name))


def camel(name: str) -> str:
    """snake_case → camelCase."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def read_phone(record: Mapping[str, Any]) -> str:
    """The customer's phone with its country code, where there is one.

    How the code is written is not known: "+1", "1" and "CA" are understood, and a number that brings its own is kept.
    """
    number = _said(member(record, "phone_number")) or _said(record.get("phone"))
    code = _said(member(record, "phone_country_code"))
    if not number or number.startswith(("+", "00")):
        return number
    if len(code) == 2 and code.isascii() and code.isalpha():
        code = str(phonenumbers.country_code_for_region(code.upper()) or "")
    digits = code.lstrip("+0")
    return f"+{digits} {number}" if digits.isascii() and digits.isdigit() and len(digits) <= 4 else number


def _said(value: Any) -> str:
    return str(value) if type(value) is int and abs(value) < 10**20 else read_text(value, 100)


def read_customer(source: str, record: Mapping[str, Any]) -> Client | None:
    """A customer of the API as our client; None when nothing is said of them."""
    first, last = (read_text(member(record, name)) for name in ("first_name", "last_name"))
    email, phone = read_text(record.get("email")), read_phone(record)
    key = client_key(source, email, phone, f"{first} {last}")
    if key is None:
        return None
    return Client(id=key, first_name=first, last_name=last, email=email, mobile_phone=phone)


def customer_id(record: Mapping[str, Any]) -> str | None:
    """The product's own id of a record."""
    return read_key(record.get("id"))


def name_of(value: Any) -> str:
    """The name of a nested object such as a service, or the text that stands in its place."""
    return read_text(value) or read_text(read_object(value).get("name"))
