"""Deliveries while the database changes beneath: what was answered is compared with what is stored and linked."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx

from .world import OnServer, RemoteSystems, eventually, rows

#: Seconds within which everything answers, whatever the database does.
SOON = 10.0


class Recorder(httpx.AsyncBaseTransport):
    """Passes deliveries on, and remembers how each was answered: (event id, status), and the longest wait."""

    def __init__(self) -> None:
        self._transport = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_keepalive_connections=0))
        self.answers: list[tuple[str, int]] = []
        self.longest = 0.0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(await request.aread())
        began = asyncio.get_running_loop().time()
        answer = await self._transport.handle_async_request(request)
        await answer.aread()
        self.longest = max(self.longest, asyncio.get_running_loop().time() - began)
        self.answers.append((body.get("id") or body["eventId"], answer.status_code))
        return answer

    async def more(self, status: int, number: int) -> set[int]:
        """Wait for so many more answers of this kind; returns all kinds that came meanwhile."""
        before = len(self.answers)

        def came() -> list[int]:
            return [status for _, status in self.answers[before:]]

        await eventually(lambda: came().count(status) >= number)
        return set(came())


@asynccontextmanager
async def booking_all_the_time(sides: RemoteSystems) -> AsyncIterator[None]:
    """Clients book, three times each, for as long as the block lasts; every delivery is repeated until it is taken."""
    sending: set[asyncio.Task[object]] = set()
    leaving = asyncio.Event()

    async def book() -> None:
        number = 0
        while not leaving.is_set():
            number += 1
            client = {"firstName": f"Person{number}", "lastName": f"Of{number}", "email": f"person{number}@example.com"}
            one = sides.booxi.add_client(**client)
            for _ in range(3):
                sides.booxi.book(one)
                sending.add(asyncio.create_task(sides.booxi.send_webhooks()))
            with suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    await leaving.wait()

    task = asyncio.create_task(book())
    try:
        yield
    finally:
        leaving.set()
        await task
        await asyncio.gather(*sending)


def check_deliveries(recorder: Recorder, database: OnServer) -> None:
    """Everything that was answered 202 is there once, and done; nothing took long, nothing was answered otherwise."""
    assert {status for _, status in recorder.answers} <= {202, 503}
    assert recorder.longest < SOON
    taken = {id_ for id_, status in recorder.answers if status == 202}
    stored = Counter(id_ for (id_,) in rows(database, "SELECT event FROM deliveries"))
    assert set(stored) == taken
    assert set(stored.values()) == {1}
    assert rows(database, "SELECT DISTINCT state FROM events") == [("done",)]
    # Of each client one after another.
    query = "SELECT lane_id, array_agg(id ORDER BY id), array_agg(id ORDER BY updated_at, id) FROM events GROUP BY lane_id"
    assert not [lane for lane, by_arrival, by_end in rows(database, query) if by_arrival != by_end]


def check_links(sides: RemoteSystems, database: OnServer) -> None:
    """One customer for each client."""
    found = rows(database, "SELECT client_id, customer_id FROM links")
    assert len(found) == len({customer for _, customer in found}) == len(sides.hubspot.records.contacts)
