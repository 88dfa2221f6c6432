"""How a delivery proves where it comes from: a fixed token, an HMAC over the raw body, or Standard Webhooks 1.0.0.

Every secret is tried against every signature, in constant time and without stopping at the first match, so that secrets
can be rotated and nothing can be learned from how long a refusal takes. Whatever a sender puts into its headers leads to
`VerificationFailed` or to `Verified`, never to another exception.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import SecretStr

from connector.config.settings import WebhookSettings
from connector.model.errors import ConfigError, ConnectorError

#: Bytes of one header; a longer one is not looked at.
MAX_HEADER = 8192
#: Signatures in one header; a sender that rotates its keys sends two or three.
MAX_SIGNATURES = 32
#: Bytes of a message id, which is stored for ever.
MAX_MESSAGE_ID = 256
#: A larger timestamp counts milliseconds: as seconds it would be the year 5138, as milliseconds it was 1973.
MILLISECONDS_FROM = 100_000_000_000

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BEARER = re.compile(rb"bearer(?:[ \t]+|$)", re.IGNORECASE)
_TIMESTAMP = re.compile(rb"[0-9]{1,16}")
#: Visible ASCII without the full stop, which separates the parts of what is signed.
_MESSAGE_ID = re.compile(rb"[!-\-/-~]{1,%d}" % MAX_MESSAGE_ID)
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class VerificationFailed(ConnectorError):
    """The delivery is not proven: answer 401 and store nothing. The text is for our log; the sender learns no reason."""


@dataclass(frozen=True, slots=True)
class Verified:
    """The delivery is genuine. `message_id` is the sender's id, the same on every retry, where the scheme has one."""

    message_id: str | None = None


class Verifier(Protocol):
    """Decides whether a delivery is genuine."""

    def before_body(self, headers: Mapping[str, str], *, now: float) -> Verified | None:
        """Raise `VerificationFailed` where the headers alone show that the delivery is not genuine.

        Answers `Verified` where they prove it, so that `verify` need not be asked; None where the body has to be seen.
        """

    def verify(self, headers: Mapping[str, str], body: bytes, *, now: float) -> Verified:
        """Return when the delivery is genuine, raise `VerificationFailed` otherwise.

        `headers` have lower-case names and values decoded as Latin-1; `now` is Unix time in seconds.
        """


@dataclass(frozen=True, slots=True)
class NoVerification:
    """Takes everything; must be chosen in so many words."""

    def before_body(self, headers: Mapping[str, str], *, now: float) -> Verified | None:  # noqa: ARG002
        """Nothing is proven, so the body gets no more room than any stranger's."""
        return None

    def verify(self, headers: Mapping[str, str], body: bytes, *, now: float) -> Verified:  # noqa: ARG002
        """Accept the delivery."""
        return Verified()


@dataclass(frozen=True, slots=True)
class TokenVerifier:
    """Expects one of several fixed tokens in a header, bare or after "Bearer"."""

    header: str
    digests: tuple[bytes, ...] = field(repr=False)

    def before_body(self, headers: Mapping[str, str], *, now: float) -> Verified | None:
        """The token says it all."""
        return self.verify(headers, b"", now=now)

    def verify(self, headers: Mapping[str, str], body: bytes, *, now: float) -> Verified:  # noqa: ARG002
        """Compare digests rather than tokens, so that a token's length does not show either."""
        given = _without_scheme(_header(headers, self.header))
        if not given or not _any_equal([hashlib.sha256(given).digest()], self.digests):
            raise VerificationFailed(f"the header {self.header} holds none of the configured tokens")
        return Verified()


