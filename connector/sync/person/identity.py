"""Who a client is: normalised e-mail, phones and name. Pure.

Everything here is compared, stored as a digest or written to a CRM, so a rule that changes what comes out changes who
is recognised. Where a rule could make one person of two, it does not: the event then waits for a person.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import lru_cache

import phonenumbers

from connector.model.bookings import Client
from connector.sync.person.names import NAMELESS, PersonName, read_name
from connector.sync.person.numbering import one_spelling, parse_phone
from connector.sync.person.placeholders import is_nobodys_number
from connector.sync.person.reliability import Reliability, email_reliability, phone_reliability
from connector.sync.person.repair import (
    INVISIBLE,
    holds_address,
    phone_candidates,
    repaired_email,
    unescaped_email,
    without_addresses,
)
from connector.sync.person.words import words_of

#: Characters; longer values are neither e-mail addresses nor phone numbers.
MAX_EMAIL = 320
MAX_PHONE = 100
#: Digits; fewer are no phone number anywhere, but a remark.
_MIN_DIGITS = 6
_NORTH_AMERICA = 1
#: Domains of one mailbox provider → the one that is compared. ASSUMPTION, from common knowledge: both name one mailbox.
_SAME_DOMAIN = {"googlemail.com": "gmail.com"}
#: Japanese carriers gave out addresses with dots where the standard has none: a.@…, a..b@…, .a@…
_LOOSE_DOTS = re.compile(r"(?=\.*[^.@])[a-z0-9._+/?-]{1,64}@(?:docomo|ezweb)\.ne\.jp")
#: Countries where the provider had to give the first of the two for years.
_OTHER_DOMAIN_IN = frozenset({"DE", "AT", "CH", "GB"})

#: Lower case. The validator, which takes twenty times as long, leaves such an address as it is.
_PLAIN = re.compile(
    r"(?=[^@]{1,64}@.{4,120}\Z)[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@(?:[a-z0-9]{1,30}(?:-[a-z0-9]{1,30})?\.)+([a-z]{2,20})", re.ASCII
)
#: Top-level domains of whose addresses the validator refuses some.
_SPECIAL = frozenset({"arpa", "invalid", "local", "localhost", "onion"})

# fmt: off
# ASSUMPTION: no booking system documents what it leaves behind when it anonymises a client (Booxi's scrubbed values are
# unknown), so these are the words and shapes that such software commonly writes.
_PLACEHOLDER_WORDS = frozenset({
    "anonymous", "anonymized", "anonymised", "anonym", "anonyme", "anonymise", "anonymisiert", "deleted", "redacted", "unknown",
    "walkin", "noname",
})
_PLACEHOLDERS = _PLACEHOLDER_WORDS | {"client", "customer", "guest", "user", "name"}
#: Digits enough for a phone number, and what is written between them.
_NUMBER = re.compile(r"\+?[\d(][\d ().\-/]{5,}\d")
_WALK_IN = re.compile(r"\bwalk\W?in\b")
# fmt: on


@lru_cache(maxsize=4096)
def normalise_email(raw: str) -> str | None:
    """Return the address in the one spelling we compare and store, or None when it is not an e-mail address.

    Lower case, NFC, and the domain in its ASCII (IDNA) form. Dots and +tags stay: they make different addresses with most
    providers. Letters are lower-cased rather than case-folded, because folding "ß" to "ss" names another mailbox. Whether
    the address receives mail is not asked; `.test` and `.example` are accepted, `.invalid` and dotless domains are not.
    """
    if len(raw) > MAX_EMAIL:
        return None
    return _read_email(unescaped_email(raw).strip(INVISIBLE)) or _read_email(repaired_email(raw))


def _read_email(raw: str) -> str | None:
    if (plain := _PLAIN.fullmatch(lower := raw.lower())) is not None and plain[1] not in _SPECIAL and raw.isascii():
        return _of_one_domain(*lower.split("@"))
    from email_validator import EmailNotValidError, validate_email

    # In lower case the Turkish capital is two characters, an i and a dot above it; in no address there is such a dot.
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", raw).lower().replace("i\u0307", "i"))
    try:
        address = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return text if _LOOSE_DOTS.fullmatch(text) else None
    # "anna@example.c om", cut at the gap: no top-level domain has one letter.
    domain = address.ascii_domain
    return _of_one_domain(address.local_part, domain) if "." in domain and len(domain.rpartition(".")[2]) > 1 else None


def _of_one_domain(local: str, domain: str) -> str:
    return f"{local}@{_SAME_DOMAIN.get(domain, domain)}"


def mailbox(email: str, ignoring: Collection[str]) -> str:
    """Return the plain address of the same mailbox: at the domains in `ignoring`, dots and +tags do not make another one."""
    local, _, domain = email.rpartition("@")
    plain = local.partition("+")[0].replace(".", "")
    return f"{plain}@{domain}" if plain and domain in ignoring else email


@lru_cache(maxsize=4096)
def normalise_phone(raw: str, country: str | None) -> str | None:
    """Return the number as E.164, or None when it is not one or its country is not known.

    `country` (ISO 3166, two letters) reads national numbers. The number must be *possible*, that is of a length its
    country uses; a *valid* range is not demanded, since new and fictional ranges are missing from every list. A local
    number without its area code ("555-0123") is refused: others have the same one elsewhere. Behind one switchboard an
    extension makes another phone, so it is kept in the manner of RFC 3966: `+15145550123;ext=12`.
    """
    if len(raw) > MAX_PHONE:
        return None
    found = (_read_phone(candidate, country) for candidate in phone_candidates(raw))
    return next((phone for phone in found if phone is not None), None)


def _read_phone(raw: str, country: str | None) -> str | None:
    number = parse_phone(raw, country)
    if number is None or phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    if number.country_code == _NORTH_AMERICA and phonenumbers.national_significant_number(number).startswith("0"):
        # Another country's, as it is dialled there: no area begins so. It is somebody's, but nobody can say whose.
        return None
    plain = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    again = parse_phone(plain, None)
    # A surplus trunk prefix (+33 0 0…) survives one reading and not the next: such a number has no one spelling.
    if again is None or phonenumbers.format_number(again, phonenumbers.PhoneNumberFormat.E164) != plain:
        return None
    extension = phonenumbers.normalize_digits_only(number.extension or "")
    return f"{plain};ext={extension}" if extension else plain


@dataclass(frozen=True, slots=True)
class Identity:
    """What is known of a person, normalised; None and a blank name mean "not said"."""

    email: str | None = None
    mobile_phone: str | None = None
    home_phone: str | None = None
    name: PersonName = NAMELESS
    #: The plain address of the same mailbox, where that is another one than `email`.
    plain_email: str | None = None
    #: The same mailbox at the other domain of its provider's, where a CRM may well have it so.
    other_email: str | None = None
    #: Those of the phones that belong to several people.
    shared_phones: frozenset[str] = frozenset()
    #: Whether the e-mail address was seen with several plainly different names.
    shared_email: bool = False
    #: Fields that say something which could not be read: not the same as saying nothing.
    unreadable: tuple[str, ...] = ()

    @property
    def emails(self) -> tuple[str, ...]:
        """The e-mail address as it was given, and the plain one of the same mailbox."""
        return tuple(dict.fromkeys(email for email in (self.email, self.plain_email) if email))

    @property
    def phones(self) -> tuple[str, ...]:
        """The distinct phones, mobile first."""
        return tuple(dict.fromkeys(phone for phone in (self.mobile_phone, self.home_phone) if phone))

    @property
    def matchable(self) -> bool:
        """True when there is something to look a customer up by."""
        return bool(self.email or self.phones)

    @property
    def blank(self) -> bool:
        """True when nothing at all is known."""
        return not self.matchable and self.name.blank

    def lacks(self, minimum: str) -> str:
        """What is missing for a new customer, in words; empty when there is enough.

        The least is what would be recognised again: an e-mail, or a phone and a name (`phone_and_name`). `email` and
        `email_and_name` ask for more.
        """
        if minimum != "phone_and_name" and not self.email:
            return "an e-mail address is missing"
        if minimum == "email_and_name" and self.name.blank:
            return "a name is missing"
        if self.email or (self.phones and not self.name.blank):
            return ""
        return (
            "there is a phone number without a name" if self.phones else "there is neither an e-mail address nor a phone number"
        )

    def keys(self) -> tuple[str, ...]:
        """Return the digests under which this person is locked, sorted so that two tasks never wait for each other.

        Plain SHA-256: whoever holds a phone number can compute its key, so keys stay in our own database.
        """
        return tuple(sorted([*self.phone_keys, *self.email_keys]))

    @property
    def email_key(self) -> str | None:
        """The digest of the e-mail address; one for all spellings of a mailbox."""
        return _digest("email", self.emails[-1]) if self.email else None

    @property
    def email_keys(self) -> tuple[str, ...]:
        """The digests of the address as given and of the plain one: a sync that tells spellings apart knows only the first."""
        return tuple(_digest("email", email) for email in self.emails)

    @property
    def phone_keys(self) -> tuple[str, ...]:
        """The digests of the phones without extensions: a CRM keeps the number alone, so two clients may meet there."""
        return tuple(dict.fromkeys(phone_key(phone) for phone in self.phones))

    def sharing(self, keys: Collection[str]) -> Identity:
        """The same person, knowing that these keys belong to several people."""
        phones = {phone for phone in self.phones if phone_key(phone) in keys}
        shared_email = self.shared_email or bool(set(self.email_keys) & set(keys))
        return replace(self, shared_phones=self.shared_phones | phones, shared_email=shared_email)


def phone_key(phone: str) -> str:
    """The digest of an E.164 number without its extension; one for all spellings that the number has had."""
    return _digest("phone", one_spelling(phone.partition(";")[0]))


def identify(
    client: Client,
    country: str | None,
    shared_domains: Collection[str] = (),
    plain_domains: Collection[str] = (),
    *,
    shared_emails: Collection[str] = (),
    shared_phones: Collection[str] = (),
) -> Identity:
    """Normalise what a booking system says of a client; anonymised and placeholder values count as not said.

    So does an address in `shared_emails` or at one of `shared_domains` (lower case): it belongs to several
    people. A phone in `shared_phones` (E.164) is kept and marked. At `plain_domains` (lower case) all spellings of a
    mailbox are one: see `mailbox`. An address that stands in a field for the name, or a number in the field for the
    address, is taken from there where its own field is empty.
    """
    raw_email, phones = _in_their_fields(client, country)
    read = normalise_email(raw_email)
    known = read is not None and email_reliability(read, shared_emails, shared_domains) is Reliability.IDENTIFIES
    email = read if known else None
    plain = mailbox(email, plain_domains) if email else None
    name = read_name(client.first_name, client.last_name)
    numbers = {field: normalise_phone(raw, country) for field, raw in phones.items()}
    worth = {phone: phone_reliability(phone, shared_phones) for phone in numbers.values() if phone}
    usable = {field: phone for field, phone in numbers.items() if phone and worth[phone] is not Reliability.PLACEHOLDER}
    said = {"email": raw_email, **phones}
    result = {"email": read, **numbers}
    return Identity(
        email=email,
        mobile_phone=usable.get("mobile_phone"),
        home_phone=usable.get("home_phone"),
        name=NAMELESS if _is_placeholder(name) else name,
        plain_email=plain if plain != email else None,
        other_email=_other_domain(email, raw_email, country),
        shared_phones=frozenset(phone for phone, value in worth.items() if value is Reliability.SHARED),
        unreadable=tuple(field for field, raw in said.items() if result[field] is None and _says_something(raw)),
    )


def _in_their_fields(client: Client, country: str | None) -> tuple[str, dict[str, str]]:
    """The raw e-mail address and the raw phones, each where it belongs; what a field of its own says goes first."""
    said = {"mobile_phone": client.mobile_phone, "home_phone": client.home_phone}
    phones = {field: without_addresses(phone) for field, phone in said.items()}
    email = client.email
    if "@" not in email and not any(phone.strip(INVISIBLE) for phone in phones.values()) and normalise_phone(email, country):
        phones["mobile_phone"], email = email, ""
    email = email if email.strip(INVISIBLE) else _address_in(client.first_name, client.last_name, *said.values())
    if not email and not any(phone.strip(INVISIBLE) for phone in phones.values()):
        phones["mobile_phone"] = _number_in(client.first_name, client.last_name, country=country)
    return email, phones


def _other_domain(email: str | None, raw: str, country: str | None) -> str | None:
    """The address at the other domain of its provider's, where it was given so or the country's people have it so."""
    for other, same in _SAME_DOMAIN.items():
        if email and email.endswith(f"@{same}") and (other in raw.lower() or (country or "").upper() in _OTHER_DOMAIN_IN):
            return f"{email.removesuffix(same)}{other}"
    return None


def _address_in(*fields: str) -> str:
    """The e-mail address that stands where a name or a number was asked for; the whole field where it may be cut there."""
    found = [field for field in fields if "@" in unescaped_email(field)]
    clear = next((address for address in map(repaired_email, found) if normalise_email(address)), "")
    return clear or next((field for field in found if holds_address(field)), "")


def _number_in(*names: str, country: str | None) -> str:
    """The phone number that stands where a name was asked for: "Ross 514-555-0123"."""
    found = (match[0] for name in names for match in _NUMBER.finditer(name))
    return next((number for number in found if normalise_phone(number, country)), "")


def _says_something(raw: str) -> bool:
    """Whether a value that cannot be read could mean somebody: digits enough for a number, or an @."""
    text = raw.strip(INVISIBLE)
    local, at, _ = text.lower().rpartition("@")
    if at and (text.lower().endswith(".invalid") or email_reliability(f"{local}@nobody.com") is Reliability.PLACEHOLDER):
        return False
    digits = "".join(character for character in text if character.isdigit())
    return bool(at) or (len(digits) >= _MIN_DIGITS and not is_nobodys_number(digits))


def _is_placeholder(name: PersonName) -> bool:
    """True when the whole name consists of placeholder words, perhaps with a "user" or a number beside them."""
    text = _WALK_IN.sub("walkin", re.sub(r"\bn\s?/\s?a\b", "unknown", f"{name.first} {name.last}".casefold()))
    words = ["unknown" if re.fullmatch("x{3,}", word) else word for word in words_of(text)]
    real = [word for word in words if word not in _PLACEHOLDERS and not word.isdigit()]
    return not real and any(word in _PLACEHOLDER_WORDS for word in words)


def person_key(source: str, client_id: str, number: int = 0) -> str:
    """Return our own key for a client of a source: it goes on the CRM record, so it never changes and reveals nothing.

    `number` counts the customers that carried a key for the client and turned out to be somebody else.
    """
    return _sha256("person", source, client_id, *([str(number)] if number else []))


def _digest(kind: str, *parts: str) -> str:
    return f"{kind}:{_sha256(kind, *parts)}"


@lru_cache(maxsize=1024)
def _sha256(*parts: str) -> str:
    # JSON keeps ("a", "b:c") and ("a:b", "c") apart, and writes lone surrogates, which no encoding would take.
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
