"""How often a booking system is called: the settings every one of them has, with defaults of its own."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from connector.config.settings import Section
from connector.remote.rate_limit import Window

#: Calls; 0 or null: no limit.
Calls = Annotated[int | None, Field(ge=0)]


class CallLimits(Section):
    """Calls a second and a minute."""

    per_second: Calls = None
    per_minute: Calls = None

    def windows(self) -> tuple[Window, ...]:
        """The limits as sliding windows."""
        pairs = ((self.per_second, 1.0), (self.per_minute, 60.0))
        return tuple(Window(calls, seconds) for calls, seconds in pairs if calls)
