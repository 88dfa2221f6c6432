"""`/login` and `/logout`: trade the status token for a cookie, so that a browser can see the status page."""

from __future__ import annotations

import asyncio

import structlog
from starlette.datastructures import FormData
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from connector.web.access import SESSION, Access
from connector.web.status.pages import PRIVATE, Pages

#: Bytes; the form holds one token.
MAX_FORM = 4096
#: Seconds a browser has to send the form.
FORM_TIMEOUT = 10.0


class Login:
    """The login form and what it does."""

    def __init__(self, access: Access, pages: Pages) -> None:
        self._access = access
        self._pages = pages
        self._log = structlog.get_logger("connector.login")

    def routes(self) -> list[Route]:
        """Answer the routes of login and logout; logout is a POST, so that no link elsewhere can trigger it."""
        return [
            Route("/login", self.show, methods=["GET"]),
            Route("/login", self.submit, methods=["POST"], max_body_size=MAX_FORM),
            Route("/logout", self.log_out, methods=["POST"], max_body_size=MAX_FORM),
        ]

    def refusal(self) -> Response:
        """Say what to configure, where there is nothing to log in with."""
        return self._pages.render("closed.html", status=403)

    async def show(self, request: Request) -> Response:
        """Show the form; who needs none is sent on."""
        if self._access.admits(request.headers, request.cookies.get(self._access.cookie)):
            return RedirectResponse("/status", 303, PRIVATE)
        return self._form("", 200) if self._access.configured else self.refusal()

    async def submit(self, request: Request) -> Response:
        """Check the token; wrong ones are limited, because a form invites guessing."""
        if not self._access.configured:
            return self.refusal()
        if wait := self._access.wait():
            return self._form(f"Too many wrong tokens. Try again in {wait} seconds.", 429, {"Retry-After": str(wait)})
        try:
            async with asyncio.timeout(FORM_TIMEOUT):
                form = await request.form(max_files=0, max_fields=4)
        except (TimeoutError, ClientDisconnect):
            return self._form("The form did not arrive in time. Please send it again.", 408)
        session = self._access.log_in(_token(form))
        if session is None:
            self._log.warning("login refused")
            return self._form("That is not the status token.", 401)
        return self._with_cookie(RedirectResponse("/status", 303, PRIVATE), session, SESSION)

    async def log_out(self, _request: Request) -> Response:
        """Forget the session in this browser."""
        return self._with_cookie(RedirectResponse("/login", 303, PRIVATE), "", 0)

    def _form(self, error: str, status: int, headers: dict[str, str] | None = None) -> Response:
        return self._pages.render("login.html", status=status, headers=headers, error=error)

    def _with_cookie(self, response: Response, value: str, seconds: int) -> Response:
        response.set_cookie(
            self._access.cookie, value, max_age=seconds, secure=self._access.secure, httponly=True, samesite="strict"
        )
        return response


def _token(form: FormData) -> str:
    value = form.get("token")
    return value.strip() if isinstance(value, str) else ""