@dataclass(frozen=True, slots=True)
class HmacVerifier:
    """Expects an HMAC of a template such as `{timestamp}.{body}` in a header, which may list several signatures.

    `template` alternates text and placeholder names, beginning and ending with text.
    """

    header: str
    template: tuple[str, ...]
    secrets: tuple[bytes, ...] = field(repr=False)
    algorithm: str = "sha256"
    encoding: str = "hex"
    prefix: bytes = b""
    timestamp_header: str | None = None
    tolerance: float = 300.0

    def before_body(self, headers: Mapping[str, str], *, now: float) -> Verified | None:
        """There must be a signature, the other headers that are signed, and a time within the tolerance."""
        if not self._given(headers):
            raise VerificationFailed(f"the header {self.header} holds no signature of the configured form")
        self._message(headers, b"")
        if self.timestamp_header is not None:
            _check_age(_header(headers, self.timestamp_header), now, self.tolerance)
        return None

    def verify(self, headers: Mapping[str, str], body: bytes, *, now: float) -> Verified:
        """Accept any listed signature by any secret; with a timestamp header, only within the tolerance both ways."""
        given = self._given(headers)
        message = self._message(headers, body)
        expected = [self._comparable(self._encode(hmac.digest(secret, message, self.algorithm))) for secret in self.secrets]
        if not _any_equal(given, expected):
            raise VerificationFailed(f"the header {self.header} holds no signature by a configured secret")
        if self.timestamp_header is not None:
            _check_age(_header(headers, self.timestamp_header), now, self.tolerance)
        return Verified()

    def sign(self, body: bytes, message_id: str, now: float) -> dict[str, str]:
        """The headers of a delivery by the first secret; other headers that are signed hold the message id."""
        named = {name.removeprefix("header:"): message_id for name in self.template[1::2] if name.startswith("header:")}
        stamp = {self.timestamp_header: str(int(now * 1000))} if self.timestamp_header else {}
        headers = {**named, **stamp}
        digest = hmac.digest(self.secrets[0], self._message(headers, body), self.algorithm)
        return {**headers, self.header: (self.prefix + self._encode(digest)).decode("latin-1")}

    def _given(self, headers: Mapping[str, str]) -> list[bytes]:
        return [self._comparable(signature) for signature in _bounded(self._listed(_header(headers, self.header)))]

    def _listed(self, value: bytes) -> list[bytes]:
        """Take the signatures out of the header. They are separated by blanks and commas; not by a comma that the prefix holds
        ("v1,"), and a prefix that holds a blank ("HMAC ") allows for one only.
        """
        between = rb"\s+" if b"," in self.prefix else rb"[\s,]+"
        items = [value] if re.search(rb"\s", self.prefix) else re.split(between, value)
        return [item.removeprefix(self.prefix) for item in items if item and item.startswith(self.prefix)]

    def _message(self, headers: Mapping[str, str], body: bytes) -> bytes:
        """Fill in the template; what is filled in is not searched for placeholders again."""
        texts = [text.encode() for text in self.template[::2]]
        values = [body if name == "body" else _header(headers, self._source(name)) for name in self.template[1::2]]
        return b"".join(part for pair in zip(texts, [*values, b""], strict=True) for part in pair)

    def _source(self, name: str) -> str:
        return name.removeprefix("header:") if name.startswith("header:") else self.timestamp_header or ""

    def _encode(self, digest: bytes) -> bytes:
        return base64.b64encode(digest) if self.encoding == "base64" else digest.hex().encode()

    def _comparable(self, signature: bytes) -> bytes:
        """Level the spellings of one signature: the case of hex, the alphabet and padding of base64."""
        if self.encoding == "hex":
            return signature.lower()
        return signature.translate(bytes.maketrans(b"-_", b"+/")).rstrip(b"=")


