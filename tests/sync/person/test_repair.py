"""What people type around an address or a number, and keys that identify nobody or several."""

from __future__ import annotations

import pytest

from connector.model.bookings import Client
from connector.sync.person.identity import identify, normalise_email, normalise_phone
from connector.sync.person.numbering import phone_variants
from connector.sync.person.reliability import Reliability, email_reliability, phone_reliability


@pytest.mark.parametrize(
    "raw",
    [
        "a@example.com.",
        "Anna Berg <a@example.com>",
        "<a@example.com>",
        "mailto:a@example.com",
        "MAILTO:a@example.com",
        "a@example.com / b@example.com",
        "a@example.com; b@example.com",
        "a@example.com, b@example.com",
        "a@example.com or b@example.com",
        "a@example.com (work)",
        "a@example.com [private]",
        " a@example.com;",
        "e-mail: a@example.com",
        "'a@example.com'",
        "a(at)example.com",
        "a [at] example [dot] com",
        "a (arroba) example.com",
        "a at example dot com",
        "a @ example.com",
        "a@example,com",
        "a\uff20example.com",
        "mailto:a@example.com?subject=Booking",
        '"a@example.com"',
        "\uff41\uff20\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45\uff0e\uff43\uff4f\uff4d",
        # Copied from a page: github.com/validatorjs/validator.js/issues/940,
        # github.com/jquery-validation/jquery-validation/issues/1287
        "a@\u200bexample.\u200bcom",
        "a@exam\u00adple.com",
        "\u202aa@example.com\u202c",
    ],
)
def test_an_address_is_found_in_what_stands_around_it(raw):
    assert normalise_email(raw) == "a@example.com"


@pytest.mark.parametrize(
    "raw",
    [
        "a@",
        "@example.com",
        "a at example.com",
        "a@@example.com",
        '"a b"@example.com x',
        "none",
        "",
        "meet me at noon dot",
        "a (at) example",
        "a@example,xyz",
        "a@example.c om",
        "a@exa mple.com",
    ],
)
def test_what_is_not_obvious_is_not_guessed(raw):
    assert normalise_email(raw) is None


@pytest.mark.parametrize(
    "raw",
    [
        "o&#039;hara@example.com",
        "o&#39;hara@example.com",
        "o&#x27;hara@example.com",
        "o&apos;hara@example.com",
        "o&amp;#039;hara@example.com",
        "O\\'Hara@example.com",
        "o%27hara@example.com",
        "Conan O&#039;Hara &lt;o&#039;hara@example.com&gt;",
    ],
)
def test_a_sign_that_was_written_for_a_page_is_read_as_the_sign(raw):
    """Software keeps addresses so (SuiteCRM/SuiteCRM issue 7962); what stood behind the sign was taken for the address."""
    assert normalise_email(raw) == "o'hara@example.com"


@pytest.mark.parametrize(
    ("raw", "email"),
    [
        ("anna%2Btag@example.com", "anna+tag@example.com"),
        ("anna%40example.com", "anna@example.com"),
        ("r&amp;d@example.com", "r&d@example.com"),
        ("100%25@example.com", "100%25@example.com"),
        ("a&b;c@example.com", None),
    ],
)
def test_other_signs_that_were_written_for_a_page_or_an_address(raw, email):
    assert normalise_email(raw) == email


@pytest.mark.parametrize(
    "raw",
    [
        "john,doe@example.com",
        "john;doe@example.com",
        "john:doe@example.com",
        "john doe@example.com",
        "john. doe@example.com",
        "john\\doe@example.com",
        "john[doe@example.com",
        "john(doe@example.com)",
        "<john>doe@example.com",
        "j:doe@example.com",
        "doe@example.co m",
        "doe@example.co,uk",
        "doe@example.co uk",
    ],
)
def test_a_part_of_an_address_is_not_taken_for_the_address(raw):
    """It would be another person's."""
    assert normalise_email(raw) is None
    assert identify(Client(id="1", email=raw, mobile_phone="514-555-0123"), "CA").unreadable == ("email",)
    assert identify(Client(id="1", first_name=raw, mobile_phone="514-555-0123"), "CA").email is None


def test_a_part_of_an_address_in_the_field_for_the_name_is_said_to_be_unreadable():
    assert identify(Client(id="1", first_name="Anna anna@example.com"), "CA").unreadable == ("email",)
    assert identify(Client(id="1", first_name="Anna <anna@example.com>"), "CA").email == "anna@example.com"


