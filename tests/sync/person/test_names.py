"""People's names: how they are read, and whether two of them may belong to one person."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from connector.sync.person import names
from connector.sync.person.names import MAX_NAME, PersonName, name_key, read_name
from connector.sync.person.repair import redecoded, unescaped

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


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (("null", "null"), ("", "")),
        (("undefined", "undefined"), ("", "")),
        (("Undefined", "Undefined"), ("", "")),
        (("NULL", "Berg"), ("", "Berg")),
        (("Anna", "(null)"), ("Anna", "")),
        (("[object Object]", " null "), ("", "")),
        (("None", "None"), ("", "")),
        (("Anna", "None"), ("Anna", "None")),
        (("Jennifer", "Null"), ("Jennifer", "Null")),
    ],
)
def test_a_program_s_word_for_nothing_is_no_name(said, expected):
    """Seen as people's names: glific/glific issue 3173 ("NULL"), customeros/customeros issue 3331 ("Undefined Undefined")."""
    name = read_name(*said)
    assert (name.first, name.last) == expected


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
        (("Mr. Smith", ""), ("Mr. Smith", "")),
        (("", "Mr. J. Smith"), ("Mr. J.", "Smith")),
        (("", "Mr. John Smith"), ("John", "Smith")),
        (("", "Baron Davis"), ("Baron", "Davis")),
        (("", "Bishop Brown"), ("Bishop", "Brown")),
        (("Princess Ojo", ""), ("Princess", "Ojo")),
        (("", "Le Van Tam"), ("", "Le Van Tam")),
        (("Nguyen Thi Mai", ""), ("Nguyen Thi Mai", "")),
        (("", "Abdul Rahman Al Saud"), ("", "Abdul Rahman Al Saud")),
        (("", "Familie Müller"), ("", "Familie Müller")),
        (("John & Jane Smith", ""), ("John & Jane Smith", "")),
        (("Mme Marie Dupont", ""), ("Marie", "Dupont")),
        (("Berg MD", ""), ("Berg MD", "")),
        (("Anna (Berg)", ""), ("Anna (Berg)", "")),
        (("李 小龙", ""), ("小龙", "李")),
        (("Anna", ""), ("Anna", "")),
        (("", "Berg"), ("", "Berg")),
        (("  Anna\t Maria ", "\u200bBerg\x00\r\n"), ("Anna Maria", "Berg")),
        (("A\u0308nna", "Berg"), ("\u00c4nna", "Berg")),
        (("Conan", "O&#039;Hara"), ("Conan", "O'Hara")),
        (("Conan", "O&amp;#39;Hara"), ("Conan", "O'Hara")),
        (("Conan", "O\\'Hara"), ("Conan", "O'Hara")),
        (("J&uuml;rgen", "Gro&szlig;"), ("Jürgen", "Groß")),
        (("R&D", "Team; B"), ("R&D", "Team; B")),
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


def test_a_mark_behind_a_title_is_no_surname() -> None:
    assert read_name("", "ME :") == PersonName("", "ME :")


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


@given(st.text(st.characters(max_codepoint=255), max_size=40) | st.text("aB1 .-'", max_size=MAX_NAME * 5))
def test_plain_names_are_tidied_as_any_other(raw: str) -> None:
    assert names._tidy_once(raw) == names._tidy_any(redecoded(unescaped(raw)))


@pytest.mark.parametrize(
    "raw", ["{{last_name}}", "{{ contact.last_name }}", "${lastName}", "%LAST_NAME%", "*|LNAME|*", "<%= last_name %>", "{{}}"]
)
def test_what_a_template_left_unfilled_is_no_name(raw: str) -> None:
    """https://github.com/DoSomethingArchive/legacy-website/issues/1396: shown to people where a name was missing."""
    assert read_name("Anna", raw) == PersonName("Anna", "")


@pytest.mark.parametrize(
    ("raw", "meant"),
    [
        ("J\u00c3\u00bcrgen", "J\u00fcrgen"),
        ("Wei\u00c3\u0178", "Wei\u00df"),
        ("\u00c3\x81lvaro", "\u00c1lvaro"),
        ("\u00c5\x81ukasz", "\u0141ukasz"),
    ],
)
def test_utf_8_that_was_read_as_another_charset_is_read_as_utf_8(raw: str, meant: str) -> None:
    """https://github.com/Miosa-osa/OSA/pull/137, https://github.com/gbif/registry/issues/843"""
    assert read_name(raw, "Berg") == PersonName(meant, "Berg")


@pytest.mark.parametrize(
    "name", ["J\u00fcrgen", "\u00c5sa", "\u00c3lvaro", "\u0141ukasz", "\u0418\u0432\u0430\u043d", "\u5c0f\u9f99"]
)
def test_a_name_that_is_right_already_stays(name: str) -> None:
    assert read_name(name, "Berg") == PersonName(name, "Berg")


@pytest.mark.parametrize(
    "raw", ["\x08null", "nu\u200bll", "NULL\n", "null anna@example.com", "&#110;ull", "&amp;amp;amp;#110;ull"]
)
def test_a_word_for_nothing_is_none_whatever_stands_around_it(raw: str) -> None:
    assert read_name("Anna", raw) == PersonName("Anna", "")


def test_signs_are_read_however_often_they_were_escaped() -> None:
    assert (
        read_name("Anna", "O&amp;amp;amp;#039;Hara")
        == read_name("Anna", "O&\u200bamp;#039;Hara")
        == PersonName("Anna", "O'Hara")
    )
