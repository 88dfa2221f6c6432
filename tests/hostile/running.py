"""Runs hostile requests against `connector serve` and counts: answers, hangs, what strangers got, and how the process grew."""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from acceptance.listener import Listener, booking, listening
from acceptance.world import HUBSPOT_TOKEN, PARTNER_KEY, WEBHOOK_TOKEN, rows

from .attacks import Attack, Attacks, Secrets
from .wire import Reply, Wire

OPERATOR = "a-status-token-for-tests"
#: Senders at once.
SENDERS = 48
#: Examples of each kind of failure that are kept.
EXAMPLES = 5
#: Log lines that say that something of ours failed, whatever the answer was.
OURS = ("unexpected error", "adapter failed", "event failed unexpectedly", "readiness check failed")
#: Megabytes by which the process may have grown since a fifth of the run; lines a second that are not about stored events.
GROWTH = 60
LINES = 5
#: Seconds in which an honest sender must have its 202, on a machine that does other things too.
HONEST = 20.0


@dataclass
class Outcome:
    """What a run has counted."""

    seed: int
    requests: int = 0
    #: Kind → status → how many; status 0 is a connection closed without an answer, -1 an incomplete request that we gave up.
    answers: dict[str, Counter[int]] = field(default_factory=dict)
    #: What must not be, each with the numbers of some of the requests.
    breaches: dict[str, list[str]] = field(default_factory=dict)
    #: Some of the answers 503, which are allowed.
    unavailable: list[str] = field(default_factory=list)
    hangs: int = 0
    stored: int = 0
    #: From those who have a secret, and of these without an answer.
    admitted: int = 0
    unknown: int = 0
    honest: int = 0
    slowest: float = 0.0
    seconds: float = 0.0
    #: (requests, megabytes of memory, of the database with its log, lines of the log, bytes of the log, open files)
    growth: list[tuple[int, float, float, int, int, int]] = field(default_factory=list)

    def breach(self, what: str, example: str) -> None:
        """Note what must not be."""
        kept = self.breaches.setdefault(what, [])
        if len(kept) < EXAMPLES:
            kept.append(example)

    def total(self) -> Counter[int]:
        """Answers of all kinds by status."""
        return sum(self.answers.values(), Counter())


