"""Retry and discard on the status page: one event or several, and why not."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from connector.model.states import why_not
from connector.store import views
from connector.web.access import Operator

from ..fakes import TOKEN, World, event_row
from ..live import Shop

pytestmark = pytest.mark.anyio
ORIGIN = "http://127.0.0.1:8080"


class Events:
    """The operations: does what is asked for the numbers in `possible`."""

    def __init__(self, *possible: int) -> None:
        self.possible = possible
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def __call__(self, name: str, arguments: Mapping[str, Any]) -> Any:
        self.asked.append((name, dict(arguments)))
        return [number for number in arguments["ids"] if number in self.possible]


def world_of(operate: Events | None) -> World:
    world = World(operate=operate)
    world.data.events = {5: event_row(5), 6: event_row(6, state="done"), 7: event_row(7, state="running")}
    world.data.found = {"rows": [event_row(5), event_row(8)]}
    return world


def token_of(text: str) -> str:
    return str(re.findall(r'name="token" value="([^"]*)"', text)[0])


def said(text: str) -> str:
    (sentence,) = re.findall(r'<p class="said \w+" role="status">(.*?)</p>', text)
    return html.unescape(sentence)


async def test_one_event_is_queued_again_at_once() -> None:
    operate = Events(5)
    async with world_of(operate).logged_in() as client:
        client.headers["origin"] = ORIGIN
        token = token_of((await client.get("/status/events/5")).text)
        answer = await client.post("/status/events/5", data={"token": token, "choice": "retry", "back": "/status/events/5"})
        assert answer.headers["location"].startswith("/status/events/5?said=")
        assert said((await client.get(answer.headers["location"])).text) == "Event 5: queued again."
    assert operate.asked == [("retry", {"ids": [5]})]


async def test_an_event_is_given_up_after_a_question() -> None:
    operate = Events(5)
    async with world_of(operate).logged_in() as client:
        client.headers["origin"] = ORIGIN
        fields = {"token": token_of((await client.get("/status/events/5")).text), "choice": "discard"}
        question = await client.post("/status/events/5", data=fields)
        assert "Discard 1 event for good?" in question.text
        assert operate.asked == []
        answer = await client.post("/status/events/5", data={**fields, "sure": "1"})
        assert said((await client.get(answer.headers["location"])).text) == "Event 5: discarded."
    assert operate.asked == [("discard", {"ids": [5], "by": "status page"})]


async def test_several_are_asked_about_once_and_each_says_why_not() -> None:
    operate = Events(5)
    async with world_of(operate).logged_in() as client:
        client.headers["origin"] = ORIGIN
        page = (await client.get("/status/events?state=held")).text
        assert re.findall(r'type="checkbox" form="many" name="([^"]*)"', page) == ["event-5", "event-8"]
        fields = {
            "token": token_of(page),
            "choice": "retry",
            "back": "/status/events?state=held",
            **{f"event-{number}": "1" for number in (5, 6, 7, 9)},
        }
        question = await client.post("/status/events", data=fields)
        assert "Queue 4 events again?" in question.text
        assert operate.asked == []
        answer = await client.post("/status/events", data={**fields, "sure": "1"})
        assert answer.headers["location"].startswith("/status/events?state=held&said=")
        assert said((await client.get(answer.headers["location"])).text) == (
            "1 of 4 events: queued again. Event 6: it is done, which is final."
            " Event 7: it is being processed now; try again in a moment. Event 9: there is no such event."
        )
    assert operate.asked == [("retry", {"ids": [5, 6, 7, 9]})]


@pytest.mark.parametrize(
    "fields", [{}, {"choice": "delete", "event-5": "1"}, {"choice": "retry"}, {"event-x": "1", "choice": "retry"}]
)
async def test_nonsense_does_nothing(fields: dict[str, str]) -> None:
    operate = Events(5)
    async with world_of(operate).logged_in() as client:
        client.headers["origin"] = ORIGIN
        token = token_of((await client.get("/status/events?state=held")).text)
        answer = await client.post("/status/events", data={"token": token, **fields})
        assert said((await client.get(answer.headers["location"])).text) == "Nothing was selected."
    assert operate.asked == []


async def test_a_form_counts_only_with_its_token_from_our_page_and_by_who_may() -> None:
    operate = Events(5)
    operators = [(Operator("ben", may_decide=False), "a-token-of-ben-for-tests")]
    world = World(operate=operate, operators=operators)
    world.data.events[5] = event_row(5)
    async with world.logged_in() as client:
        assert (await client.post("/status/events/5", data={"token": "x", "choice": "retry"})).status_code == 403
        fields = {"token": token_of((await client.get("/status/events/5")).text), "choice": "retry"}
        foreign = await client.post("/status/events/5", data=fields, headers={"origin": "https://evil.example.com"})
        assert foreign.status_code == 403
    async with world.client() as client:
        assert (await client.post("/status/events/5", data=fields)).headers["location"] == "/login"
        client.cookies.set(world.access.cookie, world.access.log_in("a-token-of-ben-for-tests") or "")
        page = (await client.get("/status/events/5")).text
        assert "Retry now" not in page
        assert (await client.post("/status/events/5", data=fields)).status_code == 403
    assert operate.asked == []


async def test_without_operations_there_are_no_buttons() -> None:
    async with world_of(None).logged_in() as client:
        text = (await client.get("/status/events/5")).text
        assert "Retry now" not in text
        assert "connector events retry 5" in text
        assert 'type="checkbox"' not in (await client.get("/status/events?state=held")).text


@pytest.mark.parametrize(
    ("choice", "state", "text"),
    [
        ("retry", "held", "its delivery still cannot be read."),
        ("retry", "ignored", "its content is no longer stored."),
        ("retry", "discarded", "it is discarded, which is final."),
        ("discard", "ignored", "it is ignored, which is final."),
        ("discard", "held", "it has just changed; look at it again."),
    ],
)
def test_why_not(choice: str, state: str, text: str) -> None:
    assert why_not(choice, event_row(5, state=state)) == text


async def test_a_running_service_does_what_the_buttons_say(anyio_backend: str, tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    async with shop.open():
        shop.customer(firstname="Grace", lastname="Hopper", mobilephone="+15145550104")
        one, two = shop.client(), shop.client()
        await shop.book(one, two)
        url = shop.service.url
        async with httpx.AsyncClient(base_url=url, trust_env=False, headers={"origin": url}) as client:
            await client.post("/login", data={"token": TOKEN})
            page = (await client.get("/status/events", params={"state": "held", "client": two})).text
            assert re.findall(r'name="event-(\d+)"', page) == ["2"]
            body = (await client.get("/status/events/2/body")).text
            assert two in body
            fields = {"token": token_of(page), "choice": "discard", "event-2": "1", "sure": "1"}
            answer = await client.post("/status/events", data=fields)
            assert said((await client.get(answer.headers["location"])).text) == "Event 2: discarded."
            assert (await shop.read(views.event, 2))["reason"] == "discarded by status page"
            # It is decided meanwhile who the client is: the event goes on.
            await client.post("/status/events/1", data={"token": token_of(page), "choice": "retry"})
            await shop.settled()
            assert (await shop.read(views.event, 1))["state"] == "held"
            reviews = (await client.get("/status/reviews")).text
            assert "Review 1" in reviews
            await client.post("/status/reviews/1", data={"token": token_of(page), "choice": "dismiss"})
            await shop.settled()
            assert "Dismissed" in (await client.get("/status/reviews?state=decided")).text
