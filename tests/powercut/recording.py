"""What a process did to the files of one folder, in order, as strace saw it.

The order is the one that matters after a power cut. A write counts from the moment it was asked for, a sync only from the
moment it was answered, a promise from the moment it was about to be made. Whatever could change a file in a way that is not
modelled is an error, and `Recording.files` lets a reader check that nothing was overlooked.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .child import PROMISES

#: These hold nothing that must outlive the machine: SQLite rebuilds the one, the other only names the running process. The
#: key file is not written here: every image has the same one.
FLEETING = ("-shm", ".lock", ".key")
#: `?`: not every architecture has the call.
CALLS = (
    "?open,openat,?openat2,?creat,lseek,write,pwrite64,writev,pwritev,?pwritev2,ftruncate,?truncate,fallocate,mmap,"
    "copy_file_range,sendfile,splice,fsync,fdatasync,sync_file_range,"
    "?unlink,unlinkat,?rename,renameat,?renameat2,?link,linkat"
)
_BEGUN = re.compile(rb"(\d+) +(\w+)\((.*)", re.DOTALL)
_RESUMED = re.compile(rb"(\d+) +<\.\.\. \w+ resumed>(.*)", re.DOTALL)
_UNFINISHED = b" <unfinished ...>"


class RecordingError(Exception):
    """The recording cannot be trusted: strace failed, or the process did something that is not modelled."""


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes for a place in a file."""

    name: str
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Truncate:
    """A new length of a file."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Sync:
    """Everything asked of the file so far is on the disk; an empty name means the folder's own list of names."""

    name: str


@dataclass(frozen=True, slots=True)
class Create:
    """A new name in the folder."""

    name: str


@dataclass(frozen=True, slots=True)
class Unlink:
    """A name that is gone."""

    name: str


@dataclass(frozen=True, slots=True)
class Promise:
    """What the process told the world: it must be true after any later cut."""

    kind: str
    id: str


Operation = Write | Truncate | Sync | Create | Unlink | Promise


@dataclass(frozen=True, slots=True)
class Recording:
    """The operations, and the files as they were when the process had ended."""

    operations: list[Operation]
    files: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class _Call:
    name: str
    arguments: bytes
    result: bytes
    begun: int
    ended: int


def record(folder: Path, deliveries: int, **environ: str) -> Recording:
    """Run the load in `folder` (which must be empty) and return what it did there. Raises RecordingError."""
    folder = folder.resolve()
    child = [sys.executable, str(Path(__file__).with_name("child.py")), str(folder), str(deliveries)]
    trace = folder.with_name(folder.name + ".strace")
    try:
        trace_process(child, trace, environ)
        with trace.open("rb") as lines:
            operations = read(lines, folder)
    finally:
        trace.unlink(missing_ok=True)
    kept = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != PROMISES and not _is_fleeting(path.name)}
    return Recording(operations, kept)


def trace_process(command: list[str], trace: Path, environ: Mapping[str, str]) -> None:
    """Run a command under strace, every byte in hexadecimal. Raises RecordingError when either of the two fails."""
    # -a 1: no padding before the result; -s: longer than anything SQLite writes at once.
    strace = ["strace", "-f", "-y", "-xx", "-a", "1", "-s", "1000000", "-o", str(trace), "-e", f"trace={CALLS}"]
    result = subprocess.run([*strace, *command], check=False, capture_output=True, text=True, env={**os.environ, **environ})
    if result.returncode != 0:
        raise RecordingError(f"strace or the recorded process failed ({result.returncode}): {result.stderr[-2000:]}")


def why_not() -> str | None:
    """Why nothing can be recorded on this machine; None when it can."""
    if shutil.which("strace") is None:
        return "strace is not installed (on Debian and Ubuntu: apt-get install strace)"
    result = subprocess.run(["strace", "-f", "-o", os.devnull, "true"], check=False, capture_output=True, text=True)
    return None if result.returncode == 0 else f"strace may not trace here: {result.stderr.strip()[-200:]}"


def read(lines: Iterable[bytes], folder: Path) -> list[Operation]:
    """The operations on the files of `folder` in a trace. Raises RecordingError."""
    reader = _Reader(os.fsencode(folder))
    for number, line in enumerate(lines):
        reader.line(number, line.rstrip(b"\n"))
    return reader.operations()


