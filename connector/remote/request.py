"""A request as it goes out: address, headers and body. httpx reads of it only what somebody asks for."""

from __future__ import annotations

import json as jsonlib
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus, urlencode

import httpx

#: A path that httpx sends as it is, once `is_safe_path` has passed it. Anything else, a query among it, httpx writes itself.
_AS_IT_IS = re.compile(r"(?:[A-Za-z0-9_.~!$&()*+,;=:@/-]|%[0-9A-F]{2})*", re.ASCII)
#: Characters of an address; httpx reads none that is longer.
LONGEST = 65_536
#: The lists of fields in queries are the same in every call.
_quoted = lru_cache(maxsize=256)(quote_plus)


class Request(httpx.Request):
    """A request of httpx's whose `url`, `headers` and `stream` are made when somebody asks for them.

    Reading an address alone takes httpx longer than it takes aiohttp to send the request.
    """

    def __init__(
        self, method: str, address: str, said: Mapping[str, str], body: bytes = b"", extensions: Mapping[str, Any] | None = None
    ) -> None:
        self.method = method
        self.address = address
        self.said = said
        self.body = body
        self.extensions = {} if extensions is None else dict(extensions)

    def __getattr__(self, name: str) -> Any:
        if "url" in vars(self) or name.startswith("__"):
            raise AttributeError(name)
        content = self.body or None
        super().__init__(self.method, self.address, headers=self.said, content=content, extensions=self.extensions)
        return getattr(self, name)

    @classmethod
    def of(cls, request: httpx.Request) -> Request:
        """The same request, whoever made it."""
        if isinstance(request, cls):
            return request
        headers = httpx.Headers([(name, value) for name, value in request.headers.multi_items() if name != "host"])
        return cls(request.method, str(request.url), headers, request.content, request.extensions)

    def also(self, said: Mapping[str, str]) -> Request:
        """The same request with further headers."""
        return Request(self.method, self.address, {**self.said, **said}, self.body, self.extensions)


def written(
    method: str,
    to: str,
    said: Mapping[str, str],
    *,
    json: Any = None,
    form: Mapping[str, str] | None = None,
    extensions: Mapping[str, Any] | None = None,
) -> Request:
    """Write a request with its body. JSON goes out as ASCII: half of a surrogate pair in what is sent back stays what it was.

    Raises:
        ValueError, RecursionError: the body cannot be written.
    """
    body = ""
    if json is not None:
        said = {**said, "Content-Type": "application/json"}
        body = jsonlib.dumps(json, separators=(",", ":"), allow_nan=False)
    elif form is not None:
        said = {**said, "Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode(form)
    return Request(method, to, said, body.encode(), extensions)


def address(base: str, path: str, params: Mapping[str, Any] | None) -> str:
    """The address of `path` below `base`, or `path` where it is a whole one, as httpx writes it.

    Raises:
        httpx.InvalidURL: it cannot be sent.
    """
    whole = path.startswith(("http://", "https://"))
    if whole or not _AS_IT_IS.fullmatch(path):
        url = httpx.URL(path if whole else base + path.lstrip("/"))
        return str(url if params is None else url.copy_with(params=params))
    query = _query(params) if params else ""
    found = f"{_read(base)}{path.lstrip('/')}{query and '?'}{query}"
    if len(found) > LONGEST:
        raise httpx.InvalidURL("address too long")
    return found


@lru_cache(maxsize=64)
def _read(base: str) -> str:
    return str(httpx.URL(base))


def _query(params: Mapping[str, Any]) -> str:
    if not all(type(value) is str for value in params.values()):
        return str(httpx.QueryParams(params))
    return "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in params.items())
