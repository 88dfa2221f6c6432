"""The receiver alone, in a process of its own: `receiver.py STORE`, with no store, ours, or one insert per request."""

from __future__ import annotations

import json
import socket
import sqlite3
import sys
import tempfile
from pathlib import Path

import uvicorn
import uvloop

from connector.app import calm_the_collector
from connector.booking_systems.booxi.adapter import Booxi
from connector.booking_systems.booxi.settings import BooxiSettings
from connector.config import logs
from connector.config.settings import WebhookSettings
from connector.model.deliveries import Delivery
from connector.remote.rate_limit import Quota
from connector.remote.signatures import verifier_for
from connector.store import Store
from connector.web.access import Access
from connector.web.app import build_app
from connector.web.interfaces import Intake, Source
from connector.web.receiver.stats import ReceiverStats

TOKEN = "benchmark"


class Nothing:
    """Acknowledges without storing: what the handler costs by itself."""

    async def accept(self, _delivery: Delivery) -> str:
        return "queued"


class OneInsert:
    """What many receivers do: one row, one commit at synchronous=FULL, in the request."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
            "CREATE TABLE deliveries (id INTEGER PRIMARY KEY, source, event, headers, body, at, UNIQUE (source, event))"
        )

    async def accept(self, delivery: Delivery) -> str:
        self._connection.execute(
            "INSERT INTO deliveries (source, event, headers, body, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (delivery.source, delivery.event, json.dumps(delivery.headers), delivery.body, delivery.received_at),
        )
        return "queued"


async def serve(kind: str, folder: Path) -> None:
    """Listen on a free port, say which, and serve until killed."""
    webhook = WebhookSettings.model_validate({"verify": "token", "tokens": [TOKEN]})
    settings = BooxiSettings.model_validate(
        {"system": "booxi", "region": "na", "partner_key": "x", "module_id": "hubspot", "webhook": webhook}
    )
    booxi = Booxi.connect("stores", settings, Quota)
    intake: Intake = Nothing()
    if kind == "connector":
        intake = Store.open(folder / "bench.db").inbox
    elif kind == "one-insert":
        intake = OneInsert(folder / "bench.db")
    app = build_app(
        sources={"stores": Source("stores", booxi.read_delivery, verifier_for(webhook, where="webhook"))},
        intake=intake,
        stats=ReceiverStats(),
        data=None,  # type: ignore[arg-type]
        ready=None,  # type: ignore[arg-type]
        access=Access(public_url=None, token=None),
    )
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, proxy_headers=False, server_header=False, lifespan="off", ws="none"
    )
    await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    logs.set_up(json=True, level="warning")
    calm_the_collector()
    with tempfile.TemporaryDirectory(dir=sys.argv[2]) as name:
        uvloop.run(serve(sys.argv[1], Path(name)))
