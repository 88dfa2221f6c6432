"""connector as a real process between Booxi's sandbox and a real Tryton server: many at once, lost answers, kills of both.

Nothing here is our own imitation of a CRM: what must not happen twice is counted in Tryton's database.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import tryton_server
from crms.tryton.real import Account

from connector.sandbox.booxi.app import BooxiSandbox
from connector.sandbox.booxi.webhooks import Target
from connector.sandbox.kit.faults import Faults
from connector.sandbox.kit.server import Server

from .world import PARTNER_KEY, WEBHOOK_TOKEN, Service, eventually, pending, rows, states

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

CONFIG = """
[server]
port = 0
[database]
url = "sqlite:///connector.db"
[log]
format = "json"
[booking.stores]
system = "booxi"
base_url = "{booxi}/booking/v1"
partner_key = "{partner_key}"
module_id = "hubspot"
default_country = "CA"
limits = {{ per_second = 0, per_minute = 0 }}
[booking.stores.webhook]
verify = "token"
tokens = ["{webhook_token}"]
[crm.main]
system = "tryton"
wait_minutes = 0.01
base_url = "{tryton}"
database = "{database}"
api_key = "{api_key}"
limits = {{ per_second = 0 }}
[[sync]]
booking = "stores"
crm = "main"
record_appointments = true
"""
#: Of the writes at Tryton, some are answered 500 and not done, some are done and their answer is lost or a 500. With this seed
#: the first one, which makes the person, is done and its answer lost. They end after some: every one costs a pause that grows.
LIES = {"seed": 4, "methods": ("POST", "PUT"), "error_500": 0.1, "lost_answer": 0.25, "error_after_effect": 0.1}
MOST_LIES = 5
#: Lives of the process, each with so many new people; it is killed when some of them are made.
KILLS, PEOPLE = 3, 3


class World:
    """Booxi's sandbox, and a Tryton server behind a proxy that misbehaves."""

    def __init__(self, server: tryton_server.Server) -> None:
        self.server = server
        self.tryton = Account(server)
        self.tryton.sandbox.most = MOST_LIES
        self.booxi = BooxiSandbox(partner_key=PARTNER_KEY, quota=None, retries=[0.1] * 300)
        self.bookings = 0

    def config(self, folder: Path, booxi: Server, proxy: Server) -> Path:
        """Write the configuration."""
        keys = {"partner_key": PARTNER_KEY, "webhook_token": WEBHOOK_TOKEN, "api_key": tryton_server.KEYS["admin"]}
        text = CONFIG.format(booxi=booxi.url, tryton=proxy.url, database=tryton_server.DATABASE, **keys)
        file = folder / "connector.toml"
        file.write_text(text, encoding="utf-8")
        return file

    def person(self, number: int, *, clients: int, bookings: int) -> None:
        """A new person who is several clients of the booking system and books several times as each."""
        for _ in range(clients):
            fields = {"firstName": "Ada", "lastName": f"Byron{number}", "email": f"ada{number}@example.com"}
            client = self.booxi.add_client(**fields, mobilePhoneNumber=f"+1514555{number:04}")
            for _ in range(bookings):
                self.booxi.book(client)
                self.bookings += 1

    def aim(self, service: Service) -> None:
        """Send webhooks there from now on."""
        self.booxi.outbox.target = Target(f"{service.url}/webhooks/stores", token=WEBHOOK_TOKEN)

    def check(self, service: Service, people: int) -> None:
        """One party for each person, one attachment for each booking, and every client linked to the right one."""
        assert set(states(service.database)) == {"done"}
        assert rows(service.database, "SELECT * FROM intents WHERE state <> 'done'") == []
        everybody = [["active", "in", [True, False]]]
        parties = self._read("party.party", everybody, ["name", "email", "code"])
        assert Counter(party["email"] for party in parties) == Counter(f"ada{number}@example.com" for number in range(people))
        by_email = {party["email"]: str(party["id"]) for party in parties}
        clients = self.booxi.state.clients
        right = {client: by_email[data["email"]] for client, data in clients.items()}
        assert self.booxi.links() == right
        attachments = self._read("ir.attachment", [], ["description"])
        markers = {one["description"].splitlines()[-1] for one in attachments}
        assert (len(attachments), len(markers)) == (self.bookings, self.bookings)

    def _read(self, model: str, domain: list[Any], fields: list[str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.server.rpc(f"model.{model}.search_read", domain, 0, None, None, fields, {})
        return found


@pytest.fixture(scope="module")
def server() -> Iterator[tryton_server.Server]:
    tryton_server.needed()
    with tryton_server.serving() as server:
        yield server


@pytest.fixture
async def world(server: tryton_server.Server, tmp_path: Path) -> AsyncIterator[tuple[World, Path]]:
    world = World(server)
    async with Server(world.booxi.app) as booxi, Server(world.tryton.app) as proxy:
        yield world, world.config(tmp_path, booxi, proxy)


@pytest.mark.parametrize("faults", [{}, LIES], ids=["well", "lost answers"])
async def test_fifty_events_at_once_for_one_new_person_make_one_party(world, faults):
    world, file = world
    world.tryton.sandbox.faults = Faults(**faults)
    service = Service(file)
    async with service.running():
        world.aim(service)
        world.person(0, clients=5, bookings=10)
        await world.booxi.send_webhooks(concurrency=50)
        await service.settled()
        assert await service.stop() == 0
    assert sum(states(service.database).values()) == 50
    if faults:
        assert world.tryton.sandbox.app.injected["lost_answer"] > 0
    world.check(service, 1)


async def test_kills_of_connector_and_of_tryton_leave_one_party_for_each_person(world):
    world, file = world
    world.tryton.sandbox.faults = Faults(**LIES)
    rng, people, proxy = random.Random(5), 0, world.tryton.sandbox
    sending: list[asyncio.Task[int]] = []
    for life in range(KILLS):
        service = Service(file)
        async with service.running():
            world.aim(service)
            for _ in range(PEOPLE):
                world.person(people, clients=2, bookings=2)
                people += 1
            enough = proxy.written + rng.randint(1, PEOPLE)
            sending.append(asyncio.create_task(world.booxi.send_webhooks(concurrency=12)))
            await eventually(lambda enough=enough: proxy.written >= enough)
            if life == 1:
                world.server.kill()
                await asyncio.to_thread(world.server.start)
        assert pending(service.database) or not all(task.done() for task in sending), "killed too late"
    service = Service(file)
    async with service.running():
        world.aim(service)
        await asyncio.gather(*sending)
        await service.settled()
        assert await service.stop() == 0
    world.check(service, people)
