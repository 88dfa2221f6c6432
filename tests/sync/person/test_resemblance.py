"""Names that look alike although they speak against one person: a person looks before a second customer is made."""

from __future__ import annotations

import pytest

from connector.sync.person.names import read_name
from connector.sync.person.resemblance import look_alike

ALIKE = """
Kirra Brock / Kirar Brock
Robin Morrison / Morrion Robin
Leon Haar / Leonl Haar
Bree Reid / Bre Reid
Marina Kern / Martina Kern
Ros Hale / Rosalind Hale
Billie Hale / Billy Hale
Val Hale / Valerie Hole
Si Hale / Simeon Hale
Anna Reid / Anna Ried
"""
NOT_ALIKE = """
Paul Hale / Paula Hale
Daniel Weber / Daniela Weber
Tim Hale / Tom Hale
Jan Novák / Jana Nováková
John Hale / Mary Hale
Robert Hale / Rupert Hale Jr.
Mr Kirra Brock / Mrs Kirar Brock
Kirra & Tom Brock / Kirar Brock
Kaitlin Dixon / Kaitln Moreau
Guest12 Hale / Guest13 Hale
Guest Hale / Guest100 Hale
"""


def _pairs(table: str) -> list[str]:
    return table.strip().splitlines()


@pytest.mark.parametrize(("line", "alike"), [*((p, True) for p in _pairs(ALIKE)), *((p, False) for p in _pairs(NOT_ALIKE))])
def test_two_names(line: str, alike: bool):
    one, two = (read_name(*name.rsplit(" ", 1)) for name in line.split(" / "))
    assert look_alike(one, two) is alike
    assert look_alike(two, one) is alike
