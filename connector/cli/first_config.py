"""`connector init` and `connector config schema`: the way to a first configuration, and help for editors."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.cli.common import ends_well, json_option
from connector.model.errors import ConfigError

if TYPE_CHECKING:
    from pydantic import BaseModel

FILE = click.Path(path_type=Path, dir_okay=False)
#: What a setting that must be given could look like.
EXAMPLES = {
    "base_url": "https://account.example.com",
    "client_id": "the-client-id",
    "tenant_id": "the-tenant-id",
    "database": "the-database",
    "data_centre": "eu",
}
#: How a setting is asked for where its name does not say enough.
QUESTIONS = {
    "base_url": "https address of your account",
    "data_centre": "data centre of your account",
    "database": "name of the database",
    "module_id": "id of the module that keeps the CRM's ids (ask Booxi)",
    "region": "region of your account, na or eu",
}
#: What is wrong with an answer, as a sentence; None: nothing.
Fault = Callable[[str], str | None]
#: Before the keys of the CRM in `--set`, because a booking system may have keys of the same names.
CRM = "crm."


@dataclass(frozen=True)
class Answers:
    """The answers; `values` are the settings that the two systems must have, the CRM's with `CRM` before their keys."""

    booking: str
    source: str
    crm: str
    public_url: str
    country: str
    values: Mapping[str, str]


@click.command("init")
@click.option("--booking", metavar="SYSTEM", help="The booking system: booxi, bookeo, …")
@click.option("--crm", metavar="SYSTEM", help="The CRM: hubspot, salesforce, …")
@click.option("--source", metavar="NAME", help="Your name for the account; part of the webhook's address. Default: stores.")
@click.option("--public-url", metavar="URL", help='Our address as senders see it; "" while it is only tried on this machine.')
@click.option("--country", metavar="CODE", help="The country of phone numbers without a country code: CA, FR, …")
@click.option(
    "--set",
    "settings",
    metavar="KEY=VALUE",
    multiple=True,
    help="A setting that the booking system needs; crm.KEY=VALUE for the CRM.",
)
@click.option("--output", type=FILE, default=Path("connector.toml"), show_default=True, help="The file to write.")
@click.option("--yes", is_flag=True, help="Ask nothing; use the defaults for options that are not given.")
@json_option
@ends_well
def init(output: Path, settings: tuple[str, ...], yes: bool, as_json: bool, **said: str | None) -> None:
    """Write a first configuration from a few questions, or from options.

    It prints the environment variables that must hold the secrets, and the address for the sender's webhook.
    """
    from connector.cli import output as terminal

    if output.exists():
        raise ConfigError([f"{output}: exists already; name another file with --output, or move it away"])
    answers = _ask(said, settings, asks=not (yes or as_json) and somebody_is_there())
    text, variables = _text(answers)
    _write(output, text, variables)
    address = f"{answers.public_url or 'http://127.0.0.1:8080'}/webhooks/{answers.source}"
    if as_json:
        terminal.show_json({"file": str(output), "variables": list(variables), "webhook": address})
    else:
        _explain(output, answers, variables, address)


def somebody_is_there() -> bool:
    """Whether questions can be answered."""
    return sys.stdin.isatty()


@click.group("config")
def config() -> None:
    """Help with the configuration file."""


@config.command("schema")
@ends_well
def config_schema() -> None:
    """Print the JSON schema of connector.toml, for editors that check and complete the file."""
    from connector import registry
    from connector.cli import output as terminal
    from connector.config.schema import schema

    terminal.show_json(schema(registry.Registry()))


