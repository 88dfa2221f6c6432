"""People's names: reading them, and whether two of them may belong to one person. Pure."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Self

from nameparser import Lexicon
from nameparser import parse as parse_name

#: Characters; what is longer is cut.
MAX_NAME = 200

# fmt: off
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


#: Nothing is known of the name.
NAMELESS = PersonName()


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
    return " ".join(sorted(words_of(f"{name.first} {name.last}")))


def words_of(text: str) -> list[str]:
    """The words that are compared: without case, accents and punctuation."""
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
        family = words_of(name.last)
        core = [word for word in family if word not in _PARTICLES and word not in _GENERATIONS]
        generation = frozenset(_GENERATIONS[word] for word in family if word in _GENERATIONS)
        return cls(tuple(words_of(name.first)), tuple(core or family), generation if core else frozenset())

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
    first, last = "".join(words_of(name.first)), "".join(words_of(name.last))
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
