"""Drift: links that one of the two sides no longer agrees with, found by reading both, and repaired where that is safe.

A repair is a follow-up in the client's lane: the sync itself follows the merge or writes the id again, with its journal,
trace and quota. What only a person can know becomes a review item.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, ClassVar

from connector.model.links import Link
from connector.operations.drift.comparison import Comparison, Finding
from connector.operations.engine import Engine
from connector.operations.running import Kind, LongOperation, Progress
from connector.operations.waiting import PATIENCE, decided, patiently, probed, tasks
from connector.store import linked

#: Links compared at once: few, because whatever waits for the quota is served in the order in which it asked.
AT_ONCE = 2
#: Where another customer's id was found, as evidence in a review.
_WHOSE = {"id_foreign": "stored in the booking system", "clients_apart": "the customer of the remaining client"}


class Drift(LongOperation):
    """One comparison of the links of a source (all, or `sample` of them) with both sides; `fix` repairs what is safe."""

    kind: ClassVar[Kind] = "drift"

    def __init__(
        self, engine: Engine, source: str, *, sample: int | None = None, fix: bool = False, chance: random.Random | None = None
    ) -> None:
        super().__init__(Progress(source, "comparing", {"seen": 0}, fraction=1.0))
        self._engine = engine
        self._source = source
        self._sample = sample
        self._fix = fix
        self._chance = chance or random.Random()
        self._busy = 0
        self._findings: list[Finding] = []
        self._store = engine.store
        self._sync = engine.syncs[source]
        self._comparison = Comparison(self._sync, engine.store.links)

    @property
    def asked(self) -> tuple[int | None, bool]:
        """What tells this comparison from another one of the same source."""
        return self._sample, self._fix

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON-able data; the findings once the comparison has ended."""
        shown = [_shown(finding) for finding in self._findings] if self.progress.ended else []
        return {**super().as_dict(), "busy": self._busy, "found": len(self._findings), "findings": shown}

    async def _work(self) -> None:
        """Compare, and repair on the way."""
        await probed(self._sync.booking, self._sync.crm)
        async with self._engine.alone(self.kind, self._source):
            await self._compare()

    async def _compare(self) -> None:
        clients = await self._store.read(linked.links_of, self._source, self._sync.crm.name)
        if self._sample is not None and self._sample < len(clients):
            clients = sorted(self._chance.sample(clients, self._sample))
        self.progress.counts["seen"] = self.progress.open = len(clients)
        await self._compare_all(clients)
        self.progress.state = "repairing"
        await self._settle()

    async def _compare_all(self, clients: Sequence[str]) -> None:
        waiting = iter(clients)

        async def work() -> None:
            for client_id in waiting:
                self._findings += await self._treat(client_id)
                self.progress.open -= 1

        async with tasks() as group:
            for _ in range(AT_ONCE):
                group.create_task(work())

    async def _treat(self, client_id: str) -> list[Finding]:
        """Compare one link; with `fix`, begin its repair."""
        waiting = await self._store.read(linked.waiting_of, self._source, client_id)
        link = await self._store.links.find(self._source, client_id)
        if link is None or waiting["moving"]:
            # What is on its way will look for itself; judged now, half-done work would pass for drift.
            self._busy += 1
            return []
        found = await patiently(lambda: self._comparison.compare(link))
        await self._store.links.compared(self._source, client_id, self._engine.clock())
        if not found or not self._fix:
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
        now = self._engine.clock()
        event = await self._store.follow_ups.repair(link, now, merged_from=outdated, survivor=survivor)
        self._engine.worker.wake()
        return [replace(finding, result="repairing", event=event) for finding in found]

    async def _ask(self, link: Link, asking: Sequence[Finding]) -> int:
        """Raise the review item that lets a person decide; the same one as long as it is open."""
        gone = any(finding.problem == "customer_gone" for finding in asking)
        candidates = [] if gone else [_candidate(link.customer_id, f"our link ({link.origin})")]
        candidates += [_candidate(one.other, _WHOSE[one.problem]) for one in asking if one.other is not None]
        survivor = next((finding.survivor for finding in asking if finding.survivor), None)
        person = None if survivor is None else f"merged client:{self._source}:{survivor}"
        reason, now, review = "; ".join(finding.message for finding in asking), self._engine.clock(), 0
        for client_id in filter(None, (survivor, link.client_id)):
            review = await self._store.reviews.open(
                self._source, client_id, link.crm, reason, candidates, now, person=person, standing=True
            )
        return review

    async def _settle(self) -> None:
        """Wait for the repairs, then look once more at every link that was repaired."""
        await decided(self._engine.worker, self._unfinished, patience=PATIENCE)
        checked: list[Finding] = []
        for finding in self._findings:
            checked.append(await self._concluded(finding) if finding.result == "repairing" else finding)
        self._findings = checked

    async def _unfinished(self) -> int:
        fates = await self._fates()
        return sum(fate["state"] in ("queued", "running", "retrying") for fate in fates.values())

    async def _fates(self) -> dict[int, dict[str, Any]]:
        ids = [finding.event for finding in self._findings if finding.result == "repairing" and finding.event is not None]
        found: dict[int, dict[str, Any]] = {}
        for start in range(0, len(ids), 500):
            found |= await self._store.read(linked.fates, ids[start : start + 500])
        return found

    async def _concluded(self, finding: Finding) -> Finding:
        """What became of one disagreement whose repair was begun."""
        fate = (await self._store.read(linked.fates, [finding.event or 0])).get(finding.event or 0, {"state": "", "reason": ""})
        link = await self._store.links.find(self._source, finding.client_id)
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
