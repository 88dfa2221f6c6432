"""How much an e-mail address or a phone number says of a person: nothing, that it belongs to several, or who it is. Pure."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum, auto

import phonenumbers

from connector.sync.person.placeholders import is_nobodys_email, is_nobodys_number


class Reliability(Enum):
    """What a value is worth as a key."""

    #: It identifies nobody and counts as not said.
    PLACEHOLDER = auto()
    #: It belongs to several people: evidence only beside a name that agrees strongly.
    SHARED = auto()
    IDENTIFIES = auto()


def email_reliability(email: str, shared_emails: Collection[str] = (), shared_domains: Collection[str] = ()) -> Reliability:
    """Judge a normalised address; `shared_…` come from the settings, lower case."""
    local, _, domain = email.rpartition("@")
    if is_nobodys_email(local, domain):
        return Reliability.PLACEHOLDER
    if email in shared_emails or domain in shared_domains:
        return Reliability.SHARED
    return Reliability.IDENTIFIES


def phone_reliability(phone: str, shared_phones: Collection[str] = ()) -> Reliability:
    """Judge an E.164 number (an extension may follow); `shared_phones` are E.164."""
    plain = phone.partition(";")[0]
    try:
        number = phonenumbers.parse(plain, None)
    except phonenumbers.NumberParseException:
        return Reliability.PLACEHOLDER
    national = phonenumbers.national_significant_number(number)
    if is_nobodys_number(national) or (number.country_code == 1 and _is_nobodys_american(national)):
        return Reliability.PLACEHOLDER
    return Reliability.SHARED if plain in shared_phones else Reliability.IDENTIFIES


def _is_nobodys_american(national: str) -> bool:
    """Whether a number of North America repeats one digit, or has an area or exchange that cannot be: "514-123-4567"."""
    return len(set(national[-7:])) == 1 or (len(national) == 10 and (national[0] in "01" or national[3] in "01"))
