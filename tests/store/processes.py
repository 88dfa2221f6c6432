"""Other processes and other users, for tests that need real ones."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65_534

#: A program that holds the file's write lock until it is told to end.
LOCKING = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("ready", flush=True)
sys.stdin.read()
"""

#: A connector that says what it has stored, one line for each answer a sender would have got.
SERVING = """
import asyncio, sys
from pathlib import Path
from types import SimpleNamespace
from connector.model.bookings import Client, Event, Reading
from connector.store import Store
from connector.model.deliveries import Delivery

async def main():
    path, address = Path(sys.argv[1]), sys.argv[2:]
    store = Store.open(SimpleNamespace(path=path, address=address[0], lease_seconds=2.0) if address else path)
    store.database.announce({"port": 8080})
    await store.lanes.recover(0.0)
    for n in range(1_000_000):
        reading = Reading(events=[Event(type="x", client=Client(id=f"c-{n}"))])
        await store.inbox.accept(Delivery("stores", f"e-{n}", False, {}, b"{}", 1.0, reading))
        if n % 2:
            await store.lanes.claim(1, 2.0)
        print(f"e-{n}", flush=True)

asyncio.run(main())
"""


@contextmanager
def child(program: str, path: Path, *address: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program on the database; it is killed at the end, if it has not ended by then."""
    command = [sys.executable, "-c", program, str(path), *address]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)
        for stream in (process.stdin, process.stdout):
            stream.close()


@contextmanager
def nobody() -> Iterator[None]:
    """Within the block we are a user without privileges; root may write anything anywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
