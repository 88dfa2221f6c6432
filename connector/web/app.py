"""All routes in one place. Start-up and shutdown belong to the service, not here."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from connector.model.problems import Check, Topic
from connector.web.access import Access
from connector.web.front import RETRY_AFTER, Front
from connector.web.interfaces import Actions, Intake, Ready, Source, StatusData
from connector.web.receiver.receiver import Receiver
from connector.web.receiver.stats import ReceiverStats
from connector.web.status.decide import DecisionForms
from connector.web.status.event_forms import EventForms
from connector.web.status.guard import Guard, TurnedAway
from connector.web.status.lists import ListPages
from connector.web.status.login import Login
from connector.web.status.page import StatusPages
from connector.web.status.pages import PRIVATE, Pages


def build_app(
    *,
    sources: Mapping[str, Source],
    intake: Intake,
    stats: ReceiverStats,
    data: StatusData,
    ready: Ready,
    access: Access,
    max_body_bytes: int = 1_048_576,
    config_file: str = "connector.toml",
    extra_routes: Sequence[BaseRoute] = (),
    actions: Actions | None = None,
    clock: Callable[[], float] = time.time,
) -> Front:
    """Build the application.

    `sources` maps the name in `/webhooks/{source}` to its adapter. `ready` answers `/readyz`. `config_file` appears in
    the commands which the status page tells the operator to run. `extra_routes` are served beside ours. `actions` does what the
    status page's buttons ask for; without it the page has none.
    """
    pages = Pages()
    login = Login(access, pages, clock)
    guard = Guard(access, pages, buttons=actions is not None)
    lists = ListPages(data, guard, pages, config_file=config_file, clock=clock)
    forms: list[Route] = []
    if actions is not None:
        forms = [*DecisionForms(guard, pages, actions).routes(), *EventForms(guard, pages, data, actions).routes()]
    status = StatusPages(data, stats, access, pages, login, config_file=config_file, guard=guard, clock=clock)
    receiver = Receiver(sources, intake, stats=stats, max_body_bytes=max_body_bytes, clock=clock)
    app = Starlette(
        routes=[
            Route("/healthz", _healthz, methods=["GET"]),
            Route("/readyz", _Readiness(ready).answer, methods=["GET"]),
            Route("/", _home, methods=["GET"]),
            *status.routes(),
            *login.routes(),
            *lists.routes(),
            *forms,
            *extra_routes,
        ],
        exception_handlers={TurnedAway: _turned_away, HTTPException: _http_error, Exception: _unexpected},
    )
    # A redirect is a failed delivery to most senders; a wrong address is better answered by 404.
    app.router.redirect_slashes = False
    return Front(receiver, app, https=access.secure, unmatched=stats.unmatched, now=clock)


async def _home(_request: Request) -> Response:
    return RedirectResponse("/status", 307, PRIVATE)


async def _healthz(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _turned_away(_request: Request, error: Exception) -> Response:
    """Answer what a page's guard said instead of the page."""
    return cast(TurnedAway, error).response


async def _unexpected(_request: Request, _error: Exception) -> Response:
    """Answer what nobody foresaw; the error itself goes on to `Front`, which logs it."""
    answer = {"error": "unavailable", "message": "Something went wrong here; please try again."}
    return JSONResponse(answer, 503, {**PRIVATE, "Retry-After": str(RETRY_AFTER)})


async def _http_error(_request: Request, error: Exception) -> Response:
    """Answer Starlette's own refusals (404, 405, 413) in the form of ours."""
    status, detail, headers = 503, "Unavailable", None
    if isinstance(error, HTTPException):
        status, detail, headers = error.status_code, error.detail, dict(error.headers or {})
    return JSONResponse({"error": detail.lower().replace(" ", "_"), "message": f"{detail}."}, status, headers)


class _Readiness:
    """`/readyz`: 200 while no check of this process says error, else 503; the checks are the body."""

    def __init__(self, ready: Ready) -> None:
        self._ready = ready
        self._log = structlog.get_logger("connector.ready")

    async def answer(self, _request: Request) -> Response:
        """Run the checks; one that fails to run counts as an error."""
        try:
            checks = list(await self._ready())
        except Exception as error:  # "not ready" is the answer, whatever went wrong
            self._log.error("readiness check failed", error=type(error).__name__)
            checks = [Check(topic=Topic("ready"), level="error", message="The checks themselves failed; see the log.")]
        bad = any(check.level == "error" for check in checks)
        return JSONResponse([check.as_dict() for check in checks], 503 if bad else 200, PRIVATE)
