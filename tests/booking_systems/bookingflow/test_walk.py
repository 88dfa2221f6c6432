"""The backfill: by date, with every kind of pager, distrustful."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from connector.model.errors import Rejected, Transient
from connector.sandbox.bookingflow.app import BookingFlowSandbox

pytestmark = pytest.mark.anyio

SINCE = datetime(2027, 3, 1, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=5)


async def ids(adapter, since=SINCE, until=UNTIL, cursor=None):
    pages = [page async for page in adapter.walk(since, until, cursor)]
    return [event.appointment.id for page in pages for event in page.events]


def booked(sandbox, number=20, hours=7):
    sandbox.book(starts_at=SINCE - timedelta(seconds=1))
    sandbox.book(starts_at=UNTIL)
    return [sandbox.book(starts_at=SINCE + timedelta(hours=hours * n)) for n in range(number) if hours * n < 120]


@pytest.mark.parametrize("page_size", [1, 2, 50])
async def test_day_by_day(connect, page_size):
    sandbox = BookingFlowSandbox(page_size=page_size)
    wanted = booked(sandbox)
    assert await ids(connect(sandbox)) == wanted


async def test_a_server_that_does_not_page_is_read_once_more_and_not_for_ever(connect):
    sandbox = BookingFlowSandbox(pages=False)
    wanted = booked(sandbox)
    found = await ids(connect(sandbox))
    assert set(found) == set(wanted)
    assert await ids(connect(sandbox, listing={"pager": "none"})) == wanted


async def test_a_date_filter_that_is_ignored_is_noticed(connect):
    sandbox = BookingFlowSandbox(filters=False)
    booked(sandbox)
    with pytest.raises(Rejected, match="not limited to the dates") as caught:
        await ids(connect(sandbox))
    assert "date_param" in caught.value.hint


async def test_without_a_filter_everything_is_read_and_filtered_here(connect):
    sandbox = BookingFlowSandbox(filters=False, page_size=3)
    wanted = booked(sandbox)
    assert await ids(connect(sandbox, listing={"date_param": ""})) == wanted


def remote_system(wanted, *, page, asked):
    """A remote system of another make: `from` and `to`, and whatever pager `page` plays."""

    def handle(request):
        query = dict(request.url.params)
        asked.append(query)
        inside = [b for b in wanted if query["from"] <= b["startAt"][:10] <= query["to"]]
        return httpx.Response(200, json=page(inside, query))

    return handle


BOOKINGS = [{"id": n, "startAt": (SINCE + timedelta(hours=5 * n)).isoformat()} for n in range(1, 20)]
STEPS = {"date_param": "from", "until_param": "to", "step_days": 3}


async def test_steps_of_several_days_with_an_offset(connect):
    asked = []

    def page(inside, query):
        start = int(query["start"])
        return inside[start : start + 2]

    handle = remote_system(BOOKINGS, page=page, asked=asked)
    listing = STEPS | {"pager": "offset", "page_param": "start", "size_param": "count", "page_size": 2}
    assert await ids(connect(handle, listing=listing)) == [str(b["id"]) for b in BOOKINGS]
    assert asked[0] == {"count": "2", "from": "2027-02-28", "to": "2027-03-02", "start": "0"}
    assert asked[-1]["to"] == "2027-03-07"


async def test_a_cursor(connect):
    asked = []

    def page(inside, query):
        start = int(query.get("cursor", 0))
        more = {"nextCursor": str(start + 4)} if start + 4 < len(inside) else {}
        return {"items": inside[start : start + 4], **more}

    handle = remote_system(BOOKINGS, page=page, asked=asked)
    listing = STEPS | {"pager": "cursor", "page_param": "cursor", "size_param": ""}
    assert await ids(connect(handle, listing=listing)) == [str(b["id"]) for b in BOOKINGS]
    assert "cursor" not in asked[0]


async def test_a_cursor_that_repeats_ends_the_step(connect):
    numbers = iter(range(100))

    def handle(request):
        return httpx.Response(200, json={"items": [{"id": next(numbers) + 1}], "nextCursor": "same"})

    listing = {"date_param": "", "pager": "cursor"}
    assert await ids(connect(handle, listing=listing)) == ["1", "2"]


@pytest.mark.parametrize("data", [{}, {"bookings": {}}, "x", None, {"ok": False, "bookings": []}])
async def test_a_list_in_another_shape_is_no_empty_list(connect, data):
    with pytest.raises(Transient, match="unexpected shape"):
        await ids(connect(lambda request: httpx.Response(200, json=data)))


async def test_a_list_that_is_not_offered(connect):
    with pytest.raises(Rejected, match="404") as caught:
        await ids(connect(lambda request: httpx.Response(404, json={"ok": False})))
    assert "paths" in caught.value.hint


async def test_odd_bookings_are_passed_over_and_those_without_a_time_are_kept(connect):
    listed = [
        5,
        {},
        {"id": None},
        {"id": "b1"},
        {"id": "b2", "startAt": "soon"},
        {"id": "b3", "startAt": "2020-01-01T00:00:00Z"},
    ]
    adapter = connect(lambda request: httpx.Response(200, json=listed), listing={"date_param": "", "pager": "none"})
    assert await ids(adapter) == ["b1", "b2"]


@pytest.mark.parametrize(
    ("since", "until"),
    [
        (datetime(1, 1, 1, tzinfo=UTC), datetime(1, 1, 3, tzinfo=UTC)),
        (datetime(9999, 12, 30, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)),
    ],
)
async def test_the_ends_of_the_calendar(connect, sandbox, since, until):
    assert await ids(connect(sandbox), since, until) == []


@pytest.mark.parametrize("cursor", [{}, {"day": "x"}, {"day": None, "more": 1}, {"day": "2027-03-01", "number": -1}])
async def test_a_cursor_of_somebody_else(connect, sandbox, cursor):
    with pytest.raises(Rejected) as caught:
        await ids(connect(sandbox), cursor=cursor)
    assert caught.value.hint
