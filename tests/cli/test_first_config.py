"""The first steps: a configuration by questions or options, and the schema for editors."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import anyio
import httpx
import pytest
from acceptance.world import Service
from click.testing import CliRunner

from connector import registry
from connector.cli import first_config, main
from connector.config import settings

from .place import invoke

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "config.example.toml").read_text(encoding="utf-8")


def loaded(file: Path) -> settings.Config:
    variables = dict.fromkeys(re.findall(r'env = "(\w+)"', file.read_text()), "0123456789abcdef")
    return settings.load(file, systems=registry.Registry(), environ=variables)


# ---- connector init ----


@pytest.mark.parametrize("booking", registry.BOOKING_SYSTEMS)
@pytest.mark.parametrize("url", ["", "https://hooks.example.com"])
def test_every_booking_system_gets_a_file_that_loads_without_a_warning(tmp_path, booking, url):
    file = tmp_path / "connector.toml"
    result = invoke("init", "--yes", "--booking", booking, "--public-url", url, "--country", "ca", "--output", str(file))
    assert result.exit_code == 0, result.output
    config = loaded(file)
    assert (config.warnings, config.plain_secrets) == ((), ())
    assert config.booking["stores"].system == booking
    assert config.booking["stores"].default_country == "CA"
    for name in re.findall(r'env = "(\w+)"', file.read_text()):
        assert f"export {name}=" in result.stdout
    assert f"{url or 'http://127.0.0.1:8080'}/webhooks/stores" in result.stdout


@pytest.mark.parametrize("crm", registry.CRMS)
def test_every_crm_gets_a_file_that_loads_and_is_told_what_to_correct(tmp_path, crm):
    file = tmp_path / "connector.toml"
    result = invoke("init", "--yes", "--crm", crm, "--output", str(file))
    assert result.exit_code == 0, result.output
    config = loaded(file)
    assert (config.warnings, config.plain_secrets, config.crm["main"].system) == ((), (), crm)
    for name in re.findall(r'env = "(\w+)"', file.read_text()):
        assert f"export {name}=" in result.stdout
    examples = [key for key, example in first_config.EXAMPLES.items() if f'{key} = "{example}"' in file.read_text()]
    said = f"Correct these examples in {file}: [crm.main] {', '.join(examples)}\n"
    assert (said in result.stdout) is bool(examples)


def test_a_setting_of_the_crm_is_named_with_its_table(tmp_path):
    file = tmp_path / "connector.toml"
    given = ["--set", "crm.base_url=https://shop.example.com", "--set", "crm.database=shop", "--set", "region=eu"]
    result = invoke("init", "--yes", "--crm", "tryton", *given, "--output", str(file))
    assert result.exit_code == 0, result.output
    crm = tomllib.loads(file.read_text())["crm"]["main"]
    assert (crm["base_url"], crm["database"]) == ("https://shop.example.com", "shop")
    assert "Correct these examples" not in result.stdout


def test_as_json_it_says_what_to_set(tmp_path):
    file = tmp_path / "x.toml"
    result = invoke("init", "--json", "--source", "spa", "--set", "module_id=crm", "--output", str(file))
    assert json.loads(result.stdout) == {
        "file": str(file),
        "variables": ["BOOXI_PARTNER_KEY", "BOOXI_WEBHOOK_TOKEN", "HUBSPOT_TOKEN"],
        "webhook": "http://127.0.0.1:8080/webhooks/spa",
    }
    assert loaded(file).booking["spa"].module_id == "crm"


def test_questions_are_asked_where_somebody_can_answer(tmp_path, monkeypatch):
    monkeypatch.setattr(first_config, "somebody_is_there", lambda: True)
    file = tmp_path / "connector.toml"
    typed = "booxi\nhubspot\nspa\nhttps://hooks.example.com/\nfr\neu\nhubspot\n"
    result = CliRunner().invoke(main, ["init", "--output", str(file)], input=typed)
    assert result.exit_code == 0, result.output
    config = loaded(file)
    assert config.server.public_url == "https://hooks.example.com"
    assert (config.booking["spa"].region, config.booking["spa"].default_country) == ("eu", "FR")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("boxi\n booxi \n\n\n\n\n\n\n", "Error: 'boxi' is not known; there is bookablesites, bookeo, bookingflow, booxi."),
        ("\n\nMy Stores\n\n\n\n\n\n", "Error: the name may have a-z, 0-9, - and _ only"),
        ("\n\n\nhooks.example.com\n  \n\n\n\n", "Error: must be a web address"),
        ("\n\n\n\nCanada\n\n\n\n", "Error: must be a country's two letters"),
        ("\n\n\n\n\nemea\nna\n\n", 'Error: must be one of "na", "eu"'),
        ("\n\n\n\n\n\n...\n\n", "Error: the module id must not be blank"),
    ],
)
def test_an_answer_that_cannot_be_is_asked_for_again(tmp_path, monkeypatch, typed, said):
    """One mistake at the sixth question must not throw the five answers before it away."""
    monkeypatch.setattr(first_config, "somebody_is_there", lambda: True)
    file = tmp_path / "connector.toml"
    result = CliRunner().invoke(main, ["init", "--output", str(file)], input=typed)
    assert (result.exit_code, said in result.output) == (0, True), result.output
    config = loaded(file)
    assert (config.server.public_url, config.booking["stores"].region, config.booking["stores"].module_id) == (
        None,
        "na",
        "hubspot",
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--booking", "boxi"], f"'boxi' is not known; there is {', '.join(sorted(registry.BOOKING_SYSTEMS))}."),
        (["--set", "regoin=na"], "booxi and hubspot do not need regoin; they need region, module_id."),
        (["--public-url", "hooks.example.com"], '[server] public_url: must be a web address, for example "https://hooks.exam'),
        (["--country", "Canada"], "[booking.stores] default_country: must be a country's two letters"),
        (["--source", "My Stores"], "--source: the name may have a-z, 0-9, - and _ only"),
        (["--set", 'module_id=a"\nb'], "cannot be written into the configuration"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_no_file(tmp_path, options, said):
    file = tmp_path / "connector.toml"
    result = invoke("init", "--yes", *options, "--output", str(file))
    assert (result.exit_code, said in " ".join(result.stderr.split())) == (2, True), result.stderr
    assert not file.exists()


def test_what_is_there_is_never_overwritten(tmp_path):
    file = tmp_path / "connector.toml"
    file.write_text("mine")
    result = invoke("init", "--yes", "--output", str(file))
    assert (result.exit_code, file.read_text()) == (2, "mine")
    assert result.stderr == f"{file}: exists already; name another file with --output, or move it away\n"


def test_its_own_test_delivery_works(tmp_path, monkeypatch):
    """What `init` prints, as typed: the file, the variables, the service, the test."""
    file = tmp_path / "connector.toml"
    out = invoke("init", "--yes", "--output", str(file)).stdout
    for name in re.findall(r"export (\w+)=", out):
        monkeypatch.setenv(name, "0123456789abcdef01234567")
    # A free port, and nobody's account.
    text = (
        file.read_text()
        .replace('region = "na"', 'base_url = "http://127.0.0.1:9"')
        .replace("[booking", "[server]\nport = 0\n\n[booking", 1)
    )
    file.write_text(text)
    body = re.search(r"-d '(.*?)'", out)[1]
    assert json.loads(body)

    async def job() -> None:
        service = Service(file)
        async with service.running():
            async with httpx.AsyncClient() as client:
                headers = {"Authorization": "0123456789abcdef01234567", "Content-Type": "application/json"}
                answer = await client.post(f"{service.url}/webhooks/stores", content=body, headers=headers)
            assert (answer.status_code, answer.json()) == (202, {"status": "held", "event": "test-1"})
            assert await service.stop() == 0

    anyio.run(job)


# ---- connector config schema ----


def faults(schema: dict, part: dict, value: object, where: str = "") -> list[str]:
    """What is wrong with a value: a validator for those words of JSON schema that ours uses; others are an error."""
    found: list[str] = []
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}
    if "$ref" in part:
        found += faults(schema, schema["$defs"][part["$ref"].removeprefix("#/$defs/")], value, where)
    if (kind := part.get("type")) and (kind == "null" or not isinstance(value, kinds[kind])):
        return [*found, f"{where}: no {kind}"]
    if "const" in part and value != part["const"]:
        found.append(f"{where}: not {part['const']}")
    if "enum" in part and value not in part["enum"]:
        found.append(f"{where}: none of {part['enum']}")
    if "anyOf" in part and all(faults(schema, one, value, where) for one in part["anyOf"]):
        found.append(f"{where}: none fits")
    for one in part.get("allOf", ()):
        if "if" not in one:
            found += faults(schema, one, value, where)
        elif not faults(schema, one["if"], value, where):
            found += faults(schema, one["then"], value, where)
    if isinstance(value, dict):
        found += [f"{where}: lacks {key}" for key in part.get("required", ()) if key not in value]
        for key, inner in value.items():
            patterns = [rule for pattern, rule in part.get("patternProperties", {}).items() if re.search(pattern, key)]
            if key in part.get("properties", {}):
                found += faults(schema, part["properties"][key], inner, f"{where}.{key}")
            elif patterns:
                found += [fault for rule in patterns for fault in faults(schema, rule, inner, f"{where}.{key}")]
            elif part.get("additionalProperties") is False:
                found.append(f"{where}: {key} is unknown")
    if isinstance(value, list) and "items" in part:
        found += [fault for inner in value for fault in faults(schema, part["items"], inner, where)]
    if isinstance(value, int | float) and not part.get("minimum", value) <= value <= part.get("maximum", value):
        found.append(f"{where}: out of range")
    return found


@pytest.fixture(scope="module")
def schema() -> dict:
    result = invoke("config", "schema")
    assert result.exit_code == 0
    found: dict = json.loads(result.stdout)
    return found


def test_the_example_follows_the_schema(schema):
    assert faults(schema, schema, tomllib.loads(EXAMPLE)) == []


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("port = 8080", "prot = 8080", ".server: prot is unknown"),
        ("port = 8080", "port = 80800", ".server.port: out of range"),
        ("port = 8080", 'port = "8080"', ".server.port: no integer"),
        ('region = "na"', 'region = "moon"', ".booking.stores.region: none fits"),
        (
            'system = "hubspot"',
            'system = "rolodex"',
            f".crm.main.system: none of {sorted(registry.CRMS)}",
        ),
        ('token = { env = "HUBSPOT_TOKEN" }', 'token = { evn = "HUBSPOT_TOKEN" }', ".crm.main.token: none fits"),
        ('token = { env = "HUBSPOT_TOKEN" }', "", ".crm.main: lacks token"),
        ('token = { env = "HUBSPOT_TOKEN" }', 'token = "plain"', None),
        ('crm = "main"\n', "", ".sync: lacks crm"),
        ("[crm.main]", '[crm."Main CRM"]', ".crm: Main CRM is unknown"),
    ],
)
def test_mistakes_do_not_follow_it(schema, before, after, fault):
    assert before in EXAMPLE
    found = faults(schema, schema, tomllib.loads(EXAMPLE.replace(before, after, 1)))
    assert fault in found if fault else found == []


def test_every_reference_of_the_schema_leads_somewhere(schema):
    references = set(re.findall(r'"#/\$defs/([^"]+)"', json.dumps(schema)))
    assert references <= set(schema["$defs"])
    assert '"format": "password"' not in json.dumps(schema)
