"""A whole world for the sync: both sandboxes, the real adapters and the real store; the test says what time it is.

`World.book` lets somebody book and accepts the webhook, `World.run_all` runs whatever is due. What went wrong is in the
`Ended` it returns; `World.again` fixes both remote systems, lets some time pass and runs what waits.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from booking_systems.booxi import shapes as booxi_shapes
from crms.hubspot.shapes import conforming

from connector.booking_systems.booxi.adapter import Booxi
from connector.booking_systems.booxi.settings import BooxiSettings
from connector.config.settings import SyncSettings
from connector.crms.base import CRM
from connector.crms.hubspot.adapter import HubSpot
from connector.crms.hubspot.settings import HubSpotSettings
from connector.model.deliveries import Delivery
from connector.model.errors import (
    AccountPaused,
    ConnectorError,
    Hold,
    Ignore,
    NeedsReview,
    Postponed,
    RateLimited,
    Rejected,
    Unavailable,
)
from connector.model.jobs import Verdict, Work
from connector.remote.rate_limit import Quota
from connector.sandbox.booxi.app import BooxiSandbox
from connector.sandbox.hubspot.app import HubSpotSandbox
from connector.sandbox.kit.faults import Faults
from connector.store import Store, views
from connector.sync.locks import IdentityLocks
from connector.sync.person.identity import person_key
from connector.sync.pipeline import Sync

from .gate import Gate

KEY = "connector_person_key"
#: Seconds after which whatever failed is tried again.
PAUSE = 10.0
ADA = {
    "firstName": "Ada",
    "lastName": "Byron",
    "email": "ada@example.com",
    "mobilePhoneNumber": "+1 514 555 0123",
}
PHONE = "+15145550123"


class Crash(Exception):
    """The process ends here."""


class Clock:
    """Unix time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Breaking:
    """Stands in front of the journal; a method named in `breaks` ends the process instead of committing."""

    def __init__(self, journal: Any) -> None:
        self.breaks: set[str] = set()
        self._journal = journal

    def __getattr__(self, name: str) -> Any:
        if name in self.breaks:
            self.breaks.discard(name)
            raise Crash(name)
        return getattr(self._journal, name)


@dataclass(frozen=True)
class Ended:
    """What became of one run of one event."""

    work: Work
    error: Exception | None
    state: str

    @property
    def rules(self) -> list[tuple[str, str]]:
        """The trace as (rule, result)."""
        return [(entry["rule"], entry["result"]) for entry in self.work.trace]

    def note(self, rule: str, result: str) -> dict[str, Any]:
        """The last trace entry of a rule with this result."""
        return next(entry for entry in reversed(self.work.trace) if (entry["rule"], entry["result"]) == (rule, result))


