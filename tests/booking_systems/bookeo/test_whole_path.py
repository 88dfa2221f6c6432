"""Webhooks of the sandbox → the real service on a real port → the HubSpot sandbox → the link back at Bookeo."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from crms.hubspot import shapes as hubspot
from worker.harness import captured

from connector import registry
from connector.app import Service
from connector.config import settings as config
from connector.sandbox.bookeo.app import BookeoSandbox
from connector.sandbox.hubspot.app import HubSpotSandbox
from connector.sandbox.kit.faults import Faults
from connector.store import views

from .conftest import ADA
from .shapes import conforming

pytestmark = pytest.mark.anyio

CONFIG = """
[server]
port = 0
public_url = "https://hooks.example.com"
[status]
token = "a-status-token-of-a-test"
[booking.spa]
system = "bookeo"
base_url = "https://bookeo.test"
api_key = "sandbox-api-key"
secret_key = "sandbox-secret-key"
default_country = "CA"
limits = {{ per_second = 0, per_minute = 0 }}
{booking}
[crm.main]
system = "hubspot"
wait_minutes = 0.01
base_url = "https://hubspot.test"
token = "sandbox-token"
limits = {{ per_10_seconds = 0, search_per_second = 0 }}
[[sync]]
booking = "spa"
crm = "main"
{sync}
"""
TOMORROW = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)


class World:
    """Both sandboxes and a running service."""

    def __init__(self, **sandbox: Any) -> None:
        self.bookeo = BookeoSandbox(quota=None, retries=(), **sandbox)
        self.hubspot = HubSpotSandbox(unique_properties=("connector_person_key",), per_10_seconds=None, search_per_second=None)

    @asynccontextmanager
    async def served(self, folder: Path, booking: str = "", sync: str = "") -> AsyncIterator["World"]:
        file = folder / "connector.toml"
        file.write_text(CONFIG.format(booking=booking, sync=sync), encoding="utf-8")
        transports = {
            "booking.spa": conforming(httpx.ASGITransport(self.bookeo.app)),
            "crm.main": hubspot.conforming(httpx.ASGITransport(self.hubspot.app)),
        }
        with captured() as self.lines:
            self.service = await Service.open(config.load(file, systems=registry.Registry()), transports=transports)
            await self.service.start()
            self.bookeo.outbox.via = self.service.url
            try:
                async with asyncio.timeout(30):
                    await self.service.operations.check(fix=True)
                    self.bookeo.requests.clear()
                    yield self
            finally:
                await self.service.stop()

    async def settle(self) -> None:
        """Send what waits, until nobody has anything left to say: also what our own writes cause."""
        while self.bookeo.outbox.waiting:
            await self.bookeo.send_webhooks()
            await self._idle()

    async def _idle(self) -> None:
        concluded = asyncio.Event()
        forget = self.service.engine.worker.watch(concluded)
        while True:
            concluded.clear()
            queue = await self.service.engine.store.read(views.queue)
            if not queue["queued"] + queue["running"] + queue["retrying"]:
                return forget()
            await concluded.wait()

    async def events(self, **wanted: Any) -> list[dict[str, Any]]:
        return await self.service.engine.store.read(views.events, limit=1000, **wanted)

    async def links(self) -> dict[str, str]:
        return {link["client_id"]: link["customer_id"] for link in await self.service.engine.store.read(views.links)}

    async def backfill(self) -> dict[str, Any]:
        operations = self.service.operations
        await operations.backfill("spa", None, None)
        await operations.runner.wait()
        progress = await operations.progress("backfill", "spa")
        return {**progress["counts"], "state": progress["state"]}

    def stored(self, customer_id: str) -> str | None:
        return self.bookeo.state.custom(customer_id, self.bookeo.state.field_id("CRM customer id"))


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.operations.waiting.LOOK_AGAIN", 0.04)


async def test_a_booking_becomes_a_linked_customer(tmp_path):
    async with World().served(tmp_path, sync="record_appointments = true") as world:
        ada = world.bookeo.add_customer(**ADA)
        number = world.bookeo.book(ada, starts_at=TOMORROW)
        await world.settle()
        (contact,) = world.hubspot.contacts()
        assert world.stored(ada) == contact["id"] == (await world.links())[ada]
        assert contact["email"] == "ada@example.org"
        assert world.bookeo.requests["PUT /customers/{id}"] == 1
        world.bookeo.cancel(number)
        await world.settle()
        (meeting,) = world.hubspot.meetings()
        assert meeting["hs_meeting_outcome"] == "CANCELED"
        assert world.bookeo.requests["PUT /customers/{id}"] == 1
        assert {event["state"] for event in await world.events()} == {"done"}


async def test_what_our_own_write_causes_costs_no_call(tmp_path):
    async with World().served(tmp_path) as world:
        ada = world.bookeo.add_customer(**ADA)
        await world.bookeo.send_webhooks()
        await world._idle()
        (echo,) = world.bookeo.outbox.waiting
        assert (echo.domain, echo.type) == ("customers", "updated")
        world.bookeo.requests.clear()
        await world.settle()
        assert not world.bookeo.requests
        assert len(await world.events(client_id=ada)) == 2


async def test_a_participant_is_not_the_customer(tmp_path):
    async with World().served(tmp_path) as world:
        ada = world.bookeo.add_customer(**ADA)
        details = [{"personId": "2856P1", "personDetails": {"id": "2856P1", "emailAddress": "guest@example.org"}}]
        world.bookeo.book(ada, participants={"numbers": [], "details": details})
        await world.settle()
        assert set(await world.links()) == {ada}
        assert [contact["email"] for contact in world.hubspot.contacts()] == ["ada@example.org"]


async def test_a_customer_that_is_not_embedded_is_read(tmp_path):
    async with World(embed_customer=False).served(tmp_path) as world:
        ada = world.bookeo.add_customer(**ADA)
        world.bookeo.outbox.waiting.clear()
        world.bookeo.book(ada)
        await world.settle()
        assert world.stored(ada) == (await world.links())[ada]


async def test_references_are_written_on_each_booking_and_foreign_ones_left_alone(tmp_path):
    async with World().served(tmp_path, booking='write_back = "external_ref"') as world:
        ada = world.bookeo.add_customer(**ADA)
        free, taken = world.bookeo.book(ada), world.bookeo.book(ada, externalRef="RESELLER-77")
        await world.settle()
        later = world.bookeo.book(ada)
        await world.settle()
        customer = (await world.links())[ada]
        references = {n: world.bookeo.state.bookings[n].get("externalRef") for n in (free, taken, later)}
        assert references == {free: f"crm:{customer}", taken: "RESELLER-77", later: f"crm:{customer}"}
        assert world.bookeo.requests["PUT /bookings/{number}"] == 2
        assert world.stored(ada) is None
        world.bookeo.requests.clear()
        world.bookeo.update_booking(later, title="moved")
        await world.settle()
        assert not world.bookeo.requests, "the delivery shows that the id is there"
        world.bookeo.delete_booking(later)
        world.bookeo.cancel(free)
        await world.settle()
        assert {event["state"] for event in await world.events()} == {"done"}


async def test_nothing_is_written_where_nothing_shall_be(tmp_path):
    async with World().served(tmp_path, booking='write_back = "none"') as world:
        ada = world.bookeo.add_customer(**ADA)
        world.bookeo.book(ada)
        await world.settle()
        assert set(await world.links()) == {ada}
        assert not [name for name in world.bookeo.requests if name.startswith("PUT")]


async def test_an_id_stored_on_a_booking_links_without_a_search(tmp_path):
    world = World()
    known = world.hubspot.add_contact(age=3600, email="other@example.org", firstname="Ada")
    async with world.served(tmp_path, booking='write_back = "external_ref"'):
        ada = world.bookeo.add_customer(**ADA)
        world.bookeo.outbox.waiting.clear()
        world.bookeo.book(ada, externalRef=f"crm:{known}")
        await world.settle()
        assert await world.links() == {ada: known}
        assert len(world.hubspot.contacts()) == 1


@pytest.mark.parametrize("booking", ["", 'write_back = "external_ref"'])
async def test_a_backfill_links_customers_with_and_without_bookings(tmp_path, booking):
    world = World(page_size=3)
    people = [world.bookeo.add_customer(firstName="P", emailAddress=f"p{n}@example.org") for n in range(8)]
    booked = [world.bookeo.book(people[n % 4], starts_at=TOMORROW + timedelta(days=20 * n)) for n in range(8)]
    world.bookeo.outbox.waiting.clear()
    async with world.served(tmp_path, booking=booking):
        counts = await world.backfill()
        links = await world.links()
        assert set(links) == set(people)
        assert (counts["seen"], counts["created"], counts["failed"], counts["state"]) == (8, 8, 0, "done")
        if booking:
            assert counts["written_back"] == 4
            owners = {number: world.bookeo.state.bookings[number] for number in booked}
            assert all(one["externalRef"] == f"crm:{links[one['customerId']]}" for one in owners.values())
        else:
            assert counts["written_back"] == 8
            assert {person: world.stored(person) for person in people} == links
        again = await world.backfill()
        assert (again["seen"], again["already_linked"], again["written_back"]) == (8, 8, 0)


async def test_a_lost_message_starts_a_repair(tmp_path):
    async with World().served(tmp_path) as world:
        lost = world.bookeo.add_customer(**ADA)
        world.bookeo.book(lost)
        world.bookeo.outbox.via = "http://127.0.0.1:9"
        await world.bookeo.send_webhooks()
        assert world.bookeo.outbox.counts["dropped"] == 2
        world.bookeo.outbox.via = world.service.url
        ben = world.bookeo.add_customer(firstName="Ben", emailAddress="ben@example.org")
        world.bookeo.book(ben)
        await world.settle()
        await world.service.operations.runner.wait()
        await world.settle()
        assert set(await world.links()) == {lost, ben}
        assert world.bookeo.requests["GET /bookings"] >= 1


async def test_forged_old_and_misdirected_deliveries_are_refused(tmp_path):
    async with World().served(tmp_path) as world:
        message = world.bookeo.queue("customers", "created", world.bookeo.add_customer(**ADA))
        world.bookeo.outbox.waiting.clear()
        path = "/webhooks/spa?domain=customers&type=created"
        signed = world.bookeo.outbox.headers(message, f"https://hooks.example.com{path}")
        world.bookeo.outbox._clock = lambda: datetime.now(UTC).timestamp() - 130
        old = world.bookeo.outbox.headers(message, f"https://hooks.example.com{path}")
        async with httpx.AsyncClient(base_url=world.service.url, trust_env=False) as sender:
            tries = [
                (path, message.body + b" ", signed),
                (path, message.body, old),
                ("/webhooks/spa?domain=bookings&type=created", message.body, signed),
                ("/webhooks/spa", message.body, signed),
                (path, message.body, {}),
            ]
            answers = [await sender.post(url, content=body, headers=headers) for url, body, headers in tries]
            assert [answer.status_code for answer in answers] == [401] * 5
            assert await world.events() == []
            for expected in ("queued", "duplicate"):
                answer = await sender.post(path, content=message.body, headers=signed)
                assert (answer.status_code, answer.json()) == (202, {"status": expected, "event": message.id})


async def test_with_faults_on_both_sides_all_is_linked_once(tmp_path):
    world = World()
    async with world.served(tmp_path):
        people = [world.bookeo.add_customer(firstName=f"P{n}", emailAddress=f"p{n}@example.org") for n in range(6)]
        for person in people:
            world.bookeo.book(person)
        faults = Faults(lost_answer=0.1, error_503=0.1, duplicate_delivery=0.5, reorder_delivery=0.5, seed=4)
        world.bookeo.faults = world.hubspot.faults = faults
        await world.bookeo.send_webhooks(concurrency=4)
        world.bookeo.faults = world.hubspot.faults = Faults(duplicate_delivery=0.3)
        await world._idle()
        await world.settle()
        links = await world.links()
        assert set(links) == set(people)
        assert len(set(links.values())) == len(world.hubspot.contacts()) == 6
        assert {person: world.stored(person) for person in people} == links


async def test_no_log_line_tells_who_or_what_was_secret(tmp_path):
    async with World().served(tmp_path) as world:
        world.bookeo.book(world.bookeo.add_customer(**ADA))
        await world.settle()
        text = str(world.lines())
        assert not [word for word in ("ada@", "Example", "555-01", "sandbox-api-key", "sandbox-secret") if word in text]


async def test_a_lost_message_is_not_forgotten_by_a_restart(tmp_path):
    world = World()
    async with world.served(tmp_path):
        lost = world.bookeo.add_customer(**ADA)
        world.bookeo.outbox.via = "http://127.0.0.1:9"
        await world.bookeo.send_webhooks()
        world.bookeo.outbox.via = world.service.url
        # As with --no-worker, or a process that ends right after it has stored the delivery.
        world.service.operations._works = False
        ben = world.bookeo.add_customer(firstName="Ben", emailAddress="ben@example.org")
        await world.settle()
        assert set(await world.links()) == {ben}
    async with world.served(tmp_path):
        await world.service.operations.runner.wait()
        await world.settle()
        assert set(await world.links()) == {lost, ben}
    async with world.served(tmp_path):
        assert world.service.operations.runner._started == {}, "one repair is enough"


async def test_the_id_on_a_booking_that_was_handed_over_is_asked_about(tmp_path):
    async with World().served(tmp_path, booking='write_back = "external_ref"') as world:
        ada = world.bookeo.add_customer(**ADA)
        number = world.bookeo.book(ada)
        await world.settle()
        ben = world.bookeo.state.add_customer(firstName="Ben", lastName="Okafor", emailAddress="ben@example.org")
        world.bookeo.update_booking(number, customerId=ben)
        await world.settle()
        assert set(await world.links()) == {ada}
        (held,) = await world.events(state="held")
        assert (held["client_id"], "may have passed to another person" in held["reason"]) == (ben, True)
