"""How Bookeo proves a delivery: an HMAC over time, message id, the address as it was registered, and the raw body.

Agreed by four independent receivers and by the vendor's published sample (see README.md). There is no separator between
the parts, so the length of the time stamp is checked: with one digit moved from it to the message id, the same signature
would prove a second message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from connector.remote.signatures import HmacVerifier, VerificationFailed, Verified

TIMESTAMP, MESSAGE_ID, SIGNATURE = "x-bookeo-timestamp", "x-bookeo-messageid", "x-bookeo-signature"
#: Unix milliseconds, from 2001 to 2286.
_TIMESTAMP = re.compile(r"[0-9]{13}")
_MESSAGE_ID = re.compile(r"[!-~]{1,200}")
_QUERY = re.compile(r"[!-~]{0,2048}")


@dataclass(frozen=True, slots=True)
class BookeoVerifier:
    """Accepts a signature by any of the secrets, within the tolerance (seconds) both ways.

    `address` is our webhook's address as Bookeo knows it, without the query, which is taken from the request and covered
    by the signature. Without an address nothing can be proven, and every delivery is refused.
    """

    address: str | None
    secrets: tuple[bytes, ...] = field(repr=False)
    tolerance: float = 120.0

    def before_body(self, headers: Mapping[str, str], *, now: float) -> Verified | None:
        """Everything but the signature itself."""
        _, signature = self._head(headers)
        return signature.before_body(headers, now=now)

    def verify(self, headers: Mapping[str, str], body: bytes, *, now: float) -> Verified:
        """Return the message id when the delivery is genuine, raise `VerificationFailed` otherwise.

        https://www.bookeo.com/api/webhooks/
        """
        message_id, signature = self._head(headers)
        signature.verify(headers, body, now=now)
        return Verified(message_id)

    def _head(self, headers: Mapping[str, str]) -> tuple[str, HmacVerifier]:
        """The message id, and what checks the signature over the address that was called."""
        if self.address is None:
            hint = "Set [server] public_url: the signature covers the address that was registered with Bookeo."
            raise VerificationFailed("no public_url is configured, so the signature cannot be checked", hint=hint)
        message_id = headers.get(MESSAGE_ID, "").strip(" \t")
        query = headers.get(":path", "").partition("?")[2]
        if not _TIMESTAMP.fullmatch(headers.get(TIMESTAMP, "").strip(" \t")):
            raise VerificationFailed(f"the header {TIMESTAMP} is not a time in milliseconds")
        if not _MESSAGE_ID.fullmatch(message_id) or not _QUERY.fullmatch(query):
            raise VerificationFailed("the message id or the address cannot be what was signed")
        return message_id, self._signature(self.address + ("?" + query if query else ""))

    def _signature(self, url: str) -> HmacVerifier:
        return _hmac(url, self.secrets, self.tolerance)


def sign(url: str, secrets: tuple[bytes, ...], body: bytes, message_id: str, now: float) -> dict[str, str]:
    """The headers of a delivery to `url`, as Bookeo would sign it with the first of the secrets; `now` is Unix time."""
    return _hmac(url, secrets, 0.0).sign(body, message_id, now)


def _hmac(url: str, secrets: tuple[bytes, ...], tolerance: float) -> HmacVerifier:
    template = ("", "timestamp", "", f"header:{MESSAGE_ID}", url, "body", "")
    return HmacVerifier(SIGNATURE, template, secrets, timestamp_header=TIMESTAMP, tolerance=tolerance)
