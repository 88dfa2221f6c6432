"""The decision tables, every row; and docs/matching.md says the same as the rules and the tables."""

import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from connector.config.settings import SyncSettings
from connector.model.persons import Customer
from connector.sync.matching.answers import Ambiguous, Stop
from connector.sync.matching.decisions import BY_EMAIL, BY_PHONE, BY_SHARED_EMAIL, Choice, Take, Verdict, by_email, by_phone
from connector.sync.matching.rules import LINKED, LOOKED_UP, STORED
from connector.sync.person.agreement import Agreement
from connector.sync.person.identity import Identity
from connector.sync.person.names import PersonName

PAGE = Path("docs/matching.md").read_text(encoding="utf-8")
NAMES = {
    Agreement.STRONG: ("Anna", "Berg"),
    Agreement.WEAK: ("A.", "Berg"),
    Agreement.NONE: ("", "Berg"),
    Agreement.AGAINST: ("Bruno", "Berg"),
}
GRADES = tuple(Agreement)
POLICY = SyncSettings(booking="stores", crm="main")
PHONE = "+15145550123"


def customer(grade: Agreement, number: int = 1) -> Customer:
    first, last = NAMES[grade]
    return Customer(id=str(number), first_name=first, last_name=last, emails=("anna@example.com",), mobile_phone=PHONE)


def anna(**more: object) -> Identity:
    return Identity(name=PersonName("Anna", "Berg"), **more)


def outcome(choice: Choice) -> tuple[str, list[str]]:
    """What was chosen, and whose ids are named."""
    match choice:
        case Take():
            return "take", [choice.customer.id]
        case Ambiguous():
            return "ask", [found.id for found in choice.among]
    return "nobody", []


@pytest.mark.parametrize("mismatch", ["hold", "link"])
@pytest.mark.parametrize("grade", GRADES)
def test_one_customer_with_the_address(grade, mismatch):
    policy = POLICY.model_copy(update={"name_mismatch": mismatch})
    choice = by_email(anna(email="anna@example.com"), [customer(grade)], [], policy)
    asked = grade is Agreement.AGAINST and mismatch == "hold"
    assert outcome(choice) == ("ask" if asked else "take", ["1"])
    if isinstance(choice, Take):
        assert choice.how.endswith("the names differ") is (grade is Agreement.AGAINST)


@pytest.mark.parametrize("several", ["hold", "oldest", "latest_activity"])
@pytest.mark.parametrize("grades", list(itertools.product(GRADES, repeat=2)))
def test_two_customers_with_the_address_are_asked_about(grades, several):
    """Their dates are not known, so that no policy prefers one."""
    found = [customer(grade, number) for number, grade in enumerate(grades)]
    policy = POLICY.model_copy(update={"several_candidates": several})
    assert outcome(by_email(anna(email="anna@example.com"), found, [], policy)) == ("ask", ["0", "1"])


@pytest.mark.parametrize("has_another", [False, True])
@pytest.mark.parametrize("grade", GRADES)
def test_a_customer_who_had_the_address(grade, has_another):
    known = customer(grade).model_copy(update={"emails": ("b@example.com",) if has_another else ()})
    asked = has_another or grade is Agreement.AGAINST
    choice = by_email(anna(email="anna@example.com"), [], [known], POLICY)
    assert outcome(choice) == ("ask" if asked else "take", ["1"])


@pytest.mark.parametrize("grades", list(itertools.product(GRADES, repeat=2)))
def test_an_address_of_several_people(grades: Sequence[Agreement]):
    found = [customer(grade, number) for number, grade in enumerate(grades)]
    choice = by_email(anna(email="anna@example.com", shared_email=True), found, [], POLICY)
    best = max(grades)
    likely = [str(number) for number, grade in enumerate(grades) if grade is best]
    if best in (Agreement.NONE, Agreement.AGAINST):
        assert outcome(choice) == ("nobody", [])
    elif best is Agreement.STRONG and len(likely) == 1:
        assert outcome(choice) == ("take", likely)
    else:
        assert outcome(choice) == ("ask", likely)


@pytest.mark.parametrize("email", [None, "anna@example.com"])
@pytest.mark.parametrize("grades", list(itertools.product(GRADES, repeat=2)))
def test_a_phone(grades: Sequence[Agreement], email: str | None):
    found = [customer(grade, number) for number, grade in enumerate(grades)]
    choice = by_phone(anna(email=email, mobile_phone=PHONE), found, POLICY)
    strong = [str(number) for number, grade in enumerate(grades) if grade is Agreement.STRONG]
    if len(strong) == 1:
        assert outcome(choice) == ("take", strong)
    elif max(grades) is Agreement.AGAINST and email:
        assert outcome(choice) == ("nobody", [])
    else:
        assert outcome(choice) == ("ask", strong or ["0", "1"])


@pytest.mark.parametrize("shared", [False, True])
def test_nobody_is_taken_where_nobody_is_found(shared):
    person = anna(email="anna@example.com", mobile_phone=PHONE, shared_email=shared)
    assert by_email(person, [], [], POLICY) is None
    assert by_phone(person, [], POLICY) is None


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its head."""
    table = re.search(r"(?:^\|.*\n)+", PAGE.partition(f"# {heading}\n")[2], re.MULTILINE)
    assert table is not None
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[0].splitlines()[2:]]


def results() -> dict[str, set[str]]:
    """Each rule by name, in their order, and what its functions say that they may answer."""
    found: dict[str, set[str]] = {}
    for rule in (*LINKED, *STORED, *LOOKED_UP):
        (answers,) = get_args(get_type_hints(rule.ask)["return"])
        kinds = {kind.result for kind in get_args(answers) if kind is not Stop}
        found.setdefault(rule.name, set()).update(kinds)
    return found


def test_the_page_names_the_rules_in_their_order_and_what_each_answers():
    page = {row[1].strip("`"): set(re.findall("`(.+?)`", row[3])) for row in rows("The rules")}
    assert list(page) == list(results())
    assert page == results()


@pytest.mark.parametrize(
    ("key", "table"),
    [
        ("e-mail that identifies", BY_EMAIL),
        ("phone that identifies", BY_PHONE),
        ("e-mail that was seen with several people", BY_SHARED_EMAIL),
    ],
)
def test_the_page_shows_the_tables(key, table):
    words = {Verdict.LINK: "link", Verdict.ASK: "a person decides", Verdict.NOBODY: "no evidence"}
    (cells,) = [row[1:] for row in rows("The decision table") if row[0] == key]
    for cell, grade in zip(cells, reversed(GRADES), strict=True):
        assert words[table[grade]] in cell
