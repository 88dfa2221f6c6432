"""The keys of `[booking.NAME]` for BookingFlow."""

import pytest
from pydantic import ValidationError

from connector.booking_systems.bookingflow.settings import BookingFlowSettings
from connector.remote.rate_limit import Window

from .conftest import MINIMAL, made


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"api_key": ""}, "api_key"),
        ({"api_key": "clé"}, "printable ASCII"),
        ({"api_key": "a\nb"}, "printable ASCII"),
        ({"path_key": "short"}, "at least 16"),
        ({"base_url": "bookingflowai.com"}, "base_url must look like"),
        ({"base_url": "https://bookingflowai.com?x=1"}, "base_url must look like"),
        ({"write_back_field": "a/b"}, "write_back_field"),
        ({"write_back_field": ""}, "write_back_field"),
        ({"write_back_method": "POST"}, "write_back_method"),
        ({"paths": {"bookings": "bookings"}}, "must begin with"),
        ({"paths": {"bookings": "/bookings?x=1"}}, "must begin with"),
        ({"paths": {"booking": "/bookings"}}, "must hold {id} once"),
        ({"fields": {"type": ["type"]}}, "JSON pointer"),
        ({"fields": {"booking_id": []}}, "booking_id"),
        ({"record": {"email": ["customer.email"]}}, "JSON pointer"),
        ({"listing": {"step_days": 7}}, "needs until_param"),
        ({"listing": {"pager": "link"}}, "listing.pager"),
        ({"apikey": "x"}, "apikey"),
    ],
)
def test_refused(changes, words):
    with pytest.raises(ValidationError, match=words):
        made(**changes)


@pytest.mark.parametrize("missing", ["api_key", "path_key"])
def test_required(missing):
    with pytest.raises(ValidationError, match=missing):
        BookingFlowSettings.model_validate({key: value for key, value in MINIMAL.items() if key != missing})


def test_the_announced_address_is_the_default():
    values = {key: value for key, value in MINIMAL.items() if key != "base_url"}
    assert BookingFlowSettings.model_validate(values).base_url == "https://bookingflowai.com/api/v1"


def test_limits_are_ours():
    assert made(limits={}).limits.windows() == (Window(5, 1.0), Window(120, 60.0))
    assert made(limits={"per_second": 0, "per_minute": 0}).limits.windows() == ()


def test_steps_of_several_days():
    assert made(listing={"step_days": 31, "date_param": "from", "until_param": "to"}).listing.step_days == 31
