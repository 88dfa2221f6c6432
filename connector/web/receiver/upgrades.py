"""Requests that offer to go on in another protocol: the offer is ignored, as RFC 9110, section 7.8, allows.

Java's own client offers HTTP/2 with every request to a plain address. httptools stops behind the head of such a request and
leaves the body to whoever takes the offer, and uvicorn then calls the application with an empty body.
"""

from __future__ import annotations

import logging
from typing import Any

import httptools

_PROXY = "the PROXY protocol came to our port, which speaks plain HTTP: switch it off at the proxy or load balancer"
#: What comes by mistake to a port of plain HTTP → what to do about it.
_NO_HTTP = (
    (b"\x16\x03", "TLS came to our port, which speaks plain HTTP: let the proxy connect with http://, or put one in front"),
    (b"PROXY ", _PROXY),
    (b"\r\n\r\n\x00\r\nQUIT", _PROXY),
    (b"PRI * HTTP/2", "HTTP/2 came to our port, which speaks HTTP/1.1: set the proxy to HTTP/1.1"),
)
_log = logging.getLogger("uvicorn.error")
#: What would end a line of a head; httptools lets none of it through in a header's value.
_ENDS = (b"\r", b"\n", b"\x00")


class Parser:
    """httptools' parser for a connection of uvicorn's. A request with an offer is parsed once more without it."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        # Called for every header and piece of a body, and the same whatever is offered.
        self.on_message_begin = connection.on_message_begin
        self.on_url = connection.on_url
        self.on_header = connection.on_header
        self.on_body = connection.on_body
        self._parser = self._fresh()

    def _fresh(self) -> Any:
        parser = httptools.HttpRequestParser(self)
        # As uvicorn has it: what comes behind a request that closes the connection is no reason to leave that one unanswered.
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return parser

    def get_method(self) -> bytes:
        """The request's method."""
        method: bytes = self._parser.get_method()
        return method

    def get_http_version(self) -> str:
        """The version that the request speaks, such as `1.1`."""
        version: str = self._parser.get_http_version()
        return version

    def should_keep_alive(self) -> bool:
        """Whether the connection is kept after this request."""
        return bool(self._parser.should_keep_alive())

    def should_upgrade(self) -> bool:
        """Never: no other protocol is spoken here."""
        return False

    def feed_data(self, data: bytes) -> None:
        """Parse the bytes. Raises httptools' errors."""
        while True:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                if not self._is_offered():
                    raise
                data = self._head() + bytes(data)[offer.args[0] :]
                self._parser = self._fresh()
            except httptools.HttpParserError:
                # uvicorn says only that it is invalid. Its logger is limited, so that strangers cannot fill the log.
                for begin, advice in _NO_HTTP:
                    if data.startswith(begin):
                        _log.warning("%s.", advice)
                raise
            else:
                return

    def _is_offered(self) -> bool:
        """Whether the request is one that only offers; behind the head of a CONNECT there is no HTTP."""
        return bool(self._parser.should_upgrade()) and self.get_method() != b"CONNECT"

    def _head(self) -> bytes:
        """The head that was just parsed, without the offer."""
        connection = self._connection
        first = self.get_method() + b" " + connection.url + b" HTTP/" + self.get_http_version().encode()
        headers = [name + b": " + value for name, value in connection.headers if name != b"upgrade"]
        if any(end in line for line in (first, *headers) for end in _ENDS):
            raise httptools.HttpParserError("a line of the head cannot be repeated")
        return b"\r\n".join((first, *headers, b"", b""))

    def on_headers_complete(self) -> None:
        """A head is there; one with an offer comes once more."""
        if not self._is_offered():
            self._connection.on_headers_complete()

    def on_message_complete(self) -> None:
        """A body has ended; that of a request with an offer has not begun yet."""
        if not self._is_offered():
            self._connection.on_message_complete()
