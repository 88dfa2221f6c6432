"""The model of the disk: what a cut can leave, and what it cannot."""

from __future__ import annotations

import random

import pytest

from .disk import KINDS, SECTOR, Disk, Image
from .recording import Create, Sync, Truncate, Unlink, Write

NAME = "file"


def disk(*operations: Write | Truncate | Sync | Create | Unlink) -> Disk:
    made = Disk()
    for operation in operations:
        made.do(operation)
    return made


def images(made: Disk, kind: str, number: int = 300) -> list[Image]:
    rng = random.Random(1)
    return [made.image(kind, rng) for _ in range(number)]


def outcomes(made: Disk, kind: str) -> set[bytes | None]:
    return {image.get(NAME) for image in images(made, kind)}


SETTLED = (Create(NAME), Sync(""), Write(NAME, 0, b"old"), Sync(NAME))


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_synced_is_there(kind: str) -> None:
    made = disk(*SETTLED)
    assert outcomes(made, kind) == {b"old"}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("nothing", {b"old"}),
        ("everything", {b"new!"}),
        ("prefix", {b"old", b"new", b"new!"}),
        ("all but one", {b"old!", b"new"}),
        ("subset", {b"old", b"new", b"old!", b"new!"}),
    ],
)
def test_what_was_not_synced_may_be_there_in_any_part(kind: str, expected: set[bytes]) -> None:
    made = disk(*SETTLED, Write(NAME, 0, b"new"), Write(NAME, 3, b"!"))
    assert outcomes(made, kind) == expected


def test_a_torn_write_is_old_or_new_in_each_sector() -> None:
    made = disk(Create(NAME), Sync(""), Write(NAME, 0, b"o" * 3 * SECTOR), Sync(NAME), Write(NAME, 100, b"n" * 2 * SECTOR))
    old, new = b"o" * SECTOR, b"n" * SECTOR
    first, last = old[:100] + new[100:], new[:100] + old[100:]
    assert outcomes(made, "torn") == {a + b + c for a in (old, first) for b in (old, new) for c in (old, last)}


def test_a_torn_sector_never_holds_a_later_write_without_an_earlier_one() -> None:
    made = disk(Create(NAME), Sync(""), Write(NAME, 0, b"...."), Sync(NAME), Write(NAME, 0, b"1"), Write(NAME, 2, b"2"))
    assert outcomes(made, "torn") == {b"....", b"1...", b"1.2."}


def test_the_length_of_a_file_is_torn_from_its_content() -> None:
    made = disk(*SETTLED, Write(NAME, SECTOR, b"new"))
    gap = bytes(SECTOR - 3)
    assert outcomes(made, "torn") == {b"old", b"old" + gap + b"new", b"old" + gap + b"\0\0\0"}


def test_a_file_cut_short_may_still_be_long() -> None:
    made = disk(*SETTLED, Truncate(NAME, 1))
    assert outcomes(made, "subset") == {b"old", b"o"}
    assert outcomes(made, "torn") >= {b"old", b"o"}


def test_a_write_beyond_the_end_leaves_zeros_between() -> None:
    made = disk(*SETTLED, Write(NAME, 5, b"new"), Sync(NAME))
    assert outcomes(made, "nothing") == {b"old\0\0new"}


def test_a_name_is_there_once_the_folder_was_synced() -> None:
    made = disk(Create(NAME), Write(NAME, 0, b"new"), Sync(NAME))
    assert outcomes(made, "nothing") == {None}
    assert outcomes(made, "prefix") == {None, b"new"}
    made.do(Sync(""))
    assert outcomes(made, "nothing") == {b"new"}


def test_a_removed_file_may_come_back_as_it_was() -> None:
    made = disk(*SETTLED, Unlink(NAME), Create(NAME), Write(NAME, 0, b"new"), Sync(NAME))
    assert outcomes(made, "nothing") == {b"old"}
    assert outcomes(made, "everything") == {b"new"}
    assert outcomes(made, "subset") == {None, b"old", b"new"}


def test_an_image_changes_nothing() -> None:
    made = disk(*SETTLED, Write(NAME, 0, b"new"))
    images(made, "everything")
    images(made, "torn")
    assert outcomes(made, "nothing") == {b"old"}
