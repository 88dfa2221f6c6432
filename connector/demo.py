"""`connector demo`: both far sides as sandboxes, a handful of sample webhooks, and what became of each.

Everything is real but the far sides: HTTP both ways, the database file, the sync. Nothing leaves the machine.
"""

from __future__ import annotations

import asyncio
import json
import signal
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from connector import config, logs, registry, terminal
from connector.errors import ConnectorError
from connector.sandbox.booxi import BooxiSandbox
from connector.sandbox.booxi_webhooks import Target
from connector.sandbox.hubspot import HubSpotSandbox
from connector.sandbox.server import Server
from connector.service import Service
from connector.store import views

#: Seconds the samples may take.
PATIENCE = 60.0
TOKEN = "demo-webhook-token"  # noqa: S105 - known to the sandbox only

CONFIG = """\
[server]
port = PORT

[database]
url = "sqlite:///demo.db"

[booking.stores]
system = "booxi"
base_url = "BOOXI"
partner_key = { file = "booxi-key" }
module_id = "hubspot"
default_country = "CA"
[booking.stores.webhook]
verify = "token"
tokens = [{ file = "webhook-token" }]

[crm.main]
system = "hubspot"
base_url = "HUBSPOT"
token = { file = "hubspot-token" }

[[sync]]
booking = "stores"
crm = "main"
record_appointments = true
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """One client of the demo: what is special about it."""

    client_id: str
    story: str


async def run_demo(*, once: bool, port: int) -> None:
    """Run it. With `once` it ends after printing the decisions.

    Raises:
        ConnectorError: a sample did not come to its end. OSError: the port is taken.
    """
    logs.set_up(json=False, level="error")
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="connector-demo-")))
        booxi, hubspot = BooxiSandbox(), HubSpotSandbox(unique_properties=("connector_person_key",))
        booxi_server = await stack.enter_async_context(Server(booxi.app))
        hubspot_server = await stack.enter_async_context(Server(hubspot.app))
        file = _write_config(folder, booxi, booxi_server.url, hubspot, hubspot_server.url, 0 if once else port)
        service = await Service.open(config.load(file, systems=registry.Registry()))
        await service.start()
        stack.push_async_callback(service.stop)
        booxi.outbox.target = Target(f"{service.url}/webhooks/stores", token=TOKEN)
        click.echo(f"Booxi stand-in    {booxi_server.url}\nHubSpot stand-in  {hubspot_server.url}")
        click.echo(f"connector         {service.url}/webhooks/stores, database {file.parent / 'demo.db'}\n")
        samples = await _play(booxi, hubspot, service)
        await _report(service, samples, booxi, hubspot)
        if not once:
            await _stay(service.url)


def _write_config(
    folder: Path, booxi: BooxiSandbox, booxi_url: str, hubspot: HubSpotSandbox, hubspot_url: str, port: int
) -> Path:
    file = folder / "connector.toml"
    text = CONFIG.replace("PORT", str(port)).replace("BOOXI", f"{booxi_url}/booking/v1").replace("HUBSPOT", hubspot_url)
    # The keys in files of their own, so that commands in another terminal can use this configuration too.
    for name, content in {
        file.name: text,
        "booxi-key": booxi.partner_key,
        "webhook-token": TOKEN,
        "hubspot-token": hubspot.token,
    }.items():
        (folder / name).write_text(content, encoding="utf-8")
    return file


async def _play(booxi: BooxiSandbox, hubspot: HubSpotSandbox, service: Service) -> Sequence[Sample]:
    """Set both sides up, book, and let the webhooks arrive; returns when everything is decided."""
    ada = booxi.add_client(firstName="Ada", lastName="Moreau", email="ada@example.com", mobilePhoneNumber="514-555-0101")
    ben = booxi.add_client(firstName="Ben", lastName="Okafor", email="Ben@Example.com", mobilePhoneNumber="514-555-0102")
    chloe = booxi.add_client(firstName="Chloé", lastName="Roy", email="chloe@example.com")
    dan = booxi.add_client(firstName="Dan", lastName="Lee", mobilePhoneNumber="514-555-0104")
    walk_in = booxi.add_client(firstName="Walk-in")
    hubspot.add_contact(age=3600, email="ben@example.com", firstname="Ben", lastname="Okafor")
    known = hubspot.add_contact(age=3600, email="chloe@example.com", firstname="Chloé", lastname="Roy")
    hubspot.add_contact(age=3600, firstname="Dana", lastname="Lewis", mobilephone="+15145550104")
    booxi.set_link(chloe, known)
    first = booxi.book(ada)
    for client in (ben, chloe, dan, walk_in):
        booxi.book(client)
    twice = booxi.outbox.waiting[0]
    click.echo("Five appointments are booked; Booxi calls the webhook, once twice over.")
    await booxi.send_webhooks()
    await booxi.deliver(twice)
    await _settled(service)
    booxi.cancel(first)
    click.echo("The first appointment is cancelled.\n")
    await booxi.send_webhooks()
    await _settled(service)
    return (
        Sample(str(ada), "new client"),
        Sample(str(ben), "client with a known e-mail"),
        Sample(str(chloe), "client already linked"),
        Sample(str(dan), "ambiguous client"),
        Sample(str(walk_in), "client without e-mail and phone"),
    )


async def _settled(service: Service) -> None:
    """Wait until every event is final or waits for a person."""
    concluded = asyncio.Event()
    forget = service.engine.worker.watch(concluded)
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                concluded.clear()
                queue = await service.engine.store.read(views.queue)
                if not queue["queued"] + queue["running"] + queue["retrying"]:
                    return
                await concluded.wait()
    except TimeoutError:
        raise ConnectorError(
            "The samples did not come to their end in time.", hint="Run it again; if it stays so, report it."
        ) from None
    finally:
        forget()


async def _report(service: Service, samples: Sequence[Sample], booxi: BooxiSandbox, hubspot: HubSpotSandbox) -> None:
    read = service.engine.store.read
    for sample in samples:
        for event in reversed(await read(views.events, client_id=sample.client_id)):
            _show(sample, event)
    events = {event["event"]: event for event in await read(views.events)}
    duplicates = sum([(await read(views.event, e["id"]) or {}).get("duplicates", 0) for e in events.values()])
    click.echo(f"Delivered twice: {duplicates} delivery recognised as a duplicate, and not worked on again.\n")
    links = await read(views.links)
    columns = ("client_id", "customer_id", "origin", "written_back_at")
    terminal.table(columns, [[link[column] or "(was there)" for column in columns] for link in links], empty="No links.")
    stored = booxi.links()
    click.echo(f"\nBooxi now stores {len(stored)} external ids under the module hubspot: {json.dumps(stored)}")
    outcomes = ", ".join(meeting.get("hs_meeting_outcome", "?") for meeting in hubspot.meetings())
    click.echo(f"HubSpot now has {len(hubspot.contacts())} contacts and {len(hubspot.meetings())} meetings ({outcomes}).")


def _show(sample: Sample, event: dict[str, Any]) -> None:
    click.echo(f"{sample.story} {sample.client_id}, {event['type']}: {event['state']}")
    terminal.trace(event["trace"], indent="    ")
    if event["reason"]:
        click.echo(f"    → {event['reason']}")
    click.echo("")


async def _stay(url: str) -> None:
    click.echo(f"\nStatus page: {url}/status (Ctrl-C ends the demo). Commands for another terminal are on it.")
    stopped = asyncio.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(one, stopped.set)
    await stopped.wait()
