"""Whether an account can be used now: after some failures in a row nobody asks it any more until a probe succeeds.

The same for one kind of action: what is refused whatever the event stops alone, is tried again by one call at growing
intervals, and everything else goes on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from connector.model.dates import moment_of
from connector.model.errors import AccountPaused, ActionRefused, LimitReached, RemoteError, Unavailable

#: Calls in a row that must find a remote system unavailable before everything else stops asking it.
FAILURES_BEFORE_DOWN = 3
#: Refusals in a row of one kind of action, with no success between them, before its other events stop asking.
REFUSALS_BEFORE_STOP = 3
#: Seconds until one call of a refused kind tries again; the last one repeats.
TRIALS = (2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
#: Seconds: a refusal so soon after a success of the same call is the answer to it, read by the adapter.
SAME_CALL = 1.0
#: Seconds for which a refusal stays known after the action has worked again.
RECENT = 3_600.0


@dataclass(slots=True)
class RefusedAction:
    """One kind of action that the account was refused; `stopped` once its events wait. `since` and `last` are Unix time."""

    error: ActionRefused
    since: float
    last: float = 0.0
    refusals: int = 0
    stopped: bool = False
    trials: int = 0
    #: By the breaker's clock: when one call may try again.
    try_at: float = 0.0


class CircuitBreaker:
    """Whether an account can be used now, and why not. Every call reports to it and asks it first."""

    def __init__(
        self, account: str, *, clock: Callable[[], float] = time.monotonic, now: Callable[[], float] = time.time
    ) -> None:
        self.account = account
        self.error: RemoteError | None = None
        #: Whether it has ever answered sensibly since the start.
        self.answered = False
        #: Unix time at which the account stopped being usable, and at which a limit ends; None otherwise.
        self.since: float | None = None
        self.until: float | None = None
        #: Set whenever the account stops being usable, so that somebody starts to probe it.
        self.tripped = asyncio.Event()
        #: The opposite: set while the account can be used.
        self.usable = asyncio.Event()
        self.usable.set()
        #: Set whenever something was said about a kind of action, so that somebody looks.
        self.actions_changed = asyncio.Event()
        #: Set where a refusal may be the account's own: the probe decides.
        self.suspected = asyncio.Event()
        #: How often somebody may have fixed what is refused.
        self.asked_again = 0
        self._failures = 0
        self._clock = clock
        self._now = now
        #: Why the account was refused last, by whatever call, and when (Unix time).
        self._paused: tuple[float, AccountPaused] | None = None
        self._refused: dict[str, RefusedAction] = {}
        self._past: dict[str, tuple[float, RefusedAction]] = {}

    def check(self) -> None:
        """Raise Unavailable or AccountPaused if the account cannot be used, with the words of the error that said so.

        Whatever that error was, this request is not sent: it can neither have had an effect nor have been refused.
        """
        if isinstance(error := self.error, LimitReached):
            left, text = self.error_left(), str(error)
            raise LimitReached(text, account=self.account, status=error.status, retry_after=left, hint=error.hint)
        if error is not None:
            kind = AccountPaused if isinstance(error, AccountPaused) else Unavailable
            raise kind(str(error), account=self.account, status=error.status, hint=error.hint)

    def check_action(self, action: str) -> None:
        """Raise ActionRefused while this kind of action is stopped; from time to time one call is let through to try."""
        entry = self._refused.get(action)
        if entry is None or not entry.stopped:
            return
        if self._clock() < entry.try_at:
            # A new one each time: an exception that is raised again and again collects tracebacks.
            known = entry.error
            raise ActionRefused(str(known), action=action, account=self.account, status=known.status, hint=known.hint)
        self._plan(entry)

    def succeeded(self, action: str = "") -> None:
        """Some call was answered sensibly."""
        self.answered = True
        self._failures = 0
        if (entry := self._refused.pop(action, None)) is not None:
            self._past[action] = (self._clock(), entry)
            self.actions_changed.set()

    def failed(self, error: RemoteError) -> None:
        """A call found the remote system unavailable (counts), the account refused (trips at once), or itself (`refused`)."""
        if isinstance(error, ActionRefused):
            self.refused(error)
            return
        self._failures += 1
        if isinstance(error, AccountPaused) or self._failures >= FAILURES_BEFORE_DOWN:
            self.trip(error)

    def refused(self, error: ActionRefused) -> None:
        """A kind of action was refused: it stops after some refusals in a row, or at once where the answer is certain."""
        at, past = self._past.pop(error.action, (0.0, None))
        if past is not None and self._clock() - at < SAME_CALL:
            self._refused.setdefault(error.action, past)
        entry = self._refused.setdefault(error.action, RefusedAction(error, self._now()))
        entry.error = error
        entry.last = self._now()
        entry.refusals += 1
        if not entry.stopped and (error.certain or entry.refusals >= REFUSALS_BEFORE_STOP):
            entry.stopped = True
            self._plan(entry)
        if entry.refusals in (1, REFUSALS_BEFORE_STOP):
            self.suspected.set()
        self.actions_changed.set()

    def adopt(self, error: ActionRefused, since: float) -> None:
        """Another process has been refused a kind of action since a Unix time: its events stop here too."""
        entry = RefusedAction(error, since, self._now(), REFUSALS_BEFORE_STOP, stopped=True)
        self._refused[error.action] = entry
        self._plan(entry)
        self.suspected.set()
        self.actions_changed.set()

    def works(self, action: str) -> None:
        """Another process has found that a kind of action is not refused any more."""
        if (entry := self._refused.pop(action, None)) is not None:
            self._past[action] = (self._clock() - SAME_CALL, entry)
            self.actions_changed.set()

    def _plan(self, entry: RefusedAction) -> None:
        entry.try_at = self._clock() + TRIALS[min(entry.trials, len(TRIALS) - 1)]
        entry.trials += 1

    def stopped(self) -> dict[str, RefusedAction]:
        """The kinds of action whose events wait, by what they are for."""
        return {action: entry for action, entry in self._refused.items() if entry.stopped}

    def is_stopped(self, action: str) -> bool:
        """Whether events that need this kind of action wait."""
        return action in self.stopped()

    def refusals(self) -> dict[str, RefusedAction]:
        """Every kind of action that was refused last, stopped or not."""
        return dict(self._refused)

    def recovered(self) -> dict[str, RefusedAction]:
        """What was refused within the last hour and has worked since, or was forgotten because the whole account stopped."""
        oldest = self._now() - RECENT
        self._past = {action: (at, entry) for action, (at, entry) in self._past.items() if entry.last >= oldest}
        return {action: entry for action, (_, entry) in self._past.items() if action not in self._refused}

    def lately(self) -> tuple[float, AccountPaused] | None:
        """When (Unix time) and why the account was refused within the last hour, while it can be used."""
        if self.error is not None or self._paused is None or self._paused[0] < self._now() - RECENT:
            return None
        return self._paused

    def try_again(self) -> None:
        """Somebody may have fixed what is refused: the next call of each stopped kind tries."""
        self.asked_again += 1
        for entry in self.stopped().values():
            entry.trials, entry.try_at = 0, self._clock()
        self.actions_changed.set()

    def trip(self, error: RemoteError) -> None:
        """Stop using the account until a probe succeeds."""
        if self.error is None:
            self.since = self._now()
        self.error = error
        if isinstance(error, AccountPaused):
            self._paused = self._now(), error
        ends = isinstance(error, LimitReached) and error.retry_after is not None
        self.until = self._now() + (error.retry_after or 0.0) if ends else None
        # What was refused is part of this by now; when the account works again, it is tried again.
        self._past.update({action: (self._clock(), entry) for action, entry in self._refused.items()})
        self._refused.clear()
        self.actions_changed.set()
        self.usable.clear()
        self.tripped.set()

    def prolong(self, seconds: float) -> None:
        """The limit that the account has reached lasts so much longer from now."""
        if self.until is not None:
            self.until = max(self.until, self._now() + seconds)

    def error_left(self) -> float:
        """Seconds until the limit ends that the account has reached; 0 where there is none."""
        return 0.0 if self.until is None else max(self.until - self._now(), 0.0)

    @property
    def limited_until(self) -> str:
        """When the limit ends that the account has reached, for people (UTC); empty where there is none."""
        return "" if self.until is None else moment_of(self.until)

    def reset(self) -> None:
        """The account works again."""
        self.answered = True
        self.error = self.since = self.until = None
        self._failures = 0
        self.tripped.clear()
        self.usable.set()
