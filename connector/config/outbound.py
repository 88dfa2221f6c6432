"""`[outbound]` and `[crm.NAME.outbound]`: whom we believe, who we say we are, and which proxy requests go through."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr, field_validator

from connector.config.addresses import is_loopback, web_address
from connector.config.values import Section

#: Values of `proxy` that are no address.
DIRECT, ENVIRONMENT = "none", "environment"


class OutboundSettings(Section):
    """How the remote systems are reached. In an account's own table the keys that are given win over `[outbound]`."""

    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    client_key_password: SecretStr | None = None
    proxy: str | None = None
    proxy_user: str | None = None
    proxy_password: SecretStr | None = None

    @field_validator("proxy_user")
    @classmethod
    def _user(cls, value: str | None) -> str | None:
        if value is not None and (not value or ":" in value or not value.isprintable()):
            raise ValueError("must be the user name alone, without a colon; the password is proxy_password")
        return value

    @field_validator("proxy")
    @classmethod
    def _proxy(cls, value: str | None) -> str | None:
        return value if value in (None, DIRECT, ENVIRONMENT) else proxy_url(value)


def proxy_url(value: str) -> str:
    """The proxy's address with its port; raises ValueError with the fix."""
    parts = web_address(value)
    if parts is None:
        raise ValueError('must be "http://proxy.example.com:3128" (or https), "environment" or "none"')
    if parts.username is not None:
        raise ValueError('must not hold a user name; write proxy_user = "…" and proxy_password = { env = "PROXY_PASSWORD" }')
    if parts.path not in ("", "/") or "?" in value or "#" in value:
        raise ValueError("must have scheme, host and port only")
    return f"{parts.scheme}://{parts.netloc}" + ("" if parts.port else {"http": ":80", "https": ":443"}[parts.scheme])


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy for HTTP: it is asked to connect (CONNECT) to addresses of https."""

    url: str
    user: str | None = None
    password: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose certificates are believed, and which one is ours.

    `ca_file` is trusted beside the authorities that everybody trusts; those come with connector, unless `cert_file` or
    `cert_dir` (the variables SSL_CERT_FILE and SSL_CERT_DIR) name others.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    cert_dir: str | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    client_key_password: SecretStr | None = None

    def add_to(self, context: ssl.SSLContext) -> None:
        """Add what is ours to a context. Raises OSError (an ssl.SSLError among others) for a file that cannot be used."""
        if self.ca_file is not None:
            context.load_verify_locations(self.ca_file)
        if self.client_cert is not None:
            password = self.client_key_password.get_secret_value() if self.client_key_password else ""
            # A function, since OpenSSL would ask on the terminal for a password that is empty.
            context.load_cert_chain(self.client_cert, self.client_key, password=lambda: password)


@dataclass(frozen=True, slots=True)
class Route:
    """How one account is reached: trust, and the proxies for addresses of https and http; None: directly."""

    trust: Trust = Trust()
    https: Proxy | None = None
    http: Proxy | None = None
    #: As in the variable NO_PROXY: names, endings of names, or `*`, separated by commas.
    no_proxy: str = ""

    def proxy_for(self, scheme: str, host: str) -> Proxy | None:
        """The proxy for this address. What is on this machine is always reached directly."""
        proxy = self.https if scheme == "https" else self.http
        if proxy is None or is_loopback(host):
            return None
        from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

        if proxy_bypass_environment(host, {"no": self.no_proxy}):
            return None
        return proxy
