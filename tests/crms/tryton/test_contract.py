"""The whole contract of CRMs once more, against a real Tryton server."""

from collections.abc import AsyncIterator

import pytest
from contract.conftest import _at_once  # noqa: F401 - a fixture for every test
from contract.test_crms import *  # noqa: F403 - the tests themselves

from connector.crms.base import CRM

from .real import Account

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
def far(real: Account) -> Account:
    return real


@pytest.fixture
async def crm(far: Account) -> AsyncIterator[CRM]:
    adapter = far.connect()
    yield adapter
    await adapter.remote.aclose()
