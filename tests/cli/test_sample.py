"""`connector test SOURCE`: a real service takes the sample, and the command says what became of it."""

from __future__ import annotations

import json

import pytest

from connector import registry
from connector.config import settings as config

from .place import Place

BOOKABLESITES = """
[booking.salon]
system = "bookablesites"
base_url = "https://salon.example.com"
client_id = "id"
client_secret = "a-client-secret-of-tests"
path_key = "0123456789abcdef0123456789abcdef"
[booking.salon.webhook]
verify = "none"
[[sync]]
booking = "salon"
crm = "main"
"""


def test_a_sample_reaches_the_service_and_is_ignored(place: Place) -> None:
    with place.served() as service:
        result = place.run("test", "stores")
        assert result.exit_code == 0, result.output
        lines = result.stdout.splitlines()
        accepted = "the service accepts deliveries, and the token or signature is right."
        assert lines[0] == f"{service.url}/webhooks/stores answered 202: {accepted}"
        assert lines[1] == "The sample is event 1: ignored, because it contains no booking."
        said = place.json("test", "stores")
        assert (said["answer"], said["status"], said["state"], said["event"]) == (202, "ignored", "ignored", 2)
    assert place.rows("SELECT state, reason FROM events ORDER BY id") == [
        ("ignored", "unknown event type; nothing to do for it"),
        ("ignored", "unknown event type; nothing to do for it"),
    ]


def test_a_sample_that_is_held_is_discarded(place: Place) -> None:
    place.file.write_text(place.file.read_text("utf-8") + BOOKABLESITES, encoding="utf-8")
    with place.served():
        result = place.run("test", "salon")
        assert result.exit_code == 0, result.output
        assert "The sample is event 1: held and discarded again, because it contains no booking." in result.stdout
        assert "0123456789abcdef" not in result.output
    assert place.rows("SELECT source, state FROM events") == [("salon", "discarded")]


def test_secrets_that_differ_from_the_service_s_are_said(place: Place) -> None:
    with place.served():
        loaded = config.load(place.file, systems=registry.Registry())
        webhook = loaded.booking["stores"].webhook
        assert webhook is not None
        text = place.file.read_text("utf-8").replace(webhook.tokens[0].get_secret_value(), "another-token-of-tests")
        place.file.write_text(text, encoding="utf-8")
        result = place.run("test", "stores")
        assert result.exit_code == 1
        assert "answered 401: The request could not be verified." in result.stderr
        assert "restart it" in result.stderr
        assert "another-token-of-tests" not in result.output
    assert place.rows("SELECT count(*) FROM events") == [(0,)]


def test_the_public_address_is_tried_on_request(place: Place) -> None:
    with place.served() as service:
        assert "No public_url is configured." in place.run("test", "stores", "--public").stderr
        text = place.file.read_text("utf-8").replace("[server]", '[server]\npublic_url = "http://127.0.0.1:9"', 1)
        place.file.write_text(text, encoding="utf-8")
        result = place.run("test", "stores", "--public")
        assert result.exit_code == 1
        assert "no answer from http://127.0.0.1:9/webhooks/stores (127.0.0.1 refused the connection)." in result.stderr
        place.file.write_text(text.replace("http://127.0.0.1:9", service.url), encoding="utf-8")
        said = json.loads(place.run("test", "stores", "--public", "--json").stdout)
        assert (said["address"], said["answer"]) == (f"{service.url}/webhooks/stores", 202)


@pytest.mark.parametrize(
    ("source", "code", "said"),
    [
        ("stores", 1, "No service is running with this database. Start `connector serve` first."),
        ("storse", 2, "There is no source 'storse'; known here: stores."),
    ],
)
def test_what_cannot_be_tried_is_said(place: Place, source: str, code: int, said: str) -> None:
    result = place.run("test", source)
    assert (result.exit_code, said in result.stderr) == (code, True)
