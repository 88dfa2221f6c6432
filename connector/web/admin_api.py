"""The local way in for the command line: one route, protected by a token that only the owner of the database can read."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connector.config.addresses import is_loopback
from connector.model.errors import ConnectorError
from connector.web.receiver.body import BodyTooLarge, read_body

#: Where operations are asked for; the command line appends the name.
PATH = "/-/operations/"
MAX_BODY = 1_048_576
#: What proxies add.
_FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "cf-connecting-ip")

#: `(operation, arguments)` → JSON-able result. Raises KeyError for an unknown name, ConnectorError with a hint otherwise.
Operate = Callable[[str, Mapping[str, Any]], Awaitable[Any]]


def _from_here(request: Request) -> bool:
    """Whether a program on this machine asks, without a proxy in between."""
    if any(name in request.headers for name in _FORWARDED):
        return False
    peer, us = (request.scope.get(key) or ("",) for key in ("client", "server"))
    # To an address of its own a machine speaks from that same address.
    return is_loopback(peer[0]) or peer[0] == us[0]


def admin_route(token: str, operate: Operate) -> Route:
    """Build the route; a new `token` is made at each start and never leaves the machine."""
    expected = f"Bearer {token}".encode()
    log = structlog.get_logger("connector.admin")

    async def answer(request: Request) -> Response:
        given = request.headers.get("authorization", "").encode("latin-1")
        # Whoever has no token learns nothing, not even that there is something here.
        if not hmac.compare_digest(given, expected) or not _from_here(request):
            return JSONResponse({"error": "not_found", "message": "Not Found."}, 404)
        name = request.path_params["name"]
        try:
            arguments = json.loads(await read_body(dict(request.headers), request.receive, MAX_BODY) or b"{}")
            return JSONResponse({"result": await operate(name, arguments)})
        except (KeyError, TypeError, ValueError, RecursionError, BodyTooLarge) as error:
            log.error("operation not understood", operation=name, error=type(error).__name__, exc_info=True)
            text = "The running service does not understand this command; is it of another version? Restart it."
            return JSONResponse({"error": "not_understood", "message": text}, 400)
        except ConnectorError as error:
            return JSONResponse({"error": "refused", "message": str(error), "hint": error.hint}, 409)

    return Route(PATH + "{name}", answer, methods=["POST"])
