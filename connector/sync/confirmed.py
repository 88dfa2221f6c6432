"""Links that the CRM has confirmed a moment ago, so that an event that changes nothing need not ask again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

from connector.model.links import Link

#: Links that are kept at most, the last confirmed ones: about 3 MB.
MOST = 20_000


class Confirmed:
    """For `seconds` after the CRM has shown the customer of a link, and what was said of the client has been written there.

    It is kept in memory: after a restart every link is confirmed again. `clock` answers seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, str, int]] = OrderedDict()

    def mark(self, link: Link, said: Hashable) -> None:
        """The CRM has just shown this customer, and lacks nothing of `said`."""
        if self._seconds:
            self._known[link.client_id] = (self._clock(), link.customer_id, hash(said))
            self._known.move_to_end(link.client_id)
            if len(self._known) > MOST:
                self._known.popitem(last=False)

    def holds(self, link: Link, said: Hashable) -> bool:
        """Whether the same link was confirmed not long ago, and nothing new is said."""
        at, customer_id, known = self._known.get(link.client_id, (0.0, "", 0))
        return customer_id == link.customer_id and known == hash(said) and 0 <= self._clock() - at < self._seconds