@pytest.mark.parametrize("raw", ["taro..yamada@docomo.ne.jp", "taro.@docomo.ne.jp", ".taro@ezweb.ne.jp"])
def test_addresses_that_japanese_carriers_gave_out_are_read(raw):
    """Hundreds of thousands have one: swiftmailer/swiftmailer issue 71, KumoCorp/kumomta issue 77."""
    assert normalise_email(raw.upper()) == raw


@pytest.mark.parametrize("raw", ["..@docomo.ne.jp", "@docomo.ne.jp", "taro..yamada@example.com", "a b..c@docomo.ne.jp"])
def test_nobody_else_has_such_an_address(raw):
    assert normalise_email(raw) is None


@pytest.mark.parametrize("raw", ["&#43;1 514 555 0123", "+1&nbsp;514&nbsp;555&nbsp;0123"])
def test_a_number_that_was_written_for_a_page_is_read(raw):
    assert normalise_phone(raw, None) == "+15145550123"


def test_the_apostrophe_of_a_telephone_s_keyboard_is_that_of_the_address():
    assert normalise_email("o\u2019hara@example.com") == normalise_email("o'hara@example.com")


def test_the_turkish_capital_makes_no_second_person():
    """Written by keyboards and phones that capitalise in Turkish; in lower case it is two characters for Python."""
    assert normalise_email("\u0130PEK@example.com") == normalise_email("ipek@example.com") == "ipek@example.com"
    assert normalise_email("I\u0307pek@example.com") == "ipek@example.com"


def test_both_names_of_one_provider_are_one():
    assert normalise_email("Ana@GoogleMail.com") == "ana@gmail.com"


@pytest.mark.parametrize(
    ("raw", "country", "expected"),
    [
        ("514-555-0123 (mom)", "CA", "+15145550123"),
        ("514-555-0123 / 514-555-0124", "CA", "+15145550123"),
        ("514-555-0123 or 514-555-0124", "CA", "+15145550123"),
        ("514-555-0123; 514-555-0124", "CA", "+15145550123"),
        ("514-555-0123 wife", "CA", "+15145550123"),
        ("514-555-0123/514-555-0124", "CA", "+15145550123"),
        ("514-555-0123/24", "CA", "+15145550123"),
        ("514-555-0123 (home) 514-555-0124 (cell)", "CA", "+15145550123"),
        ("+1 514 555 0123 +1 514 555 0124", "CA", "+15145550123"),
        ("5145550123.0", "CA", "+15145550123"),
        ("0151/23456780", "DE", "+4915123456780"),
        ("cell: 514-555-0123", "CA", "+15145550123"),
        ("514-555-0123 poste 12", "CA", "+15145550123;ext=12"),
        ("514-555-0123 Durchwahl 12", "CA", "+15145550123;ext=12"),
        ("514-555-0123 x12", "CA", "+15145550123;ext=12"),
        ("0033 6 12 34 56 78", "CA", "+33612345678"),
        ("0033612345678", None, "+33612345678"),
        ("+48 512 345 670 lub +48 600 111 222", None, "+48512345670"),
        ("+52 1 55 1234 5678", None, "+525512345678"),
        ("044 55 1234 5678", "MX", "+525512345678"),
        ("01 (55) 1234-5678", "MX", "+525512345678"),
        ("8 050 123-45-67", "UA", "+380501234567"),
        ("+84 120 123 4567", None, "+84701234567"),
        ("0169 123 4567", "VN", "+84391234567"),
        ("+225 07 12 34 56", None, "+2250707123456"),
        ("05 12 34 56", "CI", "+2250505123456"),
        ("+225 41 12 34 56", None, "+2250141123456"),
        ("+229 97 12 34 56", None, "+2290197123456"),
        ("97 12 34 56", "BJ", "+2290197123456"),
        ("+237 71 23 45 67", None, "+237671234567"),
        ("+57 1 345 2211", None, "+576013452211"),
        ("+225 07 07 12 34 56", None, "+2250707123456"),
        # A form that adds the country's code to a number that has one: github.com/jackocnr/intl-tel-input/issues/823 and 529.
        ("+1+15145550123", None, "+15145550123"),
        ("+7+78639222222", None, "+78639222222"),
        ("264+12642351234", None, "+12642351234"),
        ("+44 44 7911 123456", None, "+447911123456"),
        ("+49 0049 151 23456789", None, "+4915123456789"),
        ("+001 514 555 0123", None, "+15145550123"),
        ("(001) 514 555 0123", None, "+15145550123"),
        ("+20 02 27921234", None, "+20227921234"),
        ("+2002 27921234", None, "+20227921234"),
        ("+7700 771 2345", None, "+77007712345"),
        # The code behind a 0: github.com/google/libphonenumber/issues/750 has it without.
        ("0919876543210", "IN", "+919876543210"),
        ("521 55 1234 5678", "MX", "+525512345678"),
        # Italy has kept the 0 abroad too since 1998: github.com/floere/phony/issues/241.
        ("+39 6 5685 1242", None, "+390656851242"),
        ("+39 347 123 4567", None, "+393471234567"),
        ("555-0123", "CA", None),
        ("call my office", "CA", None),
        ("514-555-0123", None, None),
    ],
)
def test_a_number_is_found_in_what_stands_around_it(raw, country, expected):
    assert normalise_phone(raw, country) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+5511987654321", "+551187654321"),
        ("+5491123456789", "+541123456789"),
        ("+525512345678", "+5215512345678"),
        ("+84701234567", "+841201234567"),
        ("+2250707123456", "+22507123456"),
        ("+2290197123456", "+22997123456"),
        ("+237671234567", "+23771234567"),
        ("+576013452211", "+5713452211"),
    ],
)
def test_a_number_is_looked_up_in_every_spelling_it_has_had(one, other):
    assert phone_variants(one) == (one, other)


