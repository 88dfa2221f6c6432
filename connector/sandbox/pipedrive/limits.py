"""The limits of the Pipedrive sandbox: bursts, searches, the day's tokens, and the proxy that loses its patience."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from connector.sandbox.pipedrive.model import Refusal

#: Seconds of the rolling burst window, and of a day.
BURST, DAY = 2.0, 86_400.0
#: Refusals in a burst window after which the proxy in front answers with a page: synthetic.
TOO_MANY_REFUSALS = 20
#: The published `x-token-cost` of each call; the first row that fits.
COSTS = (
    ("GET", "persons/search", 20),
    ("GET", "itemSearch", 20),
    ("GET", "activityTypes", 20),
    ("GET", "users/me", 2),
    ("GET", "{}/{id}", 1),
    ("PUT", "{}/{id}/merge", 40),
    ("POST", "oauth", 0),
    ("GET", "{}", 10),
    ("POST", "{}", 5),
    ("PATCH", "{}", 5),
    ("DELETE", "{}", 3),
)


def cost(method: str, path: list[str]) -> int:
    """What a call costs in tokens; `path` without the version."""
    name = "/".join(path)
    shape = "/".join(["{}", *("{id}" if part.isdigit() or len(part) == 40 else part for part in path[1:])])
    for verb, pattern, tokens in COSTS:
        if verb == method and (name == pattern or name.startswith(f"{pattern}/") or shape.startswith(pattern)):
            return tokens
    return 0


class Limits:
    """What the token may do. None: no limit. `headers`: whether a 429 says what is left, which is not promised."""

    def __init__(
        self,
        per_2_seconds: int | None,
        searches_per_2_seconds: int | None,
        daily_tokens: int | None,
        clock: Callable[[], float],
    ) -> None:
        self.calls = per_2_seconds
        self.searches = searches_per_2_seconds
        self.daily_tokens = daily_tokens
        self.headers = True
        self.spent = 0
        self._clock = clock
        self._day = clock() // DAY
        self._made: deque[float] = deque()
        self._searched: deque[float] = deque()
        self._refused: deque[float] = deque()

    def admit(self, method: str, path: list[str]) -> dict[str, str]:
        """Count a call; the headers of its answer. Raises `Refusal` where it is one too many.

        A refused call costs nothing, which is synthetic.
        """
        now = self._clock()
        if now // DAY != self._day:
            self._day, self.spent = now // DAY, 0
        for times in (self._made, self._searched, self._refused):
            while times and times[0] <= now - BURST:
                times.popleft()
        searches = path[-1:] == ["search"] or path[:1] == ["itemSearch"]
        price = cost(method, path)
        full = self._full(self._made, self.calls) or (searches and self._full(self._searched, self.searches))
        if full or (self.daily_tokens is not None and self.spent + price > self.daily_tokens):
            self._refused.append(now)
            if len(self._refused) > TOO_MANY_REFUSALS:
                raise Blocked
            raise Refusal(429, "Request over limit", self._left())
        self._made.append(now)
        if searches:
            self._searched.append(now)
        self.spent += price
        return self._left()

    def _full(self, times: deque[float], limit: int | None) -> bool:
        return limit is not None and len(times) >= limit

    def _left(self) -> dict[str, str]:
        if self.calls is None or not self.headers:
            return {}
        left = {"x-ratelimit-limit": str(self.calls), "x-ratelimit-remaining": str(max(0, self.calls - len(self._made)))}
        if self.daily_tokens is not None:
            left["x-daily-ratelimit-token-limit"] = str(self.daily_tokens)
            left["x-daily-ratelimit-token-remaining"] = str(max(0, self.daily_tokens - self.spent))
        return {**left, "x-ratelimit-reset": str(int(BURST))}


class Blocked(Exception):
    """The proxy in front answers with an HTML page."""
