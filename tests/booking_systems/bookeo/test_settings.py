"""The keys of `[booking.NAME]` for Bookeo."""

import pytest
from pydantic import ValidationError

from connector.booking_systems.bookeo.settings import BookeoSettings
from connector.remote.rate_limit import Window

LEFT_OUT = object()


def made(minimal, **changes):
    values = {key: value for key, value in (minimal | changes).items() if value is not LEFT_OUT}
    return BookeoSettings.model_validate(values)


@pytest.mark.parametrize(
    ("base_url", "address"),
    [
        (LEFT_OUT, "https://api.bookeo.com/v2"),
        ("http://127.0.0.1:8001", "http://127.0.0.1:8001/v2"),
        ("http://127.0.0.1:8001/", "http://127.0.0.1:8001/v2"),
        ("https://proxy.example.com/bookeo/v9/", "https://proxy.example.com/bookeo/v9"),
    ],
)
def test_address(minimal, base_url, address):
    assert made(minimal, base_url=base_url).api == address


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"api_key": LEFT_OUT}, "api_key"),
        ({"api_key": ""}, "a key must be"),
        ({"secret_key": "clé"}, "a key must be"),
        ({"secret_key": "a\nb"}, "a key must be"),
        ({"previous_secret_keys": ["ok", " x"]}, "a key must be"),
        ({"webhook": {"verify": "none"}}, "remove the"),
        ({"write_back": "moduleLink"}, "write_back"),
        ({"custom_field": " "}, "must not be blank"),
        ({"customer_mode": "frontend"}, "customer_mode"),
        ({"external_ref_prefix": ""}, "external_ref_prefix"),
        ({"external_ref_prefix": "a b"}, "printable ASCII"),
        ({"external_ref_prefix": "x" * 25}, "external_ref_prefix"),
        ({"tolerance_seconds": 0}, "tolerance_seconds"),
        ({"backfill_window_days": 32}, "backfill_window_days"),
        ({"limits": {"per_minute": -1}}, "limits.per_minute"),
        ({"apikey": "x"}, "apikey"),
    ],
)
def test_refused(minimal, changes, words):
    with pytest.raises(ValidationError, match=words):
        made(minimal, **changes)


def test_a_refused_key_is_not_shown(minimal):
    with pytest.raises(ValidationError) as caught:
        made(minimal, secret_key="sécret")
    assert "sécret" not in str(caught.value)


@pytest.mark.parametrize(
    ("limits", "windows"),
    [
        ({}, (Window(2, 1.0), Window(90, 60.0))),
        ({"per_second": 0}, (Window(90, 60.0),)),
        ({"per_second": None, "per_minute": 0}, ()),
    ],
)
def test_limits(minimal, limits, windows):
    assert made(minimal, limits=limits).limits.windows() == windows


def test_secrets_in_their_order(minimal):
    assert made(minimal, secret_key="new", previous_secret_keys=["old", "older"]).secrets == (b"new", b"old", b"older")
