"""Milliseconds of claims with an empty queue, as JSON: `claim_probe.py FILE TIMES`, with whichever package Python finds.

Small and by itself, so that it runs with the packages of older commits too.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from connector.model.bookings import Client, Event, Reading
from connector.model.deliveries import Delivery
from connector.model.jobs import Verdict
from connector.store import Store


async def claims(file: Path, times: int) -> list[float]:
    """Accept, claim and conclude so many events, one after the other."""
    store, found = Store.open(file), []
    for n in range(times):
        event = Event(type="appointment.created", client=Client(id=str(n), email=f"c{n}@example.com"))
        reading = Reading(event_id=f"e{n}", type=event.type, events=(event,))
        await store.inbox.accept(Delivery("stores", f"e{n}", False, {}, b"{}", time.time(), reading))
        begun = time.perf_counter()
        (work,) = await store.lanes.claim(1, time.time())
        found.append((time.perf_counter() - begun) * 1000)
        await store.lanes.conclude(work, Verdict("done"), time.time())
    await store.close()
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(claims(Path(sys.argv[1]), int(sys.argv[2])))))
