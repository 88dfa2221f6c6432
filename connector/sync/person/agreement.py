"""Whether two names may belong to one person, in grades. Pure and symmetric; never carried over by a third name.

STRONG: the given name is the same or a known variant of it, and the family names are compatible.
WEAK: initials, one given name of two, a missing part, a likely misspelling, the same given name with another family name.
NONE: nothing to compare: one of the names has no given name, and the rest does not contradict.
AGAINST: another given name, another generation, another salutation without a given name, a couple, a household or a
company against a person, another person named beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import IntEnum
from functools import lru_cache

from connector.sync.person.names import Parts, PersonName, name_key, read_parts, words_of
from connector.sync.person.tables import FAMILY, PARTICLES, VARIANTS

#: Letters from which on a name with one wrong letter is a misspelling rather than another name.
LONG = 6


class Agreement(IntEnum):
    """What comparing two names says, from the strongest contradiction to the strongest support."""

    AGAINST = 0
    NONE = 1
    WEAK = 2
    STRONG = 3


def _variants() -> dict[str, frozenset[int]]:
    found: dict[str, set[int]] = {}
    for number, line in enumerate(VARIANTS.split(";")):
        for word in line.split():
            found.setdefault(word, set()).add(number)
    return {word: frozenset(numbers) for word, numbers in found.items()}


_SHORT_FORMS = _variants()


def names_agree(a: PersonName, b: PersonName) -> Agreement:
    """Grade the evidence that two names give; see the module. Blank names give NONE."""
    if a.blank or b.blank:
        return Agreement.NONE
    if _unspaced(a) & _unspaced(b):
        return Agreement.STRONG
    one, two = read_parts(a), read_parts(b)
    if one.company and two.company and FAMILY & {*one.given, *one.family}:
        return Agreement.NONE if name_key(a) == name_key(b) else Agreement.AGAINST
    if one.beside or two.beside or one.company or two.company:
        return Agreement.STRONG if name_key(a) == name_key(b) else Agreement.AGAINST
    if one.generation != two.generation:
        return Agreement.AGAINST
    grade = _compared(one, two)
    if _is_swap(one, two):
        # Which of the two fields holds the given name is not known: an initial in either makes it weak.
        grade = max(grade, min(_compared(one, _swapped(two)), _compared(_swapped(one), two)))
    return grade


def _unspaced(name: PersonName) -> set[str]:
    """The name without gaps, in both orders, where its script has no cases, as in Chinese and Japanese."""
    first, last = "".join(words_of(name.first)), "".join(words_of(name.last))
    whole = first + last
    return {whole, last + first} if len(whole) > 1 and whole.upper() == whole.lower() else set()


def _swapped(parts: Parts) -> Parts:
    return replace(parts, given=parts.family, family=parts.given, surname="".join(parts.given))


def _is_swap(one: Parts, two: Parts) -> bool:
    """Whether the same words stand in each other's fields, also where all of them stand in one."""
    return bool(one.given) and bool(two.given) and _same_words(one.given, two.family) and _same_words(one.family, two.given)


def _compared(one: Parts, two: Parts) -> Agreement:
    if not one.given or not two.given:
        return _without_given(one, two)
    family = _families(one, two)
    given = _givens(one.given, two.given)
    if _salutations_differ(one, two):
        given = Agreement.AGAINST if _by_initial(one.given, two.given) else min(given, Agreement.WEAK)
    if given is Agreement.AGAINST or family is Agreement.STRONG:
        return given
    if family is Agreement.WEAK:
        return min(given, Agreement.WEAK)
    return Agreement.WEAK if given is Agreement.STRONG and len(one.given[0]) > 1 else Agreement.AGAINST


def _salutations_differ(one: Parts, two: Parts) -> bool:
    return bool(one.salutation and two.salutation) and one.salutation != two.salutation


def _without_given(one: Parts, two: Parts) -> Agreement:
    """At least one side has no given name: its words may be the surname, or all of the name in one field."""
    lone, other = (one, two) if not one.given else (two, one)
    if other.given:
        return _lone_field(lone.family, other, _families(lone, other))
    if _salutations_differ(one, two):
        return Agreement.AGAINST
    if len(lone.family) > 1 and _same_words(lone.family, other.family):
        return Agreement.STRONG
    return Agreement.AGAINST if _families(one, two) is Agreement.AGAINST else Agreement.NONE


def _lone_field(words: Sequence[str], other: Parts, family: Agreement) -> Agreement:
    """Compare a name in one field with one in two: the whole name, the surname, or the given name alone."""
    wholes = ((*other.given, *other.family), (*other.family, *other.given))
    if len(words) > 1 and any(_same_words(words, whole) for whole in wholes):
        return Agreement.STRONG
    if _same_words(words, other.given):
        return Agreement.WEAK
    return Agreement.AGAINST if family is Agreement.AGAINST else Agreement.NONE


