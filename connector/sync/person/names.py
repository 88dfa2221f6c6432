"""People's names: how a client's two fields are read, and what a name says beside given and family name. Pure."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from connector.sync.person.beside import are_both_addressed, is_couple, lists_another, names_another
from connector.sync.person.generations import is_written_as_generation, read_generation
from connector.sync.person.repair import redecoded, unescaped
from connector.sync.person.spelling import joined_servant, same_given
from connector.sync.person.tables import (
    ADDRESS_WITH_DOT,
    ALSO_NAMES,
    ARABIC,
    BEHIND,
    CHILDREN,
    COMPANY,
    FAMILY,
    GENERATIONS,
    JOINING,
    JOINING_SURNAMES,
    MAIDEN,
    MENS_NAMES,
    NO_GIVEN,
    PARTICLES,
    REMARKS,
    REMARKS_BEGIN,
    SALUTATIONS,
    TITLES,
    TITLES_WITH_DOT,
    VIETNAMESE,
    VIETNAMESE_MIDDLE,
)
from connector.sync.person.words import JOINERS, words_of

#: Characters; what is longer is cut.
MAX_NAME = 200

# fmt: off
# fmt: on
#: A nickname in quotes inside a name; an apostrophe is a letter of the name.
_QUOTED = re.compile('(?<=\\s)["\u201c\u201e\u201f\u00ab]([^"\u201c\u201d\u00ab\u00bb]+)["\u201c\u201d\u00bb](?=\\s|$)')
_BRACKETS = re.compile(r"[(\[{（]([^)\]}）]*)[)\]}）]?")
#: "Mr.Paul"; not "Dott.ssa".
_STUCK = re.compile(r"\.(?=[A-Z][a-z])")
#: What programs write where there is nothing. Not "Null", which is a surname.
_NOTHING = frozenset({"null", "NULL", "(null)", "undefined", "Undefined", "UNDEFINED", "NaN", "nil", "[object Object]"})
#: What a template left where it had nothing to fill in: "{{last_name}}", "${name}", "%LASTNAME%", "*|LNAME|*", "<%= name %>".
_UNFILLED = re.compile(r"\{\{[^{}]*\}\}|\$\{[^{}]*\}|%\w+%|\*\|[^|]*\|\*|<%[^%]*%>")
_NOT_APPLICABLE = re.compile(r"^\W*n\s?/\s?a\W*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PersonName:
    """A name in two parts, either of which may be empty; made by `read_name`. This is what a CRM gets."""

    first: str = ""
    last: str = ""

    @property
    def blank(self) -> bool:
        """True when no letter or digit is left to compare."""
        return not name_key(self)


#: Nothing is known of the name.
NAMELESS = PersonName()


@dataclass(frozen=True, slots=True)
class Parts:
    """What a name says, in words to compare.

    `salutation` is "m", "f" or "". `beside` is True where another person is named too (a couple, "son of", "c/o"),
    `company` where it is a firm's or a household's name. `maiden` are earlier family names.
    """

    given: tuple[str, ...] = ()
    family: tuple[str, ...] = ()
    salutation: str = ""
    generation: str = ""
    beside: bool = False
    company: bool = False
    maiden: tuple[str, ...] = ()
    #: The family name without gaps, particles included: "vanderberg".
    surname: str = ""


@lru_cache(maxsize=1024)
def read_name(first: str, last: str) -> PersonName:
    """Tidy a name and, where all of it arrived in one field, split it.

    Control characters and e-mail addresses are dropped, white space is collapsed, each part is at most 200 characters.
    One word stays in the field it came in; a name given in both fields is not rearranged. A salutation is only left out
    where a given name and a family name remain; nothing else is.
    """
    one, two = _tidy(first), _tidy(last)
    if one == two == "None":
        # Python's word for nothing, which is also a surname.
        return NAMELESS
    if bool(one) == bool(two):
        return PersonName(one, two)
    whole = one or two
    unsplit = PersonName(one, two)
    return unsplit if " " not in whole else _split(whole, unsplit)


def _tidy(raw: str) -> str:
    """Return what can be shown of a name; "" when there is no letter or digit in it, or only a program's word for nothing."""
    text = _tidy_once(raw)
    # Signs may be written in HTML's way, or in another charset, more than once, or with something invisible between.
    while ("&" in text or "\\" in text or not text.isascii()) and (again := _tidy_once(text)) != text:
        text = again
    return "" if text in _NOTHING or _UNFILLED.fullmatch(text) else text


def _tidy_once(raw: str) -> str:
    raw = redecoded(unescaped(raw) if "&" in raw or "\\" in raw else raw)
    if raw.isascii() and raw.isprintable() and "@" not in raw:
        # Most names, and nothing of what follows would change them.
        text = " ".join(raw[: 4 * MAX_NAME].split())[:MAX_NAME].rstrip()
        return text if any(c.isalnum() for c in text) else ""
    return _tidy_any(raw)