class Run:
    """One run: `requests` attacks of a seed against the service of a listener."""

    def __init__(self, listener: Listener, secrets: Secrets, seed: int, requests: int, only: int | None = None) -> None:
        self._listener = listener
        self._attacks = Attacks(seed, secrets)
        self._private = [text.encode() for text in (*astuple(secrets), PARTNER_KEY, HUBSPOT_TOKEN)]
        # The first client of the listener: nobody but an operator may read of it.
        self._private.append(b"first@example.com")
        self._numbers = iter(range(requests) if only is None else [only])
        self._every = max(1, requests // 10)
        self.outcome = Outcome(seed)

    async def play(self) -> Outcome:
        """Send everything, let what was stored be worked off, and look at what is left."""
        begun, stored = time.monotonic(), self._rows()
        self._measure()
        honest = asyncio.create_task(self._honest_sender())
        senders = [asyncio.create_task(self._sender(number)) for number in range(SENDERS)]
        try:
            await asyncio.gather(*senders)
        finally:
            honest.cancel()
            await asyncio.gather(honest, *senders, return_exceptions=True)
        self.outcome.seconds = time.monotonic() - begun
        await self._listener.service.settled(600)
        await self._afterwards(self._rows() - stored)
        return self.outcome

    async def _sender(self, number: int) -> None:
        url = urlsplit(self._listener.service.url)
        wire = Wire(str(url.hostname), url.port or 0, random.Random(number))
        try:
            for attack in self._next():
                self._count(attack, await wire.send(attack))
        finally:
            await wire.close()

    def _next(self) -> Iterator[Attack]:
        for number in self._numbers:
            yield self._attacks(number)
            self.outcome.requests += 1
            if self.outcome.requests % self._every == 0:
                self._measure()

    def _count(self, attack: Attack, reply: Reply) -> None:
        example = f"{attack.kind} {attack.number}"
        counted = self.outcome.answers.setdefault(attack.kind, Counter())
        for status, body in reply.answers:
            counted[status] += 1
            if not (status in (100, 503) or 200 <= status < 500):
                self.outcome.breach(f"answered {status}", f"{example}: {body[:200]!r}")
            if status == 202 and b'"duplicate"' not in body:
                self.outcome.stored += 1
            if status == 503 and len(self.outcome.unavailable) < EXAMPLES:
                self.outcome.unavailable.append(f"{example}: {body[:300]!r}")
            if attack.stranger and (fault := self._shown(status, body)):
                self.outcome.breach(fault, f"{example}: {body[:200]!r}")
        self.outcome.admitted += not attack.stranger
        if not reply.answers:
            counted[0 if attack.whole else -1] += 1
            self.outcome.unknown += not attack.stranger
            if reply.hung:
                self.outcome.breach("neither answered nor closed", example)
                self.outcome.hangs += 1
            elif attack.whole:
                self.outcome.breach("complete, and closed without an answer", f"{example}: {reply.how}")

    def _shown(self, status: int, body: bytes) -> str:
        """What a stranger got that is none of its business; empty for nothing."""
        if status == 202:
            return "a stranger's delivery was accepted"
        if any(text in body for text in self._private):
            return "a stranger was shown something private"
        public = not body or body.startswith((b'{"status"', b"[")) or b'action="/login"' in body
        return "" if status != 200 or public else "a stranger was shown a page"

    async def _honest_sender(self) -> None:
        """One delivery a second from a sender that does everything right."""
        async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
            while True:
                begun = time.monotonic()
                headers = {"Authorization": WEBHOOK_TOKEN}
                url = f"{self._listener.service.url}/webhooks/stores"
                try:
                    status = (await http.post(url, json=booking(), headers=headers)).status_code
                except httpx.HTTPError as error:
                    self.outcome.breach("an honest delivery got no answer", type(error).__name__)
                    continue
                self.outcome.honest += 1
                self.outcome.stored += status == 202
                self.outcome.slowest = max(self.outcome.slowest, time.monotonic() - begun)
                if status != 202:
                    self.outcome.breach("an honest delivery was not accepted", str(status))
                await asyncio.sleep(1)

    async def _afterwards(self, stored: int) -> None:
        outcome, service = self.outcome, self._listener.service
        self._measure()
        if not outcome.stored <= stored <= outcome.stored + outcome.unknown + 1:
            outcome.breach("stored is not what was acknowledged", f"{stored} rows, {outcome.stored} acknowledged")
        for line in service.lines:
            if line.get("event") in OURS or "Traceback" in json.dumps(line):
                outcome.breach(f"logged: {line.get('event')}", json.dumps(line)[:400])
        ready = await self._listener.http.get(f"{service.url}/readyz", timeout=60)
        if ready.status_code != 200:
            outcome.breach("not ready afterwards", ready.text[:400])
        if outcome.slowest > HONEST:
            outcome.breach("an honest delivery waited too long", f"{outcome.slowest:.1f} s")
        _, _, _, lines, _, files = outcome.growth[0]
        if outcome.growth[-1][3] - lines > LINES * outcome.seconds + 4 * stored + outcome.admitted + 50:
            outcome.breach("too many log lines", f"{outcome.growth[-1][3] - lines}")
        if outcome.growth[-1][5] > files + 12:
            outcome.breach("files stay open", f"{files} → {outcome.growth[-1][5]}")
        settled = outcome.growth[min(2, len(outcome.growth) - 1)]
        if outcome.growth[-1][1] > settled[1] + GROWTH:
            outcome.breach("memory grows", f"{settled[1]:.0f} → {outcome.growth[-1][1]:.0f} MB")

    def _rows(self) -> int:
        return int(rows(self._listener.service.database, "SELECT count(*) FROM deliveries")[0][0])

    def _measure(self) -> None:
        service = self._listener.service
        base = service.database
        files: list[Path] = [base, base.with_name(base.name + "-wal")]
        size = sum(file.stat().st_size for file in files if file.exists()) / 1e6
        status = Path(f"/proc/{service.process.pid}/status").read_text(encoding="ascii")
        memory = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1000
        opened = len(list(Path(f"/proc/{service.process.pid}/fd").iterdir()))
        length = sum(map(len, service.text))
        self.outcome.growth.append((self.outcome.requests, memory, size, len(service.text), length, opened))


async def _secrets(listener: Listener) -> Secrets:
    """Everything that lets somebody in, a session with the token of its forms among it."""
    service, http = listener.service, listener.http
    lock = json.loads(service.database.with_name("connector.db.lock").read_text(encoding="utf-8"))
    answer = await http.post(f"{service.url}/login", data={"token": OPERATOR})
    cookie = answer.cookies["connector"]
    page = await http.get(f"{service.url}/status", headers={"Cookie": f"connector={cookie}"})
    (form,) = set(re.findall(r'name="token" value="(\w+)"', page.text))
    return Secrets(WEBHOOK_TOKEN, OPERATOR, lock["token"], cookie, form)


async def run(folder: Path, seed: int, requests: int, only: int | None = None) -> Outcome:
    """Start a service and attack it. `only` is the number of the one attack to send again."""
    async with listening(folder) as listener:
        return await Run(listener, await _secrets(listener), seed, requests, only).play()
