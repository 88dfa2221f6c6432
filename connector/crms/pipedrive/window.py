"""Since when the newest persons are listed: by the clock of Pipedrive's answers, so that a wrong clock of ours hides nobody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from connector.model.dates import utc_now
from connector.remote.http import Answer
from connector.remote.values import write_time


class Window:
    """The last `minutes`, as Pipedrive counts them."""

    def __init__(self, minutes: float, clock: Callable[[], datetime] = utc_now) -> None:
        self.clock = clock
        self._length = timedelta(minutes=minutes)
        #: How far Pipedrive's clock is ahead of ours, by the last answer.
        self._ahead = timedelta(0)

    def learn(self, answer: Answer) -> None:
        """Compare the clocks by the `Date` of an answer; one without it says nothing."""
        try:
            self._ahead = parsedate_to_datetime(answer.headers["date"]) - self.clock()
        except (KeyError, ValueError, TypeError):
            return

    @property
    def since(self) -> str:
        """The beginning of the window, as it is asked for."""
        return write_time(self.clock() + self._ahead - self._length)
