"""From BookingFlow's webhooks to linked HubSpot contacts and meetings, through the real service."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from starlette.responses import JSONResponse

from connector.sandbox.bookingflow.app import BookingFlowSandbox
from connector.sandbox.kit.faults import Faults
from connector.store import views

from ..whole_path import PATH_KEY, TOKEN, World

pytestmark = pytest.mark.anyio

START = datetime(2027, 3, 1, 14, tzinfo=UTC)
BOOKING = """
system = "bookingflow"
base_url = "https://bookingflow.test/api/v1"
api_key = "sandbox-api-key"
"""
ADA = {"name": "Ada Moreau", "email": "Ada@Example.com", "phone": "+15145550101"}


def world_of(folder, sandbox, more=""):
    return World(folder, sandbox, BOOKING + more)


@pytest.fixture
def world(tmp_path):
    return world_of(tmp_path, BookingFlowSandbox(read_only=True, retries=[0.01] * 50))


@pytest.mark.parametrize("envelope", ["id", "booking", "root"])
async def test_a_booking_becomes_a_linked_customer_and_a_meeting(world, envelope):
    world.sandbox.envelope = envelope
    async with world.running():
        booking = world.sandbox.book(**ADA, starts_at=START)
        await world.deliver()
        (contact,) = world.hubspot.contacts()
        assert (contact["email"], contact["firstname"], contact["lastname"]) == ("ada@example.com", "Ada", "Moreau")
        assert await world.links() == {f"booking:{booking}": contact["id"]}
        world.sandbox.reschedule(booking, START + timedelta(days=1))
        await world.deliver()
        assert world.starts() == ["2027-03-02T14:00:00.000Z"]
        world.sandbox.pay(booking)
        world.sandbox.set_status(booking, "no-show")
        await world.deliver()
        assert world.outcomes() == ["NO_SHOW"]
        world.sandbox.cancel(booking)
        await world.deliver()
        assert world.outcomes() == ["CANCELED"]
        assert await world.states() == Counter(done=5)
    assert world.sandbox.requests["PUT /bookings/{id}"] == 0


async def test_a_booking_that_is_deleted_is_cancelled(world):
    async with world.running():
        booking = world.sandbox.book(**ADA, starts_at=START)
        await world.deliver()
        world.sandbox.delete(booking)
        await world.deliver()
        assert world.outcomes() == ["CANCELED"]
        assert world.starts() == ["2027-03-01T14:00:00.000Z"]


async def test_two_bookings_of_one_person_are_one_customer(world):
    async with world.running():
        for n in range(6):
            world.sandbox.book(**ADA, starts_at=START + timedelta(hours=n))
        await world.sandbox.send_webhooks(concurrency=6)
        await world.settled()
        assert world.contacts() == ["ada@example.com"]
        assert len(await world.links()) == len(world.hubspot.meetings()) == 6


async def test_a_forged_delivery_puts_nobody_into_the_crm(world):
    async with world.running():
        forged = {"id": "evt_x", "type": "booking.created", "data": {"booking": {"bookingId": "booking_x", "customer": ADA}}}
        answer = await world.post(json.dumps(forged).encode(), query=f"key={PATH_KEY}")
        assert answer.status_code == 202
        await world.settled()
        assert world.contacts() == []
        assert await world.states() == Counter(ignored=1)


async def test_without_ids_of_their_own_deliveries_are_told_apart_by_content(world):
    world.sandbox.event_ids = False
    async with world.running():
        booking = world.sandbox.book(**ADA, starts_at=START)
        world.sandbox.pay(booking)
        world.sandbox.cancel(booking)
        await world.deliver()
        assert await world.states() == Counter(done=3)
        assert world.outcomes() == ["CANCELED"]


async def test_what_is_wrong_is_refused_and_what_cannot_be_read_is_held(world):
    good = b'{"type": "booking.created", "data": {"bookingId": "booking_1"}}'
    cases = [
        (good, "", 401),
        (good, "key=wrong", 401),
        (b"", f"key={PATH_KEY}", 400),
        (b"a=b", f"key={PATH_KEY}", 400),
        (b"[]", f"key={PATH_KEY}", 202),
        (b'{"type": "booking.created"}', f"key={PATH_KEY}", 202),
        (b'{"type": "booking.created", "data": {"bookingId": "../../admin"}}', f"key={PATH_KEY}", 202),
        (b'{"data": {"bookingId": "booking_1"}}', f"key={PATH_KEY}", 202),
    ]
    async with world.running():
        for content, query, status in cases:
            assert (await world.post(content, query=query)).status_code == status, content
        assert (await world.post(good, query=f"key={PATH_KEY}", token="wrong")).status_code == 401
        assert await world.states() == Counter(held=4)
        assert all(event["hint"] for event in await world.events())


async def test_with_a_field_for_it_the_id_is_written_once_and_its_echo_writes_nothing(tmp_path):
    sandbox = BookingFlowSandbox(free_fields=("externalId",))
    world = world_of(tmp_path, sandbox, 'write_back_field = "externalId"\n')
    async with world.running():
        booking = sandbox.book(**ADA, starts_at=START)
        await world.deliver()
        assert [message.body["type"] for message in sandbox.outbox.waiting] == ["booking.updated"], "the echo of our write"
        await world.deliver()
        assert sandbox.bookings[booking]["externalId"] == world.hubspot.contacts()[0]["id"]
        assert sandbox.requests["PUT /bookings/{id}"] == 1
        assert sandbox.outbox.waiting == []


async def test_faults_of_the_remote_systems_lose_nothing_and_make_nobody_twice(world):
    async with world.running():
        world.sandbox.faults = Faults(seed=3, error_500=0.2, lost_answer=0.1, duplicate_delivery=0.5, reorder_delivery=0.5)
        world.hubspot.faults = Faults(seed=4, error_503=0.1, retry_after=0.01)
        for n in range(4):
            world.sandbox.book(name=f"Una Example {n}", email=f"una-{n}@example.com", starts_at=START + timedelta(hours=n))
        await world.sandbox.send_webhooks(concurrency=4)
        assert world.sandbox.outbox.counts["refused"] == 0
        world.fix()
        await world.settled()
        assert world.contacts() == [f"una-{n}@example.com" for n in range(4)]
        assert len(world.hubspot.meetings()) == 4
        assert set(await world.states()) == {"done"}


async def test_a_backfill_links_the_bookings_of_the_period(world):
    async with world.running():
        for n in range(5):
            world.sandbox.book(**ADA, starts_at=START + timedelta(days=n))
        world.sandbox.book(name="Walk-in", starts_at=START)
        world.sandbox.book(name="Ben Later", email="ben@example.com", starts_at=START + timedelta(days=40))
        world.sandbox.outbox.waiting.clear()
        counts = await world.backfill("2027-03-01", "2027-03-10")
        assert (counts["seen"], counts["created"], counts["matched"], counts["skipped"]) == (6, 1, 4, 1)
        assert world.contacts() == ["ada@example.com"]
        assert len(world.hubspot.meetings()) == 5


async def test_a_wrong_path_holds_what_comes_and_cancels_nothing(tmp_path):
    sandbox = BookingFlowSandbox(retries=[0.01] * 50)
    world = world_of(tmp_path, sandbox, 'paths = { booking = "/nowhere/{id}" }\n')
    api = sandbox.app

    async def app(scope, receive, send):
        nowhere = scope["path"].startswith("/api/v1/nowhere")
        await (JSONResponse({"ok": False, "error": "not_found"}, 404) if nowhere else api)(scope, receive, send)

    sandbox.app = app
    async with world.running():
        sandbox.book(**ADA, starts_at=START)
        await world.deliver()
        assert await world.states() == Counter(held=1)
        await world.backfill("2027-02-28", "2027-03-02")
        assert world.outcomes() == []


async def test_a_held_delivery_that_says_its_type_in_a_header_can_be_read_again(tmp_path):
    sandbox = BookingFlowSandbox(read_only=True, retries=[0.01])
    wrong = 'fields = {{ type_header = "X-Event", event_id_header = "X-Id", booking_id = ["/{0}"] }}\n'
    world = world_of(tmp_path, sandbox, wrong.format("nowhere"))
    booking = sandbox.book(**ADA, starts_at=START)
    headers = {"authorization": TOKEN, "x-event": "booking.created", "x-id": "e-1", "x-signature": "not to be stored"}
    async with world.running(), httpx.AsyncClient() as sender:
        answer = await sender.post(world.url, params={"key": PATH_KEY}, headers=headers, json={"ref": booking})
        assert answer.json()["status"] == "held"
        (event,) = await world.events()
        _, stored, _ = await world.read(views.held_delivery, event["id"])
        assert {"x-event", "x-id"} <= stored.keys()
        assert not {"authorization", "x-signature", ":path"} & stored.keys()
    world.file.write_text(world.file.read_text().replace("/nowhere", "/ref"))
    async with world.running():
        await world.service.operations.call("retry", {"ids": [event["id"]]})
        await world.settled()
        (event,) = await world.events()
        assert (event["state"], event["type"]) == ("done", "booking.created")
