"""What the sandboxes for CRMs have in common: they count, misbehave on command, and are controlled under `/_sandbox`."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from connector.sandbox.kit.faults import CONTROL, FaultInjector, Faults

Json = dict[str, Any]
#: Control routes by method and name: what is done with the body's object, and answered.
Controls = Mapping[tuple[str, str], Callable[[Json], Any]]


class NotAnObject(ValueError):
    """A body is no JSON object."""


def read_object(body: bytes) -> Json:
    """Parse a body; an empty one is an empty object. Raises NotAnObject."""
    try:
        data = json.loads(body) if body.strip() else {}
    except ValueError:
        raise NotAnObject("the body is not JSON") from None
    if not isinstance(data, dict):
        raise NotAnObject("the body is not an object")
    return data


class CrmSandbox(ABC):
    """One account. `app` is the ASGI application; `faults` may be replaced at any time."""

    app: FaultInjector
    #: Answers by status.
    statuses: Counter[int]

    def __init__(self, faults: Faults | None, *, injector: Callable[..., FaultInjector] = FaultInjector) -> None:
        self.faults = faults or Faults()
        self.app = injector(self._serve, lambda: self.faults)

    @abstractmethod
    def reset(self) -> None:
        """Forget every record and count."""

    @property
    @abstractmethod
    def requests(self) -> Counter[str]:
        """Requests that reached an endpoint, by its name."""

    @abstractmethod
    async def _answer(self, request: Request, path: list[str], body: bytes) -> Response:
        """Answer a request to the product; `path` is decoded, part by part."""

    @abstractmethod
    def _refusal(self, error: Exception) -> Response | None:
        """The answer to a request that raised this error, in the product's words; None: a defect of the sandbox."""

    @abstractmethod
    def _controls(self) -> Controls:
        """The control routes besides those that every sandbox has."""

    def _figures(self) -> Json:
        """Figures of `stats` besides those that every sandbox has."""
        return {}

    def stats(self) -> Json:
        """Counts since the start: requests by endpoint, answers by status, 429s of its own, faults injected."""
        return {
            "requests": sum(self.requests.values()),
            "endpoints": dict(self.requests),
            "statuses": {str(status): count for status, count in self.statuses.items()},
            "rate_limited": self.statuses[429],
            "injected": dict(self.app.injected),
            **self._figures(),
        }

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        # The raw path: an e-mail address in it may hold an encoded slash.
        raw = (scope.get("raw_path") or scope["path"].encode()).decode("ascii")
        path = [unquote(part) for part in raw.split("/") if part]
        is_control = raw.startswith(CONTROL)
        try:
            if is_control:
                response = self._controlled(request.method, path[1:], read_object(body))
            else:
                response = await self._answer(request, path, body)
        except Exception as error:  # the product decides which it is
            refused = self._refusal(error)
            if refused is None:
                raise
            response = refused
        if not is_control:
            self.statuses[response.status_code] += 1
        await response(scope, receive, send)

    def _controlled(self, method: str, path: list[str], data: Json) -> Response:
        """Control the sandbox; faults, limits and keys do not apply here."""
        common: Controls = {
            ("GET", "stats"): lambda _: self.stats(),
            ("POST", "reset"): lambda _: self.reset(),
            ("GET", "faults"): lambda _: self.faults.model_dump(),
            ("PUT", "faults"): self._put_faults,
        }
        action = {**common, **self._controls()}.get((method, "/".join(path)))
        if action is None:
            return JSONResponse({"message": "No such control route."}, 404)
        result = action(data)
        return result if isinstance(result, Response) else JSONResponse({} if result is None else result)

    def _put_faults(self, data: Json) -> Json:
        self.faults = Faults.model_validate(data)
        return self.faults.model_dump()
