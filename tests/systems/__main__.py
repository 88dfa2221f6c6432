"""`python -m tests.systems`: every booking system through its sandbox with faults on, as one table.

Some people are found by a backfill, the others by webhooks that come twice, late and out of order, while both remote systems
fail and lose answers. Then the faults end, everything settles, and both sides are compared.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from connector import registry
from connector.app import Service
from connector.config import logs
from connector.config import settings as config
from connector.sandbox.hubspot.app import HubSpotSandbox
from connector.sandbox.kit.faults import Faults
from connector.sandbox.kit.stage import LinkingStage
from connector.store import views

from .people import TOMORROW, Person, Place

CONFIG = """
[server]
port = 0
public_url = "https://hooks.example.com"
[status]
token = "a-status-token-of-a-test"
[booking.place]
system = "{name}"
default_country = "CA"
limits = {{ per_second = 0, per_minute = 0 }}
{settings}
[crm.main]
system = "hubspot"
base_url = "https://hubspot.test"
token = "sandbox-token"
limits = {{ per_10_seconds = 0, search_per_second = 0 }}
[[sync]]
booking = "place"
crm = "main"
"""
#: Seconds which everything has to settle once the faults have ended.
PATIENCE = 60.0
COLUMNS = (
    "system",
    "webhooks sent",
    "stored",
    "clients linked",
    "written back",
    "duplicates",
    "wrong links",
    "backfill seen/linked",
    "calls per linked client",
)


@dataclass
class Outcome:
    """What became of one system's people."""

    row: tuple[str, ...]
    duplicates: int
    wrong: int
    unlinked: int

    @property
    def well(self) -> bool:
        return not (self.duplicates or self.wrong or self.unlinked)


