"""The whole service between the Booxi sandbox and Zoho's: one person, thirty events at once, one customer."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from connector import registry
from connector.app import Service
from connector.config import settings as config
from connector.sandbox.booxi.app import BooxiSandbox
from connector.sandbox.booxi.webhooks import Target
from connector.sandbox.kit.faults import Faults
from connector.sandbox.zoho.app import ZohoSandbox
from connector.store import views

from .conftest import KEY, MARKER
from .shapes import conforming

pytestmark = pytest.mark.anyio
TOKEN = "a-fixed-token-of-the-sender"
CONFIG = f"""
[server]
port = 0
[status]
token = "a-status-token-of-a-test"
[booking.stores]
system = "booxi"
base_url = "https://booxi.test"
partner_key = "sandbox-partner-key"
module_id = "zoho"
default_country = "CA"
limits = {{ per_second = 0, per_minute = 0 }}
[booking.stores.webhook]
verify = "token"
tokens = ["{TOKEN}"]
[crm.main]
system = "zoho"
wait_minutes = 0.01
data_centre = "eu"
base_url = "https://zoho.test"
accounts_url = "https://accounts.test"
client_id = "sandbox-client"
client_secret = "sandbox-secret"
refresh_token = "sandbox-refresh"
[[sync]]
booking = "stores"
crm = "main"
record_appointments = true
"""
TOMORROW = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)


class World:
    """Both sandboxes, and the service between them."""

    def __init__(self, folder: Path) -> None:
        self.booxi = BooxiSandbox(quota=None, module_ids=("zoho",), retries=[0.05] * 200)
        self.zoho = ZohoSandbox(fields=(f"Contacts.{KEY}!", f"Events.{MARKER}"))
        self._file = folder / "connector.toml"
        self._file.write_text(CONFIG, encoding="utf-8")

    @asynccontextmanager
    async def running(self):
        """Run the service."""
        wire = conforming(httpx.ASGITransport(self.zoho.app))
        transports = {"booking.stores": httpx.ASGITransport(self.booxi.app), "crm.main": wire}
        service = await Service.open(config.load(self._file, systems=registry.Registry()), transports=transports)
        await service.start()
        try:
            self.booxi.outbox.target = Target(f"{service.url}/webhooks/stores", token=TOKEN)
            yield service
        finally:
            await service.stop()

    async def settle(self, service: Service) -> None:
        """Send what waits, all at once, and wait until nothing is left to do; faults end after the first ten events."""
        await self.booxi.send_webhooks(concurrency=30)
        async with asyncio.timeout(60):
            while True:
                await service.operations.retry(state="retrying")
                queue = await service.engine.store.read(views.queue)
                if not queue["queued"] + queue["running"] + queue["retrying"] and not self.booxi.outbox.waiting:
                    return
                if queue["done"] > 10:
                    self.zoho.faults = Faults(search_lag_seconds=600)
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("faults", [{}, {"lost_answer": 0.15, "error_500": 0.1, "seed": 3}], ids=["calm", "with lost answers"])
async def test_thirty_events_of_one_new_person_at_once_make_one_customer_and_each_event_once(tmp_path, faults):
    world = World(tmp_path)
    booxi, zoho = world.booxi, world.zoho
    async with world.running() as service:
        client = booxi.add_client(firstName="Ada", lastName="Byron", email="ada@example.com", mobilePhoneNumber="+15145550123")
        for hours in range(30):
            booxi.book(client, starts_at=TOMORROW + timedelta(hours=hours))
        zoho.faults = Faults(**faults, search_lag_seconds=600)
        await world.settle(service)
        links = await service.engine.store.read(views.links)
    (contact,) = zoho.contacts()
    assert (contact["Email"], contact["First_Name"], contact["Last_Name"]) == ("ada@example.com", "Ada", "Byron")
    assert {link["customer_id"] for link in links} == {contact["id"]}
    assert list(booxi.links().values()) == [contact["id"]]
    assert len({event[MARKER] for event in zoho.events()}) == len(zoho.events()) == 30
    assert {event["Who_Id"]["id"] for event in zoho.events()} == {contact["id"]}
    assert zoho.requests["GET Contacts/search"] == 0
    assert (zoho.app.injected.total() > 0) is bool(faults)
    if not faults:
        assert zoho.stats()["tokens"] == 1


async def test_what_a_new_and_a_known_customer_cost(tmp_path):
    world = World(tmp_path)
    async with world.running() as service:
        client = world.booxi.add_client(
            firstName="Ada", lastName="Byron", email="ada@example.com", mobilePhoneNumber="+15145550123"
        )
        async with asyncio.timeout(60):
            while not world.zoho.requests["POST coql"]:  # The service checks the account when it starts.
                await asyncio.sleep(0.05)
        costs = []
        for hours in (1, 2):
            before = world.zoho.requests.copy()
            world.booxi.book(client, starts_at=TOMORROW + timedelta(hours=hours))
            await world.settle(service)
            spent = world.zoho.requests - before
            costs.append({name: count for name, count in spent.items() if not name.endswith("fields")})
    assert costs == [
        {"POST coql": 3, "POST Contacts/upsert": 1, "POST Events": 1},
        {"GET Contacts/{id}": 1, "POST Events": 1},
    ]
