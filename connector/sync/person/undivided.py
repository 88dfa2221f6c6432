"""A name of which only the whole is known, because a CRM keeps it in one field, beside one in two fields. Pure.

Where such a name is divided is a guess, and a wrong guess hides an agreement: "Ana Ruiz Soto" is Ana, of the family Ruiz
Soto, if that is whom the other side names.
"""

from __future__ import annotations

from collections.abc import Iterator

from connector.sync.person.agreement import Agreement, names_agree
from connector.sync.person.names import Parts, PersonName, read_name, read_parts
from connector.sync.person.spelling import plain_spelling
from connector.sync.person.tables import HONORIFICS, PARTICLES
from connector.sync.person.words import words_of

#: Words of a name up to which every division is tried.
MOST_WORDS = 12


def agrees_with_whole(name: PersonName, whole: str) -> Agreement:
    """Grade the evidence that a name and an undivided one give, as `names_agree` does for two that are divided.

    The likely division counts, unless another one fits: the same number of given names, then the same family name or one
    that begins so. A couple or a company is never divided so.
    """
    grade = names_agree(name, _divided(whole, name))
    if grade is Agreement.STRONG or name.blank:
        return grade
    if " " not in whole.strip():
        return grade if name.first else min(grade, names_agree(name, PersonName("", whole)))
    said = read_parts(PersonName("", whole))
    if said.beside or said.company:
        return grade
    others = (read_name(whole, ""), *(division for division in _divisions(whole) if _fits(name, division)))
    return Agreement.STRONG if any(names_agree(name, one) is Agreement.STRONG for one in others) else grade


def _divided(whole: str, name: PersonName) -> PersonName:
    """The likely division: in front of the other name's family name, if it ends so; otherwise as people's names are read."""
    words, family = whole.split(), words_of(name.last)
    for place in range(len(words)):
        last = " ".join(words[place:])
        if family and words_of(last) == family and (place or family != words_of(name.first)):
            return PersonName(" ".join(words[:place]), last)
    return read_name(whole, "")


def _divisions(whole: str) -> Iterator[PersonName]:
    words = whole.split()
    for place in range(1, min(len(words), MOST_WORDS)):
        yield PersonName(" ".join(words[:place]), " ".join(words[place:]))


def _fits(name: PersonName, division: PersonName) -> bool:
    """Whether no word of a given name is taken for one of the family name: "Ana María Soto" is not Ana Soto."""
    if not (name.first and name.last):
        return True
    one, two = read_parts(name), read_parts(division)
    if not one.family or _given_names(one) != _given_names(two):
        return False
    begins = plain_spelling("".join(two.family)).startswith(plain_spelling("".join(one.family)))
    return begins or len(one.family) == len(two.family)


def _given_names(parts: Parts) -> int:
    return sum(word not in PARTICLES and word not in HONORIFICS for word in parts.given)
