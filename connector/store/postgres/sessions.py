"""Sessions on the server. Every transaction that writes takes one lock first: one process writes at a time.

So what was right with one writer is right with several: ids in the order of arrival, and whatever is read before it is
written (docs/adr/0011-several-processes.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from connector.model.errors import StoreError
from connector.store.postgres.dialect import Connection, Row, rows
from connector.store.postgres.explained import TO_PRIMARY, explained, full, unreachable
from connector.store.postgres.pooling import forget, pooled, refuse_shared_sessions

#: Seconds until a server that does not answer counts as away.
_PATIENCE = 5
#: Of a server that is gone without a word (its machine, or the network to it) we hear after about eleven seconds, unless the
#: address says otherwise; the system would wait for a quarter of an hour. Milliseconds for the last one, as libpq has it.
_NOTICED = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}
#: The oldest version of PostgreSQL that numbers transactions as we need it.
_OLDEST = 13
#: A client that is gone without a word loses its session after about a minute.
_SETTINGS = (
    "SELECT set_config('tcp_keepalives_idle', '30', false), set_config('tcp_keepalives_interval', '10', false),"
    " set_config('tcp_keepalives_count', '3', false)"
)
_PROMOTE = "Promote one of them, or start the primary; the connection is tried again every second."
#: What libpq says where `target_session_attrs` finds only standbys.
_STANDBYS = ("session is read-only", "server is in hot standby mode")
#: What the server says of a connection that it will take later.
_PASSING = ("the database system is", "terminating connection", "server login has been failing", "pgbouncer cannot connect")
#: What the server, or a pooler before it, says when all its connections are in use.
_FULL = ("too many", "remaining connection slots", "no more connections allowed", "query_wait_timeout")
#: A pooler refuses `options` in the address.
_OPTIONS = "unsupported startup parameter: options"
#: Seconds which a session may keep the lock without saying anything: its process stands still, and all others wait for it.
_IDLE = 3
#: Seconds to wait for the lock; who keeps it is looked at once in so many.
_TURN, _LOOK = 15, _IDLE + 1
# The number only has to differ from those of other programs that lock in the same database.
LOCK = "SELECT pg_advisory_xact_lock(hashtext('connector'), hashtext(current_schema()))"
#: The name of the channel on which all processes listen, as SQL.
CHANNEL = "left('connector ' || current_schema(), 63)"
_DURABLE = "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
_HISTORY = "SELECT (SELECT system_identifier FROM pg_control_system()) || ' ' || left(pg_walfile_name(pg_current_wal_lsn()), 8)"
# A limit that the role has would also end the wait of a commit for a standby.
_WRITING = f"SET idle_in_transaction_session_timeout = '{_IDLE}s'; SET lock_timeout = '{_LOOK}s'; SET statement_timeout = 0"
#: Ends the session that keeps the lock and has said nothing for `_IDLE` seconds. The server itself does so only between two
#: statements: a process that was stopped after it had sent a part of the next one would keep the lock for ever (seen).
_END_SILENT = (
    "SELECT pg_terminate_backend(a.pid) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
    " WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database()"
    " AND l.classid = (hashtext('connector')::bigint & 4294967295)"
    " AND l.objid = (hashtext(current_schema())::bigint & 4294967295) AND a.application_name = 'connector writer'"
    f" AND a.wait_event_type = 'Client' AND a.state_change < clock_timestamp() - interval '{_IDLE}s'"
)


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


def noticing(url: str) -> str:
    """The address with the limits after which a server that says nothing counts as gone. Raises psycopg's errors."""
    return make_conninfo("", **{**_NOTICED, **conninfo_to_dict(url)})


def connect(url: str, what: str) -> psycopg.Connection[Row]:
    """A session for a `what`, each statement by itself. Raises StoreError."""
    name = f"connector {what}"
    try:
        connection = psycopg.connect(
            noticing(url), autocommit=True, row_factory=rows, connect_timeout=_PATIENCE, application_name=name
        )
        if pooled(connection):
            forget(connection, name)
        connection.execute(_SETTINGS)
    except psycopg.Error as error:
        raise _failed(error, name_of(url)) from error
    return connection


@contextmanager
def _or_closed(
    connection: psycopg.Connection[Row], url: str, words: Callable[[psycopg.Error, str], BaseException] = explained
) -> Iterator[None]:
    """Prepare a session: where that fails it is closed, and an error of psycopg's is raised in our words."""
    try:
        yield
    except BaseException as error:
        connection.close()
        if isinstance(error, psycopg.Error):
            raise words(error, name_of(url)) from error
        raise


def first(url: str) -> psycopg.Connection[Row]:
    """A session that writes, the first one of this process. Raises StoreError as `writing`, and where none would last."""
    connection = writing(url)
    with _or_closed(connection, url, _failed):
        refuse_shared_sessions(connection, url)
    return connection


def writing(url: str) -> psycopg.Connection[Row]:
    """A session that writes. Raises StoreError where the server cannot be reached or refuses us."""
    connection = connect(url, "writer")
    with _or_closed(connection, url):
        _check_server(connection)
        connection.execute(_DURABLE)
        connection.execute(_WRITING.encode())
    return connection


