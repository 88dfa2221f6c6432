"""The record of an appointment whose making had no clear answer: none is made again while the first one may still show."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from contract.accounts import CrmAccount, account

from connector import registry
from connector.crms.base import CRM
from connector.model.errors import Postponed, UnknownOutcome
from connector.remote.rate_limit import Quota

from .harness import World

pytestmark = pytest.mark.anyio
#: The CRMs that would keep a second record, and the calls that make one; in the others our marker is a key.
MAKES = {
    "hubspot": r"/meetings$",
    "pipedrive": r"/activities$",
    "salesforce": r"/sobjects/Event$",
    "tryton": r"/ir\.attachment$",
    "zoho": r"/Events$",
}
KEYED = {"dynamics", "odoo"}


class Late(httpx.AsyncBaseTransport):
    """The way to a CRM on which the first request that makes a record is late: we give it up before it arrives."""

    def __init__(self, inner: httpx.AsyncBaseTransport, path: str) -> None:
        self._inner = inner
        self._path = re.compile(path)
        self._kept: list[httpx.Request] = []
        self.made = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Keep the first one back; pass on the others."""
        if request.method == "POST" and self._path.search(request.url.path):
            self.made += 1
            if self.made == 1:
                await request.aread()
                self._kept.append(request)
                raise httpx.ReadTimeout("no answer")
        return await self._inner.handle_async_request(request)

    async def arrive(self) -> None:
        """Let the late request arrive, and be carried out."""
        answer = await self._inner.handle_async_request(self._kept.pop())
        assert answer.is_success


class LateWorld(World):
    """The sync's world with another CRM, whose way is `Late`."""

    def __init__(self, folder: Path, system: str) -> None:
        self.account: CrmAccount = account(system)
        self.late = Late(self.account.checked(httpx.ASGITransport(self.account.app)), MAKES[system])
        super().__init__(folder)

    def _connect_crm(self) -> CRM:
        adapter = registry.crm(self.account.system)
        settings = adapter.settings_model.model_validate(self.account.settings("https://crm.test"))
        return adapter.connect("main", settings, Quota, transport=self.late)


@pytest.fixture(params=MAKES)
async def world(request, tmp_path):
    made = LateWorld(tmp_path, request.param)
    await made.start()
    made.use(record_appointments=True)
    yield made
    await made.stop()


async def test_a_record_that_arrives_after_we_looked_is_found_and_no_second_one_is_made(world):
    assert isinstance((await world.process(world.client())).error, UnknownOutcome)
    assert world.account.appointments() == []
    wait = world.crm.record_settle_seconds
    (ended,) = await world.again(wait / 2)
    assert isinstance(ended.error, Postponed), "the look found nothing, but the request may still be at work"
    await world.late.arrive()
    (ended,) = await world.again(wait)
    assert ended.state == "done"
    assert len(world.account.appointments()) == world.late.made == 1


async def test_a_record_that_never_arrives_is_made_after_the_wait(world):
    await world.process(world.client())
    (ended,) = await world.again(world.crm.record_settle_seconds + 10)
    assert ended.state == "done"
    assert world.late.made == 2
    assert len(world.account.appointments()) == 1


async def test_without_the_wait_there_would_be_two(world):
    """What the wait is for."""
    world.crm.record_settle_seconds = 0
    await world.process(world.client())
    await world.again()
    await world.late.arrive()
    assert len(world.account.appointments()) == 2


@pytest.mark.parametrize("system", [*MAKES, *sorted(KEYED)])
def test_only_where_our_marker_is_a_key_nothing_waits(system):
    assert (account(system).connect().record_settle_seconds > 0) is (system in MAKES)
