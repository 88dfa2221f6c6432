"""The table of `python -m tests.systems`, small: nobody lost, doubled or mistaken, whichever booking system it is."""

import asyncio

import httpx
import pytest

from connector import registry
from connector.app import Service
from connector.config import settings as config
from connector.sandbox.hubspot.app import HubSpotSandbox
from connector.store import views

from .__main__ import CONFIG, NO_LIMITS, play
from .stages import PATH_KEY, STAGES, TOKEN, TOMORROW, BookingFlow, Booxi, Person, Target

pytestmark = pytest.mark.anyio


def test_every_booking_system_has_a_stage():
    assert sorted(stage.name for stage in STAGES) == sorted(registry.BOOKING_SYSTEMS)


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
async def test_nobody_is_lost_doubled_or_mistaken(stage, tmp_path):
    outcome = await play(stage(), tmp_path, people=10, seed=7)
    assert (outcome.duplicates, outcome.wrong, outcome.unlinked) == (0, 0, 0)


async def test_a_person_known_to_two_sources_becomes_one_customer(tmp_path):
    """Two booking systems into one CRM, the same people in both at the same time."""
    booxi, flow = Booxi(), BookingFlow()
    hubspot = HubSpotSandbox(unique_properties=("connector_person_key",), per_10_seconds=None, search_per_second=None)
    other = flow.settings.replace("booking.place", "booking.rooms").replace("place.test", "rooms.test")
    text = CONFIG.format(name="booxi", settings=booxi.settings).replace("{limits}", NO_LIMITS)
    text += (
        f'[[sync]]\nbooking = "rooms"\ncrm = "main"\n[booking.rooms]\nsystem = "bookingflow"\ndefault_country = "CA"\n{other}'
    )
    file = tmp_path / "connector.toml"
    file.write_text(text.replace("{limits}", NO_LIMITS), encoding="utf-8")
    transports = {
        "booking.place": httpx.ASGITransport(booxi.sandbox.app),
        "booking.rooms": httpx.ASGITransport(flow.sandbox.app),
        "crm.main": httpx.ASGITransport(hubspot.app),
    }
    service = await Service.open(config.load(file, systems=registry.Registry()), transports=transports)
    await service.start()
    try:
        booxi.aim(service.url)
        flow.sandbox.outbox.target = Target(f"{service.url}/webhooks/rooms", key=PATH_KEY, token=TOKEN)
        people = [Person(number) for number in range(8)]
        for person in people:
            booxi.book(person, TOMORROW)
            flow.book(person, TOMORROW)
        await asyncio.gather(*(stage.sandbox.send_webhooks(concurrency=8) for stage in (booxi, flow)))
        read = service.engine.store.read
        async with asyncio.timeout(20):
            while (await read(views.queue))["done"] < 16:
                await asyncio.sleep(0.05)
        links = await read(views.links)
    finally:
        await service.stop()
    assert sorted(contact["email"] for contact in hubspot.contacts()) == sorted(person.email for person in people)
    assert {link["source"] for link in links} == {"place", "rooms"}
    assert len(links) == 16
    assert sorted(booxi.stored()) == sorted(contact["id"] for contact in hubspot.contacts())
