"""One booking account, two CRMs: two sources with the same key, each with its own webhook, module and CRM."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from contract.accounts import account

from connector import registry
from connector.app import Service
from connector.config import settings as config
from connector.sandbox.booxi.app import BooxiSandbox
from connector.sandbox.booxi.webhooks import Target
from connector.store import views

pytestmark = pytest.mark.anyio
SOURCE = """
[booking.{name}]
system = "booxi"
base_url = "https://booxi.test"
partner_key = "sandbox-partner-key"
module_id = "{module}"
default_country = "CA"
limits = {{ per_second = 0, per_minute = 0 }}
[booking.{name}.webhook]
verify = "none"
[[sync]]
booking = "{name}"
crm = "{crm}"
"""
CRMS = """
[server]
port = 0
[crm.sales]
system = "odoo"
base_url = "https://sales.test"
api_key = "sandbox-key"
limits = { per_second = 0 }
[crm.service]
system = "pipedrive"
base_url = "https://service.test"
token = "sandbox-token"
limits = { per_2_seconds = 0, searches_per_2_seconds = 0, daily_tokens = 0 }
"""


async def until_idle(service: Service) -> None:
    async with asyncio.timeout(30):
        while (queue := await service.engine.store.read(views.queue))["done"] < 2:
            assert not queue["held"], await service.engine.store.read(views.events)
            await asyncio.sleep(0.02)


async def test_one_account_feeds_two_crms_and_keeps_both_links(tmp_path: Path):
    booxi = BooxiSandbox(quota=None, module_ids=("sales", "service"), retries=[0.05] * 200)
    odoo, pipedrive = account("odoo"), account("pipedrive")
    file = tmp_path / "connector.toml"
    sources = [SOURCE.format(name=f"stores_{crm}", module=crm, crm=crm) for crm in ("sales", "service")]
    file.write_text(CRMS + "".join(sources))
    transports = {f"booking.stores_{crm}": httpx.ASGITransport(booxi.app) for crm in ("sales", "service")}
    transports |= {
        f"crm.{name}": crm.checked(httpx.ASGITransport(crm.app)) for name, crm in (("sales", odoo), ("service", pipedrive))
    }
    service = await Service.open(config.load(file, systems=registry.Registry()), transports=transports)
    await service.start()
    try:
        ada = booxi.add_client(firstName="Ada", lastName="Byron", email="ada@example.com")
        booxi.book(ada)
        bodies = list(booxi.outbox.waiting)
        for crm in ("sales", "service"):
            booxi.outbox.waiting[:] = bodies
            booxi.outbox.target = Target(f"{service.url}/webhooks/stores_{crm}")
            await booxi.send_webhooks()
        await until_idle(service)
        found = {link["crm"]: link["customer_id"] for link in await service.engine.store.read(views.links)}
        quotas = {id(adapter.remote.quota) for adapter in service.engine.connections.booking.values()}
    finally:
        await service.stop()
    assert found == {"sales": odoo.customers()[0], "service": pipedrive.customers()[0]}
    assert {crm: booxi.links(crm)[ada] for crm in found} == found
    assert len(quotas) == 1, "both sources spend the budget of one key"
