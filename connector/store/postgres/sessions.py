"""Sessions on the server. The writer's holds a lock as long as it lives, so nothing can be committed without the lock.

A second connector is refused by that lock. Whoever lost the session must get the lock again before it writes, and learns from
the boot id in the database whether another connector has been at work meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from connector.model.errors import StoreError
from connector.store.postgres.dialect import Connection, Row, rows
from connector.store.postgres.explained import explained, unreachable

#: Seconds until a server that does not answer counts as away.
_PATIENCE = 5
#: The oldest version of PostgreSQL that numbers transactions as we need it.
_OLDEST = 13
#: Seconds in which the session of a process that has ended is gone.
_MOMENT = 1.0
#: A client that is gone without a word loses its session, and with it the lock, after about a minute.
_SETTINGS = (
    "SELECT set_config('tcp_keepalives_idle', '30', false), set_config('tcp_keepalives_interval', '10', false),"
    " set_config('tcp_keepalives_count', '3', false)"
)
#: What the server says of a connection that it will take later.
_PASSING = ("the database system is", "too many", "terminating connection", "remaining connection slots")
# The number only has to differ from those of other programs that lock in the same database.
_LOCK = "SELECT pg_try_advisory_lock(hashtext('connector'), hashtext(current_schema()))"
_DURABLE = "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"


class InUse(StoreError):
    """Another connector holds the database."""


class TakenOver(StoreError):
    """Another connector has written since this one lost its session: what this one knows may be wrong."""


def name_of(url: str) -> str:
    """What people call the database; never the whole address, which may hold a password.

    Raises:
        StoreError: it is no address of a PostgreSQL database.
    """
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error as error:
        # The error quotes the address.
        hint = 'It must look like "postgresql://user@host/database".'
        raise StoreError("database.url is not an address that PostgreSQL understands.", hint=hint) from error
    return str(parts.get("dbname") or parts.get("user") or "postgres")


def connect(url: str, what: str) -> psycopg.Connection[Row]:
    """A session for a `what`, each statement by itself. Raises StoreError."""
    try:
        connection = psycopg.connect(
            url, autocommit=True, row_factory=rows, connect_timeout=_PATIENCE, application_name=f"connector {what}"
        )
        connection.execute(_SETTINGS)
    except psycopg.Error as error:
        raise _failed(error, name_of(url)) from error
    return connection


def writing(url: str) -> psycopg.Connection[Row]:
    """The writer's session, with the lock.

    Raises:
        InUse: another connector has it.
        StoreError: the server cannot be reached or refuses us.
    """
    connection = connect(url, "writer")
    try:
        _check_server(connection)
        if not _locked(connection):
            raise InUse(
                f"The database {name_of(url)} is in use by another connector: one process at a time works on it.",
                hint="Stop the other one first, or give this one a database (or a schema) of its own.",
            )
        connection.execute(_DURABLE)
    except BaseException as error:
        connection.close()
        if isinstance(error, psycopg.Error):
            raise explained(error, name_of(url)) from error
        raise
    return connection


def writing_again(url: str, boot: str) -> psycopg.Connection[Row]:
    """The writer's session once more, after it was lost; `boot` is ours. Raises TakenOver besides what `writing` raises."""
    connection = writing(url)
    try:
        owner = _first(connection, "SELECT value FROM installation WHERE name = 'boot'")
    except psycopg.Error as error:
        connection.close()
        raise explained(error, name_of(url)) from error
    if owner != boot:
        connection.close()
        raise TakenOver(
            f"Another connector has used the database {name_of(url)} since this one lost its connection.",
            hint="Restart this one, or stop it if the other one is to stay.",
        )
    return connection


def reading(url: str) -> psycopg.Connection[Row]:
    """A session that cannot write. Raises StoreError."""
    connection = connect(url, "reader")
    try:
        connection.execute("SET default_transaction_read_only = on")
    except psycopg.Error as error:
        connection.close()
        raise explained(error, name_of(url)) from error
    return connection


@contextmanager
def looking(url: str) -> Iterator[Connection]:
    """A connection for one look, which changes nothing. Raises StoreError."""
    session = reading(url)
    try:
        yield Connection(session)
    except psycopg.Error as error:
        raise explained(error, name_of(url)) from error
    finally:
        session.close()


def was_committed(connection: psycopg.Connection[Row], transaction: int) -> bool | None:
    """Whether a transaction of a session that is gone was committed; None where the server cannot know any more.

    Asked by whoever holds the lock: then that session has ended, and the transaction with it.
    """
    try:
        status = _first(connection, f"SELECT pg_xact_status('{transaction}')")
    except psycopg.errors.InvalidParameterValue:
        # A number that this server has not given yet: it was promoted without having heard of the transaction.
        return False
    return None if status is None else status == "committed"


def _check_server(connection: psycopg.Connection[Row]) -> None:
    """Raise StoreError where the server or the database cannot do what the store needs."""
    name = connection.info.dbname
    if connection.info.server_version < _OLDEST * 10_000:
        raise StoreError(f"The PostgreSQL server of {name} is too old.", hint=f"Version {_OLDEST} or newer is needed.")
    if (encoding := connection.info.parameter_status("server_encoding")) != "UTF8":
        raise StoreError(f"The database {name} is in {encoding}.", hint="Make one with ENCODING 'UTF8'.")
    if _first(connection, "SELECT current_schema()") is None:
        hint = "Make the schema that search_path names in database.url, or leave it out there."
        raise StoreError(f"The database {name} has no schema to make tables in.", hint=hint)


def _locked(connection: psycopg.Connection[Row]) -> bool:
    """Take the lock; the session of a process that has just ended may live on for a moment."""
    retrying = Retrying(
        retry=retry_if_result(lambda got: not got),
        stop=stop_after_delay(_MOMENT),
        wait=wait_fixed(0.02),
        retry_error_callback=lambda _: False,
    )
    return bool(retrying(_first, connection, _LOCK))


def _first(connection: psycopg.Connection[Row], query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    return None if row is None else row[0]


def _failed(error: psycopg.Error, name: str) -> StoreError:
    """Why there is no session. What the server says then names the user and the host, but no password."""
    _, fatal, said = str(error).rpartition("FATAL:")
    if not fatal or any(sign in said for sign in _PASSING):
        return unreachable(name)
    text = f"PostgreSQL refuses the connection: {said.strip().splitlines()[0]}."
    return StoreError(text, hint="Check user, password and database in database.url, and the server's pg_hba.conf.")
