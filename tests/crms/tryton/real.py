"""A real Tryton server as an account of the contract: a proxy in front of it misbehaves, its own protocol acts by hand."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import httpx
import phonenumbers
import tryton_server
from contract.accounts import CrmAccount
from contract.accounts.tryton import mechanisms_of
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from connector.model.persons import NewCustomer
from connector.sandbox.kit.faults import FaultInjector, Faults
from connector.sandbox.tryton.app import method_of

from .shapes import conforming

PARTY, ATTACHMENT = "party.party", "ir.attachment"
#: Headers that belong to one connection.
HOP = ("connection", "content-length", "transfer-encoding", "host", "accept-encoding")


class Through:
    """Sends every request on to a server, unless a fault says otherwise. `written` counts the writes that were done there."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.faults = Faults()
        #: After so many faults there are no more.
        self.most: float = math.inf
        self.written = 0
        self.statuses: Counter[int] = Counter()
        self._injected: Counter[str] = Counter()
        self.app = FaultInjector(self._serve, self._now, method_of=method_of)
        self.app.injected = self._injected

    def _now(self) -> Faults:
        return self.faults if self._injected.total() < self.most else Faults(seed=self.faults.seed)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        headers = {name: value for name, value in request.headers.items() if name not in HOP}
        target = f"{self.url}{request.url.path}?{request.url.query}"
        async with httpx.AsyncClient(verify=False, trust_env=False, timeout=20) as client:
            try:
                answer = await client.request(request.method, target, content=body, headers=headers)
            except httpx.TransportError:
                answer = httpx.Response(502)
        self.written += method_of(scope) in ("POST", "PUT") and answer.is_success
        self.statuses[answer.status_code] += 1
        kept = {name: value for name, value in answer.headers.items() if name not in (*HOP, "content-encoding")}
        await Response(answer.content, answer.status_code, kept)(scope, receive, send)


class Account(CrmAccount):
    """A Tryton server with an empty database."""

    system = "tryton"
    nobody = "99999999"
    one_name = True
    needs_preparation = False
    room = 65_536

    def __init__(self, server: tryton_server.Server) -> None:
        self.server = server
        self._refused: list[int] = []
        self._taken: list[int] = []
        for model in (ATTACHMENT, PARTY):
            if found := server.ids(model):
                server.rpc(f"model.{model}.delete", found, {})
        self.sandbox = Through(server.url)
        self.app = self.sandbox.app
        self.login = "admin"

    def checked(self, transport: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        return conforming(transport)

    def settings(self, base_url: str) -> dict[str, Any]:
        account = {
            "system": "tryton",
            "api_key": tryton_server.KEYS[self.login],
            "database": tryton_server.DATABASE,
            "base_url": base_url,
        }
        return {**account, "limits": {"per_second": 0}, "timeout_seconds": 10}

    def refuse_key(self) -> None:
        application = "model.res.user.application"
        key = tryton_server.KEYS[self.login]
        self._refused = self.server.rpc(f"{application}.search", [["key", "=", key]], 0, 1, None, {})
        self.server.rpc(f"{application}.cancel", self._refused, {})

    def restore(self) -> None:
        """Undo `refuse_key`, where a key is cancelled for good and so is made anew, and `take_right`."""
        if self._refused:
            self.server.rpc("model.res.user.application.delete", self._refused, {})
            self.server.make_key(self.login)
        if self._taken:
            self.server.rpc("model.ir.model.access.delete", self._taken, {})

    def effects(self) -> int:
        return self.sandbox.written

    def add(self, new: NewCustomer) -> str:
        # A number that is not valid is refused as one, by hand too.
        kinds = [(kind if kind == "email" or _is_valid(value) else "other", value) for kind, value in mechanisms_of(new)]
        made = [{"type": kind, "value": value} for kind, value in kinds]
        values = {"name": f"{new.first_name} {new.last_name}".strip(), "contact_mechanisms": [["create", made]]}
        return str(self.server.rpc(f"model.{PARTY}.create", [values], {})[0])

    def merge(self, loser: str, survivor: str) -> str:
        source, destination = int(loser), int(survivor)
        self.server.rpc(f"model.{PARTY}.write", [source, destination], {"name": "One Name"}, {})
        session, *_ = self.server.rpc("wizard.party.replace.create", {})
        asked = {"ask": {"source": source, "destination": destination}}
        context = {"active_model": PARTY, "active_id": source, "active_ids": [source]}
        self.server.rpc("wizard.party.replace.execute", session, asked, "replace", context)
        return survivor

    def archive(self, customer_id: str) -> None:
        """Make a party not active."""
        self.server.rpc(f"model.{PARTY}.write", [int(customer_id)], {"active": False}, {})

    def be_nobody_special(self) -> None:
        """Our user is none of the administrators, from the next `connect` on."""
        self.login = "plain"

    def take_right(self, model: str, right: str) -> None:
        """Take a right to a model's records from everybody."""
        values = {f"perm_{name}": name != right for name in ("read", "write", "create", "delete")}
        self._taken += self.server.rpc("model.ir.model.access.create", [{"model": model, **values}], {})

    def delete(self, customer_id: str) -> None:
        self.server.rpc(f"model.{PARTY}.delete", [int(customer_id)], {})

    def customers(self) -> list[str]:
        return [str(identity) for identity in self.server.ids(PARTY, "active")]

    def appointments(self) -> list[str]:
        return [str(identity) for identity in self.server.ids(ATTACHMENT)]

    def text(self, record_id: str) -> str:
        (found,) = self.server.rpc(f"model.{ATTACHMENT}.read", [int(record_id)], ["description"], {})
        return str(found["description"])

    def delete_appointment(self, record_id: str) -> None:
        self.server.rpc(f"model.{ATTACHMENT}.delete", [int(record_id)], {})

    def unprepare(self) -> None:
        raise AssertionError("nothing has to be prepared in Tryton")


def _is_valid(number: str) -> bool:
    return phonenumbers.is_valid_number(phonenumbers.parse(number))
