"""Documentation that cannot drift: every setting, command and integration is in it, and what it says of them is so."""

import json
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from remote.authority import Authority
from rsa_key import PEM

from connector import registry
from connector.config import settings
from connector.config.operators import OperatorSettings, StatusSettings
from connector.config.outbound import OutboundSettings
from connector.config.reader import _nested
from connector.crms.base import Uniqueness
from connector.model.capabilities import BookingCapability, Capability, CrmCapability
from connector.remote.integration import Integration

ROOT = Path(__file__).parent.parent


def with_all_sections(text: str) -> str:
    """The example with its commented-out sections in use; such a section reaches to the next line without a mark."""
    lines, inside = [], False
    for line in text.splitlines():
        inside = line.startswith("#") and (inside or bool(re.fullmatch(r"# \[+[\w.]+\]+", line)))
        lines.append(line.removeprefix("#").removeprefix(" ") if inside else line)
    return "\n".join(lines) + "\n"


AS_IT_IS = (ROOT / "config.example.toml").read_text(encoding="utf-8")
EXAMPLE = with_all_sections(AS_IT_IS)
ENVIRON = dict.fromkeys(re.findall(r'env = "(\w+)"', EXAMPLE), "0123456789abcdef") | {"ANN_TOKEN": "fedcba9876543210"}
#: Commented-out lines of the example that are not defaults but other ways to say the same.
ALTERNATIVES = {
    "booking.rooms.fields.event_id_header",
    "booking.rooms.fields.type_header",
    "booking.rooms.write_back_field",
    "booking.salon.api_time_zone",
    "booking.salon.profile",
    "booking.stores.base_url",
    "booking.stores.webhook.secrets",
    "booking.stores.webhook.timestamp_header",
    "crm.customers.solution",
    "database.password",
    "crm.sales.account_id",
    "crm.sales.audience",
    "crm.sales.private_key",
    "crm.sales.username",
    "crm.office.accounts_url",
    "crm.office.base_url",
    "crm.contacts.api_key_expires",
    "crm.contacts.api_key_name",
    "crm.contacts.database",
    "crm.contacts.login",
    "crm.contacts.mobile_field",
    "crm.main.record_url",
    "sync.appointment_text",
    "sync.appointment_title",
    *(f"outbound.{key}" for key in OutboundSettings.model_fields),
}
#: Lines of the example that need another one, or its file: the key → the lines used with it.
TOGETHER = {
    "client_cert": ("client_cert", "client_key"),
    "client_key": ("client_cert", "client_key"),
    "client_key_password": ("client_cert", "client_key", "client_key_password"),
    "proxy_user": ("proxy", "proxy_user"),
    "proxy_password": ("proxy", "proxy_user", "proxy_password"),
    "private_key": ("private_key", "username"),
    "username": ("private_key", "username"),
    "audience": ("private_key", "username", "audience"),
}
LINKED = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("connector/**/README.md")]


@cache
def text(name: str) -> str:
    path = ROOT / name
    return path.read_text(encoding="utf-8") if path.exists() else ""


def load(folder: Path, toml: str) -> settings.Config:
    path = folder / "connector.toml"
    path.write_text(toml, encoding="utf-8")
    return settings.load(path, systems=registry.Registry(), environ=ENVIRON)


# ---- settings ----


@pytest.mark.parametrize("toml", [AS_IT_IS, EXAMPLE], ids=["as it is", "with all sections"])
def test_the_example_loads_without_a_warning(tmp_path, toml):
    config = load(tmp_path, toml)
    # The example shows every CRM, and its sources all go into one.
    assert [warning for warning in config.warnings if not re.search(r"\[crm\.\w+\]: is used by no", warning)] == []
    assert config.plain_secrets == ()
    assert config.sync


def commented_settings() -> list[tuple[str, str, str]]:
    """`(table, key, line)` of every setting that the example shows but does not use."""
    found, table = [], ""
    for line in EXAMPLE.splitlines():
        if header := re.fullmatch(r"\[+([\w.]+)\]+", line):
            table = header[1]
        elif setting := re.fullmatch(r"# (\w+) = .+", line):
            found.append((table, setting[1], line))
    return found


def in_use(table: str, line: str) -> str:
    head, _, rest = EXAMPLE.partition(f"[{table}]")
    return f"{head}[{table}]{rest.replace(line, line.removeprefix('# '), 1)}"


