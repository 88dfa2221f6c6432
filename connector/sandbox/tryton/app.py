"""A stateful imitation of a Tryton server's REST API, for the demo, the tests and the benchmarks.

Its rules and answers were measured on a real server of version 8.2, and the suite runs the same contract against that server.
"""

from __future__ import annotations

import hmac
import html
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Scope

from connector.sandbox.kit.crm import Controls, CrmSandbox, Json, read_object
from connector.sandbox.kit.faults import FaultInjector, Faults
from connector.sandbox.tryton.records import ATTACHMENT, PARTY, Missing, Records, Refusal

#: Actions that only read.
READING = ("search_read", "get_access")
TITLES = {401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 500: "Internal Server Error"}


class TrytonSandbox(CrmSandbox):
    """One database with one user. `app` is the ASGI application; the methods act as a person in Tryton would.

    `knows_numbers`: whether the server has the library for phone numbers, and so refuses those that are not valid.
    """

    def __init__(
        self,
        *,
        api_key: str = "sandbox-key",
        database: str = "sandbox",
        knows_numbers: bool = True,
        faults: Faults | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.api_key = api_key
        self.database = database
        super().__init__(faults, injector=partial(FaultInjector, method_of=method_of))
        self._clock = clock
        self._knows_numbers = knows_numbers
        self.reset()

    def reset(self) -> None:
        """Forget every record and count."""
        self.records = Records(self._clock, knows_numbers=self._knows_numbers)
        self.statuses: Counter[int] = Counter()
        self._requests: Counter[str] = Counter()

    # ---- by hand ----

    def add_party(self, name: str, *, code: str = "", mechanisms: tuple[tuple[str, str], ...] = ()) -> str:
        """Make a party and return its id; `mechanisms` are (type, value)."""
        made = [{"type": kind, "value": value} for kind, value in mechanisms]
        return str(self.records.create(PARTY, {"name": name, "code": code, "contact_mechanisms": [["create", made]]})["id"])

    def replace(self, source: str, destination: str) -> None:
        """Let one party replace another."""
        self.records.replace(int(source), int(destination))

    def archive(self, party: str) -> None:
        """Make a party not active."""
        self.records.tables[PARTY][int(party)]["active"] = False

    def delete_party(self, party: str) -> None:
        """Delete a party."""
        self.records.delete(PARTY, int(party))

    def delete_attachment(self, attachment: str) -> None:
        """Delete an attachment."""
        self.records.delete(ATTACHMENT, int(attachment))

    def parties(self) -> list[Json]:
        """The active parties, oldest first."""
        return [dict(party) for party in self.records.tables[PARTY].values() if party["active"]]

    def attachments(self) -> list[Json]:
        """The attachments, oldest first."""
        return [dict(attachment) for attachment in self.records.tables[ATTACHMENT].values()]

    @property
    def requests(self) -> Counter[str]:
        """Requests that reached an endpoint, by its name."""
        return self._requests

    # ---- over HTTP ----

    async def _answer(self, request: Request, path: list[str], body: bytes) -> Response:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if path[:3] != [self.database, "rest", "model"] or len(path) not in (4, 5):
            return _page(404)
        if scheme.lower() != "bearer" or not hmac.compare_digest(key.encode(), self.api_key.encode()):
            return _page(401)
        return self._served(request, path[3], path[4] if len(path) == 5 else "", read_object(body))

    def _served(self, request: Request, model: str, last: str, data: Json) -> Response:
        fields = request.query_params.getlist("f") or ["rec_name"]
        match request.method, last:
            case "POST", "get_access" if model == "ir.model.access":
                self._requests["get_access"] += 1
                return JSONResponse(self.records.access(data["models"]))
            case "POST", "search_read":
                self._requests[f"search {model}"] += 1
                wanted = data.get("limit"), data.get("order")
                return JSONResponse(self.records.search(model, data["domain"], data["fields_names"], *wanted))
            case "POST", "":
                self._requests[f"create {model}"] += 1
                return self._shown(model, self.records.create(model, data), fields)
            case "PUT", identity if identity.isdigit():
                self._requests[f"update {model}"] += 1
                return self._shown(model, self.records.write(model, int(identity), data), fields)
        return _page(403)

    def _shown(self, model: str, record: Json, fields: list[str]) -> Response:
        return JSONResponse({"__name__": model, **self.records.shown(model, record, fields, dotted=False)})

    def _refusal(self, error: Exception) -> Response | None:
        if isinstance(error, Missing):
            return _page(404)
        if isinstance(error, Refusal):
            return _page(403) if error.status == 403 else JSONResponse(error.body, error.status)
        if isinstance(error, KeyError | TypeError | ValueError | AttributeError):
            # An unknown field, model or argument is a defect in Tryton's eyes, and the page shows it.
            return _page(500, str(error))
        return None

    def _figures(self) -> Json:
        return {"written": dict(self.records.written)}

    def _controls(self) -> Controls:
        return {
            ("GET", "state"): lambda _: self._state(),
            ("POST", "parties"): lambda data: {"id": self.add_party(data["name"], **_mechanisms(data))},
            ("POST", "merge"): lambda data: self.replace(str(data["loser"]), str(data["survivor"])),
            ("POST", "archive"): lambda data: self.archive(str(data["id"])),
        }

    def _state(self) -> Json:
        fields = ["name", "code", "contact_mechanisms.type", "contact_mechanisms.value"]
        shown = [self.records.shown(PARTY, party, fields, dotted=False) for party in self.parties()]
        kept = ["name", "description", "resource"]
        return {"parties": shown, "attachments": [{name: one[name] for name in ("id", *kept)} for one in self.attachments()]}


def _mechanisms(data: Json) -> dict[str, Any]:
    return {"mechanisms": tuple((str(one["type"]), str(one["value"])) for one in data.get("contact_mechanisms", []))}


def _page(status: int, text: str = "") -> Response:
    title = TITLES[status]
    return HTMLResponse(
        f"<!doctype html>\n<title>{status} {title}</title>\n<h1>{title}</h1>\n<p>{html.escape(text)}</p>", status
    )


def method_of(scope: Scope) -> str:
    """What a request counts as where faults hit only some methods: an action that only reads is no POST."""
    return "GET" if scope["path"].rpartition("/")[2] in READING else str(scope["method"])
