"""The keys of `[booking.NAME]` for Bookablesites."""

import pytest
from pydantic import ValidationError

from connector.booking_systems.bookablesites.settings import BookablesitesSettings
from connector.remote.rate_limit import Window

LEFT_OUT = object()


def made(minimal, **changes):
    values = {key: value for key, value in (minimal | changes).items() if value is not LEFT_OUT}
    return BookablesitesSettings.model_validate(values)


@pytest.mark.parametrize(
    ("changes", "address"),
    [
        ({"base_url": "https://salon.example.com", "api": LEFT_OUT}, "https://salon.example.com/api/v1"),
        ({"base_url": "https://salon.example.com/", "api": "v2"}, "https://salon.example.com/api/v2"),
        ({"base_url": "https://salon.example.com/own/path/", "api": "v2"}, "https://salon.example.com/own/path"),
    ],
)
def test_address(minimal, changes, address):
    assert made(minimal, **changes).address == address


def test_a_generation_and_what_the_account_has_otherwise(minimal):
    one, two = made(minimal, api="v1").generation, made(minimal, api="v2").generation
    assert (one.token_path, one.token_encoding, one.update_method, one.field_case) == ("/auth/token", "json", "PUT", "camel")
    assert (two.token_path, two.token_encoding, two.update_method, two.field_case) == ("/token", "form", "PATCH", "snake")
    mixed = made(minimal, api="v1", profile={"update_method": "PATCH", "token_path": "/oauth/token"}).generation
    assert (mixed.token_path, mixed.token_encoding, mixed.update_method) == ("/oauth/token", "json", "PATCH")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"base_url": LEFT_OUT}, "base_url"),
        ({"base_url": "salon.example.com"}, "base_url must look like"),
        ({"base_url": "https://user@salon.example.com"}, "base_url must look like"),
        ({"api": "v3"}, "api"),
        ({"client_id": ""}, "client_id"),
        ({"client_secret": "  "}, "must not be empty"),
        ({"path_key": "short"}, "at least 16"),
        ({"path_key": "0123456789abcdef&x"}, "at least 16"),
        ({"path_key": LEFT_OUT}, "path_key"),
        ({"date_format": "%d/%m/%Y"}, "date and time"),
        ({"date_format": "%H:%M"}, "date and time"),
        ({"date_format": "%d/%m/%y %I:%M"}, "date and time"),
        ({"date_format": "%Q"}, "date and time"),
        ({"date_format": "31/05/2025 3:00 PM"}, "date and time"),
        ({"time_zone": LEFT_OUT}, "date_format needs time_zone"),
        ({"time_zone": "Paris"}, "IANA"),
        ({"time_zone": "../etc/passwd"}, "IANA"),
        ({"time_zone": ""}, "IANA"),
        ({"write_back": "note"}, "write_back"),
        ({"page_size": 101}, "page_size"),
        ({"fields": {"email": []}}, "fields.email"),
        ({"profile": {"update_method": "POST"}}, "update_method"),
    ],
)
def test_refused(minimal, changes, words):
    with pytest.raises(ValidationError, match=words):
        made(minimal, **changes)


@pytest.mark.parametrize("date_format", ["%d/%m/%Y %I:%M %p", "%Y-%m-%d %H:%M:%S", "%B %d, %Y %H:%M", "%m/%d/%y %I:%M %p"])
def test_formats_that_say_date_and_time(minimal, date_format):
    assert made(minimal, date_format=date_format).date_format == date_format


def test_a_refused_secret_is_not_shown(minimal):
    with pytest.raises(ValidationError) as caught:
        made(minimal, path_key="sécret-of-the-address")
    assert "cret-of" not in str(caught.value)


def test_limits_are_ours(minimal):
    assert made(minimal, limits={}).limits.windows() == (Window(5, 1.0), Window(120, 60.0))
    assert made(minimal, limits={"per_second": 0, "per_minute": None}).limits.windows() == ()
