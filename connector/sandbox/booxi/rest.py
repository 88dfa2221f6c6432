"""The Booxi sandbox's API: the endpoints under `/booking/v1`, by the rules of Booxi's public pages."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connector.sandbox.booxi.state import BooxiState, InvalidExternalId, Json
from connector.sandbox.kit import application as base
from connector.sandbox.kit.application import Guard, Handler, answering

API = "/booking/v1"
CONTACT = ("firstName", "lastName", "email", "phoneNumber")


class Refused(base.Refused):
    """Answered with Booxi's error model: message, code, and sometimes more. The code numbers are synthetic."""

    def __init__(self, status: int, message: str, **more: Any) -> None:
        super().__init__(status, message, {"message": message, "code": status * 10, **more})


class Rest:
    """The endpoints over one state. The arguments are the sandbox's; see `connector.sandbox.booxi.app`."""

    def __init__(
        self,
        state: BooxiState,
        *,
        page_size: int,
        search_size: int,
        merged_status: int,
        absent_link: Literal["404", "empty"],
        put_answer: Literal["link", "nothing"],
        links_in_lists: bool,
    ) -> None:
        self.state = state
        self.page_size = page_size
        self.search_size = search_size
        self.merged_status = merged_status
        self.absent_link = absent_link
        self.put_answer = put_answer
        self.links_in_lists = links_in_lists
        #: Cursors of an earlier epoch are refused.
        self.cursor_epoch = 0
        #: The last listing with what it was asked for: a walk asks for page after page of the same one.
        self._listed: tuple[Any, list[Json]] = (None, [])

    def routes(self, guard: Guard) -> list[Route]:
        """The routes, each behind the guard."""
        link = "/client/{clientId}/moduleLink/{moduleId}"
        table: list[tuple[str, str, Handler]] = [
            ("GET", "/client", self._search),
            ("GET", "/client/{clientId}", self._client),
            ("GET", link, self._get_link),
            ("PUT", link, self._put_link),
            ("GET", "/booking", self._list_bookings),
            ("GET", "/booking/{bookingId}", self._booking),
            ("GET", "/merchant/list", self._list_merchants),
            ("GET", "/merchant/{merchantId}", self._merchant),
        ]
        return [
            Route(API + path, guard(f"{method} {path}", answering(handler)), methods=[method], name=f"{method} {path}")
            for method, path, handler in table
        ]

    def _known_client(self, request: Request) -> int:
        client = _number(request.path_params["clientId"])
        if client in self.state.merged:
            raise Refused(self.merged_status, "The client was merged.", newClientId=self.state.merged[client])
        if client not in self.state.clients:
            raise Refused(404, "The client does not exist.")
        return client

    def _client(self, request: Request, _: Json) -> Response:
        return JSONResponse(self.state.clients[self._known_client(request)])

    def _search(self, request: Request, _: Json) -> Response:
        query = {key: value for key, value in request.query_params.items() if value}
        by_link, by_contact = {"moduleId", "externalId"} & query.keys(), set(CONTACT) & query.keys()
        if bool(by_link) == bool(by_contact):
            raise Refused(400, "Give exactly one kind of search criterion.")
        if by_link and len(by_link) != 2:
            raise Refused(400, "moduleId and externalId go together.")
        if by_contact and "merchantId" not in query:
            raise Refused(400, "merchantId is required to search by contact data.")
        if ("firstName" in query) != ("lastName" in query):
            raise Refused(400, "firstName and lastName go together.")
        clients = self.state.search(lambda record: self._matches(record, query), self.search_size)
        ids = {record["id"] for record in clients}
        links = [link for (client, _), link in self.state.links.items() if client in ids]
        return JSONResponse({"clients": clients, "clientLinks": links})

    def _matches(self, record: Json, query: dict[str, str]) -> bool:
        if "externalId" in query:
            link = self.state.links.get((record["id"], query["moduleId"]), {})
            return bool(link.get("externalId") == query["externalId"])
        phones = (record.get("homePhoneNumber"), record.get("mobilePhoneNumber"))
        return (
            record["merchantId"] == _number(query["merchantId"])
            and all(_same(record.get(key), query[key]) for key in ("firstName", "lastName", "email") if key in query)
            and ("phoneNumber" not in query or query["phoneNumber"] in phones)
        )

    def _module(self, request: Request) -> str:
        module = str(request.path_params["moduleId"])
        if module not in self.state.module_ids:
            raise Refused(403, "The key is not authorised for this module.")
        return module

    def _get_link(self, request: Request, _: Json) -> Response:
        module, client = self._module(request), self._known_client(request)
        link = self.state.links.get((client, module))
        if link is None and self.absent_link == "404":
            raise Refused(404, "The client has no link for this module.")
        return JSONResponse({"link": link or {}, "client": self.state.clients[client]})

    def _put_link(self, request: Request, body: Json) -> Response:
        module, client = self._module(request), self._known_client(request)
        metadata = body.get("metadata")
        if metadata is not None and not isinstance(metadata, dict):
            raise Refused(400, "metadata must be an object.")
        try:
            link = self.state.set_link(client, module, body.get("externalId"), metadata)
        except InvalidExternalId:
            raise Refused(409, "The external id is not valid.", error="InvalidExternalId") from None
        if self.put_answer == "nothing":
            return Response(status_code=204)
        return JSONResponse({"link": link, "client": self.state.clients[client]})

    def _list_bookings(self, request: Request, _: Json) -> Response:
        query = dict(request.query_params)
        found = self._listing(query)
        offset = self._offset(query)
        page = found[offset : offset + self.page_size]
        answer: Json = {"bookings": page, "groupEvents": [], "services": [], "staff": None, "resources": []}
        answer["merchants"] = [self.state.merchants[m] for m in {b["merchantId"] for b in page} if m in self.state.merchants]
        if self.links_in_lists:
            answer["clientLinks"] = [link for booking in page for link in self.state.links_of(booking)]
        if offset + self.page_size < len(found):
            answer["cursor"] = self._cursor(query, offset + self.page_size)
        return JSONResponse(answer)

    def _listing(self, query: dict[str, str]) -> list[Json]:
        key = (self.state.version, {name: value for name, value in query.items() if name != "cursor"})
        if self._listed[0] != key:
            found = sorted(self._bookings(query), key=lambda b: (str(b.get("startsOn")), str(b["bookingId"])))
            if query.get("order") == "Descending":
                found.reverse()
            self._listed = (key, found)
        return self._listed[1]

    def _bookings(self, query: dict[str, str]) -> list[Json]:
        since, until = _moment(query.get("from")), _moment(query.get("to"))
        wanted = {key: _number(query[key]) for key in ("merchantId", "clientId") if key in query}
        return [
            booking
            for booking in self.state.bookings.values()
            if since <= _moment(booking["startsOn"]) <= until
            and wanted.get("merchantId") in (None, booking["merchantId"])
            and wanted.get("clientId") in (None, (booking.get("client") or {}).get("id"))
        ]

    def _cursor(self, query: dict[str, str], offset: int) -> str:
        filters = sorted((key, value) for key, value in query.items() if key != "cursor")
        return base64.urlsafe_b64encode(json.dumps([self.cursor_epoch, offset, filters]).encode()).decode()

    def _offset(self, query: dict[str, str]) -> int:
        """Where the page begins. A cursor belongs to its filters, which must come along with it (synthetic)."""
        if "cursor" not in query:
            return 0
        try:
            offset = int(json.loads(base64.urlsafe_b64decode(query["cursor"]))[1])
        except (ValueError, IndexError, TypeError, KeyError):
            raise Refused(400, "The cursor is not valid.") from None
        if self._cursor(query, offset) != query["cursor"]:
            raise Refused(400, "The cursor is not valid.")
        return offset

    def _booking(self, request: Request, _: Json) -> Response:
        booking = self.state.bookings.get(request.path_params["bookingId"])
        if booking is None:
            raise Refused(404, "The booking does not exist.")
        return JSONResponse({"booking": booking, "groupEvents": []})

    def _list_merchants(self, request: Request, _: Json) -> Response:
        offset = _number(request.query_params.get("offset", "0"))
        limit = min(_number(request.query_params.get("limit", "50")), 100)
        merchants = list(self.state.merchants.values())
        items = merchants[offset : offset + limit]
        return JSONResponse({"offset": offset, "limit": limit, "total": len(merchants), "items": items})

    def _merchant(self, request: Request, _: Json) -> Response:
        merchant = self.state.merchants.get(_number(request.path_params["merchantId"]))
        if merchant is None:
            raise Refused(404, "The merchant does not exist.")
        return JSONResponse(merchant)


def _number(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 20):
        raise Refused(400, "An id or a number is not a whole number.")
    return int(value)


def _moment(value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise Refused(400, "A date-time is missing or not RFC 3339.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _same(one: Any, other: str) -> bool:
    return str(one or "").casefold() == other.casefold()
