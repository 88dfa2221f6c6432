"""`[status]` and `[[status.operators]]`: who may see the status page, and who of them may decide there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from connector.config.reader import Tables
from connector.config.strength import check_length

#: The operator that `[status] token` stands for.
UNNAMED = "status"


class OperatorSettings(BaseModel):
    """One person or program with a token of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}$")]
    token: SecretStr
    role: Literal["read", "decide"]


class StatusSettings(BaseModel):
    """Who may see the status page, /status.json and /metrics; `token` is that of an operator named "status" who may decide."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    token: SecretStr | None = None
    operators: tuple[OperatorSettings, ...] = ()


def read_status(tables: Tables, table: Any) -> StatusSettings | None:
    """Read `[status]`, and its operators one by one, whose secrets are resolved then; None after faults."""
    own, operators = (dict(table), table.get("operators", [])) if isinstance(table, dict) else (table, [])
    if isinstance(own, dict):
        own.pop("operators", None)
    status = tables.read(StatusSettings, own, "status")
    found = _operators(tables, operators, status.token if status is not None else None)
    return status.model_copy(update={"operators": found}) if status is not None else None


def _operators(tables: Tables, given: Any, token: SecretStr | None) -> tuple[OperatorSettings, ...]:
    """Every usable operator; two of one name or with one token are refused, for nobody could say who it was.

    `token` is `[status] token`, or None.
    """
    if not isinstance(given, list):
        tables.fault("[[status.operators]]", "", "must be written with two brackets on each side: [[status.operators]]")
        return ()
    taken = {UNNAMED: "[status] token"} if token is not None else {}
    tokens = {token.get_secret_value(): "[status] token"} if token is not None else {}
    found = []
    for number, table in enumerate(given, 1):
        where = f"[[status.operators]] number {number}"
        operator = tables.read(OperatorSettings, table, where)
        if operator is not None:
            found.append(operator)
            _check_other(tables, where, operator, taken, tokens)
            taken[operator.name], tokens[operator.token.get_secret_value()] = where, where
    return tuple(found)


def _check_other(
    tables: Tables, where: str, operator: OperatorSettings, taken: Mapping[str, str], tokens: Mapping[str, str]
) -> None:
    secret = operator.token.get_secret_value()
    if operator.name in taken:
        tables.fault(where, "name", f"is the same as that of {taken[operator.name]}; give each operator a name of its own")
    if secret in tokens:
        tables.fault(where, "token", f"is the same as that of {tokens[secret]}; give each operator a token of its own")


def check_status(tables: Tables, status: StatusSettings, *, is_local: bool, has_url: bool) -> None:
    """The status page is never open to the world: wherever others can reach us, it needs tokens that nobody guesses."""
    if is_local:
        return
    why = "because [server] public_url is set" if has_url else "because [server] host is not loopback"
    for number, operator in enumerate(status.operators, 1):
        check_length(tables, f"[[status.operators]] number {number}", "token", operator.token.get_secret_value(), why)
    if status.token is not None:
        check_length(tables, "status", "token", status.token.get_secret_value(), why)
    elif not status.operators:
        tables.fault("status", "token", f'is required {why}; add: token = {{ env = "CONNECTOR_STATUS_TOKEN" }}')
