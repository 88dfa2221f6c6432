"""Who a client is: the rules that decide whether two records are one person."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from connector.appointments import Client
from connector.identity import (
    MAX_EMAIL,
    MAX_NAME,
    Agreement,
    Identity,
    PersonName,
    identify,
    name_key,
    names_agree,
    normalise_email,
    normalise_phone,
    person_key,
    read_name,
)

#: Any text JSON can carry, lone surrogates included.
ANY_TEXT = st.text(st.characters(codec=None), max_size=60)
NAME_WORDS = st.sampled_from(
    [
        "Anna", "Maria", "Jean", "Pierre", "Dupont", "Berg", "van", "der", "de", "la", "Jr.", "Sr.", "J.", "M.", "B", "A.",
        "Müller", "Muller", "O'Brien", "Jean-Pierre", "李", "小龙", "Mr.", "Dr.", ",", "(", ")", "Le",
    ]
)  # fmt: skip
NAMES = st.builds(PersonName, *[st.lists(NAME_WORDS, max_size=3).map(" ".join)] * 2) | st.builds(read_name, ANY_TEXT, ANY_TEXT)
LETTERS = st.text("abcdefghijklmnopqrstuvwxyzéèüßøłçñåæœıžđ -'", min_size=1, max_size=25)
COUNTRIES = st.sampled_from([None, "CA", "FR", "de", "IT", "GB", "AR", "QQ", "", "é"])
PHONES = st.text("0123456789+ ()-./x;=extA٠", max_size=24) | st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True) | ANY_TEXT


def client(**parts: str) -> Client:
    return Client(id="c1", **parts)


# e-mail


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("anna@example.com", "anna@example.com"),
        (" \u00a0Anna@Example.COM\u200b\ufeff\r\n", "anna@example.com"),
        ("a.n.n.a+booking@example.org", "a.n.n.a+booking@example.org"),
        ("anna@shop.test", "anna@shop.test"),
        ("anna@shop.example", "anna@shop.example"),
        ("anna@M\u00dcNCHEN.example", "anna@xn--mnchen-3ya.example"),
        ("anna@xn--mnchen-3ya.example", "anna@xn--mnchen-3ya.example"),
        ("A\u0308nna@example.net", "\u00e4nna@example.net"),
        ("stra\u00dfe@example.com", "stra\u00dfe@example.com"),
        ("a" * 64 + "@example.com", "a" * 64 + "@example.com"),
    ],
)
def test_an_address_has_one_spelling(raw: str, expected: str) -> None:
    assert normalise_email(raw) == expected


@pytest.mark.parametrize(
    "raw",
    [
        "", " ", "anna", "anna@", "@example.com", "anna@example", "anna@test", "anna@localhost", "anna@x.localhost",
        "anna@gone.invalid", "anna@@example.com", "anna @example.com", "an\u200bna@example.com", "anna@example..com",
        "Anna <anna@example.com>",
        "anna@example.com, bea@example.com", "anna@[192.0.2.1]", "\x00anna\x00@example.com", "\ud800@example.com",
        "a@" + "b." * MAX_EMAIL + "com",
    ],
)  # fmt: skip
def test_what_is_no_address_gives_nothing(raw: str) -> None:
    assert normalise_email(raw) is None


def test_an_overlong_address_is_refused_before_it_is_looked_at() -> None:
    assert normalise_email(" " * MAX_EMAIL + "anna@example.com") is None


@settings(max_examples=150, deadline=None)
@given(ANY_TEXT | st.emails() | st.builds("{}@example.com".format, ANY_TEXT))
def test_normalising_an_address_twice_changes_nothing(raw: str) -> None:
    email = normalise_email(raw)
    assert email is None or normalise_email(email) == email


@settings(max_examples=60, deadline=None)
@given(st.emails(domains=st.sampled_from(["example.com", "shop.test"])))
def test_case_and_surrounding_space_do_not_matter(address: str) -> None:
    assert normalise_email(f"\t{address.upper()} ") == normalise_email(address) is not None


# phone


@pytest.mark.parametrize(
    ("raw", "country", "expected"),
    [
        ("514-555-0123", "CA", "+15145550123"),
        ("(514) 555 0123", "ca", "+15145550123"),
        ("\u200e1 514 555 0123\u200b", "US", "+15145550123"),
        ("+1 (514) 555-0123", None, "+15145550123"),
        ("+1 514 555 0123", "QQ", "+15145550123"),
        ("tel:+1-514-555-0123", None, "+15145550123"),
        ("+33 6 39 98 12 34", "CA", "+33639981234"),
        ("06 39 98 12 34", "FR", "+33639981234"),
        ("0033 6 39 98 12 34", "FR", "+33639981234"),
        ("+33 (0)6 39 98 12 34", None, "+33639981234"),
        ("020 7946 0123", "GB", "+442079460123"),
        ("+39 06 1234 5678", None, "+390612345678"),
        ("٠٦٣٩٩٨١٢٣٤", "FR", "+33639981234"),
    ],
)
def test_a_number_has_one_spelling(raw: str, country: str | None, expected: str) -> None:
    assert normalise_phone(raw, country) == expected


@pytest.mark.parametrize(
    ("raw", "country"),
    [
        ("", "CA"), ("n/a", "CA"), ("514-555-0123", None), ("514-555-0123", ""), ("514-555-0123", "QQ"), ("911", "CA"),
        ("12", "CA"), ("+", None), ("+999 123 456 789", None), ("+1 514 555 0123 45678", None),
        ("514-555-0123 or 514-555-0124", "CA"),
        ("+15145550123" + " " * 100, "CA"), ("\ud800", "CA"), ("anna@example.com", "CA"),
    ],
)  # fmt: skip
def test_what_is_no_number_gives_nothing(raw: str, country: str | None) -> None:
    assert normalise_phone(raw, country) is None


@pytest.mark.parametrize("raw", ["555-0123", "+1 555-0123"])
def test_a_local_number_without_area_code_is_nobodys(raw: str) -> None:
    assert normalise_phone(raw, "CA") is None


@pytest.mark.parametrize("raw", ["514 555 0123 ext. 12", "514-555-0123 x12", "+1 514 555 0123;ext=12", "514 555 0123 ext ١٢"])
def test_an_extension_makes_another_phone(raw: str) -> None:
    assert normalise_phone(raw, "CA") == "+15145550123;ext=12"
    assert normalise_phone("514-555-0123 ext. 13", "CA") == "+15145550123;ext=13"


@settings(max_examples=400, deadline=None)
@given(PHONES, COUNTRIES)
def test_normalising_a_number_twice_changes_nothing(raw: str, country: str | None) -> None:
    phone = normalise_phone(raw, country)
    if phone is not None:
        assert re.fullmatch(r"\+[1-9][0-9]{3,16}(;ext=[0-9]{1,20})?", phone)
        assert normalise_phone(phone, None) == normalise_phone(phone, "CA") == phone


# names


@pytest.mark.parametrize(
    ("given_name", "expected"),
    [
        (("Anna", "Berg"), ("Anna", "Berg")),
        (("Jean Pierre Dupont", ""), ("Jean Pierre", "Dupont")),
        (("", "Jean Pierre Dupont"), ("Jean Pierre", "Dupont")),
        (("Ludwig van der Berg", ""), ("Ludwig", "van der Berg")),
        (("", "van der Berg"), ("", "van der Berg")),
        (("", "Van der Berg"), ("", "Van der Berg")),
        (("de la Cruz", ""), ("", "de la Cruz")),
        (("Van Morrison", ""), ("Van", "Morrison")),
        (("Dupont, Jean", ""), ("Jean", "Dupont")),
        (("John Smith III", ""), ("John", "Smith III")),
        (("Mr. Smith", ""), ("", "Smith")),
        (("Mme Marie Dupont", ""), ("Marie", "Dupont")),
        (("Berg MD", ""), ("Berg MD", "")),
        (("Anna (Berg)", ""), ("Anna (Berg)", "")),
        (("李 小龙", ""), ("小龙", "李")),
        (("Anna", ""), ("Anna", "")),
        (("", "Berg"), ("", "Berg")),
        (("  Anna\t Maria ", "\u200bBerg\x00\r\n"), ("Anna Maria", "Berg")),
        (("A\u0308nna", "Berg"), ("\u00c4nna", "Berg")),
        (("anna@example.com", "Berg"), ("", "Berg")),
        (("anna@example.com", ""), ("", "")),
        (("Anna Berg anna@example.com", ""), ("Anna", "Berg")),
        (("-", "***"), ("", "")),
        (("\ud800", "😀"), ("", "")),
        (("", ""), ("", "")),
    ],
)
def test_reading_a_name(given_name: tuple[str, str], expected: tuple[str, str]) -> None:
    assert read_name(*given_name) == PersonName(*expected)


@settings(max_examples=200, deadline=None)
@given(ANY_TEXT | st.lists(NAME_WORDS).map(" ".join), ANY_TEXT | st.just(""))
def test_any_text_can_be_read_as_a_name(first: str, last: str) -> None:
    name = read_name(first, last)
    for part in (name.first, name.last):
        assert len(part) <= MAX_NAME
        assert part == " ".join(part.split())
        part.encode()
        assert not any(unicodedata.category(c) == "Cc" for c in part)


@settings(max_examples=100, deadline=None)
@given(ANY_TEXT, ANY_TEXT)
def test_reading_a_complete_name_again_changes_nothing(first: str, last: str) -> None:
    name = read_name(first, last)
    assume(bool(name.first) == bool(name.last))
    assert read_name(name.first, name.last) == name


def test_an_endless_name_is_cut() -> None:
    assert read_name("a" * 100_000, "b") == PersonName("a" * MAX_NAME, "b")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Anna", "Berg"), ("BERG", "anna")),
        (("Søren", "Łukasz-Müller"), ("soren", "lukasz muller")),
        (("Jean-Pierre", "Groß"), ("JEAN PIERRE", "GROSS")),
        (("Zoë", "D\u2019Angelo"), ("Zoe", "D'angelo")),
        (("J.R.", "Ødegård"), ("j r", "Odegard")),
        (("Iğnaz", "İnci"), ("ignaz", "inci")),
        (("한", "지"), ("\u1112\u1161\u11ab", "\u110c\u1175")),
    ],
)
def test_the_key_ignores_case_accents_punctuation_and_order(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert name_key(PersonName(*one)) == name_key(PersonName(*other)) != ""


def test_the_key_keeps_marks_that_make_another_letter() -> None:
    assert name_key(PersonName("がき", "")) != name_key(PersonName("かき", ""))
    assert name_key(PersonName("कि", "")) != name_key(PersonName("कु", ""))


def test_a_name_without_letters_has_no_key() -> None:
    assert name_key(PersonName(" - ", "***")) == ""
    assert PersonName(" - ", "***").blank
    assert not PersonName("", "Berg").blank


@settings(max_examples=200, deadline=None)
@given(LETTERS, LETTERS)
def test_the_key_is_stable_under_case_space_accents_and_order(first: str, last: str) -> None:
    key = name_key(PersonName(first, last))
    assert name_key(PersonName(first.upper(), last.title())) == key
    assert name_key(PersonName(last, f" {first} ")) == key
    assert name_key(PersonName(unicodedata.normalize("NFD", first), unicodedata.normalize("NFC", last))) == key
    assert name_key(PersonName(key, "")) == key


A, D, U = Agreement.AGREE, Agreement.DISAGREE, Agreement.UNKNOWN


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        # the same words
        (("Anna", "Berg"), ("anna", "BERG"), A),
        (("Berg", "Anna"), ("Anna", "Berg"), A),
        (("Anna Berg", ""), ("Anna", "Berg"), A),
        (("Ludwig", "van der Berg"), ("Ludwig", "Vanderberg"), A),
        (("Ludwig", "van der Berg"), ("Ludwig", "Berg"), A),
        (("Jean-Pierre", "Dupont"), ("Jeanpierre", "Dupont"), A),
        (("李", "小龙"), ("李小龙", ""), A),
        # one says more than the other
        (("Anna", "Berg"), ("Anna Maria", "Berg"), A),
        (("Anna", "Berg"), ("Anna", "Schmidt Berg"), A),
        (("Dr. Anna", "Berg"), ("Anna", "Berg"), A),
        (("Anna Maria", ""), ("Anna Maria", "Berg"), D),
        (("Thomas", "Martin"), ("Martin Thomas", "Berg"), D),
        (("Anna Maria", "Berg"), ("Anna Sofia", "Berg"), D),
        # initials
        (("J.", "Dupont"), ("Jean", "Dupont"), A),
        (("J.-P.", "Dupont"), ("Jean Pierre", "Dupont"), A),
        (("Anna M.", "Berg"), ("Anna Maria", "Berg"), A),
        (("Anna", "B."), ("Anna", "Berg"), A),
        (("Dupont", "J."), ("Jean", "Dupont"), A),
        (("A.", "B."), ("Anna", "Berg"), D),
        (("K.", "Dupont"), ("Jean", "Dupont"), D),
        (("J.", "Berg"), ("Anna", "Johansson Berg"), D),
        (("M.", "Dupont"), ("Marie", "Dupont"), D),
        (("李", "王芳"), ("李小龙", "王芳"), D),
        # people of one household
        (("Anna", "Berg"), ("Maria", "Berg"), D),
        (("John", "Smith Jr."), ("John", "Smith"), D),
        (("John", "Smith Jr."), ("John", "Smith Sr."), D),
        (("John", "Smith Jr."), ("John", "Smith Junior"), A),
        (("Bob", "Smith"), ("Robert", "Smith"), D),
        (("Anh", "Le"), ("Anh", "Do"), D),
        # too little to say
        (("", "Berg"), ("Anna", "Berg"), U),
        (("Anna", ""), ("Anna", "Berg"), U),
        (("Maria", ""), ("Anna", "Berg"), D),
        (("", "Berg"), ("", "Berg"), A),
        (("", ""), ("Anna", "Berg"), U),
        (("-", ""), ("", ""), U),
    ],
)
def test_whether_two_names_agree(one: tuple[str, str], other: tuple[str, str], expected: Agreement) -> None:
    assert names_agree(PersonName(*one), PersonName(*other)) == expected
    assert names_agree(PersonName(*other), PersonName(*one)) == expected


@settings(max_examples=400, deadline=None)
@given(NAMES, NAMES)
def test_agreement_is_symmetric_and_blind_to_case(one: PersonName, other: PersonName) -> None:
    says = names_agree(one, other)
    assert says == names_agree(other, one)
    assert says == names_agree(PersonName(one.first.upper(), one.last.upper()), other)


@settings(max_examples=150, deadline=None)
@given(NAMES)
def test_a_name_agrees_with_itself_unless_it_is_blank(name: PersonName) -> None:
    swapped = PersonName(name.last, name.first)
    assert names_agree(name, swapped) == (U if name.blank else A)


# identity


def test_identifying_a_client() -> None:
    found = identify(
        client(
            first_name="Anna",
            last_name="Berg",
            email="Anna@Example.com ",
            mobile_phone="514 555 0123",
            home_phone="+1 514-555-0199",
        ),
        "CA",
    )
    assert found == Identity("anna@example.com", "+15145550123", "+15145550199", PersonName("Anna", "Berg"))
    assert found.phones == ("+15145550123", "+15145550199")


def test_one_phone_given_twice_is_one_phone() -> None:
    found = identify(client(mobile_phone="514 555 0123", home_phone="+15145550123"), "CA")
    assert found.phones == ("+15145550123",)
    assert len(found.keys()) == 1


@pytest.mark.parametrize(
    ("identity", "blank", "matchable", "worth_creating"),
    [
        (Identity(), True, False, False),
        (Identity(name=PersonName("-", "")), True, False, False),
        (Identity(name=PersonName("Anna", "Berg")), False, False, False),
        (Identity(home_phone="+15145550123"), False, True, False),
        (Identity(home_phone="+15145550123", name=PersonName("Anna", "")), False, True, True),
        (Identity(email="anna@example.com"), False, True, True),
    ],
)
def test_what_an_identity_is_good_for(identity: Identity, blank: bool, matchable: bool, worth_creating: bool) -> None:
    assert (identity.blank, identity.matchable, not identity.lacks("phone_and_name")) == (blank, matchable, worth_creating)


@pytest.mark.parametrize(
    "words",
    [
        ("Anonymous", ""), ("ANONYMIZED", "anonymised"), ("Deleted", "User"), ("Deleted User", ""), ("redacted", "redacted"),
        ("N/A", "n / a"), ("Unknown", "-"), ("***", "***"), ("xxx", "XXXX"), ("[deleted]", "12345"), ("Client", "anonymisé"),
    ],
)  # fmt: skip
def test_a_placeholder_is_no_name(words: tuple[str, str]) -> None:
    assert identify(client(first_name=words[0], last_name=words[1]), "CA") == Identity()


@pytest.mark.parametrize("words", [("Anna", "Unknown"), ("Guest", ""), ("Na", "Li"), ("Anonymous", "Berg"), ("User", "Null")])
def test_a_name_that_only_contains_such_a_word_stays(words: tuple[str, str]) -> None:
    assert identify(client(first_name=words[0], last_name=words[1]), "CA").name == PersonName(*words)


@pytest.mark.parametrize(
    "email", ["anonymized-17@example.com", "Deleted.user@example.com", "redacted@example.com", "noreply@example.com",
     "No-Reply+1@example.com", "a@b.invalid"],
)  # fmt: skip
def test_a_placeholder_is_no_email(email: str) -> None:
    assert identify(client(email=email), "CA") == Identity()


def test_an_address_that_only_resembles_a_placeholder_stays() -> None:
    assert identify(client(email="noreplyman@example.com"), "CA").email == "noreplyman@example.com"


@pytest.mark.parametrize(
    "phone", ["000-000-0000", "+1 000 000 0000", "9999999999", "+33 0 00 00 00 00", "0000000000", "00 00 00 00 00"]
)
def test_a_placeholder_is_no_phone(phone: str) -> None:
    assert identify(client(mobile_phone=phone, home_phone=phone), "CA") == Identity()


def test_keys_are_sorted_and_one_for_each_thing_known() -> None:
    keys = Identity("anna@example.com", "+15145550123", "+15145550199").keys()
    assert list(keys) == sorted(keys)
    assert [key.partition(":")[0] for key in keys] == ["email", "phone", "phone"]
    assert Identity(name=PersonName("Anna", "Berg")).keys() == ()


def test_mobile_and_home_phone_share_their_keys() -> None:
    assert Identity(mobile_phone="+15145550123").keys() == Identity(home_phone="+15145550123").keys()


def test_digests_never_change() -> None:
    """A change here makes strangers of everybody who is already known."""
    assert person_key("stores", "42") == "01fb10af399e8aa8e19db7ed738ab193a1bed551baab713002fe7f8aaf05ddff"
    assert Identity(email="anna@example.com").keys() == (
        "email:2344c7347f752e7c38c6208657d6d06d869066d9a7697edfdff7350fc1f49bbb",
    )
    assert Identity(mobile_phone="+15145550123").keys() == (
        "phone:12bdad88d132aec2c9b59ca9d5c855b198ba4d8ef6abcb7b0542847e18922282",
    )


@settings(max_examples=150, deadline=None)
@given(*[ANY_TEXT] * 4)
def test_person_keys_differ_when_source_or_client_differ(source: str, one: str, other_source: str, other: str) -> None:
    same = (source, one) == (other_source, other)
    assert (person_key(source, one) == person_key(other_source, other)) is same
    assert re.fullmatch("[0-9a-f]{64}", person_key(source, one))


def test_a_person_key_knows_where_the_source_ends() -> None:
    assert person_key("a", "b:c") != person_key("a:b", "c")
    assert person_key("a", "") != person_key("", "a")


@settings(max_examples=250, deadline=None)
@given(
    st.builds(
        Client,
        id=ANY_TEXT,
        first_name=ANY_TEXT,
        last_name=ANY_TEXT,
        email=ANY_TEXT | st.emails(),
        mobile_phone=PHONES,
        home_phone=PHONES,
    ),
    COUNTRIES,
)
def test_any_client_can_be_identified_and_its_keys_are_digests(someone: Client, country: str | None) -> None:
    found = identify(someone, country)
    assert not (found.blank and found.matchable)
    assert bool(found.keys()) == found.matchable
    digests = found.keys()
    assert all(re.fullmatch("(email|phone):[0-9a-f]{64}", digest) for digest in digests)
