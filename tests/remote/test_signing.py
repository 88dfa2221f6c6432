"""A sample's proof is taken by the verifier of the same settings, and by no other."""

from __future__ import annotations

import pytest

from connector.booking_systems.bookeo.signature import BookeoVerifier, sign
from connector.config.settings import WebhookSettings
from connector.remote.signatures import VerificationFailed, verifier_for
from connector.remote.signing import proof

NOW = 1_795_262_400.0
BODY = b'{"id": "connector-test-1"}'
SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
SCHEMES = [
    {"verify": "token", "tokens": ["a-token-of-tests"]},
    {"verify": "token", "header": "X-Token", "tokens": ["a-token-of-tests", "another"]},
    {"verify": "hmac", "header": "X-Signature", "secrets": ["first-secret", "second"]},
    {
        "verify": "hmac",
        "header": "X-Signature",
        "secrets": ["s"],
        "prefix": "sha512=",
        "algorithm": "sha512",
        "encoding": "base64",
    },
    {
        "verify": "hmac",
        "header": "X-Signature",
        "secrets": ["s"],
        "signed": "{header:X-Id}.{timestamp}.{body}",
        "timestamp_header": "X-Time",
    },
    {"verify": "standard-webhooks", "secrets": [SECRET]},
    {"verify": "none"},
]


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: "-".join(map(str, scheme.values()))[:40])
def test_the_verifier_takes_it(scheme: dict[str, object]) -> None:
    settings = WebhookSettings.model_validate(scheme)
    headers = {name.lower(): value for name, value in proof(settings, BODY, "connector-test-1", NOW, where="w").items()}
    verifier = verifier_for(settings, where="w")
    verifier.verify(headers, BODY, now=NOW)
    if settings.verify not in ("token", "none"):
        with pytest.raises(VerificationFailed):
            verifier.verify(headers, BODY + b" ", now=NOW)


def test_bookeo_s_own_signature() -> None:
    address, secrets = "https://hooks.example.com/webhooks/tours", (b"secret",)
    headers = sign(f"{address}?domain=connector&type=test", secrets, BODY, "connector-test-1", NOW)
    verifier = BookeoVerifier(address, secrets)
    path = "/webhooks/tours?domain=connector&type=test"
    assert verifier.verify({**headers, ":path": path}, BODY, now=NOW).message_id == "connector-test-1"
    with pytest.raises(VerificationFailed):
        verifier.verify({**headers, ":path": "/webhooks/tours"}, BODY, now=NOW)
