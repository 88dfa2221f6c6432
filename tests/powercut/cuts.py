"""Cut the power at many moments of a recording, and hold what survives against what had been promised by then."""

from __future__ import annotations

import asyncio
import hashlib
import random
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice, zip_longest
from pathlib import Path

from connector.model.errors import StoreError
from connector.store import Store

from .child import DATABASE, KEY, NOW, SOURCE, delivery
from .disk import KINDS, Disk, Image
from .recording import Operation, Promise, Sync, Truncate, Write

#: One image in so many gets the complete and slower checks too.
THOROUGH = 8
#: What a promise's kind says must be found, as a query with one column of ids.
KEPT = {
    "accepted": f"SELECT d.event FROM deliveries d JOIN events e ON e.delivery_id = d.id WHERE d.source = '{SOURCE}'",
    "intended": "SELECT key FROM intents",
    "done": "SELECT CAST(id AS TEXT) FROM events WHERE state = 'done'",
}
#: The write-ahead log.
LOG = f"{DATABASE}-wal"
Promises = dict[str, set[str]]


@dataclass(frozen=True, slots=True)
class Cut:
    """The power goes after so many operations, and what was not synced survives in this way."""

    after: int
    kind: str


@dataclass(slots=True)
class Report:
    """What became of the images. `lost` has one entry for each image that lost a promise: how many of which kind."""

    images: int = 0
    thorough: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    moments: set[int] = field(default_factory=set)
    distinct: set[bytes] = field(default_factory=set)
    damaged: list[str] = field(default_factory=list)
    lost: list[tuple[Cut, Counter[str]]] = field(default_factory=list)

    def losing(self, kind: str) -> int:
        """Images that lost at least one promise of a kind."""
        return sum(counts[kind] > 0 for _, counts in self.lost)

    def worst(self, kind: str) -> int:
        """The most promises of a kind that one image lost."""
        return max((counts[kind] for _, counts in self.lost), default=0)


def plan(operations: Sequence[Operation], images: int, rng: random.Random) -> list[Cut]:
    """In turn: before a sync of the log is answered, before another sync, after a write to the log, after one elsewhere.

    Most of what happens concerns the log; taken in turn, checkpoints, starts and stops have their share of the cuts.
    """
    groups: dict[tuple[bool, bool], list[Cut]] = {}
    for index, operation in enumerate(operations):
        if isinstance(operation, Sync | Write | Truncate):
            synced = isinstance(operation, Sync)
            after = index if synced else _past_promises(operations, index + 1)
            # Without anything of what was not synced, all moments between two syncs look alike.
            cuts = [Cut(after, kind) for kind in KINDS if synced or kind != "nothing"]
            groups.setdefault((synced, operation.name == LOG), []).extend(cuts)
    for cuts in groups.values():
        rng.shuffle(cuts)
    in_turn = (cut for cuts in zip_longest(*groups.values()) for cut in cuts if cut is not None)
    # Two groups may name the same moment.
    chosen = islice(dict.fromkeys(in_turn), images)
    return sorted(chosen, key=lambda cut: (cut.after, cut.kind))


def _past_promises(operations: Sequence[Operation], after: int) -> int:
    while after < len(operations) and isinstance(operations[after], Promise):
        after += 1
    return after


def run(operations: Sequence[Operation], images: int, seed: int) -> Report:
    """Build and open that many images; the same recording and seed give the same images."""
    rng = random.Random(seed)
    report = Report()
    shared_memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="powercut-", dir=shared_memory if shared_memory.is_dir() else None) as folder:
        for cut, image, promises in _disks(operations, plan(operations, images, rng), rng):
            thorough = report.images % THOROUGH == 0
            _count(report, cut, image, thorough)
            place = Path(folder) / str(report.images)
            place.mkdir()
            _judge(report, cut, place, image, promises, thorough)
            shutil.rmtree(place)
    return report


def _disks(operations: Sequence[Operation], cuts: list[Cut], rng: random.Random) -> Iterator[tuple[Cut, Image, Promises]]:
    """Every image with what had been promised by then. The promises go on growing: look at them at once."""
    disk, done = Disk(), 0
    promises: Promises = {kind: set() for kind in KEPT}
    for cut in cuts:
        for operation in operations[done : cut.after]:
            disk.do(operation)
            if isinstance(operation, Promise):
                promises[operation.kind].add(operation.id)
        done = cut.after
        yield cut, disk.image(cut.kind, rng), promises


def _count(report: Report, cut: Cut, image: Image, thorough: bool) -> None:
    report.images += 1
    report.thorough += thorough
    report.kinds[cut.kind] += 1
    report.moments.add(cut.after)
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(image):
        digest.update(name.encode() + len(image[name]).to_bytes(8, "big") + image[name])
    report.distinct.add(digest.digest())


def _judge(report: Report, cut: Cut, place: Path, image: Image, promises: Promises, thorough: bool) -> None:
    (place / KEY[0]).write_text(KEY[1])
    for name, content in image.items():
        (place / name).write_bytes(content)
    try:
        missing = look(place / DATABASE, promises, thorough=thorough)
        if thorough:
            # The opening of the store must not depend on who looked before.
            for name in (DATABASE, LOG, f"{DATABASE}-journal", f"{DATABASE}-shm"):
                (place / name).unlink(missing_ok=True)
            for name, content in image.items():
                (place / name).write_bytes(content)
            asyncio.run(go_on(place / DATABASE, promises, complete=not missing))
    except (sqlite3.Error, StoreError, Damaged) as error:
        report.damaged.append(f"{cut}: {type(error).__name__}: {error}")
    else:
        if missing:
            report.lost.append((cut, missing))


class Damaged(Exception):
    """The database of an image is not in order, or the store cannot go on with it."""


def look(path: Path, promises: Promises, *, thorough: bool) -> Counter[str]:
    """How many promises of each kind the database does not keep. Raises Damaged or sqlite3.Error."""
    with closing(sqlite3.connect(path)) as connection:
        check = "integrity_check" if thorough else "quick_check"
        if (answer := connection.execute(f"PRAGMA {check}").fetchall()) != [("ok",)]:
            raise Damaged(f"{check}: {answer[0][0]}")
        if connection.execute("PRAGMA foreign_key_check").fetchall():
            raise Damaged("foreign_key_check")
        missing = Counter({kind: len(promises[kind] - _kept(connection, kind)) for kind in KEPT})
    return +missing


def _kept(connection: sqlite3.Connection, kind: str) -> set[str]:
    # Before the first migration was committed there are no tables, and nothing can have been promised.
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'deliveries'").fetchone() is None:
        return set()
    return {row[0] for row in connection.execute(KEPT[kind])}


async def go_on(path: Path, promises: Promises, *, complete: bool) -> None:
    """Start the store on what the cut has left, as the service would: it must know the old and take the new. Raises Damaged."""
    store = Store.open(path)
    try:
        await store.lanes.recover(NOW)
        if await store.inbox.accept(delivery(10**9)) != "queued":
            raise Damaged("a new delivery was not queued")
        known = max(promises["accepted"], default=None)
        if complete and known and await store.inbox.accept(delivery(int(known.removeprefix("d-")))) != "duplicate":
            raise Damaged("an acknowledged delivery was not known")
        if not await store.lanes.claim(1, NOW):
            raise Damaged("nothing could be claimed")
    finally:
        await store.close()
