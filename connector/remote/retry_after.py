"""How long a remote system asks to be left alone: the header Retry-After."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

#: No pause is as long as this; a number so large is a moment since 2001.
_UNIX_TIME = 1_000_000_000.0


def retry_after(headers: Mapping[str, str], *, now: Callable[[], float] = time.time) -> float | None:
    """Seconds from a Retry-After header (a number or an HTTP date), at most a day; None where there is none.

    Some servers send the moment itself, as Unix time in seconds or milliseconds, although it should be the seconds until then.
    """
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
        if seconds >= _UNIX_TIME:
            seconds = (seconds / 1000 if seconds >= _UNIX_TIME * 1000 else seconds) - now()
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
            # A date without a zone, or with "-0000", is one in UTC.
            seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now()
        except (ValueError, OverflowError):
            return None
    return min(max(seconds, 0.0), 86_400.0) if not math.isnan(seconds) else None
