"""What a process does not import: each of these takes 5 to 100 ms of its start. Counted in modules, since times vary."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from connector import registry

ROOT = Path(__file__).parent.parent
CONFIG = """
[server]
port = 0
[booking.stores]
system = "booxi"
base_url = "http://127.0.0.1:9/booking/v1"
partner_key = "partner-key"
module_id = "hubspot"
webhook = { verify = "token", tokens = ["a token of ours that is long enough"] }
[crm.main]
system = "hubspot"
base_url = "http://127.0.0.1:9"
token = "token"
[[sync]]
booking = "stores"
crm = "main"
"""
COMMANDS = """
import json, sys
from connector.cli import main
for line in json.loads(sys.argv[1]):
    try:
        main(line, prog_name="connector")
    except SystemExit as end:
        assert not end.code, (line, end.code)
print(json.dumps(sorted(sys.modules)))
"""
SERVICE = """
import json, sys
from connector.cli import main, running

def loop(job):
    # Not before: the command decides what is imported in which way.
    from connector.app import Service

    async def once(service, listening):
        await service.start()
        await service.stop()

    def announced(service, details):
        # It listens; what the worker imports comes behind this.
        modules.extend(sys.modules)
        announce(service, details)

    announce, Service._announce = Service._announce, announced
    Service.run_until_signal = once
    until_stopped(job)

modules, until_stopped = [], running._loop
running._loop = loop
main(["serve", *sys.argv[1:]], standalone_mode=False)
print(json.dumps(modules))
"""


def imported(program: str, *args: str) -> set[str]:
    command = [sys.executable, "-c", program, *args]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def integrations(modules: set[str]) -> set[str]:
    """Names of those of which anything is imported."""
    found = {
        tuple(name.split(".")[1:3]) for name in modules if name.startswith(("connector.booking_systems.", "connector.crms."))
    }
    return {name for _, name in found} & {*registry.BOOKING_SYSTEMS, *registry.CRMS}


def test_help_imports_nothing_of_what_the_commands_do():
    lines = [
        ["--help"],
        ["--version"],
        ["events", "list", "--help"],
        ["check", "--help"],
        ["serve", "--help"],
        ["demo", "--help"],
    ]
    modules = imported(COMMANDS, json.dumps(lines))
    heavy = {"pydantic", "asyncio", "httpx", "aiohttp", "structlog", "rich", "starlette", "sqlite3", "phonenumbers", "ssl"}
    assert heavy & modules == set()
    ours = {name for name in modules if name.startswith("connector.")}
    assert {name for name in ours if not name.startswith(("connector.cli", "connector.model", "connector.sandbox"))} == {
        "connector.registry"
    }


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "connector.toml"
    file.write_text(CONFIG, encoding="utf-8")
    return file


def test_a_service_listens_without_other_integrations_and_without_what_its_first_client_needs(config):
    modules = imported(SERVICE, "--config", str(config))
    assert integrations(modules) == {"booxi", "hubspot"}
    assert {"aiohttp", "nameparser", "email_validator", "jinja2", "rich", "pygments"} & modules == set()

    listed = [["events", "list"], ["review", "list"], ["links", "list"]]
    modules = imported(COMMANDS, json.dumps([[*line, "--config", str(config)] for line in listed]))
    assert "connector.store.sqlite.standing" in modules, "what reads a database"
    heavy = {
        "httpx",
        "http.client",
        "aiohttp",
        "starlette",
        "uvicorn",
        "nameparser",
        "email_validator",
        "sqlite_utils",
        "jinja2",
    }
    assert heavy & modules == set(), "a list asks nobody"
    assert integrations(modules) == {"booxi", "hubspot"}
    assert not {name for name in modules if name.endswith(".adapter")}


@pytest.mark.parametrize("name", registry.BOOKING_SYSTEMS)
def test_the_settings_beside_a_booking_system_are_its_own(name):
    assert registry.Registry().booking(name) is registry.booking_system(name).settings_model


@pytest.mark.parametrize("name", registry.CRMS)
def test_the_settings_beside_a_crm_are_its_own(name):
    assert registry.Registry().crm(name) is registry.crm(name).settings_model