@pytest.mark.parametrize(("table", "key", "line"), [pytest.param(*s, id=f"{s[0]}.{s[1]}") for s in commented_settings()])
def test_a_commented_line_of_the_example_is_the_default_or_an_alternative(tmp_path, table, key, line):
    toml = in_use(table, line)
    if table == "outbound":
        authority = Authority(tmp_path, "company")
        client = authority.issue("client")
        for file, given in (("company-ca.pem", authority.ca.cert), ("client.pem", client.cert), ("client.key", client.key)):
            given.rename(tmp_path / file)
    if table == "crm.sales" and key in TOGETHER:
        (tmp_path / "salesforce.pem").write_text(PEM, encoding="ascii")
        toml = re.sub(r"(?m)^client_secret = .*SALESFORCE.*\n", "", toml)
    if table in ("outbound", "crm.sales"):
        for other in TOGETHER.get(key, ()):
            toml = re.sub(rf"(?m)^# ({other} = )", r"\1", toml)
    if (table, key) == ("booking.stores", "base_url"):
        toml = toml.replace('region = "na"\n', "")
    changed = load(tmp_path, toml) != load(tmp_path, EXAMPLE)
    assert changed is (f"{table}.{key}" in ALTERNATIVES)


def own_fields(model: type[BaseModel], base: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields a system adds to every system's, or gives another default."""
    shared = base.model_fields
    return {k: f for k, f in model.model_fields.items() if k not in shared or f.default != shared[k].default}


def with_nested(fields: dict[str, FieldInfo]) -> list[tuple[str, FieldInfo]]:
    inner = [pair for info in fields.values() if (model := _nested(info)) for pair in with_nested(dict(model.model_fields))]
    return [*fields.items(), *inner]


def documented() -> list[tuple[str, str, str, FieldInfo]]:
    """`(page, heading, key, field)` of every setting there is: the keys of one product are in its own page."""
    common = "docs/configuration.md"
    tables: dict[tuple[str, str], dict[str, FieldInfo]] = {
        (common, "[server]"): dict(settings.ServerSettings.model_fields),
        (common, "[database]"): dict(settings.DatabaseSettings.model_fields),
        (common, "[worker]"): dict(settings.WorkerSettings.model_fields),
        (common, "[status]"): {k: f for k, f in StatusSettings.model_fields.items() if k != "operators"},
        (common, "[[status.operators]]"): dict(OperatorSettings.model_fields),
        (common, "[log]"): dict(settings.LogSettings.model_fields),
        (common, "[outbound]"): dict(OutboundSettings.model_fields),
        (common, "[booking.NAME]"): {
            k: f for k, f in settings.BookingSettings.model_fields.items() if k not in ("webhook", "outbound")
        },
        (common, "[booking.NAME.webhook]"): dict(settings.WebhookSettings.model_fields),
        (common, "[crm.NAME]"): {k: f for k, f in settings.CrmSettings.model_fields.items() if k != "outbound"},
        (common, "[[sync]]"): dict(settings.SyncSettings.model_fields),
    }
    for name in registry.BOOKING_SYSTEMS:
        own = own_fields(registry.booking_system(name).settings_model, settings.BookingSettings)
        tables[f"connector/booking_systems/{name}/README.md", f'[booking.NAME]` with `system = "{name}"'] = own
    for name in registry.CRMS:
        own = own_fields(registry.crm(name).settings_model, settings.CrmSettings)
        tables[f"connector/crms/{name}/README.md", f'[crm.NAME]` with `system = "{name}"'] = own
    return [(*place, key, info) for place, fields in tables.items() for key, info in with_nested(fields)]


def section(page: str, heading: str) -> str:
    found = re.search(rf"(?ms)^##+ `{re.escape(heading)}`$(.*?)(?=^##|\Z)", text(page))
    assert found, f"{page} has no heading for {heading}"
    return found[1]


def shown(info: FieldInfo) -> str:
    """A default as the documentation writes it."""
    default: Any = info.default
    if info.is_required():
        return "required"
    if isinstance(default, BaseModel):
        return "a table"
    return "–" if default is None else f"`{json.dumps(default, ensure_ascii=False)}`"


SETTINGS = [pytest.param(*entry, id=f"{entry[1]}-{entry[2]}") for entry in documented()]


@pytest.mark.parametrize(("page", "heading", "key", "info"), SETTINGS)
def test_every_setting_is_documented_with_its_default(page, heading, key, info):
    row = re.search(rf"(?m)^\| `{key}` \| (.+?) \|", section(page, heading))
    assert row, f"{page}: {heading} has no row for {key}"
    assert row[1] == shown(info)


@pytest.mark.parametrize("key", sorted({entry[2] for entry in documented()}))
def test_every_setting_is_in_the_example(key):
    assert re.search(rf"(?m)^(# )?{key} = |[{{,] {key} = |^\[[\w.]+\.{key}\]$", EXAMPLE), f"config.example.toml lacks {key}"


def test_the_documentation_names_no_setting_that_is_gone():
    known: dict[str, set[str]] = {"docs/configuration.md": {"webhook"}}
    for page, _, key, _ in documented():
        known.setdefault(page, set()).add(key)
    for page, keys in known.items():
        part = text(page).partition("\n## Settings\n")[2].partition("\n## ")[0] or text(page)
        assert set(re.findall(r"(?m)^\| `(\w+)` \|", part)) <= keys | known["docs/configuration.md"], page


# ---- commands ----


def commands(command: click.Command, path: str) -> list[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        return [(path, command)]
    return [found for name, inner in command.commands.items() for found in commands(inner, f"{path} {name}")]


def test_every_command_and_option_is_documented():
    from connector.cli import main

    where = text("docs/commands.md") + text("README.md")
    missing = []
    for path, command in commands(main, "connector"):
        if path not in where:
            missing.append(path)
        flags = [flag for option in command.params if isinstance(option, click.Option) for flag in option.opts]
        missing += [f"{path} {flag}" for flag in flags if flag.startswith("--") and flag not in where]
    assert missing == []


# ---- integrations ----


def folders(family: str) -> list[str]:
    return sorted(path.parent.name for path in (ROOT / "connector" / family).glob("*/__init__.py"))


FAMILIES = {"booking_systems": registry.BOOKING_SYSTEMS, "crms": registry.CRMS}
FOLDERS = [(family, name) for family in FAMILIES for name in folders(family)]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_integration_is_registered(family):
    assert folders(family) == sorted(FAMILIES[family])


@pytest.mark.parametrize(("family", "name"), FOLDERS)
def test_every_integration_is_in_the_example(family, name):
    table = {"booking_systems": "booking", "crms": "crm"}[family]
    assert name in {account["system"] for account in tomllib.loads(EXAMPLE)[table].values()}


@pytest.mark.parametrize(("family", "name"), FOLDERS)
def test_every_integration_is_documented(family, name):
    assert text(f"connector/{family}/{name}/README.md"), f"{name} has no README.md"
    assert f"| `{name}` | [" in text("docs/integrations.md"), f"docs/integrations.md has no row for {name}"


def table_behind(page: str, head: str) -> list[str]:
    """The rows of the table that begins with this line."""
    rest = text(page).partition(f"\n{head}\n")[2]
    return rest.partition("\n\n")[0].splitlines()[1:]


def row(adapter: type[Integration], capabilities: type[Capability], *cells: str) -> str:
    """The line that says what a class declares."""
    words = [["yes"] * (one in adapter.capabilities) + ["a setting"] * (one in adapter.by_setting) for one in capabilities]
    return f"| {' | '.join([adapter.title, *cells, *(', '.join(word) or '–' for word in words)])} |"


def test_what_each_booking_system_can_do_is_documented_for_every_integration():
    head = f"| booking system | {' | '.join(one.value for one in BookingCapability)} |"
    wanted = [row(registry.booking_system(name), BookingCapability) for name in registry.BOOKING_SYSTEMS]
    assert sorted(table_behind("docs/integrations.md", head)) == sorted(wanted)


def test_what_each_crm_can_do_is_documented_for_every_integration():
    first = "| CRM | refuses a second record with the same | takes an owner"
    grades = {Uniqueness.KEY: "key", Uniqueness.EMAIL: "e-mail", Uniqueness.NONE: "–"}
    wanted = [
        row(one, CrmCapability, grades[one.uniqueness], "yes" if one.settings_model.owner_field else "–")
        for one in map(registry.crm, registry.CRMS)
    ]
    head = f"{first} | {' | '.join(one.value for one in CrmCapability)} |"
    assert sorted(table_behind("docs/integrations.md", head)) == sorted(wanted)


@pytest.mark.parametrize(("family", "name"), FOLDERS)
def test_every_integration_is_in_the_changelog(family, name):
    title = text(f"connector/{family}/{name}/README.md").partition("\n")[0].removeprefix("# ")
    assert title.removesuffix(" CRM") in text("CHANGELOG.md")


@pytest.mark.parametrize("name", registry.BOOKING_SYSTEMS)
def test_a_booking_system_is_registered_under_its_own_name(name):
    assert registry.booking_system(name).system == name


@pytest.mark.parametrize("name", registry.CRMS)
def test_a_crm_is_registered_under_its_own_name(name):
    assert registry.crm(name).system == name


# ---- pages ----


@pytest.mark.parametrize("page", LINKED, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_what_the_architecture_says_of_the_engine_is_where_it_says():
    section = text("docs/architecture.md").partition("\n### The engine")[2].partition("\n### ")[0]
    named = re.findall(r"((?:`[\w.]+`(?: and )?)+) \(`([\w/]+\.py)`\)", section)
    found = [(name, file) for names, file in named for name in re.findall(r"`([\w.]+)`", names)]
    assert len(found) > 15
    assert [(name, file) for name, file in found if not _defines(ROOT / "connector" / file, name)] == []


def _defines(file: Path, name: str) -> bool:
    """Whether the file defines a class or a function, or a class with such a method or attribute."""
    source = file.read_text(encoding="utf-8")
    outer, _, inner = name.partition(".")
    body = re.search(rf"^(?:class|def) {outer}\b.*?(?=^\S|\Z)", source, re.MULTILINE | re.DOTALL)
    return body is not None and (
        not inner or re.search(rf"^ +(?:(?:async )?def |self\.){inner}\b", body[0], re.MULTILINE) is not None
    )


def test_the_changelog_has_a_place_for_what_comes():
    assert "\n## [Unreleased]\n" in text("CHANGELOG.md")