def _ask(said: Mapping[str, str | None], settings: tuple[str, ...], *, asks: bool) -> Answers:
    """The answers: what the options say, else what is typed, else the default. Raises UsageError for what is not known."""
    from connector import registry
    from connector.config.settings import NAME, BookingSettings, ServerSettings

    def answer(name: str, question: str, default: str, fault: Fault) -> str:
        given = said.get(name)
        return (_typed(question, default, fault) if asks else default) if given is None else given

    def choice(name: str, question: str, default: str, known: list[str]) -> str:
        def fault(text: str) -> str | None:
            return None if text in known else f"{text!r} is not known; there is {', '.join(known)}."

        given = answer(name, f"{question} ({', '.join(known)})", default, fault)
        if why := fault(given):
            raise click.UsageError(f"--{name}: {why}")
        return given

    booking = choice("booking", "Booking system", "booxi", sorted(registry.BOOKING_SYSTEMS))
    crm = choice("crm", "CRM", "hubspot", sorted(registry.CRMS))
    a_name = "the name may have a-z, 0-9, - and _ only, at most 63, a letter or digit first."
    named = "Your name for the booking account (part of the webhook's address)"
    source = answer("source", named, "stores", lambda text: None if NAME.fullmatch(text) else a_name)
    if not NAME.fullmatch(source):
        raise click.UsageError(f"--source: {a_name}")
    here = "Our https address as the sender sees it (empty: this machine only)"
    public_url = answer("public_url", here, "", _field(ServerSettings, "public_url")).rstrip("/")
    of = "Country of phone numbers without a country code, two letters (empty: none)"
    country = answer("country", of, "", _field(BookingSettings, "default_country")).upper()
    values = dict(pair.partition("=")[::2] for pair in settings)
    models = {"": registry.booking_system(booking).settings_model, CRM: registry.crm(crm).settings_model}
    needed = {
        (prefix, key): default for prefix, model in models.items() for key, default in _needed(model) if default is not None
    }
    if unknown := sorted(set(values) - {prefix + key for prefix, key in needed}):
        both = ", ".join(prefix + key for prefix, key in needed) or "none"
        raise click.UsageError(f"--set: {booking} and {crm} do not need {', '.join(unknown)}; they need {both}.")
    for (prefix, key), default in needed.items():
        if prefix + key not in values:
            question = f"{crm if prefix else booking}: {QUESTIONS.get(key, key)}"
            values[prefix + key] = _typed(question, default, _field(models[prefix], key)) if asks else default
    return Answers(booking, source, crm, public_url, country, values)


def _typed(question: str, default: str, fault: Fault) -> str:
    """What somebody types, without spaces around it; what cannot be is asked for again, at once. Nothing: the default."""

    def good(text: str) -> str:
        answer = text.strip() or default
        if answer != default and (why := fault(answer)):
            raise click.UsageError(why)
        return answer

    return str(click.prompt(question, default=default, show_default=bool(default), value_proc=good))


def _field(model: type[BaseModel], key: str) -> Fault:
    """What is wrong with a text as one setting of a table."""

    def fault(text: str) -> str | None:
        from pydantic import ValidationError

        from connector.config.reader import sentence

        try:
            model.model_validate({key: text})
        except ValidationError as error:
            entries = error.errors(include_input=False, include_url=False)
            return next((sentence(entry, key, model.model_fields[key]) for entry in entries if entry["loc"] == (key,)), None)
        return None

    return fault


def _needed(model: type[BaseModel]) -> Iterator[tuple[str, str | None]]:
    """The settings that a system must have, each with a default for the question; None: it is a secret."""
    from connector.config.reader import _is_secret

    for key, info in model.model_fields.items():
        # Where there is another way to log in too (Salesforce), a client secret is the shorter one to begin with.
        if (info.is_required() and key != "system") or key == "client_secret":
            yield key, None if _is_secret(info) else EXAMPLES.get(key, "hubspot" if key == "module_id" else "")
        elif key == "region":
            yield key, "na"


