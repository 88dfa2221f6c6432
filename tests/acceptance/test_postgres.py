"""On PostgreSQL: `connector serve` as a real process, both sandboxes, commands beside it, and a server that restarts."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import postgres
import pytest

from .world import CONNECTOR, RemoteSystems, Service

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
def server() -> Iterator[postgres.Server]:
    postgres.needed()
    with postgres.serving() as server:
        yield server


def configure(sides: RemoteSystems, folder: Path, server: postgres.Server) -> Path:
    folder.mkdir(exist_ok=True)
    file = sides.config(folder)
    file.write_text(file.read_text().replace('url = "sqlite:///connector.db"', f'url = "{server.url()}"'))
    return file


async def run(*words: str, file: Path) -> subprocess.CompletedProcess[str]:
    command = [*CONNECTOR, *words, "--config", str(file)]
    return await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)


async def book(sides: RemoteSystems, name: str) -> None:
    sides.booxi.book(sides.booxi.add_client(firstName=name, lastName="Client", email=f"{name}@example.com"))
    await sides.booxi.send_webhooks()


async def test_it_serves_and_is_commanded_and_outlives_a_restart_of_the_server(tmp_path, server):
    async with RemoteSystems() as sides:
        file = configure(sides, tmp_path, server)
        service = Service(file)
        async with service.running():
            await service.first_done(sides)
            listed = await run("links", "list", "--json", file=file)
            assert [link["crm"] for link in json.loads(listed.stdout)] == ["main"], listed
            headers = {"Authorization": "Bearer a-status-token-for-tests"}
            async with httpx.AsyncClient(headers=headers, base_url=service.url) as client:
                for path in ("/status", "/status.json", "/metrics", "/readyz", "/status/events", "/status/links"):
                    assert (await client.get(path)).status_code == 200, path
                assert "connector_database_wal_bytes" not in (await client.get("/metrics")).text
            server.stop("immediate")
            async with httpx.AsyncClient(base_url=service.url) as client:
                assert [(await client.get(path)).status_code for path in ("/healthz", "/readyz")] == [200, 503]
            await service.says("the connection to the database is lost")
            # The sender is refused, and comes again until it is not.
            sending = asyncio.create_task(book(sides, "second"))
            await service.says("delivery refused")
            server.start()
            await sending
            await service.says("the database is connected again")
            await service.says("event done", 2)
            retried = await run("events", "list", "--json", file=file)
            assert [event["state"] for event in json.loads(retried.stdout)] == ["done", "done"], retried
            assert await service.stop() == 0
        assert not [text for text in service.text if "Traceback" in text]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["connector.key", "connector.lock", "connector.toml"]


async def test_what_is_for_files_says_so(tmp_path, server):
    async with RemoteSystems() as sides:
        done = await run("backup", str(tmp_path / "x"), file=configure(sides, tmp_path, server))
    assert done.returncode == 2
    assert "PostgreSQL's own tools" in done.stderr
