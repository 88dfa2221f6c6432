"""The bare handler to compare with really stores what it acknowledges; a missing procrastinate is said, and stops nothing."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import bare_postgres
import httpx
import postgres

HEADERS = {"Authorization": "benchmark"}


async def deliver(address: str) -> list[int]:
    """Three deliveries, of which two have the same id, and one without a token."""
    async with (
        bare_postgres.started("one-insert", address, Path(sys.executable)) as url,
        httpx.AsyncClient(trust_env=False) as api,
    ):
        answers = [await api.post(f"{url}/webhooks/stores", json={"id": name}, headers=HEADERS) for name in ("a", "b", "a")]
        answers.append(await api.post(f"{url}/webhooks/stores", json={"id": "c"}))
        return [answer.status_code for answer in answers]


def test_what_is_acknowledged_is_stored_once():
    postgres.needed()
    with postgres.serving() as server:
        address = server.fresh()
        assert asyncio.run(deliver(address)) == [202, 202, 202, 401]
        assert bare_postgres.stored(address, "one-insert") == 2


def test_why_procrastinate_is_not_there_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    python, reason = bare_postgres.procrastinate_python(tmp_path / "environment", "procrastinate==3.10.0")
    assert python is None
    assert "procrastinate==3.10.0 cannot be installed: " in reason
    assert "No matching distribution" in reason
