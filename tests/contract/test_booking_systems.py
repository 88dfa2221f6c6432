"""The laws of `connector.booking_systems.base`, for every booking system in the registry."""

import copy
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from connector import registry
from connector.booking_systems.base import BookingSystem, ClientLink
from connector.model.bookings import Client, Kind, Reading
from connector.model.capabilities import BookingCapability
from connector.model.errors import AccountPaused, RateLimited, Rejected, RemoteError, Transient, Unavailable, UnknownOutcome
from connector.sandbox.kit.server import Server
from connector.sync.person.identity import identify

from .accounts import BookingAccount, account
from .conftest import FAILURES

pytestmark = pytest.mark.anyio
ADA = Client(id="", first_name="Ada", last_name="Byron", email="ada@example.com", mobile_phone="+15145550123")
SINCE = datetime(2027, 3, 1, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=10)
SYSTEMS = sorted(registry.BOOKING_SYSTEMS)


@pytest.fixture(params=SYSTEMS)
def far(request: pytest.FixtureRequest) -> BookingAccount:
    return account(request.param)


@pytest.fixture
async def booking(far: BookingAccount) -> AsyncIterator[BookingSystem]:
    adapter = far.connect()
    yield adapter
    await adapter.remote.aclose()


async def test_only_what_is_declared_so_depends_on_the_settings(booking):
    assert booking.capabilities ^ type(booking).capabilities <= type(booking).by_setting
    assert all(isinstance(one, BookingCapability) for one in booking.capabilities | booking.by_setting)


# ---- deliveries ----

LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["1", "\ud800", "\x00", "x" * 3_000])
)
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def _sound(reading: Reading) -> None:
    """A reading says exactly one thing, and it can be stored."""
    assert [bool(reading.events), reading.ignored is not None, reading.held is not None].count(True) == 1
    assert reading.event_id is None or 0 < len(reading.event_id) <= 200
    for event in reading.events:
        assert event.client.id
        assert event.linked_customer_id != ""
    people = [event.client.id for event in reading.events]
    assert len(people) == len(set(people))
    assert msgspec.json.decode(msgspec.json.encode(reading), type=Reading) == reading


@pytest.mark.parametrize("system", SYSTEMS)
@given(data=JSON)
def test_whatever_arrives_is_read_without_an_exception(system: str, data: Any) -> None:
    _sound(_adapter(system).read_delivery({}, data))


@pytest.mark.parametrize("system", SYSTEMS)
@settings(max_examples=300)
@given(data=st.data())
def test_a_delivery_of_which_a_part_has_changed_is_read_without_an_exception(system: str, data: st.DataObject) -> None:
    headers, body = _sample(system)
    changed = copy.deepcopy(body)
    path = data.draw(st.sampled_from(list(_paths(body))))
    _put(changed, path, data.draw(JSON | st.sampled_from(["", 0, -1, True, [], {}, "10374001", 2**70, "2027-13-45T99:00:00Z"])))
    _sound(_adapter(system).read_delivery(headers, changed))


async def test_a_delivery_gives_the_client_the_appointment_and_the_link(far, booking):
    ada = far.add(ADA)
    far.store(ada, "4711", None)
    appointment = far.book(ada, SINCE)
    reading = booking.read_delivery(*far.delivery(appointment))
    (event,) = reading.events
    assert far.clients_are_bookings or event.client.id == ada
    # Some deliveries are only a hint: what they do not say is read back.
    client, found = event.client, await booking.appointment(event)
    client = client if client.email else await booking.client(client.id)
    assert client.id == event.client.id
    assert identify(client, None) == identify(ADA, None)
    assert (found.id, found.starts_at) == (appointment, SINCE)
    assert event.kind is Kind.CREATED
    assert event.linked_customer_id in ("4711", None), "None: its deliveries do not say"
    assert bool(reading.event_id) is far.names_deliveries
    assert reading.event_id or reading.repeat_window


