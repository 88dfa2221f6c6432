"""A recovery to a point in time with PostgreSQL's own tools: the steps of docs/operating.md, one after another."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import postgres
import psycopg
import pytest
import replication

from .several import configure, run
from .world import OnServer, RemoteSystems, Service, rows

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture
def folder() -> Iterator[Path]:
    postgres.needed()
    # The name of a socket may only have about a hundred characters.
    with tempfile.TemporaryDirectory(prefix="connector-pitr-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


def made(folder: Path, name: str) -> Path:
    place = folder / name
    place.mkdir()
    return place


def client(sides: RemoteSystems, number: int) -> int:
    names = {"firstName": f"Person{number}", "lastName": f"Of{number}", "email": f"person{number}@example.com"}
    return sides.booxi.add_client(**names)


async def done(service: Service, sides: RemoteSystems, number: int) -> None:
    """Send what was booked, and wait until so many events have ended in all."""
    await sides.booxi.send_webhooks()
    await service.says("event done", number)


def crm(sides: RemoteSystems) -> tuple[list[str], list[str]]:
    """Who and what is in the CRM: the addresses of its customers, the markers of its meetings."""
    contacts = sorted(str(contact["email"]) for contact in sides.hubspot.contacts())
    return contacts, sorted(str(meeting["id"]) for meeting in sides.hubspot.meetings())


async def check(file: Path) -> dict[str, Any]:
    found = await run("check", "--json", file=file)
    return {one["id"]: one for one in json.loads(found.stdout)}


async def test_the_steps_of_a_recovery_to_a_point_in_time(tmp_path: Path, folder: Path) -> None:
    first = replication.Archiving(made(folder, "first"))
    first.start()
    async with RemoteSystems() as sides:
        old = configure(sides, tmp_path / "old", first.url(), sync="record_appointments = true")
        known = [client(sides, number) for number in range(4)]
        async with Service(old).running() as service:
            sides.send_to(service.url)
            for one in known:
                sides.booxi.book(one)
            await done(service, sides, 4)
            first.back_up()
            sides.booxi.book(known[0])
            await done(service, sides, 5)
            moment = first.finish_segment()
            # All of this is after the moment: new clients, and new appointments of old ones.
            for one in (known[1], *(client(sides, number) for number in range(4, 8))):
                sides.booxi.book(one)
            lost = list(sides.booxi.outbox.waiting)
            await done(service, sides, 10)
            first.finish_segment()
            assert "database.restored" not in await check(old)
            # 1. Stop all connector processes.
            assert await service.stop() == 0
        assert [len(some) for some in crm(sides)] == [8, 10]
        first.stop()
        # 2. Restore the server to that moment, with the same key file.
        second = replication.Recovered(made(folder, "second"), first.base, first.archive, moment)
        second.start()
        try:
            await recovered(sides, second, tmp_path, datetime.fromisoformat(moment), lost[-1])
        finally:
            second.stop()


async def recovered(sides: RemoteSystems, server: postgres.Server, place: Path, moment: datetime, lost: dict[str, Any]) -> None:
    """What the service on the restored database says and does; `lost` is a webhook that came after the moment."""
    before = crm(sides)
    with psycopg.connect(server.url()) as session:
        assert session.execute("SELECT count(*) FROM links").fetchone() == (4,)
    file = configure(sides, place / "new", server.url(), sync="record_appointments = true")
    shutil.copy(place / "old" / "connector.key", file.parent)
    database = OnServer(server.url(), file.parent)
    # 3. Start one process, and check the database.
    async with Service(file).running() as service:
        sides.send_to(service.url)
        assert (await run("database", "check", file=file)).returncode == 0
        said = (await check(file))["database.restored"]
        assert said["level"] == "warning"
        assert f"`connector backfill stores --since {moment:%Y-%m-%d}`" in said["hint"]
        # A sender repeats a webhook of the lost time, before anybody has run the backfill.
        sides.booxi.outbox.waiting.append(lost)
        await done(service, sides, 1)
        assert crm(sides) == before
        # 4. The backfill, from the day before that moment, and then the comparison.
        days = ("--since", f"{moment - timedelta(days=1):%Y-%m-%d}", "--until", f"{moment + timedelta(days=400):%Y-%m-%d}")
        filled = await run("backfill", "stores", *days, file=file)
        assert filled.returncode == 0, filled.stdout + filled.stderr
        drift = await run("check", "--drift", "stores", "--fix", file=file)
        assert drift.returncode == 0, drift.stdout + drift.stderr
        assert crm(sides) == before, "nobody and nothing is there twice"
        linked = rows(database, "SELECT client_id, customer_id FROM links")
        assert len(linked) == len({customer for _, customer in linked}) == 8
        assert "database.restored" not in await check(file)
        assert await service.stop() == 0
    # It stays a restored one, and is not taken for one that was restored again.
    facts = "SELECT value FROM installation WHERE name = 'restored_at'"
    (first_time,) = rows(database, facts)
    async with Service(file).running() as service:
        assert await service.stop() == 0
    assert rows(database, facts) == [first_time]
