"""Who is taken among the customers that a look-up found: pure tables, first row that fits. No I/O, no trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from connector.config.settings import SyncSettings
from connector.model.persons import Customer
from connector.sync.matching.answers import Ambiguous
from connector.sync.matching.evidence import agreement, agrees, chosen, name_of, same_name
from connector.sync.person.agreement import Agreement
from connector.sync.person.identity import Identity
from connector.sync.person.resemblance import look_alike

#: So many plainly different names make a key one that belongs to several people; two may be a couple.
SEVERAL = 3


class Verdict(Enum):
    """What a key and the names say together."""

    LINK = auto()
    #: A person decides.
    ASK = auto()
    #: The key is no evidence: nobody is taken by it.
    NOBODY = auto()


@dataclass(frozen=True, slots=True)
class Take:
    """This customer; `how` is what the trace says."""

    customer: Customer
    how: str


Choice = Take | Ambiguous | None

#: An address that one customer has. Where the names speak against it, `name_mismatch = "link"` lets it link all the same.
BY_EMAIL: Mapping[Agreement, Verdict] = {
    Agreement.STRONG: Verdict.LINK,
    Agreement.WEAK: Verdict.LINK,
    Agreement.NONE: Verdict.LINK,
    Agreement.AGAINST: Verdict.ASK,
}
#: An address that was seen with several plainly different names.
BY_SHARED_EMAIL: Mapping[Agreement, Verdict] = {
    Agreement.STRONG: Verdict.LINK,
    Agreement.WEAK: Verdict.ASK,
    Agreement.NONE: Verdict.NOBODY,
    Agreement.AGAINST: Verdict.NOBODY,
}
#: A number. Where all names speak against it, a client with an e-mail address that nobody has is another person.
BY_PHONE: Mapping[Agreement, Verdict] = {
    Agreement.STRONG: Verdict.LINK,
    Agreement.WEAK: Verdict.ASK,
    Agreement.NONE: Verdict.ASK,
    Agreement.AGAINST: Verdict.ASK,
}
_BY_PHONE = {
    Agreement.AGAINST: "the phone number matches, the name does not",
    Agreement.NONE: "the phone number matches, the names cannot be compared",
    Agreement.WEAK: "the phone number matches, the name only in part",
}


def by_email(person: Identity, found: Sequence[Customer], known: Sequence[Customer], policy: SyncSettings) -> Choice:
    """`found` have the address now; `known` are those whom we ourselves tied to it, whether they have it or not."""
    if person.shared_email:
        # Those who were made without it are among the ones we know.
        everybody = list({customer.id: customer for customer in (*found, *known)}.values())
        return _by_shared_email(person, everybody, policy)
    if not found and known:
        return _by_earlier_email(person, known)
    return _by_own_email(person, found, policy) if found else None


def _by_earlier_email(person: Identity, known: Sequence[Customer]) -> Choice:
    if len(known) > 1 or known[0].emails:
        return _ask("a customer we knew by this e-mail has another one now", known, "e-mail (earlier)")
    if BY_EMAIL[agreement(person, known[0])] is Verdict.ASK:
        return _ask("a customer we knew by this e-mail does not have it, and has another name", known, "e-mail (earlier)")
    return Take(known[0], "the only customer with this e-mail address")


def _by_own_email(person: Identity, found: Sequence[Customer], policy: SyncSettings) -> Choice:
    if len(found) > 1:
        return among(f"{len(found)} customers have this e-mail address", found, "e-mail", policy)
    differ = BY_EMAIL[agreement(person, found[0])] is Verdict.ASK
    if differ and policy.name_mismatch == "hold":
        return names_differ(found[0], person.email_key)
    return Take(found[0], "the only customer with this e-mail address" + ("; the names differ" if differ else ""))


def _by_shared_email(person: Identity, found: Sequence[Customer], policy: SyncSettings) -> Choice:
    """Who has another name, or none to compare, is not the person."""
    best, likely = _best(person, found)
    verdict = BY_SHARED_EMAIL[best]
    if verdict is Verdict.NOBODY:
        return None
    if verdict is Verdict.ASK:
        return _ask("several people share this e-mail address, and the name agrees only in part", likely, "e-mail")
    if len(likely) > 1:
        return among(f"{len(likely)} customers have this shared e-mail address and name", likely, "e-mail", policy)
    return Take(likely[0], "the only customer with this shared e-mail address and an agreeing name")


def by_phone(person: Identity, found: Sequence[Customer], policy: SyncSettings) -> Choice:
    """A phone number alone is never enough: the names must agree strongly.

    Where every name speaks against it and the person has an e-mail address that nobody has, this is another person of
    the same household: nobody is taken. Not where the names look alike: they may be one person's with two addresses.
    """
    best, likely = _best(person, found)
    if not found or (best is Agreement.AGAINST and person.email is not None):
        alike = [customer for customer in found if look_alike(person.name, name_of(customer))]
        return _ask(_BY_PHONE[Agreement.WEAK], alike, "phone", _key_of(person)) if alike else None
    if BY_PHONE[best] is Verdict.ASK:
        return _ask(_BY_PHONE[best], found, "phone", _key_of(person))
    if len(likely) > 1:
        return among(f"{len(likely)} customers have this phone number and name", likely, "phone", policy)
    return Take(likely[0], "the only customer with this phone number and an agreeing name")


def others_differ(person: Identity, customer: Customer) -> Ambiguous:
    """The question that a number raises whose only customer has another client of another name."""
    return _ask(_BY_PHONE[Agreement.AGAINST], [customer], "phone", _key_of(person))


def _best(person: Identity, found: Sequence[Customer]) -> tuple[Agreement, list[Customer]]:
    """The best grade, and who has it; without anybody there is nothing to compare."""
    grades = [agreement(person, customer) for customer in found]
    best = max(grades, default=Agreement.NONE)
    return best, [customer for customer, grade in zip(found, grades, strict=True) if grade is best]


def _key_of(person: Identity) -> str | None:
    """The number that raises the question; of two numbers it is not known which."""
    return person.phone_keys[0] if len(person.phone_keys) == 1 else None


def since_decision(person: Identity, found: Sequence[Customer], shown: set[str], policy: SyncSettings) -> Choice:
    """A person said that it is none of those shown; whoever came since then was not among them."""
    since = [customer for customer in found if same_name(person, customer) and customer.id not in shown]
    if not since:
        return None
    if len(since) > 1:
        return among(f"{len(since)} customers with this phone number and name came after the decision", since, "phone", policy)
    return Take(since[0], "a customer with this phone number and name came after the decision")


def people_behind(person: Identity, found: Sequence[Customer]) -> int:
    """How many plainly different people the client and these customers are at least: each speaks against all others."""
    names = [person.name]
    for customer in found:
        if all(agrees(other, customer) is Agreement.AGAINST for other in names):
            names.append(name_of(customer))
    return len(names)


def among(reason: str, found: Sequence[Customer], shared: str, policy: SyncSettings) -> Take | Ambiguous:
    """Several fit: whom `several_candidates` prefers, if anybody."""
    customer = chosen(found, policy.several_candidates)
    if customer is None:
        return _ask(reason, found, shared)
    how = "oldest" if policy.several_candidates == "oldest" else "most recently active"
    return Take(customer, f"{reason}; the {how} one is taken (several_candidates)")


def names_differ(customer: Customer, key: str | None = None) -> Ambiguous:
    """The question that an address raises whose only customer has another name."""
    return _ask("the e-mail address matches, the name does not", [customer], "e-mail", key)


def another_waits(customer: Customer, key: str | None = None) -> Ambiguous:
    """The question that an address raises which another client gave too, who waits for a review and may be this one."""
    return _ask("the e-mail address matches, and the name also fits a client who waits for a review", [customer], "e-mail", key)


def _ask(reason: str, found: Sequence[Customer], shared: str, key: str | None = None) -> Ambiguous:
    return Ambiguous(reason, among=found, shared=shared, key=key)
