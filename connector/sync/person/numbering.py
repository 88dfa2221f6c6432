"""Phone numbers in their countries' numbering as it is today, and the spellings that they have had. Pure.

ASSUMPTION, from common knowledge: every change in here. Where a country only put digits in front, or exchanged some, an old
number is the new one, and it is still what many have in their address books.
"""

from __future__ import annotations

import re

import phonenumbers

from connector.sync.person.repair import INVISIBLE

#: Vietnam, 2018: mobile numbers of ten digits became numbers of nine.
_VIETNAM = {
    "120": "70", "121": "79", "122": "77", "126": "76", "128": "78", "123": "83", "124": "84", "125": "85", "127": "81",
    "129": "82", "162": "32", "163": "33", "164": "34", "165": "35", "166": "36", "167": "37", "168": "38", "169": "39",
    "186": "56", "188": "58", "199": "59",
}  # fmt: skip
_FORMER_VIETNAM = {new: old for old, new in _VIETNAM.items()}
#: Ivory Coast, 2021: by the second digit of the former eight, mobile numbers got the operator's two in front.
_IVORY_COAST = {**dict.fromkeys("789", "07"), **dict.fromkeys("456", "05"), **dict.fromkeys("0123", "01")}
#: Former number → what stands in front of its last digits today: Benin 2024, Cameroon 2014 (mobile), Colombia 2021 (fixed).
_PREFIXED = (
    (r"\+229(\d{8})", "+22901"),
    (r"\+237([79]\d{7})", "+2376"),
    (r"\+57([1245678]\d{7})", "+5760"),
)
#: Number → the other way in which it is written.
_ALSO_WRITTEN = (
    (r"\+55(\d\d)9([6-9]\d{7})", r"+55\1\2"),
    (r"\+55(\d\d)([6-9]\d{7})", r"+55\g<1>9\2"),
    (r"\+549(\d{10})", r"+54\1"),
    (r"\+54([1-8]\d{9})", r"+549\1"),
    (r"\+52([2-9]\d{9})", r"+521\1"),
)
#: Country → digits as they are dialled there, with trunk prefixes that `phonenumbers` does not know or that are gone.
_DIALLED = {
    "MX": re.compile(r"^(?:01|044|045|1)(\d{10})$"),
    "UA": re.compile(r"^8(0\d{9})$"),
}
#: A country's calling code.
_CODE = r"1|7|[2-689]\d{1,2}"
#: What stands wrongly in front of a number → what was meant: "+44+44 …", "264+1264 …" (of a form that adds the code to a number
#: that has one), "+49 0049 …", "+001 …", "(001) …".
_IN_FRONT = (
    (r"^\+?[\d\s-]{1,6}\+(?=\d)", "+"),
    (rf"^\+\s*({_CODE})[\s-]*00\s*(?=\1)", "+"),
    (r"^\+\s*00\s*(?=[1-9])", "+"),
    (rf"^\(\s*00\s*({_CODE})\s*\)", r"+\1"),
)


def parse_phone(raw: str, country: str | None) -> phonenumbers.PhoneNumber | None:
    """Read a number as it is today; None where it is none. `country` (ISO 3166) reads national numbers."""
    text, region = raw.strip(INVISIBLE), country.upper() if country else None
    for wrong, right in _IN_FRONT:
        text = re.sub(wrong, right, text)
    # Mexico no longer writes the 1 before mobile numbers, and the parser does not take it for part of one.
    text = re.sub(rf"^\+{'?' if region == 'MX' else ''}52\s*1(?=(\D*\d){{10}}$)", "+52", text)
    digits = phonenumbers.normalize_digits_only(text)
    if region in _DIALLED and (dialled := _DIALLED[region].match(digits)):
        text = dialled[1]
    number = _parse(text, region)
    if number is None:
        return None
    if not phonenumbers.is_valid_number(number):
        number = _obvious(number, digits, has_plus="+" in text) or number
    plain = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    today = _current(plain)
    if today != plain and (renewed := _parse(today, None)) is not None:
        renewed.extension = number.extension
        return renewed
    return number


def _parse(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None


def _obvious(read: phonenumbers.PhoneNumber, digits: str, *, has_plus: bool) -> phonenumbers.PhoneNumber | None:
    """The number that was meant where what was `read` does not exist, and another does; None where none is obvious.

    "49 151 23456789" and "049 151 23456789" in Germany begin with the country's code, "+44 44 7911 123456" does so twice, and
    "+39 6 5685 1242" lacks the 0 that has been part of Italian numbers since 1998.
    """
    code = str(read.country_code)
    meant = ""
    if not has_plus:
        meant = digits.lstrip("0")
    elif phonenumbers.is_possible_number_with_reason(read) == phonenumbers.ValidationResult.TOO_LONG:
        meant = str(read.national_number)
    if not meant.startswith(code):
        meant = f"390{read.national_number}" if code == "39" and not read.italian_leading_zero else ""
    number = _parse(f"+{meant}", None) if meant else None
    return number if number is not None and phonenumbers.is_valid_number(number) else None


def _current(phone: str) -> str:
    """An E.164 number as its country writes it today; every other one as it is."""
    if (match := re.fullmatch(r"\+84(1\d\d)(\d{7})", phone)) and match[1] in _VIETNAM:
        return f"+84{_VIETNAM[match[1]]}{match[2]}"
    if match := re.fullmatch(r"\+225([04-9](\d)\d{6})", phone):
        return f"+225{_IVORY_COAST[match[2]]}{match[1]}"
    for old, new in _PREFIXED:
        if match := re.fullmatch(old, phone):
            return new + match[1]
    return phone


def _former(phone: str) -> str:
    """The number that `_current` makes this one of; empty where there is none."""
    if (match := re.fullmatch(r"\+84(\d\d)(\d{7})", phone)) and match[1] in _FORMER_VIETNAM:
        return f"+84{_FORMER_VIETNAM[match[1]]}{match[2]}"
    if (match := re.fullmatch(r"\+225(0[157])([04-9](\d)\d{6})", phone)) and _IVORY_COAST[match[3]] == match[1]:
        return f"+225{match[2]}"
    for old, new in _PREFIXED:
        former = old[1:].partition("(")[0] + phone.removeprefix(new)
        if phone.startswith(new) and re.fullmatch(old, former):
            return former
    return ""


def phone_variants(phone: str) -> tuple[str, ...]:
    """The spellings that one E.164 number has had, itself first: for looking it up where others wrote it.

    Argentina's 9 before mobile numbers is the mobile token in `phonenumbers`. ASSUMPTION, from common knowledge: Mexico's
    former 1, the 9 that Brazil's mobile numbers got in front, and the numbers that `_current` renews. Other countries'
    changes are not known here.
    """
    if former := _former(phone):
        return phone, former
    for number, other in _ALSO_WRITTEN:
        if re.fullmatch(number, phone):
            return phone, re.sub(number, other, phone)
    return (phone,)


def one_spelling(phone: str) -> str:
    """The same text for all spellings of a number; the number itself where it has had one only."""
    return min(phone_variants(phone), key=lambda variant: (len(variant), variant))
