"""Every exception of the project; each class says what happens next.

::

    ConnectorError
    ├── ConfigError            the program does not start; exit code 2
    ├── StoreError             the database cannot do what was asked
    │   └── Overloaded         the receiver answers 503 with Retry-After
    ├── Hold                   the event waits for a person
    │   └── NeedsReview        … because the person's identity is ambiguous
    ├── Ignore                 the event ends as `ignored`
    │   └── NothingToIdentify  … and is counted on the status page
    ├── Postponed              snooze: something of our own has to end first
    └── RemoteError            a remote system did not do what was asked
        ├── Unavailable        snooze until the account answers again
        ├── RateLimited        snooze for `retry_after` seconds
        ├── AccountPaused      snooze until somebody fixes the account (key, missing property)
        │   ├── ActionRefused  … or one kind of action (scope, plan); everything else goes on
        │   └── LimitReached   … or until the limit ends, by itself
        ├── Transient          retry with back-off; uses up an attempt
        │   ├── UnknownOutcome … and look first: the effect may have happened
        │   └── Lasting        … for some minutes, then hold: it rarely passes by itself
        ├── Conflict           the CRM refused a second record; carries the winner where it is named
        └── Rejected           hold; the same request will never succeed

Texts never contain a secret, an e-mail address, a phone number or a name: they are stored in traces and written to logs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class ConnectorError(Exception):
    """Base of everything the project raises on purpose; `hint` tells the operator what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(ConnectorError):
    """The configuration cannot be used; `faults` holds one line per fault, each naming file, key and fix."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class StoreError(ConnectorError):
    """The database is locked, read-only, full, of a newer version, or not a database."""


class Overloaded(StoreError):
    """There is no room for another delivery now; nothing was stored and the sender should come back."""

    retry_after = 5


class Hold(ConnectorError):
    """The event must wait for a person."""


class NeedsReview(Hold):
    """It is not clear which customer the client is; `candidates` are `{"customer_id", "evidence": [...]}`.

    `crm` names the CRM of the question. `person` is a key that clients who are certainly one person share; None: the
    question concerns this client alone.
    """

    crm = ""
    person: str | None = None
    #: The digest of the e-mail address or phone number that raises the question, where it may belong to several people.
    key: str | None = None

    def __init__(self, message: str, *, candidates: Sequence[dict[str, Any]], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.candidates = list(candidates)


class Ignore(ConnectorError):
    """There is nothing to do for this event, and there never will be."""


class NothingToIdentify(Ignore):
    """The client has no e-mail, no phone, and at most a bare name: nobody can be found or created by that."""


class Postponed(ConnectorError):
    """Not now: another event must be settled first. `retry_after` is in seconds."""

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RemoteError(ConnectorError):
    """A remote system did not do what was asked. `account` is the configured name (`booking.stores`, `crm.main`)."""

    def __init__(
        self, message: str, *, account: str = "", status: int | None = None, retry_after: float | None = None, hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.account = account
        self.status = status
        self.retry_after = retry_after


class Unavailable(RemoteError):
    """The remote system is down, unreachable or too slow, and the request had no effect that matters."""


class RateLimited(RemoteError):
    """The remote system asks for patience; `retry_after` is in seconds."""


class AccountPaused(RemoteError):
    """Nothing will work on this account until somebody fixes it: a refused key, a missing scope or property."""


class ActionRefused(AccountPaused):
    """One kind of action is refused, whatever the event: a missing scope or right, a plan, a full account.

    `action` is what the call was for, in plain words; what else the account does goes on. Where its probe is refused too, the
    whole account is paused. `certain`: the answer itself says that no event gets through; it names a scope, or a right.
    """

    def __init__(
        self,
        message: str,
        *,
        action: str,
        account: str = "",
        status: int | None = None,
        retry_after: float | None = None,
        hint: str = "",
        certain: bool = False,
    ) -> None:
        super().__init__(message, account=account, status=status, retry_after=retry_after, hint=hint)
        self.action = action
        self.certain = certain


class LimitReached(AccountPaused):
    """The account's calls are used up for longer than a call can wait; it ends by itself after `retry_after` seconds."""


class Transient(RemoteError):
    """This request failed in a way that may pass: a locked record, a server error on one item."""


class UnknownOutcome(Transient):
    """A write was sent and no clear answer came back: it may have happened. Look before acting again."""


class Lasting(Transient):
    """A state of the data that rarely passes by itself: tried for some minutes, then held with the hint."""


#: Problems of a remote system that end by themselves: whoever walks through many records waits and asks again.
PASSING = (Unavailable, RateLimited, LimitReached, Transient)


class Conflict(RemoteError):
    """The CRM refused a second record of the same person. `by` is `email` or `key`.

    `winner` was seen to carry it; None where nobody was.
    """

    def __init__(self, message: str, *, by: str, winner: str | None, account: str = "", status: int | None = None) -> None:
        super().__init__(message, account=account, status=status)
        self.by = by
        self.winner = winner


class Rejected(RemoteError):
    """The remote system understood the request and refused it for good."""

    def __init__(
        self,
        message: str,
        *,
        account: str = "",
        status: int | None = None,
        retry_after: float | None = None,
        hint: str = "",
        fields: Sequence[str] = (),
    ) -> None:
        super().__init__(message, account=account, status=status, retry_after=retry_after, hint=hint)
        #: What the remote system calls the fields that it refused, where it names them.
        self.fields = tuple(fields)
