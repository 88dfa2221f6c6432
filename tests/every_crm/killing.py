"""The service as a process of its own between both sandboxes, killed again and again while everybody arrives."""

from __future__ import annotations

import asyncio
import random
import socket
from contextlib import AsyncExitStack
from pathlib import Path

from acceptance.world import Service, pending
from contract.accounts import CrmAccount, account
from torture.chaos import determined

from connector.sandbox.booxi.app import BooxiSandbox
from connector.sandbox.booxi.webhooks import Target
from connector.sandbox.kit.faults import Faults
from connector.sandbox.kit.server import Server

from .playing import CONFIG, PATIENCE, TOMORROW, Made, Person, settings, toml

#: Answers take so long, in milliseconds, that most kills come while something is on its way.
SLOWLY = (10, 120)


async def kills(system: str, folder: Path, events: int, times: int, seed: int) -> Made:
    """So many events at once for a new person in each life of the service, which ends by `kill -9`; the last one goes on."""
    far, booxi, rng = account(system), BooxiSandbox(quota=None, retries=[0.05] * 4_000), random.Random(seed)
    people = [Person(number + 1) for number in range(times)]
    port = _free_port()
    async with AsyncExitStack() as stack:
        crm_url = (await stack.enter_async_context(Server(determined(far.app)))).url
        booxi_url = (await stack.enter_async_context(Server(determined(booxi.app)))).url
        file = folder / "connector.toml"
        table = toml(settings(far, crm_url, limited=False))
        file.write_text(CONFIG.format(port=port, booxi=f"{booxi_url}/booking/v1", crm=table), encoding="utf-8")
        far.disturb(seed=seed, latency_ms=SLOWLY)
        booxi.faults = Faults(seed=seed, latency_ms=SLOWLY)
        booxi.outbox.target = Target(f"http://127.0.0.1:{port}/webhooks/stores")
        sending = [await _one_life(file, booxi, person, events, rng) for person in people]
        last = Service(file)
        await last.start()
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*sending)
                while pending(file.parent / "connector.db"):
                    await asyncio.sleep(0.1)
        finally:
            await last.kill()
    return await _compared(far, booxi, people)


async def _one_life(file: Path, booxi: BooxiSandbox, person: Person, events: int, rng: random.Random) -> asyncio.Task[int]:
    """Start it, let everybody come, kill it; the deliveries go on until they are acknowledged."""
    service = Service(file)
    await service.spawn()
    await service.until(lambda: bool(service.url) or service.ended)
    for _ in range(events):
        booxi.book(booxi.add_client(**person.client), starts_at=TOMORROW)
    sending = asyncio.create_task(booxi.send_webhooks(concurrency=events))
    await asyncio.sleep(rng.uniform(0.1, 1.0))
    await service.kill()
    return sending


async def _compared(far: CrmAccount, booxi: BooxiSandbox, people: list[Person]) -> Made:
    """What is in the CRM, read by its adapter, beside what Booxi holds."""
    far.disturb()
    crm = far.connect()
    found = [await crm.get(customer) for customer in far.customers()]
    await crm.remote.aclose()
    owner = {customer.id: customer.emails[0].lower() for customer in found if customer and customer.emails}
    links, clients = booxi.links(), booxi.state.clients
    wrong = sum(owner.get(customer) != str(clients[client]["email"]) for client, customer in links.items())
    made = [list(owner.values()).count(person.email) for person in people]
    return Made(made, len(clients) - len(links), wrong, disturbed=len(people))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
