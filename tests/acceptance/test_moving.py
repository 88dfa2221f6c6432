"""An SQLite database goes to PostgreSQL and back, by real processes: the service works on there, and nothing is lost."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import postgres
import psycopg
import pytest
from store.samples import DONE, NOW, Place, delivery, hold, opened, whole

from connector.store import Store
from connector.store.postgres.schema import migrate

from .world import CONNECTOR, RemoteSystems, Service, eventually, run

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(240)]
#: Deliveries that the database holds before anything is moved: more than one portion of a copy.
MANY = 2_500


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    postgres.needed()
    with postgres.serving() as server:
        yield server


async def fill(store: Store, number: int) -> None:
    """A history: most events are done, some are held for a review; some clients are linked."""
    for start in range(0, number, 500):
        some = [delivery(f"old-{n}", f"old-{n % 700}") for n in range(start, start + 500)]
        await asyncio.gather(*(store.inbox.accept(one) for one in some))
    held = await store.lanes.claim(50, NOW)
    for work in held:
        await hold(store, work)
        await store.reviews.open("stores", work.client_id, "main", "the name differs", [], NOW)
    while claimed := await store.lanes.claim(500, NOW):
        await asyncio.gather(*(store.lanes.conclude(work, DONE, NOW) for work in claimed))
    query = (
        "INSERT INTO links (source, client_id, crm, customer_id, origin, linked_at) VALUES ('stores', ?, 'main', ?, 'email', 1)"
    )
    links = [(f"old-{n}", str(n)) for n in range(100, 400)]
    await store.database.write(lambda connection: connection.executemany(query, links).rowcount)


def pointed(file: Path, url: str) -> None:
    """Do what the command says is left to do."""
    text = file.read_text()
    (old,) = [line for line in text.splitlines() if line.startswith("url = ")]
    file.write_text(text.replace(old, f'url = "{url}"'))


async def copied(file: Path, url: str) -> dict[str, object]:
    code, out, err = await run("database", "copy", "--to", url, "--config", str(file), "--json", seconds=120)
    assert code == 0, err
    answer: dict[str, object] = json.loads(out)
    return answer


async def sound(file: Path) -> None:
    code, out, _ = await run("database", "check", "--config", str(file))
    assert code == 0, out


async def test_a_service_goes_on_in_postgresql_with_what_waited_and_back_again(tmp_path, server):
    url = server.fresh()
    file_place, server_place = Place("sqlite:///", tmp_path / "connector.db"), Place(url, tmp_path / "connector")
    async with RemoteSystems() as sides:
        file = sides.config(tmp_path)
        async with opened(file_place.path) as store:
            await fill(store, MANY)
        async with Service(file).running() as service:
            await service.first_done(sides)
            assert await service.stop() == 0
        async with Service(file, "--no-worker").running() as service:
            sides.send_to(service.url)
            for n in range(20):
                sides.booxi.book(sides.booxi.add_client(firstName="Ada", lastName=f"N{n}", email=f"ada{n}@example.com"))
            await sides.booxi.send_webhooks()
            refused = await run("database", "copy", "--to", url, "--config", str(file))
            assert refused[0] == 1
            assert "connector.db is in use by another connector" in refused[2]
            assert await service.stop() == 0

        before = whole(file_place)
        answer = await copied(file, url)
        assert answer["tables"] == {name: len(some) for name, some in before.items()}
        assert len(before["events"]) == MANY + 21
        assert whole(server_place) == before
        pointed(file, url)
        await sound(file)

        service = Service(file)
        async with service.running():
            await service.says("event done", 20)
            code, out, _ = await run("links", "list", "--json", "--config", str(file))
            assert (code, len(json.loads(out))) == (0, 321)
            again = await run("database", "copy", "--to", "sqlite:///back.db", "--config", str(file))
            assert again[0] == 1
            assert "in use by another connector" in again[2]
            assert await service.stop() == 0
        assert not [text for text in service.text if "Traceback" in text]
        after = whole(server_place)
        assert len(after["links"]) == len(before["links"]) + 20
        assert set(before["links"]) <= set(after["links"])

        await copied(file, "sqlite:///back.db")
        assert whole(Place("sqlite:///", tmp_path / "back.db")) == after
        pointed(file, "sqlite:///back.db")
        await sound(file)
        service = Service(file)
        async with service.running():
            await service.first_done(sides)


@asynccontextmanager
async def standing_at_links(server: postgres.Server, url: str, file: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A real copy that has written most of it and waits within its first links; afterwards nothing stops the next one."""
    with psycopg.connect(url, autocommit=True) as connection:
        migrate(connection)
        connection.execute(
            "CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_advisory_lock_shared(42); RETURN NEW; END'"
        )
        connection.execute("CREATE TRIGGER stop BEFORE INSERT ON links FOR EACH ROW EXECUTE FUNCTION stop()")
    holding = psycopg.connect(url, autocommit=True)
    holding.execute("SELECT pg_advisory_lock(42)")

    def waits() -> bool:
        query = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'connector copy' AND wait_event_type = 'Lock'"
        return holding.execute(query).fetchone() is not None

    pipe = asyncio.subprocess.PIPE
    command = (*CONNECTOR, "database", "copy", "--to", url, "--config", str(file))
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    try:
        await eventually(waits)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        holding.close()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TRIGGER stop ON links")


@pytest.mark.parametrize("how", ["killed", "interrupted", "server"])
async def test_a_copy_that_is_stopped_in_the_middle_is_completed_by_the_same_command(tmp_path, server, how):
    url = server.fresh()
    async with RemoteSystems() as sides:
        file = sides.config(tmp_path)
    async with opened(tmp_path / "connector.db") as store:
        await fill(store, 500)
    async with standing_at_links(server, url, file) as process:
        if how == "killed":
            process.kill()
        elif how == "interrupted":
            process.send_signal(signal.SIGINT)
        else:
            server.stop("immediate")
            server.start()
        _, err = await process.communicate()
    assert process.returncode == {"killed": -signal.SIGKILL, "interrupted": 1, "server": 1}[how], err
    assert (b"Run the same command again: it continues where it ended." in err) is (how != "killed")
    assert b"Traceback" not in err

    source = file.read_text()
    pointed(file, url)
    code, _, err_of_serve = await run("serve", "--config", str(file))
    assert code == 1
    assert "is only a part of a copy of connector.db" in err_of_serve
    code, out, _ = await run("database", "check", "--config", str(file))
    assert code == 1
    assert "ERROR    database.copy: this is only a part of a copy of connector.db" in out
    file.write_text(source)

    answer = await copied(file, url)
    assert answer["resumed"] is True
    # As sound as what it was copied from, of which the test above has asked the command.
    assert whole(Place(url, tmp_path / "connector")) == whole(Place("sqlite:///", tmp_path / "connector.db"))
