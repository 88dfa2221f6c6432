"""The file of a running service is taken away, replaced, damaged or given a second name: nothing is acknowledged and lost."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from contextlib import closing

import httpx
import pytest

from .world import RemoteSystems, Service, post, rows, run

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def sides(anyio_backend):
    async with RemoteSystems() as sides:
        yield sides


@pytest.fixture(autouse=True)
def _well_again(sides):
    yield
    sides.booxi.reset()
    sides.hubspot.reset()


def booking(sides: RemoteSystems, name: str):
    sides.booxi.book(sides.booxi.add_client(firstName="Ada", lastName=name, email=f"{name.lower()}@example.com"))
    return sides.booxi.outbox.waiting[-1]


def damage(service: Service) -> None:
    """Overwrite everything after the first page, as a disk or a second writer would."""
    with service.database.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))


def take_away(service: Service) -> None:
    service.database.rename(service.database.with_name("elsewhere.db"))


def replace(service: Service) -> None:
    other = service.database.with_name("backup.db")
    shutil.copyfile(service.database, other)
    other.replace(service.database)


def take_the_wal_away(service: Service) -> None:
    service.database.with_name("connector.db-wal").rename(service.database.with_name("elsewhere"))


@pytest.mark.parametrize(
    ("action", "reason"),
    [(take_away, "was taken away"), (replace, "was replaced"), (take_the_wal_away, "connector.db-wal was taken away")],
    ids=["taken away", "replaced", "wal taken away"],
)
async def test_deliveries_are_refused_and_the_service_is_not_ready(sides, tmp_path, action, reason):
    service = Service(sides.config(tmp_path))
    async with service.running(), httpx.AsyncClient(trust_env=False) as http:
        await service.first_done(sides)
        body = booking(sides, "Second")
        assert (await http.get(f"{service.url}/readyz")).status_code == 200
        action(service)
        answer = await post(http, service.url, body)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        ready = await http.get(f"{service.url}/readyz")
        assert ready.status_code == 503
        assert reason in ready.json()[0]["message"]
        assert "start it again" in ready.json()[0]["hint"]
        assert (await http.get(f"{service.url}/healthz")).status_code == 200
        await service.says("the database cannot be used until a restart")
        assert await service.stop() == 0


async def test_it_is_said_within_seconds_when_nothing_arrives(sides, tmp_path):
    service = Service(sides.config(tmp_path))
    async with service.running():
        take_away(service)
        await service.until(lambda: any("cannot be used until a restart" in text for text in service.text), 30)


async def test_damage_closes_the_intake_until_a_backup_is_restored(sides, tmp_path):
    service = Service(sides.config(tmp_path))
    backup = tmp_path / "backup.db"
    async with service.running(), httpx.AsyncClient(trust_env=False) as http:
        await service.first_done(sides)
        assert (await run("backup", str(backup), "--config", str(tmp_path / "connector.toml")))[0] == 0
        assert await service.stop() == 0
    damage(service)
    code, _, err = await run("serve", "--config", str(tmp_path / "connector.toml"))
    assert (code, "damaged" in err or "not an SQLite database" in err) == (1, True), err
    assert (await run("restore", str(backup), "--config", str(tmp_path / "connector.toml")))[0] == 0
    service = Service(tmp_path / "connector.toml")
    async with service.running(), httpx.AsyncClient(trust_env=False) as http:
        assert (await post(http, service.url, booking(sides, "Second"))).status_code == 202
        await service.settled()
        assert await service.stop() == 0
    assert rows(service.database, "PRAGMA integrity_check") == [("ok",)]


async def test_damage_under_the_running_service_closes_the_intake_and_readiness(sides, tmp_path):
    service = Service(sides.config(tmp_path), "--no-worker")
    async with service.running(), httpx.AsyncClient(trust_env=False) as http:
        assert (await post(http, service.url, booking(sides, "First"))).status_code == 202
        with closing(sqlite3.connect(service.database)) as other:
            other.execute("PRAGMA wal_checkpoint").fetchall()
        damage(service)
        with closing(sqlite3.connect(service.database, isolation_level=None)) as other:
            # Another version of the file, so that the service reads its pages again.
            other.execute("PRAGMA user_version = 7")
        assert (await post(http, service.url, booking(sides, "Second"))).status_code == 503
        assert (await post(http, service.url, booking(sides, "Third"))).status_code == 503
        ready = await http.get(f"{service.url}/readyz")
        assert ready.status_code == 503
        assert "damaged" in ready.json()[0]["message"]
        assert "backup" in ready.json()[0]["hint"]
        await service.says("the database cannot be used until a restart")


async def test_a_second_service_under_a_second_name_does_not_start(sides, tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    service = Service(sides.config(tmp_path / "one"))
    async with service.running(), httpx.AsyncClient(trust_env=False) as http:
        await service.first_done(sides)
        file = sides.config(tmp_path / "two")
        (tmp_path / "two" / "connector.db").hardlink_to(service.database)
        code, out, err = await run("serve", "--config", str(file))
        assert (code, out) == (1, "")
        assert err == (
            "The database connector.db has a second name (a hard link), and two services could damage it."
            " Remove the other name; to share it with a container, mount the folder that holds it.\n"
        )
        answers = await asyncio.gather(*(post(http, service.url, booking(sides, f"More{n}")) for n in range(10)))
        assert {answer.status_code for answer in answers} == {202}
        await service.settled()
        assert await service.stop() == 0
    assert rows(service.database, "PRAGMA integrity_check") == [("ok",)]
    assert rows(service.database, "SELECT count(*) FROM deliveries") == [(11,)]
