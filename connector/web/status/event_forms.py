"""Retry and discard on the status page, one event or all that were ticked; each one says why not."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connector.model.errors import ConnectorError
from connector.model.states import why_not
from connector.web.access import Operator
from connector.web.interfaces import Actions, StatusData
from connector.web.status.decide import number_of, ticked_in
from connector.web.status.forms import MAX_FORM
from connector.web.status.guard import Guard
from connector.web.status.pages import Pages
from connector.web.status.wording import count

_DONE = {"retry": "queued again", "discard": "discarded"}
_ASKED = {"retry": "Queue {n} again?", "discard": "Discard {n} for good? This cannot be undone."}


class EventForms:
    """Answers `POST /status/events/{event}` and, for many, `POST /status/events`."""

    def __init__(self, guard: Guard, pages: Pages, data: StatusData, actions: Actions) -> None:
        self._guard = guard
        self._pages = pages
        self._data = data
        self._actions = actions

    def routes(self) -> list[Route]:
        """Answer the routes."""
        return [
            Route("/status/events", self.act, methods=["POST"], max_body_size=MAX_FORM),
            Route("/status/events/{event}", self.act, methods=["POST"], max_body_size=MAX_FORM),
        ]

    async def act(self, request: Request) -> Response:
        """Carry out one form, after a question where it cannot be taken back or is about many, and go back to the page."""
        operator, form = await self._guard.form(request)
        choice, one = form.get("choice", ""), request.path_params.get("event")
        where = form.get("back", "/status/events")
        numbers = ticked_in(form, "event-") if one is None else [n for n in [number_of(one)] if n is not None]
        if not numbers or choice not in _DONE:
            return self._guard.back(where, False, "Nothing was selected.")
        if form.get("sure") != "1" and (one is None or choice == "discard"):
            question = _ASKED[choice].format(n=count(len(numbers), "event"))
            context = self._guard.context(request, operator)
            return self._pages.render(
                "confirm.html", question=question, action=request.url.path, fields=form, ids=numbers, back=where, **context
            )
        self._guard.note(request, operator, f"event: {choice}", events=numbers)
        return self._guard.back(where, *await self._carry_out(choice, numbers, operator))

    async def _carry_out(self, choice: str, numbers: list[int], operator: Operator) -> tuple[bool, str]:
        """Do it; answers whether all went well, and a sentence for the whole and for each that did not."""
        try:
            if choice == "retry":
                done = set(await self._actions.retry(numbers))
            else:
                done = set(await self._actions.discard(numbers, by=operator.by))
            refused = [await self._why_not(choice, number) for number in numbers if number not in done]
        except ConnectorError as error:
            return False, f"{error} {error.hint}".strip()
        if len(numbers) == 1:
            return not refused, refused[0] if refused else f"Event {numbers[0]}: {_DONE[choice]}."
        text = f"{len(done)} of {len(numbers)} events: {_DONE[choice]}."
        return not refused, " ".join([text, *refused])

    async def _why_not(self, choice: str, number: int) -> str:
        return f"Event {number}: {why_not(choice, await self._data.event(number))}"
