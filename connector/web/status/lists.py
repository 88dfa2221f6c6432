"""The lists behind the overview, each with a search and pages: events, reviews, links and accounts; and one event."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connector.model.errors import ConnectorError
from connector.web.access import Operator
from connector.web.interfaces import StatusData
from connector.web.status import rows, search
from connector.web.status.decide import number_of
from connector.web.status.guard import Guard
from connector.web.status.pages import Pages
from connector.web.status.present import accounts_of, decided, review
from connector.web.status.search import BadSearch, Search
from connector.web.status.wording import moment

_NO_EVENT = "There is no such event."


class ListPages:
    """Answers `/status/events`, `/status/reviews`, `/status/links`, `/status/accounts` and the page of each event.

    `config_file` is the path shown in commands to copy; `clock` gives Unix time.
    """

    def __init__(
        self,
        data: StatusData,
        guard: Guard,
        pages: Pages,
        *,
        config_file: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._data = data
        self._guard = guard
        self._pages = pages
        self._option = f"--config {shlex.quote(config_file)}"
        self._clock = clock
        self._log = structlog.get_logger("connector.status")

    def routes(self) -> list[Route]:
        """Answer the routes."""
        return [
            Route("/status/events", self.listing, methods=["GET"], name="events"),
            Route("/status/reviews", self.listing, methods=["GET"], name="reviews"),
            Route("/status/links", self.listing, methods=["GET"], name="links"),
            Route("/status/accounts", self.accounts, methods=["GET"]),
            Route("/status/events/{event}", self.event, methods=["GET"]),
            Route("/status/events/{event}/body", self.body, methods=["GET"]),
        ]

    async def listing(self, request: Request) -> Response:
        """Show one page of a list, narrowed as the query says."""
        operator = self._guard.operator(request)
        kind = request.url.path.rpartition("/")[2]
        try:
            asked = search.read(kind, request.query_params, self._clock())
            found = await self._data.listing(kind, asked.wanted)
            _known(asked, found["sources"])
        except BadSearch as error:
            return await self._refused(request, operator, kind, str(error))
        except ConnectorError as error:
            return self._problem(error)
        return self._list(request, operator, asked, found)

    async def event(self, request: Request) -> Response:
        """Show one event: what happened, why, and what can be done about it."""
        operator = self._guard.operator(request)
        number = number_of(request.path_params["event"])
        try:
            found = None if number is None else await self._data.event(number)
        except ConnectorError as error:
            return self._problem(error)
        if found is None:
            return self._guard.back("/status/events", False, _NO_EVENT)
        now = self._clock()
        return self._render("event.html", request, operator, event=rows.event_page(found, now, self._option))

    async def body(self, request: Request) -> Response:
        """Show what the sender sent, to operators who may decide; that it was shown is in the log."""
        operator = self._guard.decider(request)
        number = number_of(request.path_params["event"])
        if number is None:
            return self._guard.back("/status/events", False, _NO_EVENT)
        self._guard.note(request, operator, "personal data shown", events=[number])
        try:
            text = await self._data.body(number)
        except ConnectorError as error:
            return self._problem(error)
        if text is None:
            return self._guard.back(f"/status/events/{number}", False, "What the sender sent is not kept any more.")
        return self._render("body.html", request, operator, number=number, text=text)

    async def accounts(self, request: Request) -> Response:
        """Show all accounts."""
        operator = self._guard.operator(request)
        try:
            found = await self._data.status()
        except ConnectorError as error:
            return self._problem(error)
        return self._render("accounts.html", request, operator, accounts=accounts_of(found, self._clock()))

    def _list(self, request: Request, operator: Operator, asked: Search, found: Mapping[str, Any], **more: Any) -> Response:
        values = {
            "search": asked,
            "fields": search.fields_of(asked.kind, tuple(found["sources"])),
            "older": asked.address(cursor=found["cursor"]) if found["cursor"] is not None else "",
            "first": asked.address() if "cursor" in asked.wanted else "",
            "partly": found["partly"],
            "reasons": found.get("reasons") or {},
            "rows": self._rows(asked, found["rows"]),
            "error": "",
            **more,
        }
        return self._render(f"{asked.kind}.html", request, operator, status=400 if values["error"] else 200, **values)

    def _rows(self, asked: Search, found: list[Any]) -> list[Any]:
        now = self._clock()
        if asked.kind == "events":
            return [rows.event_row(row, now) for row in found]
        if asked.kind == "links":
            return [rows.link_row(row, now) for row in found]
        if asked.wanted.get("state") == "decided":
            return [decided(row, now) for row in found if row.get("decision")]
        return [review(row, now, self._option) for row in found]

    async def _refused(self, request: Request, operator: Operator, kind: str, error: str) -> Response:
        """The form as it was filled in, and why nothing is shown."""
        given = {name: request.query_params.get(name, "")[: search.LONGEST] for name in request.query_params}
        try:
            sources = (await self._data.listing(kind, {"cursor": 1}))["sources"]
        except ConnectorError as problem:
            return self._problem(problem)
        nothing = {"rows": [], "cursor": None, "partly": False, "sources": sources}
        return self._list(request, operator, Search(kind, given, {}), nothing, error=error)

    def _render(self, template: str, request: Request, operator: Operator, *, status: int = 200, **values: Any) -> Response:
        now = self._clock()
        context = {**self._guard.context(request, operator), "now": moment(now, now), **values}
        return self._pages.render(template, status=status, **context)

    def _problem(self, error: ConnectorError) -> Response:
        self._log.error("status page failed", error=str(error))
        return self._pages.render("problem.html", status=503, message=str(error), hint=error.hint)


def _known(asked: Search, sources: list[str]) -> None:
    source = asked.wanted.get("source")
    if source is not None and source not in sources:
        raise BadSearch(f"There is no source {source}; known here: {', '.join(sources) or 'none'}.")
