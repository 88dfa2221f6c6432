"""One round with real processes: a town, a service that is killed again and again, and an inspection at the end."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from acceptance.world import HUBSPOT_TOKEN, PARTNER_KEY, WEBHOOK_TOKEN, OnServer, RemoteSystems, Service, pending, run, states
from starlette.types import ASGIApp

from connector.sandbox.kit.server import Server

from .chaos import TIMEOUT, Chaos, determined
from .courier import Courier
from .invariants import Inspection, Ledger
from .town import Town

#: Calls a second and a minute, and in ten seconds and searches a second: ours, and a little more at the remote systems.
OURS = ("{ per_second = 100, per_minute = 5000 }", "{ per_10_seconds = 1200, search_per_second = 40 }")
THEIRS = ((120, 5400), (1320, 48))
#: Seconds which everything has to come to its end after the last fault, and after which waiting events are hurried.
DEADLINE, HURRY = 120.0, 6.0


@dataclass(frozen=True)
class Plan:
    """A round. `seconds` is how long it lives under faults, `actions` how many things happen each second."""

    seed: int
    kills: int = 10
    seconds: float = 18.0
    actions: float = 14.0
    #: Answers and effects may come after the service has given up waiting. Appointments are not recorded then: the CRM
    #: has no unique key for a meeting, so an effect that comes after we have looked for it cannot be recognised.
    late: bool = False


@dataclass
class Outcome:
    """What a round came to."""

    plan: Plan
    kills: int = 0
    seconds: float = 0.0
    deliveries: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    events: dict[str, int] = field(default_factory=dict)
    people: int = 0
    clients: int = 0
    links: int = 0
    injected: int = 0
    breaches: list[str] = field(default_factory=list)


class Sides(RemoteSystems):
    """Both remote systems: they finish what they began, and a pair of scissors stands before the search."""

    chaos: Chaos

    async def __aenter__(self) -> Sides:
        self._stack = AsyncExitStack()
        self.booxi_url, self.hubspot_url = await self.listen(lambda app: app)
        return self

    async def listen(self, before: Callable[[ASGIApp], ASGIApp]) -> tuple[str, str]:
        """Addresses of both for somebody whose requests come through `before`."""
        apps = (determined(self.booxi.app), determined(self.chaos.partial_pages(self.hubspot.app)))
        booxi, hubspot = [(await self._stack.enter_async_context(Server(before(app)))).url for app in apps]
        return booxi, hubspot


class Round:
    """Made from a plan and an empty folder; `play` it once."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.folder = folder
        rng = random.Random(plan.seed)
        # Each has a generator of its own, so that the actions of one do not depend on the pace of another.
        actions, faults, post, self.kills = (random.Random(rng.random()) for _ in range(4))
        self.chaos = Chaos(faults, late=plan.late)
        # Effects that come late are counted late by the remote system: there its quota says nothing about us.
        limits = {} if plan.late else {"booxi_quota": THEIRS[0], "hubspot_quota": THEIRS[1]}
        self.sides = Sides(**limits)
        self.sides.chaos = self.chaos
        self.courier = Courier(post, WEBHOOK_TOKEN)
        self.town = Town(self.sides.booxi, self.sides.hubspot, actions)
        self.ledger = Ledger(self.sides.hubspot)
        self.log: list[str] = []
        self.killed = 0
        self.database: Path | OnServer = folder / "connector.db"

    async def play(self) -> Outcome:
        """Live, settle, inspect."""
        begun = time.monotonic()
        async with self.sides:
            self.file = self._configure(self.folder)
            self.courier.start()
            try:
                await self._live()
                breaches = await self._settle()
            except (AssertionError, TimeoutError) as error:
                # What there is by now shall be inspected all the same.
                breaches = [f"stop: the round did not come to its end: {error or type(error).__name__}"]
            finally:
                await self.courier.close()
            inspection = self._inspection()
            return self._outcome(inspection, [*breaches, *inspection.breaches()], time.monotonic() - begun)

    def _configure(self, folder: Path) -> Path:
        """Write the configuration of a service."""
        return self.sides.config(
            folder,
            timeout=TIMEOUT,
            booxi_limits=OURS[0],
            hubspot_limits=OURS[1],
            sync=f"record_appointments = {str(not self.plan.late).lower()}",
        )

    async def _live(self) -> None:
        """Actions, faults and kills, until the time is up and every planned kill has been done."""
        ending = asyncio.Event()
        others = [asyncio.create_task(self._actions(ending)), asyncio.create_task(self._stir(ending))]
        life = self.plan.seconds / max(1, self.plan.kills)
        try:
            for _ in range(self.plan.kills):
                await self._one_life(life * self.kills.choice([0.0, 0.4, 0.9, 2.4]) * self.kills.uniform(0.7, 1.3))
        finally:
            ending.set()
            await asyncio.gather(*others)

    async def _one_life(self, seconds: float) -> None:
        """Start the service, let it listen (or not even that), and kill it."""
        service = Service(self.file)
        await service.spawn()
        if seconds > 0.05:
            await service.until(lambda: bool(service.url) or service.ended)
            self.courier.urls = [service.url] if service.url else []
        await asyncio.sleep(seconds)
        await service.kill()
        self.courier.urls = []
        self.killed += 1
        self.log += service.text

    async def _actions(self, ending: asyncio.Event) -> None:
        # A machine on which each life takes long has no more to do than others.
        for _ in range(round(2 * self.plan.seconds * self.plan.actions)):
            if ending.is_set():
                return
            self._act()
            await asyncio.sleep(self.town.rng.expovariate(self.plan.actions))

    def _act(self) -> None:
        # Several at the same moment now and then.
        for _ in range(self.town.rng.choice([1, 1, 1, 1, 5])):
            self.town.act()
        self.courier.take(self.sides.booxi.outbox.waiting)

    async def _stir(self, ending: asyncio.Event) -> None:
        while not ending.is_set():
            self.chaos.stir(self.sides.booxi, self.sides.hubspot)
            with suppress(TimeoutError):
                await asyncio.wait_for(ending.wait(), self.chaos._rng.uniform(0.5, 1.5))

    async def _settle(self) -> list[str]:
        """The last life: without faults everything comes to its end, also the visits of those who were merged meanwhile."""
        self.chaos.calm(self.sides.booxi, self.sides.hubspot)
        service = Service(self.file)
        try:
            await service.start()
            self.courier.urls = [service.url]
            await self._come_to_an_end()
            code = await service.stop()
        finally:
            await service.kill()
            self.log += service.text
        return [] if code == 0 else [f"stop: the service ended with {code}"]

    async def _come_to_an_end(self) -> None:
        for _ in range(2):
            await asyncio.wait_for(self.courier.all_brought(), DEADLINE)
            await self._until_idle()
            self.town.last_visits()
            self.courier.take(self.sides.booxi.outbox.waiting)
        await asyncio.wait_for(self.courier.all_brought(), DEADLINE)
        await self._until_idle()

    async def _until_idle(self) -> None:
        begun, hurried = time.monotonic(), 0.0
        while pending(self.database) and time.monotonic() - begun < DEADLINE:
            if time.monotonic() - begun - hurried > HURRY:
                hurried = time.monotonic() - begun
                await run("events", "retry", "--all", "--state", "retrying", "--config", str(self.file))
            await asyncio.sleep(0.1)

    def _inspection(self) -> Inspection:
        secrets = [PARTNER_KEY, HUBSPOT_TOKEN, WEBHOOK_TOKEN]
        return Inspection(self.town, self.courier, self.database, self.ledger, self.log, secrets, meetings=not self.plan.late)

    def _outcome(self, inspection: Inspection, breaches: list[str], seconds: float) -> Outcome:
        injected = sum((self.sides.booxi.app.injected + self.sides.hubspot.app.injected).values())
        return Outcome(
            self.plan,
            kills=self.killed,
            seconds=seconds,
            deliveries=len(self.courier.acknowledged),
            answers=self.courier.answers,
            events=states(inspection.database),
            people=len(self.town.people.all),
            clients=len(self.town.owner),
            links=len(inspection.links),
            injected=injected,
            breaches=breaches,
        )
