"""Cases through the real sync: nobody linked to a stranger, nobody twice, nobody dropped, no needless reviews.

Every third case of each kind runs here with HubSpot, beside the tables of tests/sync/person, which have all the names, and some
with every other CRM; `make identity` runs all of them.
"""

from __future__ import annotations

from itertools import groupby, islice

import pytest

from connector import registry

from . import cases, found
from .running import Case, Mode, run

pytestmark = pytest.mark.anyio
NUMBERED = list(enumerate([*cases.CASES, *found.CASES]))
SMALL = [pair for _, pairs in groupby(NUMBERED, key=lambda pair: pair[1].kind) for pair in islice(pairs, 0, None, 3)]


@pytest.mark.parametrize(("number", "case"), SMALL, ids=[f"{case.kind}: {case.name}" for _, case in SMALL])
async def test_a_case(number: int, case: Case):
    result = await run(case, number)
    assert (result.wrong_link, result.duplicate, result.dropped) == (False, False, False)
    assert not (case.want in ("same", "apart") and result.held), "a needless review"


#: (kind, name, how it is played) of cases in which a CRM's own ways have made a difference.
TELLING: list[tuple[str, str, Mode]] = [
    ("couples and families", "Tom & Sue Hart / Tom Hart", "all book"),
    ("the same, by address", "Lind / Nora Lind", "all book"),
    ("the same, by phone", "Ana Ruiz Soto / Ana Ruiz", "first typed"),
    ("household, one address", "Tran Van An / Tran Thi Bao", "first typed in one field"),
    ("the same, by phone", "Ana Ruiz Soto / Ana Ruiz", "first typed in one field"),
    ("markets: real number", "+34 611 223 344", "first typed"),
    ("chains", "Alex Hart / Alexander Hart / Alexandra Hart", "all book"),
    ("generations", "Alan Reed Sr. / Alan Reed Jr.", "duplicates forbidden"),
]


@pytest.mark.parametrize("system", sorted({*registry.CRMS} - {"hubspot"}))
async def test_another_crm(system: str):
    named = {(case.kind, case.name): (number, case) for number, case in NUMBERED}
    for kind, name, mode in TELLING:
        number, case = named[kind, name]
        result = await run(case, number, system, mode=mode)
        assert (result.wrong_link, result.duplicate, result.dropped) == (False, False, False), name
        assert not (case.want == "same" and result.held), f"a needless review: {name}"
