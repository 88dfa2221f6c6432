"""The Bookablesites sandbox's API, in either generation: `/api/v1` and `/api/v2`.

What is known is Trafft's (https://trafft.com/docs/custom-features/api/): tokens, lists in `data` and `pagination`, customers
newest first, a search that does nothing, 405 for one appointment in v2, 500 for a customer written in part. Synthetic: the
shapes of v1, texts and shapes of errors, 404 and 409, that v1 shows one appointment, and the order of appointments.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from typing import Any, Literal, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connector.sandbox.bookablesites.state import BookablesitesState, Json, Taken
from connector.sandbox.kit.application import Guard, Handler

Generation = Literal["v1", "v2"]
REQUIRED = ("first_name", "last_name", "email", "phone")
#: What a page holds at most (seen in public clients).
MAX_LIMIT = 100


class Account(Protocol):
    """What the endpoints know of the account: `connector.sandbox.bookablesites.app`."""

    client_id: str
    client_secret: str
    token_seconds: float
    paginates: bool
    clock: Callable[[], float]
    tokens: dict[str, float]


class Rest:
    """The endpoints of one generation over one state."""

    def __init__(self, state: BookablesitesState, generation: Generation, account: Account) -> None:
        self.state = state
        self.generation = generation
        self.account = account

    def routes(self, guard: Guard) -> list[Route]:
        """The routes of the generation; all but the token's are behind the guard."""
        update, token = ("PATCH", "/token") if self.generation == "v2" else ("PUT", "/auth/token")
        table: list[tuple[str, str, Handler]] = [
            ("GET", "/customers", self._list_customers),
            ("POST", "/customers", self._create_customer),
            ("GET", "/customers/{id:int}", self._customer),
            (update, "/customers/{id:int}", self._update_customer),
            ("DELETE", "/customers/{id:int}", self._delete_customer),
            ("GET", "/appointments", self._list_appointments),
            ("DELETE", "/appointments/{id:int}", self._cancel),
        ]
        if self.generation == "v1":
            table.append(("GET", "/appointments/{id:int}", self._appointment))
        api = f"/api/{self.generation}"
        found = [Route(api + token, self._token, methods=["POST"])]
        return [
            *found,
            *(
                Route(api + path, guard(f"{method} {path}".replace(":int", ""), action), methods=[method])
                for method, path, action in table
            ),
        ]

    async def _token(self, request: Request) -> Response:
        given = await self._given(request)
        known = (self.account.client_id, self.account.client_secret)
        if not all(hmac.compare_digest(one.encode(), other.encode()) for one, other in zip(given, known, strict=True)):
            return JSONResponse({"error": "invalid_client"}, 401)
        token = secrets.token_urlsafe(24)
        self.account.tokens[token] = self.account.clock() + self.account.token_seconds
        if self.generation == "v1":
            return JSONResponse({"token": token})
        return JSONResponse({"token_type": "Bearer", "expires_in": int(self.account.token_seconds), "access_token": token})

    async def _given(self, request: Request) -> tuple[str, str]:
        """Client id and secret: v1 as JSON, v2 as a form with the grant's type."""
        if self.generation == "v2":
            form = await request.form()
            id_, secret, grant = (form.get(name, "") for name in ("client_id", "client_secret", "grant_type"))
            return (str(id_), str(secret)) if grant == "client_credentials" else ("", "")
        try:
            body = await request.json()
        except ValueError:
            return "", ""
        return (str(body.get("clientId")), str(body.get("clientSecret"))) if isinstance(body, dict) else ("", "")

    # Customers.

    def _list_customers(self, request: Request, _: Json) -> Response:
        return self._page(request, [self.state.customers[id_] for id_ in sorted(self.state.customers, reverse=True)])

    def _customer(self, request: Request, _: Json) -> Response:
        record = self.state.customers.get(request.path_params["id"])
        return self._absent() if record is None else JSONResponse(self._case(record))

    def _create_customer(self, _: Request, body: Json) -> Response:
        fields = snake_keys(body)
        try:
            id_ = self.state.add_customer(**{name: str(fields.get(name) or "") for name in REQUIRED})
        except Taken:
            return JSONResponse({"message": "The email has already been taken."}, 409)
        return JSONResponse(self._case(self.state.customers[id_]), 201)

    def _update_customer(self, request: Request, body: Json) -> Response:
        id_, fields = request.path_params["id"], snake_keys(body)
        if id_ not in self.state.customers:
            return self._absent()
        if not all(name in fields for name in REQUIRED):
            return JSONResponse({"message": "Server Error"}, 500)
        try:
            return JSONResponse(self._case(self.state.update_customer(id_, fields)))
        except Taken:
            return JSONResponse({"message": "The email has already been taken."}, 409)

    def _delete_customer(self, request: Request, _: Json) -> Response:
        return (
            self._absent() if self.state.customers.pop(request.path_params["id"], None) is None else Response(status_code=204)
        )

    # Appointments.

    def _list_appointments(self, request: Request, _: Json) -> Response:
        status = request.query_params.get("status")
        found = [self.state.appointments[id_] for id_ in sorted(self.state.appointments, reverse=True)]
        return self._page(request, [self.state.shown(one) for one in found if status in (None, one["status"])])

    def _appointment(self, request: Request, _: Json) -> Response:
        record = self.state.appointments.get(request.path_params["id"])
        return self._absent() if record is None else JSONResponse(self._case(self.state.shown(record)))

    def _cancel(self, request: Request, _: Json) -> Response:
        if request.path_params["id"] not in self.state.appointments:
            return self._absent()
        self.state.set_status(request.path_params["id"], "canceled")
        return Response(status_code=204)

    # What they share.

    def _absent(self) -> Response:
        return JSONResponse({"message": "Not found."}, 404)

    def _case(self, value: Any) -> Any:
        """v1 in camelCase (inferred), v2 as it is."""
        if self.generation == "v2":
            return value
        if isinstance(value, list):
            return [self._case(item) for item in value]
        return {_camel(key): self._case(item) for key, item in value.items()} if isinstance(value, dict) else value

    def _page(self, request: Request, records: list[Json]) -> Response:
        limit = max(1, min(_number(request, "limit", 20), MAX_LIMIT))
        page = max(1, _number(request, "page", 1))
        shown = self._case(records[(page - 1) * limit : page * limit])
        if not self.account.paginates:
            return JSONResponse(shown)
        paging = {"total": len(records), "page": page, "limit": limit, "pages": -(-len(records) // limit)}
        return JSONResponse({"data": shown, "pagination": paging})


def _number(request: Request, name: str, otherwise: int) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else otherwise


def _camel(key: str) -> str:
    first, *others = key.split("_")
    return first + "".join(word.capitalize() for word in others)


def snake_keys(body: Json) -> Json:
    """The members of a written body by their snake_case names, whichever way they were written."""
    return {"".join(f"_{c.lower()}" if c.isupper() else c for c in key): value for key, value in body.items()}