class World:
    """One source, one CRM, one sync between them; open it with `start`."""

    #: ISO 3166; reads national numbers.
    country = "CA"

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.booxi = BooxiSandbox(quota=None, clock=self.clock, module_ids=("hubspot", "loyalty"))
        self.hubspot = HubSpotSandbox(unique_properties=(KEY,), per_10_seconds=None, search_per_second=None, clock=self.clock)
        self.booxi_gate, self.hubspot_gate = Gate(self.booxi, booxi_shapes.conforming), Gate(self.hubspot, conforming)
        self.settings = SyncSettings(booking="stores", crm="main")
        self.ended: list[Ended] = []
        self._path = folder / "connector.db"
        self._connect()

    def _connect(self) -> None:
        booxi = {
            "system": "booxi",
            "base_url": "http://booxi.test",
            "partner_key": "sandbox-partner-key",
            "module_id": "hubspot",
            "limits": {"per_second": 0, "per_minute": 0},
            "webhook": {"verify": "none"},
        }
        self.booking = Booxi.connect("stores", BooxiSettings.model_validate(booxi), Quota, transport=self.booxi_gate)
        self.crm = self._connect_crm()

    def _connect_crm(self) -> CRM:
        """HubSpot; another world may have another CRM."""
        hubspot = {
            "system": "hubspot",
            "base_url": "http://hubspot.test",
            "token": "sandbox-token",
            "limits": {"per_10_seconds": 0, "search_per_second": 0},
        }
        return HubSpot.connect("main", HubSpotSettings.model_validate(hubspot), Quota, transport=self.hubspot_gate)

    async def start(self) -> None:
        """Open the store and build the sync, as a process does when it starts."""
        self.store = Store.open(self._path)
        await self.store.lanes.recover(self.clock())
        self.locks = IdentityLocks()
        self.use()

    async def stop(self) -> None:
        """Close everything."""
        await self.store.close()
        await self.booking.remote.aclose()
        await self.crm.remote.aclose()

    async def restart(self) -> None:
        """What a process leaves behind when it ends is all the next one has."""
        await self.store.close()
        await self.start()

    def use(self, **settings: Any) -> None:
        """Build the sync, with other settings of its `[[sync]]`."""
        self.settings = self.settings.model_copy(update=settings)
        self.journal = Breaking(self.store.journal)
        self.sync = Sync(
            self.settings,
            self.booking,
            self.crm,
            links=self.store.links,
            journal=self.journal,
            locks=self.locks,
            country=self.country,
            clock=self.clock,
        )

    # ---- what happens at the store and in the CRM ----

    def client(self, **fields: Any) -> str:
        """Add a Booxi client and return its id; without fields it is Ada."""
        return str(self.booxi.add_client(**(fields or ADA)))

    def contact(self, *, key_of: str | None = None, **properties: str) -> str:
        """Add a HubSpot contact that the search has known for long; `key_of` gives it our key for a client."""
        key = {} if key_of is None else {KEY: person_key("stores", key_of)}
        return self.hubspot.add_contact(age=3600, **properties, **key)

    async def book(self, client_id: str, **fields: Any) -> str:
        """Let a client book, and accept the webhook; returns the booking's id."""
        booking_id = self.booxi.book(int(client_id), **fields)
        await self.deliver_all()
        return booking_id

    async def deliver_all(self) -> None:
        """Accept every webhook that waits in the sandbox."""
        waiting, self.booxi.outbox.waiting = self.booxi.outbox.waiting, []
        for body in waiting:
            await self.deliver(body)

    async def deliver(self, body: dict[str, Any]) -> str:
        """Accept one webhook; returns the status that the sender is told."""
        reading = self.booking.read_delivery({}, body)
        assert reading.event_id is not None
        raw = json.dumps(body).encode()
        return await self.store.inbox.accept(Delivery("stores", reading.event_id, False, {}, raw, self.clock(), reading))

    async def process(self, client_id: str, **fields: Any) -> Ended:
        """`book` and run; returns how the client's event ended."""
        await self.book(client_id, **fields)
        (ended,) = [e for e in await self.run_all() if e.work.client_id == client_id]
        return ended

    # ---- running ----

    async def run_all(self) -> list[Ended]:
        """Run everything that is due now, lanes at once and events of a lane in order."""
        ended: list[Ended] = []
        while works := await self.store.lanes.claim(64, self.clock()):
            ended += await asyncio.gather(*(self._run(work) for work in works))
        self.ended += ended
        return ended

    async def again(self, seconds: float = PAUSE) -> list[Ended]:
        """Nothing goes wrong any more; let time pass and run what waits."""
        self.fix()
        self.clock.now += seconds
        return await self.run_all()

    def fix(self) -> None:
        """Both remote systems work again, and we have noticed."""
        self.booxi.faults, self.hubspot.faults = Faults(), self.hubspot.faults.model_copy(update=_NO_FAULTS)
        for gate, adapter in ((self.booxi_gate, self.booking), (self.hubspot_gate, self.crm)):
            gate.open()
            adapter.remote.breaker.reset()

    async def _run(self, work: Work) -> Ended:
        try:
            await self.sync.run(work)
        except ConnectorError as error:
            return await self._conclude(work, error)
        except Crash as error:
            return Ended(work, error, "running")
        return await self._conclude(work, None)

    async def _conclude(self, work: Work, error: ConnectorError | None) -> Ended:
        now = self.clock()
        if isinstance(error, NeedsReview):
            await self.store.reviews.open(work.source, work.client_id, "main", str(error), error.candidates, now)
        match error:
            case None:
                verdict = Verdict("done")
            case Ignore():
                verdict = Verdict("ignored", str(error), error.hint)
            case Hold() | Rejected():
                verdict = Verdict("held", str(error), error.hint)
            case Postponed() | RateLimited() | Unavailable() | AccountPaused():
                verdict = Verdict("queued", str(error), error.hint, due=now + PAUSE, counts=False)
            case _:
                verdict = Verdict("retrying", str(error), error.hint, due=now + PAUSE)
        await self.store.lanes.conclude(work, verdict, now)
        return Ended(work, error, verdict.state)

    # ---- looking ----

    async def links(self) -> dict[str, dict[str, Any]]:
        """Our links by client id, as `connector links list --json` shows them."""
        return {link["client_id"]: link for link in await self.store.read(views.links)}

    async def link(self, client_id: str) -> tuple[str, str] | None:
        """(customer id, origin) of a client's link."""
        link = (await self.links()).get(client_id)
        return (link["customer_id"], link["origin"]) if link else None

    def stored(self, client_id: str) -> str | None:
        """The customer id that Booxi stores for a client."""
        return self.booxi.links().get(int(client_id))

    def contacts(self) -> dict[str, dict[str, str]]:
        """The live contacts by id."""
        return {contact["id"]: contact for contact in self.hubspot.contacts()}

    def meetings(self) -> list[dict[str, Any]]:
        """The live meetings, oldest first."""
        return self.hubspot.meetings()

    @property
    def effects(self) -> Counter[str]:
        """How many requests with an effect both remote systems carried out."""
        done = Counter({name: n for name, n in self.hubspot.requests.items() if name in _HUBSPOT_EFFECTS})
        done["PUT link"] = self.booxi.requests["PUT /client/{clientId}/moduleLink/{moduleId}"]
        return +done

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the database."""
        return await self.store.read(lambda connection: _rows(connection, query))

    async def open_effects(self) -> list[str]:
        """Kinds of the effects whose outcome the journal does not know, and every claim that is still held."""
        intents = await self.rows("SELECT kind FROM intents WHERE state <> 'done'")
        return [str(row[0]) for row in [*intents, *await self.rows("SELECT 'claim' FROM claims")]]


_HUBSPOT_EFFECTS = ("POST contacts", "PATCH contacts/{id}", "POST meetings", "PATCH meetings/{id}")
_NO_FAULTS = Faults().model_dump(exclude={"search_lag_seconds", "seed"})


def _rows(connection: sqlite3.Connection, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.execute(query)]
