"""Web addresses as an operator writes them: which are usable, which stay on this machine."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`: `localhost`, 127.0.0.0/8 or ::1."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def base_url(value: str) -> str:
    """Return the address without its last slash; raise ValueError with the fix when nothing could be appended to it."""
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable, parts = False, urlsplit("")
    if not usable or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError('must be a web address, for example "https://hooks.example.com"')
    if parts.username is not None or "?" in value or "#" in value:
        raise ValueError("must have no user name, password, query (?) or fragment (#); give scheme, host and path only")
    return value.rstrip("/")


def is_exposed(url: str) -> bool:
    """Whether requests to this address cross a network in the clear."""
    parts = urlsplit(url)
    return parts.scheme == "http" and not is_loopback(parts.hostname or "")
