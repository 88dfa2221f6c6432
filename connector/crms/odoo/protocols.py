"""The two ways to call a method of Odoo: JSON-2 from version 19 on, and the older JSON-RPC. The server's version decides."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from connector.crms.odoo.refusals import READ_VERSION, Meaning, NotThere, Refusals
from connector.model.errors import AccountPaused, ActionRefused
from connector.remote.http import Remote
from connector.remote.values import read_object

#: The first version with JSON-2.
JSON_2 = 19


@dataclass(frozen=True, slots=True)
class Method:
    """One method call; `what` names it in error texts. `ids` is None for methods that work on no records."""

    what: str
    model: str
    name: str
    arguments: Mapping[str, Any]
    ids: Sequence[int] | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    writes: bool = False
    probe: bool = False


@dataclass(slots=True)
class Login:
    """Who we are; `database` and `user` are what only the older API demands. The key may be renewed."""

    key: str = field(repr=False)
    database: str | None
    user: str | None


class Caller(Protocol):
    """Calls methods and returns the bare value. Raises what `Remote.call` raises, after `Refusals` was asked."""

    async def call(self, method: Method) -> Any:
        """Carry out one method in one transaction."""


class Json2:
    """The API from version 19 on: https://www.odoo.com/documentation/19.0/developer/reference/external_api.html"""

    def __init__(self, remote: Remote, login: Login) -> None:
        self._remote = remote
        self._login = login

    async def call(self, method: Method) -> Any:
        """POST the named arguments; the answer's body is the value."""
        body = {**method.arguments, "context": dict(method.context)}
        if method.ids is not None:
            body["ids"] = list(method.ids)
        headers = {"Authorization": f"bearer {self._login.key}"}
        if self._login.database is not None:
            headers["X-Odoo-Database"] = self._login.database
        path = f"json/2/{method.model}/{method.name}"
        answer = await self._remote.call(
            method.what,
            "POST",
            path,
            json=body,
            headers=headers,
            accept=(200,),
            writes=method.writes,
            probe=method.probe,
        )
        return answer.data


class JsonRpc:
    """The older API, up to Odoo 21: https://www.odoo.com/documentation/18.0/developer/reference/external_api.html"""

    def __init__(self, remote: Remote, login: Login, refusals: Refusals) -> None:
        self._remote = remote
        self._login = login
        self._refusals = refusals
        self._user: int | None = None

    async def version(self, *, probe: bool) -> Any:
        """What the server says of its version; it asks for no login."""
        return await self._service(READ_VERSION, "common", "version", [], writes=False, probe=probe)

    async def call(self, method: Method) -> Any:
        """Log in once, then execute the method; ids are its first positional argument."""
        login = self._login
        if self._user is None:
            self._user = await self._authenticate(method.probe)
        named = {**method.arguments, "context": dict(method.context)}
        positional = [] if method.ids is None else [list(method.ids)]
        args = [login.database, self._user, login.key, method.model, method.name, positional, named]
        return await self._service(method.what, "object", "execute_kw", args, writes=method.writes, probe=method.probe)

    async def _authenticate(self, probe: bool) -> int:
        login = self._login
        if login.database is None or login.user is None:
            hint = f"This Odoo has only the older API: set database and login in [{self._refusals.account}]."
            raise self._paused("log in: the database or the login is not set", hint)
        args = [login.database, login.user, login.key, {}]
        user = await self._service("log in", "common", "authenticate", args, writes=False, probe=probe)
        if user is False or user is None:
            raise self._paused("log in: refused", self._refusals.hint(Meaning.KEY))
        if type(user) is not int:
            raise self._refusals.unclear("log in", "answered with something that is not a user", writes=False)
        return user

    async def _service(self, what: str, service: str, name: str, args: list[Any], *, writes: bool, probe: bool) -> Any:
        params = {"service": service, "method": name, "args": args}
        body = {"jsonrpc": "2.0", "method": "call", "id": 1, "params": params}
        answer = await self._remote.call(what, "POST", "jsonrpc", json=body, accept=(200,), writes=writes, probe=probe)
        data = read_object(answer.data)
        if data.get("jsonrpc") != "2.0":
            raise self._refusals.unclear(what, "answered 200, but not in Odoo's format; is base_url right?", writes=writes)
        if "error" not in data:
            return data.get("result")
        error = self._refusals.of_exception(what, read_object(data["error"]).get("data"), None)
        if isinstance(error, ActionRefused) and probe:
            error = AccountPaused(str(error), account=error.account, hint=error.hint)
        if isinstance(error, AccountPaused):
            self._user = self._user if isinstance(error, ActionRefused) else None
            self._remote.breaker.failed(error)
        raise error or self._refusals.unclear(what, "answered with an error of an unknown kind", writes=writes)

    def _paused(self, how: str, hint: str) -> AccountPaused:
        error = AccountPaused(f"{self._remote.title}: {how}", account=self._refusals.account, status=401, hint=hint)
        self._remote.breaker.failed(error)
        return error


class Server:
    """Which API the server has; asked once, by one task while the others wait, and kept."""

    def __init__(self, remote: Remote, login: Login, refusals: Refusals, api: Literal["auto", "json-2", "json-rpc"]) -> None:
        self._remote = remote
        self._refusals = refusals
        self._api = api
        self._json_2 = Json2(remote, login)
        self._rpc = JsonRpc(remote, login, refusals)
        self._known: tuple[Caller, int] | None = None
        self._turn = asyncio.Lock()

    async def caller(self, *, probe: bool = False) -> tuple[Caller, int]:
        """The API to use, and the server's major version."""
        async with self._turn:
            if self._known is None:
                self._known = await self._find(probe)
            return self._known

    async def _find(self, probe: bool) -> tuple[Caller, int]:
        if self._api == "json-2":
            return self._json_2, JSON_2
        if self._api == "json-rpc":
            return self._rpc, self._major(read_object(await self._version_by_rpc(probe)).get("server_version_info"))
        try:
            answer = await self._remote.call(READ_VERSION, "GET", "web/version", accept=(200,), probe=probe)
        except NotThere:
            # Before 19, or a page of something in between: the older API must confirm it with a version of its own.
            major = self._major(read_object(await self._version_by_rpc(probe)).get("server_version_info"))
        else:
            major = self._major(read_object(answer.data).get("version_info"))
        return (self._json_2 if major >= JSON_2 else self._rpc), major

    async def _version_by_rpc(self, probe: bool) -> Any:
        try:
            return await self._rpc.version(probe=probe)
        except NotThere as error:
            hint = f"Check base_url in [{self._refusals.account}]; nothing is lost, events wait."
            raise AccountPaused(str(error), account=self._refusals.account, status=404, hint=hint) from None

    def _major(self, info: Any) -> int:
        """The first number of a version; hosted servers may say "saas~18" there."""
        digits = "".join(c for c in str(info[0]) if c.isdigit()) if isinstance(info, list) and info else ""
        if not digits or len(digits) > 3:
            raise self._refusals.unclear(READ_VERSION, "answered without a version; is base_url right?", writes=False)
        return int(digits)