class _Reader:
    """Puts the halves of interrupted lines together and turns calls into operations."""

    def __init__(self, folder: bytes) -> None:
        self._folder = folder
        self._hex = _hex(folder)
        self._running: dict[bytes, tuple[bytes, bytes, int]] = {}
        self._found: list[tuple[int, Operation]] = []
        self._names: set[str] = set()
        self._positions: dict[bytes, int] = {}
        self._written: dict[str, int] = {}

    def operations(self) -> list[Operation]:
        """Everything found, in the order of what a cut can tell apart."""
        if self._running:
            raise RecordingError("the trace ends in the middle of a call")
        return [operation for _, operation in sorted(self._found, key=lambda found: found[0])]

    def line(self, number: int, line: bytes) -> None:
        """Read one line of the trace."""
        if resumed := _RESUMED.match(line):
            if begun := self._running.pop(resumed[1], None):
                name, arguments, start = begun
                self._finish(name, arguments + resumed[2], start, number)
            return
        call = _BEGUN.match(line)
        # A call on something else: most of what a starting Python does.
        if call is None or (self._hex not in line and self._folder not in line):
            return
        if line.endswith(_UNFINISHED):
            self._running[call[1]] = (call[2], call[3].removesuffix(_UNFINISHED), number)
            self._note_write(call[2], call[3], number)
        else:
            self._finish(call[2], call[3], number, number)

    def _note_write(self, name: bytes, arguments: bytes, number: int) -> None:
        if name in (b"pwrite64", b"write", b"ftruncate") and (target := self._descriptor(arguments)):
            self._written[target] = number

    def _finish(self, name: bytes, rest: bytes, begun: int, ended: int) -> None:
        arguments, _, result = rest.rpartition(b" = ")
        if not result.startswith(b"-1 "):
            self._call(_Call(name.decode(), arguments, result, begun, ended))

    def _call(self, call: _Call) -> None:
        if call.name in ("open", "openat"):
            self._opened(call)
        elif call.name in ("unlink", "unlinkat"):
            self._unlinked(call)
        elif (name := self._descriptor(call.arguments)) == PROMISES:
            self._promised(call)
        elif name is not None and not _is_fleeting(name):
            self._changed(call, name)
        elif name is None and call.name in (
            "rename",
            "truncate",
            "link",
            "unlinkat",
            "renameat",
            "renameat2",
            "linkat",
            "creat",
        ):
            raise RecordingError(f"{call.name} is not modelled")

    def _opened(self, call: _Call) -> None:
        name = self._inside(_text(call.arguments.split(b'"')[1]))
        if not name or name == PROMISES or _is_fleeting(name) or b"O_CREAT" not in call.arguments:
            return
        if b"O_TRUNC" in call.arguments:
            raise RecordingError("opening with O_TRUNC is not modelled")
        if name not in self._names:
            self._names.add(name)
            self._found.append((call.ended, Create(name)))

    def _unlinked(self, call: _Call) -> None:
        name = self._inside(_text(call.arguments.split(b'"')[1]))
        if name and not _is_fleeting(name):
            self._names.discard(name)
            self._found.append((call.ended, Unlink(name)))

    def _promised(self, call: _Call) -> None:
        kind, id_ = _text(call.arguments.split(b'"')[1]).decode().split()
        self._found.append((call.begun, Promise(kind, id_)))

    def _changed(self, call: _Call, name: str) -> None:
        if call.name in ("fsync", "fdatasync"):
            # One thread writes and syncs; were there two, it would not be clear what a sync covers.
            if self._written.get(name, -1) > call.begun:
                raise RecordingError(f"{name} was written to during a sync")
            self._found.append((call.ended, Sync(name)))
        elif call.name == "lseek":
            self._positions[_handle(call.arguments)] = int(call.result)
        elif call.name in ("pwrite64", "write"):
            self._wrote(call, name)
        elif call.name == "ftruncate":
            self._written[name] = call.begun
            self._found.append((call.begun, Truncate(name, _last_number(call.arguments))))
        elif call.name != "mmap" or (b"PROT_WRITE" in call.arguments and b"MAP_SHARED" in call.arguments):
            raise RecordingError(f"{call.name} on {name} is not modelled")

    def _wrote(self, call: _Call, name: str) -> None:
        data = _text(call.arguments.split(b'"')[1])
        if int(call.result) != len(data):
            raise RecordingError(f"{name} was written to in part, or the trace is cut short")
        if call.name == "pwrite64":
            offset = _last_number(call.arguments)
        elif (handle := _handle(call.arguments)) in self._positions:
            # SQLite without pwrite seeks before each write.
            offset = self._positions.pop(handle)
        else:
            raise RecordingError(f"it is not known where in {name} was written")
        self._written[name] = call.begun
        self._found.append((call.begun, Write(name, offset, data)))

    def _descriptor(self, arguments: bytes) -> str | None:
        """The file of ours that a descriptor stands for; `3<path>` is how strace shows one, among the arguments of mmap too."""
        for path in re.findall(rb"\d<([^>]*)>", arguments[:4096]):
            if (name := self._inside(_text(path))) is not None:
                return name
        return None

    def _inside(self, path: bytes) -> str | None:
        """The name in our folder; empty for the folder itself, None for what lies elsewhere."""
        if path == self._folder:
            return ""
        folder, _, name = path.rpartition(b"/")
        return os.fsdecode(name) if folder == self._folder else None


def _is_fleeting(name: str) -> bool:
    return name.endswith(FLEETING)


def _hex(text: bytes) -> bytes:
    return b"".join(b"\\x%02x" % byte for byte in text)


def _text(shown: bytes) -> bytes:
    """The bytes that strace shows in hexadecimal; not every version shows a descriptor's path so."""
    if not shown.startswith(b"\\x"):
        return shown
    return bytes.fromhex(shown.replace(b"\\x", b"").decode("ascii"))


def _handle(arguments: bytes) -> bytes:
    return arguments.partition(b">")[0]


def _last_number(arguments: bytes) -> int:
    return int(arguments.rstrip(b")").rpartition(b", ")[2])
