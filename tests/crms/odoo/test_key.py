"""An API key that ends in three months: counted, renewed two weeks before, kept before it is used."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import httpx
import pytest
import structlog
from remote.ledgers import Process, Server

from connector.crms.odoo.adapter import Odoo
from connector.crms.odoo.settings import OdooSettings
from connector.model.errors import AccountPaused, Rejected, StoreError
from connector.model.renewed import Renewed, fingerprint
from connector.remote.rate_limit import Quota
from connector.sandbox.kit.faults import Faults
from connector.sandbox.odoo.app import OdooSandbox
from connector.store.renewed import RenewedTable
from connector.worker.accounts import Connections
from connector.worker.housekeeping import AccountChecks

from .conftest import BASE

pytestmark = pytest.mark.anyio
START = datetime(2027, 1, 1, 12, tzinfo=UTC)


class Memory:
    """What the store keeps; `seen` is which key the sandbox would have been shown at the moment of keeping."""

    def __init__(self) -> None:
        self.kept: dict[str, Renewed] = {}
        self.fails = False
        self.adapter: Odoo | None = None
        self.in_use: list[str] = []

    def get(self, account: str) -> Renewed | None:
        return self.kept.get(account)

    async def keep(self, account: str, renewed: Renewed) -> None:
        if self.fails:
            raise StoreError("no room")
        self.in_use.append(self.adapter._renewal._login.key)
        self.kept[account] = renewed


class World:
    """An Odoo whose key ends ninety days after the start, and adapters one after the other, at a time that the test says."""

    def __init__(self, **settings: object) -> None:
        self.now = START
        self.sandbox = OdooSandbox(key_expires=START + timedelta(days=90), clock=self._unix)
        self.memory = Memory()
        self.settings = settings
        self.adapter = self.start()

    def _unix(self) -> float:
        return self.now.timestamp()

    def start(self, **settings: object) -> Odoo:
        """What a process does when it starts."""
        given = OdooSettings.model_validate({**BASE, **self.settings, **settings})
        self.adapter = Odoo.connect("main", given, Quota, transport=httpx.ASGITransport(self.sandbox.app))
        for part in (self.adapter._renewal, self.adapter._expiry):
            part._clock = lambda: self.now
        self.memory.adapter = self.adapter
        self.adapter.remember(self.memory)
        return self.adapter

    def after(self, days: float) -> None:
        self.now = START + timedelta(days=days)

    async def check(self):
        return {check.id: check for check in await self.adapter.checks()}["crm.main.key"]


@pytest.fixture
async def world():
    made = World()
    yield made
    await made.adapter.remote.aclose()


async def test_two_weeks_before_the_end_a_new_key_takes_over_and_lives_on_after_the_old_one(world):
    world.after(75)
    assert await world.adapter.renew() == []
    world.after(77)
    assert await world.adapter.renew() == ["Odoo: renewed the API key; the new one ends on 2027-06-17"]
    assert world.memory.in_use == ["sandbox-key"], "it is on the disk before it is used"
    (kept,) = world.memory.kept.values()
    assert kept.instead_of == fingerprint("sandbox-key")
    assert (await world.check()).message == "Odoo: the API key is good for 89 more days"
    world.after(100)
    await world.adapter.probe()
    world.after(155)
    assert len(await world.adapter.renew()) == 1
    world.after(170)
    await world.adapter.probe()
    assert world.sandbox.requests["res.users.apikeys generate"] == 2


async def test_the_next_process_goes_on_with_the_new_key(world):
    world.after(77)
    await world.adapter.renew()
    await world.adapter.remote.aclose()
    world.after(100)
    adapter = world.start()
    await adapter.probe()
    assert (await world.check()).level == "ok"


async def test_a_key_that_somebody_configured_since_wins_over_the_kept_one(world):
    world.after(77)
    await world.adapter.renew()
    await world.adapter.remote.aclose()
    world.sandbox.api_key = "put-in-by-hand"
    world.sandbox.keys.made.clear()
    await world.start(api_key="put-in-by-hand").probe()


async def test_where_odoo_makes_no_keys_for_programs_a_warning_says_so_and_it_is_tried_once_a_day(world):
    world.sandbox.keys.allowed = False
    world.after(80)
    for _ in range(3):
        assert await world.adapter.renew() == []
    check = await world.check()
    assert (check.level, check.message) == ("warning", "Odoo: the API key ends in 10 days")
    assert "base.enable_programmatic_api_keys" in check.hint
    assert "renew the API key" in check.hint
    assert world.sandbox.requests["res.users.apikeys generate"] == 1
    assert world.adapter.remote.breaker.error is None, "everything else goes on"
    world.sandbox.keys.allowed = True
    world.after(82)
    assert len(await world.adapter.renew()) == 1
    assert (await world.check()).level == "ok"


async def test_a_lost_answer_changes_nothing_and_the_old_key_goes_on_until_the_next_day(world):
    await world.check()
    world.after(77)
    world.sandbox.faults = Faults(lost_answer=1, methods=("POST",))
    assert await world.adapter.renew() == []
    world.sandbox.faults = Faults()
    assert world.memory.kept == {}
    assert len(world.sandbox.keys.made) == 1, "a key that nobody knows"
    world.after(78)
    await world.adapter.probe()
    assert (await world.check()).message == "Odoo: the API key ends in 12 days"
    world.after(79)
    assert len(await world.adapter.renew()) == 1


async def test_a_key_that_cannot_be_kept_is_not_used(world):
    world.after(77)
    world.memory.fails = True
    with pytest.raises(StoreError):
        await world.adapter.renew()
    assert world.adapter._renewal._login.key == "sandbox-key"
    await world.adapter.probe()


@pytest.mark.parametrize(
    ("major", "settings"), [(19, {"renew_api_key": False}), (17, {"database": "sandbox", "login": "connector"})]
)
async def test_nothing_is_renewed_where_nobody_wants_it_or_the_server_cannot(world, major, settings):
    await world.adapter.remote.aclose()
    world.sandbox.major = major
    world.start(api_key_expires=(START + timedelta(days=90)).date(), **settings)
    world.after(80)
    assert await world.adapter.renew() == []
    assert world.sandbox.requests["res.users.apikeys generate"] == 0
    assert (await world.check()).level == "warning"


async def test_without_a_renewal_the_account_stops_at_the_end(world):
    world.after(91)
    with pytest.raises(AccountPaused) as caught:
        await world.adapter.probe()
    assert "new API key" in caught.value.hint


async def test_the_service_renews_once_an_hour_and_says_so_without_the_key(world):
    world.after(77)
    checks = AccountChecks(Connections(crms={"main": world.adapter}))
    with structlog.testing.capture_logs() as logs:
        checks._log = structlog.get_logger("test").bind()
        await checks.check_all()
    (line,) = [entry for entry in logs if entry["event"] == "account was renewed"]
    assert (line["account"], line["what"][:28]) == ("crm.main", "Odoo: renewed the API key; t")
    assert world.memory.kept["crm.main"].value not in str(logs)
    assert "crm.main.key" not in {check.id for check in checks.findings["crm.main"]}


async def test_of_several_processes_one_renews_and_the_others_go_on_with_the_new_key(world):
    with Server() as server:
        leader, other = (SimpleNamespace(renewed=RenewedTable(Process(server, boot))) for boot in "ab")
        second = world.start()
        second.remember(other.renewed)
        world.adapter = first = world.start()
        first.remember(leader.renewed)
        world.after(77)
        assert len(await first.renew()) == 1
        for store, adapter in ((other, second), (leader, first)):
            await Connections(crms={"main": adapter}).take_renewed(store)
        world.after(100)
        await first.probe()
        await second.probe()
        assert await second.renew() == []
        assert world.sandbox.requests["res.users.apikeys generate"] == 1
        # One that starts now.
        await other.renewed.load()
        third = world.start()
        third.remember(other.renewed)
        await third.probe()
        for adapter in (second, third):
            await adapter.remote.aclose()
        assert first._renewal._login.key not in str(server.ask("SELECT value FROM shared_states"))


async def test_the_sandbox_makes_ten_keys_of_ninety_days_at_most(world):
    for _ in range(10):
        await world.adapter._client.generate_key("sandbox-key", "k", (START + timedelta(days=90)).date())
    with pytest.raises(Rejected, match="refused because of a value"):
        await world.adapter._client.generate_key("sandbox-key", "k", (START + timedelta(days=90)).date())
    world.sandbox.keys.made.clear()
    with pytest.raises(Rejected, match="refused because of a value"):
        await world.adapter._client.generate_key("sandbox-key", "k", (START + timedelta(days=91)).date())
