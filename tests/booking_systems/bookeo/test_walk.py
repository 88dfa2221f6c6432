"""The walk over bookings and customers: everything is seen, and it goes on where it stopped."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from connector.model.bookings import Kind
from connector.model.errors import Rejected, Transient
from connector.sandbox.bookeo.app import BookeoSandbox

pytestmark = pytest.mark.anyio

SINCE, UNTIL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
NOW = datetime(2026, 2, 1, tzinfo=UTC).timestamp()


@pytest.fixture
def past():
    """Five customers, two of them without bookings; a booking every five days, pages of two."""
    sandbox = BookeoSandbox(quota=None, page_size=2, clock=lambda: NOW)
    people = [sandbox.add_customer(emailAddress=f"c{n}@example.org") for n in range(5)]
    for number, day in enumerate(range(-10, 100, 5)):
        sandbox.book(people[number % 3], starts_at=SINCE + timedelta(days=day))
    return sandbox


async def walked(bookeo, cursor=None, since=SINCE, until=UNTIL):
    return [page async for page in bookeo.walk(since, until, cursor)]


async def changed(bookeo, since, until, cursor=None):
    return [page async for page in bookeo.changes(since, until, cursor)]


def bookings(pages):
    return [event.appointment.id for page in pages for event in page.events if event.appointment]


def customers(pages):
    return [event.client.id for page in pages for event in page.events if event.appointment is None]


def seen(pages):
    """What came on each page; the tokens of two walks differ."""
    return [(page.events, page.fraction) for page in pages]


def within(sandbox, since=SINCE, until=UNTIL):
    starts = {number: datetime.fromisoformat(booking["startTime"]) for number, booking in sandbox.state.bookings.items()}
    return sorted(number for number, start in starts.items() if since <= start < until)


def listing(items, page=1, pages=1, token=None):
    info = {"totalItems": len(items), "totalPages": pages, "currentPage": page}
    return {"info": {**info, "pageNavigationToken": token} if token else info, "data": items}


async def test_bookings_in_range_and_all_customers_are_seen_once(past, connect):
    pages = await walked(connect(past))
    assert sorted(bookings(pages)) == within(past)
    assert sorted(customers(pages)) == sorted(past.state.customers)
    fractions = [page.fraction for page in pages]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert {(event.type, event.kind) for page in pages for event in page.events} == {("backfill", Kind.BACKFILL)}


async def test_bookings_come_first_so_that_their_links_are_seen(past, connect):
    kinds = [event.appointment is not None for page in await walked(connect(past)) for event in page.events]
    assert kinds == sorted(kinds, reverse=True)


async def test_customers_are_a_setting(past, connect):
    pages = await walked(connect(past, backfill_customers=False))
    assert customers(pages) == []
    assert sorted(bookings(pages)) == within(past)
    assert pages[-1].fraction == 1.0
    assert past.requests["GET /customers"] == 0


@pytest.mark.parametrize("days", [1, 5, 30, 31])
async def test_windows_are_never_longer_than_bookeo_takes(past, connect, days):
    """The sandbox refuses more than 31 days; a since with a fraction of a second must not make it one second more."""
    since, until = SINCE + timedelta(microseconds=1), UNTIL + timedelta(microseconds=1)
    pages = await walked(connect(past, backfill_window_days=days), since=since, until=until)
    assert sorted(bookings(pages)) == within(past, since, until)


async def test_windows_join(connect):
    asked = []

    def handle(request):
        asked.append([datetime.fromisoformat(request.url.params[name]) for name in ("startTime", "endTime")])
        return httpx.Response(200, json=listing([]))

    await walked(connect(handle, backfill_customers=False, backfill_window_days=10))
    assert asked[0][0] == SINCE
    assert asked[-1][1] == UNTIL
    assert [end for _, end in asked[:-1]] == [start for start, _ in asked[1:]]


async def test_what_is_asked_for(connect):
    asked = []

    def handle(request):
        asked.append((request.url.path, dict(request.url.params)))
        if request.url.path == "/v2/bookings":
            return httpx.Response(200, json=listing([{"bookingNumber": "1"}], page=len(asked), pages=2, token="t"))
        return httpx.Response(200, json=listing([]))

    await walked(connect(handle), until=SINCE + timedelta(days=1))
    first = {"startTime": "2026-01-01T00:00:00Z", "endTime": "2026-01-02T00:00:00Z", "includeCanceled": "true"}
    assert asked == [
        ("/v2/bookings", {**first, "expandCustomer": "true", "itemsPerPage": "100"}),
        ("/v2/bookings", {"pageNavigationToken": "t", "pageNumber": "2"}),
        ("/v2/customers", {"currentMembers": "true", "currentNonMembers": "true", "itemsPerPage": "100"}),
    ]


async def test_cancelled_bookings_are_seen_as_such(past, connect):
    number = within(past)[0]
    past.cancel(number)
    events = [e for page in await walked(connect(past)) for e in page.events if e.appointment and e.appointment.id == number]
    assert [event.appointment.status for event in events] == ["cancelled"]


async def test_an_empty_range_asks_for_nothing(past, connect):
    assert await walked(connect(past), since=SINCE, until=SINCE) == []
    assert not past.requests


async def test_it_resumes_after_every_page(past, connect):
    bookeo = connect(past)
    whole = await walked(bookeo)
    assert len(whole) > 10
    for place, page in enumerate(whole):
        rest = await walked(bookeo, json.loads(json.dumps(page.cursor)))
        assert seen(rest) == seen(whole[place + 1 :])


async def test_a_dead_token_starts_the_window_anew(past, connect):
    bookeo = connect(past)
    whole = await walked(bookeo)
    for place, page in enumerate(whole):
        past.expire_tokens()
        rest = await walked(bookeo, page.cursor)
        assert set(bookings(whole[place + 1 :])) <= set(bookings(rest))
        assert set(customers(whole[place + 1 :])) <= set(customers(rest))


async def test_tokens_that_always_die_end_the_walk(connect):
    def handle(request):
        if "pageNavigationToken" in request.url.params:
            return httpx.Response(400, json={"message": "no"})
        return httpx.Response(200, json=listing([{"bookingNumber": "1"}], pages=2, token="t"))

    with pytest.raises(Rejected, match="list bookings: answered 400"):
        await walked(connect(handle))


@pytest.mark.parametrize("answer", [[], {}, {"data": None}, {"data": {}}, {"info": {}}, 5])
async def test_an_unexpected_listing_is_not_an_empty_one(connect, answer):
    with pytest.raises(Transient, match="unexpected shape"):
        await walked(connect(lambda request: httpx.Response(200, json=answer)))


@pytest.mark.parametrize(
    "answer",
    [
        listing([{"bookingNumber": "1"}], pages=2),
        listing([{"bookingNumber": "1"}], page="1", pages="2"),
        listing([], pages=2, token="t"),
        listing([{"bookingNumber": "1"}], page=7, pages=9, token="t"),
    ],
    ids=["no token", "figures in text", "an empty page", "another page"],
)
async def test_a_list_cut_short_is_an_error(connect, answer):
    """Some write numbers as text: https://github.com/IQSS/dataverse/issues/9494"""
    with pytest.raises(Transient, match="cut short"):
        await walked(connect(lambda request: httpx.Response(200, json=answer)))


