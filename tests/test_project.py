"""What surrounds the code: image, lock files, Makefile and CI, as far as they can be checked without an engine."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import tomllib
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
#: One instruction a line, without comments.
STEPS = [
    line
    for line in re.sub(r"\\\n\s*", "", "\n".join(li for li in DOCKERFILE.splitlines() if not li.startswith("#"))).splitlines()
    if line
]
FINAL = STEPS[max(i for i, step in enumerate(STEPS) if step.startswith("FROM ")) :]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
needs_make = pytest.mark.skipif(
    shutil.which("make") is None, reason="make is not installed; the README gives the plain commands"
)


def step(name: str) -> str:
    (found,) = [line.removeprefix(f"{name} ") for line in FINAL if line.startswith(f"{name} ")]
    return found


# ---- Dockerfile ----


def test_images_are_pinned_to_a_version():
    """Both stages on one base, which a builder can name by its digest."""
    (base,) = [line.removeprefix("ARG BASE=") for line in STEPS if line.startswith("ARG BASE=")]
    assert re.fullmatch(r"python:3\.\d+-slim-\w+(@sha256:[0-9a-f]{64})?", base)
    assert [line.split()[1] for line in STEPS if line.startswith("FROM ")] == ["${BASE}", "${BASE}"]


#: Answers what `make image` asks of Docker, and writes down how it was called.
DOCKER = """#!/bin/sh
echo "$@" >> "$LOG"
case "$1 $2" in "image inspect") echo "$ANSWER";; esac
"""
DIGEST = "sha256:" + "0123456789abcdef" * 4


def make_image(folder: Path, answer: str) -> tuple[subprocess.CompletedProcess[str], str]:
    """Run `make image` with a Docker that answers so; and its calls."""
    docker, log = folder / "docker", folder / "log"
    docker.write_text(DOCKER, encoding="utf-8")
    docker.chmod(0o755)
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "LOG": str(log), "ANSWER": answer}
    done = subprocess.run(["make", "image"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return done, log.read_text(encoding="utf-8")


@needs_make
def test_an_image_is_built_on_a_base_that_is_named_by_its_digest(tmp_path):
    (base,) = [line.removeprefix("ARG BASE=") for line in STEPS if line.startswith("ARG BASE=")]
    done, calls = make_image(tmp_path, f"python@{DIGEST}")
    assert (done.returncode, done.stdout) == (0, f"Base image: {base}@{DIGEST}\n")
    assert calls.splitlines()[-1] == (
        f"build --build-arg BASE={base}@{DIGEST} --label org.opencontainers.image.base.name={base}"
        f" --label org.opencontainers.image.base.digest={DIGEST} --tag connector ."
    )


@needs_make
def test_no_image_is_built_where_the_digest_is_not_known(tmp_path):
    done, calls = make_image(tmp_path, "<no value>")
    assert done.returncode != 0
    assert "Docker does not say the digest of python:" in done.stderr
    assert "build" not in calls


def test_what_is_copied_exists_and_is_let_through():
    sources = [s for line in STEPS if line.startswith("COPY ") and "--from" not in line for s in line.split()[1:-1]]
    let_through = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in let_through
    assert "connector" in sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert f"!{source}" in let_through, source
    assert "." not in sources
    assert not any(line.startswith("ADD ") for line in STEPS)


def test_what_the_package_needs_to_be_built_is_copied():
    copied = " ".join(line for line in STEPS if line.startswith("COPY "))
    for needed in ("pyproject.toml", PROJECT["project"]["readme"], *PROJECT["project"]["license-files"]):
        assert needed in copied


def test_packages_are_installed_from_the_lock_with_hashes():
    installs = [line for line in STEPS if "pip install" in line]
    assert len(installs) == 2
    assert "--require-hashes --requirement requirements-image.lock" in installs[0]
    assert "--no-deps --no-build-isolation ." in installs[1]


def test_the_service_is_nobody_and_writes_to_data_only():
    user, group = step("USER").split(":")
    assert int(user) > 0
    assert int(group) > 0
    assert step("VOLUME") == "/data"
    assert "PYTHONDONTWRITEBYTECODE=1" in step("ENV")
    assert step("STOPSIGNAL") == "SIGTERM"
    assert json.loads(step("ENTRYPOINT")) == ["connector"]
    assert json.loads(step("CMD")) == ["serve", "--config", "/data/connector.toml"]


class Health(BaseHTTPRequestHandler):
    """Answers /healthz with the status its server was given."""

    def do_GET(self):
        self.send_response(self.server.status if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def health_check():
    """Run the image's HEALTHCHECK against a server that answers with the given status; None: nothing listens."""
    command = json.loads(step("HEALTHCHECK").partition(" CMD ")[2])
    assert command[0] == "python"
    servers = []

    def run(status):
        server = HTTPServer(("127.0.0.1", 0), Health)
        url = f"http://127.0.0.1:{server.server_port}/healthz"
        if status is None:
            server.server_close()
        else:
            server.status = status
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            servers.append(server)
        environ = {**os.environ, "CONNECTOR_HEALTH_URL": url, "http_proxy": "http://127.0.0.1:1"}
        return subprocess.run(
            [sys.executable, *command[1:]], check=False, env=environ, capture_output=True, timeout=20
        ).returncode

    yield run
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False), (404, False), (None, False)])
def test_the_health_check_tells_a_live_server_from_a_dead_one(health_check, status, healthy):
    assert (health_check(status) == 0) is healthy


