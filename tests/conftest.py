"""What every test shares: anyio's plugin runs the asynchronous ones on asyncio, the only loop the service has."""

import pytest
from hypothesis import settings

# How long one example takes says more about the machine than about the code.
settings.register_profile("connector", deadline=None)
settings.register_profile("thorough", deadline=None, max_examples=5_000)
settings.load_profile("connector")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
