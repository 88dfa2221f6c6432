"""Bare Starlette handlers that keep each delivery on PostgreSQL before they answer: `bare_postgres.py KIND ADDRESS`.

`one-insert` is one INSERT and one commit in the request; `procrastinate` hands the delivery to that queue as a job, with the
client as its lock. Neither does anything of the receiver's but to check the token and to parse the JSON (`bare.py`).

procrastinate is no dependency of the product: `procrastinate_python` makes an environment of its own for it.
"""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psycopg
import uvloop
from bare import Keep, serve

#: The version that was tried; another one may be named with --procrastinate.
PROCRASTINATE = "procrastinate==3.10.0"
#: Sessions of a handler: more than it can use on two cores.
SESSIONS = 16
#: What the handlers are built of, in the versions of the product's own environment.
_STACK = ("starlette", "uvicorn", "uvloop", "httptools", "psycopg", "psycopg-binary")


async def one_insert(address: str) -> Keep:
    """A row of its own for each delivery, and a commit; the sessions wait in a queue for whoever needs one."""
    free: asyncio.Queue[psycopg.AsyncConnection[tuple[object, ...]]] = asyncio.Queue()
    for _ in range(SESSIONS):
        free.put_nowait(await psycopg.AsyncConnection.connect(address, autocommit=True))
    session = free.get_nowait()
    await session.execute("CREATE TABLE deliveries (id bigserial PRIMARY KEY, event text UNIQUE, body bytea)")
    free.put_nowait(session)

    async def insert(delivery: dict[str, Any], body: bytes) -> None:
        session = await free.get()
        try:
            query = "INSERT INTO deliveries (event, body) VALUES (%s, %s) ON CONFLICT DO NOTHING"
            await session.execute(query, (delivery["id"], body), prepare=True)
        finally:
            free.put_nowait(session)

    return insert


async def defer(address: str) -> Keep:
    """procrastinate's own `defer` of a job that has the delivery as its argument; one client's jobs run one by one."""
    procrastinate = import_module("procrastinate")
    logging.getLogger("procrastinate").setLevel(logging.ERROR)  # it would like to be imported from elsewhere
    connector = procrastinate.PsycopgConnector(conninfo=address, min_size=SESSIONS, max_size=SESSIONS)
    app = procrastinate.App(connector=connector)
    await app.open_async()
    await app.schema_manager.apply_schema_async()

    async def deferred(delivery: dict[str, Any], _body: bytes) -> None:
        lock = f"stores/{delivery['content']['booking']['client']['id']}"
        await app.configure_task("work", lock=lock).defer_async(delivery=delivery)

    return deferred


def stored(address: str, kind: str) -> int:
    """How many deliveries a handler has kept."""
    table = "deliveries" if kind == "one-insert" else "procrastinate_jobs"
    with psycopg.connect(address) as session:
        row = session.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
    return int(row[0]) if row is not None else 0


def procrastinate_python(folder: Path, requirement: str) -> tuple[Path | None, str]:
    """Make an environment with procrastinate there; (its Python, nothing), or (None, why it could not be installed)."""
    python = folder / "bin" / "python"
    try:
        stack = [f"{name}=={version(name)}" for name in _STACK]
        # To put a pip of its own in there takes longer than all the rest.
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, capture_output=True, text=True)
        pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--disable-pip-version-check"]
        pip.append("--no-input")
        subprocess.run([*pip, requirement, *stack], check=True, capture_output=True, text=True)
    except (PackageNotFoundError, OSError) as error:
        return None, f"no environment for {requirement}: {error}"
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["no reason given"])[-1]
        return None, f"{requirement} cannot be installed: {last}"
    return python, ""


@asynccontextmanager
async def started(kind: str, address: str, python: Path) -> AsyncIterator[str]:
    """A handler in a process of its own; its address."""
    command = [str(python), str(Path(__file__)), kind, address]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(await process.stdout.readline())}"
    finally:
        process.terminate()
        await process.wait()


async def _main(kind: str, address: str) -> None:
    await serve(await (one_insert(address) if kind == "one-insert" else defer(address)))


if __name__ == "__main__":
    uvloop.run(_main(*sys.argv[1:3]))
