"""Web addresses as an operator writes them: which are usable, which stay on this machine."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

#: Where our own routes begin; an address that was copied as a whole ends in one.
OWN_ROUTE = re.compile(r".*/(webhooks|status|login|metrics|healthz|readyz)(/|$)")


class Faults(Protocol):
    """Where a fault of the file is remembered: `connector.config.reader.Tables`."""

    def fault(self, table: str, key: str, text: str) -> None:
        """Remember what stops the start."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`: `localhost`, 127.0.0.0/8 or ::1."""
    if host.lower() == "localhost":
        return True
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return False
    # How a socket for both families shows an address of IPv4.
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def is_any(host: str) -> bool:
    """Whether `host` stands for all addresses of this machine: `0.0.0.0` or `::`."""
    try:
        return ip_address(host.strip("[]")).is_unspecified
    except ValueError:
        return False


def web_address(value: str) -> SplitResult | None:
    """The parts of an address with http or https, a host and no character that a request cannot carry; None: it is none."""
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if usable and value.isascii() and value.isprintable() and " " not in value else None


def base_url(value: str) -> str:
    """Return the address without its last slash; raise ValueError with the fix when nothing could be appended to it."""
    parts = web_address(value)
    if parts is None:
        raise ValueError('must be a web address, for example "https://hooks.example.com"')
    if parts.username is not None or "?" in value or "#" in value:
        raise ValueError("must have no user name, password, query (?) or fragment (#); give scheme, host and path only")
    return value.rstrip("/")


def is_exposed(url: str) -> bool:
    """Whether requests to this address cross a network in the clear."""
    parts = urlsplit(url)
    return parts.scheme == "http" and not is_loopback(parts.hostname or "")


def own_url(value: str) -> str:
    """Check the address that the world reaches us by; raises ValueError for one with a route of ours."""
    url = base_url(value)
    if OWN_ROUTE.match(urlsplit(url).path):
        raise ValueError("must be the address that all our pages share, without /webhooks/… or /status behind it")
    return url


def check_base_url(tables: Faults, table: str, url: str | None, *, plain: bool) -> None:
    """Refuse a `base_url` that is none, and one that sends keys and customers over a network in the clear unless `plain`."""
    if url is None:
        return
    try:
        base_url(url)
    except ValueError as error:
        tables.fault(table, "base_url", str(error))
    else:
        if is_exposed(url) and not plain:
            text = "is plain http to another machine: keys and customer data would be sent unencrypted; use https"
            tables.fault(table, "base_url", f"{text}, or add allow_plain_http = true if that network is private")
