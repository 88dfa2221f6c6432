"""The whole service between the Booxi sandbox and Zoho's: one person, thirty events at once, one customer."""

import asyncio
from datetime import UTC, datetime, timedelta

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
from .shapes import Checked

pytestmark = pytest.mark.anyio
TOKEN = "a-fixed-token-of-the-sender"
CONFIG = f"""
[server]
port = 0
[status]
token = "a-status-token-of-a-test"
[booking.stores]
system = "booxi"
base_url = "http://booxi.test"
partner_key = "sandbox-partner-key"
module_id = "zoho"
default_country = "CA"
limits = {{ per_second = 0, per_minute = 0 }}
[booking.stores.webhook]
verify = "token"
tokens = ["{TOKEN}"]
[crm.main]
system = "zoho"
data_centre = "eu"
base_url = "http://zoho.test"
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


@pytest.mark.parametrize("faults", [{}, {"lost_answer": 0.15, "error_500": 0.1, "seed": 3}], ids=["calm", "with lost answers"])
async def test_thirty_events_of_one_new_person_at_once_make_one_customer_and_each_event_once(tmp_path, faults):
    booxi = BooxiSandbox(quota=None, module_ids=("zoho",), retries=[0.05] * 200)
    zoho = ZohoSandbox(fields=(f"Contacts.{KEY}!", f"Events.{MARKER}"))
    wire = Checked(httpx.ASGITransport(zoho.app))
    file = tmp_path / "connector.toml"
    file.write_text(CONFIG, encoding="utf-8")
    transports = {"booking.stores": httpx.ASGITransport(booxi.app), "crm.main": wire}
    service = await Service.open(config.load(file, systems=registry.Registry()), transports=transports)
    await service.start()
    try:
        booxi.outbox.target = Target(f"{service.url}/webhooks/stores", token=TOKEN)
        client = booxi.add_client(firstName="Ada", lastName="Byron", email="ada@example.com", mobilePhoneNumber="+15145550123")
        for hours in range(30):
            booxi.book(client, starts_at=TOMORROW + timedelta(hours=hours))
        zoho.faults = Faults(**faults, search_lag_seconds=600)
        await booxi.send_webhooks(concurrency=30)
        async with asyncio.timeout(60):
            while True:
                await service.operations.retry(state="retrying")
                queue = await service.engine.store.read(views.queue)
                if not queue["queued"] + queue["running"] + queue["retrying"] and not booxi.outbox.waiting:
                    break
                zoho.faults = Faults(search_lag_seconds=600) if queue["done"] > 10 else zoho.faults
                await asyncio.sleep(0.05)
        links = await service.engine.store.read(views.links)
    finally:
        await service.stop()
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
