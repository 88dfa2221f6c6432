"""The table of `python -m tests.systems`, small: nobody lost, doubled or mistaken, whichever booking system it is."""

import asyncio

import httpx
import pytest

from connector import registry
from connector.app import Service
from connector.config import settings as config
from connector.sandbox.hubspot.app import HubSpotSandbox
from connector.store import views

from .__main__ import CONFIG, play, write_files
from .people import TOMORROW, Person, Place

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("name", registry.BOOKING_SYSTEMS)
async def test_nobody_is_lost_doubled_or_mistaken(name, tmp_path):
    outcome = await play(Place(name), tmp_path, people=10, seed=7)
    assert (outcome.duplicates, outcome.wrong, outcome.unlinked) == (0, 0, 0)


async def test_a_person_known_to_two_sources_becomes_one_customer(tmp_path):
    """Two booking systems into one CRM, the same people in both at the same time."""
    booxi, flow = Place("booxi"), Place("bookingflow")
    hubspot = HubSpotSandbox(unique_properties=("connector_person_key",), per_10_seconds=None, search_per_second=None)
    text = CONFIG.format(name="booxi", settings=booxi.settings("https://place.test", "place"))
    text += (
        '[[sync]]\nbooking = "rooms"\ncrm = "main"\n[booking.rooms]\nsystem = "bookingflow"\ndefault_country = "CA"\n'
        "limits = { per_second = 0, per_minute = 0 }\n" + flow.settings("https://rooms.test", "rooms")
    )
    file = write_files(tmp_path, text, booxi, flow)
    transports = {
        "booking.place": httpx.ASGITransport(booxi.sandbox.app),
        "booking.rooms": httpx.ASGITransport(flow.sandbox.app),
        "crm.main": httpx.ASGITransport(hubspot.app),
    }
    service = await Service.open(config.load(file, systems=registry.Registry()), transports=transports)
    await service.start()
    try:
        booxi.stage.aim(service.url, "place")
        flow.stage.aim(service.url, "rooms")
        people = [Person(number) for number in range(8)]
        for person in people:
            booxi.book(person, TOMORROW)
            flow.book(person, TOMORROW)
        await asyncio.gather(*(place.sandbox.send_webhooks(concurrency=8) for place in (booxi, flow)))
        read = service.engine.store.read
        async with asyncio.timeout(60):
            while (await read(views.queue))["done"] < 16:
                await asyncio.sleep(0.05)
        links = await read(views.links)
    finally:
        await service.stop()
    assert sorted(contact["email"] for contact in hubspot.contacts()) == sorted(person.email for person in people)
    assert {link["source"] for link in links} == {"place", "rooms"}
    assert len(links) == 16
    assert sorted(booxi.stage.links().values()) == sorted(contact["id"] for contact in hubspot.contacts())
