"""`connector demo`: both remote systems as sandboxes, a handful of sample webhooks, and what became of each.

Everything is real but the remote systems: HTTP both ways, the database file, the sync. Nothing leaves the machine.
"""

from __future__ import annotations

import asyncio
import secrets
import signal
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import click

from connector import registry
from connector.app import Service
from connector.cli import output as terminal
from connector.config import logs
from connector.config import settings as config
from connector.model.capabilities import BookingCapability
from connector.model.errors import ConnectorError
from connector.sandbox.kit.server import Server
from connector.sandbox.kit.stage import BookingStage, CrmStage, LinkingStage, find_stage
from connector.store import views

#: Seconds the samples may take.
PATIENCE = 60.0

CONFIG = """\
[server]
port = PORT
PUBLIC
[database]
url = "sqlite:///demo.db"

[booking.stores]
system = "SYSTEM"
default_country = "CA"
BOOKING
[crm.main]
system = "CRM"
SETTINGS
[[sync]]
booking = "stores"
crm = "main"
record_appointments = true
"""


async def run_demo(*, once: bool, port: int, booking: str = "booxi", crm: str = "hubspot") -> None:
    """Run it. With `once` it ends after printing the decisions.

    Raises:
        ConnectorError: a sample did not come to its end. OSError: the port is taken.
    """
    logs.set_up(json=False, level="error")
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="connector-demo-")))
        stage: BookingStage = find_stage(booking)()
        crm_stage: CrmStage = find_stage(crm)()
        remote_system = await stack.enter_async_context(Server(stage.sandbox.app))
        crm_system = await stack.enter_async_context(Server(crm_stage.sandbox.app))
        text = _config(0 if once else port, (booking, stage, remote_system.url), (crm, crm_stage, crm_system.url))
        file = _write_files(folder, text, {**stage.secrets, **crm_stage.secrets})
        service = await Service.open(config.load(file, systems=registry.Registry()))
        await service.start()
        stack.push_async_callback(service.stop)
        stage.aim(service.url)
        width = max(len(stage.title), len(crm_stage.title)) + len(" sandbox")
        for title, url in ((stage.title, remote_system.url), (crm_stage.title, crm_system.url)):
            click.echo(f"{title + ' sandbox':{width}}  {url}")
        click.echo(f"{'connector':{width}}  {service.url}/webhooks/stores, database {folder / 'demo.db'}\n")
        if stage.public_url is not None:
            await service.operations.check(fix=True)
        await Play(service, stage, crm_stage).run()
        if not once:
            await _stay(service.login_url)


def _config(port: int, booking: tuple[str, BookingStage, str], crm: tuple[str, CrmStage, str]) -> str:
    """The file's text; each side is given as (system, stage, its sandbox's address)."""
    (system, stage, booking_url), (crm_system, crm_stage, crm_url) = booking, crm
    public = f'public_url = "{stage.public_url}"\n\n[status]\ntoken = {{ file = "status-token" }}\n' if stage.public_url else ""
    text = CONFIG.replace("PORT", str(port)).replace("PUBLIC", public).replace("SYSTEM", system).replace("CRM", crm_system)
    text = text.replace("BOOKING", stage.settings.replace("BASE", booking_url + stage.api))
    return text.replace("SETTINGS", crm_stage.settings.replace("BASE", crm_url))


def _write_files(folder: Path, text: str, secret_files: dict[str, str]) -> Path:
    """The keys in files of their own, so that commands in another terminal can use this configuration too."""
    file = folder / "connector.toml"
    for name, content in {file.name: text, "status-token": secrets.token_urlsafe(32), **secret_files}.items():
        (folder / name).write_text(content, encoding="utf-8")
    return file


class Play:
    """The samples, one client after the other; what is new in the database after each is its story."""

    def __init__(self, service: Service, stage: BookingStage, crm: CrmStage) -> None:
        self._service = service
        self._stage = stage
        self._crm = crm
        self._read = service.engine.store.read
        self._printed = 0

    async def run(self) -> None:
        """Book, let the webhooks arrive, and tell what became of them."""
        stage, crm = self._stage, self._crm
        click.echo(f"Appointments are booked; {stage.title} sends a webhook for each, and one of them twice.\n")
        ada = stage.add("Ada", "Moreau", "ada@example.com", "+1 514-555-0101")
        first = stage.book(ada)
        twice = stage.sandbox.outbox.waiting[-1]
        await self._tell("new client")
        crm.add("Ben", "Okafor", "ben@example.com")
        stage.book(stage.add("Ben", "Okafor", "Ben@Example.com", "+1 514-555-0102"))
        await self._tell("client with a known e-mail")
        if isinstance(stage, LinkingStage):
            known = crm.add("Chloé", "Roy", "chloe@example.com")
            chloe = stage.add("Chloé", "Roy", "chloe@example.com")
            stage.link(chloe, known)
            stage.book(chloe)
            await self._tell("client already linked")
        crm.add(*crm.perhaps_dan, phone="+15145550104")
        stage.book(stage.add("Dan", "Lee", "dan@example.com", "+1 514-555-0104"))
        await self._tell("ambiguous client")
        if stage.nameless:
            stage.book(stage.add("Walk-in", ""))
            await self._tell("client without e-mail and phone")
        await stage.sandbox.outbox.deliver(twice)
        stage.sandbox.cancel(first)
        click.echo("The first appointment is cancelled.\n")
        await self._tell("new client")
        await self._report()

    async def _tell(self, story: str) -> None:
        """Send what waits, wait until all is decided, and print the events that are new."""
        while self._stage.sandbox.outbox.waiting:
            await self._stage.sandbox.send_webhooks()
            await self._settled()
        found = [event for event in await self._read(views.events) if event["id"] > self._printed]
        for event in reversed(found):
            self._printed = max(self._printed, event["id"])
            click.echo(f"{story} {event['client_id']}, {event['type']}: {event['state']}")
            terminal.trace(event["trace"], indent="    ")
            if event["reason"]:
                click.echo(f"    → {event['reason']}")
            click.echo("")

    async def _settled(self) -> None:
        """Wait until every event is final or waits for a person."""
        concluded = asyncio.Event()
        forget = self._service.engine.worker.watch(concluded)
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    concluded.clear()
                    queue = await self._read(views.queue)
                    if not queue["queued"] + queue["running"] + queue["retrying"]:
                        return
                    await concluded.wait()
        except TimeoutError:
            hint = "Run it again. If it happens again, report it."
            raise ConnectorError("The samples were not finished in time.", hint=hint) from None
        finally:
            forget()

    async def _report(self) -> None:
        events: dict[str, dict[str, Any]] = {event["event"]: event for event in await self._read(views.events)}
        duplicates = sum([(await self._read(views.event, e["id"]) or {}).get("duplicates", 0) for e in events.values()])
        click.echo(f"Delivered twice: {duplicates} delivery was recognised as a duplicate and not processed again.\n")
        links = await self._read(views.links)
        columns = ("client_id", "customer_id", "origin", "written_back_at")
        there = (
            "(was there)"
            if self._service.engine.connections.booking["stores"].can(BookingCapability.WRITES_LINKS)
            else "(no place)"
        )
        terminal.table(columns, [[link[column] or there for column in columns] for link in links], empty="No links.")
        click.echo(f"\n{self._stage.stored()}")
        click.echo(self._crm.stored())


async def _stay(login_url: str) -> None:
    click.echo("\nStatus page, good for one login (Ctrl-C ends the demo; commands for another terminal are on the page):")
    click.echo(f"  {login_url}")
    stopped = asyncio.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(one, stopped.set)
    await stopped.wait()
