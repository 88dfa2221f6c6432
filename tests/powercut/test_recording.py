"""Reading a trace: halves of calls in their order, other people's files, and what is not modelled."""

from __future__ import annotations

from pathlib import Path

import pytest

from .recording import Create, Operation, Promise, RecordingError, Sync, Truncate, Unlink, Write, read

FOLDER = Path("/data/here")


def shown(text: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in text.encode())


DB = f"5<{shown('/data/here/connector.db')}>"
LOG = f"6<{shown('/data/here/connector.db-wal')}>"
PROMISES = f"3<{shown('/data/here/promises')}>"


def operations(*lines: str) -> list[Operation]:
    return read([f"{line}\n".encode() for line in lines], FOLDER)


def opened(name: str, flags: str = "O_RDWR|O_CREAT|O_CLOEXEC", pid: int = 10) -> str:
    path = shown(f"/data/here/{name}")
    return f'{pid} openat(AT_FDCWD<{shown("/")}>, "{path}", {flags}, 0644) = 5<{path}>'


def test_a_file_is_created_once() -> None:
    assert operations(opened("connector.db"), opened("connector.db"), opened("other", "O_RDONLY")) == [Create("connector.db")]


def test_writes_lengths_syncs_and_removals() -> None:
    assert operations(
        f'10 pwrite64({DB}, "{shown("abc")}", 3, 4096) = 3',
        f"10 ftruncate({DB}, 8192) = 0",
        f"10 fdatasync({DB}) = 0",
        f"10 fdatasync(7<{shown('/data/here')}>) = 0",
        f'10 unlink("{shown("/data/here/connector.db")}") = 0',
        f'10 unlink("{shown("/data/here/gone")}") = -1 ENOENT ({shown("No such file")})',
    ) == [
        Write("connector.db", 4096, b"abc"),
        Truncate("connector.db", 8192),
        Sync("connector.db"),
        Sync(""),
        Unlink("connector.db"),
    ]


def test_an_older_strace_and_another_architecture_say_it_differently() -> None:
    gone = f'10 unlinkat(AT_FDCWD</>, "{shown("/data/here/connector.db")}", 0) = 0'
    assert operations("10 fsync(5</data/here/connector.db>) = 0", gone) == [Sync("connector.db"), Unlink("connector.db")]


def test_a_write_counts_from_its_beginning_and_a_sync_from_its_end() -> None:
    assert operations(
        f"10 fdatasync({LOG} <unfinished ...>",
        f'11 write({PROMISES}, "{shown("done 1") + chr(92) + "x0a"}", 7 <unfinished ...>',
        "10 <... fdatasync resumed>) = 0",
        "11 <... write resumed>) = 7",
        f'10 pwrite64({LOG}, "{shown("a")}", 1, 0 <unfinished ...>',
        f"11 fdatasync({DB}) = 0",
        "10 <... pwrite64 resumed>) = 1",
    ) == [Promise("done", "1"), Sync("connector.db-wal"), Write("connector.db-wal", 0, b"a"), Sync("connector.db")]


def test_a_write_after_a_seek_is_where_the_seek_went() -> None:
    assert operations(
        f"10 lseek({DB}, 512, SEEK_SET) = 512",
        f'10 write({DB}, "{shown("abc")}", 3) = 3',
    ) == [Write("connector.db", 512, b"abc")]


def test_other_files_and_what_need_not_survive_are_left_out() -> None:
    assert (
        operations(
            f'10 pwrite64(5<{shown("/data/there/connector.db")}>, "{shown("a")}", 1, 0) = 1',
            f'10 pwrite64(5<{shown("/data/here/connector.db-shm")}>, "{shown("a")}", 1, 0) = 1',
            f"10 mmap(NULL, 32768, PROT_READ|PROT_WRITE, MAP_SHARED, 5<{shown('/data/here/connector.db-shm')}>, 0) = 0x7f",
            f"10 mmap(NULL, 32768, PROT_READ, MAP_SHARED, {DB}, 0) = 0x7f",
            "10 --- SIGCHLD {si_signo=SIGCHLD} ---",
            "10 +++ exited with 0 +++",
        )
        == []
    )


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([f"10 mmap(NULL, 32768, PROT_READ|PROT_WRITE, MAP_SHARED, {DB}, 0) = 0x7f"], "mmap on connector.db"),
        ([f"10 fallocate({DB}, 0, 0, 4096) = 0"], "fallocate on connector.db"),
        ([f'10 rename("{shown("/data/here/a")}", "{shown("/data/here/b")}") = 0'], "rename is not modelled"),
        ([opened("connector.db", "O_RDWR|O_CREAT|O_TRUNC")], "O_TRUNC"),
        ([f'10 write({DB}, "{shown("abc")}", 3) = 3'], "not known where"),
        ([f'10 pwrite64({DB}, "{shown("abc")}", 3, 0) = 2'], "in part"),
        ([f"10 fdatasync({DB} <unfinished ...>"], "middle of a call"),
        (
            [
                f"10 fdatasync({DB} <unfinished ...>",
                f'11 pwrite64({DB}, "{shown("abc")}", 3, 0) = 3',
                "10 <... fdatasync resumed>) = 0",
            ],
            "during a sync",
        ),
    ],
)
def test_what_is_not_modelled_is_refused(lines: list[str], said: str) -> None:
    with pytest.raises(RecordingError, match=said):
        operations(*lines)