@pytest.mark.parametrize("info", [None, {}, {"totalPages": "x"}, {"totalPages": 0}])
async def test_a_list_without_figures_is_one_page(connect, info):
    pages = await walked(
        connect(lambda request: httpx.Response(200, json={"info": info, "data": []})), until=SINCE + timedelta(1)
    )
    assert len(pages) == 2


@pytest.mark.parametrize(
    "cursor",
    [
        {},
        {"stage": "people", "window_start": "2026-01-01T00:00:00Z"},
        {"stage": "bookings", "window_start": "soon"},
        {"stage": "bookings", "window_start": "2026-01-01T00:00:00"},
        {"stage": "bookings", "window_start": "2026-01-01T00:00:00Z", "page": 0},
        {"stage": "bookings", "window_start": "2026-01-01T00:00:00Z", "more": 1},
    ],
)
async def test_a_cursor_that_is_not_ours(past, connect, cursor):
    with pytest.raises(Rejected, match="stored place") as caught:
        await walked(connect(past), cursor)
    assert caught.value.hint


async def test_odd_items_give_nothing_and_one_without_a_start_is_kept(connect):
    def handle(request):
        items = [{"bookingNumber": "A", "customerId": "C1"}, {"bookingNumber": "B"}, None, 5, {"id": "C2"}]
        return httpx.Response(200, json=listing(items))

    pages = await walked(connect(handle), until=SINCE + timedelta(days=1))
    assert bookings(pages) == ["A"]
    assert customers(pages) == ["C2"]


# ---- changes ----


async def test_changes_are_bookings_changed_and_customers_created_since(connect):
    now = [NOW]
    sandbox = BookeoSandbox(quota=None, page_size=2, clock=lambda: now[0])
    old = sandbox.add_customer(emailAddress="old@example.org")
    numbers = [sandbox.book(old, starts_at=SINCE + timedelta(days=400)) for _ in range(6)]
    now[0] += 86_400 * 40
    sandbox.cancel(numbers[0])
    sandbox.update_booking(numbers[1], title="moved")
    new = sandbox.add_customer(emailAddress="new@example.org")
    latest = sandbox.book(new)
    since, until = (datetime.fromtimestamp(now[0] + shift, UTC) for shift in (-86_400 * 7, 1))
    pages = await changed(connect(sandbox), since, until)
    assert sorted(bookings(pages)) == sorted([numbers[0], numbers[1], latest])
    assert customers(pages) == [new]
    everything = await changed(connect(sandbox), since - timedelta(days=60), until)
    assert sorted(set(bookings(everything))) == sorted([*numbers, latest])
    assert customers(everything) == [old, new]


async def test_changes_resume_as_well(past, connect):
    bookeo = connect(past)
    since, until = (datetime.fromtimestamp(NOW + shift, UTC) for shift in (-86_400, 86_400))
    whole = await changed(bookeo, since, until)
    assert len(bookings(whole)) == len(past.state.bookings)
    for place, page in enumerate(whole):
        assert seen(await changed(bookeo, since, until, page.cursor)) == seen(whole[place + 1 :])