def test_a_number_with_one_spelling_is_looked_up_once():
    assert phone_variants("+15145550123") == ("+15145550123",)
    assert phone_variants("+2252720123456") == ("+2252720123456",), "a fixed line in Ivory Coast got other digits"
    assert phone_variants("+551123456789") == ("+551123456789",), "a fixed line in Brazil has no ninth digit"


@pytest.mark.parametrize(
    "email",
    [
        "none@none.com",
        "noemail@noemail.com",
        "noemail@example.com",
        "no-email@example.com",
        "nomail2@example.com",
        "test@test.com",
        "donotreply@example.com",
        "noreply@example.com",
        "no-reply+7@example.com",
        "anonymous+8@example.com",
        "deleted-17@example.com",
        "unknown@example.com",
        "na@na.com",
        "guest@guest.com",
        "asdf@asdf.com",
        "client@nomail.com",
        "anna@no-email.com",
        "anna.berg@none.com",
        "anna@keinemail.de",
        "514@test.com",
        "test@example.com",
        "test12@example.com",
        "na@gmail.com",
        "guest@gmail.com",
        "_483920@bookitlive.net",
    ],
)
def test_an_address_of_nobody(email):
    assert email_reliability(email) is Reliability.PLACEHOLDER


@pytest.mark.parametrize(
    "email",
    [
        "anonymousfox.1@example.com",
        "nonesuch@example.com",
        "nomail.smith@example.com",
        "testa@example.com",
        "tester@example.com",
        "testament@example.com",
        "anna.test@example.com",
        "anna@mail.com",
        "anna@unknown.com",
        "anna@nonesuch.com",
        "anna@contest.com",
        "_anna@bookitlive.net",
        "client.anna@gmail.com",
        "unknownpleasures@example.com",
        "deletedscenes@example.com",
        "a@example.com",
        "guest@hotel.example",
        "mail@anna.example",
        "noel@example.com",
        "nadia@example.com",
        "nina@example.com",
        "client@example.com",
    ],
)
def test_an_address_that_only_looks_like_nobodys(email):
    assert email_reliability(email) is Reliability.IDENTIFIES


def test_an_address_of_several():
    assert email_reliability("info@example.com", {"info@example.com"}) is Reliability.SHARED
    assert email_reliability("info@desk.example", (), {"desk.example"}) is Reliability.SHARED
    assert email_reliability("anna@example.com", {"info@example.com"}, {"desk.example"}) is Reliability.IDENTIFIES


