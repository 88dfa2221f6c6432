"""Requests that look like deliveries and match no address of ours: counted, logged and remembered, in bounded number.

A sender with a slightly wrong address leaves no other trace. What is remembered of one is the path, without its query, cut
and without what could be an address, a number or a secret; nothing of the body or the headers.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass

import structlog

#: Seconds between two log lines, and different paths kept; strangers decide how many there are.
QUIET = 10.0
SHAPES = 20
#: Characters of a path and of each of its parts.
MAX_PATH = 100
MAX_PART = 24
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._~/-]")
_DIGITS = re.compile(r"[0-9]{7,}")


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
    """A path as it may be shown: plain characters only, long numbers and long parts cut."""
    parts = _DIGITS.sub("#", _NOT_PLAIN.sub("?", path[: 4 * MAX_PATH])).split("/")
    cut = "/".join(part if len(part) <= MAX_PART else part[: MAX_PART // 2] + "…" for part in parts)
    return cut if len(cut) <= MAX_PATH else cut[:MAX_PATH] + "…"
