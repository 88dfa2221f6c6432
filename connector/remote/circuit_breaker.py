"""Whether an account can be used now: after some failures in a row nobody asks it any more until a probe succeeds."""

from __future__ import annotations

import asyncio

from connector.model.errors import AccountPaused, RemoteError, Unavailable

#: Calls in a row that must find a remote system unavailable before everything else stops asking it.
FAILURES_BEFORE_DOWN = 3


class CircuitBreaker:
    """Whether an account can be used now, and why not. Every call reports to it and asks it first."""

    def __init__(self, account: str) -> None:
        self.account = account
        self.error: RemoteError | None = None
        #: Whether it has ever answered sensibly since the start.
        self.answered = False
        #: Set whenever the account stops being usable, so that somebody starts to probe it.
        self.tripped = asyncio.Event()
        #: The opposite: set while the account can be used.
        self.usable = asyncio.Event()
        self.usable.set()
        self._failures = 0

    def check(self) -> None:
        """Raise Unavailable or AccountPaused if the account cannot be used, with the words of the error that said so.

        Whatever that error was, this request is not sent: it can neither have had an effect nor have been refused.
        """
        if self.error is not None:
            kind = AccountPaused if isinstance(self.error, AccountPaused) else Unavailable
            raise kind(str(self.error), account=self.account, status=self.error.status, hint=self.error.hint)

    def succeeded(self) -> None:
        """Some call was answered sensibly."""
        self.answered = True
        self._failures = 0

    def failed(self, error: RemoteError) -> None:
        """A call found the remote system unavailable (counts) or the account refused (trips at once)."""
        self._failures += 1
        if isinstance(error, AccountPaused) or self._failures >= FAILURES_BEFORE_DOWN:
            self.trip(error)

    def trip(self, error: RemoteError) -> None:
        """Stop using the account until a probe succeeds."""
        self.error = error
        self.usable.clear()
        self.tripped.set()

    def reset(self) -> None:
        """The account works again."""
        self.answered = True
        self.error = None
        self._failures = 0
        self.tripped.clear()
        self.usable.set()
