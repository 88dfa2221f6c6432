"""What the sync remembers, as it needs it: links and the journal of effects.

The store keeps both for good; a dry run puts an overlay in front that forgets (`connector.operations.dry_run.overlay`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from connector.model.jobs import Work
from connector.model.links import KnownOfClient, Link, Records
from connector.model.states import Step


class LinksMemory(Protocol):
    """Links and identities; `connector.store.links.Links` describes each question."""

    async def find(self, source: str, client_id: str) -> Link | None:
        """Answer the link of a client."""

    async def remembered(self, crm: str, keys: Sequence[str]) -> list[str]:
        """Answer the customers that we tied to any of these identity keys."""

    async def missing_keys(self, work: Work, keys: Sequence[str]) -> list[str]:
        """Answer those keys that the client has not yet tied to the customer of its link."""

    async def clients_of(self, crm: str, customer_id: str, source: str, limit: int) -> list[str]:
        """Answer the clients of a source who are linked to a customer, newest first."""

    async def asked_about(self, crm: str, customer_id: str, source: str, limit: int) -> list[str]:
        """Answer the clients of a source for whom an open review shows this customer, newest first."""

    async def shared(self, crm: str, keys: Sequence[str], person: str | None) -> set[str]:
        """Answer those keys that belong to several people, as was noticed or decided; see `connector.store.links.Links`."""

    async def notice(self, crm: str, key: str, people: int, *, person: str | None = None) -> None:
        """Remember that a key was seen with so many plainly different people; `person` is asked about because of it."""

    async def different(self, crm: str, source: str, client_id: str, person: str | None) -> list[str]:
        """Answer the customers that the client, or another client of this person, is not, as somebody decided."""

    async def known_of(self, crm: str, work: Work, keys: Sequence[str], person: str | None) -> KnownOfClient:
        """Answer in one look `shared`, `different`, which keys are tied, and who the other clients of the booking are."""

    async def is_alias(self, crm: str, customer_id: str, survivor_id: str) -> bool:
        """Answer whether a merge made `survivor_id` of `customer_id`."""


class EffectsJournal(Protocol):
    """Effects, before and after; `connector.store.journal.Journal` describes each action."""

    @property
    def restored(self) -> bool:
        """Whether effects of ours may be missing here, because the database was once restored from a backup."""

    async def begin(self, work: Work, key: str, kind: str, now: float, *, crm: str = "", identity: Sequence[str] = ()) -> bool:
        """Write the intent down; True when it was open before."""

    async def is_open(self, key: str) -> bool:
        """Answer whether the intent was begun and never settled."""

    async def tried_at(self, key: str) -> float | None:
        """Answer when the effect of an open intent was last tried; None where the intent is not open."""

    async def undone(self, key: str) -> None:
        """Note that the effect did not happen."""

    async def linked(
        self,
        work: Work,
        links: Sequence[Link],
        step: Step,
        now: float,
        *,
        keys: Sequence[str] = (),
        said: Sequence[str] = (),
        merged_from: str | None = None,
        intent: str | None = None,
    ) -> None:
        """Commit the links, what is remembered with them, and the next step; `said` are all keys that the client has now."""

    async def wrote_back(self, work: Work, link: Link, step: Step, now: float, *, intent: str | None) -> None:
        """Commit that the booking system holds the id."""

    async def settled(self, work: Work, key: str, now: float) -> None:
        """Commit that an effect is done."""

    async def recorded(self, work: Work, appointment_id: str, record_id: str, version: float, intent: str, now: float) -> None:
        """Commit which record holds the appointment."""

    async def records(self, link: Link, appointment_id: str, intent: str) -> Records:
        """Answer which records an appointment has: the client's own, whose intent is named, and those of the other clients."""
