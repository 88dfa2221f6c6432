"""Whatever a power cut leaves of the disk: the database is in order, and everything the store had promised is there.

CONNECTOR_POWERCUT_IMAGES sets how many cuts, CONNECTOR_SEED which; CONNECTOR_REQUIRE_STRACE=1 fails where nothing can be
recorded. ``python -m tests.powercut`` prints the figures.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from . import recording
from .child import DATABASE, SYNCHRONOUS
from .cuts import LOG, run
from .disk import Disk
from .recording import Promise, Recording, Sync

pytestmark = [pytest.mark.slow, pytest.mark.timeout(0)]

IMAGES = int(os.environ.get("CONNECTOR_POWERCUT_IMAGES", "150"))
SEED = int(os.environ.get("CONNECTOR_SEED", "0")) or 1
DELIVERIES = 300


def recorded(folder: Path, mode: str) -> Recording:
    """A run of the load, in the way the store ships (FULL) or robbed of its durability (NORMAL)."""
    if reason := recording.why_not():
        if os.environ.get("CONNECTOR_REQUIRE_STRACE") == "1":
            pytest.fail(f"CONNECTOR_REQUIRE_STRACE is set, but {reason}")
        pytest.skip(reason)
    return recording.record(folder, DELIVERIES, **{SYNCHRONOUS: mode})


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return recorded(tmp_path_factory.mktemp("full"), "FULL")


@pytest.fixture(scope="module")
def robbed(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return recorded(tmp_path_factory.mktemp("normal"), "NORMAL")


def test_the_recording_is_complete(shipped: Recording) -> None:
    disk = Disk()
    for operation in shipped.operations:
        disk.do(operation)
    assert disk.image("everything", random.Random(SEED)) == shipped.files


def test_the_load_is_what_a_service_does(shipped: Recording) -> None:
    promises = [operation for operation in shipped.operations if isinstance(operation, Promise)]
    for kind, least in (("accepted", DELIVERIES), ("intended", DELIVERIES // 2), ("done", DELIVERIES // 2)):
        assert len({promise.id for promise in promises if promise.kind == kind}) >= least
    assert shipped.operations.count(Sync(DATABASE)) >= 5, "too few checkpoints to cut into"
    assert shipped.operations.count(Sync(LOG)) < len(promises), "no commit was shared"


def test_no_power_cut_loses_what_was_acknowledged(shipped: Recording) -> None:
    report = run(shipped.operations, IMAGES, SEED)
    assert report.images == IMAGES
    assert len(report.distinct) > 0.8 * IMAGES
    assert report.damaged == []
    assert report.lost == []


def test_the_same_cuts_find_out_a_store_that_does_not_sync(robbed: Recording) -> None:
    report = run(robbed.operations, IMAGES // 2, SEED)
    assert report.damaged == []
    assert report.losing("accepted") > 0
    assert report.losing("intended") > 0
