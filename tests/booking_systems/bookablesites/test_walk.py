"""The sweep over customers and appointments."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from connector.model.errors import Rejected
from connector.sandbox.bookablesites.app import BookablesitesSandbox

from .conftest import key

pytestmark = pytest.mark.anyio

SINCE = datetime(2027, 3, 1, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=10)
ADA = {"first_name": "Ada", "last_name": "Moreau", "email": "ada@example.com", "phone": "+15145550101"}


async def pages(booking, cursor=None, since=SINCE, until=UNTIL):
    return [page async for page in booking.walk(since, until, cursor)]


def ids(found):
    return [event.appointment.id for page in found for event in page.events]


def booked(sandbox, number, customer=None):
    customer = customer or sandbox.add_customer(**ADA)
    return [str(sandbox.book(customer, starts_at=SINCE + timedelta(hours=n))) for n in range(number)]


@pytest.mark.parametrize("paginates", [True, False])
@pytest.mark.parametrize("api", ["v1", "v2"])
async def test_everything_of_the_period(connect, paginates, api):
    sandbox = BookablesitesSandbox(paginates=paginates)
    wanted = booked(sandbox, 8)
    found = await pages(connect(sandbox, api=api))
    # A list that does not say its length is read until it repeats or is empty.
    assert sorted(ids(found)) == sorted(wanted)
    (first, *_) = [event for page in found for event in page.events]
    assert (first.client.id, first.client.mobile_phone) == (key("ada@example.com"), "+1 5145550101")
    assert first.appointment.title == "Haircut"


async def test_each_customer_of_an_appointment_is_an_event(connect, sandbox):
    people = [sandbox.add_customer(**ADA | {"email": f"una-{n}@example.com"}) for n in range(3)]
    sandbox.book(*people, people[0], starts_at=SINCE)
    found = await pages(connect(sandbox))
    assert sorted(e.client.id for p in found for e in p.events) == sorted(key(f"una-{n}@example.com") for n in range(3))


async def test_another_process_knows_the_phone_too(connect, sandbox):
    booked(sandbox, 1)
    first, *_ = await pages(connect(sandbox))
    (event,) = [event for page in await pages(connect(sandbox), first.cursor) for event in page.events]
    assert event.client.mobile_phone == "+1 5145550101"


async def test_a_customer_who_is_gone_is_taken_from_the_appointment(connect, sandbox):
    (appointment,) = booked(sandbox, 1)
    first, *_ = await pages(connect(sandbox))
    shown = sandbox.state.shown(sandbox.state.appointments[int(appointment)])
    sandbox.state.customers.clear()
    sandbox.state.shown = lambda _: shown
    (event,) = [event for page in await pages(connect(sandbox), first.cursor) for event in page.events]
    assert (event.client.id, event.client.mobile_phone) == (key("ada@example.com"), "")


async def test_an_address_that_was_changed_meanwhile(connect, sandbox):
    ada = sandbox.add_customer(**ADA)
    booked(sandbox, 1, ada)
    booking = connect(sandbox)
    await pages(booking)
    sandbox.state.customers[ada]["email"] = "new@example.com"
    (event,) = [e for page in await pages(booking, {"stage": "appointments"}) for e in page.events]
    assert (event.client.id, event.client.email) == (key("new@example.com"), "new@example.com")


async def test_when_the_list_gets_shorter_nothing_is_missed(connect, sandbox):
    wanted = booked(sandbox, 9)
    newest_first = sorted(wanted, key=int, reverse=True)
    walk = connect(sandbox).walk(SINCE, UNTIL, None)
    found = [await anext(walk), await anext(walk)]
    assert ids(found) == newest_first[:3]
    for gone in newest_first[:2]:
        del sandbox.state.appointments[int(gone)]
    found += [page async for page in walk]
    assert set(ids(found)) == set(wanted)


async def test_when_the_list_grows_nothing_is_missed(connect, sandbox):
    wanted = booked(sandbox, 9)
    walk = connect(sandbox).walk(SINCE, UNTIL, None)
    found = [await anext(walk), await anext(walk)]
    sandbox.book(next(iter(sandbox.state.customers)), starts_at=SINCE)
    found += [page async for page in walk]
    assert set(wanted) <= set(ids(found))


async def test_naive_times_without_a_zone_are_kept_generously(connect, sandbox):
    ada = sandbox.add_customer(**ADA)
    near = sandbox.book(ada, starts_at=UNTIL + timedelta(hours=5))
    sandbox.book(ada, starts_at=UNTIL + timedelta(days=2))
    found = await pages(connect(sandbox, date_format=None, time_zone=None))
    assert ids(found) == [str(near)]
    assert [event.appointment.starts_at for page in found for event in page.events] == [None]


async def test_the_ends_of_the_calendar(connect, sandbox):
    wanted = booked(sandbox, 1)
    ends = {"since": datetime.min.replace(tzinfo=UTC), "until": datetime.max.replace(tzinfo=UTC)}
    for zone in ("Europe/Paris", None):
        assert ids(await pages(connect(sandbox, date_format=None, time_zone=zone), **ends)) == wanted


async def test_an_appointment_without_a_time_is_kept(connect, sandbox):
    (wanted,) = booked(sandbox, 1)
    sandbox.state.appointments[int(wanted)]["start_date_time"] = "soon"
    assert ids(await pages(connect(sandbox))) == [wanted]


@pytest.mark.parametrize("cursor", [{}, {"stage": "customers", "page": 0}, {"stage": "x"}, {"page": "x"}, {"more": 1}])
async def test_a_cursor_of_somebody_else(connect, sandbox, cursor):
    if cursor == {}:
        assert await pages(connect(sandbox), cursor)
        return
    with pytest.raises(Rejected) as caught:
        await pages(connect(sandbox), cursor)
    assert caught.value.hint


async def test_odd_records_are_passed_over(connect):
    odd = [
        {},
        {"id": 5},
        {"id": 6, "bookings": "x"},
        {"id": 7, "bookings": [{"customer": None}, 5, {"customer": {"id": True}}]},
    ]
    good = {"id": 8, "bookings": [{"customer": {"email": "ada@example.com"}}], "service": "Haircut", "employees": [5, {}]}
    single = {"id": 9, "customer": {"email": "ben@example.com"}, "status": "approved"}

    def handle(request):
        if request.method == "POST":
            return httpx.Response(200, json={"access_token": "t"})
        listed = [*odd, good, single, 5] if request.url.path.endswith("appointments") else [{}, 5, {"id": 1}, "x"]
        return httpx.Response(200, json={"data": listed, "pagination": {"pages": "1", "total": None}})

    found = await pages(connect(handle))
    assert ids(found) == ["8", "9"]
    assert found[-1].events[0].appointment.title == "Haircut"
    assert found[-1].fraction == 1
