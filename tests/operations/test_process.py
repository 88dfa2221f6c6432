"""What is known of the process itself: its open files."""

from __future__ import annotations

import resource

import pytest

from connector.operations import checks


def test_far_from_the_limit_nothing_is_said():
    assert checks.open_files() == []


def test_near_the_limit_it_is_a_warning_and_at_it_an_error(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (10, 20))
    monkeypatch.setattr(checks.Path, "iterdir", lambda _path: iter(range(8)))
    (check,) = checks.open_files()
    assert (check.id, check.level, check.message) == ("process.files", "warning", "8 of 10 files and connections are open")
    monkeypatch.setattr(checks.Path, "iterdir", lambda _path: iter(range(10)))
    assert checks.open_files()[0].level == "error"


def test_no_file_left_even_to_look_is_an_error(monkeypatch):
    def refuse(_path):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (10, 20))
    monkeypatch.setattr(checks.Path, "iterdir", refuse)
    (check,) = checks.open_files()
    assert (check.level, check.message) == ("error", "10 of 10 files and connections are open")


@pytest.mark.parametrize(
    ("soft", "hard", "becomes"), [(256, 4096, 4096), (256, 1_000_000, 65_536), (100_000, 1_000_000, None), (256, -1, 65_536)]
)
def test_the_soft_limit_is_raised_as_far_as_it_may(monkeypatch, soft, hard, becomes):
    done = []
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _kind, limits: done.append(limits))
    assert checks.raise_file_limit() == (becomes or soft)
    assert done == ([(becomes, hard)] if becomes else [])
