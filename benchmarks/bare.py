"""A bare Starlette handler to compare with: `bare.py STORE`, with no store or with one insert in each request.

It checks the token, parses the JSON and answers 202. It has none of the receiver's other guards: no limits, no reading of
what the delivery means, no order, no de-duplication beyond the event's id.
"""

from __future__ import annotations

import hmac
import json
import socket
import sqlite3
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

#: What a handler does with a delivery (as JSON and as bytes) before it answers.
Keep = Callable[[dict[str, Any], bytes], Awaitable[None] | None]


def store_nothing(_delivery: dict[str, Any], _body: bytes) -> None:
    """Acknowledge without storing: what the framework costs by itself."""


def one_insert(path: Path) -> Keep:
    """What many receivers do: one row, one commit at synchronous=FULL, in the request."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        "CREATE TABLE deliveries (id INTEGER PRIMARY KEY, event TEXT UNIQUE, body BLOB)"
    )

    def insert(delivery: dict[str, Any], body: bytes) -> None:
        values = (delivery["id"], body)
        connection.execute("INSERT INTO deliveries (event, body) VALUES (?, ?) ON CONFLICT DO NOTHING", values)

    return insert


def application(keep: Keep) -> Starlette:
    """The whole service: one route."""

    async def receive(request: Request) -> JSONResponse:
        if not hmac.compare_digest(request.headers.get("authorization", ""), "benchmark"):
            return JSONResponse({"error": "verification"}, 401)
        body = await request.body()
        data: dict[str, Any] = json.loads(body)
        if (kept := keep(data, body)) is not None:
            await kept
        return JSONResponse({"status": "queued", "event": data["id"]}, 202)

    return Starlette(routes=[Route("/webhooks/{source}", receive, methods=["POST"])])


async def serve(keep: Keep) -> None:
    """Listen on a free port, say which, and serve until killed."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(application(keep), log_config=None, access_log=False, lifespan="off", ws="none")
    await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[2]) as name:
        uvloop.run(serve(one_insert(Path(name) / "bare.db") if sys.argv[1] == "one-insert" else store_nothing))
