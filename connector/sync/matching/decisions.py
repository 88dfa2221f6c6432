"""Who is taken among the customers that a look-up found: pure tables, first row that fits. No I/O, no trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector.config.settings import SyncSettings
from connector.model.persons import Customer
from connector.sync.matching.evidence import agreement, chosen, same_name
from connector.sync.person.agreement import Agreement, names_agree
from connector.sync.person.identity import Identity
from connector.sync.person.names import PersonName

#: So many plainly different names make a key one that belongs to several people; two may be a couple.
SEVERAL = 3
_BY_PHONE = {
    Agreement.AGAINST: "the phone number matches, the name does not",
    Agreement.NONE: "the phone number matches, a name is missing",
    Agreement.WEAK: "the phone number matches, the name only in part",
}


@dataclass(frozen=True, slots=True)
class Take:
    """This customer; `how` is what the trace says."""

    customer: Customer
    how: str


@dataclass(frozen=True, slots=True)
class Ask:
    """A person must choose among these; `shared` is what they have in common with the client.

    `key` is the digest of the address or number that raises the question, where it may belong to several people.
    """

    reason: str
    among: Sequence[Customer]
    shared: str
    key: str | None = None


def by_email(person: Identity, found: Sequence[Customer], known: Sequence[Customer], policy: SyncSettings) -> Take | Ask | None:
    """`found` have the address now; `known` are those whom we ourselves tied to it, whether they have it or not.

    An address that identifies links unless the names speak against it; then `name_mismatch` decides.
    """
    if person.shared_email:
        # Those who were made without it are among the ones we know.
        everybody = list({customer.id: customer for customer in (*found, *known)}.values())
        return _by_shared_email(person, everybody, policy)
    if not found and known:
        if len(known) > 1 or known[0].emails:
            return Ask("a customer we knew by this e-mail has another one now", known, "e-mail (earlier)")
        if agreement(person, known[0]) is Agreement.AGAINST:
            return Ask("a customer we knew by this e-mail does not have it, and has another name", known, "e-mail (earlier)")
        found = known
    if not found:
        return None
    return _by_own_email(person, found, policy)


def _by_own_email(person: Identity, found: Sequence[Customer], policy: SyncSettings) -> Take | Ask:
    if len(found) > 1:
        return among(f"{len(found)} customers have this e-mail address", found, "e-mail", policy)
    differ = agreement(person, found[0]) is Agreement.AGAINST
    if differ and policy.name_mismatch == "hold":
        return Ask("the e-mail address matches, the name does not", found, "e-mail", person.email_key)
    return Take(found[0], "the only customer with this e-mail address" + ("; the names differ" if differ else ""))


def _by_shared_email(person: Identity, found: Sequence[Customer], policy: SyncSettings) -> Take | Ask | None:
    """An address that belongs to several people: who has another name, or none to compare, is not the person."""
    grades = [agreement(person, customer) for customer in found]
    best = max(grades, default=Agreement.NONE)
    if best < Agreement.WEAK:
        return None
    likely = [customer for customer, grade in zip(found, grades, strict=True) if grade is best]
    if best is Agreement.WEAK:
        return Ask("several people share this e-mail address, and the name agrees only in part", likely, "e-mail")
    if len(likely) > 1:
        return among(f"{len(likely)} customers have this shared e-mail address and name", likely, "e-mail", policy)
    return Take(likely[0], "the only customer with this shared e-mail address and an agreeing name")


def people_behind(person: Identity, found: Sequence[Customer]) -> int:
    """How many plainly different people the client and these customers are at least: each speaks against all others."""
    names = [person.name]
    for customer in found:
        name = PersonName(customer.first_name, customer.last_name)
        if all(names_agree(name, other) is Agreement.AGAINST for other in names):
            names.append(name)
    return len(names)


def by_phone(person: Identity, found: Sequence[Customer], policy: SyncSettings) -> Take | Ask | None:
    """A phone number alone is never enough: the names must agree strongly.

    Where every name speaks against it and the person has an e-mail address that nobody has, this is another person of
    the same household: nobody is taken. Otherwise a person decides.
    """
    if not found:
        return None
    grades = [agreement(person, customer) for customer in found]
    strong = [customer for customer, grade in zip(found, grades, strict=True) if grade is Agreement.STRONG]
    if len(strong) > 1:
        return among(f"{len(strong)} customers have this phone number and name", strong, "phone", policy)
    if strong:
        return Take(strong[0], "the only customer with this phone number and an agreeing name")
    if person.email is not None and all(grade is Agreement.AGAINST for grade in grades):
        return None
    return Ask(_BY_PHONE[max(grades)], found, "phone", _key_of(person))


def _key_of(person: Identity) -> str | None:
    """The number that raises the question; of two numbers it is not known which."""
    return person.phone_keys[0] if len(person.phone_keys) == 1 else None


def since_decision(person: Identity, found: Sequence[Customer], shown: set[str], policy: SyncSettings) -> Take | Ask | None:
    """A person said that it is none of those shown; whoever came since then was not among them."""
    since = [customer for customer in found if same_name(person, customer) and customer.id not in shown]
    if not since:
        return None
    if len(since) > 1:
        return among(f"{len(since)} customers with this phone number and name came after the decision", since, "phone", policy)
    return Take(since[0], "a customer with this phone number and name came after the decision")


def among(reason: str, found: Sequence[Customer], shared: str, policy: SyncSettings) -> Take | Ask:
    """Several fit: whom `several_candidates` prefers, if anybody."""
    customer = chosen(found, policy.several_candidates)
    if customer is None:
        return Ask(reason, found, shared)
    how = "oldest" if policy.several_candidates == "oldest" else "most recently active"
    return Take(customer, f"{reason}; the {how} one is taken (several_candidates)")
