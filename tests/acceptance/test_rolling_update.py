"""Processes of an older version beside this one, on one database: as docs/operating.md says of an upgrade without downtime.

CONNECTOR_TEST_OLDER names the folder of an older checkout (`git worktree add --detach FOLDER COMMIT`); else they are skipped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import postgres
import pytest

from .recorder import Recorder, booking_all_the_time, check_deliveries, check_links
from .several import configure
from .world import OnServer, RemoteSystems, Service, eventually, pending

OLDER = os.environ.get("CONNECTOR_TEST_OLDER", "")
CHANGED = "The database must be changed for this version, and 2 processes of an older one are at work on it."

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not OLDER, reason="CONNECTOR_TEST_OLDER names no folder with an older version"),
]


@pytest.fixture
def server() -> Iterator[postgres.Server]:
    postgres.needed()
    with postgres.serving() as server:
        yield server


class Machine:
    """A folder with a configuration and the key, in which one version runs after the other."""

    def __init__(self, sides: RemoteSystems, folder: Path, url: str) -> None:
        self.file = configure(sides, folder, url, lease=2)
        # Older versions do not know this setting.
        self.file.write_text(self.file.read_text().replace("wait_minutes = 0.01\n", ""))

    def older(self, *arguments: str) -> Service:
        """The older version: Python finds it first in the folder where it is started."""
        return Service(self.file, *arguments, before=lambda: os.chdir(OLDER))

    def newer(self, *arguments: str) -> Service:
        return Service(self.file, *arguments)

    def take_key(self, other: Machine) -> None:
        (self.file.parent / "connector.key").write_bytes((other.file.parent / "connector.key").read_bytes())


async def test_old_and_new_side_by_side(tmp_path: Path, server: postgres.Server) -> None:
    """Either they work together while one after another is replaced, or the new one says so and changes nothing."""
    url, recorder = server.url(), Recorder()
    async with AsyncExitStack() as stack:
        sides = await stack.enter_async_context(RemoteSystems(transport=recorder))
        first, second, third = (Machine(sides, tmp_path / f"machine-{number}", url) for number in range(3))
        receiver = await stack.enter_async_context(first.older().running())
        for machine in (second, third):
            machine.take_key(first)
        worker = await stack.enter_async_context(second.older("--role", "worker").running())
        sides.send_to(receiver.url)
        async with booking_all_the_time(sides):
            await receiver.says("event done", 20)
            new = third.newer()
            stack.push_async_callback(new.kill)
            await new.spawn()
            await new.until(lambda: bool(new.url) or new.ended)
            if changes := CHANGED in "\n".join(new.text):
                assert await new.exit() == 1
                await receiver.says("event done", 60)
                # What it refused changed nothing: all old ones are stopped, then the new one starts.
                for old in (worker, receiver):
                    assert await old.stop() == 0
                new = await stack.enter_async_context(third.newer().running())
            sides.send_to(new.url)
            done = sum("event done" in text for text in new.text)
            await new.says("event done", done + 30)
            if not changes:
                for old in (worker, receiver):
                    assert await old.stop() == 0
                replaced = await stack.enter_async_context(second.newer("--role", "worker").running())
                await replaced.says("event done", 10)
        database = OnServer(url, tmp_path)
        await eventually(lambda: pending(database) == 0, seconds=90)
        check_deliveries(recorder, database)
        check_links(sides, database)
        if changes:
            refused = first.older()
            await refused.spawn()
            assert await refused.exit() == 1
            assert "written by a newer version" in "\n".join(refused.text)
        said = [text for service in (receiver, worker, new) for text in service.text]
        assert not [text for text in said if "Traceback" in text]
