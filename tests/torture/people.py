"""Who lives in the town: persons with one identity each, and the many ways in which their clients spell it.

What a person's clients say is chosen so that a careful human could tell who is who. Where a human could not either (a
family behind one phone or one mailbox, a name with a slip), `ambiguous` is set, and waiting for a review is a right answer.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

FIRST = ("Ada", "Bruno", "Chloé", "Dmitri", "Elif", "Farid", "Grace", "Hedy", "Iñigo", "Jomo", "Katia", "Luis")
#: Surnames that many people have: somebody else of the same name is no exception.
COMMON = ("Smith", "Nguyen", "Garcia", "Tremblay", "Martin", "Roy", "Singh", "Rossi")
#: The share of persons with one of them.
COMMON_SHARE = 0.3
#: What staff type where nobody gave an address or a number.
DUMMY_EMAILS = ("noemail@example.com", "none@none.com", "no@no.com", "unknown@example.com")
DUMMY_PHONES = ("000-000-0000", "1111111111", "999-999-9999")
#: Area codes whose 555-01xx numbers are fictional.
AREAS = (514, 438, 416, 647, 604, 613, 905, 418, 450, 519, 204, 306, 403, 506, 709, 780, 782, 807, 819, 867, 902, 226, 236, 249)


@dataclass
class Person:
    """One human being. `anchor` is what every client of theirs shows: the e-mail or the phone."""

    number: int
    first: str
    last: str
    emails: list[str] = field(default_factory=list)
    phone: str = ""
    anchor: str = "email"
    ambiguous: bool = False
    blank: bool = False
    clients: list[int] = field(default_factory=list)
    #: Whether the CRM merged records of this person.
    merged: bool = False

    @property
    def must_be_linked(self) -> bool:
        """Whether nothing excuses a missing link."""
        return not self.ambiguous and not self.blank


def surname(number: int) -> str:
    """A surname that nobody else has and no log line holds by chance."""
    letters = ""
    for _ in range(4):
        number, rest = divmod(number, 20)
        letters += "bcdfghjklmnpqrstvwxz"[rest]
    return "Sample" + letters


def phone_number(number: int) -> str:
    """A fictional number in E.164; there are 2,400."""
    return f"+1{AREAS[number // 100 % len(AREAS)]}55501{number % 100:02}"


class People:
    """Makes persons and spells them; everything is drawn from `rng`."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.all: list[Person] = []
        self._phones = 0

    def person(self, *, email: bool = True, phone: bool = False, number: str = "", last: str = "", first: str = "") -> Person:
        """Somebody new."""
        n = len(self.all)
        family = last or (self.rng.choice(COMMON) if email and self.rng.random() < COMMON_SHARE else surname(n))
        person = Person(n, first or self.rng.choice(FIRST), family, anchor="email" if email else "phone")
        if email:
            person.emails.append(f"p{n}.{surname(n).lower()}@example.com")
        if phone or number:
            person.phone = number or self.new_phone()
        self.all.append(person)
        return person

    def new_phone(self) -> str:
        """A number that nobody has."""
        self._phones += 1
        return phone_number(self._phones)

    def spelled(self, person: Person, *, whole: bool = False) -> dict[str, str]:
        """What a booking client of this person holds; with `whole`, everything that is known."""
        fields = {"firstName": person.first, "lastName": person.last}
        if person.emails and (whole or person.anchor == "email" or self.rng.random() < 0.5):
            fields["email"] = self._email(person)
        if person.phone and (whole or person.anchor == "phone" or self.rng.random() < 0.5):
            fields[self.rng.choice(["mobilePhoneNumber", "homePhoneNumber"])] = self._phone(person.phone)
        return self._name(fields)

    def _email(self, person: Person) -> str:
        email = self.rng.choice(person.emails)
        return self.rng.choice([email, email, email.upper(), f" {email.title()}"])

    def _phone(self, number: str) -> str:
        area, local = number[2:5], number[8:]
        return self.rng.choice([number, f"({area}) 555-{local}", f"{area}555{local}", f"+1 {area} 555 {local}"])

    def _name(self, fields: dict[str, str]) -> dict[str, str]:
        first, last = fields["firstName"], fields["lastName"]
        spelling = self.rng.choice([(first, last), (first, last), (first.upper(), last.upper()), (last, first)])
        return fields | {"firstName": spelling[0], "lastName": spelling[1]}

    def slip(self, person: Person) -> dict[str, str]:
        """The person's phone beside a name with two letters swapped: nobody can be sure."""
        last = person.last[:-3] + person.last[-2] + person.last[-3] + person.last[-1]
        if last == person.last:
            last += "q"
        return {"firstName": person.first, "lastName": last, "mobilePhoneNumber": self._phone(person.phone)}
