"""What a look at a database found: the same four fields as every check of the project has."""

from __future__ import annotations

from typing import Any

Finding = dict[str, Any]


def fine(id_: str, message: str, hint: str = "") -> Finding:
    """Nothing is wrong."""
    return {"id": id_, "level": "ok", "message": message, "hint": hint}


def odd(id_: str, message: str, hint: str) -> Finding:
    """Something that does no harm."""
    return {"id": id_, "level": "warning", "message": message, "hint": hint}


def wrong(id_: str, message: str, hint: str) -> Finding:
    """Something that must be put right."""
    return {"id": id_, "level": "error", "message": message, "hint": hint}


def some(names: list[Any], most: int = 10) -> str:
    """The first of the names, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(str(name) for name in names[:most]) + more