async def play(place: Place, folder: Path, people: int, seed: int) -> Outcome:
    """Let everybody book, twice over, and compare the sides at the end."""
    hubspot = HubSpotSandbox(unique_properties=("connector_person_key",), per_10_seconds=None, search_per_second=None)
    file = write_files(folder, CONFIG.format(name=place.name, settings=place.settings("https://place.test", "place")), place)
    transports = {
        "booking.place": httpx.ASGITransport(place.sandbox.app),
        "crm.main": httpx.ASGITransport(hubspot.app),
    }
    service = await Service.open(config.load(file, systems=registry.Registry()), transports=transports)
    await service.start()
    try:
        place.stage.aim(service.url, "place")
        await service.operations.check(fix=True)
        everybody = [Person(number) for number in range(people)]
        for person in everybody[::3]:
            first, last = person.names
            hubspot.add_contact(age=3600, email=person.email, firstname=first, lastname=last)
        past, coming = everybody[: people // 2], everybody[people // 2 :]
        backfill = await _backfill(place, service, past)
        await _webhooks(place, service, hubspot, coming, seed)
        return await _compare(place, service, hubspot, everybody, backfill)
    finally:
        await service.stop()


def write_files(folder: Path, text: str, *places: Place) -> Path:
    """Write the configuration, and beside it the keys that its files hold."""
    for name, content in {"connector.toml": text, **{k: v for place in places for k, v in place.secrets.items()}}.items():
        (folder / name).write_text(content, encoding="utf-8")
    return folder / "connector.toml"


async def _backfill(place: Place, service: Service, people: list[Person]) -> dict[str, int]:
    for person in people:
        place.book(person, TOMORROW)
    # Nobody was listening when these were booked.
    place.sandbox.outbox.waiting.clear()
    await service.operations.backfill("place", None, None)
    async with asyncio.timeout(PATIENCE):
        while (found := await service.operations.progress("backfill", "place"))["state"] in ("walking", "working"):
            await asyncio.sleep(0.1)
    if found["state"] != "done":
        raise SystemExit(f"{place.name}: the backfill failed: {found['reason']}")
    counts: dict[str, int] = found["counts"]
    return counts


async def _webhooks(place: Place, service: Service, hubspot: HubSpotSandbox, people: list[Person], seed: int) -> None:
    for hours in (1, 2):
        for person in people:
            place.book(person, TOMORROW + timedelta(hours=hours))
    faults = {"seed": seed, "error_500": 0.03, "lost_answer": 0.04, "duplicate_delivery": 0.3, "reorder_delivery": 0.3}
    place.sandbox.faults = Faults(**faults)
    hubspot.faults = Faults(**faults, search_lag_seconds=5)
    await place.sandbox.send_webhooks(concurrency=8)
    place.sandbox.faults = hubspot.faults = Faults()
    async with asyncio.timeout(PATIENCE):
        while True:
            # What waits on a long back-off need not wait for the end of it.
            await service.operations.retry(state="retrying")
            queue = await service.engine.store.read(views.queue)
            if not queue["queued"] + queue["running"] + queue["retrying"] and not place.sandbox.outbox.waiting:
                return
            await place.sandbox.send_webhooks()
            await asyncio.sleep(0.1)


async def _compare(
    place: Place, service: Service, hubspot: HubSpotSandbox, everybody: list[Person], backfill: dict[str, int]
) -> Outcome:
    read = service.engine.store.read
    contacts = {contact["id"]: contact.get("email", "") for contact in hubspot.contacts()}
    links = await read(views.links)
    owners: dict[str, str] = await read(_owners, place)
    wrong = sum(contacts.get(link["customer_id"]) != owners.get(link["client_id"]) for link in links)
    duplicates = len(contacts) - len(set(contacts.values()))
    linked = {contacts.get(link["customer_id"]) for link in links}
    unlinked = sum(person.email not in linked for person in everybody)
    calls = (place.calls() + sum(hubspot.requests.values())) / max(len(links), 1)
    stored = await read(lambda c: c.execute("SELECT count(*) FROM deliveries WHERE event NOT LIKE 'backfill:%'").fetchone()[0])
    written = f"{len(place.stage.links())} of {len(links)}" if isinstance(place.stage, LinkingStage) else "no place"
    row = (
        place.name,
        f"{place.sandbox.outbox.counts['sent']:,}",
        f"{stored:,}",
        f"{len(links):,}",
        written,
        str(duplicates),
        str(wrong),
        f"{backfill['seen']}/{backfill['already_linked'] + backfill['matched'] + backfill['created']}",
        f"{calls:.1f}",
    )
    if unlinked:
        print(f"{place.name}: {unlinked} of {len(everybody)} people are not linked", file=sys.stderr)
    return Outcome(row, duplicates, wrong, unlinked)


def _owners(connection: Any, place: Place) -> dict[str, str]:
    """Client id → the e-mail address of the person it is, as the booking system says."""
    found = {}
    for client_id, payload in connection.execute("SELECT client_id, payload FROM events WHERE payload IS NOT NULL"):
        if email := json.loads(payload)["client"]["email"]:
            found[client_id] = email.lower()
    for booking_id, booking in getattr(place.sandbox, "bookings", {}).items():
        found[f"booking:{booking_id}"] = booking["customer"]["email"]
    return found


def main() -> int:
    """Print the table; exit code 1 where somebody was lost, doubled or mistaken for somebody else."""
    parser = argparse.ArgumentParser(prog="python -m tests.systems", description=__doc__)
    parser.add_argument("--people", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=sorted(registry.BOOKING_SYSTEMS))
    args = parser.parse_args()
    logs.set_up(json=False, level="critical")
    print(f"{args.people} people, seed {args.seed}\n\n| " + " | ".join(COLUMNS) + " |\n|" + "---|" * len(COLUMNS))
    well = True
    for name in registry.BOOKING_SYSTEMS:
        if args.only in (None, name):
            with tempfile.TemporaryDirectory(prefix="connector-systems-") as folder:
                outcome = asyncio.run(play(Place(name), Path(folder), args.people, args.seed))
            print("| " + " | ".join(outcome.row) + " |", flush=True)
            well = well and outcome.well
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
