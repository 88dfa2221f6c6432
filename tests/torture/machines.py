"""A round with several processes on one PostgreSQL server: any of them is killed or stands still, and the server crashes."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from pathlib import Path

import postgres
from acceptance.world import OnServer, Service
from arrivals import Arrival, Arrivals

from .rounds import DEADLINE, Plan, Round
from .standing_still import DONE, Lease, Replaced, fenced, lease_of, replaced

#: Seconds: how long the processes wait for one that is not heard of.
LEASE = 2.0
#: How often the server is stopped as in a crash, within a round.
CRASHES = 3
#: Parts of a lease for which a process stands still.
PAUSES = (0.3, 0.9, 1.5, 2.5)


class SharedRound(Round):
    """As `Round`, with so many services that all receive and work."""

    def __init__(self, plan: Plan, folder: Path, server: postgres.Server, processes: int) -> None:
        super().__init__(plan, folder)
        self.database = OnServer(server.fresh(), folder / "machine-0" / "connector", LEASE)
        self.pauses = self.crashes = 0
        #: The processes that others replaced while they stood still.
        self.replaced: list[Replaced] = []
        self._server = server
        self._places = [folder / f"machine-{number}" for number in range(processes)]
        self._services: dict[Path, Service] = {}
        self._paused: dict[Path, asyncio.Task[None]] = {}
        self._judged: list[asyncio.Task[None]] = []
        #: What arrives from each machine, of the process that runs there now; and the addresses that it calls.
        self._arrivals = {place: Arrivals() for place in self._places}
        self._urls: dict[Path, tuple[str, str]] = {}

    def _configure(self, folder: Path) -> Path:
        """The first machine's file; the others get theirs, and the key, when they start."""
        del folder
        return self._configure_machine(self._places[0])

    def _configure_machine(self, place: Path) -> Path:
        place.mkdir(exist_ok=True)
        file = super()._configure(place)
        for common, own in zip((self.sides.booxi_url, self.sides.hubspot_url), self._urls.get(place, ()), strict=False):
            file.write_text(file.read_text().replace(common, own))
        database = f'url = "{self.database.address}"\nlease_seconds = {LEASE}'
        file.write_text(file.read_text().replace('url = "sqlite:///connector.db"', database))
        key = self._places[0] / "connector.key"
        if place != self._places[0] and key.exists():
            (place / "connector.key").write_bytes(key.read_bytes())
        return file

    async def _start(self, place: Path) -> None:
        if place not in self._urls:
            self._urls[place] = await self.sides.listen(self._arrivals[place].before)
        self._arrivals[place].seen = []
        service = self._services[place] = Service(self._configure_machine(place))
        await service.spawn()
        await service.until(lambda: bool(service.url) or service.ended)
        if service.ended:
            # The server was away.
            self.log += service.text
            del self._services[place]
        self._direct()

    def _direct(self) -> None:
        self.courier.urls = [service.url for service in self._services.values() if service.url]

    async def _live(self) -> None:
        """Actions, faults, kills, pauses and crashes."""
        await self._start(self._places[0])
        await asyncio.gather(*(self._start(place) for place in self._places[1:]))
        ending = asyncio.Event()
        others = [asyncio.create_task(self._actions(ending)), asyncio.create_task(self._stir(ending))]
        crashes = {self.plan.kills * (number + 1) // (CRASHES + 1) for number in range(CRASHES)}
        try:
            for number in range(self.plan.kills):
                await asyncio.sleep(self.plan.seconds / self.plan.kills * self.kills.uniform(0.5, 1.5))
                if number in crashes:
                    await self._crash()
                await self._happen(self.kills.choice(self._places))
        finally:
            ending.set()
            await asyncio.gather(*others, *self._paused.values())

    async def _happen(self, place: Path) -> None:
        """Kill the process of a machine and start it again, or let it stand still for a while."""
        service = self._services.get(place)
        if service is None:
            await self._start(place)
        elif self.kills.random() < 0.4 and place not in self._paused:
            self._paused[place] = asyncio.create_task(self._pause(place, service))
        else:
            await service.kill()
            self.killed += 1
            self.log += service.text
            self._services.pop(place, None)
            self._direct()
            await self._start(place)

    async def _pause(self, place: Path, service: Service) -> None:
        self.pauses += 1
        seconds, seen = LEASE * self.kills.choice(PAUSES), self._arrivals[place].seen
        with suppress(ProcessLookupError):
            service.process.send_signal(signal.SIGSTOP)
            lease = await lease_of(self.database, service.process.pid)
            await asyncio.sleep(seconds - DONE)
            service.process.send_signal(signal.SIGCONT)
            if lease is not None:
                self._judged.append(asyncio.create_task(self._judge(lease, service, seen)))
        del self._paused[place]

    async def _judge(self, lease: Lease, service: Service, seen: list[Arrival]) -> None:
        if (one := await replaced(self.database, lease, lambda: service.ended, seen)) is not None:
            self.replaced.append(one)

    async def _crash(self) -> None:
        self.crashes += 1
        await asyncio.to_thread(self._server.stop, "immediate")
        await asyncio.sleep(LEASE * self.kills.choice([0.2, 1.5]))
        await asyncio.to_thread(self._server.start)

    async def _settle(self) -> list[str]:
        """Without faults everything comes to its end on all machines."""
        self.chaos.calm(self.sides.booxi, self.sides.hubspot)
        try:
            for place in self._places:
                if place not in self._services:
                    await self._start(place)
            await self._come_to_an_end()
            codes = [await service.stop() for service in self._services.values()]
        finally:
            for service in self._services.values():
                await service.kill()
                self.log += service.text
        async with asyncio.timeout(DEADLINE):
            await asyncio.gather(*self._judged)
        late = [f"fenced: {breach}" for breach in fenced(self.replaced)]
        return [*late, *(f"stop: a service ended with {code}" for code in codes if code)]
