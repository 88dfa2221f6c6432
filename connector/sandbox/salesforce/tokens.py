"""The token endpoint of the Salesforce sandbox: client credentials, and statements signed with RS256 (RFC 7523).

A refusal is an object here, not a list; which of several faults is named first is synthetic.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

#: Seconds ahead that a statement may end: that there is a limit is documented, this one is synthetic.
LONGEST = 300.0
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
#: What PKCS #1 puts before a SHA-256 digest.
_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")


@dataclass(frozen=True, slots=True)
class App:
    """An external client app. Without a public key (modulus, exponent) it has no certificate."""

    client_id: str
    secret: str
    public_key: tuple[int, int] | None = None
    #: The users for whom an administrator has approved it.
    users: tuple[str, ...] = ("connector@example.com",)
    audiences: tuple[str, ...] = ("https://example.my.salesforce.com", "https://login.salesforce.com")


class Refused(Exception):
    """A refusal in Salesforce's words."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error)
        self.body = {"error": error, "error_description": description}


def check(app: App, form: dict[str, str], now: float) -> None:
    """Raise Refused where the form earns no token; `now` is Unix time."""
    match form.get("grant_type"):
        case "client_credentials":
            _secret(app, form)
        case grant if grant == JWT_BEARER:
            _statement(app, form.get("assertion", ""), now)
        case _:
            raise Refused("unsupported_grant_type", "grant type not supported")


def _secret(app: App, form: dict[str, str]) -> None:
    _known(app, form.get("client_id", ""))
    if not hmac.compare_digest(form.get("client_secret", "").encode(), app.secret.encode()):
        raise Refused("invalid_client", "invalid client credentials")


def _known(app: App, client_id: str) -> None:
    if not hmac.compare_digest(client_id.encode(), app.client_id.encode()):
        raise Refused("invalid_client_id", "client identifier invalid")


def _statement(app: App, assertion: str, now: float) -> None:
    try:
        head, body, signature = assertion.split(".")
        algorithm, claims = json.loads(_decoded(head))["alg"], json.loads(_decoded(body))
        signed = int.from_bytes(_decoded(signature))
        ends = float(claims["exp"])
    except (ValueError, KeyError, TypeError):
        raise Refused("invalid_grant", "invalid assertion") from None
    _known(app, str(claims.get("iss")))
    if algorithm != "RS256" or not _is_signed(app, f"{head}.{body}".encode(), signed) or ends > now + LONGEST:
        raise Refused("invalid_grant", "invalid assertion")
    if claims.get("aud") not in app.audiences:
        raise Refused("invalid_grant", "audience is invalid")
    if ends <= now:
        raise Refused("invalid_grant", "expired authorization code")
    if claims.get("sub") not in app.users:
        raise Refused("invalid_grant", "user hasn't approved this consumer")


def _is_signed(app: App, message: bytes, signature: int) -> bool:
    if app.public_key is None:
        return False
    modulus, exponent = app.public_key
    digest = _SHA256 + hashlib.sha256(message).digest()
    length = (modulus.bit_length() + 7) // 8
    expected = b"\x00\x01" + b"\xff" * (length - len(digest) - 3) + b"\x00" + digest
    return pow(signature, exponent, modulus) == int.from_bytes(expected)


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def answer(token: str, grant: str, address: str) -> dict[str, Any]:
    """What is answered with a token: never when it ends, and to a statement not even when it was issued (seen)."""
    found = {"access_token": token, "scope": "api", "token_type": "Bearer", "instance_url": address}
    found["id"] = f"{address}/id/00DAAAAAAAAAAAAAAA/005AAAAAAAAAAAAAAA"
    return found if grant == JWT_BEARER else {**found, "signature": "sandbox", "issued_at": "0"}