def _tidy_any(raw: str) -> str:
    spaced = "".join(" " if c.isspace() else c for c in raw[: 4 * MAX_NAME])
    visible = "".join(c for c in spaced if c in JOINERS or unicodedata.category(c) not in {"Cc", "Cf", "Cs"})
    words = [word for word in unicodedata.normalize("NFC", visible).split() if not _is_address(word)]
    text = " ".join(words)[:MAX_NAME].rstrip()
    return text if any(c.isalnum() for c in text) else ""


def _is_address(word: str) -> bool:
    local, _, domain = word.rpartition("@")
    return bool(local) and "." in domain


def _split(whole: str, unsplit: PersonName) -> PersonName:
    """Split a full name; keep it as given where a split would be a guess."""
    parts = read_parts(PersonName("", whole))
    if parts.beside or parts.company or _is_unsplittable(words_of(whole)):
        return unsplit
    if _starts_with_particle(whole):
        return PersonName("", whole)
    if nickname := re.fullmatch(r"(\S+) (\([^()]*\)|\"[^\"]*\") (\S.*)", whole):
        # "Robert (Bob) Hale": the parser would lose the nickname.
        return PersonName(f"{nickname[1]} {nickname[2]}", nickname[3])
    words = whole.split()
    while len(words) > 1 and _is_leading_title(words[0], words[1:]):
        words = words[1:]
    if len(words) == 2 and _is_initial("".join(words_of(words[0]))) and words_of(words[1]):
        # Of "Mr. J. Smith" and "Mrs. J. Smith", the salutation tells most.
        return PersonName(" ".join(whole.split()[:-1]), words[1])
    return unsplit if len(words) < 2 else _split_words(words, unsplit)


def _split_words(words: list[str], unsplit: PersonName) -> PersonName:
    from nameparser import Lexicon, parse

    lexicon = Lexicon.default()
    if words_of(words[0]) and " ".join(words_of(words[0])) in lexicon.titles | lexicon.given_name_titles:
        # The parser would take "Baron", "Judge" or "Prince" for a title and lose it.
        return PersonName(" ".join(words[:-1]), words[-1]) if words_of(words[-1]) else unsplit
    parsed = parse(" ".join(words))
    given, family = _tidy(f"{parsed.given} {parsed.middle}"), _tidy(parsed.family)
    if not (given and family):
        return unsplit
    name = PersonName(given, f"{family} {parsed.suffix}".strip()[:MAX_NAME])
    lost = set(words_of(" ".join(words))) - set(words_of(f"{name.first} {name.last}"))
    return unsplit if lost else name


def _is_initial(word: str) -> bool:
    # Only letters that have a case abbreviate: one Chinese character is a whole name.
    return len(word) == 1 and word.upper() != word


def _is_unsplittable(words: list[str]) -> bool:
    """Whether the name is of a kind whose parts do not stand as given name, family name."""
    vietnamese = len(words) > 2 and words[0] in VIETNAMESE and bool(VIETNAMESE_MIDDLE & set(words[1:-1]))
    return vietnamese or bool(ARABIC & set(words))


def _starts_with_particle(whole: str) -> bool:
    """Tell "van der Berg" and "de la Cruz", which are surnames, from "Van Morrison"."""
    from nameparser import Lexicon

    words = whole.split()
    particles = Lexicon.default().particles
    if words[0].lower() not in particles:
        return False
    return words[1].lower() in particles or (words[0].islower() and not whole.islower())


def _is_leading_title(word: str, following: list[str]) -> bool:
    plain = "".join(words_of(word))
    if plain in ADDRESS_WITH_DOT:
        # French: "M. Dupont" is Mr Dupont, and no initial.
        return word.endswith(".") and len(following) == 1
    if plain in TITLES or (plain in TITLES_WITH_DOT and word.endswith(".")):
        return True
    return plain in SALUTATIONS and (plain not in ALSO_NAMES or word.endswith("."))


def name_key(name: PersonName) -> str:
    """Return the name without case, accents, punctuation and order of words; "" for a blank name."""
    return " ".join(sorted(words_of(f"{name.first} {name.last}")))


@lru_cache(maxsize=8192)
def read_parts(name: PersonName) -> Parts:
    """Read what the two fields of a name say."""
    first, in_first = _without_brackets(_QUOTED.sub(" ", name.first))
    last, in_last = _without_brackets(name.last)
    given, others = _given(first)
    beside, generation, maiden = _from_brackets([*in_first, *in_last], [*given, *words_of(last)])
    beside = beside or others or names_another(last) or is_couple(last, JOINING_SURNAMES) or are_both_addressed(last)
    beside = beside or (bool(given) and set(given) <= CHILDREN)
    beside = beside or lists_another(first, last)
    family = words_of(last)
    company = bool(FAMILY & {*given, *family}) or _is_company(given, family)
    salutation_1, given = _salutation(first, given)
    salutation_2, family = _salutation(last, family, alone=not given)
    salutation_3, given = _address_behind(given)
    given, generation_1 = read_generation(given, others=family) if is_written_as_generation(first) else (given, "")
    family, generation_2 = read_generation(family, others=given)
    # "Na" and "Nil" are names, "NA", "n/a" and "nil" say that there is none.
    if (
        given
        and name.first.strip() not in {"Na", "Nil"}
        and ("".join(given) in NO_GIVEN or all(word in NO_GIVEN for word in given))
    ):
        given = []
    salutation = salutation_1 or salutation_2 or salutation_3
    # "Mrs John Smith" names her husband.
    beside = beside or (salutation == "f" and bool(MENS_NAMES & {*(given or family[:-1])[:1]}))
    given, family = _once(given, family, family_first="," in first)
    core, earlier = _maiden([word for word in family if word not in PARTICLES] or family)
    return Parts(
        given=tuple(joined_servant(given)),
        family=tuple(core),
        salutation=salutation,
        generation=generation or generation_1 or generation_2,
        beside=beside,
        company=company,
        maiden=(*maiden, *earlier),
        surname="".join(family),
    )


