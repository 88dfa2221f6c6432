"""`kill -9` at random points under load, many times: nothing acknowledged is lost, nothing is done twice.

CONNECTOR_KILLS sets how many times, CONNECTOR_SEED plays others, as far as processes can be repeated.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections import Counter
from contextlib import aclosing

import httpx
import pytest

from .world import RemoteSystems, Service, rows, states

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(0)]

KILLS = int(os.environ.get("CONNECTOR_KILLS", "12"))
SEED = int(os.environ.get("CONNECTOR_SEED", "0")) or 1
#: The remote systems' limits, scaled so that the test ends in time; ours are the same, and nothing may exceed them.
BOOXI, HUBSPOT = (50, 2500), (1000, 40)


class Recording(httpx.AsyncHTTPTransport):
    """Remembers the ids of the deliveries that were answered 202. Many clients share it, so none may close it."""

    def __init__(self) -> None:
        super().__init__()
        self.acknowledged: set[str] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        if response.status_code == 202:
            self.acknowledged.add(json.loads(request.content)["id"])
        return response

    async def __aexit__(self, *_: object) -> None:
        """Whoever is done leaves the connections to the others."""


class Town:
    """People who book: some are new, some known, some linked, some are two clients; and what they do next."""

    def __init__(self, sides: RemoteSystems, rng: random.Random) -> None:
        self.sides = sides
        self.rng = rng
        #: Client → the person behind it.
        self.people: dict[int, str] = {}
        self.bookings: list[str] = []
        #: The sandbox's deliveries that are on their way.
        self.sending: list[asyncio.Task[int]] = []
        self._number = 0

    def act(self) -> None:
        """Somebody books for the first or the next time, moves a booking or cancels it."""
        action = self.rng.random()
        if action < 0.45 or not self.bookings:
            self.bookings.append(self.sides.booxi.book(self.arrive()))
        elif action < 0.6:
            self.bookings.append(self.sides.booxi.book(self.rng.choice(list(self.people))))
        elif action < 0.9:
            self.sides.booxi.update_booking(self.rng.choice(self.bookings), status="Approved")
        else:
            self.sides.booxi.cancel(self.rng.choice(self.bookings))

    def arrive(self) -> int:
        """A new client, who may be a known person."""
        self._number += 1
        kind, booxi, hubspot = self.rng.random(), self.sides.booxi, self.sides.hubspot
        person = f"person-{self._number}"
        fields = {"firstName": "Ada", "lastName": person.title(), "email": f"{person}@example.com"}
        if kind < 0.2 and self.people:
            person = self.rng.choice(list(self.people.values()))
            fields |= {"lastName": person.title(), "email": f"{person.upper()}@Example.com"}
        client = booxi.add_client(**fields)
        self.people[client] = person
        if kind > 0.7:
            contact = hubspot.add_contact(email=f"{person}@example.com", firstname="Ada", lastname=person.title())
            if kind > 0.9:
                booxi.set_link(client, contact)
        return client


async def live(sides: RemoteSystems, service: Service, town: Town, rng: random.Random) -> None:
    """One life: it starts, deliveries come, and at some moment it is killed, perhaps before it listens."""
    await service.spawn()
    seconds, events = rng.uniform(0.02, 0.6), rng.randint(4, 16)
    if rng.random() < 0.75:
        await service.until(lambda: bool(service.url) or service.ended)
        assert service.url, service.text
        sides.send_to(service.url)
    for _ in range(events):
        town.act()
        town.sending.append(asyncio.create_task(sides.booxi.send_webhooks(concurrency=4)))
        await asyncio.sleep(seconds / events)
    await service.kill()


async def test_kill_minus_nine_at_random_points(tmp_path):
    rng, recording = random.Random(SEED), Recording()
    print(f"seed {SEED}, {KILLS} kills")  # noqa: T201
    sides = RemoteSystems(booxi_quota=BOOXI, hubspot_quota=HUBSPOT, transport=recording)
    async with sides, aclosing(recording):
        file = sides.config(
            tmp_path,
            booxi_limits="{ per_second = 50, per_minute = 2500 }",
            hubspot_limits="{ per_10_seconds = 1000, search_per_second = 40 }",
            sync="record_appointments = true",
        )
        sides.faults(duplicate_delivery=0.1, reorder_delivery=0.1, search_lag_seconds=1)
        sides.send_to("http://127.0.0.1:9")
        town = Town(sides, rng)
        begun = time.monotonic()
        for _ in range(KILLS):
            await live(sides, Service(file), town, rng)
        service = Service(file)
        async with service.running():
            sides.send_to(service.url)
            await asyncio.gather(*town.sending)
            assert sides.booxi.outbox.counts["gave_up"] == 0
            await service.settled()
            assert await service.stop() == 0
        took = time.monotonic() - begun
        print(f"{len(recording.acknowledged)} deliveries, {KILLS} kills, {took:.1f} s: {states(service.database)}")  # noqa: T201
        check(sides, town, recording, service)


def check(sides, town, recording, service):
    database = service.database
    assert rows(database, "PRAGMA integrity_check") == [("ok",)]
    # Every 202 is in the database, and every event came to its end.
    stored = {row[0] for row in rows(database, "SELECT event FROM deliveries")}
    assert recording.acknowledged
    assert recording.acknowledged <= stored
    assert set(states(database)) == {"done"}
    # One contact for each person, never two; nobody was left out.
    contacts = Counter(contact["email"] for contact in sides.hubspot.contacts())
    assert contacts == Counter(f"{person}@example.com" for person in set(town.people.values()))
    # Every link is known to both sides, and it is the right one.
    by_email = {contact["email"]: contact["id"] for contact in sides.hubspot.contacts()}
    right = {client: by_email[f"{person}@example.com"] for client, person in town.people.items()}
    assert sides.booxi.links() == right
    assert {int(c): i for c, i in rows(database, "SELECT client_id, customer_id FROM links")} == right
    # One meeting for each appointment.
    assert len(sides.hubspot.meetings()) == len(town.bookings)
    # Nothing is left half done.
    assert rows(database, "SELECT * FROM intents WHERE state <> 'done'") == []
    assert rows(database, "SELECT * FROM claims") == []
    # Never more than allowed, across all restarts.
    assert sides.booxi.meter.throttled == 0
    assert sides.hubspot.statuses[429] == 0
