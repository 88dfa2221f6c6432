"""Names of many markets: what two of them say about each other. A line is first name | last name | first name | last name."""

from __future__ import annotations

import pytest
from identity.markets import AGAINST, NONE, STRONG, WEAK

from connector.sync.person.agreement import Agreement, names_agree
from connector.sync.person.names import read_name


def _pairs() -> list[tuple[str, Agreement]]:
    tables = {Agreement.STRONG: STRONG, Agreement.WEAK: WEAK, Agreement.NONE: NONE, Agreement.AGAINST: AGAINST}
    return [(line, grade) for grade, table in tables.items() for line in table.strip().splitlines()]


@pytest.mark.parametrize(("line", "grade"), _pairs())
def test_two_names_of_a_market(line: str, grade: Agreement) -> None:
    first, last, other_first, other_last = line.split("|")
    one, two = read_name(first, last), read_name(other_first, other_last)
    assert names_agree(one, two) is grade
    assert names_agree(two, one) is grade


@pytest.mark.parametrize("name", ["Robert (Bob) Hale", 'Robert "Bob" Hale', "Sig.ra Anna Greco", "Ahmet Bey Kaya"])
def test_the_crm_is_given_every_word_but_the_salutation(name: str) -> None:
    read = read_name("", name)
    assert f"{read.first} {read.last}".strip() == name.removeprefix("Sig.ra ")
