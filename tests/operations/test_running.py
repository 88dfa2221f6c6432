"""The runner of long operations: joined by the same request, refused for another, one after the other, stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from connector.operations.running import Kind, Refused, Runner

pytestmark = pytest.mark.anyio


class Operation:
    """Runs until `go` is set; then fails with `defect`, if there is one."""

    kind: ClassVar[Kind] = "drift"

    def __init__(self, asked: str = "", defect: Exception | None = None) -> None:
        self.asked = asked
        self.go = asyncio.Event()
        self.state = "comparing"
        self._defect = defect

    async def run(self) -> None:
        await self.go.wait()
        if self._defect:
            raise self._defect
        self.state = "done"

    async def refresh(self) -> None:
        self.state = "repairing"

    def as_dict(self) -> dict[str, Any]:
        return {"state": self.state, "asked": self.asked}


async def test_the_same_request_joins_another_one_is_refused_and_other_sources_are_free() -> None:
    runner = Runner()
    first = Operation("all")
    assert runner.start_or_join("stores", first) == {"state": "comparing", "asked": "all"}
    first.state = "far on"
    assert runner.start_or_join("stores", Operation("all"))["state"] == "far on"
    with pytest.raises(Refused, match="Another comparison of stores is running"):
        runner.start_or_join("stores", Operation("some"))
    assert runner.start_or_join("salon", Operation("some"))["asked"] == "some"
    first.go.set()
    async with asyncio.timeout(60):
        while (await runner.progress("drift", "stores"))["state"] != "done":
            await asyncio.sleep(0)
    assert runner.start_or_join("stores", Operation("some"))["asked"] == "some"
    await runner.stop()


async def test_what_waits_is_started_once_and_not_after_a_stop() -> None:
    runner, made = Runner(), []

    def make() -> Operation:
        made.append(Operation())
        return made[-1]

    first = Operation()
    runner.start_or_join("stores", first)
    runner.start_after("drift", "stores", make)
    runner.start_after("drift", "stores", make)
    assert made == []
    first.go.set()
    async with asyncio.timeout(60):
        while not made:
            await asyncio.sleep(0)
    runner.start_after("drift", "stores", make)
    await runner.stop()
    await asyncio.sleep(0)
    assert len(made) == 1, "one waited; what waited at the stop is not begun"


async def test_a_defect_is_logged_and_said_to_who_asks(lines: Callable[[], list[dict[str, Any]]]) -> None:
    runner, operation = Runner(), Operation(defect=KeyError("ada@example.com"))
    with pytest.raises(Refused, match="No comparison of stores is running"):
        await runner.progress("drift", "stores")
    runner.start_or_join("stores", operation)
    assert (await runner.progress("drift", "stores"))["state"] == "repairing", "brought up to date"
    operation.go.set()
    await runner.wait()
    with pytest.raises(Refused, match=r"The comparison ended unexpectedly \(KeyError\)"):
        await runner.progress("drift", "stores")
    (line,) = [line for line in lines() if line["event"] == "comparison failed unexpectedly"]
    assert (line["source"], line["error"]) == ("stores", "KeyError")
    assert "ada@example.com" not in str(line)
