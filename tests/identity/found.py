"""Kinds of cases that persons whom others made have shown; names are invented, as in `cases`."""

from __future__ import annotations

from .running import Case

_SHARED = "shared.{n}@example.com"
_A, _B = "a.{n}@example.com", "b.{n}@example.com"
_P = "{phone1}"

#: Relatives whose names differ less than a misspelling: neither an address nor a phone makes one person of them.
_RELATIVES = """
Young-Jae|Young-Ja
Jae-Hoon|Ja-Hoon
Xiaojun|Xiaoyun
Sachiko|Sakiko
Désiré|Désirée
Emanuele|Emanuelle
Kristinn|Kristín
Antoine|Antonie
Martin|Martijn
Hans|Jan
Kees|Cor
Dato|Nato
Drin|Rina
Nail|Nil
太郎|さゆり
"""
#: A name, and a short form of it that is as often another one's name: a phone is not enough.
_OF_THEIR_OWN = """
William|Liam
Henry|Harry
Francesco|Franco
Alexandra|Sandra
Lars|Lasse
Robert|Bert
Ivan|Vanya
"""
#: Short forms that belong to one name: a phone is enough.
_SHORT = """
Pamela|Pam
Douglas|Doug
Zachary|Zak
Timothy|Timmy
Gwendolyn|Gwen
Arthur|Art
"""
#: A short form of two names, and who they are.
_OF_TWO = [("Al", "Albert", "Alan"), ("Ed", "Edgar", "Edwin")]
#: Numbers as their own countries write them, given where they are read as North America's: not to be dropped.
_OF_ANOTHER_COUNTRY = """
06 98 76 54 32
+1 06 98 76 54 32
0171 2345678
079 123 45 67
"""
#: The address of two people, the second of whom waits for a review, and then a client who may be either.
_EITHER = [
    (("Nora", "Hale"), ("Peta", "Hale"), ("", "Hale")),
    (("Nora", "Hale"), ("Peta", "Hale"), ("Guest", "Hale")),
    (("Nora", "Hale"), ("Oskar Leo", "Hale"), ("", "")),
]
#: One person with one phone and two addresses, whose name was typed wrong, or shortened: never two customers.
_TYPED_WRONG = """
Kirra|Brock|Kirar|Brock
Kaitlin|Dixon|Kaitln|Dixon
Robin|Morrison|Morrion|Robin
Cameron|Clarke|Camefon|Clarke
Leon|Haar|Leonl|Haar
Rosalind|Hale|Ros|Hale
Valerie|Hale|Val|Hale
Billie|Hale|Billy|Hale
"""
#: Two people with one phone and an address each, whose names differ as men's and women's do: two customers.
_TWO_PEOPLE = """
Paul|Paula
Daniel|Daniela
Tim|Tom
Carl|Karla
Simon|Simone
Jana|Jan
"""


def _pairs(table: str) -> list[list[str]]:
    return [line.split("|") for line in table.strip().splitlines()]


CASES: list[Case] = [
    *(
        Case("found: another country's number", number, "kept", [("Nora", "Lind", "", number)])
        for number in _OF_ANOTHER_COUNTRY.strip().splitlines()
    ),
    *(
        Case(f"found: relatives, one {what}", f"{one} / {two}", "different", [(one, "Hale", *key), (two, "Hale", *key)])
        for one, two in _pairs(_RELATIVES)
        for what, key in (("phone", ("", _P)), ("address", (_SHARED, "")))
    ),
    *(
        Case(
            "found: names of their own",
            f"{one} / {two}",
            "different",
            [(one, "Hale", "", _P), (two, "Hale", "", _P)],
        )
        for one, two in _pairs(_OF_THEIR_OWN)
    ),
    *(
        Case("found: short forms, one phone", f"{one} / {two}", "same", [(one, "Hale", "", _P), (two, "Hale", "", _P)])
        for one, two in _pairs(_SHORT)
    ),
    *(
        Case("found: a short form of two", " / ".join(names), "different", [(name, "Hale", *key) for name in names], (1, 2))
        for names in _OF_TWO
        for key in (("", _P), (_SHARED, ""))
    ),
    *(
        Case("found: either of two", " / ".join(map(" ".join, names)), "different", [(*name, _SHARED, "") for name in names])
        for names in _EITHER
    ),
    *(
        Case("found: typed wrong, two addresses", f"{a} {b} / {c} {d}", "people", [(a, b, _A, _P), (c, d, _B, _P)], who=(0, 0))
        for a, b, c, d in _pairs(_TYPED_WRONG)
    ),
    *(
        Case("found: two people, two addresses", f"{one} / {two}", "apart", [(one, "Hale", _A, _P), (two, "Hale", _B, _P)])
        for one, two in _pairs(_TWO_PEOPLE)
    ),
]