@dataclass(frozen=True, slots=True)
class StandardWebhooksVerifier:
    """Verifies symmetric (`v1`) signatures; `v1a` entries need a public key and are passed over.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """

    secrets: tuple[bytes, ...] = field(repr=False)
    tolerance: float = 300.0

    def verify(self, headers: Mapping[str, str], body: bytes, *, now: float) -> Verified:
        """Accept any `v1` signature by any secret, within the tolerance both ways; answer the message id."""
        message_id, timestamp, given = self._head(headers)
        message = b".".join((message_id, timestamp, body))
        expected = [base64.b64encode(hmac.digest(secret, message, "sha256")) for secret in self.secrets]
        if not _any_equal(given, expected):
            raise VerificationFailed("the header webhook-signature holds no signature by a configured secret")
        _check_age(timestamp, now, self.tolerance)
        return Verified(message_id.decode("ascii"))

    def before_body(self, headers: Mapping[str, str], *, now: float) -> Verified | None:
        """There must be an id, a time within the tolerance, and a `v1` signature."""
        _, timestamp, given = self._head(headers)
        if not given:
            raise VerificationFailed("the header webhook-signature holds no v1 signature")
        _check_age(timestamp, now, self.tolerance)
        return None

    def sign(self, body: bytes, message_id: str, now: float) -> dict[str, str]:
        """The headers of a delivery by the first secret."""
        stamp = str(int(now))
        message = b".".join((message_id.encode(), stamp.encode(), body))
        signature = base64.b64encode(hmac.digest(self.secrets[0], message, "sha256")).decode()
        return {"webhook-id": message_id, "webhook-timestamp": stamp, "webhook-signature": f"v1,{signature}"}

    def _head(self, headers: Mapping[str, str]) -> tuple[bytes, bytes, list[bytes]]:
        """Message id, timestamp and the `v1` signatures."""
        # Svix, whose scheme became this one, names the headers after itself unless its customer has other names.
        name = "svix" if "svix-id" in headers and "webhook-id" not in headers else "webhook"
        message_id, timestamp = _header(headers, f"{name}-id"), _header(headers, f"{name}-timestamp")
        if not _MESSAGE_ID.fullmatch(message_id):
            raise VerificationFailed(f"the header {name}-id is too long or holds a character that it must not")
        listed = _header(headers, f"{name}-signature").split()
        return message_id, timestamp, _bounded([item.removeprefix(b"v1,") for item in listed if item.startswith(b"v1,")])


def verifier_for(settings: WebhookSettings, *, where: str) -> Verifier:
    """Build the verifier of one source; `where` is the table's name, such as `booking.stores.webhook`.

    Raises:
        ConfigError: the settings contradict each other; one line per fault, naming the key and the fix.
    """
    faults: list[str] = []
    build = {"token": _token, "hmac": _hmac, "standard-webhooks": _standard_webhooks}.get(settings.verify)
    verifier: Verifier = build(settings, faults) if build else NoVerification()
    if faults:
        raise ConfigError([f"{where}.{fault}" for fault in faults])
    return verifier


def _token(settings: WebhookSettings, faults: list[str]) -> Verifier:
    tokens = [_without_scheme(token) for token in _values("tokens", settings.tokens, faults)]
    if not all(tokens):
        faults.append('tokens: "Bearer" is followed by nothing; add the token itself')
    header = _header_name("header", settings.header or "Authorization", faults)
    return TokenVerifier(header, tuple(hashlib.sha256(token).digest() for token in tokens))


def _hmac(settings: WebhookSettings, faults: list[str]) -> Verifier:
    secrets = _values("secrets", settings.secrets, faults)
    if not settings.header:
        faults.append('header: missing; name the header that holds the signature, such as header = "X-Signature"')
    template = _template(settings, faults)
    stamp = settings.timestamp_header
    return HmacVerifier(
        header=_header_name("header", settings.header or "-", faults),
        template=template,
        secrets=secrets,
        algorithm=settings.algorithm,
        encoding=settings.encoding,
        prefix=settings.prefix.encode(),
        timestamp_header=None if stamp is None else _header_name("timestamp_header", stamp, faults),
        tolerance=settings.tolerance_seconds,
    )


