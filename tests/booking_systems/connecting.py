"""Adapters over a sandbox, or over answers made up by the test; closed afterwards."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from conforming import Checked

from connector.remote.rate_limit import Quota


@asynccontextmanager
async def connecting(
    adapter_class: Any, source: str, minimal: dict[str, Any], checked: Checked = lambda inner: inner
) -> AsyncIterator[Callable[..., Any]]:
    """Gives `build(sandbox)` or `build(handler)`, with settings to override; `checked` is put in front of a sandbox."""
    opened: list[Any] = []

    def build(remote_system: Any, **settings: Any) -> Any:
        sandbox = hasattr(remote_system, "app")
        transport = checked(httpx.ASGITransport(remote_system.app)) if sandbox else httpx.MockTransport(remote_system)
        model = adapter_class.settings_model.model_validate(minimal | settings)
        opened.append(adapter_class.connect(source, model, Quota, transport=transport))
        return opened[-1]

    yield build
    for adapter in opened:
        await adapter.remote.aclose()
