"""Drift: links that one of the two sides no longer agrees with, found by reading both, and repaired where that is safe.

A repair is a follow-up in the client's lane: the sync itself follows the merge or writes the id again, with its journal,
trace and quota. What only a person can know becomes a review item.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, TypeVar

import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from connector.model.errors import PASSING, AccountPaused, ConnectorError
from connector.model.links import Link
from connector.operations.drift.comparison import Comparison, Finding
from connector.operations.engine import Engine
from connector.operations.running import Kind
from connector.remote.integration import Integration
from connector.store import views

#: Links compared at once: few, because whatever waits for the quota is served in the order in which it asked.
AT_ONCE = 2
#: Seconds between looks at the repairs, and how long nothing may move before they are left to themselves.
LOOK_AGAIN, PATIENCE = 1.0, 60.0
#: Where another customer's id was found, as evidence in a review.
_WHOSE = {"id_foreign": "stored in the booking system", "clients_apart": "the customer of the client that is left"}
T = TypeVar("T")


@dataclass
class Drift:
    """One comparison of the links of a source (all, or `sample` of them) with both sides; `fix` repairs what is safe."""

    kind: ClassVar[Kind] = "drift"
    engine: Engine
    source: str
    sample: int | None = None
    fix: bool = False
    chance: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self.state = "comparing"
        self.links = self.checked = self.busy = 0
        self.findings: list[Finding] = []
        self.reason = self.hint = ""
        self._store = self.engine.store
        sync = self._sync = self.engine.syncs[self.source]
        self._comparison = Comparison(sync, self.engine.store.links)
        self._log = structlog.get_logger("connector.operations.drift.run").bind(source=self.source)

    @property
    def asked(self) -> tuple[int | None, bool]:
        """What tells this comparison from another one of the same source."""
        return self.sample, self.fix

    async def refresh(self) -> None:
        """The figures are always up to date."""

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON-able data; the findings once the comparison has ended."""
        ended = self.state in ("done", "failed")
        return {
            "source": self.source,
            "state": self.state,
            "counts": {"seen": self.links},
            "open": self.links - self.checked,
            "fraction": 1.0,
            "busy": self.busy,
            "found": len(self.findings),
            "findings": [_shown(finding) for finding in self.findings] if ended else [],
            "reason": self.reason,
            "hint": self.hint,
        }

    async def run(self) -> None:
        """Compare, and repair on the way; failures are in `reason`."""
        try:
            await wait_usable(self._sync.booking, self._sync.crm)
            clients = await self._store.read(views.links_of, self.source, self._sync.crm.name)
            if self.sample is not None and self.sample < len(clients):
                clients = sorted(self.chance.sample(clients, self.sample))
            self.links = len(clients)
            await self._compare_all(clients)
            self.state = "repairing"
            await self._settle()
        except ConnectorError as error:
            self.state, self.reason, self.hint = "failed", str(error), error.hint
            self._log.error("comparison ended early", reason=str(error), hint=error.hint)
            return
        self.state = "done"
        self._log.info("links compared", links=self.links, findings=len(self.findings))

    async def _compare_all(self, clients: Sequence[str]) -> None:
        waiting = iter(clients)

        async def work() -> None:
            for client_id in waiting:
                self.findings += await self._treat(client_id)
                self.checked += 1

        failed: list[ConnectorError] = []
        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(AT_ONCE):
                    tasks.create_task(work())
        except* ConnectorError as errors:
            failed += [error for error in errors.exceptions if isinstance(error, ConnectorError)]
        if failed:
            raise failed[0]

    async def _treat(self, client_id: str) -> list[Finding]:
        """Compare one link; with `fix`, begin its repair."""
        waiting = await self._store.read(views.waiting_of, self.source, client_id)
        link = await self._store.links.find(self.source, client_id)
        if link is None or waiting["moving"]:
            # What is on its way will look for itself; judged now, half-done work would pass for drift.
            self.busy += 1
            return []
        found = await patiently(lambda: self._comparison.compare(link))
        await self._store.links.compared(self.source, client_id, self.engine.clock())
        if not found or not self.fix:
            return found
        return await self._repair(link, found, waiting["held"])

    # Repairing.

    async def _repair(self, link: Link, found: list[Finding], held: list[int]) -> list[Finding]:
        """Begin what can be done about a link. One disagreement that needs a person stops the others' repairs."""
        if all(finding.remedy == "none" for finding in found):
            return [replace(finding, result="left") for finding in found]
        asking = [finding for finding in found if finding.remedy == "ask"]
        # A client whose customer is gone is held by the sync first, or treated as its settings say.
        if asking and (held or [finding.problem for finding in asking] != ["customer_gone"]):
            review = await self._ask(link, asking)
            return [replace(finding, result="held", review=review) for finding in found]
        if held:
            return [replace(finding, result="held", event=held[0]) for finding in found]
        outdated = next((finding.other for finding in found if finding.problem == "id_outdated"), None)
        survivor = next((finding.survivor for finding in found if finding.survivor), None)
        now = self.engine.clock()
        event = await self._store.follow_ups.repair(link, now, merged_from=outdated, survivor=survivor)
        self.engine.worker.wake()
        return [replace(finding, result="repairing", event=event) for finding in found]

    async def _ask(self, link: Link, asking: Sequence[Finding]) -> int:
        """Raise the review item that lets a person decide; the same one as long as it is open."""
        gone = any(finding.problem == "customer_gone" for finding in asking)
        candidates = [] if gone else [_candidate(link.customer_id, f"our link ({link.origin})")]
        candidates += [_candidate(one.other, _WHOSE[one.problem]) for one in asking if one.other is not None]
        survivor = next((finding.survivor for finding in asking if finding.survivor), None)
        person = None if survivor is None else f"merged client:{self.source}:{survivor}"
        reason, now, review = "; ".join(finding.message for finding in asking), self.engine.clock(), 0
        for client_id in filter(None, (survivor, link.client_id)):
            review = await self._store.reviews.open(
                self.source, client_id, link.crm, reason, candidates, now, person=person, standing=True
            )
        return review

    async def _settle(self) -> None:
        """Wait for the repairs, then look once more at every link that was repaired."""
        await self._await_repairs()
        checked: list[Finding] = []
        for finding in self.findings:
            checked.append(await self._concluded(finding) if finding.result == "repairing" else finding)
        self.findings = checked

    async def _await_repairs(self) -> None:
        concluded = asyncio.Event()
        forget = self.engine.worker.watch(concluded)
        loop, left = asyncio.get_running_loop(), -1
        moved = loop.time()
        try:
            while (number := await self._unfinished()) and loop.time() - moved < PATIENCE:
                if number != left:
                    left, moved = number, loop.time()
                concluded.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_AGAIN):
                        await concluded.wait()
        finally:
            forget()

    async def _unfinished(self) -> int:
        fates = await self._fates()
        return sum(fate["state"] in ("queued", "running", "retrying") for fate in fates.values())

    async def _fates(self) -> dict[int, dict[str, Any]]:
        ids = [finding.event for finding in self.findings if finding.result == "repairing" and finding.event is not None]
        found: dict[int, dict[str, Any]] = {}
        for start in range(0, len(ids), 500):
            found |= await self._store.read(views.fates, ids[start : start + 500])
        return found

    async def _concluded(self, finding: Finding) -> Finding:
        """What became of one disagreement whose repair was begun."""
        fate = (await self._store.read(views.fates, [finding.event or 0])).get(finding.event or 0, {"state": "", "reason": ""})
        link = await self._store.links.find(self.source, finding.client_id)
        if fate["state"] == "held" and link is not None and finding.problem == "customer_gone":
            return replace(finding, result="held", review=await self._ask(link, [finding]))
        if fate["state"] == "held":
            return replace(finding, result="held", fix=f"the repair is held: {fate['reason']}")
        if fate["state"] != "done":
            return replace(finding, result="pending" if fate["state"] in ("queued", "running", "retrying") else "left")
        again = await patiently(lambda: self._comparison.compare(link)) if link is not None else []
        return replace(finding, result="left" if any(one.problem == finding.problem for one in again) else "fixed")


def _candidate(customer_id: str, evidence: str) -> dict[str, Any]:
    return {"customer_id": customer_id, "evidence": [evidence]}


def _shown(finding: Finding) -> dict[str, Any]:
    return {key: value for key, value in asdict(finding).items() if key not in ("remedy", "survivor")}


async def wait_usable(*adapters: Integration) -> None:
    """Wait until the accounts have been probed, where somebody probes them."""
    for adapter in adapters:
        breaker = adapter.remote.breaker
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while not breaker.usable.is_set() and not isinstance(breaker.error, AccountPaused):
                    with suppress(TimeoutError):
                        async with asyncio.timeout(LOOK_AGAIN):
                            await breaker.usable.wait()


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask again while the problem may pass."""
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(PASSING),
        stop=stop_after_attempt(10),
        wait=wait_random_exponential(0.5, max=30),
        reraise=True,
    ):
        with attempt:
            return await ask()
    raise AssertionError("tenacity re-raises the last error")
