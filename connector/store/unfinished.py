"""The mark of a database that `connector database copy` has not filled to its end: nobody may work with half of the rows."""

from __future__ import annotations

import json

from connector.model.errors import StoreError
from connector.store.connection import Connection

#: The row of `installation`: a JSON object with the `source`, and how far the copy has come.
MARK = "copying"


def copy_of(connection: Connection) -> str | None:
    """The name of the database that this one is an unfinished copy of; None where it is whole."""
    row = connection.execute(f"SELECT value FROM installation WHERE name = '{MARK}'").fetchone()
    return None if row is None else str(json.loads(row[0])["source"])


def refuse_unfinished(connection: Connection, name: str) -> None:
    """Raise StoreError where the database called `name` is a copy that was not finished."""
    if (source := copy_of(connection)) is not None:
        raise StoreError(f"The database {name} is only a part of a copy of {source}.", hint=to_finish(source))


def to_finish(source: str) -> str:
    """What to do about such a copy."""
    return f"Point database.url at {source} again and run the same `connector database copy`: it continues where it ended."
