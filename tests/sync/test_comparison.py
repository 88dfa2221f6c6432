"""A client and a customer side by side: what differs is marked, and the words follow the grade."""

from __future__ import annotations

import pytest

from connector.model.bookings import Client
from connector.model.persons import Customer
from connector.sync.matching.comparison import compare, of_client, of_customer
from connector.sync.person.identity import identify

ADA = Client(id="1", first_name="Ada", last_name="Byron", email="ada@example.com", mobile_phone="514 555 0123")


@pytest.mark.parametrize(
    ("first", "last", "grade", "side", "words", "differs"),
    [
        ("Ada", "Byron", "strong", "speaks_for", "the names agree", ()),
        ("A.", "Byron", "weak", "unclear", "the names agree only in part", ("name",)),
        ("", "Byron", "none", "unclear", "the names cannot be compared", ("name",)),
        ("Grace", "Byron", "against", "speaks_against", "the names differ", ("name",)),
    ],
)
def test_the_words_follow_the_grade_of_the_names(first, last, grade, side, words, differs):
    customer = Customer(id="7", first_name=first, last_name=last, phone="+1 514-555-0123")
    found = compare(identify(ADA, "CA"), customer, "CA")
    assert (found.grade, found.differs) == (grade, differs)
    assert words in getattr(found, side)
    assert "the same phone number" in found.speaks_for


def test_what_both_say_otherwise_is_marked_and_what_one_does_not_say_is_not():
    customer = Customer(id="7", first_name="Ada", last_name="Byron", emails=("other@example.com",), phone="514 555 0199")
    found = compare(identify(ADA, "CA"), customer, "CA")
    assert found.differs == ("email", "phone")
    assert found.speaks_against == ("another e-mail address", "another phone number")
    bare = compare(identify(ADA, "CA"), Customer(id="7", first_name="Ada", last_name="Byron"), "CA")
    assert (bare.differs, bare.speaks_against) == ((), ())


def test_records_are_shown_as_they_are_written():
    assert of_client(ADA).as_dict() == {"name": "Ada Byron", "emails": ["ada@example.com"], "phones": ["514 555 0123"]}
    customer = Customer(id="7", last_name="Byron", mobile_phone="+15145550123", phone="+15145550123")
    assert of_customer(customer).as_dict() == {"name": "Byron", "emails": [], "phones": ["+15145550123"]}