async def test_two_deliveries_have_two_ids(far, booking):
    if not far.names_deliveries:
        pytest.skip("deliveries carry no id; they are told apart by their content")
    appointment = far.book(far.add(ADA), SINCE)
    assert len({booking.read_delivery(*far.delivery(appointment)).event_id for _ in range(2)}) == 2


# ---- clients and links ----


async def test_a_client_is_read(far, booking):
    ada = far.add(ADA)
    client = await booking.client(ada)
    assert (client.id, identify(client, None)) == (ada, identify(ADA, None))
    assert await booking.client(far.nobody) is None


async def test_a_client_without_a_link_has_none(far, booking):
    ada = far.add(ADA)
    assert await booking.read_link(ada) == ClientLink(client_id=ada)


@pytest.mark.parametrize("customer_id", ["6001", "003Ab00000xYzAbIAK", "a-b_c.d", "é"])
async def test_a_link_that_was_written_is_read(far, booking, customer_id):
    if not booking.can(BookingCapability.WRITES_LINKS):
        pytest.skip("has no place for a customer id")
    ada = far.add(ADA)
    written = await booking.write_link(await booking.read_link(ada), customer_id)
    assert (written.client_id, written.customer_id) == (ada, customer_id)
    assert await booking.read_link(ada) == ClientLink(client_id=ada, customer_id=customer_id)
    assert far.stored(ada) == (customer_id, None)


async def test_a_link_is_replaced_and_written_twice_is_the_same(far, booking):
    if not booking.can(BookingCapability.WRITES_LINKS):
        pytest.skip("has no place for a customer id")
    ada, bob = far.add(ADA), far.add(ADA)
    far.store(bob, "1", None)
    for customer_id in ("6001", "6001", "6002"):
        await booking.write_link(await booking.read_link(ada), customer_id)
        assert far.stored(ada)[0] == customer_id
    assert far.stored(bob) == ("1", None)


async def test_a_link_that_was_cleared_is_gone_or_the_adapter_says_that_it_is_not(far, booking):
    if not booking.can(BookingCapability.WRITES_LINKS):
        pytest.skip("has no place for a customer id")
    ada, bob = far.add(ADA), far.add(ADA)
    for client in (ada, bob):
        far.store(client, "6001", None)
    cleared = await booking.clear_link(await booking.read_link(ada))
    assert (await booking.read_link(ada)).customer_id == (None if cleared else "6001")
    assert far.stored(bob) == ("6001", None)
    assert cleared is (booking.system in ("bookeo", "bookingflow")), "the others document no way"


@pytest.mark.parametrize("metadata", [{}, {"tier": "gold"}, {"ü": [1, None, {"a": {"b": 2.5}}], "": ""}])
async def test_metadata_of_others_is_sent_back_unchanged(far, booking, metadata):
    if not far.keeps_metadata:
        pytest.skip("has no place for metadata")
    ada = far.add(ADA)
    far.store(ada, "6001", metadata)
    link = await booking.read_link(ada)
    assert link.metadata == metadata
    await booking.write_link(link, "6002")
    assert far.stored(ada) == ("6002", metadata)


async def test_a_merged_client_is_followed(far, booking):
    if not far.merges:
        pytest.skip("does not merge clients, as far as is known")
    loser, survivor = far.add(ADA), far.add(replace(ADA, email="new@example.com"))
    far.merge(loser, survivor)
    link = await booking.read_link(loser)
    assert link.client_id == survivor
    assert (await booking.client(loser)).id == survivor
    await booking.write_link(link, "6001")
    assert far.stored(survivor)[0] == "6001"


# ---- the walk ----


async def _walk(booking: BookingSystem, cursor: dict[str, Any] | None = None, since=SINCE, until=UNTIL):
    return [page async for page in booking.walk(since, until, cursor)]


def _ids(pages) -> list[str]:
    return [event.appointment.id for page in pages for event in page.events]


