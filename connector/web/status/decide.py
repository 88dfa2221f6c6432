"""The decisions on the status page: decide who a person is, and take a decision back.

A form counts only when it comes from our own page in this browser. Its token is bound to the session's cookie. The request
must also say that it comes from our origin, or
nothing at all, as programs do. What came of it is told after the redirect, under a random number: a text in the address
could be anybody's.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from connector.model.errors import ConnectorError
from connector.web.access import Access
from connector.web.status.forms import MAX_FORM, BadForm, read_form
from connector.web.status.pages import PRIVATE, Pages

#: `(operation, arguments)` → JSON-able result; see `connector.operations.operations`.
Operate = Callable[[str, Mapping[str, Any]], Awaitable[Any]]

#: Who decides here, for the trace: the page knows no persons.
BY = "status page"
#: Messages kept for those who have not seen them yet.
KEPT = 50
#: Characters of a customer's id.
MAX_CUSTOMER = 100

_NO_REVIEW = "There is no such review."
_DONE = {
    "link": "linked to customer {customer}",
    "create": "a customer is being created",
    "different": "these are different people; a customer is being created",
    "shared": "treated as shared by several people; what waits for it is asked anew",
    "dismiss": "dismissed; coming events of these clients are ignored",
}
_STALE = "The form is out of date or does not come from this page. Nothing was changed."
_FOREIGN = "The request comes from another site. Nothing was changed."


class DecisionForms:
    """Answers `/status/reviews/{review}` (side by side, and decisions) and `POST /status/reviews` (many).

    `key` makes the forms' tokens and is a new one at each start.
    """

    def __init__(self, access: Access, pages: Pages, operate: Operate, *, key: bytes | None = None) -> None:
        self._access = access
        self._pages = pages
        self._operate = operate
        self._key = key or secrets.token_bytes(32)
        self._said: OrderedDict[str, tuple[bool, str]] = OrderedDict()

    def routes(self) -> list[Route]:
        """Answer the routes."""
        return [
            Route("/status/reviews", self.decide, methods=["POST"], max_body_size=MAX_FORM),
            Route("/status/reviews/{review}", self.decide, methods=["POST"], max_body_size=MAX_FORM),
            Route("/status/reviews/{review}", self.compare, methods=["GET"]),
        ]

    def token(self, request: Request) -> str:
        """The token for the forms of a page; empty for who may look but has no session to bind it to."""
        cookie = self._session(request)
        return self._sign(f"form {cookie}") if cookie else ""

    def said(self, request: Request) -> tuple[bool, str] | None:
        """(whether it went well, what came of it) for the number in the address; None when there is nothing to say."""
        return self._said.get(request.query_params.get("said", ""))

    async def compare(self, request: Request) -> Response:
        """Show the clients and candidates of a review side by side, read now and stored nowhere."""
        if not self._access.admits(request.headers, request.cookies.get(self._access.cookie)):
            return RedirectResponse("/login", 303, PRIVATE)
        number = _number(request.path_params["review"])
        if number is None:
            return self._back(False, _NO_REVIEW)
        try:
            item = await self._operate("compare", {"review": number, "by": BY})
        except ConnectorError as error:
            return self._back(False, f"{error} {error.hint}".strip())
        # A form says where it comes from only if the page may tell its own site.
        headers = {"Referrer-Policy": "same-origin"}
        return self._pages.render("compare.html", headers=headers, item=item, token=self.token(request))

    async def decide(self, request: Request) -> Response:
        """Carry out one form and go back to the page."""
        if not self._access.admits(request.headers, request.cookies.get(self._access.cookie)):
            return RedirectResponse("/login", 303, PRIVATE)
        if not self._access.from_our_page(request.headers):
            return self._refuse(_FOREIGN)
        try:
            form = await read_form(request)
        except BadForm as error:
            return self._refuse(f"{error} Nothing was changed.", error.status)
        if not self._is_ours(request, form.get("token", "")):
            return self._refuse(_STALE)
        if "review" not in request.path_params:
            return self._back(*await self._carry_out_many(form))
        number = _number(request.path_params["review"])
        return self._back(*await self._carry_out(number, form)) if number is not None else self._back(False, _NO_REVIEW)

    async def _carry_out_many(self, form: Mapping[str, str]) -> tuple[bool, str]:
        """Carry out one choice for every review that was ticked; each says what came of it."""
        ticked = [number for name in form if name.startswith("review-") and (number := _number(name[7:])) is not None]
        if not ticked or form.get("choice") not in _DONE or form.get("choice") == "link":
            return False, "Nothing was chosen."
        answers = [await self._carry_out(number, form) for number in ticked]
        refused = [text for well, text in answers if not well]
        text = f"{len(ticked) - len(refused)} of {len(ticked)} reviews: {_DONE[form['choice']]}."
        return not refused, " ".join([text, *refused])

    async def _carry_out(self, review: int, form: Mapping[str, str]) -> tuple[bool, str]:
        choice, customer = form.get("choice", ""), form.get("customer_id", "")
        try:
            if choice == "undo":
                said = await self._operate("undo", {"review": review, "by": BY})
                return True, " ".join([f"Review {review} is open again.", *said])
            if choice == "shared":
                await self._operate("share", {"review": review, "by": BY})
                return True, f"Review {review}: {_DONE[choice]}."
            if choice not in _DONE:
                return False, "Nothing was chosen."
            if choice == "link" and not (0 < len(customer) <= MAX_CUSTOMER and customer.isprintable()):
                return False, "Write the id of the customer, as the CRM shows it."
            asked = {"review": review, "decision": choice, "customer_id": customer if choice == "link" else None, "by": BY}
            await self._operate("decide", asked)
        except ConnectorError as error:
            return False, f"{error} {error.hint}".strip()
        return True, f"Review {review}: {_DONE[choice].format(customer=customer)}."

    def _is_ours(self, request: Request, token: str) -> bool:
        expected = self.token(request)
        return bool(expected) and _same(token, expected)

    def _session(self, request: Request) -> str:
        """The session's cookie. A bearer token needs no form: who has it can use the command line's way in."""
        cookie = request.cookies.get(self._access.cookie, "")
        return cookie if self._access.in_session(cookie) else ""

    def _sign(self, text: str) -> str:
        return hmac.new(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()

    def _refuse(self, message: str, status: int = 403) -> Response:
        return self._pages.render("refused.html", status=status, message=message)

    def _back(self, well: bool, message: str) -> Response:
        number = secrets.token_urlsafe(9)
        self._said[number] = (well, message)
        while len(self._said) > KEPT:
            self._said.popitem(last=False)
        return RedirectResponse(f"/status?said={number}", 303, PRIVATE)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))
