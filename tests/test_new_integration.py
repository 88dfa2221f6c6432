"""The skeletons of `make new-crm` and `make new-booking-system`, in a copy of the project.

Their types and imports are checked by `make check-skeletons`, which takes longer.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
NAMES = {"crm": "acme_crm", "booking-system": "zeta_booking"}


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environ = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "400"}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environ, capture_output=True, text=True, timeout=100, check=False
    )


def generate(folder: Path, family: str, name: str) -> subprocess.CompletedProcess[str]:
    return run(folder, "scripts/new_integration.py", family, name)


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A copy of the project with one skeleton of each family."""
    folder = tmp_path_factory.mktemp("project") / "copy"
    for name in ("connector", "tests", "scripts", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "config.example.toml", "CHANGELOG.md"):
        shutil.copy(ROOT / name, folder / name)
    for family, name in NAMES.items():
        answer = generate(folder, family, name)
        assert (answer.returncode, answer.stderr) == (0, "")
    return folder


def test_each_family_changes_four_files_outside_its_own_folders(project):
    """Everything else that knows of integrations finds them by itself."""
    changed = {
        path.relative_to(project).as_posix()
        for path in project.rglob("*")
        if path.is_file() and (old := ROOT / path.relative_to(project)).exists() and old.read_bytes() != path.read_bytes()
    }
    assert changed == {"connector/registry.py", "config.example.toml", "docs/integrations.md", "CHANGELOG.md"}
    new = [p.relative_to(project) for p in project.rglob("*.*") if p.is_file() and not (ROOT / p.relative_to(project)).exists()]
    assert [path for path in new if not set(NAMES.values()) & {*path.parts, path.stem}] == []


def test_the_skeletons_pass_lint_and_format(project):
    paths = ["connector/registry.py", *(str(path) for name in NAMES.values() for path in project.rglob(f"*{name}*"))]
    for command in (("check", "-q", "--output-format", "concise"), ("format", "--check", "-q")):
        answer = run(project, "-m", "ruff", *command, "--no-cache", *paths)
        assert (answer.returncode, answer.stdout) == (0, "")


LAWS = ("the_walk_yields", "the_account_and_says_what_to_do", "a_probe_asks")


@pytest.fixture(scope="module")
def outcomes(project) -> dict[str, list[str]]:
    """The tests of the copy that concern the skeletons: their own, some of the contract, the documentation's; by outcome."""
    paths = ["tests/crms/acme_crm", "tests/booking_systems/zeta_booking", "tests/contract/test_crms.py"]
    paths += ["tests/contract/test_booking_systems.py", "tests/test_docs.py"]
    paths += ["tests/acceptance/test_demo.py"]
    laws = " or ".join(LAWS)
    pages = "(test_docs or test_demo) and (integration or example_loads or gone)"
    chosen = f"(acme or zeta) and ({laws} or test_adapter or every) or {pages}"
    answer = run(project, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "--show-capture=no", *paths, "-k", chosen)
    lines = re.findall(r"(?m)^(PASSED|FAILED|ERROR|SKIPPED) (.+)$", answer.stdout)
    return {kind: [line for outcome, line in lines if outcome == kind] for kind in ("PASSED", "FAILED", "ERROR", "SKIPPED")}


def test_only_the_contract_of_a_skeleton_fails_and_says_what_is_not_written_yet(outcomes):
    assert (outcomes["ERROR"], outcomes["SKIPPED"]) == ([], [])
    unclear = [
        line for line in outcomes["FAILED"] if not re.search(r"tests/contract/.*(is not written yet|cannot do this yet)", line)
    ]
    assert unclear == []
    for law in LAWS:
        assert any(law in line for line in outcomes["FAILED"]), law


def test_the_own_tests_and_the_documentation_of_a_skeleton_pass(outcomes):
    for name in NAMES.values():
        assert any("test_adapter.py::test_a_probe_makes_one_call" in line and name in line for line in outcomes["PASSED"])
        assert any("test_every_integration_has_a_stage" in line for line in outcomes["PASSED"])
        for page in ("registered", "in_the_example", "documented", "in_the_changelog"):
            assert any(f"test_every_integration_is_{page}" in line for line in outcomes["PASSED"]), page
        assert any("documented_with_its_default" in line and name in line for line in outcomes["PASSED"])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("acme_crm", "exists already"),
        ("Acme", "must be"),
        ("", "must be"),
        ("class", "must be"),
        ("base", "must be"),
        ("../x", "must be"),
    ],
)
def test_a_name_that_cannot_be_is_refused(project, name, said):
    before = {path: path.stat().st_mtime_ns for path in project.rglob("*.py")}
    answer = generate(project, "crm", name)
    assert (answer.returncode, said in answer.stderr) == (2, True)
    assert {path: path.stat().st_mtime_ns for path in project.rglob("*.py")} == before


def test_a_shared_file_without_the_expected_place_leaves_everything_as_it_was(project):
    registry = project / "connector" / "registry.py"
    before = registry.read_text(encoding="utf-8")
    registry.write_text(before.replace("\nCRMS = {", "\nCRMS: dict[str, str] = {"), encoding="utf-8")
    try:
        answer = generate(project, "crm", "other_crm")
        assert "connector/registry.py has no line 'CRMS = {'" in answer.stderr
        assert not list(project.rglob("other_crm*"))
    finally:
        registry.write_text(before, encoding="utf-8")
