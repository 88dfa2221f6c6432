"""Pipedrive's refusals, turned into our errors. Its sentences may hold personal data and are not passed on."""

from __future__ import annotations

import time
from collections.abc import Callable

from connector.model.errors import AccountPaused, RateLimited, RemoteError
from connector.remote.http import Answer
from connector.remote.rate_limit import Quota
from connector.remote.retry_after import retry_after

#: Tokens of our most expensive call: with fewer left, it is refused.
DEAREST = 20
#: Seconds: the burst window, the longest pause after bursts, the look after the day's tokens, and after the proxy's page.
BURST_WAIT, LONGEST_WAIT, DAILY_WAIT, PROXY_WAIT = 2.0, 60.0, 900.0, 300.0
LATER = "nothing is lost, events wait and continue by themselves."
HINT_DAILY = (
    "The company's tokens for today seem to be used up, perhaps by other programs too: asked again every 15 minutes; "
    f"{LATER} A larger plan or a top-up gives more."
)
HINT_PROXY = (
    "The proxy in front of Pipedrive, or a firewall, refuses this address; too many calls over the limit are one cause. "
    f"If it lasts, lower [{{account}}.limits]; {LATER}"
)


class Refusals:
    """The `interpret` of one account's `Remote`; `quota` is made to wait after a refusal."""

    def __init__(self, account: str, quota: Quota, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._account = account
        self._quota = quota
        self._clock = clock
        self._pause, self._last = 0.0, float("-inf")

    def interpret(self, what: str, answer: Answer, _writes: bool) -> RemoteError | None:
        """Return the error for a refused request; None leaves it to the common treatment."""
        match answer.status:
            case 402:
                return self._paused(
                    what,
                    answer,
                    "the plan or the unpaid account does not allow it",
                    f"Check the plan and its payment there; {LATER}",
                )
            case 403 if not answer.readable:
                self._quota.block(PROXY_WAIT)
                how, hint = "a page of the proxy instead of an answer", HINT_PROXY.format(account=self._account)
                return self._paused(what, answer, how, hint, PROXY_WAIT)
            case 410:
                return self._paused(what, answer, "this call is no longer available", f"Update connector; {LATER}")
            case 429:
                return self._too_many(what, answer)
        return None

    def _too_many(self, what: str, answer: Answer) -> RemoteError:
        """A burst passes in seconds, the day's tokens do not. Pauses grow while it goes on: else the proxy closes."""
        if is_daily(answer):
            self._quota.block(DAILY_WAIT)
            return self._paused(what, answer, "the tokens of the day are used up", HINT_DAILY, DAILY_WAIT)
        now = self._clock()
        again = now - self._last < 2 * self._pause + BURST_WAIT
        self._pause = min(self._pause * 2, LONGEST_WAIT) if again and self._pause else BURST_WAIT
        self._last = now
        asked = retry_after(answer.headers)
        wait = asked if asked is not None else self._pause
        self._quota.block(wait)
        text = f"Pipedrive: {what}: answered 429: too many calls at once"
        return RateLimited(text, account=self._account, status=429, retry_after=wait)

    def _paused(self, what: str, answer: Answer, how: str, hint: str, after: float | None = None) -> AccountPaused:
        text = f"Pipedrive: {what}: answered {answer.status}: {how}"
        return AccountPaused(text, account=self._account, status=answer.status, hint=hint, retry_after=after)


def is_daily(answer: Answer) -> bool:
    """Whether a 429 is about the day: no tokens left, or calls left in the burst window (which is a guess of integrators)."""
    tokens = answer.headers.get("x-daily-ratelimit-token-remaining", "").strip()
    if tokens.lstrip("-").isdigit():
        return int(tokens) < DEAREST
    left = answer.headers.get("x-ratelimit-remaining", "").strip()
    return left.isdigit() and int(left) > 0
