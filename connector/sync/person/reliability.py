"""How much an e-mail address or a phone number says of a person: nothing, that it belongs to several, or who it is. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import Enum, auto

import phonenumbers


class Reliability(Enum):
    """What a value is worth as a key."""

    #: It identifies nobody and counts as not said.
    PLACEHOLDER = auto()
    #: It belongs to several people: evidence only beside a name that agrees strongly.
    SHARED = auto()
    IDENTIFIES = auto()


# ASSUMPTION: no booking system documents what its users or its own anonymisation write where nothing is known, so these
# are the words and shapes that are commonly typed. A word counts as the whole local part, perhaps with a number behind.
_NOBODY = (
    "none|no|na|nil|null|nobody|noone|nomail|noemail|no-mail|no-email|no_email|noreply|no-reply|no_reply|donotreply|do-not-reply|"
    "unknown|anonymous|anonym|anonyme|anonymized|anonymised|deleted|redacted|removed|notprovided|not-provided|nomaill|keinemail|"
    "keine|keine-email|sansmail|sansemail|sans-email|pasdemail|sinemail|sincorreo|sin-correo|nessuna|noemailprovided|"
    "noaddress|fake|dummy|test|testing|tester|asdf|qwerty|abc|xxx|xx|x|aaa|a|email|mail|guest|walkin|walk-in|customer|client"
)
_NOBODY_LOCAL = re.compile(rf"(?:{_NOBODY})[._-]?\d*")
#: The software's own placeholders carry a word and anything behind it: "anonymous+8", "deleted-17", "no-reply+x".
_NOBODY_PREFIX = re.compile(r"(?:anonym(?:ous|i[sz]ed)?|deleted|redacted|no-?reply)[+@._-]\S*")
# fmt: off
#: Local parts that may be somebody's mailbox at a real domain: they are nobody's only at a domain that is nobody's too.
_ONLY_BESIDE_NOBODY = frozenset({
    "a", "x", "xx", "abc", "mail", "email", "client", "customer", "guest", "no", "na", "tester",
})
# fmt: on
#: Domains that say that there is no address, whoever stands before the @: "anna@no-email.com". Others ("unknown", "mail",
#: "guest") are real providers and firms too.
_NO_ADDRESS_DOMAIN = re.compile(
    r"(?:no-?e?-?mails?|noemail-?provided|none|noreply|no-reply|donotreply|fake-?e?mail|not-?provided|noaddress|"
    r"kein-?e?-?mail|keine-?e?-?mail|sans-?e?-?mail|pasde-?e?mail|sin-?e?-?mail|sincorreo|sem-?e?-?mail|geen-?e?-?mail|"
    r"senza-?e?-?mail|brak-?e?-?mail|ingen-?e?-?mail|test)\.(?:com|net|org|co|[a-z]{2}|co\.uk|com\.br)"
)
#: Addresses that booking systems make where a client has none: "_123456@bookitlive.net" (its help, "Creating clients without
#: email addresses", read 2026-11).
_GENERATED = re.compile(r"_\d+@bookitlive\.net")
#: Fewer characters than an address there can have (Google's sign-up: 6 to 30), so "na@", "abc@" and "guest@" are nobody's.
_SHORTEST = {"gmail.com": 6}
_NOBODY_DOMAIN = re.compile(
    r"(?:none|nomail|noemail|no-mail|no-email|noreply|no-reply|unknown|test|testing|fake|fakemail|dummy|nowhere|nobody|null|na|"
    r"abc|asdf|xxx|xx|aaa|email|mail|domain|guest|walkin|anonymous|deleted|redacted)\.[a-z.]{2,8}|[^@]*\.invalid"
)
#: National numbers that run up or down.
_RUNS = ("01234567890123456789", "98765432109876543210", "12345678901234567890")


def email_reliability(email: str, shared_emails: Collection[str] = (), shared_domains: Collection[str] = ()) -> Reliability:
    """Judge a normalised address; `shared_…` come from the settings, lower case."""
    local, _, domain = email.rpartition("@")
    if _is_nobody(local, domain):
        return Reliability.PLACEHOLDER
    if email in shared_emails or domain in shared_domains:
        return Reliability.SHARED
    return Reliability.IDENTIFIES


def _is_nobody(local: str, domain: str) -> bool:
    if (
        _NOBODY_PREFIX.fullmatch(f"{local}@")
        or _NO_ADDRESS_DOMAIN.fullmatch(domain)
        or _GENERATED.fullmatch(f"{local}@{domain}")
    ):
        return True
    if not _NOBODY_LOCAL.fullmatch(local):
        return False
    plain = local.rstrip("0123456789").rstrip("._-")
    if plain in _ONLY_BESIDE_NOBODY:
        return _NOBODY_DOMAIN.fullmatch(domain) is not None or len(local) < _SHORTEST.get(domain, 0)
    return True


def phone_reliability(phone: str, shared_phones: Collection[str] = ()) -> Reliability:
    """Judge an E.164 number (an extension may follow); `shared_phones` are E.164."""
    plain = phone.partition(";")[0]
    try:
        number = phonenumbers.parse(plain, None)
    except phonenumbers.NumberParseException:
        return Reliability.PLACEHOLDER
    national = phonenumbers.national_significant_number(number)
    if is_nobodys_number(national) or (number.country_code == 1 and len(set(national[-7:])) == 1):
        return Reliability.PLACEHOLDER
    return Reliability.SHARED if plain in shared_phones else Reliability.IDENTIFIES


def is_nobodys_number(digits: str) -> bool:
    """Whether a national number (or what was typed as one) repeats one digit or a few, or counts up or down."""
    if len(set(digits)) <= 1 or (len(digits) >= 7 and any(digits in run for run in _RUNS)):
        return True
    # "555-555-1234", "555-555-5555", "999-999-1234": an area and an exchange that repeat one digit.
    if len(digits) == 10 and len(set(digits[:6])) == 1:
        return True
    # "12121212", "2121212121", "123123123": two or three digits, over and over.
    if len(digits) >= 8 and any(digits == (digits[:size] * len(digits))[: len(digits)] for size in (2, 3)):
        return True
    # "06 00000000", "11 99999 9999": what tells a mobile phone or an area, and then no number. A run behind other digits
    # (+33 6 12 34 56 78, +54 11 2345 6789) may be somebody's.
    return (len(digits) >= 8 and len(set(digits[1:])) == 1) or (len(digits) >= 10 and len(set(digits[-8:])) == 1)
