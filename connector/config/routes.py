"""From `[outbound]`, the accounts' own tables and the environment to one route for each account.

Every file is read and tried while the configuration is loaded: a missing or wrong one stops the start, not a call.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from connector.config.mistakes import file_shown
from connector.config.outbound import DIRECT, ENVIRONMENT, OutboundSettings, Proxy, Route, Trust, proxy_url
from connector.config.reader import Tables, reason

FIX_FOR_BOTH = "both must be PEM and belong together; client_key_password opens a key that is locked"


class Routes:
    """Joins `[outbound]` with each account's own table; every fault is remembered in `tables`."""

    def __init__(self, tables: Tables, common: OutboundSettings | None) -> None:
        self._tables = tables
        self._common = Route(self._authorities())
        self._common = self._joined("outbound", common or OutboundSettings())

    def route(self, account: str, own: OutboundSettings | None) -> Route:
        """The route of one account, such as `crm.main`."""
        return self._common if own is None else self._joined(f"{account}.outbound", own)

    def _joined(self, table: str, own: OutboundSettings) -> Route:
        before, trust = self._common, self._common.trust
        ca_file = self._authority(table, own.ca_file) or trust.ca_file
        ours = self._certificate(table, own) or trust
        certificate = (ours.client_cert, ours.client_key, ours.client_key_password)
        https, http, no_proxy = self._proxies(table, own) or (before.https, before.http, before.no_proxy)
        return Route(Trust(ca_file, trust.cert_file, trust.cert_dir, *certificate), https, http, no_proxy)

    # ---- certificates ----

    def _authorities(self) -> Trust:
        """The authorities that the environment names instead of those that come with connector."""
        file, folder = (self._tables.environ.get(name) or None for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
        fix = "correct the environment variable, or remove it"
        if file is not None and (why := self._unusable(file, Trust(ca_file=Path(file)))):
            self._tables.fault("", "SSL_CERT_FILE", f"{why}; {fix}")
        if folder is not None and not any(Path(part).is_dir() for part in folder.split(":")):
            self._tables.fault("", "SSL_CERT_DIR", f"there is no such folder; {fix}")
        return Trust(cert_file=Path(file) if file else None, cert_dir=folder)

    def _authority(self, table: str, name: str | None) -> Path | None:
        if name is None:
            return None
        path = self._tables.base / name
        if why := self._unusable(name, Trust(ca_file=path)):
            self._tables.fault(table, "ca_file", f"{why}; name a file with the authority's certificates in PEM form")
        return path

    def _certificate(self, table: str, own: OutboundSettings) -> Trust | None:
        """Our own certificate with its key; None where this table has none."""
        if own.client_cert is None:
            for key in ("client_key", "client_key_password"):
                if getattr(own, key) is not None:
                    self._tables.fault(table, "client_cert", f"is missing, but {key} is there; name the certificate's file")
            return None
        base = self._tables.base
        key_file = None if own.client_key is None else base / own.client_key
        ours = Trust(client_cert=base / own.client_cert, client_key=key_file, client_key_password=own.client_key_password)
        if key_file is not None and (why := self._unreadable(own.client_key or "")):
            self._tables.fault(table, "client_key", f"{why}; name the PEM file of the certificate's key")
        elif why := self._unusable(own.client_cert, ours):
            fix = FIX_FOR_BOTH if key_file else "it must hold the certificate and its key in PEM form, or add client_key"
            self._tables.fault(table, "client_cert", f"{why}; {fix}")
        return ours

    def _unusable(self, name: str, trust: Trust) -> str | None:
        """What is wrong with a file, tried on a context of its own; None: nothing."""
        if why := self._unreadable(name):
            return why
        file = file_shown(self._tables.base, name)
        try:
            trust.add_to(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        except ssl.SSLError as error:
            return f"{file} cannot be used ({(error.reason or 'it is no PEM').replace('_', ' ').lower()})"
        except (OSError, ValueError) as error:
            return f"{file} cannot be used ({reason(error)})"
        return None

    def _unreadable(self, name: str) -> str | None:
        file = file_shown(self._tables.base, name)
        try:
            with (self._tables.base / name).open("rb") as stream:
                stream.read(1)
        except FileNotFoundError:
            return f"{file} does not exist"
        except (OSError, ValueError) as error:
            return f"{file} cannot be read ({reason(error)})"
        return None

    # ---- proxies ----

    def _proxies(self, table: str, own: OutboundSettings) -> tuple[Proxy | None, Proxy | None, str] | None:
        """The proxies for https and http, and what is reached without; None where this table does not say."""
        if own.proxy in (None, DIRECT, ENVIRONMENT):
            for key in ("proxy_user", "proxy_password"):
                if getattr(own, key) is not None:
                    self._tables.fault(table, "proxy", f"must be the proxy's address, since {key} is there")
        elif own.proxy_password is not None and not own.proxy_user:
            self._tables.fault(table, "proxy_user", "is missing, but proxy_password is there; give both")
        if own.proxy is None:
            return None
        if own.proxy == DIRECT:
            return None, None, ""
        if own.proxy == ENVIRONMENT:
            return self._named_by("https"), self._named_by("http"), self._variable("no_proxy")[1]
        proxy = Proxy(own.proxy, own.proxy_user, own.proxy_password)
        return proxy, proxy, ""

    def _named_by(self, scheme: str) -> Proxy | None:
        """The proxy that the environment names for a scheme; it may hold a user name and a password."""
        name, value = self._variable(f"{scheme}_proxy")
        if not value:
            name, value = self._variable("all_proxy")
        if not value:
            return None
        value = value if "://" in value else f"http://{value}"
        try:
            parts = urlsplit(value)
            credentials, at, _ = parts.netloc.rpartition("@")
            url = proxy_url(value.replace(f"{credentials}{at}", "", 1))
        except ValueError:
            text = 'is no address of a proxy, such as "http://proxy.example.com:3128"; correct the environment variable'
            self._tables.fault("", name, text)
            return None
        user, _, password = credentials.partition(":")
        return Proxy(url, unquote(user) or None, SecretStr(unquote(password)) if password else None)

    def _variable(self, name: str) -> tuple[str, str]:
        """The variable's name as it is set, in small letters or capitals, and its value; empty where it is not."""
        found = ((one, self._tables.environ.get(one, "")) for one in (name, name.upper()))
        return next((pair for pair in found if pair[1]), (name, ""))
