"""Accounts that one process probes for all: what the others say of them meanwhile."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from remote.ledgers import Process, Server
from store.virtual_time import in_virtual_time

from connector.model.errors import Unavailable
from connector.remote.circuit_breaker import CircuitBreaker
from connector.store.shared import SharedStates
from connector.worker.shared_accounts import SharedAccounts


@pytest.mark.parametrize(
    ("answered", "reason"), [(True, "answered 503"), (False, "the process that probes it does not answer")]
)
@in_virtual_time
async def test_the_reason_that_a_process_has_met_stays_while_the_leader_waits_for_the_end_of_a_pause(answered, reason):
    with Server() as server:
        process = Process(server, "a")
        breaker = CircuitBreaker("crm.main", now=process.now)
        breaker.answered = answered
        breaker.trip(Unavailable("answered 503", account="crm.main", status=503, hint="Wait."))
        store = SimpleNamespace(states=SharedStates(process), database=process)
        accounts = SharedAccounts(store, {"crm.main": breaker}, checks=SimpleNamespace(findings={}), leads=lambda: False)
        asked = accounts.probe("crm.main", lambda: asyncio.sleep(0))
        with pytest.raises(Unavailable, match=f"^{reason}$") as caught:
            await asked()
        assert (caught.value.status, caught.value.hint) == ((503, "Wait.") if answered else (None, ""))
