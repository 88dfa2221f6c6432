"""The service as a process of its own between both sandboxes, killed again and again while everybody arrives."""

from __future__ import annotations

import asyncio
import random
import socket
from contextlib import AsyncExitStack
from pathlib import Path

from acceptance.world import Service, pending, rows
from contract.accounts import account
from torture.chaos import determined

from connector.sandbox.booxi.app import BooxiSandbox
from connector.sandbox.booxi.webhooks import Target
from connector.sandbox.kit.faults import Faults
from connector.sandbox.kit.server import Server

from .playing import CONFIG, PATIENCE, TOMORROW, Made, Person, settings, toml

#: Answers take so long, in milliseconds, that most kills come while something is on its way.
SLOWLY = (10, 120)


async def kills(system: str, folder: Path, events: int, times: int, seed: int) -> Made:
    """So many events at once for one new person; `kill -9` of the service so many times, and started again."""
    far, booxi, rng = account(system), BooxiSandbox(quota=None, retries=[0.05] * 4_000), random.Random(seed)
    person = Person(1)
    port = _free_port()
    async with AsyncExitStack() as stack:
        crm_url = (await stack.enter_async_context(Server(determined(far.app)))).url
        booxi_url = (await stack.enter_async_context(Server(determined(booxi.app)))).url
        file = folder / "connector.toml"
        table = toml(settings(far, crm_url, limited=False))
        file.write_text(CONFIG.format(port=port, booxi=f"{booxi_url}/booking/v1", crm=table), encoding="utf-8")
        far.disturb(seed=seed, latency_ms=SLOWLY)
        booxi.faults = Faults(seed=seed, latency_ms=SLOWLY)
        for _ in range(events):
            booxi.book(booxi.add_client(**person.client), starts_at=TOMORROW)
        booxi.outbox.target = Target(f"http://127.0.0.1:{port}/webhooks/stores")
        sending = asyncio.create_task(booxi.send_webhooks(concurrency=events))
        for _ in range(times):
            service = Service(file)
            await service.spawn()
            await service.until(lambda one=service: bool(one.url) or one.ended)
            await asyncio.sleep(rng.uniform(0.0, 0.6))
            await service.kill()
        last = Service(file)
        await last.start()
        try:
            await asyncio.wait_for(sending, PATIENCE)
            async with asyncio.timeout(PATIENCE):
                while pending(file.parent / "connector.db"):
                    await asyncio.sleep(0.1)
            linked = [str(customer) for (customer,) in rows(file.parent / "connector.db", "SELECT customer_id FROM links")]
        finally:
            await last.kill()
    customers = far.customers()
    wrong = sum(customer not in customers for customer in linked)
    return Made([len(customers)], events - len(booxi.links()), wrong, disturbed=times)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
