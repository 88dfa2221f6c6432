"""Between our words and Zoho's: odd input never raises, and a value in a query is exactly that value."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.crms.zoho import mapping
from connector.crms.zoho.refusals import Refusals, holder_of
from connector.model.bookings import Appointment, Status
from connector.model.errors import RemoteError
from connector.model.persons import Customer, NewCustomer
from connector.remote import contacts
from connector.remote.rate_limit import Quota
from connector.sandbox.zoho.coql import Query
from connector.sandbox.zoho.records import Records, Rules

KEY = "Connector_Person_Key"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "code", "details", "errors", "data", "api_name", "Email", "status"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)
HOUR = timedelta(hours=1)
NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)


@given(JSON)
def test_whatever_comes_is_a_contact_or_none(data):
    found = mapping.customer(data, KEY, "?")
    assert found is None or found.id.isdigit()


@given(JSON, st.sampled_from([200, 207, 400, 403]), st.booleans())
def test_whatever_a_refusal_holds_becomes_one_of_our_errors(data, status, writes):
    item = data if isinstance(data, dict) else {"data": data}
    refusals = Refusals("crm.main", KEY, (KEY,), Quota("q"))
    error = refusals.error("create a contact", status, item, writes=writes)
    assert isinstance(error, RemoteError)
    assert error.account == "crm.main"
    assert holder_of(item) is None or holder_of(item).isdigit()


@given(
    st.lists(st.text(alphabet="ab'\",()= @.", min_size=1, max_size=12).filter(str.strip), min_size=1, max_size=4, unique=True)
)
def test_a_quoted_value_finds_exactly_the_records_that_have_it(values):
    records = Records(lambda: 0.0, Rules())
    values = [value.strip() for value in values]
    for value in values:
        records.insert("Contacts", {"Last_Name": "x", "Title": value})
    for value in values:
        text = mapping.select(("id", "Title"), "Contacts", f"(Title in ({mapping.quoted(value)}))")
        _, found = Query(text, records).run()
        assert found is not None
        assert {record["Title"] for record in found["data"]} == {value}


@pytest.mark.parametrize("value", ["a\\b", "a\nb", "a\x00b", "a\u2028b", "\ud800"])
def test_what_cannot_be_said_safely_is_not_said(value):
    with pytest.raises(ValueError, match="cannot stand"):
        mapping.quoted(value)


def test_an_international_domain_is_asked_for_in_both_spellings():
    assert contacts.email_spellings("ada@xn--bcher-kva.example") == ("ada@xn--bcher-kva.example", "ada@bücher.example")
    assert contacts.has_email(Customer(id="1", emails=("ADA@bücher.example",)), "ada@xn--bcher-kva.example")


@pytest.mark.parametrize(
    "phone", ["+15145550123", "+442079460123", "+33612345678", "+4930901820", "+5511912345678", "+5213312345678"]
)
def test_the_spellings_of_a_number_fit_into_one_query_and_all_mean_it(phone):
    spellings = mapping.phone_spellings(phone)
    assert phone in spellings
    assert len(spellings) <= mapping.MAX_VALUES
    meant = [text for text in spellings if contacts.has_phone(Customer(id="1", phone=text), phone)]
    assert len(meant) > len(spellings) * 0.7


@pytest.mark.parametrize(
    ("phone", "typed"),
    [
        ("+22507123456", "+225 07 12 34 56"),
        ("+22997123456", "+229 97 12 34 56"),
        ("+841201234567", "+84 120 123 4567"),
        ("+237712345678", "+237 7 12 34 56 78"),
    ],
)
def test_a_number_from_before_a_renumbering_is_asked_for_as_it_was_typed(phone, typed):
    assert typed in mapping.phone_spellings(phone)


@pytest.mark.parametrize(
    ("value", "is_id"),
    [
        ("1", True),
        (554023000000424001, True),
        ("0", False),
        ("01", False),
        (True, False),
        (None, False),
        ("1" * 21, False),
        ("١", False),
    ],
)
def test_an_id_is_a_number(value, is_id):
    assert mapping.is_id(value) is is_id


@pytest.mark.parametrize("end", [None, NOON, NOON - HOUR])
def test_an_end_that_is_missing_or_not_after_the_start_is_set(end):
    assert mapping.times(NOON, end, HOUR)["End_DateTime"] == "2027-03-01T13:00:00+00:00"


def test_a_long_title_keeps_how_it_ended():
    event = mapping.event(Appointment(id="1", title="x" * 300, status=Status.CANCELLED), HOUR)
    assert event["Event_Title"] == f"Cancelled: {'x' * 244}"


def test_blanks_are_never_sent():
    assert mapping.values_of(NewCustomer(first_name=" ", email="ada@example.com")) == {"Email": "ada@example.com"}
    assert "Venue" not in mapping.event(Appointment(id="1"), HOUR)
