"""Nothing that is logged, listed or counted holds a secret, an e-mail address, a phone number or a name."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from .world import HUBSPOT_TOKEN, PARTNER_KEY, WEBHOOK_TOKEN, RemoteSystems, Service, eventually, post, run

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

#: Unlike anything that our own texts say.
PEOPLE = [
    {
        "firstName": "Zebulon",
        "lastName": "Quillfeather",
        "email": "Zebulon.Quill@example.com",
        "mobilePhoneNumber": "514-555-0123",
    },
    {"firstName": "Oriole", "lastName": "Vandersnoot", "email": "oriole+shop@example.org", "homePhoneNumber": "(514) 555-0145"},
    {
        "firstName": "Peregrine",
        "lastName": "Wobblethorpe",
        "email": "peregrine@example.net",
        "mobilePhoneNumber": "+15145550167",
    },
    {"firstName": "Hyacinth", "lastName": "Grumblewick", "mobilePhoneNumber": "5145550189"},
    {"firstName": "Xanthippe", "lastName": "", "email": ""},
]
#: The remote system of the ambiguous one, and the staff of every booking.
OTHERS = ["Bartholomew", "Snickerdoodle", "bart@example.com", "Robin"]
STATUS_TOKEN = "a-status-token-for-tests"


def private() -> Iterator[str]:
    """Everything that must not be seen anywhere."""
    for person in PEOPLE:
        yield from (value for value in person.values() if value)
    yield from ("+1514555", "%2B1514555", "5145550123", "5145550145", "quill%40example")
    yield from (*OTHERS, PARTNER_KEY, HUBSPOT_TOKEN, WEBHOOK_TOKEN, STATUS_TOKEN, "a-wrong-token-of-somebody")


async def be_busy(sides: RemoteSystems, service: Service, http: httpx.AsyncClient) -> list[str]:
    """Meet everything that can go wrong; answers what senders were told."""
    told = []
    clients = [sides.booxi.add_client(**person) for person in PEOPLE]
    known = sides.hubspot.add_contact(email="peregrine@example.net", lastname="Wobblethorpe")
    sides.hubspot.add_contact(age=60, firstname="Bartholomew", lastname="Snickerdoodle", mobilephone="+15145550189")
    for client in clients:
        sides.booxi.book(client)
    body = sides.booxi.outbox.waiting[0]
    for bad in (b'{"email": "Zebulon.Quill@example.com', b'"Zebulon Quillfeather \xff"', b'["oriole+shop@example.org", NaN]'):
        told.append((await post(http, service.url, bad)).text)
    told.append((await post(http, service.url, {"id": "odd", "client": PEOPLE[0]})).text)
    told.append((await post(http, service.url, {**body, "id": "other", "type": "something.else"})).text)
    for token in ("a-wrong-token-of-somebody", "Bearer a-wrong-token-of-somebody"):
        told.append((await http.post(f"{service.url}/webhooks/stores", json=body, headers={"Authorization": token})).text)
        told.append((await http.get(f"{service.url}/status.json", headers={"Authorization": token})).text)
    told.append((await http.post(f"{service.url}/webhooks/Zebulon.Quill@example.com", json=body)).text)
    sides.faults(seed=3, lost_answer=0.15, error_after_effect=0.1, error_500=0.1, html=0.1, rate_limit=0.05, retry_after=0)
    await sides.booxi.send_webhooks()
    await eventually(lambda: sum((sides.booxi.app.injected + sides.hubspot.app.injected).values()) >= 6, 20)
    sides.faults()
    await service.settled()
    # A key that is refused in the middle, and a contact that is merged away.
    token, sides.hubspot.token = sides.hubspot.token, "another"
    other = sides.hubspot.add_contact(email="zeb@example.com", firstname="Zebulon")
    sides.hubspot.merge(other, known)
    sides.booxi.book(clients[2])
    await sides.booxi.send_webhooks()
    await service.says("account cannot be used; its events wait")
    sides.hubspot.token = token
    await service.settled()
    return told


async def everything_shown(service: Service, http: httpx.AsyncClient, config: str) -> list[str]:
    """What the pages and the commands show."""
    shown = []
    for path in ("/status", "/status.json", "/metrics", "/readyz", "/healthz"):
        response = await http.get(f"{service.url}{path}", headers={"Authorization": f"Bearer {STATUS_TOKEN}"})
        assert response.status_code == 200
        shown.append(response.text)
    commands = ["events list --json", "events show 1", "review show 1", "check --json"]
    for _, out, err in await asyncio.gather(*(run(*command.split(), "--config", config) for command in commands)):
        shown += [out, err]
    code, out, err = await run("review", "list", "--reveal", "--json", "--config", config)
    assert code == 0, err
    assert "Snickerdoodle" in out, "this one is asked to show it"
    return shown


async def test_nothing_private_is_shown_or_logged(tmp_path):
    async with asyncio.TaskGroup() as tasks:
        for form in ("json", "console"):
            (tmp_path / form).mkdir()
            tasks.create_task(a_busy_day(tmp_path / form, form))


async def a_busy_day(folder: Path, form: str) -> None:
    async with RemoteSystems() as sides, httpx.AsyncClient(trust_env=False) as http:
        file = sides.config(folder, log=form, level="debug", sync="record_appointments = true")
        service = Service(file)
        async with service.running():
            sides.send_to(service.url)
            told = await be_busy(sides, service, http)
            # One look at the commands is enough: they print what is stored.
            shown = await everything_shown(service, http, str(file)) if form == "json" else []
            assert await service.stop() == 0
    text = "\n".join([*told, *shown, *service.text])
    # The run was as busy as it had to be.
    for sign in ("event retrying", "event held", "delivery refused", "account cannot be used", "event done"):
        assert sign in text
    assert len(service.text) > 25
    for secret in private():
        assert not re.search(re.escape(secret), text, re.IGNORECASE), f"{secret!r} was shown: {excerpt(text, secret)}"


def excerpt(text: str, secret: str) -> str:
    at = text.lower().index(secret.lower())
    return json.dumps(text[max(0, at - 200) : at + 100])
