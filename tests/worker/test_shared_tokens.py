"""One access token for all processes: fetched by one, stored sealed, renewed in time and once where it is refused."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from remote.ledgers import Process, Server
from store.virtual_time import in_virtual_time

from connector import registry
from connector.model.errors import StoreError, Transient, Unavailable
from connector.remote.oauth import MARGIN, Token, TokenSource
from connector.remote.rate_limit import Quota
from connector.store.shared import Locks, SharedStates
from connector.worker.accounts import Connections, share_tokens
from connector.worker.shared_tokens import PATIENCE, SharedToken


class Vendor:
    """Issues `t1`, `t2`, …, each in two seconds."""

    def __init__(self, lives: float | None = 3600.0) -> None:
        self.issued = 0
        self.lives = lives
        self.fails: Exception | None = None

    async def fetch(self, _probe: bool) -> Token:
        await asyncio.sleep(2)
        if self.fails is not None:
            raise self.fails
        self.issued += 1
        return Token(f"t{self.issued}", self.lives)


def source(server: Server, vendor: Vendor, boot: str, credentials: str = "id and secret") -> TokenSource:
    """What one process asks for its token."""
    process = Process(server, boot)
    store = SimpleNamespace(database=process, locks=Locks(process), states=SharedStates(process))
    found = TokenSource(vendor.fetch, clock=asyncio.get_running_loop().time)
    found.share(SharedToken(store, "crm.main", credentials))
    return found


@in_virtual_time
async def test_eight_processes_that_start_at_once_and_again_fetch_one_token():
    with Server() as server:
        vendor = Vendor()
        for start in range(2):
            sources = [source(server, vendor, f"{start}-{number}") for number in range(8)]
            assert set(await asyncio.gather(*(one.current() for one in sources))) == {"t1"}
        assert vendor.issued == 1
        assert "t1" not in str(server.ask("SELECT value FROM shared_states"))
        assert server.ask("SELECT * FROM locks") == []


@in_virtual_time
async def test_it_is_renewed_in_time_and_by_one():
    with Server() as server:
        vendor = Vendor()
        first, second = (source(server, vendor, boot) for boot in "ab")
        await asyncio.gather(first.current(), second.current())
        await asyncio.sleep(3600 - MARGIN - 10)
        assert {await first.current(), await second.current()} == {"t1"}
        await asyncio.sleep(20)
        assert set(await asyncio.gather(first.current(), second.current())) == {"t2"}
        assert vendor.issued == 2


@pytest.mark.parametrize("lives", [3600.0, None])
@in_virtual_time
async def test_a_token_that_is_refused_in_all_processes_is_replaced_once(lives):
    with Server() as server:
        vendor = Vendor(lives)
        sources = [source(server, vendor, boot) for boot in "abc"]
        await asyncio.gather(*(one.current() for one in sources))
        assert set(await asyncio.gather(*(one.current(refused="t1") for one in sources))) == {"t2"}
        # In another way than by a 401.
        sources[0].forget()
        assert await sources[0].current() == "t3"
        assert await sources[1].current(refused="t2") == "t3"
        assert vendor.issued == 3


@in_virtual_time
async def test_what_one_cannot_fetch_the_next_one_tries():
    with Server() as server:
        vendor = Vendor()
        vendor.fails = Unavailable("down")
        first, second = (source(server, vendor, boot) for boot in "ab")
        with pytest.raises(Unavailable):
            await first.current()
        vendor.fails = None
        assert await second.current() == "t1"
        assert await first.current() == "t1"


@in_virtual_time
async def test_a_token_of_other_credentials_is_not_used():
    with Server() as server:
        vendor = Vendor()
        assert await source(server, vendor, "a", "of the test organisation").current() == "t1"
        assert await source(server, vendor, "b", "of the real one").current() == "t2"


@in_virtual_time
async def test_a_token_that_cannot_be_stored_is_used_by_the_one_that_has_it():
    with Server() as server:
        vendor = Vendor()
        one = source(server, vendor, "a")

        async def away(*_values: object, part: str) -> float:
            raise StoreError("The server is away.")

        one._shared._states.save = away
        assert await one.current() == "t1"
        assert await one.current() == "t1"


@in_virtual_time
async def test_who_waits_in_vain_for_another_process_comes_back_later():
    with Server() as server:
        vendor = Vendor()
        one = source(server, vendor, "a")
        server.ask("INSERT INTO locks VALUES (?, 'stands still')", Process(server, "b").keyed(one._shared._name))
        began = asyncio.get_running_loop().time()
        with pytest.raises(Transient, match="another process"):
            await one.current()
        assert asyncio.get_running_loop().time() - began == pytest.approx(PATIENCE, abs=1)
        assert vendor.issued == 0


ACCOUNTS = {
    "zoho": {"data_centre": "eu", "client_id": "i", "client_secret": "s", "refresh_token": "r"},
    "dynamics": {"base_url": "https://o.crm4.dynamics.com", "tenant_id": "t", "client_id": "i", "client_secret": "s"},
    "salesforce": {"base_url": "https://o.my.salesforce.com", "client_id": "i", "client_secret": "s"},
}


@pytest.mark.parametrize("system", ACCOUNTS)
@in_virtual_time
async def test_accounts_with_tokens_share_them_as_long_as_nobody_configures_another_secret(system):
    crm = registry.crm(system)
    with Server() as server:
        names = []
        for secret in ("s", "s", "another"):
            settings = crm.settings_model.model_validate({"system": system, **ACCOUNTS[system], "client_secret": secret})
            adapter = crm.connect("main", settings, Quota)
            process = Process(server, "a")
            store = SimpleNamespace(database=process, locks=Locks(process), states=SharedStates(process))
            share_tokens(Connections(crms={"main": adapter}), SimpleNamespace(booking={}, crm={"main": settings}), store)
            names.append(adapter.remote.tokens._shared._name)
            await adapter.remote.aclose()
    assert names[0] == names[1] != names[2]
