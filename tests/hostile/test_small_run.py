"""A few thousand hostile requests in the default suite, and that the counting sees what must not be."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from dataclasses import astuple

import pytest

from .attacks import Attack, Attacks, Secrets
from .running import Outcome, Run, run
from .wire import Reply

SECRETS = Secrets("webhook-secret", "operator-secret", "admin-secret", "cookie-secret", "form-secret")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc, and sends from many addresses of 127.0.0.0/8")
def test_a_small_run(tmp_path):
    outcome = asyncio.run(run(tmp_path, seed=7, requests=3_000))
    assert outcome.breaches == {}
    assert outcome.hangs == 0
    total = outcome.total()
    assert total[200] > 20, "operators were shown pages"
    assert total[202] > 5, "and deliveries accepted"
    assert min(total[status] for status in (303, 400, 401, 403, 404, 405, 413, 415)) > 0
    assert outcome.honest > 0


def test_a_number_is_always_the_same_request_and_kinds_come_by_their_shares():
    one, other = Attacks(1, SECRETS), Attacks(1, SECRETS)
    made = [one(number) for number in range(2_000)]
    assert made == [other(number) for number in range(2_000)]
    assert made[:20] != [Attacks(2, SECRETS)(number) for number in range(20)]
    kinds = Counter(attack.kind for attack in made)
    assert len(kinds) == 13
    assert kinds["mutated"] > kinds["page"] > kinds["slow"]


def test_a_stranger_holds_no_secret():
    private = [text.encode() for text in astuple(SECRETS)]
    for number in range(2_000):
        attack = Attacks(3, SECRETS)(number)
        if attack.stranger:
            assert not any(text in b"".join(attack.parts) for text in private)


class _NoListener:
    """In place of a service: only the counting is looked at."""


def _counted(attack: Attack, *answers: tuple[int, bytes], hung: bool = False) -> Outcome:
    counting = Run(_NoListener(), SECRETS, seed=1, requests=10)  # type: ignore[arg-type]
    counting._count(attack, Reply(list(answers), hung=hung))
    return counting.outcome


def test_the_counting_sees_what_must_not_be():
    stranger = Attack(1, "path", (b"",))
    sender = Attack(1, "path", (b"",), stranger=False)
    half = Attack(1, "path", (b"",), whole=False)
    for attack, answers, breach in (
        (sender, [(500, b"")], "answered 500"),
        (sender, [(502, b"")], "answered 502"),
        (sender, [(101, b"")], "answered 101"),
        (stranger, [(202, b"")], "a stranger's delivery was accepted"),
        (stranger, [(404, b"first@example.com")], "a stranger was shown something private"),
        (stranger, [(400, b"webhook-secret")], "a stranger was shown something private"),
        (stranger, [(200, b"<html>")], "a stranger was shown a page"),
        (sender, [], "complete, and closed without an answer"),
    ):
        assert list(_counted(attack, *answers).breaches) == [breach]
    assert _counted(sender, hung=True).hangs == 1
    for attack, answers in (
        (stranger, [(200, b'{"status": "ok"}'), (404, b""), (303, b"")]),
        (sender, [(202, b'{"status": "queued"}'), (503, b""), (100, b"")]),
        (half, []),
    ):
        assert _counted(attack, *answers).breaches == {}
