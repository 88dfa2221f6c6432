"""Deciding on the status page: what the buttons do, and whose buttons count."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from connector.model.errors import ConnectorError
from connector.web.status.guard import KEPT

from ..fakes import NOW, TOKEN, World, busy_page

pytestmark = pytest.mark.anyio
LOCAL, PUBLIC = "http://127.0.0.1:8080", "https://hooks.example.com"


class Clerk:
    """Stands for the operations: notes what is asked, and refuses when told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.problem: ConnectorError | None = None

    async def __call__(self, name: str, arguments: Mapping[str, Any]) -> Any:
        self.asked.append((name, dict(arguments)))
        if self.problem is not None:
            raise self.problem
        return ["Client 4711 of stores: nothing had been done yet; waiting events are processed again."]


@pytest.fixture
def clerk() -> Clerk:
    return Clerk()


def world(clerk: Clerk | None, **options: Any) -> World:
    made = World(operate=clerk, **options)
    made.data._page = busy_page()
    made.data._page["decided"] = [
        {
            "id": 3,
            "source": "stores",
            "client_ids": ["4700", "4701"],
            "decision": "link",
            "customer_id": "199",
            "decided_by": "ops on the command line",
            "decided_at": NOW - 600,
        }
    ]
    return made


@asynccontextmanager
async def browser(made: World, base_url: str = LOCAL, *, login: bool = True) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that says where its forms come from, as every browser does."""
    async with made.client(base_url) as client:
        client.headers["origin"] = base_url
        if login:
            assert (await client.post("/login", data={"token": TOKEN})).status_code == 303
        yield client


async def form_token(client: httpx.AsyncClient) -> str:
    (token,) = set(re.findall(r'name="token" value="([^"]*)"', (await client.get("/status")).text))
    return str(token)


async def send(client: httpx.AsyncClient, review: Any = 5, *, token: str | None = None, **fields: str) -> httpx.Response:
    """Press a button of the page."""
    token = await form_token(client) if token is None else token
    return await client.post(f"/status/reviews/{review}", data={"token": token, **fields})


# ---- what the buttons do ----


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"choice": "link", "customer_id": " 201 "}, "Review 5: linked to customer 201."),
        ({"choice": "create"}, "Review 5: a customer is being created."),
        ({"choice": "dismiss"}, "Review 5: dismissed; future events of these clients are ignored."),
    ],
)
async def test_a_button_decides_and_the_page_says_what_came_of_it(clerk: Clerk, fields: dict[str, str], said: str) -> None:
    async with browser(world(clerk)) as client:
        response = await send(client, **fields)
        assert (response.status_code, response.headers["cache-control"]) == (303, "no-store")
        where = response.headers["location"]
        assert re.fullmatch(r"/status\?said=[\w-]{12}", where)
        page = await client.get(where)
    customer = "201" if fields["choice"] == "link" else None
    asked = {"review": 5, "decision": fields["choice"], "customer_id": customer, "by": "status page"}
    assert clerk.asked == [("decide", asked)]
    assert f'<p class="said ok" role="status">{said}</p>' in page.text
    assert page.headers["cache-control"] == "no-store"


async def test_a_decision_is_taken_back(clerk: Clerk) -> None:
    async with browser(world(clerk)) as client:
        page = await client.get((await send(client, 3, choice="undo")).headers["location"])
    assert clerk.asked == [("undo", {"review": 3, "by": "status page"})]
    assert "Review 3 is open again. Client 4711 of stores:" in page.text


async def test_a_refusal_is_told_with_what_to_do(clerk: Clerk) -> None:
    clerk.problem = ConnectorError("HubSpot has no customer 9<b>.", hint="Check the id; `nothing` was changed.")
    async with browser(world(clerk)) as client:
        page = await client.get((await send(client, choice="link", customer_id="9<b>")).headers["location"])
    assert 'class="said bad"' in page.text
    assert "HubSpot has no customer 9&lt;b&gt;. Check the id; <code>nothing</code> was changed." in page.text


@pytest.mark.parametrize(
    ("review", "fields"),
    [
        (5, {}),
        (5, {"choice": "delete"}),
        (5, {"choice": "link"}),
        (5, {"choice": "link", "customer_id": "x" * 101}),
        (5, {"choice": "link", "customer_id": "2\x0001"}),
        ("9" * 16, {"choice": "dismiss"}),
        ("-1", {"choice": "dismiss"}),
        ("٣", {"choice": "dismiss"}),
    ],
)
async def test_nonsense_does_nothing_and_is_told(clerk: Clerk, review: Any, fields: dict[str, str]) -> None:
    async with browser(world(clerk)) as client:
        page = await client.get((await send(client, review, **fields)).headers["location"])
    assert clerk.asked == []
    assert 'class="said bad"' in page.text


async def test_candidates_stand_side_by_side_with_their_evidence(clerk: Clerk) -> None:
    made = world(clerk)
    made.data._page["reviews"][0]["clients"] = [
        {"source": "stores", "client_id": "4711"},
        {"source": "tours", "client_id": "88"},
    ]
    async with browser(made) as client:
        text = (await client.get("/status")).text
    assert "clients 4711, 88 of tours" in text
    first, second = re.findall(r"<h4>Customer (\d+)</h4>\s*<ul>(.*?)</ul>", text)
    assert first == ("201", "<li>same phone</li><li>name agrees</li>")
    assert second == ("202", "<li>same phone</li>")
    assert "Linked to customer 199" in text
    assert "by ops on the command line" in text


async def test_nobody_is_created_for_a_client_that_is_linked(clerk: Clerk) -> None:
    made = world(clerk)
    async with browser(made) as client:
        assert 'value="create"' in (await client.get("/status")).text
        made.data._page["reviews"][0]["linked"] = True
        assert 'value="create"' not in (await client.get("/status")).text


async def test_without_operations_the_page_only_says_the_commands() -> None:
    async with browser(world(None)) as client:
        assert "/status/reviews/" not in (await client.get("/status")).text
        assert (await client.post("/status/reviews/5", data={"choice": "dismiss"})).status_code in {404, 405}


async def test_messages_are_kept_for_a_while_only(clerk: Clerk) -> None:
    async with browser(world(clerk)) as client:
        token = await form_token(client)
        where = [(await send(client, token=token, choice="dismiss")).headers["location"] for _ in range(KEPT + 1)]
        assert 'role="status"' not in (await client.get(where[0])).text
        assert 'role="status"' in (await client.get(where[1])).text
        assert 'role="status"' not in (await client.get("/status?said=linked")).text


async def test_a_look_changes_nothing(clerk: Clerk) -> None:
    async with browser(world(clerk)) as client:
        token = await form_token(client)
        query = {"token": token, "choice": "dismiss"}
        clerk.problem = ConnectorError("There is no review 5.")
        assert (await client.get("/status/reviews/5", params=query)).status_code == 303
        assert (await client.get("/status/reviews", params=query)).status_code == 200
        assert (await client.get("/status", params=query)).status_code == 200
    assert clerk.asked == [("compare", {"review": 5, "by": "status page"})]


# ---- whose buttons count ----


async def refused(client: httpx.AsyncClient, clerk: Clerk, *, why: str, **more: Any) -> None:
    response = await send(client, **{"choice": "dismiss", **more})
    assert (response.status_code, response.headers["cache-control"]) == (403, "no-store")
    assert why in response.text
    assert clerk.asked == []


async def test_a_form_without_the_page_s_token_is_refused(clerk: Clerk) -> None:
    async with browser(world(clerk)) as client:
        right = await form_token(client)
        for wrong in ("", "x", right[:-1], right + "0", "é"):
            await refused(client, clerk, token=wrong, why="out of date")


async def test_the_token_is_nothing_without_the_session(clerk: Clerk) -> None:
    made = world(clerk)
    async with browser(made) as client:
        right = await form_token(client)
        (cookie,) = client.cookies.jar
        assert (cookie.name, cookie.path, cookie.secure) == ("connector", "/", False)
        for value in ("", "x"):
            client.cookies.clear()
            client.cookies.set(cookie.name, value)
            response = await send(client, token=right, choice="dismiss")
            assert (response.status_code, response.headers["location"]) == (303, "/login")
    assert clerk.asked == []


async def test_another_start_makes_old_forms_worthless(clerk: Clerk) -> None:
    async with browser(world(clerk)) as client:
        old = await form_token(client)
    async with browser(world(clerk)) as client:
        await refused(client, clerk, token=old, why="out of date")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example.com"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "http://localhost:8080"},
        {"origin": "http://[::1"},
        {"origin": "null"},
        {"origin": ""},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "cross-site", "origin": LOCAL},
    ],
)
async def test_a_form_on_another_site_is_refused(clerk: Clerk, headers: dict[str, str]) -> None:
    async with browser(world(clerk)) as client:
        token = await form_token(client)
        client.headers.update(headers)
        await refused(client, clerk, token=token, why="another site")


async def test_a_name_that_was_pointed_at_us_gets_nowhere(clerk: Clerk) -> None:
    async with browser(world(clerk), "http://evil.example.com:8080", login=False) as client:
        response = await client.post("/status/reviews/5", data={"choice": "dismiss"})
    assert (response.status_code, response.headers["location"]) == (303, "/login")
    assert clerk.asked == []


async def test_a_program_on_the_machine_needs_token_and_cookie_only(clerk: Clerk) -> None:
    async with world(clerk).logged_in() as client:
        assert (await send(client, choice="dismiss")).status_code == 303
    assert len(clerk.asked) == 1


async def test_behind_the_login_the_session_decides(clerk: Clerk) -> None:
    made = world(clerk)
    async with browser(made, "http://10.1.2.3:8080", login=True) as client:
        token = await form_token(client)
        assert (await send(client, token=token, choice="dismiss")).status_code == 303
    assert len(clerk.asked) == 1
    clerk.asked.clear()
    async with browser(made, "http://10.1.2.3:8080", login=False) as client:
        response = await send(client, token=token, choice="dismiss")
        assert (response.status_code, response.headers["location"]) == (303, "/login")
    made.clock.now += 1
    async with browser(made, "http://10.1.2.3:8080", login=True) as client:
        await refused(client, clerk, token=token, why="out of date")


async def test_behind_a_proxy_the_public_address_is_ours(clerk: Clerk) -> None:
    made = world(clerk, public_url=f"{PUBLIC}:443/shop")
    async with browser(made, PUBLIC, login=True) as client:
        # The proxy speaks to us under a name of its own.
        headers = {"host": "connector:8080"}
        page = await client.get("/status", headers=headers)
        token = re.findall(r'name="token" value="([^"]*)"', page.text)[0]
        form = {"token": token, "choice": "dismiss"}
        assert (await client.post("/status/reviews/5", data=form, headers=headers)).status_code == 303
        foreign = {**headers, "origin": "http://hooks.example.com"}
        assert (await client.post("/status/reviews/5", data=form, headers=foreign)).status_code == 403
    assert len(clerk.asked) == 1


async def test_a_bearer_token_reads_but_has_no_buttons(clerk: Clerk) -> None:
    async with browser(world(clerk), login=False) as client:
        client.headers["authorization"] = f"Bearer {TOKEN}"
        page = await client.get("/status")
        assert (page.status_code, 'name="token"' in page.text) == (200, False)
        await refused(client, clerk, token="", why="out of date")


async def test_a_large_form_is_refused(clerk: Clerk) -> None:
    async with browser(world(clerk)) as client:
        response = await send(client, choice="link", customer_id="9" * 10_000)
        assert response.status_code == 413
    assert clerk.asked == []


async def test_nothing_but_a_form_is_read(clerk: Clerk) -> None:
    async with browser(world(clerk)) as client:
        token = await form_token(client)
        response = await client.post("/status/reviews/5", json={"token": token, "choice": "dismiss"})
        assert response.status_code == 415
        broken = {"content-type": "multipart/form-data; boundary=x"}
        response = await client.post("/status/reviews/5", content=b"--x\r\nnonsense", headers=broken)
        assert response.status_code == 415
    assert clerk.asked == []
