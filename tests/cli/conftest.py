"""Both sandboxes, once for each module, and a place where commands can be run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from acceptance.world import RemoteSystems
from anyio.from_thread import BlockingPortal, start_blocking_portal

from .place import Place


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture(scope="module")
def sides(portal: BlockingPortal) -> Iterator[RemoteSystems]:
    with portal.wrap_async_context_manager(RemoteSystems()) as sides:
        yield sides


@pytest.fixture
def place(tmp_path: Path, portal: BlockingPortal, sides: RemoteSystems) -> Place:
    """A place without a service, and sandboxes that know nobody yet."""
    place = Place(tmp_path, portal, sides)

    def forget() -> None:
        sides.faults()
        sides.booxi.reset()
        sides.hubspot.reset()

    place.there(forget)
    return place
