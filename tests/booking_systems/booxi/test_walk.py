"""The walk over the past: everything is seen, and it goes on where it stopped."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from connector.model.bookings import Kind
from connector.model.errors import Rejected, Transient
from connector.sandbox.booxi.app import BooxiSandbox

pytestmark = pytest.mark.anyio

SINCE, UNTIL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture
def past():
    """Three merchants, a booking of another client every five days in two of them, pages of two."""
    sandbox = BooxiSandbox(quota=None, page_size=2)
    for merchant in (501, 503):
        for day in range(-10, 100, 5):
            client = sandbox.add_client(email=f"c{merchant}-{day}@example.org")
            sandbox.book(client, merchant_id=merchant, starts_at=SINCE + timedelta(days=day))
    return sandbox


async def walked(booxi, cursor=None, since=SINCE, until=UNTIL):
    return [page async for page in booxi.walk(since, until, cursor)]


def bookings(pages):
    return [event.appointment.id for page in pages for event in page.events]


def within(sandbox, since=SINCE, until=UNTIL):
    starts = {id_: datetime.fromisoformat(booking["startsOn"]) for id_, booking in sandbox.state.bookings.items()}
    return sorted(id_ for id_, start in starts.items() if since <= start < until)


async def test_everything_in_range_is_seen(past, connect):
    pages = await walked(connect(past, backfill_window_days=31))
    assert sorted(set(bookings(pages))) == within(past)
    assert len(within(past)) == 36
    fractions = [page.fraction for page in pages]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert {(event.type, event.kind) for page in pages for event in page.events} == {("backfill", Kind.BACKFILL)}


async def test_the_range_begins_inclusive_and_ends_exclusive(past, connect):
    since, until = SINCE + timedelta(days=5), SINCE + timedelta(days=10)
    pages = await walked(connect(past), since=since, until=until)
    assert sorted(bookings(pages)) == within(past, since, until)
    assert len(bookings(pages)) == 2


async def test_an_empty_range_asks_for_no_bookings(past, connect):
    assert await walked(connect(past), since=SINCE, until=SINCE) == []
    assert past.requests["GET /booking"] == 0


async def test_windows_are_no_longer_than_the_setting(connect):
    asked = []

    def handle(request):
        if request.url.path.endswith("/merchant/list"):
            return httpx.Response(200, json={"items": [{"id": 1}], "total": 1})
        asked.append(tuple(datetime.fromisoformat(request.url.params[key]) for key in ("from", "to")))
        return httpx.Response(200, json={"bookings": []})

    await walked(connect(handle, backfill_window_days=10))
    assert asked[0][0] == SINCE
    assert asked[-1][1] == UNTIL
    assert all(end - start <= timedelta(days=10) for start, end in asked)
    assert [end for _, end in asked[:-1]] == [start for start, _ in asked[1:]]


async def test_it_resumes_after_every_page(past, connect):
    booxi = connect(past)
    whole = await walked(booxi)
    assert len(whole) > 20
    for place, page in enumerate(whole):
        rest = await walked(booxi, json.loads(json.dumps(page.cursor)))
        assert rest == whole[place + 1 :]


async def test_a_dead_cursor_starts_the_window_anew(past, connect):
    booxi = connect(past)
    whole = await walked(booxi)
    for place, page in enumerate(whole):
        past.expire_cursors()
        rest = await walked(booxi, page.cursor)
        assert set(bookings(whole[place + 1 :])) <= set(bookings(rest))


async def test_cursors_that_die_while_we_walk(past, connect):
    seen = []
    async for page in connect(past).walk(SINCE, UNTIL, None):
        seen.append(page)
        if len(seen) == 3:
            past.expire_cursors()
    assert sorted(set(bookings(seen))) == within(past)


async def test_cursors_that_always_die_end_the_walk(connect):
    def handle(request):
        if request.url.path.endswith("/merchant/list"):
            return httpx.Response(200, json={"items": [{"id": 1}], "total": 1})
        if "cursor" in request.url.params:
            return httpx.Response(400, json={"message": "no", "code": 4})
        return httpx.Response(200, json={"bookings": [], "cursor": "c"})

    with pytest.raises(Rejected, match="list bookings: answered 400, code 4") as caught:
        await walked(connect(handle))
    assert caught.value.hint


async def test_a_repeated_cursor_ends_the_walk(connect):
    calls = []

    def handle(request):
        if request.url.path.endswith("/merchant/list"):
            return httpx.Response(200, json={"items": [{"id": 1}], "total": 1})
        calls.append(request)
        return httpx.Response(200, json={"bookings": [], "cursor": "abcba"[len(calls) - 1]})

    with pytest.raises(Transient, match="same cursor"):
        await walked(connect(handle))
    assert len(calls) == 4


async def test_filters_go_along_with_the_cursor(connect):
    asked = []

    def handle(request):
        if request.url.path.endswith("/merchant/list"):
            return httpx.Response(200, json={"items": [{"id": 1}], "total": 1})
        asked.append(dict(request.url.params))
        return httpx.Response(200, json={"bookings": [], "cursor": 7 if len(asked) == 1 else None})

    await walked(connect(handle, backfill_window_days=366))
    assert asked[1] == asked[0] | {"cursor": "7"}


@pytest.mark.parametrize(
    "answer",
    [[], {}, {"bookings": None}, {"bookings": {}}, {"bookings": [], "cursor": {}}, {"bookings": [], "cursor": "x" * 9000}],
)
async def test_an_unexpected_listing_is_not_an_empty_one(connect, answer):
    def handle(request):
        merchants = {"items": [{"id": 1}], "total": 1}
        return httpx.Response(200, json=merchants if request.url.path.endswith("/merchant/list") else answer)

    with pytest.raises(Transient, match="unexpected shape"):
        await walked(connect(handle))


@pytest.mark.parametrize("answer", [[], {}, {"items": None}, {"items": [], "total": 5}])
async def test_merchants_cut_short_are_an_error(connect, answer):
    with pytest.raises(Transient, match="list merchants"):
        await walked(connect(lambda request: httpx.Response(200, json=answer)))


async def test_many_merchants_are_listed_to_the_end(connect):
    sandbox = BooxiSandbox(quota=None, merchants=250)
    pages = await walked(connect(sandbox), until=SINCE + timedelta(days=1))
    assert len(pages) == 250
    assert sandbox.requests["GET /merchant/list"] == 3


async def test_merchants_without_a_total_are_listed_until_none_come(connect):
    def handle(request):
        if request.url.path.endswith("/merchant/list"):
            first = request.url.params["offset"] == "0"
            return httpx.Response(200, json={"items": [{"id": 12}, {"id": 3}, {"id": None}, 5] if first else []})
        return httpx.Response(200, json={"bookings": []})

    pages = await walked(connect(handle), until=SINCE + timedelta(days=1))
    assert pages[0].cursor["merchants"] == ["3", "12"]


async def test_no_merchants_no_pages(connect):
    assert await walked(connect(BooxiSandbox(quota=None, merchants=0))) == []


@pytest.mark.parametrize(
    "cursor", [{}, {"merchants": "x"}, {"merchants": ["1"], "window_start": "soon"}, {"merchants": [], "more": 1}]
)
async def test_a_cursor_that_is_not_ours(past, connect, cursor):
    with pytest.raises(Rejected, match="stored place") as caught:
        await walked(connect(past), cursor)
    assert caught.value.hint


async def test_attendees_and_links_come_along(connect):
    sandbox = BooxiSandbox(quota=None, links_in_lists=True)
    one, two = sandbox.add_client(), sandbox.add_client()
    sandbox.set_link(two, "77")
    sandbox.book(one, attendees=[one, two], starts_at=SINCE)
    pages = await walked(connect(sandbox))
    found = {event.client.id: event.linked_customer_id for page in pages for event in page.events}
    assert found == {str(one): None, str(two): "77"}


async def test_a_booking_without_a_start_is_kept_and_one_without_a_client_gives_nothing(connect):
    def handle(request):
        if request.url.path.endswith("/merchant/list"):
            return httpx.Response(200, json={"items": [{"id": 1}], "total": 1})
        bookings = [{"bookingId": "A", "client": {"id": 1}}, {"bookingId": "B", "startsOn": "2026-01-02T00:00:00Z"}, None]
        return httpx.Response(200, json={"bookings": bookings})

    pages = await walked(connect(handle, backfill_window_days=366))
    assert bookings(pages) == ["A"]
