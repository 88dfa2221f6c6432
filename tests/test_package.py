"""The package as others get it: the source archive is complete, and the wheel that is built from it runs by itself."""

from __future__ import annotations

import os
import re
import shutil
import site
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
#: What a build leaves, and what is nobody's source.
LEFT = shutil.ignore_patterns(".git", ".venv", "build", "dist", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis")
BUILD = "import sys, setuptools.build_meta as b; print(getattr(b, sys.argv[1])(sys.argv[2]))"


def build(folder: Path, what: str, into: Path) -> Path:
    """Build with the tool that pyproject.toml names, as it is installed here."""
    pytest.importorskip("setuptools", reason="the build tool is not installed, and nothing is downloaded for a test")
    into.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", BUILD, what, str(into)], cwd=folder, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return into / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    """The source archive, unpacked."""
    folder = tmp_path_factory.mktemp("package")
    shutil.copytree(ROOT, folder / "copy", ignore=LEFT)
    packed = build(folder / "copy", "build_sdist", folder / "dist")
    with tarfile.open(packed) as tar:
        tar.extractall(folder / "source", filter="data")
    (unpacked,) = (folder / "source").iterdir()
    return unpacked


@pytest.fixture(scope="module")
def wheel(archive, tmp_path_factory) -> Path:
    return build(archive, "build_wheel", tmp_path_factory.mktemp("wheel"))


def test_the_source_archive_has_everything(archive):
    for folder in ("connector", "tests", "docs", "benchmarks"):
        ours = {p.relative_to(ROOT) for p in (ROOT / folder).rglob("*") if p.is_file() and "__pycache__" not in p.parts}
        theirs = {p.relative_to(archive) for p in (archive / folder).rglob("*") if p.is_file()}
        assert {path for path in ours - theirs if not re.search(r"\.(db|db-\w+|lock)$", path.name)} == set()
    for name in (
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "Makefile",
        "config.example.toml",
        "requirements-image.lock",
        ".ci/run",
    ):
        assert (archive / name).exists(), name


def test_the_wheel_has_templates_and_no_tests(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "connector/web/status/templates/status.html" in names
    assert "connector/py.typed" in names
    assert not [name for name in names if name.split("/")[0] not in ("connector", wheel.name.split("-py3")[0] + ".dist-info")]


def test_the_installed_wheel_runs_the_demo(wheel, tmp_path):
    environment = tmp_path / "clean"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True, timeout=60)
    (packages,) = environment.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(packages)
        text = packed.read(f"{wheel.name.split('-py3')[0]}.dist-info/entry_points.txt").decode()
    assert "connector = connector.__main__:run" in text
    # What it depends on is taken from here: nothing is downloaded for a test. Paths in a .pth file run no further ones,
    # so that the package under development is not seen.
    (packages / "dependencies.pth").write_text("\n".join([*site.getsitepackages(), *map(str, others())]))
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    program = [str(environment / "bin" / "python"), "-c", "from connector.__main__ import run; run()"]
    ask = [*program[:2], "import connector; print(connector.__file__)"]
    where = subprocess.run(ask, cwd=tmp_path, env=environ, capture_output=True, text=True, check=True)
    assert where.stdout.startswith(str(packages)), where
    done = subprocess.run(
        [*program, "demo", "--once"], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "the id was stored in the booking system and confirmed" in done.stdout


def others() -> list[Path]:
    """Further folders of packages that this interpreter uses."""
    return [Path(path) for path in sys.path if path.endswith("site-packages")]


def test_the_package_says_what_it_is():
    assert PROJECT["name"] != "connector", "that name is somebody else's"
    assert {"authors", "keywords", "classifiers", "readme", "license"} <= PROJECT.keys()
    promised = {line.rpartition(" ")[2] for line in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", line)}
    assert f"3.{PROJECT['requires-python'].partition('.')[2]}" in promised
    assert "3.13" in promised, "the image's own"


def test_a_service_holds_nothing_that_draws_on_terminals():
    program = (
        "import sys; from connector.cli.common import leave_out_terminals; leave_out_terminals('httpx', 'structlog')\n"
        "import connector.app, connector.cli.running, connector.registry as r; [r.Registry().crm(name) for name in r.CRMS]\n"
        "print(sorted({'rich', 'pygments', 'jinja2'} & sys.modules.keys()))\n"
        "import rich.console; print(rich.console.Console)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines() == ["[]", "<class 'rich.console.Console'>"], done.stderr