def _text(answers: Answers) -> tuple[str, dict[str, str]]:
    """The file, and the environment variables that it names with what belongs into each."""
    from connector import registry

    variables: dict[str, str] = {}

    def secret(prefix: str, key: str, what: str) -> str:
        name = f"{prefix}_{key}".upper()
        variables[name] = what
        return f'{{ env = "{name}" }}'

    lines = ["# Every setting: docs/configuration.md and config.example.toml. Check it with: connector check", ""]
    if answers.public_url:
        token = secret("connector_status", "token", "opens the status page; a long random text of yours")
        lines += ["[server]", f"public_url = {_quoted(answers.public_url)}", "", "[status]", f"token = {token}", ""]
    model = registry.booking_system(answers.booking).settings_model
    lines += [f"[booking.{answers.source}]", f'system = "{answers.booking}"']
    for key, default in _needed(model):
        value = _quoted(answers.values[key]) if default is not None else secret(answers.booking, key, _issued(key))
        lines.append(f"{key} = {value}")
    if answers.country:
        lines.append(f"default_country = {_quoted(answers.country)}")
    if not model.own_verification:
        token = secret(
            answers.booking, "webhook_token", "the sender puts it into the header Authorization; a random text of yours"
        )
        lines += ["", f"[booking.{answers.source}.webhook]", 'verify = "token"', f"tokens = [{token}]"]
    lines += ["", "[crm.main]", f'system = "{answers.crm}"']
    for key, default in _needed(registry.crm(answers.crm).settings_model):
        value = _quoted(answers.values[CRM + key]) if default is not None else secret(answers.crm, key, "issued by the CRM")
        lines.append(f"{key} = {value}")
    lines += ["", "[[sync]]", f'booking = "{answers.source}"', 'crm = "main"', ""]
    return "\n".join(lines), variables


def _issued(key: str) -> str:
    return "part of the webhook's address; a random text of yours" if key == "path_key" else "issued by the booking system"


def _quoted(text: str) -> str:
    """A TOML string. Raises UsageError for what could leave its quotes."""
    if not text.isprintable() or '"' in text or "\\" in text:
        raise click.UsageError(f"{text!r} cannot be written into the configuration.")
    return f'"{text}"'


def _write(output: Path, text: str, variables: Mapping[str, str]) -> None:
    """Write the file if it is a good one; otherwise raise ConfigError and leave nothing."""
    from connector import registry
    from connector.config import settings as config

    try:
        with output.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise ConfigError([f"{output}: cannot be written: {error.strerror}"]) from None
    try:
        # The secrets are not there yet; anything that looks like one does.
        config.load(output, systems=registry.Registry(), environ=dict.fromkeys(variables, "0123456789abcdef01234567"))
    except ConfigError:
        output.unlink()
        raise


def _explain(output: Path, answers: Answers, variables: Mapping[str, str], address: str) -> None:
    click.echo(f"{output} is written. Put the secrets into these environment variables:\n")
    for name, what in variables.items():
        value = '"$(openssl rand -hex 24)"' if "of yours" in what else "…"
        click.echo(f"  export {name}={value}    # {what}")
    tables = {"booking." + answers.source: "", "crm.main": CRM}
    for table, prefix in tables.items():
        keys = [key for key, example in EXAMPLES.items() if answers.values.get(prefix + key) == example]
        if keys:
            click.echo(f"\nCorrect these examples in {output}: [{table}] {', '.join(keys)}")
    click.echo(f"\nThe address for the sender's webhook: {address}")
    click.echo(f"  More about it: connector/booking_systems/{answers.booking}/README.md and docs/integrations.md\n")
    click.echo(f"Then:\n  connector check --config {output} --fix    # asks both systems and says what is missing")
    click.echo(f"  connector serve --config {output}")
    name = f"{answers.booking}_webhook_token".upper()
    if name in variables and not any(variable.endswith("PATH_KEY") for variable in variables):
        click.echo("\nIs it reachable? This must answer 202 with the status held, because it contains no booking:")
        click.echo(
            f'  curl -i -H "Authorization: ${name}" -H "Content-Type: application/json" -d \'{{"id": "test-1"}}\' {address}'
        )