def again(url: str) -> tuple[psycopg.Connection[Row], str]:
    """A session that writes, after one was lost, and the `history` of its server. Raises StoreError as `writing`."""
    connection = writing(url)
    with _or_closed(connection, url):
        return connection, history(connection)


def reading(url: str) -> psycopg.Connection[Row]:
    """A session that cannot write. Raises StoreError."""
    connection = connect(url, "reader")
    with _or_closed(connection, url):
        connection.execute("SET default_transaction_read_only = on")
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


def take_turn(session: psycopg.Connection[Any], statement: str) -> psycopg.Cursor[Any]:
    """Run a statement that takes the lock, outside a transaction; ends the session of a process that stands still and keeps it.

    Raises:
        psycopg.errors.LockNotAvailable: others have kept it for `_TURN` seconds.
    """
    until = time.monotonic() + _TURN
    while True:
        try:
            return session.execute(statement.encode())
        except psycopg.errors.LockNotAvailable:
            if time.monotonic() >= until:
                raise
            session.execute("ROLLBACK")
            session.execute(_END_SILENT.encode())


@contextmanager
def turn(session: psycopg.Connection[Any]) -> Iterator[None]:
    """A transaction that has the lock. Raises as `take_turn`."""
    take_turn(session, f"BEGIN; {LOCK}")
    # What changes tables waits for those who read them.
    session.execute(f"SET LOCAL lock_timeout = '{_TURN}s'".encode())
    try:
        yield
    except BaseException:
        with suppress(psycopg.Error):
            session.execute("ROLLBACK")
        raise
    session.execute("COMMIT")


def history(connection: psycopg.Connection[Row]) -> str:
    """Which line of transactions the server adds to: another one after a standby was promoted, or a backup restored.

    Numbers of transactions that were lost with the old server are given again in the new line. Empty where it is not shown.
    """
    try:
        return str(_first(connection, _HISTORY))
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported, psycopg.errors.UndefinedFunction):
        return ""


def was_committed(connection: psycopg.Connection[Row], transaction: int) -> bool | None:
    """Whether a transaction of a session that is gone was committed; None where the server cannot know any more.

    Asked under the lock, which that transaction held until it ended. Synchronous standbys have what was committed when this
    returns: it writes something too, and only the end of a transaction that has written waits for them.
    """
    try:
        with turn(connection):
            status = _first(connection, f"SELECT pg_xact_status('{transaction}')")
            connection.execute(b"UPDATE installation SET value = value WHERE name = 'key'")
    except psycopg.errors.InvalidParameterValue:
        # A number that this server has not given yet: it was promoted without having heard of the transaction.
        return False
    return None if status is None else status == "committed"


def channel(connection: psycopg.Connection[Row]) -> str:
    """Where those who work on this schema hear what others notify; the trigger of the lanes says the same."""
    return str(_first(connection, f"SELECT {CHANNEL}"))


def _check_server(connection: psycopg.Connection[Row]) -> None:
    """Raise StoreError where the server or the database cannot do what the store needs."""
    name = connection.info.dbname
    if (version := connection.info.server_version) < _OLDEST * 10_000:
        text = f"The PostgreSQL server of {name} is version {version // 10_000}, which is too old."
        raise StoreError(text, hint=f"Version {_OLDEST} or newer is needed: upgrade the server, or use another one.")
    if (encoding := connection.info.parameter_status("server_encoding")) != "UTF8":
        raise StoreError(f"The database {name} is in {encoding}.", hint="Make one with ENCODING 'UTF8'.")
    if _first(connection, "SELECT pg_is_in_recovery()"):
        raise StoreError(f"The PostgreSQL server of {name} is a standby.", hint=TO_PRIMARY)
    if _first(connection, "SELECT current_schema()") is None:
        hint = "Make the schema that search_path names in database.url, or leave it out there."
        raise StoreError(f"The database {name} has no schema to make tables in.", hint=hint)


def _first(connection: psycopg.Connection[Row], query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    return None if row is None else row[0]


def _failed(error: psycopg.Error, name: str) -> StoreError:
    """Why there is no session. What the server says then names the user and the host, but no password."""
    _, fatal, said = str(error).rpartition("FATAL:")
    if any(sign in str(error) for sign in _FULL):
        return full(name)
    if not fatal and any(sign in str(error) for sign in _STANDBYS):
        return StoreError(f"No server in database.url can be written: of {name} there are only standbys.", hint=_PROMOTE)
    if not fatal or any(sign in said for sign in _PASSING):
        return unreachable(name)
    if _OPTIONS in said:
        text = "The connection pooler in database.url refuses `options`, in which the address names the schema."
        return StoreError(text, hint="Leave it out, and set it on the server: ALTER ROLE … SET search_path = …;")
    text = f"PostgreSQL refuses the connection: {said.strip().splitlines()[0]}."
    return StoreError(text, hint="Check user, password and database in database.url, and the server's pg_hba.conf.")
