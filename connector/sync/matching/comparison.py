"""A client and a customer side by side, for a person who must tell them apart. Pure; what is compared here is personal data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from connector.model.bookings import Client
from connector.model.persons import Customer
from connector.sync.matching.evidence import agreement, number
from connector.sync.person.agreement import Agreement
from connector.sync.person.identity import Identity, normalise_email, normalise_phone, phone_key

_NAMES = {
    Agreement.STRONG: ("speaks_for", "the names agree"),
    Agreement.WEAK: ("unclear", "the names agree only in part"),
    Agreement.NONE: ("unclear", "the names cannot be compared"),
    Agreement.AGAINST: ("speaks_against", "the names differ"),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """One record as a person reads it."""

    name: str
    emails: tuple[str, ...]
    phones: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        return {"name": self.name, "emails": list(self.emails), "phones": list(self.phones)}


def of_client(client: Client) -> Shown:
    """What the booking system says."""
    phones = _each(client.mobile_phone, client.home_phone)
    return Shown(f"{client.first_name} {client.last_name}".strip(), _each(client.email), phones)


def of_customer(customer: Customer) -> Shown:
    """What the CRM says."""
    name = f"{customer.first_name} {customer.last_name}".strip()
    return Shown(name, _each(*customer.emails), _each(customer.mobile_phone, customer.phone))


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for one person, what against, what is unclear; `differs` names the fields to mark."""

    grade: str
    speaks_for: tuple[str, ...]
    speaks_against: tuple[str, ...]
    unclear: tuple[str, ...]
    differs: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def compare(person: Identity, customer: Customer, country: str | None) -> Evidence:
    """Grade a customer against the client, by the same rules that raised the question."""
    grade = agreement(person, customer)
    said: dict[str, list[str]] = {"speaks_for": [], "speaks_against": [], "unclear": []}
    side, words = _NAMES[grade]
    said[side].append(words)
    differs = ["name"] if grade is not Agreement.STRONG else []
    ours = {"email": set(person.emails), "phone": {phone_key(phone) for phone in person.phones}}
    theirs = {"email": _emails(customer), "phone": _phones(customer, country)}
    for field, noun in (("email", "e-mail address"), ("phone", "phone number")):
        if ours[field] & theirs[field]:
            said["speaks_for"].append(f"the same {noun}")
        elif ours[field] and theirs[field]:
            said["speaks_against"].append(f"another {noun}")
            differs.append(field)
    return Evidence(
        grade=grade.name.lower(),
        speaks_for=tuple(said["speaks_for"]),
        speaks_against=tuple(said["speaks_against"]),
        unclear=tuple(said["unclear"]),
        differs=tuple(differs),
    )


def _emails(customer: Customer) -> set[str]:
    return {email for raw in customer.emails if (email := normalise_email(raw))}


def _phones(customer: Customer, country: str | None) -> set[str]:
    read = (normalise_phone(raw, country) for raw in (customer.mobile_phone, customer.phone) if raw)
    return {phone_key(number(phone)) for phone in read if phone}


def _each(*values: str) -> tuple[str, ...]:
    given: Sequence[str] = [value.strip() for value in values]
    return tuple(dict.fromkeys(value for value in given if value))