def _once(given: list[str], family: list[str], *, family_first: bool) -> tuple[list[str], list[str]]:
    """The words of each field, where the first one holds all of the name: "Anna Berg" beside "Berg" or "Anna Berg".

    `family_first`: "Berg, Anna" beside "Berg". Without the comma, "Ali Hassan" Ali is the son of Hassan Ali.
    """
    if given == family and len(given) > 1:
        return [], family
    if family and len(given) > len(family) and given[-len(family) :] == family:
        return given[: -len(family)], family
    if family_first and family and len(given) > len(family) and given[: len(family)] == family:
        return given[len(family) :], family
    return given, family


def _without_brackets(text: str) -> tuple[str, list[str]]:
    return _BRACKETS.sub(" ", text), _BRACKETS.findall(text)


def _from_brackets(contents: list[str], name: list[str]) -> tuple[bool, str, tuple[str, ...]]:
    """Whether brackets name another person; a generation; an earlier family name. `name` are the words around them."""
    beside, generation = False, ""
    maiden: tuple[str, ...] = ()
    for content in contents:
        words = words_of(content)
        if not words:
            continue
        if all(word in GENERATIONS for word in words):
            generation = GENERATIONS[words[0]]
        elif words[0] in MAIDEN and len(words) > 1:
            maiden = tuple(words[1:])
        elif words[0] in REMARKS_BEGIN and not names_another(content):
            continue
        elif len(words) == 1 and any(same_given(words[0], word) for word in name):
            # "Robert (Bob)": a nickname of the same person.
            continue
        elif names_another(content) or not (
            set(words) <= REMARKS | TITLES | set(SALUTATIONS) or all(w.isdigit() for w in words)
        ):
            beside = True
    return beside, generation, maiden


def _given(first: str) -> tuple[list[str], bool]:
    """The words of the given name, and whether another person is named beside it."""
    return words_of(first), _NOT_APPLICABLE.match(first) is None and (names_another(first) or is_couple(first, JOINING))


def couple_words(name: PersonName) -> frozenset[str]:
    """The words of a couple's name, to be compared in any order; empty for every other name."""
    first, last = name.first, name.last
    text = f"{first} {last}"
    if names_another(first) or names_another(last) or _BRACKETS.search(text):
        return frozenset()
    if not (is_couple(first, JOINING) or is_couple(last, JOINING_SURNAMES) or are_both_addressed(last)):
        return frozenset()
    return frozenset(words_of(text)) - JOINING


def _is_company(given: list[str], family: list[str]) -> bool:
    words = [*given, *family]
    if len(family) > 1 and family[0] == "the" and not given:
        return True
    return len(words) > 1 and (words[-1] in COMPANY or (not given and bool(COMPANY & set(words[1:]))))


def _salutation(text: str, words: list[str], *, alone: bool = True) -> tuple[str, list[str]]:
    """Who is addressed, and the words without salutation and titles at their beginning.

    `alone`: no given name stands in another field, so that "De heer Bos" is Mr Bos and not a surname of three words.
    """
    said, raw = "", _STUCK.sub(". ", text).split()
    if alone and words[:2] == ["de", "heer"]:
        said, words, raw = "m", words[2:], raw[2:]
    while words and raw:
        word, parts = raw[0], words_of(raw[0])
        plain = "".join(parts)
        if not plain:
            raw = raw[1:]
            continue
        if words[: len(parts)] != parts:
            break
        if plain in ADDRESS_WITH_DOT and word.endswith("."):
            said = ADDRESS_WITH_DOT[plain]
        elif plain in ALSO_NAMES and len(words) == 1 and not word.endswith("."):
            break
        elif plain in SALUTATIONS:
            said = SALUTATIONS[plain] or said
        elif plain not in TITLES and not (plain in TITLES_WITH_DOT and word.endswith(".")):
            break
        words, raw = words[len(parts) :], raw[1:]
    return said, words


def _address_behind(given: list[str]) -> tuple[str, list[str]]:
    """Who is addressed behind a given name, as in Turkish: "Ahmet Bey", "Ayşe Hanım"."""
    if len(given) > 1 and given[-1] in BEHIND:
        return BEHIND[given[-1]], given[:-1]
    return "", given


def _maiden(words: list[str]) -> tuple[list[str], tuple[str, ...]]:
    for place, word in enumerate(words[1:-1], 1):
        if word in MAIDEN - {"f", "ne"}:
            return words[:place], tuple(words[place + 1 :])
    return words, ()
