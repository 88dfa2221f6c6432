"""Cases through the real sync: nobody linked to a stranger, nobody twice, nobody dropped, no needless reviews.

Every third case of each kind runs here, beside the tables of tests/sync/person, which have all the names; `make identity` runs
all of them.
"""

from __future__ import annotations

from itertools import groupby, islice

import pytest

from .cases import CASES
from .running import Case, run

pytestmark = pytest.mark.anyio
NUMBERED = list(enumerate(CASES))
SMALL = [pair for _, pairs in groupby(NUMBERED, key=lambda pair: pair[1].kind) for pair in islice(pairs, 0, None, 3)]


@pytest.mark.parametrize(("number", "case"), SMALL, ids=[f"{case.kind}: {case.name}" for _, case in SMALL])
async def test_a_case(number: int, case: Case):
    result = await run(case, number)
    assert (result.wrong_link, result.duplicate, result.dropped) == (False, False, False)
    assert not (case.want == "same" and result.held), "a needless review"
