"""How a command acts on the live database: through the running service, or with an engine of its own when none runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx

from connector.config.settings import Config
from connector.model.errors import ConnectorError, StoreError
from connector.operations.engine import Engine
from connector.operations.operations import Operations
from connector.store import read_lock
from connector.web.admin_api import PATH

#: Seconds a single operation may take in the service: `check` asks every account.
PATIENCE = 120.0

Operate = Callable[..., Awaitable[Any]]


class ServiceGone(ConnectorError):
    """The service that holds the database did not answer."""


@asynccontextmanager
async def operator(config: Config, *, work: bool = False) -> AsyncIterator[Operate]:
    """Yield `operate(name, **arguments)`; with `work`, an engine of our own also works on the queue meanwhile.

    Raises:
        StoreError: the database cannot be used, or another command has it.
    """
    held = read_lock(config.database.path)
    if held is None:
        async with _own(config, work) as operate:
            yield operate
    elif "url" in held:
        async with _service(held["url"], held["token"]) as operate:
            yield operate
    else:
        raise StoreError(
            f"The database {config.database.path.name} is in use by another connector command.",
            hint="Wait until that command has ended.",
        )


@asynccontextmanager
async def _own(config: Config, work: bool) -> AsyncIterator[Operate]:
    engine = await Engine.open(config)
    operations = Operations(engine, works=work, patient=False)

    async def operate(name: str, **arguments: Any) -> Any:
        return await operations.call(name, arguments)

    try:
        if work:
            await engine.start()
        yield operate
    finally:
        await operations.stop()
        await engine.stop()


@asynccontextmanager
async def _service(url: str, token: str) -> AsyncIterator[Operate]:
    async with httpx.AsyncClient(
        base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE, trust_env=False
    ) as client:

        async def operate(name: str, **arguments: Any) -> Any:
            try:
                response = await client.post(f"{PATH}{name}", json=arguments)
                answer = response.json()
            except (httpx.HTTPError, ValueError) as error:
                how = (
                    "within two minutes" if isinstance(error, httpx.TimeoutException) else "as a connector of this version does"
                )
                raise ServiceGone(
                    f"The running service did not answer {how}.",
                    hint="Look at its log; if it was stopped meanwhile, run the command again.",
                ) from error
            if response.status_code != 200:
                raise ConnectorError(answer.get("message", "refused"), hint=answer.get("hint", ""))
            return answer["result"]

        yield operate
