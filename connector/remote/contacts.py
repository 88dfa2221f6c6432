"""What every CRM's adapter compares: addresses, numbers and blanks of a contact, and the marker of a record of ours. Pure."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from typing import Any

import phonenumbers

from connector.model.persons import Customer, NewCustomer


def email_spellings(email: str) -> tuple[str, ...]:
    """The address, and where its domain is an international one also as people type it."""
    plain = email.strip()
    local, _, domain = plain.rpartition("@")
    try:
        typed = f"{local}@{domain.encode('ascii').decode('idna')}"
    except UnicodeError:
        return (plain,)
    return tuple(dict.fromkeys((plain, typed)))


def is_email_among(email: str, known: Iterable[str]) -> bool:
    """Whether the address, in whichever spelling and case, is one of those known; an empty one never is."""
    wanted = {spelling.casefold() for spelling in email_spellings(email)} - {""}
    return not wanted.isdisjoint(address.strip().casefold() for address in known)


def has_email(contact: Customer, email: str) -> bool:
    """Whether the contact has this address, in whichever spelling and case."""
    return is_email_among(email, contact.emails)


def is_phone_among(phone: str, numbers: Iterable[str]) -> bool:
    """Whether one of the numbers is this E.164 number; a national one is read with the country of `phone`.

    Raises phonenumbers.NumberParseException where `phone` is not in E.164 form.
    """
    number = phonenumbers.parse(phone)
    country = phonenumbers.region_code_for_number(number) or phonenumbers.region_code_for_country_code(number.country_code or 0)
    return any(_e164(text, country) == phone for text in numbers)


def has_phone(contact: Customer, phone: str) -> bool:
    """Whether one of the contact's numbers is this E.164 number. Raises as `is_phone_among`."""
    return is_phone_among(phone, (contact.mobile_phone, contact.phone))


def shared(contact: Customer, email: str, person_key: str) -> frozenset[str]:
    """Which of `email` and `key` the contact carries."""
    found = {"email"} if has_email(contact, email) else set()
    return frozenset(found | ({"key"} if contact.person_key == person_key else set()))


def blanks(current: Customer, new: NewCustomer, fields: Iterable[str]) -> list[str]:
    """Those of our fields that `new` knows and `current` does not; a name in one field is blank as `whole_name` says."""

    def is_blank(field: str) -> bool:
        if current.one_name and field in ("first_name", "last_name"):
            return bool(whole_name(current, new))
        return not (current.emails if field == "email" else getattr(current, field))

    return [field for field in fields if is_blank(field) and str(getattr(new, field)).strip()]


def named(new: NewCustomer, names: Mapping[str, str], wanted: Iterable[str]) -> dict[str, str]:
    """The fields of `new` that say something, by the CRM's `names`; blanks are never sent: they would clear what is there."""
    pairs = ((names[field], str(getattr(new, field)).strip()) for field in wanted)
    return {name: value for name, value in pairs if value}


def our_words(names: Mapping[str, str], written: Iterable[str]) -> tuple[str, ...]:
    """Our words for the CRM's fields; those that are not ours keep the CRM's."""
    words = {name: field for field, name in names.items()}
    return tuple(words.get(name, name) for name in written)


def whole_name(current: Customer, new: NewCustomer) -> str:
    """The name to write where the CRM keeps it in one field: `new`'s, if there is none, or only one of its two parts."""
    parts = [part for part in (new.first_name.strip(), new.last_name.strip()) if part]
    there = current.first_name.strip().casefold()
    may = not there or (len(parts) == 2 and there in [part.casefold() for part in parts])
    return " ".join(parts) if may else ""


def identifies(wanted: Container[str], kept: Container[str], names: Mapping[str, str]) -> bool:
    """Whether a contact with the properties `kept` can be found again: by the wanted e-mail address, or else by a phone.

    `names` are the CRM's names of our fields.
    """
    if names["email"] in wanted:
        return names["email"] in kept
    return names["mobile_phone"] in kept or names["phone"] in kept


def retried(values: Mapping[str, Any], refused: Container[str], further: Container[str]) -> dict[str, Any]:
    """What is sent once more after a refusal: without what it names, or, where it names nothing, without further fields."""
    named = {name: value for name, value in values.items() if name not in refused}
    return named if len(named) < len(values) else {name: value for name, value in values.items() if name not in further}


def marker_line(marker: str) -> str:
    """The line in a record's text that lets us find it again."""
    return f"connector: {marker}"


def carries(text: Any, marker: str) -> bool:
    """Whether a text holds exactly this marker, whatever people or an editor put around it."""
    return isinstance(text, str) and re.search(rf"{re.escape(marker_line(marker))}(?![\w-])", text) is not None


def _e164(text: str, country: str) -> str | None:
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
