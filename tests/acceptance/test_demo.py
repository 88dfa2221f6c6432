"""The first thing a newcomer runs: it must work without anything, print its decisions and end."""

from __future__ import annotations

import re

import pytest
from cli.place import invoke

from connector.registry import BOOKING_SYSTEMS, CRMS, booking_system, crm
from connector.sandbox.kit.stage import find_stage

from .world import run

#: Story → the state of its first event and a word of the rule that decided.
DECISIONS = {
    "new client": ("done", "created"),
    "client with a known e-mail": ("done", "the only customer with this e-mail address"),
    "client already linked": ("done", "linked to this customer"),
    "ambiguous client": ("held", "the phone number matches, the name only in part"),
    "client without e-mail and phone": ("ignored", "nothing to identify the client"),
}


@pytest.mark.anyio
async def test_demo_once_prints_the_five_decisions_and_ends():
    code, out, err = await run("demo", "--once")
    assert (code, err) == (0, "")
    for story, (state, reason) in DECISIONS.items():
        told = re.search(rf"^{story} \d+, appointment.created: (\w+)\n(.*?)\n\n", out, re.MULTILINE | re.DOTALL)
        assert told, f"nothing is told of the {story}"
        assert told[1] == state
        assert reason in told[2]
    assert "Delivered twice: 1 delivery was recognised as a duplicate" in out
    assert re.search(r"external ids under the module hubspot: \{(\"\d+\": \"\d+\"(, )?){3}\}", out)


@pytest.mark.parametrize(
    ("booking", "types", "ends"),
    [
        ("bookeo", "bookings.created", "Bookeo now stores 3 ids"),
        ("bookablesites", "appointment.booked", "Bookablesites has no place for customer ids"),
        ("bookingflow", "booking.created", "BookingFlow has no place for customer ids"),
    ],
)
def test_the_demo_shows_any_booking_system(booking, types, ends):
    result = invoke("demo", "--once", "--booking", booking)
    out = result.stdout
    assert (result.exit_code, result.stderr) == (0, "")
    assert re.search(rf"^new client \S+, {types}: done$", out, re.MULTILINE)
    assert re.search(rf"^ambiguous client \S+, {types}: held$", out, re.MULTILINE)
    assert "Delivered twice: 1 delivery was recognised as a duplicate" in out
    assert ends in out
    assert "(CANCELED, SCHEDULED" in out


def test_every_integration_has_a_stage():
    titles = {name: crm(name).title for name in CRMS} | {name: booking_system(name).title for name in BOOKING_SYSTEMS}
    assert {name: find_stage(name).title for name in titles} == titles
