"""The table of `python -m tests.systems`, small: nobody lost, doubled or mistaken, whichever booking system it is."""

import pytest

from connector import registry

from .__main__ import play
from .stages import STAGES

pytestmark = pytest.mark.anyio


def test_every_booking_system_has_a_stage():
    assert sorted(stage.name for stage in STAGES) == sorted(registry.BOOKING_SYSTEMS)


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
async def test_nobody_is_lost_doubled_or_mistaken(stage, tmp_path):
    outcome = await play(stage(), tmp_path, people=10, seed=7)
    assert (outcome.duplicates, outcome.wrong, outcome.unlinked) == (0, 0, 0)
