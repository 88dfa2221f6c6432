"""The status page, the same as JSON, and the metrics: one protection for all three."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from connector.model.errors import ConnectorError
from connector.model.text import visible_json
from connector.web.access import Access
from connector.web.interfaces import StatusData
from connector.web.receiver.stats import ReceiverStats
from connector.web.status import metrics
from connector.web.status.guard import Guard
from connector.web.status.login import Login, peer_of
from connector.web.status.pages import PRIVATE, Pages
from connector.web.status.present import present

_BEARER = {"WWW-Authenticate": 'Bearer realm="connector"'}
_NOT_ADMITTED = "Send the status token as `Authorization: Bearer <token>`."


class StatusPages:
    """Answers `/status`, `/status.json` and `/metrics`.

    `config_file` is the path shown in commands to copy.
    """

    def __init__(
        self,
        data: StatusData,
        stats: ReceiverStats,
        access: Access,
        pages: Pages,
        login: Login,
        *,
        config_file: str,
        guard: Guard,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._data = data
        self._stats = stats
        self._access = access
        self._pages = pages
        self._login = login
        self._config_file = config_file
        self._guard = guard
        self._clock = clock
        self._log = structlog.get_logger("connector.status")

    def routes(self) -> list[Route]:
        """Answer the three routes."""
        return [
            Route("/status", self.page, methods=["GET"]),
            Route("/status.json", self.json, methods=["GET"]),
            Route("/metrics", self.metrics, methods=["GET"]),
        ]

    async def page(self, request: Request) -> Response:
        """Show the page, or the way to log in."""
        operator = self._guard.operator(request)
        try:
            view = present(await self._data.page(), now=self._clock(), config_file=self._config_file)
        except ConnectorError as error:
            self._log.error("status page failed", error=str(error))
            return self._pages.render("problem.html", status=503, message=str(error), hint=error.hint)
        return self._pages.render("status.html", view=view, **self._guard.context(request, operator))

    async def json(self, request: Request) -> Response:
        """Answer the figures as data."""
        return await self._machine(request, self._json)

    async def metrics(self, request: Request) -> Response:
        """Answer the figures for Prometheus."""
        return await self._machine(request, self._metrics)

    async def _machine(self, request: Request, answer: Callable[[], Awaitable[Response]]) -> Response:
        as_json = request.url.path.endswith(".json")
        if not self._admits(request):
            return self._refuse(request, as_json=as_json)
        try:
            return await answer()
        except ConnectorError as error:
            self._log.error("status failed", error=str(error))
            return _error(503, f"{error} {error.hint}".strip(), as_json=as_json)

    async def _json(self) -> Response:
        return Response(visible_json(await self._data.status()), headers=PRIVATE, media_type="application/json")

    async def _metrics(self) -> Response:
        text = metrics.render(await self._data.status(), self._stats)
        return Response(text, headers={**PRIVATE, "Content-Type": metrics.CONTENT_TYPE})

    def _admits(self, request: Request) -> bool:
        return self._access.admits(request.headers, request.cookies.get(self._access.cookie), peer_of(request)) is not None

    def _refuse(self, request: Request, *, as_json: bool) -> Response:
        """Ask for the token; who has offered many wrong ones is asked to wait."""
        if "authorization" in request.headers:
            self._login.report_refusal()
        if wait := self._access.wait(peer_of(request)):
            text = f"Too many wrong tokens. Try again in {wait} seconds."
            return _error(429, text, as_json=as_json, headers={"Retry-After": str(wait)})
        return _error(401, _NOT_ADMITTED, as_json=as_json, headers=_BEARER)


def _error(status: int, message: str, *, as_json: bool, headers: dict[str, str] | None = None) -> Response:
    every = {**PRIVATE, **(headers or {})}
    if not as_json:
        return PlainTextResponse(message + "\n", status, every)
    codes = {401: "login_required", 429: "too_many_attempts", 503: "unavailable"}
    return JSONResponse({"error": codes[status], "message": message}, status, every)
