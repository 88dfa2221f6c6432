"""Comparing a person with the customers that could be it: names, phones, evidence, and who is chosen among several."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence

from connector.config.settings import SeveralCandidates
from connector.model.errors import NeedsReview
from connector.model.persons import Customer, NewCustomer
from connector.sync.person.agreement import Agreement, names_agree
from connector.sync.person.identity import Identity, mailbox, normalise_email, normalise_phone
from connector.sync.person.names import PersonName, name_key, read_name
from connector.sync.person.numbering import phone_variants
from connector.sync.person.undivided import agrees_with_whole
from connector.sync.person.words import words_of

CHOOSE = "Decide on the status page, or with `connector review list` and `connector review link|create|dismiss`."
_NAMES = {
    Agreement.STRONG: "the name agrees",
    Agreement.WEAK: "the name agrees in part",
    Agreement.NONE: "the names cannot be compared",
    Agreement.AGAINST: "the name differs",
}


def review(reason: str, found: Sequence[Customer], person: Identity, by: str) -> NeedsReview:
    """The error that asks a person to choose; `by` is what all candidates share with the client."""
    candidates = [{"customer_id": c.id, "evidence": _evidence(c, person, by)} for c in found]
    return NeedsReview(reason, candidates=candidates, hint=CHOOSE)


def _evidence(customer: Customer, person: Identity, by: str) -> list[str]:
    evidence = [f"same {by}", _NAMES[agreement(person, customer)]]
    if person.email is not None and by == "phone" and customer.emails:
        evidence.append("the e-mail address differs")
    return evidence


def chosen(found: Sequence[Customer], policy: SeveralCandidates) -> Customer | None:
    """The one that the policy prefers; None where it prefers nobody or a candidate's dates are not known."""
    if policy == "hold":
        return None
    dates = [c.created_at if policy == "oldest" else c.active_at for c in found]
    known = [(date, customer) for date, customer in zip(dates, found, strict=True) if date is not None]
    if len(known) < len(found):
        return None
    pick = min if policy == "oldest" else max
    return pick(known, key=lambda pair: pair[0])[1]


def agreement(person: Identity, customer: Customer) -> Agreement:
    """Whether the names speak of one person."""
    return agrees(person.name, customer)


def agrees(name: PersonName, customer: Customer) -> Agreement:
    """Whether a name and the customer's speak of one person.

    A name that stands in one field is whole where the CRM has no other, and where it has several words or is written
    without them: people type it so. One word in one of two fields is what the field says.
    """
    first, last = customer.first_name.strip(), customer.last_name.strip()
    whole = "" if first and last else first or last
    if customer.one_name or " " in whole or (whole and whole.upper() == whole.lower()):
        return agrees_with_whole(name, whole)
    return names_agree(name, name_of(customer))


def name_of(customer: Customer) -> PersonName:
    """A customer's name, read as a client's is: some CRMs have one field for all of it."""
    return read_name(customer.first_name, customer.last_name)


def same_name(person: Identity, customer: Customer) -> bool:
    """Whether both names are known and agree."""
    return agreement(person, customer) is Agreement.STRONG


def has_email(customer: Customer, person: Identity, plain_domains: Collection[str]) -> bool:
    """Whether one of the customer's addresses is the person's mailbox."""
    theirs = {normalise_email(raw) for raw in customer.emails}
    return bool({mailbox(email, plain_domains) for email in theirs if email} & set(person.emails[-1:]))


def has_phone(customer: Customer, person: Identity, country: str | None) -> bool:
    """Whether one of the customer's numbers is one of the person's own; behind a switchboard everybody has the same."""
    theirs = {normalise_phone(raw, country) or "" for raw in (customer.mobile_phone, customer.phone)}
    own = {phone for phone in person.phones if phone == number(phone) and phone not in person.shared_phones}
    return bool({number(phone) for phone in theirs if phone} & {variant for phone in own for variant in phone_variants(phone)})


def number(phone: str) -> str:
    """An E.164 number without its extension."""
    return phone.partition(";")[0]


def one_person(known: Identity) -> str | None:
    """A key for clients who are certainly one person: the same e-mail address, or the same phone, and the same name.

    They share a review item. A household shares an address or a phone too, so without the name nobody is taken for
    somebody else. None where there is too little to say. Like all identity keys it stays in our own database.
    """
    name = name_key(known.name)
    key = known.email_key or (known.phone_keys[0] if known.phones and name else None)
    return key and hashlib.sha256(json.dumps([key, name]).encode()).hexdigest()


def new_customer(person: Identity) -> NewCustomer:
    """What a CRM gets of a person; extensions do not belong into an E.164 field."""
    mobile, home = (number(phone or "") for phone in (person.mobile_phone, person.home_phone))
    return NewCustomer(
        first_name=person.name.first, last_name=person.name.last, email=person.email or "", mobile_phone=mobile, phone=home
    )


def missing_fields(customer: Customer, new: NewCustomer, *, origin: str = "") -> NewCustomer | None:
    """Those fields of `new` that are blank in `customer`; None when there are none.

    Nothing is filled across people: the names must agree strongly, or the customer have none at all, or a person have
    decided that the two are one. A customer whom this client itself was created as may also learn what completes its
    name. `origin` is how the link came about.
    """
    if not may_lack(customer, new) or not may_fill(customer, new, origin=origin):
        return None
    names = _missing_names(customer, new)
    missing = NewCustomer(
        email="" if customer.emails else new.email,
        mobile_phone="" if customer.mobile_phone else new.mobile_phone,
        phone="" if customer.phone else new.phone,
        first_name=names.first,
        last_name=names.last,
    )
    return missing if missing != NewCustomer() else None


def _missing_names(customer: Customer, new: NewCustomer) -> PersonName:
    parts = (words_of(new.first_name), words_of(new.last_name))
    if customer.one_name and all(parts) and words_of(customer.first_name) in parts:
        # One field is not filled by halves.
        return PersonName(new.first_name, new.last_name)
    theirs = name_of(customer)
    # Where all of the name stands in one field, half of it is not said again in the other.
    first = "" if customer.first_name or _said_already(theirs, new.first_name) else new.first_name
    last = "" if customer.last_name or _said_already(theirs, new.last_name) else new.last_name
    return PersonName(first, "" if customer.one_name and customer.first_name else last)


def may_lack(customer: Customer, new: NewCustomer) -> bool:
    """Whether a field of `new` may be blank in `customer`; where none is, nobody's name need be compared."""
    theirs = (customer.first_name, customer.last_name, customer.emails, customer.mobile_phone, customer.phone)
    ours = (new.first_name, new.last_name, new.email, new.mobile_phone, new.phone)
    return customer.one_name or any(said and not known for said, known in zip(ours, theirs, strict=True))


def may_fill(customer: Customer, new: NewCustomer, *, origin: str = "") -> bool:
    """Whether what is known of the client may be written to the customer at all; see `missing_fields`."""
    ours, theirs = PersonName(new.first_name, new.last_name), name_of(customer)
    grade = agrees(ours, customer)
    own = origin == "created" and grade is not Agreement.AGAINST
    return origin == "review" or own or theirs.blank or grade is Agreement.STRONG


def _said_already(theirs: PersonName, part: str) -> bool:
    return set(words_of(part)) <= set(words_of(f"{theirs.first} {theirs.last}"))
