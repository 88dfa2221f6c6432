"""Every operation is asked for here and through the service's local way in, with the same arguments and the same answer."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from inspect import signature
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from connector.cli.admin_client import remote_operations
from connector.model.errors import ConnectorError
from connector.operations.operations import OPERATIONS, Operations
from connector.web.admin_api import admin_route
from operations.backfill.world import SINCE, UNTIL, World

pytestmark = pytest.mark.anyio
TOKEN = "made-at-the-start"
BY = "ops"

#: One call of each, as a command makes it. There is no review 7 and no link, so that asking twice changes nothing.
CALLS: dict[str, Callable[[Operations], Awaitable[Any]]] = {
    "retry": lambda to: to.retry([7], "held", "stores", None, "1", "2", 3.0, 4.0),
    "discard": lambda to: to.discard([7], by=BY),
    "check": lambda to: to.check(fix=False),
    "decide": lambda to: to.decide(7, "link", "101", by=BY),
    "undo": lambda to: to.undo(7, by=BY),
    "share": lambda to: to.share(7, by=BY),
    "unlink": lambda to: to.unlink("stores", "7", by=BY),
    "reveal": lambda to: to.reveal("main", ["101"]),
    "compare": lambda to: to.compare(7, by=BY),
    "backfill": lambda to: to.backfill("stores", SINCE, UNTIL, dry_run=True),
    "drift": lambda to: to.drift("stores", sample=3, fix=False),
    "names": lambda to: to.names("stores"),
    "progress": lambda to: to.progress("drift", "stores"),
}


async def _answer(call: Awaitable[Any]) -> Any:
    try:
        return json.loads(json.dumps(await call))
    except ConnectorError as error:
        return str(error), error.hint


async def _both(folder: Path, call: Callable[[Operations], Awaitable[Any]]) -> tuple[Any, Any]:
    world = World(folder)
    async with world.running(started=False) as engine:
        operations = Operations(engine, works=False)
        app = Starlette(routes=[admin_route(TOKEN, operations.call)])
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 40_000))
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080", headers=headers) as api:
            answers = await _answer(call(operations)), await _answer(call(remote_operations(api)))
        await operations.stop()
        return answers


def test_every_operation_is_called() -> None:
    assert set(CALLS) == OPERATIONS


@pytest.mark.parametrize("name", sorted(OPERATIONS))
async def test_the_service_answers_what_the_process_itself_would(name: str, tmp_path: Path) -> None:
    here, there = await _both(tmp_path, CALLS[name])
    assert here == there
    assert "does not understand" not in str(here)


@pytest.mark.parametrize("name", sorted(OPERATIONS))
async def test_a_wrong_keyword_never_leaves_the_command(name: str) -> None:
    def refuse(_request: httpx.Request) -> httpx.Response:
        raise AssertionError("nothing is sent")

    async with httpx.AsyncClient(transport=httpx.MockTransport(refuse), base_url="http://127.0.0.1") as api:
        with pytest.raises(TypeError, match="unexpected keyword argument 'wrong'"):
            await getattr(remote_operations(api), name)(**_arguments(name), wrong=1)


async def test_what_is_not_named_cannot_be_asked_for(tmp_path: Path) -> None:
    async with World(tmp_path).running(started=False) as engine, httpx.AsyncClient() as api:
        with pytest.raises(KeyError):
            await Operations(engine, works=False).call("stop", {})
        with pytest.raises(AttributeError):
            await remote_operations(api).resume()


def _arguments(name: str) -> dict[str, Any]:
    return {one: None for one in signature(getattr(Operations, name)).parameters if one != "self"}
