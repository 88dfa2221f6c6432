"""A real Tryton server for the tests of one file, and accounts there."""

from collections.abc import Iterator

import pytest
import tryton_server

from .real import Account


@pytest.fixture(scope="module")
def tryton() -> Iterator[tryton_server.Server]:
    """A running server."""
    tryton_server.needed()
    with tryton_server.serving() as server:
        yield server


@pytest.fixture
def real(tryton: tryton_server.Server) -> Iterator[Account]:
    """An account there, with an empty database and a key that is valid."""
    account = Account(tryton)
    yield account
    account.restore()
