"""The status page in a real browser: nothing overflows, nothing is fetched from elsewhere, nobody gets in without the token."""

from __future__ import annotations

import itertools
import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
import uvicorn
from starlette.types import ASGIApp

from connector.store.reviews import views as review_views

from ..fakes import TOKEN, World, busy_page, event_row
from ..live import shop_elsewhere

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, ViewportSize

pytestmark = pytest.mark.browser

SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
#: A word that no column has room for.
ENDLESS = "an_endless_word_" * 30
#: Of a window.
HEIGHT = 900
#: The page's colour, by what the reader's system prefers.
BACKGROUNDS: dict[Literal["light", "dark"], str] = {"light": "rgb(245, 246, 248)", "dark": "rgb(16, 20, 24)"}


def chromium() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CONNECTOR_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        if os.environ.get("CONNECTOR_REQUIRE_BROWSER") == "1":
            pytest.fail("no Chromium was found; install one or set CONNECTOR_CHROMIUM")
        pytest.skip("no Chromium was found")
    # Every worker collects this file, and one of them needs what takes a second to import.
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=SWITCHES)
        yield browser
        browser.close()


class Announced(uvicorn.Server):
    """Tells when it listens, so that nobody has to poll."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="off"))
        self.ready = threading.Event()
        self.port = 0

    async def startup(self, sockets: object = None) -> None:
        await super().startup(None)
        self.port = self.servers[0].sockets[0].getsockname()[1]
        self.ready.set()


@contextmanager
def served(world: World) -> Iterator[str]:
    server = Announced(world.app)
    thread = threading.Thread(target=server.run)
    thread.start()
    assert server.ready.wait(10)
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def opened(browser: Browser, width: int, *, javascript: bool = True, zone: str = "UTC") -> Iterator[tuple[Page, list[str]]]:
    """A page and the list of what went wrong on it: console messages, failed scripts, requests to other hosts."""
    size: ViewportSize = {"width": width, "height": HEIGHT}
    context = browser.new_context(viewport=size, java_script_enabled=javascript, timezone_id=zone)
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda r: None if r.url.startswith(("http://127.0.0.1:", "data:")) else wrong.append(r.url))
    try:
        yield page, wrong
    finally:
        context.close()


@pytest.mark.parametrize("busy", [False, True])
def test_the_page_fits_and_keeps_to_itself(browser: Browser, busy: bool) -> None:
    world = World()
    if busy:
        world.data._page = busy_page()
        world.data._page["held"][0]["reason"] = ENDLESS
    with served(world) as url, opened(browser, 390) as (page, wrong):
        page.goto(f"{url}{world.access.login_path}")
        page.wait_for_url("**/status")
        for width, scheme in itertools.product((390, 1280), BACKGROUNDS):
            page.set_viewport_size({"width": width, "height": HEIGHT})
            page.emulate_media(color_scheme=scheme)
            page.goto(f"{url}/status")
            headline = page.get_by_role("heading", level=1)
            assert headline.inner_text() == (
                "The key of booking.tours was refused." if busy else "All is well: 1,204 clients linked, nothing waiting."
            )
            for details in page.locator("details").all():
                details.evaluate("element => { element.open = true }")
            assert page.evaluate("document.documentElement.scrollWidth") == width, scheme
            background = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert background == BACKGROUNDS[scheme], "the style sheet was refused"
            assert wrong == [], (width, scheme)


def test_a_trace_opens_with_the_keyboard_and_the_chart_speaks(browser: Browser) -> None:
    world = World()
    with served(world) as url, opened(browser, 1280) as (page, wrong):
        page.goto(f"{url}{world.access.login_path}")
        page.wait_for_url("**/status")
        step = page.get_by_text("the only customer with this e-mail address").first
        assert not step.is_visible()
        page.locator("#event-1204 summary").focus()
        page.keyboard.press("Enter")
        assert step.is_visible()
        assert page.get_by_role("img", name="Last 24 hours: 452 received").count() == 1
        assert wrong == []


def test_times_are_shown_in_the_readers_zone_and_the_page_says_when_it_does_not_refresh(browser: Browser) -> None:
    world = World()
    world.data._page = busy_page()
    world.data.found = {"rows": [event_row(5)]}
    with served(world) as url, opened(browser, 1280, zone="America/Toronto") as (page, wrong):
        page.goto(f"{url}{world.access.login_path}")
        page.wait_for_url("**/status")
        assert page.locator(".clock").inner_text() == "as of 07:00:00 EST"
        assert page.locator(".axis > span").last.inner_text() == "07:00 America/Toronto"
        assert page.locator("svg.chart g title").last.text_content() == "07:00 EST: 1 received, 27 done, 0 held"
        says = page.locator("#refresh")
        assert says.inner_text() == "refreshes every 15 s"
        page.locator("#event-1204 summary").click()
        page.get_by_text("does not refresh while something is open or selected").wait_for()
        page.goto(f"{url}/status/events")
        assert page.locator("time.exact").inner_text() == "2026-11-21 06:00:00"
        assert page.locator("time.exact").get_attribute("title") == "2026-11-21 06:00:00 EST"
        assert page.get_by_role("columnheader", name="Received (America/Toronto)").count() == 1
        assert wrong == []


def test_all_held_events_of_a_page_are_chosen_at_once(browser: Browser) -> None:
    asked: list[tuple[str, object]] = []

    async def operate(name: str, arguments: Mapping[str, Any]) -> Any:
        asked.append((name, arguments["ids"]))
        return arguments["ids"]

    world = World(operate=operate)
    world.data.found["rows"] = [event_row(7), event_row(6), event_row(5)]
    with served(world) as url, opened(browser, 1280) as (page, wrong):
        page.goto(f"{url}{world.access.login_path}")
        page.wait_for_url("**/status")
        page.goto(f"{url}/status/events?state=held")
        page.get_by_label("Choose all on this page").check()
        page.get_by_label("Event 6").uncheck()
        page.get_by_role("button", name="Retry").click()
        assert page.get_by_role("heading", level=1).inner_text() == "Queue 2 events again?"
        page.get_by_role("button", name="Yes, do it").click()
        assert page.get_by_role("status").inner_text() == "2 of 2 events: queued again."
        assert page.url.startswith(f"{url}/status/events?state=held&said=")
        assert asked == [("retry", [7, 5])]
        assert wrong == []


@pytest.fixture(scope="module")
def reader(browser: Browser) -> Iterator[tuple[World, str, Page, list[str]]]:
    """Somebody without JavaScript who has logged in, on a page that is much too full."""
    world = World()
    world.data.events[5] = event_row(5, reason=ENDLESS, client_id="9" * 90, trace=[{"rule": ENDLESS, "result": ENDLESS}])
    world.data.bodies[5] = ENDLESS
    with served(world) as url, opened(browser, 1280, javascript=False) as (page, wrong):
        page.goto(f"{url}/login")
        page.get_by_label("Status token").fill(TOKEN)
        page.get_by_role("button", name="Log in").click()
        yield world, url, page, wrong


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("path", ["events", "events?state=held", "reviews", "links", "accounts", "events/5", "events/5/body"])
def test_every_list_fits(reader: tuple[World, str, Page, list[str]], width: int, path: str) -> None:
    """Whatever is long is cut or scrolls in its own place."""
    world, url, page, wrong = reader
    link = {"source": "stores", "client_id": "9" * 90, "crm": "main", "customer_id": "8" * 90, "origin": "email"}
    times = {"linked_at": "2026-11-21T11:00:00Z", "written_back_at": None}
    reviews = [{**busy_page()["reviews"][0], "reason": ENDLESS}]
    world.data.found["rows"] = {"events": [world.data.events[5]], "links": [{**link, **times}], "reviews": reviews}.get(
        path.partition("?")[0], []
    )
    page.set_viewport_size({"width": width, "height": HEIGHT})
    page.goto(f"{url}/status/{path}")
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") == width
    if width == 390:
        right = "cells => Math.max(0, ...cells.map(cell => cell.getBoundingClientRect().right))"
        assert page.locator("tbody td, tbody th").evaluate_all(right) <= width, "a phone shows the whole line"
        if path.startswith("events") and "/" not in path:
            reason = page.locator("tbody .wide").bounding_box()
            assert reason is not None
            assert reason["width"] > 300
            assert reason["height"] < 80, "also its reason, three lines of it at most"
            assert not page.get_by_text("Received (").is_visible()
    assert page.locator(".zone").first.text_content() == "UTC" if path in ("events", "links") else True
    assert wrong == []


def test_on_a_phone_the_search_is_closed_and_the_list_begins_on_the_first_screen(browser: Browser) -> None:
    world = World()
    world.data.found["rows"] = [event_row(5)]
    with served(world) as url, opened(browser, 390) as (page, wrong):
        page.goto(f"{url}{world.access.login_path}")
        page.wait_for_url("**/status")
        page.goto(f"{url}/status/events?state=held")
        box, row = page.get_by_role("button", name="Search"), page.locator("tbody tr").first
        assert not box.is_visible()
        assert row.evaluate("element => element.getBoundingClientRect().bottom") < 400
        page.get_by_text("Search: 1 field set").click()
        assert box.is_visible()
        page.get_by_label("Client").fill("5")
        box.click()
        page.wait_for_url("**/status/events?state=held&source=&client=5*")
        page.set_viewport_size({"width": 1280, "height": 900})
        assert box.is_visible()
        assert not page.get_by_text("fields set").is_visible()
        assert wrong == []


def test_login_and_logout(browser: Browser) -> None:
    with served(World()) as url, opened(browser, 390) as (page, wrong):
        page.goto(f"{url}/")
        assert page.url == f"{url}/login"
        page.get_by_label("Status token").fill("wrong")
        page.get_by_role("button", name="Log in").click()
        assert "not the status token" in page.get_by_role("alert").inner_text()
        assert all("401" in text for text in wrong)
        wrong.clear()
        page.get_by_label("Status token").fill(TOKEN)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(f"{url}/status")
        assert page.evaluate("document.cookie") == ""
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url(f"{url}/login")
        page.goto(f"{url}/status")
        assert page.url == f"{url}/login"
        assert wrong == []


@pytest.mark.parametrize("width", [390, 1280])
def test_a_person_is_decided_about_behind_the_login(browser: Browser, tmp_path: Path, width: int) -> None:
    """Without JavaScript, and with nothing but the buttons."""
    server = 'public_url = "http://hooks.example.com"'
    with (
        shop_elsewhere(tmp_path, server=server) as (shop, elsewhere),
        opened(browser, width, javascript=False) as (page, wrong),
    ):
        grace = shop.customer(firstname="Grace", lastname="Hopper", mobilephone="+15145550104")
        shop.customer(firstname="Mary", lastname="Somerville", phone="+15145550104")
        dan, again = shop.client(), shop.client()
        elsewhere.run(shop.book(dan, again))
        page.goto(f"{shop.service.url}/status")
        page.get_by_label("Status token").fill(TOKEN)
        page.get_by_role("button", name="Log in").click()
        candidates = page.locator(".sides > li")
        assert not candidates.first.is_visible(), "collapsed until somebody looks"
        page.locator(".decide > summary").click()
        candidates.nth(1).wait_for()
        assert candidates.count() == 2
        assert "the name differs" in candidates.first.inner_text()
        boxes = [box for box in (one.bounding_box() for one in candidates.all()) if box]
        assert all(box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)
        assert (boxes[0]["y"] == boxes[1]["y"]) is (width > 400), "side by side where there is room"
        page.get_by_role("link", name="Compare names, addresses and numbers").click()
        meanings = page.locator(".meanings b").all_inner_texts()
        assert meanings == page.locator(".choices button").all_inner_texts(), "every button is explained"
        chosen = candidates.filter(has_text=f"Customer {grace}")
        assert "Grace Hopper" in chosen.inner_text()
        assert "against: the names differ" in chosen.inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") == width
        chosen.get_by_role("button", name=f"Link to {grace}").click()
        assert page.url.endswith("/status/reviews/1"), "what the evidence speaks against is confirmed first"
        chosen.get_by_label("The names differ; link anyway").check()
        chosen.get_by_role("button", name=f"Link to {grace}").click()
        assert page.get_by_role("status").inner_text() == f"Review 1: linked to customer {grace}."
        elsewhere.run(shop.settled())
        assert elsewhere.run(shop.links()) == {dan: grace, again: grace}
        assert shop.stored(dan) == shop.stored(again) == grace
        page.goto(f"{shop.service.url}/status")
        assert page.locator(".sides").count() == 0
        page.get_by_role("button", name="Undo review 1").click()
        assert "Review 1 is open again." in page.get_by_role("status").inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.get_by_label("Another customer").count() == 1
        assert wrong == []


def test_another_site_s_form_decides_nothing(browser: Browser, tmp_path: Path) -> None:
    """Somebody is logged in, and a hostile page posts to the service from another port."""
    with shop_elsewhere(tmp_path) as (shop, elsewhere), opened(browser, 1280) as (page, _), served(World()) as foreign:
        shop.customer(firstname="Grace", lastname="Hopper", mobilephone="+15145550104")
        elsewhere.run(shop.book(shop.client()))
        page.goto(shop.service.login_url)
        page.wait_for_url("**/status")
        token = page.locator('input[name="token"]').first.get_attribute("value")
        form = (
            f'<form method="post" action="{shop.service.url}/status/reviews/1"><input name="token" value="{token}">'
            '<button name="choice" value="dismiss">You have won</button></form>'
        )
        page.route(f"{foreign}/trap", lambda route: route.fulfill(content_type="text/html", body=form))
        page.goto(f"{foreign}/trap")
        page.get_by_role("button", name="You have won").click()
        page.wait_for_load_state()
        assert page.url.endswith("/login") or "comes from another site" in page.get_by_role("alert").inner_text()
        assert len(elsewhere.run(shop.read(review_views.reviews))) == 1