@pytest.mark.parametrize(
    ("phone", "expected"),
    [
        ("+15555551234", Reliability.PLACEHOLDER),
        ("+11234567890", Reliability.PLACEHOLDER),
        ("+19999999999", Reliability.PLACEHOLDER),
        ("+33123456789", Reliability.PLACEHOLDER),
        ("+33600000000", Reliability.PLACEHOLDER),
        ("+15145550123", Reliability.IDENTIFIES),
        ("+33612345678", Reliability.IDENTIFIES),
        ("+12121212121", Reliability.PLACEHOLDER),
        ("+12125555555", Reliability.PLACEHOLDER),
        ("+33606060606", Reliability.PLACEHOLDER),
        ("+34123123123", Reliability.PLACEHOLDER),
        ("+12345678901", Reliability.PLACEHOLDER),
        ("+5511999999999", Reliability.PLACEHOLDER),
        ("+33698765432", Reliability.IDENTIFIES),
        ("+541123456789", Reliability.IDENTIFIES),
        ("+33612345679", Reliability.IDENTIFIES),
        ("+33612121213", Reliability.IDENTIFIES),
        ("+12125555556", Reliability.IDENTIFIES),
        ("+15145141234", Reliability.IDENTIFIES),
        ("+12345678902", Reliability.IDENTIFIES),
        ("+442079460018", Reliability.IDENTIFIES),
        ("+15145550100", Reliability.SHARED),
    ],
)
def test_what_a_number_is_worth(phone, expected):
    assert phone_reliability(phone, {"+15145550100"}) is expected


def test_an_address_in_the_field_for_the_name_is_taken_from_there():
    found = identify(Client(id="1", first_name="zoe@example.com"), "CA")
    assert (found.email, found.name.blank) == ("zoe@example.com", True)


def test_an_address_and_a_number_are_taken_as_what_they_are():
    swapped = identify(Client(id="1", email="514-555-0123", mobile_phone="anna@example.com"), "CA")
    assert (swapped.email, swapped.phones, swapped.unreadable) == ("anna@example.com", ("+15145550123",), ())
    number = identify(Client(id="1", email="514-555-0123"), "CA")
    assert (number.email, number.phones, number.unreadable) == (None, ("+15145550123",), ())
    both = identify(Client(id="1", home_phone="514-555-0123, anna@example.com"), "CA")
    assert (both.email, both.phones, both.unreadable) == ("anna@example.com", ("+15145550123",), ())
    own = identify(Client(id="1", email="zoe@example.com", mobile_phone="anna@example.com"), "CA")
    assert own.email == "zoe@example.com", "what the address's own field says goes first"


@pytest.mark.parametrize("raw", ["5555555", "1234567", "0000000", "121212121212"])
def test_a_number_of_nobody_that_cannot_be_read_is_not_held_for(raw):
    assert identify(Client(id="1", mobile_phone=raw), None).unreadable == ()


def test_what_cannot_be_read_is_not_the_same_as_nothing():
    client = Client(id="1", email="anna@@example", mobile_phone="514-555-0123")
    assert identify(client, None).unreadable == ("email", "mobile_phone")
    assert identify(Client(id="1", email="none", mobile_phone="-", home_phone="n/a"), "CA").unreadable == ()


def test_a_number_in_the_name_is_a_key_where_no_other_is_said():
    assert identify(Client(id="1", first_name="Kate", last_name="Ross (514) 555-0123"), "CA").mobile_phone == "+15145550123"
    assert identify(Client(id="1", last_name="Ross 514.555.0123", email="a@example.com"), "CA").mobile_phone is None
    assert identify(Client(id="1", first_name="Kate", last_name="Ross 2024-01-05"), "CA").mobile_phone is None
    assert identify(Client(id="1", first_name="Room", last_name="12 0345"), "CA").mobile_phone is None


@pytest.mark.parametrize(
    ("email", "country", "other"),
    [
        ("kate@googlemail.com", "CA", "kate@googlemail.com"),
        ("kate@gmail.com", "DE", "kate@googlemail.com"),
        ("kate@gmail.com", "CA", None),
        ("kate@example.com", "DE", None),
        ("", "DE", None),
    ],
)
def test_a_mailbox_is_looked_up_under_both_domains_of_its_provider_where_both_are_used(email, country, other):
    known = identify(Client(id="1", email=email), country)
    assert known.other_email == other
    assert "googlemail.com" not in (known.email or "")
