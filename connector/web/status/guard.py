"""Before and after every page behind the login: who asks, whether a form is our own, and what came of one.

A form counts only when it comes from our own page in this browser. Its token is bound to the session's cookie. The request
must also say that it comes from our origin, or nothing at all, as programs do. What came of it is said after the redirect,
under a random number: a text in the address could be anybody's.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from typing import Any
from urllib.parse import quote

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from connector.web.access import Access, Operator
from connector.web.status.forms import BadForm, ours, read_form
from connector.web.status.login import peer_of
from connector.web.status.pages import PRIVATE, Pages

#: Messages kept for those who have not seen them yet.
KEPT = 50
_STALE = "The form is out of date or does not come from this page. Nothing was changed."
_FOREIGN = "The request comes from another site. Nothing was changed."


class TurnedAway(Exception):
    """The request is answered with `response` instead, by the application: no page catches it."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class Guard:
    """Shared by all pages behind the login.

    `key` makes the forms' tokens and is a new one at each start; without `buttons` no form is shown or taken.
    """

    def __init__(self, access: Access, pages: Pages, *, buttons: bool = True, key: bytes | None = None) -> None:
        self._buttons = buttons
        self._access = access
        self._pages = pages
        self._key = key or secrets.token_bytes(32)
        self._said: OrderedDict[str, tuple[bool, str]] = OrderedDict()
        self._log = structlog.get_logger("connector.audit").bind()

    def operator(self, request: Request) -> Operator:
        """Who asks. Raises TurnedAway (to the login) for anybody who is not logged in."""
        operator = self._access.admits(request.headers, self._cookie(request), peer_of(request))
        if operator is None:
            to = here(request) if request.method == "GET" else "/status"
            raise TurnedAway(RedirectResponse("/login" + (f"?to={quote(to)}" if to != "/status" else ""), 303, PRIVATE))
        return operator

    def decider(self, request: Request) -> Operator:
        """Who asks, if that operator may decide. Raises TurnedAway, with a page that says who may."""
        operator = self.operator(request)
        if not operator.may_decide:
            self.note(request, operator, "refused: may only read")
            who = ", ".join(self._access.deciding) or "nobody"
            text = f"{operator.name} may see everything here except personal data, but may not decide."
            raise TurnedAway(self._refuse(f"{text} Who may decide: {who}. Nothing was changed."))
        return operator

    async def form(self, request: Request) -> tuple[Operator, dict[str, str]]:
        """Who sends a form, and its fields. Raises TurnedAway for whoever may not, and whatever is not our form."""
        self.operator(request)
        if not self._access.from_our_page(request.headers):
            raise TurnedAway(self._refuse(_FOREIGN))
        operator = self.decider(request)
        try:
            form = await read_form(request)
        except BadForm as error:
            raise TurnedAway(self._refuse(f"{error} Nothing was changed.", error.status)) from None
        expected = self.token(request)
        if not expected or not _same(form.get("token", ""), expected):
            raise TurnedAway(self._refuse(_STALE))
        return operator, form

    def token(self, request: Request) -> str:
        """The token for the forms of a page; empty for who may not decide, or has no session to bind it to.

        A bearer token needs no form: who has it can use the command line's way in.
        """
        cookie = self._cookie(request)
        operator = self._access.in_session(cookie)
        allowed = self._buttons and operator is not None and operator.may_decide
        return self._sign(f"form {cookie}") if allowed else ""

    def context(self, request: Request, operator: Operator) -> dict[str, Any]:
        """What every template behind the login is given."""
        said = self._said.get(request.query_params.get("said", ""))
        return {"operator": operator, "token": self.token(request), "said": said, "here": here(request)}

    def back(self, where: str, well: bool, message: str) -> Response:
        """Lead back to one of our pages, which then says what came of it."""
        number = secrets.token_urlsafe(9)
        self._said[number] = (well, message)
        while len(self._said) > KEPT:
            self._said.popitem(last=False)
        where = ours(where)
        return RedirectResponse(f"{where}{'&' if '?' in where else '?'}said={number}", 303, PRIVATE)

    def note(self, request: Request, operator: Operator, action: str, **what: Any) -> None:
        """Write the audit line: who, from where, what."""
        self._log.info("operator", who=operator.name, peer=peer_of(request), action=action, **what)

    def _refuse(self, message: str, status: int = 403) -> Response:
        return self._pages.render("refused.html", status=status, message=message)

    def _cookie(self, request: Request) -> str:
        return request.cookies.get(self._access.cookie, "")

    def _sign(self, text: str) -> str:
        return hmac.new(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def here(request: Request) -> str:
    """The address of a page, to come back to: without the number of what was said."""
    query = "&".join(part for part in request.url.query.split("&") if part and not part.startswith("said="))
    return request.url.path + (f"?{query}" if query else "")


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))
