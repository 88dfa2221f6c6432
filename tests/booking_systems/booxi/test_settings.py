"""The keys of `[booking.NAME]` for Booxi."""

import pytest
from pydantic import ValidationError

from connector.booking_systems.booxi.settings import BooxiSettings
from connector.remote.rate_limit import Window

LEFT_OUT = object()


def made(minimal, **changes):
    values = {key: value for key, value in (minimal | changes).items() if value is not LEFT_OUT}
    return BooxiSettings.model_validate(values)


@pytest.mark.parametrize(
    ("changes", "address"),
    [
        ({"region": "na", "base_url": LEFT_OUT}, "https://api.booxi.com/booking/v1"),
        ({"region": "eu", "base_url": LEFT_OUT}, "https://api.booxi.eu/booking/v1"),
        ({"base_url": "http://127.0.0.1:8001"}, "http://127.0.0.1:8001/booking/v1"),
        ({"base_url": "http://127.0.0.1:8001/"}, "http://127.0.0.1:8001/booking/v1"),
        ({"base_url": "https://proxy.example.com/booxi/v2/"}, "https://proxy.example.com/booxi/v2"),
    ],
)
def test_address(minimal, changes, address):
    assert made(minimal, **changes).address == address


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"region": "na"}, "exactly one of region"),
        ({"base_url": LEFT_OUT}, "exactly one of region"),
        ({"base_url": LEFT_OUT, "region": "asia"}, "region"),
        ({"base_url": "ftp://example.com"}, "base_url must look like"),
        ({"base_url": "https://user@example.com"}, "base_url must look like"),
        ({"base_url": "https://example.com?x=1"}, "base_url must look like"),
        ({"base_url": "example.com"}, "base_url must look like"),
        ({"webhook": LEFT_OUT}, "webhook"),
        ({"partner_key": "clé"}, "partner key"),
        ({"partner_key": ""}, "partner key"),
        ({"partner_key": "a\nb"}, "partner key"),
        ({"module_id": " "}, "module id"),
        ({"module_id": ".."}, "module id"),
        ({"fields": {"content": ["content"]}}, "JSON pointer"),
        ({"fields": {"content": []}}, "fields.content"),
        ({"backfill_window_days": 0}, "backfill_window_days"),
        ({"limits": {"per_second": -1}}, "limits.per_second"),
        ({"partnerkey": "x"}, "partnerkey"),
    ],
)
def test_refused(minimal, changes, words):
    with pytest.raises(ValidationError, match=words):
        made(minimal, **changes)


def test_a_refused_key_is_not_shown(minimal):
    with pytest.raises(ValidationError) as caught:
        made(minimal, partner_key="sécret")
    assert "sécret" not in str(caught.value)


@pytest.mark.parametrize(
    ("limits", "windows"),
    [
        ({}, (Window(5, 1.0), Window(300, 60.0))),
        ({"per_second": 0}, (Window(300, 60.0),)),
        ({"per_second": None, "per_minute": 0}, ()),
        ({"per_second": 2, "per_minute": 10}, (Window(2, 1.0), Window(10, 60.0))),
    ],
)
def test_limits(minimal, limits, windows):
    assert made(minimal, limits=limits).limits.windows() == windows
