"""A world for each test, and the law that holds at the end of every one of them: no personal data in what we write down."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from connector.model.errors import ConnectorError

from .harness import World

#: Everything we write down, but for the deliveries and their events' payloads, which are what we were told.
WRITTEN = {
    "events": "trace, reason, hint, outcome, client_id, type",
    "reviews": "reason, candidates, decided_by",
    "intents": "key",
    "claims": "key",
    "identities": "key, customer_id",
    "links": "client_id, customer_id, stored_id",
    "aliases": "customer_id, survivor_id",
    "appointments": "record_id",
}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads are tried again without a pause."""
    monkeypatch.setattr("connector.remote.http.PAUSES", (0.0, 0.0))


@pytest.fixture
async def world(anyio_backend: str, tmp_path: Path) -> AsyncIterator[World]:
    """A world in which nothing has happened yet, and which is looked through at the end."""
    made = World(tmp_path)
    await made.start()
    yield made
    try:
        await _nothing_personal(made)
    finally:
        await made.stop()


async def _nothing_personal(world: World) -> None:
    """No trace, reason, hint, key or exception text holds an e-mail address, a phone number or a name."""
    said = [
        str(value)
        for table, columns in WRITTEN.items()
        for row in await world.rows(f"SELECT {columns} FROM {table}")
        for value in row
    ]
    for ended in world.ended:
        said += [str(entry) for entry in ended.work.trace]
        if isinstance(ended.error, ConnectorError):
            said += [str(ended.error), ended.error.hint]
    text = "\n".join(said)
    found = [secret for secret in set(personal(world)) if re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", text, re.IGNORECASE)]
    assert found == []
    assert "@" not in text
    assert "555" not in re.sub(r"[0-9a-f]{32,}", "", text), "part of every phone number in these tests"


def personal(world: World) -> Iterator[str]:
    """The people of both sandboxes: addresses, numbers and names."""
    for client in world.booxi.state.clients.values():
        fields = ("firstName", "lastName", "email", "mobilePhoneNumber", "homePhoneNumber")
        yield from (str(client[field]) for field in fields if client.get(field))
    for contact in world.hubspot.records.contacts.values():
        fields = ("firstname", "lastname", "email", "mobilephone", "phone")
        yield from (contact.properties[field] for field in fields if contact.properties.get(field))
    yield "Robin"  # works at the store
