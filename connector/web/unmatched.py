"""Requests that look like deliveries and match no address of ours: counted, logged and remembered, in bounded number.

A sender with a slightly wrong address leaves no other trace. What is remembered of one is the path without its query, and
of that only plain words; nothing of the body or the headers.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass

import structlog

#: Seconds between two log lines, and different paths kept; strangers decide how many there are.
QUIET = 10.0
SHAPES = 20
#: Parts of a path that are looked at; more is nobody's address.
MAX_PARTS = 8
#: A part of a path that is a plain word. Anything else may be an address, a name, a number or a secret, and is not shown.
_PLAIN = re.compile(r"[A-Za-z0-9_-]{0,24}(?:\.(?:php|json|xml|html|aspx?|cgi))?")
_LONG_NUMBER = re.compile(r"(?:[0-9][_-]*){7}")
HIDDEN = "…"


@dataclass(frozen=True, slots=True)
class Missed:
    """One request that matched nothing; `at` is Unix time."""

    path: str
    at: float


class Unmatched:
    """Counts such requests since the start of the process."""

    def __init__(self) -> None:
        self.count = 0
        #: The path seen last at the end.
        self._shapes: OrderedDict[str, Missed] = OrderedDict()
        self._quiet_until = float("-inf")
        self._silent = 0
        # Bound once: strangers decide how often it is used.
        self._log = structlog.get_logger("connector.web").bind()

    @property
    def recent(self) -> list[Missed]:
        """The last different paths, the newest first."""
        return list(reversed(self._shapes.values()))

    def see(self, method: str, path: str, now: float) -> None:
        """Count one request; at most one line every `QUIET` seconds goes to the log."""
        shown = shown_path(path)
        self.count += 1
        self._shapes.pop(shown, None)
        self._shapes[shown] = Missed(shown, now)
        while len(self._shapes) > SHAPES:
            self._shapes.popitem(last=False)
        if now < self._quiet_until:
            self._silent += 1
            return
        self._log.warning("no webhook address", method=method, path=shown, silent=self._silent)
        self._quiet_until, self._silent = now + QUIET, 0


def shown_path(path: str) -> str:
    """A path as it may be shown: plain words stay, every other part is left out."""
    parts = path[:1000].split("/")
    shown = [part if _PLAIN.fullmatch(part) and not _LONG_NUMBER.search(part) else HIDDEN for part in parts[: MAX_PARTS + 1]]
    return "/".join(shown) + (f"/{HIDDEN}" if len(parts) > MAX_PARTS + 1 else "")
