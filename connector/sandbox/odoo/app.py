"""A stateful imitation of an Odoo server over real HTTP, for the demo, the tests and the benchmarks.

JSON-2 (from version 19) and the older JSON-RPC, over one database. Calls of `load` that race for one external id are
real: one wins, the others are answered as Odoo answers them, with 200. It is not Odoo: what was not measured is labelled
synthetic where it is decided.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Scope

from connector.sandbox.kit.crm import Controls, CrmSandbox
from connector.sandbox.kit.faults import FaultInjector, Faults
from connector.sandbox.odoo import model as m
from connector.sandbox.odoo.keys import Keys
from connector.sandbox.odoo.methods import Methods, keys_of
from connector.sandbox.odoo.model import EVENT, KEYS, PARTNER, USER, USERS, Json, OdooError
from connector.sandbox.odoo.records import Records, failure

RACE = "could not serialize access due to concurrent update"
#: The methods that write, for faults that hit only these.
WRITING = ("load", "write", "create", "generate")
NO_PAGE = HTMLResponse("<!doctype html><title>404 Not Found</title><h1>Not Found</h1>", 404)


class OdooSandbox(CrmSandbox):
    """One server with one database and one user. `app` is the ASGI application; the methods act as a person in Odoo would."""

    def __init__(
        self,
        *,
        api_key: str = "sandbox-key",
        database: str = "sandbox",
        login: str = "connector",
        major: int = 19,
        knows_numbers: bool = True,
        key_expires: datetime | None = None,
        per_second: int | None = None,
        faults: Faults | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.api_key = api_key
        self.database = database
        self.login = login
        self.major = major
        self.key_expires = key_expires
        self.per_second = per_second
        super().__init__(faults, injector=partial(FaultInjector, method_of=_method_of))
        self.clock = clock
        self._knows_numbers = knows_numbers
        self.reset()

    def reset(self) -> None:
        """Forget every record and count."""
        self.records = Records(self.clock, self.major, knows_numbers=self._knows_numbers)
        self._methods = Methods(self.records)
        self._loads: Counter[str] = Counter()
        self._times: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.keys = Keys(lambda: self.api_key, self.key_expires, self.clock)
        expires = self.key_expires.strftime("%Y-%m-%d %H:%M:%S") if self.key_expires else False
        self.add_key("connector", expires)

    # ---- by hand ----

    def add_key(self, name: str, expires: str | bool) -> None:
        """One more key in the user's list; whether it opens anything is for `keys` to say."""
        identity = len(self.records.tables[KEYS]) + 1
        key = {"id": identity, "name": name, "user_id": USER, "scope": "rpc", "expiration_date": expires}
        self.records.tables[KEYS][identity] = key

    def add_partner(self, **values: Any) -> str:
        """Make a contact and return its id."""
        return str(self.records.create(PARTNER, {"name": "", **values}, {}))

    def add_user(self, email: str, *, active: bool = True) -> str:
        """Make a user who can be the salesperson of contacts; returns the id."""
        users = self.records.tables[USERS]
        identity = 60 + len(users)
        users[identity] = {"id": identity, "login": email, "email": email, "share": False, "active": active}
        return str(identity)

    def add_field(self, name: str, kind: str = "char", options: Mapping[str, str] | None = None) -> None:
        """Make a custom field of contacts; `options` of a selection are value → label."""
        empty = 0 if kind in ("integer", "float") else False
        self.records.schema[PARTNER][name] = (kind, empty)
        if options:
            self.records.options[name] = dict(options)
        for record in self.records.tables[PARTNER].values():
            record.setdefault(name, empty)

    def remove_field(self, name: str) -> None:
        """Delete a custom field of contacts."""
        del self.records.schema[PARTNER][name]

    def merge(self, loser: str, survivor: str) -> None:
        """Merge two contacts."""
        self.records.merge(int(loser), int(survivor))

    def archive(self, partner: str) -> None:
        """Archive a contact."""
        self.records.tables[PARTNER][int(partner)]["active"] = False

    def delete_partner(self, partner: str) -> None:
        """Delete a contact."""
        self.records.delete(PARTNER, int(partner))

    def delete_event(self, event: str) -> None:
        """Delete an event."""
        self.records.delete(EVENT, int(event))

    def partners(self) -> list[Json]:
        """The contacts that are not archived, oldest first."""
        return [dict(record) for record in self.records.tables[PARTNER].values() if record["active"]]

    def events(self) -> list[Json]:
        """The events, oldest first."""
        return [dict(record) for record in self.records.tables[EVENT].values()]

    @property
    def requests(self) -> Counter[str]:
        """Calls that reached a method, as `model method`."""
        return self._methods.requests

    # ---- over HTTP ----

    async def _answer(self, request: Request, path: list[str], body: bytes) -> Response:
        if self._too_many():
            return JSONResponse({"message": "Too many requests"}, 429, {"Retry-After": "1"})
        if request.method == "GET" and path == ["web", "version"] and self.major >= 19:
            return JSONResponse({"version_info": [self.major, 0, 0, "final", 0, ""], "version": f"{self.major}.0"})
        if path == ["jsonrpc"] and request.method == "POST" and self.major < 22:
            return JSONResponse(await self._rpc(body))
        database = request.headers.get("x-odoo-database", self.database)
        if path[:2] == ["json", "2"] and self.major >= 19 and database == self.database:
            try:
                return JSONResponse(await self._json_2(request, path[2:], body))
            except OdooError as error:
                return JSONResponse(error.body(), error.status)
        return NO_PAGE

    async def _json_2(self, request: Request, path: list[str], body: bytes) -> Any:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self.keys.opens(str(key)):
            raise m.unauthorized()
        if request.method != "POST" or len(path) != 2:
            raise m.not_found("Did you mean POST /json/2/<model>/<method>?")
        try:
            arguments = json.loads(body or b"{}")
        except ValueError:
            raise OdooError("werkzeug.exceptions.BadRequest", "could not parse the body as json", 400) from None
        ids, context = arguments.pop("ids", None), arguments.pop("context", {})
        return await self._call(path[0], path[1], arguments, ids, context)

    async def _rpc(self, body: bytes) -> Json:
        asked = json.loads(body)
        params = asked["params"]
        answer = {"jsonrpc": "2.0", "id": asked.get("id")}
        try:
            return {**answer, "result": await self._service(params["service"], params["method"], params["args"])}
        except OdooError as error:
            return {**answer, "error": {"code": 200, "message": "Odoo Server Error", "data": error.body()}}

    async def _service(self, service: str, method: str, args: list[Any]) -> Any:
        if (service, method) == ("common", "version"):
            version = f"{self.major}.0"
            return {"server_version": version, "server_version_info": [self.major, 0, 0, "final", 0, ""], "protocol_version": 1}
        if (service, method) == ("common", "authenticate"):
            database, login, key = args[:3]
            known = (database, login) == (self.database, self.login) and self.keys.opens(str(key))
            return USER if known else False
        database, user, key, name, action, positional, named = args
        if database != self.database or user != USER or not self.keys.opens(str(key)):
            raise OdooError("odoo.exceptions.AccessDenied", "Access Denied", 403)
        arguments = dict(named)
        context = arguments.pop("context", {})
        return await self._call(name, action, arguments, positional[0] if positional else None, context)

    async def _call(self, model: str, method: str, arguments: Json, ids: list[int] | None, context: Json) -> Any:
        """One transaction. Of loads of one key that overlap, the first to end wins."""
        if (model, method) == (KEYS, "generate") and self.major >= 19:
            return self._generate(**arguments)
        keys = keys_of(model, method, arguments)
        seen = [self._loads[key] for key in keys]
        if keys:
            await asyncio.sleep(0)
            if seen != [self._loads[key] for key in keys]:
                self.requests[f"{model} {method}"] += 1
                return {"ids": False, "messages": [failure(RACE, 0)], "nextrow": 0}
        result = self._methods.call(model, method, arguments, ids, context)
        self._loads.update(keys)
        return result

    def _generate(self, key: str, scope: str | None, name: str, expiration_date: str) -> str:
        self.requests[f"{KEYS} generate"] += 1
        made = self.keys.generate(key, scope, expiration_date)
        self.add_key(name, f"{expiration_date} 00:00:00")
        return made

    def _too_many(self) -> bool:
        """Whether this is one call too many in a second; that there is such a limit is synthetic."""
        now = self.clock()
        self._times = [*(t for t in self._times if t > now - 1.0), now] if self.per_second else []
        return self.per_second is not None and len(self._times) > self.per_second

    # ---- control ----

    def _refusal(self, error: Exception) -> Response | None:
        """Of control routes: what the product refuses is answered above, where the protocol is known."""
        if isinstance(error, KeyError | TypeError | ValueError | OdooError):
            return JSONResponse({"message": f"{type(error).__name__}: {error}"}, 400)
        return None

    def _figures(self) -> Json:
        return {"written": dict(self.records.written), "mails": self.records.mails}

    def _controls(self) -> Controls:
        return {
            ("GET", "state"): lambda _: {"partners": self.partners(), "events": self.events()},
            ("POST", "partners"): lambda data: {"id": self.add_partner(**data)},
            ("POST", "merge"): lambda data: self.merge(data["loser"], data["survivor"]),
            ("POST", "archive"): lambda data: self.archive(data["id"]),
        }


def _method_of(scope: Scope) -> str:
    """What a request counts as where faults hit only some methods: a call that only reads is no POST."""
    name = scope["path"].rpartition("/")[2]
    return "POST" if name in (*WRITING, "jsonrpc") else "GET"