def _booked(far: BookingAccount) -> set[str]:
    """Appointments of the whole window, in several places, some at one moment; and some outside of it."""
    clients = [far.add(ADA) for _ in range(3)]
    inside = {far.book(clients[n % 3], SINCE + timedelta(hours=7 * n), place=n) for n in range(34)}
    inside |= {far.book(clients[0], SINCE + timedelta(days=4), place=1) for _ in range(6)}
    for moment in (SINCE - timedelta(seconds=1), UNTIL, UNTIL + timedelta(days=40), SINCE - timedelta(days=40)):
        far.book(clients[0], moment)
    return inside


async def test_the_walk_yields_every_appointment_of_the_window_once(far, booking):
    booked = _booked(far)
    pages = await _walk(booking)
    assert len(pages) > 5
    assert sorted(_ids(pages)) == sorted(booked)
    assert {event.kind for page in pages for event in page.events} == {Kind.BACKFILL}
    fractions = [page.fraction for page in pages]
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] <= fractions[-1] <= 1


async def test_the_walk_goes_on_after_any_of_its_pages(far, booking):
    _booked(far)
    pages = await _walk(booking)
    for number, page in enumerate(pages, 1):
        rest = await _walk(booking, json.loads(json.dumps(page.cursor)))
        assert _ids(rest) == _ids(pages[number:])


async def test_another_process_can_go_on(far, booking):
    _booked(far)
    pages = await _walk(booking)
    async with aclosing((other := far.connect()).remote):
        assert _ids([p async for p in other.walk(SINCE, UNTIL, pages[2].cursor)]) == _ids(pages[3:])


async def test_a_walk_of_nothing(far, booking):
    _booked(far)
    assert _ids(await _walk(booking, since=SINCE, until=SINCE)) == []
    assert _ids(await _walk(booking, since=UNTIL + timedelta(days=80), until=UNTIL + timedelta(days=81))) == []


async def test_a_cursor_that_is_not_one_is_refused(booking):
    with pytest.raises(Rejected) as caught:
        await _walk(booking, {"somebody": "else's"})
    assert caught.value.hint


@pytest.mark.parametrize("faults", FAILURES.values(), ids=FAILURES)
async def test_a_walk_that_fails_is_not_a_walk_that_ends(far, booking, faults):
    booked = _booked(far)
    walk = booking.walk(SINCE, UNTIL, None)
    first = await anext(walk)
    far.disturb(**faults)
    with pytest.raises(RemoteError):
        [page async for page in walk]
    far.disturb()
    booking.remote.breaker.reset()
    assert sorted([*_ids([first]), *_ids(await _walk(booking, first.cursor))]) == sorted(booked)


# ---- failures ----

