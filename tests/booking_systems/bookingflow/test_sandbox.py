"""The sandbox plays what is announced, and can be controlled from outside."""

from datetime import UTC, datetime

import httpx
import pytest

from connector.sandbox.bookingflow.app import BookingFlowSandbox

pytestmark = pytest.mark.anyio

START = datetime(2027, 3, 1, 14, tzinfo=UTC)
ADA = {"name": "Ada Moreau", "email": "ada@example.com", "phone": "+15145550101"}


def http(sandbox, key="sandbox-api-key"):
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app), base_url="http://sandbox.test", headers=headers)


async def test_keys_and_limits():
    sandbox = BookingFlowSandbox(per_minute=2, ticks=lambda: 0.0)
    async with http(sandbox, "wrong") as client:
        assert (await client.get("/api/v1/public/me")).json()["error"] == "unauthorized"
    async with http(sandbox) as client:
        answers = [await client.get("/api/v1/public/me") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["x-ratelimit-remaining"] == "0"


async def test_a_key_that_may_only_read():
    sandbox = BookingFlowSandbox(read_only=True)
    booking = sandbox.book(**ADA)
    async with http(sandbox) as client:
        assert (await client.get(f"/api/v1/bookings/{booking}")).json()["booking"]["customer"] == ADA
        assert (await client.put(f"/api/v1/bookings/{booking}", json={"players": 2})).status_code == 403
        assert (await client.delete(f"/api/v1/bookings/{booking}")).status_code == 403


async def test_bookings(sandbox):
    first, second = sandbox.book(**ADA, starts_at=START), sandbox.book(starts_at=START.replace(day=2))
    async with http(sandbox) as client:
        listed = (await client.get("/api/v1/bookings", params={"date": "2027-03-01"})).json()
        assert [b["bookingId"] for b in listed["bookings"]] == [first]
        paged = (await client.get("/api/v1/bookings", params={"limit": "1", "page": "2"})).json()
        assert [b["bookingId"] for b in paged["bookings"]] == [second]
        assert (await client.get("/api/v1/bookings", params={"limit": "x", "page": "0"})).status_code == 200
        assert (await client.get("/api/v1/bookings/nobody")).json()["error"] == "booking_not_found"
        assert (await client.put("/api/v1/bookings/nobody", json={"players": 2})).status_code == 404
        assert (await client.delete("/api/v1/bookings/nobody")).status_code == 404
        for wrong in ({}, {"externalId": "x"}, {"status": "x"}):
            assert (await client.put(f"/api/v1/bookings/{first}", json=wrong)).status_code == 400
        assert (await client.put(f"/api/v1/bookings/{first}", content=b"[")).status_code == 400
        assert (await client.put(f"/api/v1/bookings/{first}", json={"players": 2})).json()["booking"]["players"] == 2
        assert (await client.delete(f"/api/v1/bookings/{first}")).json() == {"ok": True}
        cancelled = (await client.get("/api/v1/bookings", params={"status": "canceled"})).json()["bookings"]
        assert [b["bookingId"] for b in cancelled] == [first]
    assert [message.body["type"] for message in sandbox.outbox.waiting] == [
        "booking.created",
        "booking.created",
        "booking.updated",
        "booking.canceled",
    ]


async def test_it_can_be_controlled_from_outside(sandbox):
    async with http(sandbox) as client:
        body = ADA | {"starts_at": "2027-03-01T14:00:00", "send": False}
        booking = (await client.post("/_sandbox/bookings", json=body)).json()["bookingId"]
        for action, more in (("reschedule", {"starts_at": "2027-03-02T14:00:00Z"}), ("pay", {}), ("cancel", {})):
            assert (await client.post(f"/_sandbox/bookings/{booking}/{action}", json=more)).status_code == 200
        answer = await client.post(f"/_sandbox/bookings/{booking}/status", json={"status": "no-show"})
        assert answer.json() == {"bookingId": booking}
        state = (await client.get("/_sandbox/state")).json()
        assert (state["bookings"][0]["status"], len(state["waiting"])) == ("no-show", 5)
        assert (await client.post(f"/_sandbox/bookings/{booking}/fly")).status_code == 400
        assert (await client.post("/_sandbox/bookings/nobody/cancel")).status_code == 400
        assert (await client.post(f"/_sandbox/bookings/{booking}/delete")).status_code == 200
        assert (await client.get("/_sandbox/stats")).json()["waiting"] == 6
        await client.post("/_sandbox/reset")
        assert sandbox.snapshot() == {"bookings": [], "waiting": []}
