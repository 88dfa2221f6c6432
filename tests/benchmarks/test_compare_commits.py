"""Two commits side by side: each runs its own package, and the newer one is called worse only where it is."""

from __future__ import annotations

import subprocess
import sys

import pytest
from compare_commits import Figure, export, row
from world import environment

RATE, TIME = Figure("rate", True, 0), Figure("time", False, 0)


@pytest.mark.parametrize(
    ("figure", "old", "new", "verdict"),
    [
        (RATE, [100, 100, 100], [96, 96, 96], "yes"),
        (RATE, [100, 100, 100], [94, 94, 94], "no"),
        (RATE, [100, 100, 100], [50, 100, 101], "yes"),
        (TIME, [100, 100, 100], [104, 104, 104], "yes"),
        (TIME, [100, 100, 100], [106, 106, 106], "no"),
        (TIME, [100, 100, 100], [50, 50, 50], "yes"),
    ],
)
def test_worse_is_less_of_what_is_good_and_more_of_what_costs(figure, old, new, verdict):
    assert row(figure, old, new)[-1] == verdict


def test_the_ratio_is_of_the_two_of_one_round():
    assert row(TIME, [100, 200], [200, 400])[1:4] == ["150 (100–200)", "300 (200–400)", "2.00 (2.00–2.00)"]


def test_what_one_of_them_cannot_do_is_said():
    assert row(TIME, [None, None], [1, 1])[1:] == ["–", "–", "–", "not measured"]


def test_each_commit_runs_its_own_package(tmp_path):
    repository = tmp_path / "repository"
    (repository / "connector").mkdir(parents=True)
    git = ["git", "-C", str(repository), "-c", "user.name=test", "-c", "user.email=test@example.com"]
    subprocess.run([*git, "init", "-q"], check=True)
    codes = []
    for number in (1, 2):
        (repository / "connector" / "__init__.py").write_text(f"print({number})\n")
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-q", "-m", str(number)], check=True)
        codes.append(tmp_path / f"code-{number}")
    assert len(export("HEAD~1", codes[0], repository)) >= 4
    export("HEAD", codes[1], repository)
    for code, expected in zip(codes, ("1\n", "2\n"), strict=True):
        command = [sys.executable, "-c", "import connector"]
        done = subprocess.run(command, env=environment(code), cwd=code, capture_output=True, text=True, check=True)
        assert done.stdout == expected
    with pytest.raises(SystemExit, match="knows no commit"):
        export("nothing", tmp_path / "nothing", repository)
