"""How long operations wait: for an answer while a problem may pass, for an account to be usable, for events to be decided."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from connector.model.errors import PASSING, AccountPaused, ConnectorError, RemoteError
from connector.remote.integration import Integration

#: Seconds between looks at what is still open, and how long nothing may move before it is left to itself.
LOOK_AGAIN, PATIENCE = 1.0, 60.0
T = TypeVar("T")


class Watched(Protocol):
    """The worker, as it is waited for."""

    def watch(self, event: asyncio.Event) -> Callable[[], None]:
        """Set `event` whenever an event has been concluded; the returned function ends that."""


def retrying(
    errors: tuple[type[ConnectorError], ...] = PASSING,
    *,
    tries: int = 10,
    longest: float = 30.0,
    before_sleep: Callable[[RetryCallState], Any] | None = None,
) -> AsyncRetrying:
    """Try again after these errors, at growing intervals of at most `longest` seconds; the last error is raised."""
    return AsyncRetrying(
        retry=retry_if_exception_type(errors),
        stop=stop_after_attempt(tries),
        wait=wait_random_exponential(0.5, max=longest),
        before_sleep=before_sleep,
        reraise=True,
    )


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask again while the problem may pass."""
    async for attempt in retrying():
        with attempt:
            return await ask()
    raise AssertionError("tenacity re-raises the last error")


async def moment_or(event: asyncio.Event) -> None:
    """Wait for the event, but not longer than until the next look is due."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LOOK_AGAIN):
            await event.wait()


async def usable(adapter: Integration, giving_up: Callable[[RemoteError | None], bool]) -> None:
    """Wait until an account can be used, or until its error is one that is not waited for."""
    breaker = adapter.remote.breaker
    # Not only when it can be used: the first probe may find the key refused.
    while not breaker.usable.is_set() and not giving_up(breaker.error):
        await moment_or(breaker.usable)


async def probed(*adapters: Integration) -> None:
    """Wait a while until the accounts have been probed, where somebody probes them; whoever asks one then hears its error."""
    for adapter in adapters:
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await usable(adapter, lambda error: isinstance(error, AccountPaused))


async def decided(worker: Watched, count: Callable[[], Awaitable[int]], *, patience: float | None = None) -> None:
    """Wait until `count` says that nothing is open any more; with `patience`, no longer than that while nothing moves.

    It is asked again when the worker has concluded an event, and now and then: an account may stop working meanwhile.
    """
    concluded = asyncio.Event()
    forget = worker.watch(concluded)
    loop, left = asyncio.get_running_loop(), -1
    moved = loop.time()
    try:
        while number := await count():
            if number != left:
                left, moved = number, loop.time()
            if patience is not None and loop.time() - moved >= patience:
                return
            await moment_or(concluded)
            # Many end at once, and each look counts all that is open.
            await asyncio.sleep(LOOK_AGAIN / 4)
            concluded.clear()
    finally:
        forget()


@asynccontextmanager
async def tasks() -> AsyncIterator[asyncio.TaskGroup]:
    """A group of tasks; where one ends it by an error of ours, that error is raised alone."""
    failed: list[ConnectorError] = []
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except* ConnectorError as errors:
        failed += _flat(errors)
    if failed:
        raise failed[0]


def _flat(errors: BaseExceptionGroup[Any]) -> list[ConnectorError]:
    found: list[ConnectorError] = []
    for error in errors.exceptions:
        found += _flat(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
