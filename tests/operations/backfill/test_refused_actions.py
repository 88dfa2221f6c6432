"""One kind of action that a CRM refuses stops alone; a limit of calls, and what concerns everybody, stop the account."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from connector.model.jobs import Awaited
from connector.operations.operations import Operations
from connector.operations.status import Overview
from connector.remote.circuit_breaker import TRIALS
from connector.store import views
from connector.web.receiver.stats import ReceiverStats
from connector.web.status.metrics import render

from .world import World

pytestmark = pytest.mark.anyio

SCOPE = "crm.objects.meetings.write"
ACTION = "record the appointment"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, sync="record_appointments = true")


def known_clients(world: World, number: int) -> None:
    """Clients whom HubSpot knows by their e-mail address, each with a booking that a webhook is sent for."""
    for index in range(number):
        email = f"ada{index}@example.com"
        world.hubspot.add_contact(age=3600, email=email, firstname="Ada", lastname="Moreau")
        world.booxi.book(world.client(firstName="Ada", lastName="Moreau", email=email))


async def until(said: Callable[[], bool]) -> None:
    """Wait for what happens by itself, for a minute at most."""
    async with asyncio.timeout(60):
        while not said():
            await asyncio.sleep(0.02)


async def begun(world: World) -> None:
    """Wait for the first probe and the first checks: what a start asks of the CRM is answered before anything is refused."""
    await until(lambda: world.engine.connections.crms["main"].remote.breaker.error is None)
    await until(lambda: "crm.main" in world.engine.account_checks.findings)


async def all_wait(world: World, wanted: Awaited, number: int) -> None:
    """Wait until so many events wait for one thing."""
    async with asyncio.timeout(60):
        while await waiting(world, wanted) < number:
            await asyncio.sleep(0.02)


async def waiting(world: World, wanted: Awaited) -> int:
    """How many clients wait for an account or an action."""
    query = "SELECT count(*) FROM lanes WHERE awaited_account = ? AND awaited_action IS ?"
    return int(await world.engine.store.read(lambda c: c.execute(query, (wanted.account, wanted.action)).fetchone()[0]))


async def status_of(world: World) -> dict[str, Any]:
    return await Overview(world.engine, ReceiverStats(), works=True).status()


async def checked(world: World, ending: str) -> dict[str, Any]:
    """The one finding of `connector check` whose id ends so."""
    found = await Operations(world.engine, works=True).check(fix=False)
    (one,) = [check for check in found if check["id"].endswith(ending)]
    return one


async def test_meetings_without_their_scope_wait_while_all_known_clients_are_linked(world, lines):
    known_clients(world, 20)
    world.hubspot.missing_scopes.add(SCOPE)
    start = time.monotonic()
    async with world.running() as engine:
        await world.deliver()
        # The one whose turn it is to try the action may be under way while the others wait.
        await all_wait(world, Awaited("crm.main", ACTION), 19)
        async with asyncio.timeout(60):
            while await engine.store.read(views.link_count) < 20:
                await asyncio.sleep(0.02)
        status = await status_of(world)
        account = status["crms"]["main"]
        assert (account["state"], list(account["refused_actions"])) == ("ok", [ACTION])
        assert SCOPE in account["refused_actions"][ACTION]["hint"]
        assert [check["level"] for check in status["checks"] if SCOPE in check["message"]] == ["error"]
        metrics = render(status, ReceiverStats()).decode()
        assert f'connector_action_refused{{account="crm.main",action="{ACTION}",system="hubspot"}} 1.0' in metrics
        said = await checked(world, "refused.record_the_appointment")
        assert said["level"] == "error"
        assert f"the key lacks the scope {SCOPE}; its events wait since" in said["message"]
        assert said["hint"].startswith(f"Give the key of [crm.main] the scope {SCOPE}")
        assert (await checked(world, "crm.main.account"))["level"] == "ok"
        tried = world.hubspot.requests["POST meetings"]

        world.hubspot.missing_scopes.clear()
        await until(lambda: len(world.hubspot.meetings()) == 20)
        await world.settled()
        assert len(world.hubspot.meetings()) == 20, "one for each, and nobody did anything"
        assert (await engine.store.read(views.queue))["done"] == 20
        said = await checked(world, "refused.record_the_appointment")
        assert (said["level"], "it is no longer refused" in said["message"]) == ("warning", True)
        assert (await status_of(world))["crms"]["main"]["refused_actions"] == {}
    assert tried <= 20 + (time.monotonic() - start) / TRIALS[0], "one event at a time tries what is refused"
    told = [(line["event"], line["level"], line["action"]) for line in lines() if "action" in line]
    assert told == [
        ("one kind of action is refused; its events wait, all others continue", "error", ACTION),
        ("action works again", "info", ACTION),
    ]


async def test_a_run_by_itself_ends_when_all_that_remains_waits_for_a_refused_action(world):
    for index in range(5):
        world.hubspot.add_contact(age=3600, email=f"ada{index}@example.com", firstname="Ada", lastname="Moreau")
        world.book(world.client(firstName="Ada", lastName="Moreau", email=f"ada{index}@example.com"), index)
    world.hubspot.missing_scopes.add(SCOPE)
    async with world.running() as engine:
        progress = await world.backfill()
        assert progress["state"] == "failed"
        assert SCOPE in progress["reason"]
        assert await engine.store.read(views.link_count) == 5


async def test_owners_that_may_not_be_read_stop_only_the_events_that_choose_one(tmp_path):
    world = World(tmp_path, sync='[sync.owner]\notherwise = "front@example.com"')
    world.hubspot.records.owners["77001"] = "front@example.com"
    world.hubspot.missing_scopes.add("crm.objects.owners.read")
    email = "bob@example.com"
    owned = {
        "email": email,
        "firstname": "Bob",
        "lastname": "Moreau",
        "mobilephone": "+15145550123",
        "hubspot_owner_id": "77001",
    }
    world.hubspot.add_contact(age=3600, **owned)
    async with world.running() as engine:
        world.booxi.book(world.client(firstName="Ada", lastName="Moreau", email="ada@example.com"))
        await world.deliver()
        await all_wait(world, Awaited("crm.main", "list the owners"), 1)
        account = (await status_of(world))["crms"]["main"]
        assert (account["state"], list(account["refused_actions"])) == ("ok", ["list the owners"])
        assert "crm.objects.owners.read" in account["refused_actions"]["list the owners"]["hint"]
        assert world.hubspot.contacts()[0]["email"] == email
        world.hubspot.missing_scopes.clear()
        await until(lambda: len(world.hubspot.contacts()) == 2)
        await world.settled()
        assert world.hubspot.contacts()[1]["hubspot_owner_id"] == "77001"
        assert (await engine.store.read(views.queue))["done"] == 1


class Script(httpx.AsyncBaseTransport):
    """Answers every request with one refusal while it has one, else as the sandbox does; counts the refused ones."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.refusal: httpx.Response | None = None
        self.refused = 0
        #: Seconds that a refusal is on its way, as over a network: nothing else here takes any time.
        self.latency = 0.0
        self.only: Callable[[httpx.Request], bool] = lambda _: True
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.refusal is None or not self.only(request):
            return await self._inner.handle_async_request(request)
        self.refused += 1
        answer = self.refusal
        await asyncio.sleep(self.latency)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content, request=request)


