"""Small files of our own that must be whole, on the disk, and for nobody else to read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

#: What is mounted where, for this process.
MOUNTS = Path("/proc/self/mountinfo")
#: File systems over a network, or of a virtual machine's host: SQLite's locks and its shared memory do not hold there.
NETWORKS = frozenset(
    {
        *("afs", "beegfs", "ceph", "cifs", "davfs", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs"),
        *("fuse.ceph", "fuse.davfs2", "fuse.gcsfuse", "fuse.glusterfs", "fuse.grpcfuse", "fuse.rclone", "fuse.s3fs"),
        *("fuse.sshfs", "osxfs", "vboxsf", "vmhgfs", "fuse.vmhgfs-fuse"),
    }
)


def write_durably(file: Path, content: bytes) -> None:
    """Put a file in place with mode 0600; after a power cut it is the old or the new one. Raises OSError."""
    part = file.with_name(f".{file.name}.{os.getpid()}.partial")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(handle, content)
        os.fsync(handle)
    finally:
        os.close(handle)
    part.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def file_system(path: Path, mounts: Iterable[str]) -> str:
    """The kind of file system at `path`, from the lines of Linux's mountinfo; empty where none is known."""
    kind, place = "", Path()
    folders = {Path(os.path.realpath(path)), *Path(os.path.realpath(path)).parents}
    for mount in mounts:
        where, _, what = mount.partition(" - ")
        fields = where.split(" ")
        if len(fields) < 5 or (at := Path(unescaped(fields[4]))) not in folders:
            continue
        # Of two mounts at one place, the later one covers the other.
        if len(at.parts) >= len(place.parts):
            kind, place = what.split(" ")[0], at
    return kind


def unescaped(name: str) -> str:
    """A path of mountinfo, where spaces and the like are octal."""
    return re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), name)
