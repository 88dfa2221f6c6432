"""`/login` and `/logout`: trade the status token for a cookie, so that a browser can see the status page."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from connector.web.access import SESSION, Access
from connector.web.status.forms import MAX_FORM, BadForm, ours, read_form
from connector.web.status.pages import PRIVATE, Pages

#: Seconds between two log lines about wrong tokens.
QUIET = 10.0
#: Programs with which people open the printed address by hand: they know no forms, and no preview is made with them.
_BY_HAND = re.compile(r"(?:curl|wget|httpie|python)\b", re.IGNORECASE)
_USED = "This login address has been used or is out of date. Restart connector for a new one."
_FOREIGN = "The request comes from another site. Nothing was done."


def peer_of(request: Request) -> str:
    """The address that a request comes from; behind a proxy that is the proxy's, for everybody."""
    return request.client.host if request.client else ""


class Login:
    """The login form and what it does."""

    def __init__(self, access: Access, pages: Pages, clock: Callable[[], float] = time.time) -> None:
        self._access = access
        self._pages = pages
        self._clock = clock
        self._log = structlog.get_logger("connector.login")
        self._quiet_until = 0.0
        self._silent = 0

    def routes(self) -> list[Route]:
        """Answer the routes of login and logout; logout is a POST, so that no link elsewhere can trigger it."""
        return [
            Route("/login", self.show, methods=["GET"]),
            Route("/login", self.submit, methods=["POST"], max_body_size=MAX_FORM),
            Route("/logout", self.log_out, methods=["POST"], max_body_size=MAX_FORM),
        ]

    async def show(self, request: Request) -> Response:
        """Show the form, which leads to the page that was asked for; who is logged in is sent on."""
        if self._access.in_session(request.cookies.get(self._access.cookie)):
            return RedirectResponse("/status", 303, PRIVATE)
        code = request.query_params.get("token")
        if code is None or request.method != "GET":
            return self._form("", 200, to=ours(request.query_params.get("to", "")))
        if _BY_HAND.match(request.headers.get("user-agent", "")):
            return self._open(request, self._access.redeem(code, peer_of(request)), _USED)
        # A preview of the link must not use it up: a browser sends the page's own form, which opens the session.
        return self._form("", 200, code=code)

    async def submit(self, request: Request) -> Response:
        """Check the token. Wrong ones are limited, because a form invites guessing; the right one is always taken."""
        if not self._access.from_our_page(request.headers):
            return self._form(_FOREIGN, 403)
        try:
            form = await read_form(request)
        except BadForm as error:
            return self._form(str(error), error.status)
        if "code" in form:
            return self._open(request, self._access.redeem(form["code"], peer_of(request)), _USED)
        session = self._access.log_in(form.get("token", ""), peer_of(request))
        return self._open(request, session, "That is not the status token.", to=ours(form.get("to", "")))

    async def log_out(self, request: Request) -> Response:
        """End the session."""
        if not self._access.from_our_page(request.headers):
            return self._form(_FOREIGN, 403)
        self._access.log_out(request.cookies.get(self._access.cookie))
        return self._with_cookie(RedirectResponse("/login", 303, PRIVATE), "", 0)

    def report_refusal(self) -> None:
        """Log that somebody offered a wrong token, at most one line every `QUIET` seconds."""
        now = self._clock()
        if now < self._quiet_until:
            self._silent += 1
            return
        self._log.warning("login refused", silent=self._silent)
        self._quiet_until, self._silent = now + QUIET, 0

    def _open(self, request: Request, session: str | None, refusal: str, *, to: str = "/status") -> Response:
        if session is not None:
            return self._with_cookie(RedirectResponse(to, 303, PRIVATE), session, SESSION)
        self.report_refusal()
        if wait := self._access.wait(peer_of(request)):
            text = f"Too many wrong tokens. Try again in {wait} seconds."
            return self._form(text, 429, {"Retry-After": str(wait)}, to=to)
        return self._form(refusal, 401, to=to)

    def _form(
        self, error: str, status: int, headers: dict[str, str] | None = None, *, code: str = "", to: str = "/status"
    ) -> Response:
        values = {"error": error, "configured": self._access.configured, "code": code, "to": to}
        return self._pages.render("login.html", status=status, headers=headers, **values)

    def _with_cookie(self, response: Response, value: str, seconds: int) -> Response:
        response.set_cookie(
            self._access.cookie, value, max_age=seconds, secure=self._access.secure, httponly=True, samesite="strict"
        )
        return response
