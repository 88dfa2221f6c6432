"""A name in one field beside one in two: as if both were divided alike, and never bolder than that."""

from itertools import permutations

import pytest
from identity.cases import CASES

from connector.sync.person.agreement import Agreement, names_agree
from connector.sync.person.names import PersonName, read_name
from connector.sync.person.undivided import agrees_with_whole

AGAINST, NONE, WEAK, STRONG = Agreement


@pytest.mark.parametrize(
    ("first", "last", "whole", "grade"),
    [
        ("Ana", "Ruiz", "Ana Ruiz Soto", STRONG),
        ("Pieter", "van der Meer", "Pieter Meer, van der", STRONG),
        ("Fatima", "Alzahra", "Fatimah Al-Zahra", STRONG),
        ("Bob", "Hale", "Robert Hale (Bob)", STRONG),
        ("Mohammed bin Salem", "Al Hamdan", "Mohammed Al Hamdan", WEAK),
        # A given name more is no family name.
        ("Ana", "Soto", "Ana María Soto", WEAK),
        ("Ana Lucía", "Soto", "Ana María Soto", AGAINST),
        ("Tom", "Hart", "Tom & Sue Hart", AGAINST),
        ("Tom", "Hart", "Tom Hart & Sue", AGAINST),
        ("Leo", "Hart", "Leo Hart, son of Kate", AGAINST),
        ("John", "Smith", "John Smith x2", AGAINST),
        ("Paddy", "Byrne", "Paddy Byrne Jr", AGAINST),
        # One word: a family name, where it is the other's.
        ("Nora", "Lind", "Lind", NONE),
        ("Nora", "Lind", "Nora", WEAK),
        ("Nora", "Lind", "Oskar", AGAINST),
        ("Kim", "Kim", "Kim", WEAK),
        ("", "Nováková", "Novák", AGAINST),
        ("", "Lind", "Lind", NONE),
        ("", "", "Nora Lind", NONE),
        ("Nora", "Lind", "", NONE),
    ],
)
def test_a_name_beside_a_whole_one(first, last, whole, grade):
    assert agrees_with_whole(PersonName(first, last), whole) is grade


def test_every_pair_of_the_cases_gets_the_grade_it_has_when_both_are_divided():
    pairs = {(read_name(*one[:2]), read_name(*two[:2])) for case in CASES for one, two in permutations(case.clients, 2)}
    assert len(pairs) > 800
    differ = [
        (one, two)
        for one, two in pairs
        if agrees_with_whole(two, f"{one.first} {one.last}".strip()) is not names_agree(one, two)
    ]
    assert differ == []