# ---- lock files ----


def pins(name: str) -> dict[str, str]:
    content = (ROOT / name).read_text(encoding="utf-8")
    return dict(re.findall(r"(?m)^([a-z0-9.-]+)==([^\s;]+)", content))


def normal(requirement: str) -> str:
    return re.split(r"[\s<>=;\[~!]", requirement, maxsplit=1)[0].lower().replace("_", "-")


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-image.lock", "requirements-dev.lock"])
def test_a_lock_has_a_hash_for_everything_and_says_nothing_about_the_machine_that_made_it(name):
    content = (ROOT / name).read_text(encoding="utf-8")
    entries = re.split(r"(?m)^(?=[a-z0-9])", re.sub(r"(?m)^\s*#.*\n", "", content))[1:]
    assert len(entries) == len(pins(name))
    assert all("--hash=sha256:" in entry for entry in entries)
    assert not re.search(r"(?m)^--|://|file:/|(^|\s)/\w", content)


def test_the_locks_name_every_dependency_and_agree():
    run, image, dev = (pins(name) for name in ("requirements.lock", "requirements-image.lock", "requirements-dev.lock"))
    extras = PROJECT["project"]["optional-dependencies"]
    assert {normal(r) for r in PROJECT["project"]["dependencies"]} <= run.keys()
    assert {normal(r) for r in extras["dev"]} <= dev.keys()
    assert {normal(r) for r in (*extras["postgres"], *extras["jwt"])} <= image.keys() - run.keys()
    assert {name: image.get(name) for name in run} == run
    assert {name: dev.get(name) for name in image} == image


def test_building_the_package_downloads_nothing():
    for name in ("requirements.lock", "requirements-image.lock"):
        assert {normal(r) for r in PROJECT["build-system"]["requires"]} <= pins(name).keys()


# ---- Makefile ----


def make(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    environ = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "PYTHON")}
    return subprocess.run(
        ["make", "--no-print-directory", "-C", str(folder), *args],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=environ,
    )


