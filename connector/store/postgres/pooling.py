"""A connection pooler between us and the server, such as PgBouncer: found out by what it does, never by its port or its name.

Every session of ours keeps what it was given: settings, the channel that it listens on, the name by which others find it.
A pooler that gives each transaction another session of the server (PgBouncer's `pool_mode = transaction`) loses all of that.
"""

from __future__ import annotations

import re
from contextlib import closing
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from connector.model.errors import StoreError

_PID = b"SELECT pg_backend_pid()"
_SET_ASIDE = re.compile(r"search_path\s*=\s*((?:\\.|\S)+)")


def pooled(session: psycopg.Connection[Any]) -> bool:
    """Whether the session of the server is another one than the server's greeting said: a pooler greets by itself."""
    return _pid(session) != session.info.backend_pid


def refuse_shared_sessions(session: psycopg.Connection[Any], url: str) -> None:
    """Raise StoreError where a pooler keeps no session for us, or leaves out the schema that the address names.

    With a second connection beside it, which costs nothing where no pooler is found.
    """
    if not pooled(session):
        return
    with closing(psycopg.connect(url, autocommit=True, connect_timeout=5)) as other:
        if _changes(session, other):
            text = "The connection pooler in database.url gives each transaction another session of the server."
            hint = "Set pool_mode = session in PgBouncer (for this database is enough), or connect to the server itself."
            raise StoreError(text, hint=hint)
    _refuse_another_schema(session, url)


def forget(session: psycopg.Connection[Any], name: str) -> None:
    """Begin with a session as a new one, whatever a pooler that does not reset sessions has left in it; `name` it again."""
    session.execute(b"DISCARD ALL")
    session.execute("SELECT set_config('application_name', %s, false)", (name,))


def _changes(session: psycopg.Connection[Any], other: psycopg.Connection[Any]) -> bool:
    """Whether one of two connections has another session of the server than before, or both have the same."""
    first = _pid(session)
    try:
        # As long as this transaction lasts, its session is not free for the first one.
        other.execute(b"BEGIN")
        beside = _pid(other)
        # Twice each, since a pooler may take the session that was free for the longest time.
        found = {_pid(session), _pid(session)}
        other.execute(b"COMMIT")
        found |= {_pid(session), _pid(session)}
    except psycopg.errors.ProtocolViolation:
        # `pool_mode = statement` refuses transactions.
        return True
    return found != {first} or beside == first


def _refuse_another_schema(session: psycopg.Connection[Any], url: str) -> None:
    """`options` may be left out by a pooler (`ignore_startup_parameters`), and the tables would be made elsewhere."""
    named = _SET_ASIDE.search(str(conninfo_to_dict(url).get("options") or ""))
    if named is None:
        return
    row = session.execute(b"SELECT current_setting('search_path')").fetchone()
    if row is not None and _plain(row[0]) != _plain(named[1]):
        text = "The connection pooler in database.url leaves out `options`, and with it the schema."
        raise StoreError(text, hint="Leave it out there too, and set it on the server: ALTER ROLE … SET search_path = …;")


def _plain(search_path: str) -> str:
    return re.sub(r'[\s"\\]', "", search_path)


def _pid(session: psycopg.Connection[Any]) -> int:
    row = session.execute(_PID, prepare=False).fetchone()
    return 0 if row is None else int(row[0])
