"""What the breaker of an account raises while something is stopped."""

from __future__ import annotations

import pytest

from connector.model.errors import AccountPaused, ActionRefused, LimitReached, RemoteError, Unavailable
from connector.remote.circuit_breaker import CircuitBreaker

SCOPE = ActionRefused("no scope", action="record", account="crm.main", status=403, hint="Give it.", certain=True)


def ask(breaker: CircuitBreaker) -> None:
    """What every call asks before it is sent."""
    breaker.check()
    breaker.check_action("record")


def raised(breaker: CircuitBreaker, kind: type[RemoteError]) -> RemoteError:
    with pytest.raises(kind) as caught:
        ask(breaker)
    return caught.value


@pytest.mark.parametrize(
    "error", [SCOPE, AccountPaused("no key"), LimitReached("no calls", retry_after=60.0), Unavailable("down")], ids=repr
)
def test_the_same_words_are_raised_by_an_exception_of_its_own(error: RemoteError) -> None:
    """One that is raised again and again would collect the traceback of every call that waited."""
    breaker = CircuitBreaker("crm.main")
    if isinstance(error, ActionRefused):
        breaker.refused(error)
    else:
        breaker.trip(error)
    first, second = raised(breaker, type(error)), raised(breaker, type(error))
    assert first is not second is not error
    assert error.__traceback__ is None
    assert (str(first), first.status, first.hint) == (str(error), error.status, error.hint)
