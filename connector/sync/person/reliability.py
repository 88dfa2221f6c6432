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
    "a", "x", "xx", "abc", "mail", "email", "client", "customer", "guest", "no", "na", "test", "tester", "testing",
})
# fmt: on
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
    if _NOBODY_PREFIX.fullmatch(f"{local}@"):
        return True
    if not _NOBODY_LOCAL.fullmatch(local):
        return False
    plain = local.rstrip("0123456789").rstrip("._-")
    if plain in _ONLY_BESIDE_NOBODY:
        return _NOBODY_DOMAIN.fullmatch(domain) is not None
    return True


def phone_reliability(phone: str, shared_phones: Collection[str] = ()) -> Reliability:
    """Judge an E.164 number (an extension may follow); `shared_phones` are E.164."""
    plain = phone.partition(";")[0]
    try:
        national = phonenumbers.national_significant_number(phonenumbers.parse(plain, None))
    except phonenumbers.NumberParseException:
        return Reliability.PLACEHOLDER
    if _is_nobodys_number(national):
        return Reliability.PLACEHOLDER
    return Reliability.SHARED if plain in shared_phones else Reliability.IDENTIFIES


def _is_nobodys_number(national: str) -> bool:
    if len(set(national)) <= 1:
        return True
    if len(national) >= 7 and any(national in run for run in _RUNS):
        return True
    # "555-555-1234", "555-555-5555", "999-999-1234": an area and an exchange that repeat one digit.
    if len(national) == 10 and len(set(national[:6])) == 1:
        return True
    return len(national) >= 8 and len(set(national[1:])) == 1
