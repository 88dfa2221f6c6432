"""How a command acts on the live database: through the running service, or with an engine of its own when none runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from inspect import signature
from typing import Any, cast

import httpx

from connector.cli.output import Follow
from connector.config.settings import Config
from connector.model.errors import ConnectorError, StoreError
from connector.operations.engine import Engine
from connector.operations.operations import OPERATIONS, Operations
from connector.operations.running import Kind
from connector.store import read_lock
from connector.web.admin_api import PATH

#: Seconds a single operation may take in the service: `check` asks every account.
PATIENCE = 120.0
#: Seconds that the answer to a delivery may take.
DELIVERY = 20.0
#: Seconds between two looks at the progress.
LOOK = 0.25


class ServiceGone(ConnectorError):
    """The service that holds the database did not answer."""


@asynccontextmanager
async def operator(config: Config, *, work: bool = False) -> AsyncIterator[Operations]:
    """Yield the operations, of the service where one runs; with `work`, an engine of our own also works on the queue meanwhile.

    Raises:
        StoreError: the database cannot be used, or another command has it.
    """
    held = read_lock(config.database.path)
    if held is None or ("url" not in held and config.database.on_server):
        async with _own(config, work) as operations:
            yield operations
    elif "url" in held:
        async with _service(held["url"], held["token"]) as operations:
            yield operations
    else:
        raise StoreError(
            f"The database {config.database.name} is in use by another connector command.",
            hint="Wait until that command has ended.",
        )


@asynccontextmanager
async def _own(config: Config, work: bool) -> AsyncIterator[Operations]:
    engine = await Engine.open(config)
    operations = Operations(engine, works=work, patient=False)

    try:
        if work:
            await engine.start()
        yield operations
    finally:
        await operations.stop()
        await engine.stop()


@asynccontextmanager
async def _service(url: str, token: str) -> AsyncIterator[Operations]:
    async with httpx.AsyncClient(
        base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE, trust_env=False
    ) as api:
        yield remote_operations(api)


async def post(url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
    """Send a delivery as a booking system does; answers the status and the JSON object of the answer, if it is one.

    Raises:
        ConnectorError: there was no answer.
    """
    try:
        async with httpx.AsyncClient(timeout=DELIVERY, trust_env=False) as sender:
            response = await sender.post(url, headers=dict(headers), content=body)
    except httpx.HTTPError as error:
        # The error's own text may hold the address, and with it a key.
        from connector.remote.causes import explain

        address = url.partition("?")[0]
        hint = "Look at the proxy, the name and the certificate of that address, or leave out --public."
        raise ConnectorError(f"There was no answer from {address} ({explain(error).reason}).", hint=hint) from None
    try:
        answer = response.json()
    except ValueError:
        answer = {}
    return response.status_code, answer if isinstance(answer, dict) else {}


def remote_operations(api: httpx.AsyncClient) -> Operations:
    """The operations of the service behind `api`, called as if they were here: the type checker sees every argument."""
    return cast(Operations, _Remote(api))


class _Remote:
    """Has the operations that may be called by name, each with the signature it has in `Operations`."""

    def __init__(self, api: httpx.AsyncClient) -> None:
        self._api = api

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        if name not in OPERATIONS:
            raise AttributeError(name)
        shape = signature(getattr(Operations, name))

        async def ask(*values: Any, **named: Any) -> Any:
            arguments = shape.bind(self, *values, **named).arguments
            return await self._ask(name, {key: value for key, value in arguments.items() if key != "self"})

        return ask

    async def _ask(self, name: str, arguments: dict[str, Any]) -> Any:
        try:
            response = await self._api.post(f"{PATH}{name}", json=arguments)
            answer = response.json()
        except (httpx.HTTPError, ValueError) as error:
            how = "within two minutes" if isinstance(error, httpx.TimeoutException) else "as a connector of this version does"
            raise ServiceGone(
                f"The running service did not answer {how}.",
                hint="Look at its log; if it was stopped meanwhile, run the command again.",
            ) from error
        if response.status_code != 200:
            raise ConnectorError(answer.get("message", "refused"), hint=answer.get("hint", ""))
        return answer["result"]


async def follow(
    config: Config, kind: Kind, source: str, start: Callable[[Operations], Awaitable[dict[str, Any]]], *, work: bool
) -> dict[str, Any]:
    """Start a long operation, or join the one that runs; show how far it is, and answer its figures at its end."""
    async with operator(config, work=work) as operations:
        with Follow() as shown:
            progress = await start(operations)
            while progress["state"] not in ("done", "failed"):
                await asyncio.sleep(LOOK)
                progress = await operations.progress(kind, source)
                shown.show(progress)
    return progress
