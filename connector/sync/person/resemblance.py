"""Whether two names that speak against one person look like one: misspelt, or shortened in a way that no list has.

It never links anybody. It only keeps a second customer from being made where a person should look first. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from connector.sync.person.names import PersonName, read_parts
from connector.sync.person.spelling import latin, names_of, one_letter_apart
from connector.sync.person.tables import PARTICLES

#: Letters of the shortest name in which another letter is taken for a mistake: "Tim" and "Tom" are two people.
_LONG_ENOUGH = 4
#: Letters at the least of a short form, and how many more the whole name has: Paul and Paula, Jan and Jana are couples.
_SHORTEST, _LONGER = 2, 3
_ENDINGS = frozenset("aeiouy")
_PET_ENDING = re.compile("(?:ie|ey|y|i)$")


def look_alike(a: PersonName, b: PersonName) -> bool:
    """Whether one person may have written both names, in either order; False for couples, companies and other generations."""
    one, two = read_parts(a), read_parts(b)
    if one.beside or two.beside or one.company or two.company or one.generation != two.generation:
        return False
    if one.salutation and two.salutation and one.salutation != two.salutation:
        return False
    given, family = _joined(one.given), _joined(one.family)
    other_given, other_family = _joined(two.given), _joined(two.family)
    if any(letter.isdigit() for letter in given + family + other_given + other_family):
        # "Guest 12" and "Guest 13": whoever numbers people tells them apart.
        return False
    straight = _near_given(given, other_given) and (not family or not other_family or _near(family, other_family))
    return straight or (_near(given, other_family) and _near(family, other_given))


def _joined(words: Sequence[str]) -> str:
    return "".join(latin(word) for word in words if word not in PARTICLES) or "".join(map(latin, words))


def _near(x: str, y: str) -> bool:
    """Whether two words are equal, or one letter apart: not a vowel at the end, by which men's and women's names differ."""
    shortest = _LONG_ENOUGH if len(x) == len(y) else _LONG_ENOUGH - 1
    if x == y or min(len(x), len(y)) < shortest or not one_letter_apart(x, y):
        return bool(x) and x == y
    return x[-1] == y[-1] or sorted(x) == sorted(y) or not {x[-1], y[-1]} & _ENDINGS


def _near_given(x: str, y: str) -> bool:
    if not x or not y or (x != y and names_of(x) and names_of(y)):
        # Two names that we know, and they are not forms of one.
        return False
    stem, other = _stem(x), _stem(y)
    if stem == other:
        return True
    short, long = sorted((x, y), key=len)
    stem = _stem(short)
    return _near(x, y) or (len(stem) >= _SHORTEST and len(long) >= len(stem) + _LONGER and long.startswith(stem))


def _stem(name: str) -> str:
    stem = _PET_ENDING.sub("", name)
    return stem if len(stem) >= _SHORTEST else name
