"""The table of `python -m tests.every_crm`, small: no promise broken with any CRM that the registry names."""

from __future__ import annotations

from collections import Counter

import httpx
import pytest
from crms.salesforce.shapes import conforming
from starlette.responses import JSONResponse

from connector import registry

from .__main__ import Size, report, tried_with
from .counting import Counting, most_within, quota
from .playing import Made, toml

pytestmark = pytest.mark.anyio
SMALL = Size(events=8, persons=1, kills=0, counted=1, limited=False)


@pytest.mark.parametrize("system", sorted(registry.CRMS))
async def test_no_promise_is_broken(system):
    seen = await report(system, SMALL)
    assert list(seen.broken()) == []
    assert seen.lost.disturbed >= 2
    assert seen.together.customers == seen.lost.customers == [1]
    assert seen.checked is None or seen.checked > 30
    assert seen.calls.new[0] == {"GET": 1, "PUT": 1}
    assert seen.calls.linked[0] == Counter()
    assert sum(seen.calls.linked[1].values()) < sum(seen.calls.known[1].values()) < sum(seen.calls.new[1].values())


async def test_what_is_broken_is_said(monkeypatch):
    async def doubled(*_: object, **__: object) -> Made:
        return Made([2], unlinked=1, wrong=3, throttled=4)

    monkeypatch.setattr(f"{report.__module__}.at_once", doubled)
    seen = await report("salesforce", SMALL)
    assert list(seen.broken()) == [
        "at once: [2] customers were made",
        "at once: 1 clients are not linked, 3 to another customer",
        "4 calls were refused as too many",
    ]
    assert seen.rows()["customers made, all at once"] == "2"


async def test_an_exchange_that_does_not_conform_is_counted_and_goes_on():
    answered = Counting(JSONResponse({"records": "none"}), conforming)
    async with httpx.AsyncClient(transport=answered, base_url="https://crm.test") as client:
        unknown = await client.get("/no/such/call")
        odd = await client.get("/services/data/v62.0/query", params={"q": "SELECT Id FROM Contact"})
    assert (unknown.json(), odd.json()) == ({"records": "none"}, {"records": "none"})
    assert (answered.checked, len(answered.odd)) == (2, 2)
    assert answered.methods == {"GET": 2}


def test_the_most_calls_within_a_window():
    assert most_within([0.0, 0.5, 1.0, 1.4, 5.0], 1.0) == 3
    assert most_within([], 1.0) == 0
    assert quota([0.0, 0.1], ()) == "2 calls, nothing by the second"


def test_what_is_not_verified_is_taken_from_the_page():
    assert {tried_with(system) != "not said" for system in registry.CRMS} == {True}
    assert tried_with("acme") == "not said"


def test_a_table_of_settings():
    assert toml({"a": "x", "b": 2, "limits": {"c": 0}}) == 'a = "x"\nb = 2\nlimits = { c = 0 }'
