"""Who a client is: normalised e-mail, phones and name, and whether two names may belong to one person. Pure.

Everything here is compared, stored as a digest or written to a CRM, so a rule that changes what comes out changes who
is recognised. Where a rule could make one person of two, it does not: the event then waits for a person.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple, Self

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from nameparser import Lexicon
from nameparser import parse as parse_name

from connector.appointments import Client

#: Characters; longer values are not e-mail addresses, phone numbers or (they are cut) names.
MAX_EMAIL = 320
MAX_PHONE = 100
MAX_NAME = 200

# fmt: off
#: What people paste around a value without seeing it: spaces of all kinds, zero-width and direction marks.
_INVISIBLE = "".join(map(chr, [
    *range(0x21), *range(0x7F, 0xA1), 0xAD, 0x1680, 0x180E, *range(0x2000, 0x2010), *range(0x2028, 0x2030),
    0x205F, *range(0x2060, 0x2070), 0x3000, 0xFEFF,
]))
#: Zero-width characters that belong to the spelling of Persian and Indic names.
_JOINERS = "\u200c\u200d"
_APOSTROPHES = dict.fromkeys(map(ord, "'\u2019\u2018\u02bc\u02bb`\u00b4\uff07"))
#: Letters that no Unicode decomposition reduces to their plain form.
_PLAIN = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"})
#: Accents of Latin, Greek and Cyrillic only: elsewhere (Devanagari, kana) a mark makes another letter.
_ACCENTS = re.compile("[\u0300-\u036f]")
#: Ignored inside a surname of several words. "le", "do", "al", "ben" are missing: they are names of their own too.
_PARTICLES = frozenset({
    "van", "von", "vom", "der", "den", "de", "del", "della", "di", "da", "dos", "das", "du", "la", "zu", "zum", "zur", "ter",
    "ten", "af", "av", "y",
})
#: What tells a son from his father, in its spellings; looked for in surnames only, since "Junior" is a first name too.
_GENERATIONS = {
    "jr": "jr", "jnr": "jr", "junior": "jr", "sr": "sr", "snr": "sr", "senior": "sr", "ii": "ii", "iii": "iii", "iv": "iv",
}

# ASSUMPTION: no booking system documents what it leaves behind when it anonymises a client (Booxi's scrubbed values are
# unknown), so these are the words and shapes that such software commonly writes.
_PLACEHOLDER_WORDS = frozenset({
    "anonymous", "anonymized", "anonymised", "anonym", "anonyme", "anonymise", "anonymisiert", "deleted", "redacted", "unknown",
})
_PLACEHOLDER_COMPANY = frozenset({"client", "customer", "guest", "user", "name"})
_PLACEHOLDER_EMAIL = re.compile(r"anonym|deleted|redacted|no-?reply[+@]")
# fmt: on


class Agreement(StrEnum):
    """What comparing two names says. Only AGREE supports a match; UNKNOWN is the absence of evidence."""

    AGREE = "agree"
    DISAGREE = "disagree"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class PersonName:
    """A name in two parts, either of which may be empty; made by `read_name`."""

    first: str = ""
    last: str = ""

    @property
    def blank(self) -> bool:
        """True when no letter or digit is left to compare."""
        return not name_key(self)


@lru_cache(maxsize=4096)
def normalise_email(raw: str) -> str | None:
    """Return the address in the one spelling we compare and store, or None when it is not an e-mail address.

    Lower case, NFC, and the domain in its ASCII (IDNA) form. Dots and +tags stay: they make different addresses with most
    providers. Letters are lower-cased rather than case-folded, because folding "ß" to "ss" names another mailbox. Whether
    the address receives mail is not asked; `.test` and `.example` are accepted, `.invalid` and dotless domains are not.
    """
    if len(raw) > MAX_EMAIL:
        return None
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", raw.strip(_INVISIBLE)).lower())
    try:
        address = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    domain = address.ascii_domain
    return f"{address.local_part}@{domain}" if "." in domain else None


@lru_cache(maxsize=4096)
def normalise_phone(raw: str, country: str | None) -> str | None:
    """Return the number as E.164, or None when it is not one or its country is not known.

    `country` (ISO 3166, two letters) reads national numbers. The number must be *possible*, that is of a length its
    country uses; a *valid* range is not demanded, since new and fictional ranges are missing from every list. A local
    number without its area code ("555-0123") is refused: others have the same one elsewhere. Behind one switchboard an
    extension makes another phone, so it is kept in the manner of RFC 3966: `+15145550123;ext=12`.
    """
    number = _parse_phone(raw, country)
    if number is None or phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    plain = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    again = _parse_phone(plain, None)
    # A surplus trunk prefix (+33 0 0…) survives one reading and not the next: such a number has no one spelling.
    if again is None or phonenumbers.format_number(again, phonenumbers.PhoneNumberFormat.E164) != plain:
        return None
    extension = phonenumbers.normalize_digits_only(number.extension or "")
    return f"{plain};ext={extension}" if extension else plain


def _parse_phone(raw: str, country: str | None) -> phonenumbers.PhoneNumber | None:
    if len(raw) > MAX_PHONE:
        return None
    try:
        return phonenumbers.parse(raw.strip(_INVISIBLE), country.upper() if country else None)
    except phonenumbers.NumberParseException:
        return None


def read_name(first: str, last: str) -> PersonName:
    """Tidy a name and, where all of it arrived in one field, split it with a name parser.

    Control characters and e-mail addresses are dropped, white space is collapsed, each part is at most 200 characters.
    One word stays in the field it came in; a name given in both fields is not rearranged.
    """
    one, two = _tidy(first), _tidy(last)
    if bool(one) == bool(two):
        return PersonName(one, two)
    whole = one or two
    unsplit = PersonName(one, two)
    return unsplit if " " not in whole else _split(whole, unsplit)


def _tidy(raw: str) -> str:
    """Return what can be shown of a name; "" when there is no letter or digit in it."""
    spaced = "".join(" " if c.isspace() else c for c in raw[: 4 * MAX_NAME])
    visible = "".join(c for c in spaced if c in _JOINERS or unicodedata.category(c) not in {"Cc", "Cf", "Cs"})
    words = [word for word in unicodedata.normalize("NFC", visible).split() if not _is_address(word)]
    text = " ".join(words)[:MAX_NAME].rstrip()
    return text if any(c.isalnum() for c in text) else ""


def _is_address(word: str) -> bool:
    local, _, domain = word.rpartition("@")
    return bool(local) and "." in domain


def _split(whole: str, unsplit: PersonName) -> PersonName:
    """Split a full name; keep it as given where the parser finds no surname beside a first name or a title."""
    if _starts_with_particle(whole):
        return PersonName("", whole)
    parsed = parse_name(whole)
    first, last = _tidy(f"{parsed.given} {parsed.middle}"), _tidy(parsed.family)
    if last and (first or (parsed.title and not parsed.nickname)):
        return PersonName(first, f"{last} {parsed.suffix}".strip()[:MAX_NAME])
    return unsplit


def _starts_with_particle(whole: str) -> bool:
    """Tell "van der Berg" and "de la Cruz", which are surnames, from "Van Morrison"."""
    words = whole.split()
    particles = Lexicon.default().particles
    if words[0].lower() not in particles:
        return False
    return words[1].lower() in particles or (words[0].islower() and not whole.islower())


def name_key(name: PersonName) -> str:
    """Return the name without case, accents, punctuation and order of words; "" for a blank name."""
    return " ".join(sorted(_words(f"{name.first} {name.last}")))


def _words(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKD", text.translate(_APOSTROPHES).casefold().translate(_APOSTROPHES)).casefold()
    # Composed again, so that Korean syllables and kana are one character each.
    plain = unicodedata.normalize("NFC", _ACCENTS.sub("", folded).translate(_PLAIN))
    letters = "".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in plain if c not in _JOINERS)
    return letters.split()


class _Parts(NamedTuple):
    """The words of a name by role, without particles and without the generation ("Jr.")."""

    given: tuple[str, ...]
    family: tuple[str, ...]
    generation: frozenset[str]

    @classmethod
    def of(cls, name: PersonName) -> Self:
        family = _words(name.last)
        core = [word for word in family if word not in _PARTICLES and word not in _GENERATIONS]
        generation = frozenset(_GENERATIONS[word] for word in family if word in _GENERATIONS)
        return cls(tuple(_words(name.first)), tuple(core or family), generation if core else frozenset())

    @property
    def words(self) -> frozenset[str]:
        return frozenset(self.given + self.family)


def names_agree(a: PersonName, b: PersonName) -> Agreement:
    """Say whether two names may be one person's; symmetric, and meant as a second witness beside an equal phone.

    AGREE: the same words in any order or spacing ("van der Berg", "Vanderberg"); all words of the shorter in the longer,
    of which at least one of its first names and one of its surnames; initials, role by role ("J. Dupont", "Jean Dupont").
    UNKNOWN: one is blank, or is a single word of the other: a household shares its surname as it shares its phone.
    DISAGREE: everything else. Nicknames are not guessed, "Jr." is somebody else than his father, and "M. Dupont" is no
    initial because it is how French writes Mr Dupont.
    """
    if a.blank or b.blank:
        return Agreement.UNKNOWN
    if name_key(a) == name_key(b) or _spellings(a) & _spellings(b):
        return Agreement.AGREE
    one, two = _Parts.of(a), _Parts.of(b)
    if one.generation != two.generation:
        return Agreement.DISAGREE
    if one.words == two.words or _initials_agree(one, two):
        return Agreement.AGREE
    shorter, longer = sorted((one, two), key=lambda parts: len(parts.words))
    if len(shorter.words) == 1:
        return Agreement.UNKNOWN if shorter.words < longer.words else Agreement.DISAGREE
    return Agreement.AGREE if _contained(shorter, longer) else Agreement.DISAGREE


def _spellings(name: PersonName) -> set[str]:
    """The name written without any gap, first name first and surname first."""
    first, last = "".join(_words(name.first)), "".join(_words(name.last))
    return {first + last, last + first}


def _contained(shorter: _Parts, longer: _Parts) -> bool:
    roles = [frozenset(role) for role in (longer.given, longer.family) if role]
    return shorter.words < longer.words and all(role & shorter.words for role in roles)


def _initials_agree(one: _Parts, two: _Parts) -> bool:
    """Compare role by role, also with the two fields of one name swapped."""
    return _roles_agree(one.given, two.given, one.family, two.family) or _roles_agree(
        one.given, two.family, one.family, two.given
    )


def _roles_agree(given: tuple[str, ...], other_given: tuple[str, ...], family: tuple[str, ...], other: tuple[str, ...]) -> bool:
    if not (given and other_given and family and other) or _may_be_title(given[0], other_given[0]):
        return False
    pairs = [*zip(given, other_given, strict=False), *zip(family, other, strict=False)]
    return all(_same_or_initial(x, y) for x, y in pairs) and any(x == y and len(x) > 1 for x, y in pairs)


def _may_be_title(x: str, y: str) -> bool:
    return x != y and "m" in {x, y}


def _same_or_initial(x: str, y: str) -> bool:
    short, long = sorted((x, y), key=len)
    # Only letters that have a case abbreviate: one Chinese character is a whole name.
    return x == y or (len(short) == 1 and short.upper() != short and long.startswith(short))


@dataclass(frozen=True, slots=True)
class Identity:
    """What is known of a person, normalised; None and a blank name mean "not said"."""

    email: str | None = None
    mobile_phone: str | None = None
    home_phone: str | None = None
    name: PersonName = PersonName()

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
        return tuple(sorted([*self.phone_keys, *([self.email_key] if self.email_key else [])]))

    @property
    def email_key(self) -> str | None:
        """The digest of the e-mail address."""
        return _digest("email", self.email) if self.email else None

    @property
    def phone_keys(self) -> tuple[str, ...]:
        """The digests of the phones."""
        return tuple(_digest("phone", phone) for phone in self.phones)


def identify(client: Client, country: str | None, shared_domains: Collection[str] = ()) -> Identity:
    """Normalise what a booking system says of a client; anonymised and placeholder values count as not said.

    So does an address at one of `shared_domains` (lower case): it belongs to a desk, not to a person.
    """
    email = _real_email(client.email)
    if email is not None and email.rpartition("@")[2] in shared_domains:
        email = None
    name = read_name(client.first_name, client.last_name)
    return Identity(
        email=email,
        mobile_phone=_real_phone(client.mobile_phone, country),
        home_phone=_real_phone(client.home_phone, country),
        name=PersonName() if _is_placeholder(name) else name,
    )


def _real_email(raw: str) -> str | None:
    email = normalise_email(raw)
    return None if email and _PLACEHOLDER_EMAIL.match(email) else email


def _real_phone(raw: str, country: str | None) -> str | None:
    """Return the normalised phone unless its national part repeats one digit, as in 000 000 0000."""
    phone = normalise_phone(raw, country)
    number = _parse_phone(phone, None) if phone else None
    return phone if number and len(set(phonenumbers.national_significant_number(number))) > 1 else None


def _is_placeholder(name: PersonName) -> bool:
    """True when the whole name consists of placeholder words, perhaps with a "user" or a number beside them."""
    text = re.sub(r"\bn\s?/\s?a\b", "unknown", f"{name.first} {name.last}".casefold())
    words = ["unknown" if re.fullmatch("x{3,}", word) else word for word in _words(text)]
    real = [word for word in words if word not in _PLACEHOLDER_WORDS | _PLACEHOLDER_COMPANY and not word.isdigit()]
    return not real and any(word in _PLACEHOLDER_WORDS for word in words)


def person_key(source: str, client_id: str) -> str:
    """Return our own key for a client of a source: it goes on the CRM record, so it never changes and reveals nothing."""
    return _sha256(["person", source, client_id])


def _digest(kind: str, *parts: str) -> str:
    return f"{kind}:{_sha256([kind, *parts])}"


def _sha256(parts: Iterable[str]) -> str:
    # JSON keeps ("a", "b:c") and ("a:b", "c") apart, and writes lone surrogates, which no encoding would take.
    return hashlib.sha256(json.dumps(list(parts)).encode()).hexdigest()