def _families(one: Parts, two: Parts) -> Agreement:
    """STRONG: compatible; WEAK: missing, or a likely misspelling; AGAINST: different."""
    a, b = one.family, two.family
    if not a or not b:
        return Agreement.WEAK
    if _same_words(a, b) or _plain_spelling(one.surname) == _plain_spelling(two.surname):
        return Agreement.STRONG
    x, y = set(_plain(a)), set(_plain(b))
    if x < y or y < x:
        return Agreement.STRONG
    if (one.maiden and _same_words(one.maiden, b)) or (two.maiden and _same_words(two.maiden, a)):
        return Agreement.STRONG
    return Agreement.WEAK if len(a) == len(b) == 1 and _misspelt(a[0], b[0]) else Agreement.AGAINST


def _givens(a: Sequence[str], b: Sequence[str]) -> Agreement:
    """Compare given names; the first word is the name by which people go."""
    if _joined(a) == _joined(b) or _same_words(a, b):
        return Agreement.WEAK if _initials_only(a) or _initials_only(b) else Agreement.STRONG
    x, y = a[0], b[0]
    short, long = sorted((x, y), key=len)
    rest = _rest_agrees(a[1:], b[1:])
    if (
        x == y
        or _plain_spelling(x) == _plain_spelling(y)
        or _SHORT_FORMS.get(x, frozenset()) & _SHORT_FORMS.get(y, frozenset())
    ):
        if len(short) == 1 and short.isascii():
            return Agreement.WEAK if rest is not Agreement.AGAINST else Agreement.AGAINST
        # "Alex" is short for a man's and for a woman's name of one household.
        several = x != y and max(len(_SHORT_FORMS.get(x, ())), len(_SHORT_FORMS.get(y, ()))) > 1
        return min(rest, Agreement.WEAK) if several else rest
    # Only letters that have a case abbreviate: one Chinese character is a whole name.
    if len(short) == 1 and short.upper() != short and long.startswith(short):
        return Agreement.WEAK if rest is not Agreement.AGAINST else Agreement.AGAINST
    if len(a) == len(b) == 1 and _misspelt(x, y):
        return Agreement.WEAK
    return Agreement.AGAINST


def _is_variant(x: str, y: str) -> bool:
    if _plain_spelling(x) == _plain_spelling(y):
        return True
    return bool(_SHORT_FORMS.get(x, frozenset()) & _SHORT_FORMS.get(y, frozenset()))


def _rest_agrees(a: Sequence[str], b: Sequence[str]) -> Agreement:
    """Compare further given names: an initial more or less says nothing, a name more or less makes it weak."""
    for x, y in zip(a, b, strict=False):
        short, long = sorted((x, y), key=len)
        if x != y and _plain_spelling(x) != _plain_spelling(y) and not (len(short) == 1 and long.startswith(short)):
            return Agreement.AGAINST
    surplus = [*a[len(b) :], *b[len(a) :]]
    return Agreement.STRONG if all(len(word) == 1 for word in surplus) else Agreement.WEAK


def _initials_only(words: Sequence[str]) -> bool:
    return all(len(word) == 1 and word.isascii() for word in words)


def _by_initial(a: Sequence[str], b: Sequence[str]) -> bool:
    return len(a[0]) == 1 or len(b[0]) == 1


def _same_words(a: Sequence[str], b: Sequence[str]) -> bool:
    return bool(a) and [_plain_spelling(word) for word in _plain(a)] == [_plain_spelling(word) for word in _plain(b)]


def _plain(words: Sequence[str]) -> tuple[str, ...]:
    core = tuple(word for word in words if word not in PARTICLES)
    return core or tuple(words)


def _joined(words: Sequence[str]) -> str:
    return _plain_spelling("".join(words))


@lru_cache(maxsize=8192)
def _plain_spelling(word: str) -> str:
    """One spelling for "ä" and "ae", "ö", "ø" and "oe", "ü" and "ue"; accents are gone already."""
    return word.replace("ae", "a").replace("oe", "o").replace("ue", "u")


def _misspelt(x: str, y: str) -> bool:
    """Whether one wrong, missing or exchanged letter inside a long name tells them apart.

    The first and the last letter must agree: the last one often makes another name (Daniel, Daniela; Mario, Maria).
    """
    if min(len(x), len(y)) < LONG or abs(len(x) - len(y)) > 1 or x[0] != y[0] or x[-1] != y[-1]:
        return False
    begin = next((i for i, (p, q) in enumerate(zip(x, y, strict=False)) if p != q), min(len(x), len(y)))
    rest_x, rest_y = x[begin:], y[begin:]
    return (
        rest_x[1:] == rest_y[1:]
        or rest_x[1:] == rest_y
        or rest_x == rest_y[1:]
        or (rest_x[:2] == rest_y[1::-1] and rest_x[2:] == rest_y[2:])
    )
