"""Usage and configuration: what is wrong is said in a line, with exit code 2; what is not there yet is no error."""

from __future__ import annotations

import errno
import itertools
import json
from collections.abc import Iterator

import click
import pytest

from connector import __version__
from connector.cli import main

from .place import invoke


def commands(group: click.Group = main, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command by its words."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


#: The commands of the public contract.
CONTRACT = {
    ("demo",),
    ("serve",),
    ("backfill",),
    ("check",),
    *itertools.product(["events"], ["list", "show", "retry", "discard"]),
    *itertools.product(["review"], ["list", "show", "link", "create", "different", "shared", "dismiss"]),
    *itertools.product(["links"], ["list", "remove"]),
    ("sandbox",),
}
#: Commands with what they need besides a configuration.
NEEDS = {
    ("backfill",): ["stores"],
    ("events", "show"): ["1"],
    ("events", "retry"): ["1"],
    ("events", "discard"): ["1"],
    ("review", "show"): ["1"],
    ("review", "link"): ["1", "7"],
    ("links", "remove"): ["stores", "7"],
    ("review", "create"): ["1"],
    ("review", "dismiss"): ["1"],
    ("review", "different"): ["1"],
    ("review", "shared"): ["1"],
}
#: A file with a fault of every kind.
FAULTY = """
[server]
prot = 1
[worker]
concurrency = "many"
[booking.stores]
system = "boxi"
[booking.two]
system = "booxi"
region = "moon"
partner_key = { env = "CONNECTOR_NOT_SET" }
module_id = "hubspot"
[[sync]]
booking = "three"
crm = "x"
"""
CONFIGURED = sorted(CONTRACT - {("demo",), ("sandbox",)})


def test_every_command_of_the_contract_is_there():
    assert set(commands()) >= CONTRACT


@pytest.mark.parametrize("words", sorted(commands()), ids=" ".join)
def test_every_command_explains_itself_and_its_options(words):
    result = invoke(*words, "--help")
    assert result.exit_code == 0
    command = main
    for word in words:
        command = command.commands[word]
    assert command.help
    assert all(option.help for option in command.params if isinstance(option, click.Option))
    assert {"-h", "--help"} <= set(result.stdout.replace(",", " ").split())


def test_version():
    assert invoke("--version").stdout == f"connector, version {__version__}\n"


@pytest.mark.parametrize("words", [(), ("nonsense",), ("events", "nonsense"), ("serve", "--nonsense"), ("backfill",)])
def test_bad_usage_is_2(words):
    assert invoke(*words).exit_code == 2


@pytest.mark.parametrize("words", CONFIGURED, ids=" ".join)
def test_no_configuration_is_2_and_says_what_to_do(words, tmp_path):
    file = tmp_path / "nothing.toml"
    result = invoke(*words, *NEEDS.get(words, []), "--config", str(file))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"{file}: does not exist; write it with `connector init`, or name another file with --config\n"


@pytest.mark.parametrize("words", CONFIGURED, ids=" ".join)
def test_faults_of_the_configuration_are_2_one_line_each_with_file_key_and_fix(words, tmp_path):
    file = tmp_path / "connector.toml"
    file.write_text(FAULTY)
    result = invoke(*words, *NEEDS.get(words, []), "--config", str(file))
    assert (result.exit_code, result.stdout) == (2, "")
    lines = result.stderr.splitlines()
    assert all(line.startswith(f"{file}: [") for line in lines)
    for key in ("prot", "concurrency", "system", "region", "partner_key", "webhook", "booking"):
        assert any(key in line for line in lines), f"nothing is said of {key}"
    assert 'did you mean "port"?' in result.stderr
    assert "CONNECTOR_NOT_SET is not set" in result.stderr


@pytest.mark.parametrize("variable", [None, "CONNECTOR_CONFIG"])
def test_the_configuration_is_found_by_the_variable_or_in_the_folder(place, monkeypatch, variable):
    if variable:
        monkeypatch.setenv(variable, str(place.file))
    else:
        monkeypatch.chdir(place.folder)
    assert invoke("links", "list").exit_code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["backfill", "elsewhere"], "has no [booking.elsewhere]; configured: stores."),
        (
            ["backfill", "stores", "--since", "last week"],
            "--since: 'last week' is not a date; write it like 2026-01-31, yesterday or 7d",
        ),
        (["backfill", "stores", "--until", "9999-12-31"], "--until: '9999-12-31' is not a date"),
        (["backfill", "stores", "--since", "2026-02-01", "--until", "2026-01-01"], "--until is earlier than --since"),
        (["events", "retry"], "Give one or more event ids, or --all, or a filter such as --reason TEXT."),
        (["events", "retry", "1", "--all"], "--all or a filter such as --reason TEXT, but not both."),
        (
            ["events", "retry", "1", "--since", "7d"],
            "--all or a filter such as --reason TEXT, but not both.",
        ),
        (["events", "retry", "--since", "last week"], "--since: 'last week' is not a date"),
        (["events", "retry", "--since", "1d", "--until", "7d"], "--until is earlier than --since"),
        (["events", "retry", "one"], "'one' is no id; give the number"),
        (["events", "list", "--state", "lost"], "not one of"),
        (["events", "list", "--limit", "0"], "not in the range"),
        (["review", "list", "--reveal"], "add --json, or use `connector review show ID --reveal`"),
        (["events", "discard"], "Missing argument"),
        (["events", "list", "--source", "sotres"], "There is no source 'sotres'; known here: stores."),
        (["links", "list", "--since", "soon"], "--since: 'soon' is not a date; write it like 2026-01-31, yesterday or 7d"),
        (["links", "list", "--since", "999999w"], "--since: '999999w' is not a date"),
        (["review", "list", "--since", "2026-02-01", "--until", "2026-01-01"], "--until is earlier than --since"),
        (["links", "list", "--json", "--json-lines"], "Use --json or --json-lines, not both."),
        *((["events", verb, "9" * 20], "is no id; give the number") for verb in ("show", "retry", "discard")),
        *((["review", verb, "9" * 20], "is no id; give the number") for verb in ("show", "create", "dismiss", "undo")),
    ],
)
def test_usage_that_makes_no_sense_is_2(place, words, said):
    result = place.run(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in " ".join(result.stderr.split())


@pytest.mark.parametrize("words", [("events", "list"), ("links", "list"), ("review", "list")], ids=" ".join)
def test_lists_without_a_database_are_empty_and_no_error(place, words):
    result = place.run(*words, "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, [])
    assert result.stderr == "There is no database yet (connector.db); it is made by the first `connector serve`.\n"
    assert place.run(*words).exit_code == 0
    assert not place.database.exists()


@pytest.mark.parametrize("words", [("events", "list"), ("links", "list"), ("review", "list")], ids=" ".join)
def test_a_folder_that_may_not_be_entered_is_told_in_a_line(place, words, monkeypatch):
    def refuse(_path, **_options):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(place.database.__class__, "exists", refuse)
    result = place.run(*words, "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "The database connector.db cannot be opened: Permission denied. Run this as the user who runs the service.\n"
    )


def test_a_file_that_is_not_set_up_yet_is_told_in_a_line(place):
    place.database.touch()
    result = place.run("events", "list")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "connector.db is not a connector's database yet. Start `connector serve`, or fix database.url.\n"


def test_what_is_no_text_is_2(place):
    place.make()
    result = place.run("events", "list", "--client", "\udcff")
    assert (result.exit_code, "not valid text" in result.stderr) == (2, True)


@pytest.mark.parametrize("words", [("events", "show", "1"), ("review", "show", "1")], ids=" ".join)
def test_what_does_not_exist_is_1(place, words):
    result = place.run(*words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"There is no {words[0].removesuffix('s')} 1." in result.stderr


def test_a_faults_file_that_cannot_be_used_is_2(tmp_path):
    file = tmp_path / "faults.toml"
    file.write_text("latncy_ms = [1, 2]\nerror_500 = 7\n")
    result = invoke("sandbox", "booxi", "--faults", str(file))
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        f"{file}: error_500: Input should be less than or equal to 1",
        f"{file}: latncy_ms: unknown key; did you mean latency_ms?",
    ]
