"""What is counted of a process that stood still: by when a request was complete, not by when it began."""

from __future__ import annotations

import asyncio
import math

import pytest
from arrivals import Arrival, Arrivals, Counts, writes

from .standing_still import Lease, Replaced, fenced

#: The process is struck at 10, its lease ends at 12.
STRUCK, LEASE_END = 10.0, 12.0


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def request(
    arrivals: Arrivals, clock: Clock, *, begun: float, complete: float | None, answered: float | None, method: str = "POST"
) -> list[bytes]:
    """One request whose two parts arrive then; the answer is never sent, or then. Returns what the application got."""
    got: list[bytes] = []
    parts = [{"type": "http.request", "body": b"a", "more_body": True}]
    parts.append({"type": "http.disconnect"} if complete is None else {"type": "http.request", "body": b"b"})

    async def receive():
        clock.now = begun if len(parts) == 2 else complete or begun
        return parts.pop(0)

    async def application(scope, receive, send):
        while (message := await receive())["type"] == "http.request":
            got.append(message["body"])
            if not message.get("more_body"):
                break
        if answered is not None:
            clock.now = answered
            await send({"type": "http.response.start"})
            await send({"type": "http.response.body", "body": b""})

    async def send(_message):
        pass

    clock.now = begun
    await arrivals.before(application)({"type": "http", "method": method, "path": "/x"}, receive, send)
    return got


@pytest.mark.parametrize(
    ("begun", "complete", "answered", "method", "counts"),
    [
        (8.0, 8.1, 9.0, "POST", Counts(on_the_wire=0, writes=0, reads=0, begun_before=0)),
        (9.9, 9.9, 10.1, "POST", Counts(on_the_wire=1, writes=0, reads=0, begun_before=0)),
        (9.9, 9.9, None, "POST", Counts(on_the_wire=1, writes=0, reads=0, begun_before=0)),
        (10.1, 12.0, 12.5, "POST", Counts(on_the_wire=1, writes=0, reads=0, begun_before=0)),
        (9.9, 12.1, 12.2, "POST", Counts(on_the_wire=0, writes=1, reads=0, begun_before=1)),
        (12.1, 12.2, 12.3, "PUT", Counts(on_the_wire=0, writes=1, reads=0, begun_before=0)),
        (12.1, 12.2, 12.3, "GET", Counts(on_the_wire=0, writes=0, reads=1, begun_before=0)),
        (9.9, None, None, "POST", Counts(on_the_wire=0, writes=0, reads=0, begun_before=0)),
    ],
)
def test_a_request_is_counted_by_the_moment_it_was_complete(begun, complete, answered, method, counts):
    clock = Clock()
    arrivals = Arrivals(clock)
    got = asyncio.run(request(arrivals, clock, begun=begun, complete=complete, answered=answered, method=method))
    assert arrivals.after(STRUCK, LEASE_END) == counts
    assert got == ([b"a"] if complete is None else [b"a", b"b"]), "the application gets all of it"


def test_what_it_sends_when_it_takes_part_again_does_not_count():
    clock = Clock()
    arrivals = Arrivals(clock)
    for begun in (12.5, 13.0, 13.5):
        asyncio.run(request(arrivals, clock, begun=begun, complete=begun + 0.1, answered=begun + 0.2))
    assert arrivals.after(STRUCK, LEASE_END, until=13.1).writes == 2


def test_the_process_is_struck_once_when_a_request_is_complete():
    clock, struck = Clock(), []
    arrivals = Arrivals(clock)
    arrivals.strike_at(3, lambda: struck.append(clock.now))
    for number in range(5):
        asyncio.run(request(arrivals, clock, begun=number, complete=number + 0.5, answered=number + 0.9))
    assert struck == [2.5]


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/booking/v1/clients/1", False),
        ("POST", "/crm/v3/objects/contacts/search", False),
        ("POST", "/crm/v3/objects/contacts/batch/read", False),
        ("POST", "/crm/v3/objects/contacts", True),
        ("PUT", "/booking/v1/clients/1/links", True),
        ("PATCH", "/crm/v3/objects/contacts/1", True),
        ("DELETE", "/crm/v3/objects/contacts/1", True),
    ],
)
def test_what_changes_something(method, path, expected):
    assert writes(method, path) is expected


def test_a_round_sees_what_a_process_sent_between_its_lease_and_its_next_one():
    lease = Lease(pid=1, boot="a", struck=STRUCK, end=LEASE_END)
    arrived = [Arrival(writes=writes, begun=at, complete=at) for at, writes in ((9.0, True), (12.5, True), (13.5, False))]
    assert list(fenced([Replaced(lease, arrived[:1], until=13.0)])) == []
    (breach,) = fenced([Replaced(lease, arrived, until=13.0)])
    assert breach == "1 writes and 0 reads of a process that stood still came after its lease"
    (breach,) = fenced([Replaced(lease, arrived, until=math.inf)])
    assert breach.startswith("1 writes and 1 reads")
