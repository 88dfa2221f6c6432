"""Bookeo's signature: its published sample, and everything that must not pass."""

from pathlib import Path

import pytest

from connector.booking_systems.bookeo.signature import BookeoVerifier
from connector.remote.signatures import VerificationFailed, Verified
from connector.sandbox.bookeo.webhooks import signature

#: The vendor's published sample (recomputed); the body is in fixtures/customer_created.json. Not a live secret.
SECRET = "iWQlbsuksGUqStFPk46WVjpGO7vVQoeO"
TIMESTAMP, MESSAGE_ID = "1683025420401", "dvpwVQI0W7Pe187dc203154"
ADDRESS, QUERY = "https://www.mywebsite.com/webhooktest", "?id=1234"
SIGNATURE = "a3cec455a9462fc524b02eeac7a26af743d512763271ab170f957aeafd6a636e"
BODY = (Path(__file__).parent / "fixtures" / "customer_created.json").read_bytes()
NOW = int(TIMESTAMP) / 1000


def headers(**changed):
    sample = {
        "x-bookeo-timestamp": TIMESTAMP,
        "x-bookeo-messageid": MESSAGE_ID,
        "x-bookeo-signature": SIGNATURE,
        ":path": f"/webhooktest{QUERY}",
    }
    changed = {name.replace("_", "-"): value for name, value in changed.items()}
    return {name: value for name, value in (sample | changed).items() if value is not None}


def verify(given=None, body=BODY, *, now=NOW, address=ADDRESS, secrets=(SECRET,), tolerance=120.0):
    verifier = BookeoVerifier(address, tuple(secret.encode() for secret in secrets), tolerance)
    return verifier.verify(headers() if given is None else given, body, now=now)


def test_the_published_sample():
    assert verify() == Verified(MESSAGE_ID)


def test_the_sandbox_signs_the_same():
    assert signature(SECRET, TIMESTAMP, MESSAGE_ID, ADDRESS + QUERY, BODY) == SIGNATURE


@pytest.mark.parametrize("place", [0, len(BODY) // 2, len(BODY) - 1])
def test_a_changed_byte(place):
    changed = bytearray(BODY)
    changed[place] ^= 1
    with pytest.raises(VerificationFailed):
        verify(body=bytes(changed))


@pytest.mark.parametrize("body", [BODY + b"\n", BODY[:-1], b"", b" " + BODY])
def test_another_body(body):
    with pytest.raises(VerificationFailed):
        verify(body=body)


@pytest.mark.parametrize(
    "changed",
    [
        {"x_bookeo_signature": SIGNATURE[:-1] + "f"},
        {"x_bookeo_signature": SIGNATURE[:-2]},
        {"x_bookeo_signature": ""},
        {"x_bookeo_signature": None},
        {"x_bookeo_signature": "é" * 64},
        {"x_bookeo_signature": "a" * 10_000},
        {"x_bookeo_timestamp": None},
        {"x_bookeo_timestamp": str(int(TIMESTAMP) + 1)},
        {"x_bookeo_timestamp": "soon"},
        {"x_bookeo_timestamp": "-683025420401"},
        {"x_bookeo_timestamp": "²683025420401"},
        {"x_bookeo_messageid": None},
        {"x_bookeo_messageid": MESSAGE_ID + "x"},
        {"x_bookeo_messageid": "x" * 300},
        {"x_bookeo_messageid": "a b"},
        {":path": "/webhooktest"},
        {":path": "/webhooktest?id=1235"},
        {":path": "/webhooktest?id=1234&more=1"},
        {":path": "/webhooktest?id=%31234"},
        {":path": "/webhooktest?" + "x" * 3000},
        {":path": "/webhooktest?id=é"},
        {":path": None},
    ],
)
def test_another_header_or_address(changed):
    with pytest.raises(VerificationFailed):
        verify(headers(**changed))


@pytest.mark.parametrize(
    "address", ["http://www.mywebsite.com/webhooktest", "https://www.mywebsite.com/webhooktest/", "https://x"]
)
def test_another_registered_address(address):
    with pytest.raises(VerificationFailed):
        verify(address=address)


def test_the_host_and_path_of_the_request_do_not_count():
    """A proxy may change them; what is signed is the address as it was registered."""
    verify(headers(**{":path": f"/inside{QUERY}"}))


@pytest.mark.parametrize("digits", [1, 3, 12])
def test_digits_moved_from_the_time_to_the_message_id(digits):
    """Nothing separates the two under the signature: such a message would be a replay under a fresh id."""
    moved = headers(x_bookeo_timestamp=TIMESTAMP[:-digits], x_bookeo_messageid=TIMESTAMP[-digits:] + MESSAGE_ID)
    with pytest.raises(VerificationFailed):
        verify(moved, now=float(TIMESTAMP[:-digits]))


def test_bytes_moved_between_the_message_id_and_the_time():
    with pytest.raises(VerificationFailed):
        verify(headers(x_bookeo_timestamp=TIMESTAMP + MESSAGE_ID[0], x_bookeo_messageid=MESSAGE_ID[1:]))


@pytest.mark.parametrize(
    ("age", "fine"), [(0, True), (119.9, True), (120.1, False), (-119.9, True), (-120.1, False), (86_400, False)]
)
def test_the_window(age, fine):
    if fine:
        verify(now=NOW + age)
        return
    with pytest.raises(VerificationFailed, match="too far"):
        verify(now=NOW + age)


def test_another_window():
    verify(now=NOW + 599, tolerance=600)
    with pytest.raises(VerificationFailed):
        verify(now=NOW + 11, tolerance=10)


@pytest.mark.parametrize("secrets", [(SECRET, "new"), ("new", SECRET), ("a", "b", SECRET)])
def test_any_of_the_secrets_may_have_signed(secrets):
    verify(secrets=secrets)


def test_none_of_the_secrets_has_signed():
    with pytest.raises(VerificationFailed):
        verify(secrets=("a", "b"))


def test_an_address_without_a_query():
    given = headers(x_bookeo_signature=signature(SECRET, TIMESTAMP, MESSAGE_ID, ADDRESS, BODY), **{":path": "/webhooktest"})
    assert verify(given).message_id == MESSAGE_ID


def test_without_an_address_everything_is_refused_and_said_why():
    with pytest.raises(VerificationFailed, match="no public_url") as caught:
        verify(address=None)
    assert "public_url" in caught.value.hint


def test_secrets_are_not_shown():
    assert SECRET not in repr(BookeoVerifier(ADDRESS, (SECRET.encode(),)))


def test_refusals_say_nothing_of_what_was_sent():
    with pytest.raises(VerificationFailed) as caught:
        verify(headers(x_bookeo_messageid="ada@example.org " * 3))
    assert "@" not in str(caught.value)


def test_everything_but_the_signature_is_checked_before_the_body():
    verifier = BookeoVerifier(ADDRESS, (SECRET.encode(),))
    assert verifier.before_body(headers(x_bookeo_signature="00"), now=NOW) is None
    for wrong in ({"x_bookeo_signature": None}, {"x_bookeo_timestamp": "1683025420"}, {"x_bookeo_messageid": None}):
        with pytest.raises(VerificationFailed):
            verifier.before_body(headers(**wrong), now=NOW)
    with pytest.raises(VerificationFailed):
        verifier.before_body(headers(), now=NOW + 200)
