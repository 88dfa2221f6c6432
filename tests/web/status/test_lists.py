"""The lists of the status page: what a search asks for, what a row shows, and where the next page begins."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.model.errors import ConnectorError
from connector.web.access import Operator

from ..fakes import NOW, TOKEN, World, event_row

pytestmark = pytest.mark.anyio
LISTS = ["events", "reviews", "links"]
LINK = {
    "source": "stores",
    "client_id": "88213",
    "crm": "main",
    "customer_id": "501",
    "origin": "email",
    "linked_at": "2026-11-21T11:00:00.000Z",
    "written_back_at": None,
}
REVIEW = {
    "id": 7,
    "source": "stores",
    "client_ids": ["4711"],
    "reason": "two customers have this phone number",
    "since": "2026-11-21T11:00:00.000Z",
    "candidates": [{"customer_id": "201", "evidence": ["same phone"]}],
}


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


async def look(world: World, path: str, **query: str) -> Any:
    async with world.logged_in() as client:
        return await client.get(path, params=query)


@pytest.mark.parametrize("path", [*(f"/status/{kind}" for kind in LISTS), "/status/accounts", "/status/events/5"])
async def test_every_page_needs_a_login_and_has_the_navigation(path: str) -> None:
    world = World()
    world.data.events[5] = event_row(5)
    async with world.client() as client:
        assert (await client.get(path)).headers["location"] == f"/login?to={path}"
    page = await look(world, path)
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"
    kind = path.split("/")[2]
    assert re.findall(r'<a href="([^"]*)" aria-current="page">', page.text) == [f"/status/{kind}"]
    assert "does not refresh by itself" in page.text


async def test_the_login_leads_to_the_page_that_was_asked_for() -> None:
    async with World().client() as client:
        asked = await client.get("/status/events?state=held&client=a%26b")
        form = await client.get(asked.headers["location"])
        (to,) = re.findall(r'name="to" value="([^"]*)"', form.text)
        assert html.unescape(to) == "/status/events?state=held&client=a%26b"
        refused = await client.post("/login", data={"token": "wrong", "to": html.unescape(to)})
        assert f'name="to" value="{to}"' in refused.text
        opened = await client.post("/login", data={"token": TOKEN, "to": html.unescape(to)})
        assert opened.headers["location"] == "/status/events?state=held&client=a%26b"


@pytest.mark.parametrize(
    "to",
    [
        "https://evil.example.com/status",
        "//evil.example.com",
        "/status/../login",
        "/logout",
        "javascript:alert(1)",
        "/status\n",
    ],
)
async def test_the_login_leads_nowhere_else(to: str) -> None:
    async with World().client() as client:
        assert "evil" not in (await client.get("/login", params={"to": to})).text
        opened = await client.post("/login", data={"token": TOKEN, "to": to})
        assert opened.headers["location"] == "/status"


async def test_a_search_asks_for_what_was_filled_in() -> None:
    world = World()
    query = {
        "state": "held",
        "source": "stores",
        "client": " 88213 ",
        "customer": "501",
        "appointment": "A-1",
        "reason": "phone",
        "since": "2026-11-20",
        "until": "2026-11-20",
        "cursor": "1200",
        "unknown": "x",
        "type": "",
    }
    assert (await look(world, "/status/events", **query)).status_code == 200
    assert world.data.asked == [
        (
            "events",
            {
                "state": "held",
                "source": "stores",
                "client_id": "88213",
                "customer_id": "501",
                "appointment_id": "A-1",
                "reason": "phone",
                "since": at("2026-11-20"),
                "until": at("2026-11-21"),
                "cursor": 1200,
            },
        )
    ]


async def test_ages_count_from_now() -> None:
    world = World()
    await look(world, "/status/links", since="6h")
    assert world.data.asked == [("links", {"since": NOW - 6 * 3600})]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"state": "broken"}, "State: choose one of queued, running, retrying, held, done, ignored, discarded."),
        ({"source": "st<b>"}, "There is no source st<b>; known here: stores."),
        ({"since": "soon"}, "Since: 'soon' is not a date; write it like 2026-01-31, yesterday or 7d."),
        ({"since": "1h", "until": "2h"}, "“Until” is earlier than “Since”."),
        ({"cursor": "-5"}, "The cursor is not a number."),
        ({"cursor": "9" * 19}, "The cursor is not a number."),
        ({"client": "x" * 201}, "Client: at most 200 characters can be looked for."),
    ],
)
async def test_what_cannot_be_looked_for_is_said_and_the_form_stays(query: dict[str, str], said: str) -> None:
    world = World()
    world.data.found["rows"] = [event_row(5)]
    page = await look(world, "/status/events", **query)
    assert page.status_code == 400
    (shown,) = re.findall(r'role="alert">(.*?)</p>', page.text)
    assert html.unescape(shown) == said
    assert "/status/events/5" not in page.text
    assert 'name="appointment"' in page.text


async def test_an_event_is_one_line_that_leads_to_its_page() -> None:
    world = World()
    world.data.found = {"rows": [event_row(5, reason="<script>alert(1)</script>"), event_row(4, client_id=None)]}
    text = (await look(world, "/status/events")).text
    first, second = re.findall(r"<tr>\s*<th scope=\"row\">.*?</tr>", text, re.DOTALL)
    assert '<a href="/status/events/5">5</a>' in first
    assert 'href="/status/events?source=stores&amp;client=88213"' in first
    assert '<time class="exact" datetime="2026-11-21T11:00:00Z" title="2026-11-21 11:00:00 UTC">2026-11-21 11:00:00' in first
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in first
    assert "<script>alert" not in text
    assert "client=" not in second


async def test_the_next_page_keeps_the_search() -> None:
    world = World()
    world.data.found = {"rows": [event_row(5)], "cursor": 5}
    text = (await look(world, "/status/events", state="held", reason="a & b", cursor="90")).text
    assert '<a href="/status/events?state=held&amp;reason=a+%26+b&amp;cursor=5" rel="next">Next page</a>' in text
    assert '<a href="/status/events?state=held&amp;reason=a+%26+b">First page</a>' in text
    world.data.found = {"rows": [event_row(5)], "cursor": None}
    text = (await look(world, "/status/events", state="held")).text
    assert "Next page" not in text
    assert "First page" not in text


async def test_a_list_that_was_looked_through_in_part_says_so() -> None:
    world = World()
    world.data.found = {"rows": [], "cursor": 4000, "partly": True}
    text = (await look(world, "/status/events", reason="rare")).text
    assert "Only a part of the list was searched" in text
    assert "Search further" in text
    assert "No event matches" not in text


async def test_links_and_reviews_are_shown() -> None:
    world = World()
    world.data.found = {"rows": [LINK, {**LINK, "client_id": "9", "written_back_at": "2026-11-21T11:01:00.000Z"}]}
    text = (await look(world, "/status/links")).text
    assert "already there" in text
    assert 'datetime="2026-11-21T11:01:00Z"' in text
    world.data.found = {"rows": [REVIEW], "reasons": {"two customers have this phone number": 200}}
    text = (await look(world, "/status/reviews")).text
    assert "Open: 200 × two customers have this phone number" in text
    assert "Customer 201" in text
    assert "connector review link 7 201 --config connector.toml" in text
    decided = {"decision": "link", "customer_id": "201", "decided_by": "ada on the status page", "decided_at": NOW - 60}
    world.data.found = {"rows": [{**REVIEW, **decided}]}
    text = (await look(world, "/status/reviews", state="decided")).text
    assert "Linked to customer 201" in text
    assert "by ada on the status page" in text
    assert ("reviews", {"state": "decided"}) in world.data.asked


async def test_a_database_that_does_not_answer_is_said() -> None:
    world = World()
    world.data.problem = ConnectorError("The database is busy.", hint="Try again.")
    for path in ("/status/events", "/status/events/5", "/status/accounts"):
        page = await look(world, path)
        assert (page.status_code, "The database is busy." in page.text) == (503, True)


async def test_the_page_of_an_event_says_what_happened_and_what_to_do() -> None:
    world = World()
    world.data.events[5] = event_row(5, attempts=3, duplicates=2)
    text = (await look(world, "/status/events/5")).text
    assert "Two customers have this phone number." in text
    assert "Decide who it is." in text
    assert "<b>phone</b> ambiguous<br><i>two customers; customer id 501</i>" in text
    assert 'href="/status/links?customer=501"' in text
    assert "sent 2 more times" in text
    assert [*re.findall(r"<li><code>(.*?)</code></li>", text)] == [
        f"connector events {verb} 5 --config connector.toml" for verb in ("show", "retry", "discard")
    ]


@pytest.mark.parametrize(
    ("hint", "led"),
    [
        ("Decide on the status page, or with `connector review list` and `connector review link|create|dismiss`.", True),
        ("Decide who it is.", False),
    ],
)
async def test_an_event_that_needs_a_decision_leads_to_the_reviews_of_its_client(hint: str, led: bool) -> None:
    world = World()
    world.data.events[5] = event_row(5, hint=hint)
    text = (await look(world, "/status/events/5")).text
    link = '<a href="/status/reviews?source=stores&amp;client=88213">open reviews of this client</a>'
    assert (link in text) is led


async def test_a_final_event_offers_nothing_that_would_be_refused() -> None:
    world = World()
    world.data.events[5] = event_row(5, state="done", body_kept=0, reason=None, hint=None)
    text = (await look(world, "/status/events/5")).text
    assert re.findall(r"<li><code>(.*?)</code></li>", text) == ["connector events show 5 --config connector.toml"]
    assert "no longer stored" in text


@pytest.mark.parametrize("number", ["6", "x", "9" * 16, "٣"])
async def test_an_event_that_is_none_leads_back_to_the_list(number: str) -> None:
    world = World()
    async with world.logged_in() as client:
        answer = await client.get(f"/status/events/{number}")
        assert answer.status_code == 303
        assert "There is no such event." in (await client.get(answer.headers["location"])).text


async def test_the_payload_is_for_those_who_may_decide_and_is_noted() -> None:
    operators = [(Operator("ada"), "a-token-of-ada-for-tests"), (Operator("ben", may_decide=False), "a-token-of-ben-for-tests")]
    world = World(token=None, operators=operators)
    world.data.events[5] = event_row(5)
    world.data.bodies[5] = '{"email": "<dan@example.com>"}'
    async with world.client() as client:
        client.cookies.set(world.access.cookie, world.access.log_in("a-token-of-ada-for-tests") or "")
        assert "/status/events/5/body" in (await client.get("/status/events/5")).text
        page = await client.get("/status/events/5/body")
        assert "&lt;dan@example.com&gt;" in page.text
        assert (await client.get("/status/events/6/body")).status_code == 303
    async with world.client() as client:
        client.cookies.set(world.access.cookie, world.access.log_in("a-token-of-ben-for-tests") or "")
        assert "/status/events/5/body" not in (await client.get("/status/events/5")).text
        refused = await client.get("/status/events/5/body")
        assert (refused.status_code, "dan@example.com" in refused.text) == (403, False)


async def test_the_overview_leads_to_the_reviews_that_it_does_not_show() -> None:
    world = World()
    world.data._page["reviews"] = [{**REVIEW, "id": number} for number in range(1, 21)]
    world.data._page["open_reviews"] = 200
    text = (await look(world, "/status")).text
    assert text.count("<h3>Review ") == 20
    assert 'These are the oldest 20 of 200: <a href="/status/reviews">all reviews</a>' in text


async def test_what_was_never_delivered_to_is_shown_with_what_the_sender_needs() -> None:
    world = World()
    steps = {
        "source": "tours",
        "address": "https://hooks.example.com/webhooks/tours",
        "proof": "`X-Token: TOKEN`, with a token",
    }
    world.data._page["first_steps"] = [steps]
    text = (await look(world, "/status")).text
    assert "<code>https://hooks.example.com/webhooks/tours</code>" in text
    assert "<code>X-Token: TOKEN</code>, with a token" in text
    assert "<code>connector test tours --config connector.toml</code>" in text


async def test_the_numbers_of_the_overview_lead_to_their_lists() -> None:
    text = (await look(World(), "/status")).text
    assert re.findall(r'<a class="tile [^"]*" href="([^"]*)"', text) == [
        "/status/links",
        *(f"/status/events?state={s}" for s in ("queued", "running", "retrying", "held", "done", "ignored", "discarded")),
    ]
