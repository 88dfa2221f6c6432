"""Every case through the real sync: nobody linked to a stranger, nobody twice, nobody dropped, few needless reviews."""

from __future__ import annotations

import pytest

from .cases import CASES
from .running import Case, run

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("number", "case"), list(enumerate(CASES)), ids=[f"{case.kind}: {case.name}" for case in CASES])
async def test_a_case(number: int, case: Case):
    result = await run(case, number)
    assert (result.wrong_link, result.duplicate, result.dropped) == (False, False, False)
    assert not (case.want == "same" and result.held), "a needless review"
