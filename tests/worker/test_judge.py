"""The verdict table: what each class of error makes of an event."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connector.model import errors
from connector.model.errors import (
    AccountPaused,
    ActionRefused,
    Conflict,
    ConnectorError,
    Hold,
    Ignore,
    Lasting,
    LimitReached,
    NeedsReview,
    NothingToIdentify,
    Overloaded,
    Postponed,
    RateLimited,
    Rejected,
    StoreError,
    Transient,
    Unavailable,
    UnknownOutcome,
)
from connector.model.jobs import Awaited, Verdict
from connector.remote.circuit_breaker import CircuitBreaker
from connector.remote.rate_limit import LONGEST_OUTAGE
from connector.worker.worker import GIVE_UP_AFTER, GIVE_UP_ATTEMPTS, LAST_RETRY, PATIENT_SNOOZES, Worker

from .harness import work

NOW = 1_800_000_000.0
OURS = {"account": "crm.main"}

#: Error while its account is open → (state, counts as an attempt, earliest and latest next try in seconds).
TABLE = [
    (Ignore("nothing to do"), "ignored", True, None),
    (NothingToIdentify("nobody"), "ignored", True, None),
    (Hold("wait"), "held", True, None),
    (NeedsReview("which?", candidates=[]), "held", True, None),
    (Rejected("no", **OURS), "held", True, None),
    (Postponed("another first", retry_after=3.0), "queued", False, (3.0, 3.0)),
    (RateLimited("slowly", retry_after=7.0, **OURS), "queued", False, (7.0, 7.0)),
    (RateLimited("slowly", **OURS), "queued", False, (1.0, 1.0)),
    (Unavailable("down", **OURS), "queued", False, (0.0, 2.0)),
    (AccountPaused("refused", account="crm.unknown"), "retrying", True, (0.0, 2.0)),
    (ActionRefused("refused", action="search", account="crm.main"), "retrying", True, (0.0, 2.0)),
    (LimitReached("daily", account="crm.unknown"), "retrying", True, (0.0, 2.0)),
    (Transient("locked", **OURS), "retrying", True, (0.0, 2.0)),
    (Transient("locked", retry_after=30.0, **OURS), "retrying", True, (30.0, 30.0)),
    (UnknownOutcome("lost", **OURS), "retrying", True, (0.0, 2.0)),
    (Lasting("too many", **OURS), "retrying", True, (0.0, 2.0)),
    (Conflict("twice", by="email", winner=None, **OURS), "retrying", True, (0.0, 2.0)),
    (StoreError("disk full"), "retrying", True, (0.0, 2.0)),
    (Overloaded("too much"), "retrying", True, (0.0, 2.0)),
]
#: These have no row: the first never reaches a running event, the others are only the roots of families.
WITHOUT_ROW = {errors.ConfigError, ConnectorError, errors.RemoteError}


@pytest.fixture
def closed() -> CircuitBreaker:
    """An account that can be closed; the worker knows it as crm.main."""
    return CircuitBreaker("crm.main")


@pytest.fixture
def worker(closed: CircuitBreaker) -> Worker:
    return Worker(None, {}, {"crm.main": closed}, clock=lambda: NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize(("error", "state", "counts", "wait"), TABLE, ids=lambda value: type(value).__name__)
def test_each_error_has_its_verdict(worker, error, state, counts, wait):
    verdict = worker.judge(work(received_at=NOW), error)
    assert (verdict.state, verdict.counts, verdict.waits_for) == (state, counts, None)
    assert verdict.reason == str(error)
    if wait is None:
        assert verdict.due is None
    else:
        assert wait[0] <= verdict.due - NOW <= wait[1]


def family(root: type[ConnectorError]) -> Iterator[type[ConnectorError]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from family(child)


def test_no_class_of_error_was_forgotten():
    assert set(family(ConnectorError)) - WITHOUT_ROW <= {type(row[0]) for row in TABLE}


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("down", **OURS),
        AccountPaused("refused", **OURS),
        Transient("odd", **OURS),
        UnknownOutcome("lost", **OURS),
    ],
    ids=lambda error: type(error).__name__,
)
def test_while_the_account_is_closed_the_event_waits_for_it_and_spends_no_attempt(worker, closed, error):
    closed.trip(error)
    verdict = worker.judge(work(snoozes=1000, attempts=1000), error)
    assert verdict == Verdict("queued", str(error), waits_for=Awaited("crm.main"), counts=False)


def test_while_an_action_is_stopped_its_events_wait_for_it_and_others_do_not(worker, closed):
    error = ActionRefused("no scope", action="search contacts", account="crm.main", hint="Give it.", certain=True)
    other = ActionRefused("no scope", action="record", account="crm.main")
    closed.refused(error)
    verdict = worker.judge(work(attempts=1000), error)
    assert verdict == Verdict("queued", "no scope", "Give it.", waits_for=Awaited("crm.main", "search contacts"), counts=False)
    assert worker.judge(work(), other).state == "retrying"


def test_an_action_refused_for_one_event_only_is_held_after_minutes(worker):
    error = ActionRefused("page instead of JSON", action="record", account="crm.main", hint="Look.")
    verdict = worker.judge(work(attempts=5, failing_since=NOW - 301), error)
    assert (verdict.state, verdict.hint) == ("held", "Look.")


def test_a_hint_of_the_error_goes_along(worker):
    assert worker.judge(work(), Hold("wait", hint="Look.")).hint == "Look."
    assert worker.judge(work(), Rejected("no", hint="Ask.")).hint == "Ask."
    assert "retry" in worker.judge(work(), Rejected("no")).hint


def test_a_refusal_for_good_counts_as_failed_and_a_question_does_not(worker):
    refused, asked = work(), work()
    worker.judge(refused, Rejected("no"))
    worker.judge(asked, Hold("which?"))
    assert (refused.outcome, asked.outcome) == ("failed", None)


def test_a_postponed_event_looks_again_at_growing_intervals(worker):
    waits = [worker.judge(work(snoozes=n), Postponed("x", retry_after=3.0)).due - NOW for n in range(9)]
    assert waits == [3, 6, 12, 24, 48, 60, 60, 60, 60]


def test_unavailable_to_one_event_only_becomes_its_own_problem(worker):
    verdicts = [worker.judge(work(snoozes=n, received_at=NOW), Unavailable("x", **OURS)) for n in range(PATIENT_SNOOZES + 1)]
    assert [(v.state, v.counts) for v in verdicts] == [("queued", False)] * PATIENT_SNOOZES + [("retrying", True)]


def test_a_remote_system_that_says_for_how_long_it_is_away_is_not_asked_before_but_not_after_a_day_either(worker):
    def wait(seconds):
        return worker.judge(work(received_at=NOW), Unavailable("x", retry_after=seconds, **OURS)).due - NOW

    assert [wait(seconds) for seconds in (7.0, 86_400.0)] == [7.0, LONGEST_OUTAGE]


def test_retries_grow_with_full_jitter_and_never_exceed_an_hour(worker):
    def waits(attempt):
        return [worker.judge(work(attempts=attempt, received_at=NOW), Transient("x", **OURS)).due - NOW for _ in range(300)]

    for attempt, bound in ((1, 2.0), (2, 4.0), (5, 32.0), (12, LAST_RETRY), (5000, LAST_RETRY)):
        found = waits(attempt)
        assert 0 <= min(found) < bound / 4
        assert bound * 0.75 < max(found) <= bound


def test_what_rarely_passes_is_held_after_minutes_with_what_to_do(worker):
    def judged(since, attempts):
        return worker.judge(work(attempts=attempts, failing_since=NOW - since), Lasting("too many", hint="Tidy up.", **OURS))

    assert [judged(*at).state for at in ((299, 9), (301, 4))] == ["retrying", "retrying"]
    assert (judged(301, 5).state, judged(301, 5).hint) == ("held", "Tidy up.")


def test_given_up_only_after_a_week_and_enough_attempts(worker):
    old, young = NOW - GIVE_UP_AFTER - 1, NOW - GIVE_UP_AFTER + 1
    states = {
        (since, attempts): worker.judge(work(attempts=attempts, failing_since=since), Transient("x", **OURS)).state
        for since in (old, young)
        for attempts in (GIVE_UP_ATTEMPTS - 1, GIVE_UP_ATTEMPTS)
    }
    assert {key for key, state in states.items() if state == "held"} == {(old, GIVE_UP_ATTEMPTS)}
    assert set(states.values()) == {"held", "retrying"}


def test_the_time_an_event_waited_before_it_failed_does_not_count(worker):
    event = work(attempts=GIVE_UP_ATTEMPTS, received_at=NOW - 2 * GIVE_UP_AFTER)
    assert worker.judge(event, Transient("x", **OURS)).state == "retrying"


def test_what_was_given_up_says_so_and_how_to_go_on(worker):
    event = work(attempts=12, failing_since=NOW - GIVE_UP_AFTER - 1)
    verdict = worker.judge(event, Transient("locked", **OURS))
    assert verdict.reason == "given up after 12 attempts: locked"
    assert "retry" in verdict.hint
    assert event.outcome == "failed"
