"""A remote system that is down, slow, answers HTML, or acts and then cuts the connection: nothing is lost or doubled."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from .world import RemoteSystems, Service, eventually, rows, states

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

CLIENTS = 6
#: Times that the problem has to be met before it ends.
MET = 4
FAULTS: dict[str, dict[str, Any]] = {
    "down": {"down": True},
    "slow": {"timeout": 0.5, "timeout_seconds": 30},
    "html-error": {"html": 0.5, "html_status": 502},
    "html-that-says-ok": {"html": 0.5, "html_status": 200},
    "cut-after-the-effect": {"lost_answer": 0.4},
    "error-after-the-effect": {"error_after_effect": 0.4},
    "too-many-requests": {"rate_limit": 0.5, "retry_after": 1},
}


async def endure(folder: Path, problem: str) -> None:
    """One service, one kind of problem, until it has been met often enough; then both sides fix."""
    async with RemoteSystems() as sides:
        service = Service(sides.config(folder, timeout=0.5, sync="record_appointments = true"))
        async with service.running():
            await service.first_done(sides)
            sides.faults(seed=1, **FAULTS[problem])
            for n in range(CLIENTS):
                client = sides.booxi.add_client(firstName="Una", lastName=f"Lucky {n}", email=f"lucky-{n}@example.com")
                sides.booxi.book(client)
            await sides.booxi.send_webhooks()
            assert sides.booxi.outbox.counts["refused"] == 0, "problem downstream is no reason to refuse a sender"
            await eventually(lambda: sum((sides.booxi.app.injected + sides.hubspot.app.injected).values()) >= MET)
            sides.faults()
            await service.settled()
            assert await service.stop() == 0
        assert states(service.database) == {"done": CLIENTS + 1}, problem
        contacts = Counter(contact["email"] for contact in sides.hubspot.contacts())
        assert contacts == Counter(["first@example.com", *(f"lucky-{n}@example.com" for n in range(CLIENTS))]), problem
        assert len(sides.booxi.links()) == len(sides.hubspot.meetings()) == CLIENTS + 1, problem
        assert rows(service.database, "SELECT * FROM intents WHERE state <> 'done'") == [], problem


async def test_remote_systems_unavailable_lose_nothing_and_make_nobody_twice(tmp_path):
    # All at once: most of their time is waiting.
    async with asyncio.TaskGroup() as tasks:
        for problem in FAULTS:
            (tmp_path / problem).mkdir()
            tasks.create_task(endure(tmp_path / problem, problem))
