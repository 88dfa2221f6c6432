"""Who a client is: the rules that decide whether two records are one person."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.model.bookings import Client
from connector.sync.person import identity
from connector.sync.person.identity import MAX_EMAIL, Identity, identify, mailbox, normalise_email, normalise_phone, person_key
from connector.sync.person.names import PersonName
from connector.sync.person.words import words_of

#: Any text JSON can carry, lone surrogates included.
ANY_TEXT = st.text(st.characters(codec=None), max_size=60)
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
        "anna@gone.invalid", "anna@@example.com", "anna  berg @example.com", "anna@example..com",
        "anna@[192.0.2.1]", "\x00anna\x00@example.com", "\ud800@example.com",
        "a@" + "b." * MAX_EMAIL + "com",
    ],
)  # fmt: skip
def test_what_is_no_address_gives_nothing(raw: str) -> None:
    assert normalise_email(raw) is None


@pytest.mark.parametrize(
    ("email", "plain"),
    [
        ("a.n.n.a+booking@gmail.com", "anna@gmail.com"),
        ("anna+a+b@gmail.com", "anna@gmail.com"),
        ("a.n.n.a+booking@example.org", "a.n.n.a+booking@example.org"),
        ("+anna@gmail.com", "+anna@gmail.com"),
    ],
)
def test_dots_and_tags_are_ignored_where_we_are_told_so(email: str, plain: str) -> None:
    assert mailbox(email, ["gmail.com"]) == plain
    assert mailbox(email, []) == email


def test_all_spellings_of_a_mailbox_have_one_key() -> None:
    dotted, plain = (identify(client(email=e), None, (), ["gmail.com"]) for e in ("a.nna@gmail.com", "anna@gmail.com"))
    assert dotted.email_key == plain.email_key
    assert (dotted.emails, plain.emails) == (("a.nna@gmail.com", "anna@gmail.com"), ("anna@gmail.com",))
    assert identify(client(email="a.nna@gmail.com"), None).email_key != plain.email_key


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


NEARLY_PLAIN = st.from_regex(r"[a-z0-9._+-]{1,70}@[a-z0-9.-]{1,80}\.[a-z]{1,9}", fullmatch=True)


@given(st.from_regex(identity._PLAIN, fullmatch=True) | NEARLY_PLAIN)
def test_a_plain_address_is_what_the_validator_makes_of_it(raw):
    with pytest.MonkeyPatch.context() as patched:
        quick = identity._read_email(raw.upper())
        patched.setattr(identity, "_PLAIN", re.compile("(?!)"))
        assert identity._read_email(raw.upper()) == quick


@given(st.text(st.characters(codec="ascii")))
def test_the_words_of_an_ascii_text_are_found_as_those_of_any_other(text):
    # What belongs to the spelling of Persian names is no part of any word, but no ASCII either.
    assert words_of(text) == words_of(f"{text}\u200c")