READS: dict[str, Callable[[BookingSystem, str], Awaitable[object]]] = {
    "client": lambda booking, client_id: booking.client(client_id),
    "read_link": lambda booking, client_id: booking.read_link(client_id),
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("read", READS.values(), ids=READS)
async def test_a_look_up_that_fails_is_never_an_empty_answer(far, booking, read, failure):
    if read is READS["read_link"] and not booking.can(BookingCapability.WRITES_LINKS):
        pytest.skip("has no place for a customer id, so there is nothing to read")
    ada = far.add(ADA)
    far.store(ada, "6001", None)
    far.disturb(**FAILURES[failure])
    with pytest.raises((Unavailable, Transient, RateLimited, AccountPaused)) as caught:
        await read(booking, ada)
    _says_nothing_personal(caught.value)


@pytest.mark.parametrize("read", READS.values(), ids=READS)
async def test_a_refused_key_pauses_the_account_and_says_what_to_do(far, booking, read):
    if read is READS["read_link"] and not booking.can(BookingCapability.WRITES_LINKS):
        pytest.skip("has no place for a customer id, so there is nothing to read")
    ada = far.add(ADA)
    far.refuse_key()
    with pytest.raises(AccountPaused) as caught:
        await read(booking, ada)
    assert caught.value.account == "booking.stores"
    assert "[booking.stores]" in caught.value.hint
    if booking.can(BookingCapability.WRITES_LINKS):
        with pytest.raises(AccountPaused):
            await booking.write_link(ClientLink(client_id=ada), "6001")
    assert far.effects() <= 1
    assert far.stored(ada) == (None, None)


@pytest.mark.parametrize("failure", ["cut", "time-out", "500 afterwards", "500", "503", "down", "HTML 200", "HTML 500"])
async def test_a_write_without_a_clear_answer_may_have_happened_and_is_sent_once(far, booking, failure):
    if not booking.can(BookingCapability.WRITES_LINKS):
        pytest.skip("has no place for a customer id")
    ada = far.add(ADA)
    link = await booking.read_link(ada)
    far.disturb_writes(**FAILURES[failure])
    with pytest.raises(UnknownOutcome) as caught:
        await booking.write_link(link, "6001")
    happened = failure in ("cut", "time-out", "500 afterwards")
    assert far.stored(ada)[0] == ("6001" if happened else None)
    assert far.sandbox.app.injected.total() == 1, "sent once"
    _says_nothing_personal(caught.value)


async def test_over_a_real_connection_a_cut_write_is_unknown_and_can_be_read(far):
    async with Server(far.app) as server, aclosing((booking := far.connect(server.url)).remote):
        if not booking.can(BookingCapability.WRITES_LINKS):
            pytest.skip("has no place for a customer id")
        ada = far.add(ADA)
        link = await booking.read_link(ada)
        far.disturb_writes(lost_answer=1)
        with pytest.raises(UnknownOutcome):
            await booking.write_link(link, "6001")
        far.disturb()
        assert (await booking.read_link(ada)).customer_id == "6001"
    assert far.effects() == 1


async def test_a_client_who_is_not_there_cannot_be_linked(far, booking):
    if not booking.can(BookingCapability.WRITES_LINKS):
        pytest.skip("has no place for a customer id")
    with pytest.raises(Rejected) as caught:
        await booking.write_link(ClientLink(client_id=far.nobody), "6001")
    assert caught.value.hint


def _says_nothing_personal(error: RemoteError) -> None:
    text = f"{error} {error.hint}"
    assert not [word for word in ("@", "555", "Ada", "Byron", "sandbox-") if word in text]
    assert error.account == "booking.stores"


# ---- health ----


async def test_a_probe_of_an_account_that_works(far, booking):
    await booking.probe()
    booking.remote.breaker.trip(Unavailable("down", account="booking.stores"))
    await booking.probe()
    booking.remote.breaker.reset()
    assert all(check.id.startswith("booking.stores.") for check in await booking.checks())


@pytest.mark.parametrize("faults", FAILURES.values(), ids=FAILURES)
async def test_a_probe_of_an_account_that_does_not_work_raises(far, booking, faults):
    far.disturb(**faults)
    with pytest.raises(RemoteError):
        await booking.probe()


# ---- samples for the property tests ----

_SAMPLES: dict[str, tuple[BookingSystem, Any]] = {}


def _known(system: str) -> tuple[BookingSystem, Any]:
    if system not in _SAMPLES:
        far = account(system)
        ada = far.add(ADA)
        far.store(ada, "4711", {"tier": "gold"})
        _SAMPLES[system] = (far.connect(), far.delivery(far.book(ada, SINCE)))
    return _SAMPLES[system]


def _adapter(system: str) -> BookingSystem:
    return _known(system)[0]


def _sample(system: str) -> tuple[dict[str, str], Any]:
    return _known(system)[1]


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Any:
    """The place of every value of a document, the whole of it first."""
    yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield from _paths(inner, (*path, key))


def _put(document: Any, path: tuple[Any, ...], value: Any) -> None:
    for key in path[:-1]:
        document = document[key]
    if path:
        document[path[-1]] = value
