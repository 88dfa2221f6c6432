"""The Bookeo sandbox's API: the endpoints under `/v2`, by the rules of Bookeo's public descriptions."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connector.sandbox.bookeo.state import MAX_EXTERNAL_REF, BookeoState, Json
from connector.sandbox.kit import application as base
from connector.sandbox.kit.application import Guard, Handler, answering
from connector.sandbox.kit.control import LOOPBACK

API = "/v2"
#: Bookeo's own bounds: days of one window, items of one page.
MAX_WINDOW, MAX_ITEMS = timedelta(days=31), 100
DOMAINS = ("bookings", "seatblocks", "resourceblocks", "customers", "payments")
TYPES = ("created", "updated", "deleted")


class Refused(base.Refused):
    """Answered with a readable message and an error id; the members' names are likely, the texts and ids synthetic."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message, {"httpStatus": status, "message": message, "errorId": f"SANDBOX{status}"})


class Rest:
    """The endpoints over one state. `changed` hears of every object that a call has changed: domain, type, id."""

    def __init__(
        self,
        state: BookeoState,
        changed: Callable[[str, str, str], None],
        *,
        page_size: int,
        put_answer: Literal["object", "nothing"],
        permissions: Iterable[str],
    ) -> None:
        self.state = state
        self.page_size = page_size
        self.put_answer = put_answer
        self.permissions = tuple(permissions)
        self._changed = changed
        #: By token: the listing as it was asked for, and the items of a page.
        self.tokens: dict[str, tuple[list[Json], int]] = {}

    def routes(self, guard: Guard) -> list[Route]:
        """The routes, each behind the guard."""
        table: list[tuple[str, str, Handler]] = [
            ("GET", "/customers", self._list_customers),
            ("GET", "/customers/{id}", self._customer),
            ("PUT", "/customers/{id}", self._put_customer),
            ("GET", "/bookings", self._list_bookings),
            ("GET", "/bookings/{number}", self._booking),
            ("PUT", "/bookings/{number}", self._put_booking),
            ("GET", "/bookings/{number}/customer", self._customer_of),
            ("GET", "/settings/apikeyinfo", self._key_info),
            ("GET", "/settings/customercustomfields", self._fields),
            ("GET", "/webhooks", self._list_webhooks),
            ("POST", "/webhooks", self._add_webhook),
            ("GET", "/webhooks/{id}", self._webhook),
            ("DELETE", "/webhooks/{id}", self._delete_webhook),
        ]
        return [Route(API + path, guard(f"{verb} {path}", answering(handle)), methods=[verb]) for verb, path, handle in table]

    # Customers and bookings.

    def _known(self, request: Request) -> str:
        customer_id = str(request.path_params["id"])
        if customer_id not in self.state.customers:
            raise Refused(404, "No such customer.")
        return customer_id

    def _number(self, request: Request) -> str:
        number = str(request.path_params["number"])
        if number not in self.state.bookings:
            raise Refused(404, "No such booking.")
        return number

    def _customer(self, request: Request, _: Json) -> Response:
        return JSONResponse(self.state.customers[self._known(request)])

    def _customer_of(self, request: Request, _: Json) -> Response:
        return JSONResponse(self.state.customers[self.state.bookings[self._number(request)]["customerId"]])

    def _booking(self, request: Request, _: Json) -> Response:
        return JSONResponse(self.state.booking(self._number(request), **_expansion(request)))

    def _put_customer(self, request: Request, body: Json) -> Response:
        customer_id = self._known(request)
        known = {entry["id"] for entries in self.state.fields.values() for entry in entries}
        names = {entry["name"] for entries in self.state.fields.values() for entry in entries}
        for entry in body.get("customFields") or []:
            if entry.get("id", next(iter(known), None)) not in known or ("id" not in entry and entry.get("name") not in names):
                raise Refused(400, "No such custom field.")
        return self._put("customers", customer_id, body)

    def _put_booking(self, request: Request, body: Json) -> Response:
        number = self._number(request)
        if len(str(body.get("externalRef") or "")) > MAX_EXTERNAL_REF:
            raise Refused(400, "externalRef has at most 64 characters.")
        return self._put("bookings", number, body)

    def _put(self, domain: str, id_: str, body: Json) -> Response:
        stored = self.state.put(domain, id_, body)
        self._changed(domain, "updated", id_)
        return JSONResponse(stored) if self.put_answer == "object" else Response(status_code=200)

    # Lists.

    def _list_customers(self, request: Request, _: Json) -> Response:
        query = dict(request.query_params)
        since = _moment(query["createdSince"]) if "createdSince" in query else None
        members, others = (query.get(name, "true") == "true" for name in ("currentMembers", "currentNonMembers"))
        wanted, field = query.get("searchText", "").casefold(), query.get("searchField", "name")
        return self._page(
            query,
            lambda: [
                copy.deepcopy(one)
                for one in self.state.customers.values()
                if (members if one["member"] else others)
                and (since is None or _moment(one["creationTime"]) >= since)
                and wanted in _searched(one, field)
            ],
        )

    def _list_bookings(self, request: Request, _: Json) -> Response:
        query = dict(request.query_params)
        windows = [_window(query, "startTime", "endTime"), _window(query, "lastUpdatedStartTime", "lastUpdatedEndTime")]
        if windows == [None, None] and "pageNavigationToken" not in query:
            raise Refused(400, "Give startTime and endTime, or lastUpdatedStartTime and lastUpdatedEndTime.")

        def listed() -> list[Json]:
            found = [number for number, one in self.state.bookings.items() if _within(one, windows)]
            cancelled = query.get("includeCanceled") == "true"
            shown = [number for number in found if cancelled or not self.state.bookings[number]["canceled"]]
            return [self.state.booking(number, **_expansion(request)) for number in shown]

        return self._page(query, listed)

    def _page(self, query: dict[str, str], listed: Callable[[], list[Json]]) -> Response:
        """One page. A token stands for the list as it was; it and the page's number are all a later page needs."""
        token, number = query.get("pageNavigationToken"), _whole(query.get("pageNumber", "1"))
        if token is not None and token not in self.tokens:
            raise Refused(400, "The page navigation token is not valid.")
        size = _whole(query.get("itemsPerPage", "50"))
        if not 1 <= size <= MAX_ITEMS:
            raise Refused(400, "itemsPerPage is 1 to 100.")
        items, size = self.tokens[token] if token is not None else (listed(), min(size, self.page_size))
        pages = max(1, -(-len(items) // size))
        if not 1 <= number <= pages:
            raise Refused(400, "There is no such page.")
        info: Json = {"totalItems": len(items), "totalPages": pages, "currentPage": number}
        if pages > 1:
            token = token or f"T{len(self.tokens) + 1:06}"
            self.tokens[token] = (items, size)
            info["pageNavigationToken"] = token
        return JSONResponse({"info": info, "data": items[(number - 1) * size : number * size]})

    # Settings and webhooks.

    def _key_info(self, _request: Request, _: Json) -> Response:
        return JSONResponse({"accountId": "2856ACC", "permissions": list(self.permissions), "creationTime": self.state.now()})

    def _fields(self, _request: Request, _: Json) -> Response:
        return JSONResponse({kind: entries for kind, entries in self.state.fields.items() if entries})

    def _list_webhooks(self, _request: Request, _: Json) -> Response:
        hooks = list(self.state.webhooks.values())
        return JSONResponse({"info": {"totalItems": len(hooks), "totalPages": 1, "currentPage": 1}, "data": hooks})

    def _add_webhook(self, _request: Request, body: Json) -> Response:
        url, domain, type_ = (str(body.get(name, "")) for name in ("url", "domain", "type"))
        parts = urlsplit(url)
        # Synthetic: a loopback address may be plain http, so that all can be tried on one machine.
        if not parts.hostname or (parts.scheme != "https" and parts.hostname not in LOOPBACK):
            raise Refused(400, "url must be https.")
        if domain not in DOMAINS or type_ not in TYPES:
            raise Refused(400, "Unknown domain or type.")
        hook = {"id": self.state.next_id("WH"), "url": url, "domain": domain, "type": type_}
        self.state.webhooks[domain, type_] = hook
        return Response(status_code=200, headers={"Location": f"{API}/webhooks/{hook['id']}"})

    def _hook(self, request: Request) -> Json:
        for hook in self.state.webhooks.values():
            if hook["id"] == request.path_params["id"]:
                return hook
        raise Refused(404, "No such webhook.")

    def _webhook(self, request: Request, _: Json) -> Response:
        return JSONResponse(self._hook(request))

    def _delete_webhook(self, request: Request, _: Json) -> Response:
        hook = self._hook(request)
        del self.state.webhooks[hook["domain"], hook["type"]]
        return Response(status_code=204)


def _expansion(request: Request) -> dict[str, bool]:
    query = request.query_params
    return {
        "customer": query.get("expandCustomer") == "true",
        "participants": query.get("expandParticipants") == "true",
    }


def _searched(customer: Json, field: str) -> str:
    names = ("firstName", "lastName") if field == "name" else (field,)
    return " ".join(str(customer.get(name, "")) for name in names).casefold()


def _window(query: dict[str, str], first: str, last: str) -> tuple[datetime, datetime] | None:
    if first not in query and last not in query:
        return None
    if first not in query or last not in query:
        raise Refused(400, f"{first} and {last} go together.")
    since, until = _moment(query[first]), _moment(query[last])
    if not timedelta() <= until - since <= MAX_WINDOW:
        raise Refused(400, f"{first} and {last} are at most 31 days apart.")
    return since, until


def _within(booking: Json, windows: list[tuple[datetime, datetime] | None]) -> bool:
    """Whether it lies in both windows, where they are given; both ends belong to a window."""
    moments = (booking["startTime"], booking.get("lastChangeTime") or booking["creationTime"])
    return all(w is None or w[0] <= _moment(moment) <= w[1] for w, moment in zip(windows, moments, strict=True))


def _whole(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise Refused(400, "A number is not a whole number.")
    return int(value)


def _moment(value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise Refused(400, "A date-time is not RFC 3339.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
