"""Cases through the real sync: nobody linked to a stranger, nobody twice, nobody dropped, no needless reviews.

Of the many names of the markets every fourth one runs here; `make identity` runs all of them.
"""

from __future__ import annotations

import pytest

from .cases import CASES
from .running import Case, run

pytestmark = pytest.mark.anyio
NUMBERED = list(enumerate(CASES))
SMALL = [pair for pair in NUMBERED if not pair[1].kind.startswith("markets: different") or pair[0] % 4 == 0]


@pytest.mark.parametrize(("number", "case"), SMALL, ids=[f"{case.kind}: {case.name}" for _, case in SMALL])
async def test_a_case(number: int, case: Case):
    result = await run(case, number)
    assert (result.wrong_link, result.duplicate, result.dropped) == (False, False, False)
    assert not (case.want == "same" and result.held), "a needless review"
