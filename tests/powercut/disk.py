"""A disk that may lose power: what was synced is there, what was not may be there, be missing, or be there in part.

Nothing is assumed about the order in which a disk writes, nor about the length of a file or the names in a folder before they
are synced. Assumed is what SQLite assumes, too: a sector of 512 bytes is old or new as a whole, a write does not damage its
neighbours, and a sync that was answered has happened.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from .recording import Create, Operation, Promise, Sync, Truncate, Unlink, Write

SECTOR = 512
#: How what was not synced survives. `torn`: every sector for itself is as it was before or after any of the writes to it.
KINDS = ("nothing", "everything", "prefix", "all but one", "subset", "torn")
Change = Write | Truncate
Image = dict[str, bytes]


@dataclass(slots=True)
class _File:
    synced: bytearray = field(default_factory=bytearray)
    pending: list[Change] = field(default_factory=list)

    def sync(self) -> None:
        _apply(self.synced, self.pending)
        self.pending.clear()


class Disk:
    """The files of one folder. `do` is what the program asks for, `image` what a cut right now could leave."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}
        #: The names the disk has, and what has been done to the list since, in order.
        self._synced_names: dict[str, _File] = {}
        self._pending_names: list[tuple[str, _File | None]] = []

    def do(self, operation: Operation) -> None:
        """Carry out one operation."""
        match operation:
            case Write(name=name) | Truncate(name=name):
                self._files[name].pending.append(operation)
            case Create(name=name):
                self._files[name] = _File()
                self._pending_names.append((name, self._files[name]))
            case Unlink(name=name):
                del self._files[name]
                self._pending_names.append((name, None))
            case Sync(name=""):
                self._synced_names = dict(self._files)
                self._pending_names.clear()
            case Sync(name=name):
                self._files[name].sync()
            case Promise():
                pass

    def is_settled(self) -> bool:
        """Whether a cut now could leave one disk only."""
        return not self._pending_names and not any(file.pending for file in self._files.values())

    def image(self, kind: str, rng: random.Random) -> Image:
        """One of the disks that a cut could leave, of a kind out of KINDS."""
        return {name: bytes(_survived(file, kind, rng)) for name, file in self._names(kind, rng).items()}

    def _names(self, kind: str, rng: random.Random) -> dict[str, _File]:
        if kind == "nothing":
            return self._synced_names
        if kind == "everything":
            return self._files
        versions: dict[str, list[_File | None]] = {}
        for name, file in self._pending_names:
            versions.setdefault(name, [self._synced_names.get(name)]).append(file)
        names = {**self._synced_names, **{name: rng.choice(found) for name, found in versions.items()}}
        return {name: file for name, file in names.items() if file is not None}


def _survived(file: _File, kind: str, rng: random.Random) -> bytearray:
    content = bytearray(file.synced)
    if kind == "torn":
        return _torn(content, file.pending, rng)
    _apply(content, _chosen(file.pending, kind, rng))
    return content


def _chosen(pending: list[Change], kind: str, rng: random.Random) -> list[Change]:
    match kind:
        case "nothing":
            return []
        case "everything":
            return pending
        case "prefix":
            return pending[: rng.randint(0, len(pending))]
        case "all but one":
            missing = rng.randrange(len(pending)) if pending else 0
            return pending[:missing] + pending[missing + 1 :]
        case "subset":
            share = rng.choice((0.1, 0.5, 0.9))
            return [change for change in pending if rng.random() < share]
    raise ValueError(kind)


def _torn(content: bytearray, pending: list[Change], rng: random.Random) -> bytearray:
    """Each sector stands at one of its versions, and so does, independently, the length."""
    sizes = [len(content)]
    sectors: dict[int, list[Write]] = defaultdict(list)
    for change in pending:
        if isinstance(change, Truncate):
            gone = Write(change.name, change.size, bytes(max(0, sizes[-1] - change.size)))
            sizes.append(change.size)
        else:
            gone = change
            sizes.append(max(sizes[-1], change.offset + len(change.data)))
        for piece in _pieces(gone):
            sectors[piece.offset // SECTOR].append(piece)
    for versions in sectors.values():
        _apply(content, versions[: rng.randint(0, len(versions))])
    _apply(content, [Truncate("", rng.choice(sizes))])
    return content


def _pieces(write: Write) -> Iterable[Write]:
    """The parts of a write that fall into one sector each."""
    start, end = write.offset, write.offset + len(write.data)
    while start < end:
        stop = min(end, (start // SECTOR + 1) * SECTOR)
        yield Write(write.name, start, write.data[start - write.offset : stop - write.offset])
        start = stop


def _apply(content: bytearray, changes: Iterable[Change]) -> None:
    """Change the bytes of a file; what lies between its end and a write beyond it is zeros."""
    for change in changes:
        if isinstance(change, Truncate):
            del content[change.size :]
            content.extend(bytes(change.size - len(content)))
        else:
            content.extend(bytes(max(0, change.offset - len(content))))
            content[change.offset : change.offset + len(change.data)] = change.data
