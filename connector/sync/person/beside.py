"""Whether a name names somebody else too: couples, "c/o", "son of", lists. Pure."""

from __future__ import annotations

import re

from connector.sync.person.tables import (
    FOR,
    GENERATIONS,
    JOINING,
    MAIDEN,
    NO_GIVEN,
    OF,
    PARTICLES,
    RELATIVES,
    REMARKS,
    REMARKS_BEGIN,
    SALUTATIONS,
    TITLES,
    TITLES_WITH_DOT,
)
from connector.sync.person.words import words_of

_COUPLE = re.compile(r"\s*[&+/]\s*")
#: Czech and Slovak "and", between two names with a capital letter: "Jan a Anna", but not "Maria A Silva".
_CZECH_AND = re.compile(r"[^\W\d_]{2,} a [^\W\d_a-z]\w")
#: "von und zu Berg" is one person's family.
_OF_AND_AT = re.compile(r"\bvon und zu\b", re.IGNORECASE)
_CARE_OF = re.compile(r"\b([cbsdwh])\s*/\s*o\b", re.IGNORECASE)
_POSSESSIVE = re.compile(r"(?<=\w)['\u2019]s\s+\w", re.IGNORECASE)
_RELATIVE_OF = re.compile(rf"\b(?:{RELATIVES})\s+(?:{OF})\b")
#: How many come, as people note it behind a name: "x2", "+1".
_PARTY = re.compile(r"(?<=\s)(?:[x×]\s?\d\d?|\d\d?\s?[x×]|\+\s?\d\d?)\s*$", re.IGNORECASE)
_LISTED = re.compile(r"\s*[,;]\s*")
#: What a comma divides from a name without naming anybody.
_BEHIND_A_COMMA = frozenset({*TITLES, *TITLES_WITH_DOT, *GENERATIONS, *SALUTATIONS, *PARTICLES, *REMARKS, *MAIDEN, *NO_GIVEN})


def names_another(text: str) -> bool:
    """Whether a text names somebody beside the person: "c/o", "Kate's baby", "son of", "x2"."""
    words = words_of(text)
    return (
        _CARE_OF.search(text) is not None
        or _POSSESSIVE.search(text) is not None
        or _PARTY.search(text) is not None
        or _RELATIVE_OF.search(" ".join(words)) is not None
        or any(word in FOR for word in words[1:-1])
        # "Per" begins a name in Scandinavia.
        or (len(words) > 1 and words[0] in FOR - {"per"})
    )


def is_couple(text: str, joining: frozenset[str]) -> bool:
    """Whether a text joins two people, by a sign or by one of the words `joining`."""
    sides = [words_of(side) for side in _COUPLE.split(text)]
    if len(sides) > 1 and all(sides):
        return True
    if _CZECH_AND.search(text):
        return True
    words = words_of(_OF_AND_AT.sub(" von ", text))
    return any(word in joining for word in words[1:-1])


def are_both_addressed(text: str) -> bool:
    """Tell "Dhr. en mevr. Bos", two people, from "Costa e Silva"."""
    words = words_of(text.replace(".", ""))
    return any(
        words[place] in JOINING and words[place - 1] in SALUTATIONS and words[place + 1] in SALUTATIONS
        for place in range(1, len(words) - 1)
    )


def lists_another(first: str, last: str) -> bool:
    """Whether a comma divides two people: "Tom, Sue" Kern, Tom "Kern, Sue Lind"; not "Anna, Dr." Berg, "Meer, van der"."""
    given, family = words_of(first), words_of(last)
    if not given or not family or words_of(_LISTED.split(first)[0]) == family:
        return False
    for parts, least in ((_LISTED.split(first)[1:], 1), (_LISTED.split(last)[1:], 2)):
        for words in map(words_of, parts):
            others = [word for word in words if len(word) > 1 and word not in _BEHIND_A_COMMA]
            if len(others) == len(words) >= least and words not in (given, family) and words[0] not in REMARKS_BEGIN:
                return True
    return False
