"""The decisions on the status page: decide who a person is, and take a decision back."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connector.model.errors import ConnectorError
from connector.web.access import Operator
from connector.web.interfaces import Actions
from connector.web.status.forms import MAX_FORM
from connector.web.status.guard import Guard
from connector.web.status.pages import Pages

#: Characters of a customer's id.
MAX_CUSTOMER = 100

_NO_REVIEW = "There is no such review."
_DONE = {
    "link": "linked to customer {customer}",
    "create": "a customer is being created",
    "different": "these are different people; a customer is being created",
    "shared": "treated as shared by several people; the waiting events are processed again",
    "dismiss": "dismissed; future events of these clients are ignored",
}
#: What many decisions at once would do, for the question before them.
_ASKED = {
    "create": "Create a new customer for each of {n} reviews?",
    "different": "Are these different people in {n} reviews? A new customer is created for each review.",
    "shared": "Treat the address or number of {n} reviews as shared by several people?",
    "dismiss": "Link no client of {n} reviews, and ignore future events of these clients?",
}


class DecisionForms:
    """Answers `/status/reviews/{review}` (side by side, and decisions) and `POST /status/reviews` (many)."""

    def __init__(self, guard: Guard, pages: Pages, actions: Actions) -> None:
        self._guard = guard
        self._pages = pages
        self._actions = actions

    def routes(self) -> list[Route]:
        """Answer the routes."""
        return [
            Route("/status/reviews", self.decide, methods=["POST"], max_body_size=MAX_FORM),
            Route("/status/reviews/{review}", self.decide, methods=["POST"], max_body_size=MAX_FORM),
            Route("/status/reviews/{review}", self.compare, methods=["GET"]),
        ]

    async def compare(self, request: Request) -> Response:
        """Show the clients and candidates of a review side by side, read now and stored nowhere."""
        operator = self._guard.decider(request)
        number = number_of(request.path_params["review"])
        if number is None:
            return self._guard.back("/status", False, _NO_REVIEW)
        self._guard.note(request, operator, "personal data shown", review=number)
        try:
            item = await self._actions.compare(number, by=operator.by)
        except ConnectorError as error:
            return self._guard.back("/status", False, f"{error} {error.hint}".strip())
        return self._pages.render("compare.html", item=item, **self._guard.context(request, operator))

    async def decide(self, request: Request) -> Response:
        """Carry out one form and go back to the page."""
        operator, form = await self._guard.form(request)
        where = form.get("back", "/status")
        if "review" not in request.path_params:
            return await self._many(request, operator, form, where)
        number = number_of(request.path_params["review"])
        if number is None:
            return self._guard.back(where, False, _NO_REVIEW)
        self._guard.note(request, operator, f"review: {form.get('choice', '')[:20]}", review=number)
        return self._guard.back(where, *await self._carry_out(number, form, operator))

    async def _many(self, request: Request, operator: Operator, form: Mapping[str, str], where: str) -> Response:
        """Ask before one choice is carried out for all reviews that were ticked, then do it; each says why not."""
        ticked = ticked_in(form, "review-")
        choice = form.get("choice", "")
        if not ticked or choice not in _ASKED:
            return self._guard.back(where, False, "Nothing was selected.")
        if form.get("sure") != "1":
            question = _ASKED[choice].format(n=len(ticked))
            context = self._guard.context(request, operator)
            return self._pages.render(
                "confirm.html", question=question, action="/status/reviews", fields=form, ids=ticked, back=where, **context
            )
        self._guard.note(request, operator, f"review: {choice}", reviews=ticked)
        answers = [await self._carry_out(number, form, operator) for number in ticked]
        refused = [text for well, text in answers if not well]
        text = f"{len(ticked) - len(refused)} of {len(ticked)} reviews: {_DONE[choice]}."
        return self._guard.back(where, not refused, " ".join([text, *refused]))

    async def _carry_out(self, review: int, form: Mapping[str, str], operator: Operator) -> tuple[bool, str]:
        """Do one choice for one review; answers whether it went well, and a sentence that begins with the review."""
        choice, customer, by = form.get("choice", ""), form.get("customer_id", ""), operator.by
        try:
            if choice == "undo":
                said = await self._actions.undo(review, by=by)
                return True, " ".join([f"Review {review} is open again.", *said])
            if choice == "shared":
                await self._actions.share(review, by=by)
                return True, f"Review {review}: {_DONE[choice]}."
            if choice not in _DONE:
                return False, "Nothing was selected."
            if choice == "link" and not (0 < len(customer) <= MAX_CUSTOMER and customer.isprintable()):
                return False, "Write the id of the customer, as the CRM shows it."
            await self._actions.decide(review, choice, customer if choice == "link" else None, by=by)
        except ConnectorError as error:
            text = f"{error} {error.hint}".strip()
            return False, text if str(review) in text else f"Review {review}: {text}"
        return True, f"Review {review}: {_DONE[choice].format(customer=customer)}."


def ticked_in(form: Mapping[str, str], prefix: str) -> list[int]:
    """The numbers behind `prefix` in the names of a form's fields."""
    found = (number_of(name.removeprefix(prefix)) for name in form if name.startswith(prefix))
    return [number for number in found if number is not None]


def number_of(text: str) -> int | None:
    """A positive whole number of an address or a form; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None
