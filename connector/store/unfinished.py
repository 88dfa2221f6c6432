"""The mark of a database that `connector database copy` has not filled to its end: nobody may work with half of the rows."""

from __future__ import annotations

import json

from connector.model.errors import StoreError
from connector.store.connection import Connection

#: The row of `installation`: a JSON object with the `source`, and how far the copy has come.
MARK = "copying"


def refuse_unfinished(connection: Connection, name: str) -> None:
    """Raise StoreError where the database called `name` is a copy that was not finished."""
    row = connection.execute(f"SELECT value FROM installation WHERE name = '{MARK}'").fetchone()
    if row is not None:
        source = json.loads(row[0])["source"]
        raise StoreError(
            f"The database {name} is only a part of a copy of {source}: `connector database copy` was stopped before its end.",
            hint=f"Point database.url at {source} again and run the same `connector database copy`: it goes on where it ended.",
        )