def _template(settings: WebhookSettings, faults: list[str]) -> tuple[str, ...]:
    """Cut `signed` into text and placeholder names, by turns."""
    parts = _PLACEHOLDER.split(settings.signed)
    names = [name.lower() if name.lower().startswith("header:") else name for name in parts[1::2]]
    faults.extend(_template_faults(settings, parts[::2], names))
    return tuple(names[i // 2] if i % 2 else part for i, part in enumerate(parts))


def _template_faults(settings: WebhookSettings, texts: list[str], names: list[str]) -> Iterable[str]:
    known = "{body}, {timestamp} and {header:NAME}"
    for name in names:
        if name not in {"body", "timestamp"} and not (name.startswith("header:") and _HEADER_NAME.fullmatch(name[7:])):
            yield f"signed: unknown placeholder {{{name}}}; known are {known}"
    if any("{" in text or "}" in text for text in texts):
        yield f"signed: a brace without its partner; the placeholders are {known}"
    if "body" not in names:
        yield "signed: {body} is missing, so the signature would say nothing about the body; add it"
    if "timestamp" in names and settings.timestamp_header is None:
        yield "timestamp_header: missing, but signed has {timestamp}; name the header that holds the timestamp"
    if settings.timestamp_header is not None and not {"timestamp", f"header:{settings.timestamp_header.lower()}"} & {*names}:
        yield "signed: lacks {timestamp}, so the timestamp could be forged; add it, or remove timestamp_header"


def _standard_webhooks(settings: WebhookSettings, faults: list[str]) -> Verifier:
    secrets = [_standard_secret(value) for value in _values("secrets", settings.secrets, faults)]
    if any(secret is None for secret in secrets):
        faults.append('secrets: each must be "whsec_" and the base64 of 24 to 64 bytes; copy it from the sender as it is shown')
    return StandardWebhooksVerifier(tuple(secret for secret in secrets if secret), settings.tolerance_seconds)


def _standard_secret(text: bytes) -> bytes | None:
    try:
        secret = base64.b64decode(text.strip().removeprefix(b"whsec_"), validate=True)
    except binascii.Error:
        return None
    return secret if 24 <= len(secret) <= 64 else None


def _values(key: str, given: tuple[SecretStr, ...], faults: list[str]) -> tuple[bytes, ...]:
    values = tuple(secret.get_secret_value().encode(errors="surrogateescape") for secret in given)
    if not values:
        faults.append(f'{key}: missing; add {key} = [{{ env = "NAME" }}], one entry for each that is in use')
    elif not all(value.strip() for value in values):
        faults.append(f"{key}: one of the values is empty; fill it in or remove it")
    return values


def _header_name(key: str, name: str, faults: list[str]) -> str:
    if not _HEADER_NAME.fullmatch(name):
        faults.append(f"{key}: this is not the name of a header; remove blanks, colons and accents")
    return name.lower()


def _header(headers: Mapping[str, str], name: str) -> bytes:
    """Return the header's bytes as they were sent; absent, empty and overlong ones fail the verification."""
    value = headers.get(name, "").strip(" \t")
    if not value or len(value) > MAX_HEADER:
        raise VerificationFailed(f"the header {name} is {'too long' if value else 'missing'}")
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        raise VerificationFailed(f"the header {name} cannot be read") from None


def _without_scheme(value: bytes) -> bytes:
    stripped = value.strip()
    scheme = _BEARER.match(stripped)
    return stripped[scheme.end() :] if scheme else stripped


def _bounded(signatures: list[bytes]) -> list[bytes]:
    if len(signatures) > MAX_SIGNATURES:
        raise VerificationFailed("there are too many signatures in one header")
    return signatures


def _any_equal(given: Sequence[bytes], expected: Sequence[bytes]) -> bool:
    """Compare every pair in constant time; all of them, where `any` would stop."""
    found = False
    for one in given:
        for other in expected:
            found |= hmac.compare_digest(one, other)
    return found


def _check_age(timestamp: bytes, now: float, tolerance: float) -> None:
    """Refuse a Unix time, in seconds or (by its size) milliseconds, that is further from `now` than `tolerance`."""
    if not _TIMESTAMP.fullmatch(timestamp):
        raise VerificationFailed("the timestamp is not a whole number")
    number = int(timestamp)
    sent = number / 1000 if number >= MILLISECONDS_FROM else number
    if not abs(now - sent) <= tolerance:
        raise VerificationFailed("the timestamp is too far from our time", hint="Check that this machine's clock is right.")