async def test_a_daily_limit_is_said_once_with_its_end_and_ends_by_itself(world, lines):
    script = Script(world.to_hubspot)
    world.to_hubspot = script
    known_clients(world, 5)
    async with world.running():
        await begun(world)
        policy = {"policyName": "DAILY", "errorType": "RATE_LIMIT", "status": "error"}
        script.refusal = httpx.Response(429, json=policy, headers={"Retry-After": "7200"})
        await world.deliver()
        await all_wait(world, Awaited("crm.main"), 5)
        status = await status_of(world)
        account = status["crms"]["main"]
        assert (account["state"], account["reason"].endswith("answered 429: DAILY")) == ("limited", True)
        said = await checked(world, "crm.main.account")
        assert (said["level"], "answered 429: DAILY; limited until 2" in said["message"]) == ("error", True)
        assert (
            'connector_account_limited_until_timestamp_seconds{account="crm.main",system="hubspot"}'
            in render(status, ReceiverStats()).decode()
        )
        assert script.refused <= 5, "whoever is limited does not ask again"
    limited = [line for line in lines() if "until" in line]
    assert [(line["account"], line["level"]) for line in limited] == [("crm.main", "error")]
    assert json.dumps(lines()).count("answered 429: DAILY") >= 1


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (402, {"status": "error", "message": "no"}, "plan"),
        (410, {"status": "error", "message": "gone"}, "version"),
        (400, {"status": "error", "errors": [{"code": "CONTACT_LIMIT_EXCEEDED", "message": "full"}]}, "limit of records"),
    ],
)
async def test_what_concerns_the_whole_account_is_one_problem_and_its_events_go_on_by_themselves(
    world, lines, status, body, reason
):
    script = Script(world.to_hubspot)
    world.to_hubspot = script
    known_clients(world, 5)
    async with world.running() as engine:
        await begun(world)
        script.refusal = httpx.Response(status, json=body)
        await world.deliver()
        await all_wait(world, Awaited("crm.main"), 5)
        queue = await engine.store.read(views.queue)
        assert (queue["held"], queue["queued"]) == (0, 5)
        assert (await status_of(world))["crms"]["main"]["state"] == "paused"
        assert reason in (await checked(world, "crm.main.account"))["message"]
        script.refusal = None
        await until(lambda: len(world.hubspot.meetings()) == 5)
        await world.settled()
    told = [line["event"] for line in lines() if line["level"] == "error"]
    assert told == ["account cannot be used; its events wait"]


async def test_a_full_account_is_one_problem_while_known_clients_go_on(world, lines):
    """Only making a contact is refused: each probe is well, and each event that needs it stops the account once more."""
    script = Script(world.to_hubspot)
    script.only = lambda request: request.method == "POST" and request.url.path.endswith("/contacts")
    script.refusal = httpx.Response(400, json={"errors": [{"code": "CONTACT_LIMIT_EXCEEDED", "message": "full"}]})
    script.latency = 0.1
    world.to_hubspot = script
    for name in ("Ben", "Dan"):
        world.booxi.book(world.client(firstName=name, lastName="Lee", email=f"{name}@example.com"))
    known_clients(world, 5)
    async with world.running() as engine:
        await world.deliver()
        await until(lambda: script.refused >= 6)
        async with asyncio.timeout(60):
            while (queue := await engine.store.read(views.queue))["done"] < 5:
                await asyncio.sleep(0.02)
        assert (len(world.hubspot.meetings()), queue["held"]) == (5, 0)
        found = [check for check in (await status_of(world))["checks"] if "limit of records" in check["message"]]
        assert len(found) == 1, "said whether the account is open at the moment or not"
        script.refusal = None
        await until(lambda: len(world.hubspot.meetings()) == 7)
        await world.settled()
        said = await checked(world, "crm.main.refused")
        assert (said["level"], "limit of records; last at 2" in said["message"]) == ("warning", True)
    told = [line["event"] for line in lines() if line["level"] == "error"]
    assert told == ["account cannot be used; its events wait"]
