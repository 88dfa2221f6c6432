"""Which headers are stored with a delivery."""

from __future__ import annotations

import pytest

from connector.web.interfaces import KEPT_HEADERS, kept_headers


def test_what_an_adapter_reads_is_stored() -> None:
    assert kept_headers({"X-Event", ":path"}, None) == KEPT_HEADERS | {"x-event", ":path"}


@pytest.mark.parametrize(
    "name", ["Authorization", "Proxy-Authorization", "Cookie", "X-Signature", "webhook-signature", "X-Hook-Token", "X-Api-Key"]
)
def test_what_proves_is_never_stored(name: str) -> None:
    assert kept_headers({name}, None) == KEPT_HEADERS
    assert kept_headers({"X-Proof"}, "x-proof") == KEPT_HEADERS
