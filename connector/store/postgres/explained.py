"""What PostgreSQL's errors mean, in words, and what to do about each. Never the server's own details: they quote values."""

from __future__ import annotations

import psycopg
from psycopg import errors

from connector.model.errors import ConnectorError, StoreError

TO_PRIMARY = (
    "Point database.url at the primary, or name all servers in it:"
    ' "postgresql://connector@db1.example.com,db2.example.com/connector?target_session_attrs=read-write".'
)
_KNOWN: dict[type[psycopg.Error], tuple[str, str]] = {
    errors.QueryCanceled: ("A query on {name} took too long.", "Ask for less at a time."),
    errors.LockNotAvailable: (
        "Another connector keeps the database {name} busy.",
        "Look at the log of the others, and at pg_stat_activity: which session is idle in a transaction?",
    ),
    errors.DiskFull: ("The disk that holds {name} is full.", "Free some space; nothing acknowledged is lost."),
    errors.InsufficientPrivilege: (
        "The user of database.url may not use the tables of {name}.",
        "Let this user own the database, or its schema.",
    ),
    errors.ReadOnlySqlTransaction: (
        "The database {name} cannot be written: it is a standby, or set to read-only.",
        TO_PRIMARY,
    ),
    errors.UndefinedTable: ("{name} is not a connector's database yet.", "Start `connector serve`, or fix database.url."),
}


def explained(error: BaseException, name: str) -> ConnectorError | BaseException:
    """psycopg's errors in our words; anything else unchanged."""
    if isinstance(error, ConnectorError) or not isinstance(error, psycopg.Error):
        return error
    for kind, (message, hint) in _KNOWN.items():
        if isinstance(error, kind):
            return StoreError(message.format(name=name), hint=hint)
    if isinstance(error, errors.RaiseException):
        return StoreError(f"The database {name}: {error.diag.message_primary}")
    if isinstance(error, psycopg.OperationalError) and "query_wait_timeout" in str(error):
        return full(name)
    if isinstance(error, psycopg.OperationalError) and (error.sqlstate or "08")[:2] in ("08", "57"):
        return unreachable(name)
    constraint = f" ({error.diag.constraint_name})" if error.diag.constraint_name else ""
    return StoreError(f"The database {name}: {type(error).__name__} {error.sqlstate}{constraint}")


def full(name: str) -> StoreError:
    """All connections of the server, or of a pooler before it, are in use."""
    pooler = "default_pool_size and max_client_conn in PgBouncer"
    return StoreError(
        f"PostgreSQL with the database {name} has no connection free.",
        hint=f"Each process keeps four open: raise max_connections ({pooler}), or end what else is connected.",
    )


def unreachable(name: str) -> StoreError:
    """The server does not answer, or the connection to it is gone."""
    return StoreError(
        f"PostgreSQL with the database {name} cannot be reached.",
        hint="Start it, or fix database.url; the connection is tried again every second.",
    )
