"""The key in a webhook's address is checked before the body is read."""

from __future__ import annotations

import hashlib

import pytest
from pydantic import SecretStr

from connector.remote.keyed_address import KeyedAddress
from connector.remote.signatures import NoVerification, TokenVerifier, VerificationFailed, Verified

KEY = "0123456789abcdef"
RIGHT = {":path": f"/webhooks/tours?key={KEY}"}


def test_the_key_proves_where_nothing_else_is_asked() -> None:
    checked = KeyedAddress.of(SecretStr(KEY), NoVerification())
    assert checked.before_body(RIGHT, now=0) == Verified()


def test_the_key_and_the_token_must_both_be_right() -> None:
    token = TokenVerifier("authorization", (hashlib.sha256(b"s3cret").digest(),))
    checked = KeyedAddress.of(SecretStr(KEY), token)
    assert checked.before_body({**RIGHT, "authorization": "s3cret"}, now=0) == Verified()
    for wrong in (RIGHT, {**RIGHT, "authorization": "x"}, {":path": "/webhooks/tours?key=x", "authorization": "s3cret"}, {}):
        with pytest.raises(VerificationFailed):
            checked.before_body(wrong, now=0)