@pytest.fixture
def elsewhere(tmp_path):
    """A folder that has the Makefile and what it looks at, and no virtual environment."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "requirements-dev.lock"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


@needs_make
def test_make_alone_says_what_there_is(elsewhere):
    answer = make(elsewhere)
    assert answer.returncode == 0
    assert {f"make {t}" for t in ("demo", "test", "check", "bench", "lock", "clean", "help")} <= set(
        re.findall(r"make \w+", answer.stdout)
    )
    assert not (elsewhere / ".venv").exists()


@needs_make
def test_make_demo_and_test_set_up_and_pass_arguments_on(elsewhere):
    demo = make(elsewhere, "-n", "demo", "DEMO_ARGS=--once").stdout
    assert "--require-hashes --requirement requirements.lock" in demo
    assert "requirements-dev.lock" not in demo
    assert demo.rstrip().endswith(".venv/bin/connector demo --once")
    test = make(elsewhere, "-n", "test").stdout
    assert "--require-hashes --requirement requirements-dev.lock" in test
    assert f"/bin/pytest -n {2 * (os.cpu_count() or 1)} --dist loadfile" in test


@needs_make
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 1", "older than 3.11"),
        ('case "$1" in -m) exit 1;; esac; exit 0', "apt-get install python3-venv"),
        (None, "older than 3.11"),
    ],
)
def test_a_python_that_will_not_do_is_named_with_the_remedy(elsewhere, script, said):
    python = elsewhere / "python"
    if script is not None:
        python.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        python.chmod(0o755)
    answer = make(elsewhere, "demo", f"PYTHON={python}")
    assert answer.returncode != 0
    assert said in answer.stderr
    assert not (elsewhere / ".venv").exists()


@needs_make
def test_without_another_python_the_suite_on_others_is_left_out_with_a_line():
    mine = f"{sys.version_info.major}.{sys.version_info.minor}"
    # -o: what is installed stays as it is.
    settings = (f"BIN={Path(sys.executable).parent}", f"VERSIONS={mine} 3.99")
    answer = make(ROOT, "-o", ".venv/.installed-dev", "test-others", *settings)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout == f"No other Python than {mine} is here: the short suite on others is left out\n"


# ---- .ci/run ----


@pytest.fixture
def ci(tmp_path):
    """Run .ci/run in a folder of its own, with a `make` that only writes down how it was called."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("make", "chromium"):
        (tools / tool).write_text(
            "#!/bin/sh\n"
            'required="browser postgres=$CONNECTOR_TEST_POSTGRES nginx=$CONNECTOR_TEST_NGINX"\n'
            'echo "$(basename "$0") $*" ${CONNECTOR_REQUIRE_BROWSER:+"$required"}\n[ "$1" != "$FAILS_AT" ]\n',
            encoding="utf-8",
        )
        (tools / tool).chmod(0o755)

    def run(readme: str, *, make_fails_at: str = "never") -> subprocess.CompletedProcess[str]:
        (tmp_path / "README.md").write_text(readme, encoding="utf-8")
        environ = {"PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(tmp_path), "FAILS_AT": make_fails_at}
        return subprocess.run([tmp_path / ".ci" / "run"], check=False, capture_output=True, text=True, timeout=60, env=environ)

    return run


def test_ci_runs_what_the_readme_tells_newcomers_to_run(ci):
    answer = ci("Run `make test`.")
    assert answer.returncode == 0, answer.stderr
    check, test, others = answer.stdout.splitlines()
    assert (check, test) == ("make check", "make test browser postgres=required nginx=required")
    assert others.startswith("make test-others VERSIONS=3.14 3.13 3.12 3.11 MOST=1 SHORT=tests/")


@pytest.mark.parametrize("target", ["check", "test", "test-others"])
def test_ci_does_all_and_fails_when_one_of_them_does(ci, target):
    answer = ci("Run `make test`.", make_fails_at=target)
    assert answer.returncode == 1
    assert len(answer.stdout.splitlines()) == 3


def test_ci_fails_when_the_readme_says_something_else(ci):
    answer = ci("Run something.")
    assert answer.returncode == 1
    assert "no longer names 'make test'" in answer.stderr
    assert answer.stdout == ""


# ---- the code's size ----


@pytest.mark.parametrize(
    "ending", ["", "-wal", "-shm", ".lock", ".key", ".renewed", ".last-backup", ".before-restore-20260101T000000Z"]
)
def test_what_a_service_keeps_in_the_folder_is_not_committed(ending):
    """The database has personal data, and under its key identity keys are stored."""
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert any(fnmatch(f"connector.db{ending}", one) for one in ignored)


def test_no_module_has_more_than_400_lines():
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / "connector").rglob("*.py")}
    assert {str(path.relative_to(ROOT)): length for path, length in lengths.items() if length > 400} == {}
