"""Readers of Booxi's single values; those that every product shares are in `connector.remote.values`."""

from __future__ import annotations

from typing import Any

from connector.remote.values import MAX_DIGITS

_LARGEST = 10**MAX_DIGITS


def read_id(value: Any) -> str | None:
    """A positive whole number, given as a number or as digits, in its one canonical spelling; None otherwise.

    Zero is no id: it is what an unset number looks like, and would make one person of everybody.
    """
    if type(value) is int:
        return str(value) if 0 < value < _LARGEST else None
    if isinstance(value, str) and len(value := value.strip()) <= MAX_DIGITS and value.isascii() and value.isdigit():
        return value.lstrip("0") or None
    return None
