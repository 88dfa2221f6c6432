"""What proves a delivery, what does not, and that no header can make the verifiers stumble."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connector.config.settings import WebhookSettings
from connector.model.errors import ConfigError
from connector.remote.signatures import MAX_HEADER, MAX_SIGNATURES, VerificationFailed, Verified, Verifier, verifier_for

WHERE = "booking.stores.webhook"
NOW = 1_700_000_000.0
BODY = b'{"id": 1, "text": "{timestamp} {body} \xc3\xa9"}'
#: Published with the reference library of Standard Webhooks.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
VECTOR_BODY = b'{"test": 2432232314}'
VECTOR = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
VECTOR_NOW = 1614265330.0


def verifier(**keys: Any) -> Verifier:
    return verifier_for(WebhookSettings.model_validate(keys), where=WHERE)


def refused(checked: Verifier, headers: dict[str, str], body: bytes = BODY, now: float = NOW) -> bool:
    try:
        checked.verify(headers, body, now=now)
    except VerificationFailed:
        return True
    return False


def sign(secret: bytes, message: bytes, algorithm: str = "sha256") -> bytes:
    return hmac.new(secret, message, algorithm).digest()


def faults(**keys: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        verifier(**keys)
    assert all(fault.startswith(f"{WHERE}.") and ": " in fault for fault in caught.value.faults)
    return caught.value.faults


# token


@pytest.mark.parametrize("configured", ["s3cret", "Bearer s3cret", "bearer   s3cret", " s3cret "])
@pytest.mark.parametrize("sent", ["s3cret", "Bearer s3cret", "BEARER s3cret", "bearer\ts3cret", " s3cret "])
def test_a_token_matches_bare_and_as_bearer_on_either_side(configured: str, sent: str) -> None:
    assert verifier(verify="token", tokens=[configured]).verify({"authorization": sent}, BODY, now=NOW) == Verified()


@pytest.mark.parametrize(
    "sent", ["", " ", "Bearer", "Bearer ", "Basic s3cret", "s3cre", "s3crets", "S3CRET", "Bearers3cret", "é\x00"]
)
def test_anything_else_than_the_token_is_refused(sent: str) -> None:
    assert refused(verifier(verify="token", tokens=["s3cret"]), {"authorization": sent})


def test_an_absent_header_is_refused() -> None:
    assert refused(verifier(verify="token", tokens=["s3cret"]), {"x-other": "s3cret"})


def test_any_of_several_tokens_matches_in_the_configured_header() -> None:
    rotated = verifier(verify="token", header="X-Hook-Token", tokens=["old", "new"])
    assert not refused(rotated, {"x-hook-token": "old"})
    assert not refused(rotated, {"x-hook-token": "new"})
    assert refused(rotated, {"x-hook-token": "older", "authorization": "new"})


def test_a_token_that_is_not_ascii_arrives_as_latin_1() -> None:
    sent = "clé".encode().decode("latin-1")
    assert not refused(verifier(verify="token", tokens=["clé"]), {"authorization": sent})
    assert refused(verifier(verify="token", tokens=["clé"]), {"authorization": "cl\u20ac"})


def test_a_token_verifier_does_not_show_its_tokens() -> None:
    assert "s3cret" not in repr(verifier(verify="token", tokens=["s3cret"]))
    assert "s3cret" not in repr(verifier(verify="hmac", header="x-s", secrets=["s3cret"]))


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ({"tokens": []}, "tokens"),
        ({"tokens": ["good", ""]}, "tokens"),
        ({"tokens": ["  "]}, "tokens"),
        ({"tokens": ["Bearer "]}, "tokens"),
        ({"tokens": ["good"], "header": "X Token:"}, "header"),
    ],
)
def test_a_token_configuration_without_sense_is_a_fault(keys: dict[str, Any], key: str) -> None:
    assert any(fault.startswith(f"{WHERE}.{key}: ") for fault in faults(verify="token", **keys))


# hmac


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha384", "sha512"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
def test_an_hmac_of_the_raw_body_is_accepted(algorithm: str, encoding: str) -> None:
    checked = verifier(verify="hmac", header="X-Sig", secrets=["k"], algorithm=algorithm, encoding=encoding)
    digest = sign(b"k", BODY, algorithm)
    text = digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()
    assert not refused(checked, {"x-sig": text})
    assert refused(checked, {"x-sig": text}, BODY + b" ")
    assert refused(checked, {"x-sig": text[:-4]})


def test_hex_is_compared_without_case_and_base64_in_both_alphabets() -> None:
    digest = sign(b"k", BODY, "sha512")
    in_hex = verifier(verify="hmac", header="x-sig", secrets=["k"], algorithm="sha512")
    assert not refused(in_hex, {"x-sig": digest.hex().upper()})
    in_base64 = verifier(verify="hmac", header="x-sig", secrets=["k"], algorithm="sha512", encoding="base64")
    assert not refused(in_base64, {"x-sig": base64.urlsafe_b64encode(digest).decode().rstrip("=")})
    assert refused(in_base64, {"x-sig": base64.b64encode(digest).decode().swapcase()})


def test_any_listed_signature_by_any_secret_is_enough() -> None:
    checked = verifier(verify="hmac", header="x-sig", secrets=["old", "new"], prefix="sha256=")
    good = "sha256=" + sign(b"new", BODY).hex()
    for listed in (good, f"sha256=00, {good}", f"{good},,sha1=ff", f"t=1  {good}"):
        assert not refused(checked, {"x-sig": listed})
    assert refused(checked, {"x-sig": good.removeprefix("sha256=")})
    assert refused(checked, {"x-sig": "sha256=" + sign(b"other", BODY).hex()})


def test_a_prefix_may_hold_a_blank() -> None:
    checked = verifier(verify="hmac", header="Authorization", secrets=["k"], prefix="HMAC ")
    assert not refused(checked, {"authorization": "HMAC " + sign(b"k", BODY).hex()})
    assert refused(checked, {"authorization": sign(b"k", BODY).hex()})


def test_a_prefix_may_hold_a_comma() -> None:
    """Some senders take the headers of the standard, and for the key the secret's text as it is shown, `whsec_` included.

    While they change that, they list two signatures: polarsource/polar pull requests 13522 and 14102.
    """
    checked = verifier(
        verify="hmac",
        header="webhook-signature",
        secrets=["whsec_text of a secret"],
        prefix="v1,",
        encoding="base64",
        signed="{header:webhook-id}.{timestamp}.{body}",
        timestamp_header="webhook-timestamp",
    )
    signature = base64.b64encode(sign(b"whsec_text of a secret", b"msg_1.1700000000." + BODY)).decode()
    for listed in (f"v1,{signature}", f"v1,AAAA v1,{signature}", f"v1,{signature} v1,AAAA", f"v1a,AAAA v1,{signature}"):
        headers = {"webhook-signature": listed, "webhook-id": "msg_1", "webhook-timestamp": "1700000000"}
        assert not refused(checked, headers, now=1_700_000_000)
        assert refused(checked, headers, body=BODY + b" ", now=1_700_000_000)
    assert refused(checked, {**headers, "webhook-signature": f"v2,{signature}"}, now=1_700_000_000)


@pytest.mark.parametrize("stamp", ["1700000000", "1700000000000"], ids=["seconds", "milliseconds"])
@pytest.mark.parametrize(("late", "accepted"), [(0, True), (300, True), (-300, True), (301.5, False), (-301.5, False)])
def test_a_signed_timestamp_counts_both_ways(stamp: str, late: float, accepted: bool) -> None:
    checked = verifier(verify="hmac", header="x-sig", secrets=["k"], signed="{timestamp}.{body}", timestamp_header="X-Time")
    headers = {"x-sig": sign(b"k", stamp.encode() + b"." + BODY).hex(), "x-time": stamp}
    assert refused(checked, headers, now=NOW + late) is not accepted


def test_a_changed_timestamp_is_refused() -> None:
    checked = verifier(verify="hmac", header="x-sig", secrets=["k"], signed="{timestamp}.{body}", timestamp_header="x-time")
    assert refused(checked, {"x-sig": sign(b"k", b"1700000000." + BODY).hex(), "x-time": "1700000001"})


def test_placeholders_inside_the_body_are_left_alone() -> None:
    checked = verifier(verify="hmac", header="x-sig", secrets=["k"], signed="{body}{body}")
    body = b"{body}{timestamp}{}"
    assert not refused(checked, {"x-sig": sign(b"k", body + body).hex()}, body)


def test_a_template_may_cover_another_header_and_plain_text() -> None:
    url = "https://hooks.example.com/webhooks/tours"
    checked = verifier(
        verify="hmac",
        header="x-sig",
        secrets=["k"],
        signed="{timestamp}{header:X-Message-Id}" + url + "{body}",
        timestamp_header="x-time",
    )
    headers = {
        "x-sig": sign(b"k", b"1700000000000" + b"m1" + url.encode() + BODY).hex(),
        "x-time": "1700000000000",
        "x-message-id": "m1",
    }
    assert not refused(checked, headers)
    assert refused(checked, {**headers, "x-message-id": "m2"})
    assert refused(checked, {name: value for name, value in headers.items() if name != "x-message-id"})


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ({"secrets": []}, "secrets"),
        ({"secrets": [" "]}, "secrets"),
        ({"header": None}, "header"),
        ({"header": ""}, "header"),
        ({"header": "x sig"}, "header"),
        ({"signed": "{method}{body}"}, "signed"),
        ({"signed": "{body"}, "signed"),
        ({"signed": "{body}}"}, "signed"),
        ({"signed": "{header:}{body}"}, "signed"),
        ({"signed": "constant"}, "signed"),
        ({"signed": "{timestamp}.{body}"}, "timestamp_header"),
        ({"timestamp_header": "x-time"}, "signed"),
        ({"signed": "{timestamp}{body}", "timestamp_header": "x time"}, "timestamp_header"),
    ],
)
def test_an_hmac_configuration_without_sense_is_a_fault(keys: dict[str, Any], key: str) -> None:
    given_keys = {"header": "x-sig", "secrets": ["k"], **keys}
    assert any(fault.startswith(f"{WHERE}.{key}: ") for fault in faults(verify="hmac", **given_keys))


def test_every_fault_is_reported_at_once() -> None:
    found = faults(verify="hmac", signed="{timestamp}")
    assert {fault.removeprefix(f"{WHERE}.").partition(":")[0] for fault in found} == {
        "secrets",
        "header",
        "signed",
        "timestamp_header",
    }


# standard-webhooks


def standard_headers(secret: bytes = b"k" * 24, stamp: str = "1700000000", message_id: str = "msg_1") -> dict[str, str]:
    signed = f"{message_id}.{stamp}.".encode() + BODY
    signature = base64.b64encode(sign(secret, signed)).decode()
    return {"webhook-id": message_id, "webhook-timestamp": stamp, "webhook-signature": f"v1,{signature}"}


def whsec(secret: bytes) -> str:
    return "whsec_" + base64.b64encode(secret).decode()


@pytest.mark.parametrize("secret", [SECRET, SECRET.removeprefix("whsec_")])
def test_the_published_vector_is_accepted(secret: str) -> None:
    checked = verifier(verify="standard-webhooks", secrets=[secret])
    assert checked.verify(VECTOR, VECTOR_BODY, now=VECTOR_NOW + 10).message_id == VECTOR["webhook-id"]


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("webhook-id", "msg_other"),
        ("webhook-timestamp", "1614265331"),
        ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OF="),
        ("webhook-signature", "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ("webhook-signature", "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ("webhook-signature", "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ("webhook-signature", "v1,"),
        ("webhook-signature", "v1,,"),
        ("webhook-signature", "v1"),
    ],
)
def test_a_change_to_the_published_vector_is_refused(change: str, value: str) -> None:
    checked = verifier(verify="standard-webhooks", secrets=[SECRET])
    assert refused(checked, {**VECTOR, change: value}, VECTOR_BODY, VECTOR_NOW)
    assert refused(checked, VECTOR, VECTOR_BODY + b"\n", VECTOR_NOW)


@pytest.mark.parametrize("missing", sorted(VECTOR))
def test_each_header_of_the_standard_is_needed(missing: str) -> None:
    checked = verifier(verify="standard-webhooks", secrets=[SECRET])
    assert refused(checked, {name: value for name, value in VECTOR.items() if name != missing}, VECTOR_BODY, VECTOR_NOW)
    assert refused(checked, {**VECTOR, missing: ""}, VECTOR_BODY, VECTOR_NOW)


def test_svix_names_the_headers_of_the_standard_after_itself() -> None:
    """NousResearch/hermes-agent pull request 20518, svix/svix-docs pull request 330: both sets of names are in use."""
    checked = verifier(verify="standard-webhooks", secrets=[whsec(b"k" * 24)])
    headers = {name.replace("webhook-", "svix-"): value for name, value in standard_headers().items()}
    assert checked.before_body(headers, now=NOW) is None
    assert checked.verify(headers, BODY, now=NOW).message_id == "msg_1"
    for name in headers:
        assert refused(checked, {**headers, name: "1"})
        assert refused(checked, {key: value for key, value in headers.items() if key != name})
    # Of a mixture, only one set counts.
    assert refused(checked, {**headers, "webhook-id": "msg_1"})


@pytest.mark.parametrize(("late", "accepted"), [(299, True), (-299, True), (301, False), (-301, False), (float("nan"), False)])
def test_the_tolerance_of_the_standard_counts_both_ways(late: float, accepted: bool) -> None:
    checked = verifier(verify="standard-webhooks", secrets=[SECRET])
    assert refused(checked, VECTOR, VECTOR_BODY, VECTOR_NOW + late) is not accepted


def test_rotation_needs_one_match_among_secrets_and_signatures() -> None:
    old, new = b"o" * 24, b"n" * 64
    checked = verifier(verify="standard-webhooks", secrets=[whsec(old), whsec(new)])
    headers = standard_headers(new)
    headers["webhook-signature"] = "v1a,AAAA v1,AAAA " + headers["webhook-signature"] + " v1,BBBB"
    assert not refused(checked, headers)
    assert not refused(checked, standard_headers(old))
    assert refused(checked, standard_headers(b"x" * 24))


@pytest.mark.parametrize("message_id", ["a.b", "a b", "x" * 257, "\x00", "é"])
def test_a_message_id_that_could_be_misread_is_refused_though_signed(message_id: str) -> None:
    checked = verifier(verify="standard-webhooks", secrets=[whsec(b"k" * 24)])
    assert not refused(checked, standard_headers())
    headers = standard_headers(message_id=message_id)
    if not message_id.isascii():
        signed = message_id.encode("latin-1") + b".1700000000." + BODY
        headers["webhook-signature"] = "v1," + base64.b64encode(sign(b"k" * 24, signed)).decode()
    assert refused(checked, headers)


@pytest.mark.parametrize(
    "stamp", ["NaN", "inf", "1e400", "-1700000000", "+1700000000", "1_700_000_000", "1700000000.0", "0x1", "9" * 400]
)
def test_a_timestamp_that_is_no_plain_number_is_refused_though_signed(stamp: str) -> None:
    checked = verifier(verify="standard-webhooks", secrets=[whsec(b"k" * 24)])
    assert refused(checked, standard_headers(stamp=stamp))


def test_digits_of_other_scripts_are_no_timestamp() -> None:
    checked = verifier(verify="standard-webhooks", secrets=[whsec(b"k" * 24)])
    assert refused(checked, standard_headers(stamp="١٧٠٠٠٠٠٠٠٠"))
    assert refused(checked, standard_headers(stamp="²³"))


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!", whsec(b"k" * 23), whsec(b"k" * 65), "whsk_" + "A" * 32, "whsec_é"])
def test_a_secret_of_another_form_is_a_fault_that_does_not_repeat_it(secret: str) -> None:
    found = faults(verify="standard-webhooks", secrets=[SECRET, secret])
    assert any(fault.startswith(f"{WHERE}.secrets: ") for fault in found)
    assert not secret or secret == "whsec_" or secret not in " ".join(found)


def test_the_standard_without_secrets_is_a_fault() -> None:
    assert faults(verify="standard-webhooks")[0].startswith(f"{WHERE}.secrets: missing")


# all


def test_none_accepts_everything() -> None:
    assert verifier(verify="none").verify({}, b"", now=NOW) == Verified()


VERIFIERS = [
    verifier(verify="token", tokens=["s3cret"]),
    verifier(verify="hmac", header="authorization", secrets=["k", "l"]),
    verifier(
        verify="hmac",
        header="authorization",
        secrets=["k"],
        encoding="base64",
        prefix="v1=",
        signed="{timestamp}.{body}",
        timestamp_header="webhook-timestamp",
    ),
    verifier(verify="standard-webhooks", secrets=[SECRET]),
]
NAMES = ["authorization", *VECTOR]
HOSTILE = st.one_of(
    st.text(),
    st.text(st.characters(codec=None), max_size=50),
    st.text("v1a,= ;.\x00\t\n\xa0\xffAB", max_size=60),
    st.sampled_from(
        ["v1,", ",,", "v1,a,b", " ", "1e400", "NaN", "-1", "²", "\ud800", "x" * (MAX_HEADER + 1), "v1,A " * MAX_SIGNATURES * 2]
    ),
)


@pytest.mark.parametrize("checked", VERIFIERS, ids=["token", "hmac", "hmac-time", "standard"])
@settings(max_examples=150, deadline=None)
@given(
    headers=st.dictionaries(st.sampled_from(NAMES), HOSTILE),
    body=st.binary(max_size=100),
    now=st.floats(allow_nan=True, allow_infinity=True),
)
@example(headers={**VECTOR, "webhook-signature": "v1"}, body=b"\xff\xfe", now=VECTOR_NOW)
def test_hostile_headers_are_refused_and_nothing_else(
    checked: Verifier, headers: dict[str, str], body: bytes, now: float
) -> None:
    assert refused(checked, headers, body, now)


@pytest.mark.parametrize("name", sorted(VECTOR))
@settings(max_examples=100, deadline=None)
@given(value=HOSTILE)
def test_one_hostile_header_beside_genuine_ones_is_refused(name: str, value: str) -> None:
    assert refused(VERIFIERS[3], {**VECTOR, name: value}, VECTOR_BODY, VECTOR_NOW)


def test_too_many_signatures_are_refused_though_one_is_genuine() -> None:
    good = sign(b"k", BODY).hex()
    assert not refused(VERIFIERS[1], {"authorization": ",".join(["00"] * (MAX_SIGNATURES - 1) + [good])})
    assert refused(VERIFIERS[1], {"authorization": ",".join(["00"] * MAX_SIGNATURES + [good])})


def test_a_refusal_repeats_nothing_that_was_sent() -> None:
    for checked in VERIFIERS:
        with pytest.raises(VerificationFailed) as caught:
            checked.verify(dict.fromkeys(NAMES, "private"), b"private", now=NOW)
        assert "private" not in str(caught.value) + caught.value.hint


def test_all_tokens_are_compared_even_after_a_match(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []

    def spy(one: bytes, other: bytes) -> bool:
        compared.append(other)
        return one == other

    checked = verifier(verify="token", tokens=["first", "second", "third"])
    monkeypatch.setattr(hmac, "compare_digest", spy)
    checked.verify({"authorization": "first"}, BODY, now=NOW)
    assert compared == [hashlib.sha256(token).digest() for token in (b"first", b"second", b"third")]


# what the headers alone say


def _before(checked: Verifier, headers: dict[str, str], now: float = NOW) -> bool | None:
    """True: proven; None: the body has to be seen; False: refused."""
    try:
        return checked.before_body(headers, now=now) is not None or None
    except VerificationFailed:
        return False


def test_a_token_needs_no_body() -> None:
    checked = verifier(verify="token", tokens=["s3cret"])
    assert _before(checked, {"authorization": "Bearer s3cret"}) is True
    assert _before(checked, {"authorization": "other"}) is False
    assert _before(checked, {}) is False


def test_nothing_asked_is_nothing_proven() -> None:
    assert _before(verifier(verify="none"), {}) is None


def test_an_hmac_is_refused_early_without_signature_or_outside_the_tolerance() -> None:
    keys = {"header": "x-sig", "timestamp_header": "x-time", "signed": "{timestamp}.{header:x-id}.{body}", "prefix": "v1="}
    checked = verifier(verify="hmac", secrets=["s"], **keys)
    right = {"x-sig": "v1=00", "x-time": str(int(NOW)), "x-id": "7"}
    assert _before(checked, right) is None
    for wrong in ({"x-sig": ""}, {"x-sig": "00"}, {"x-time": "1"}, {"x-time": "now"}, {"x-id": ""}):
        assert _before(checked, {**right, **wrong}) is False


def test_a_standard_webhook_is_refused_early_by_id_time_and_form() -> None:
    checked = verifier(verify="standard-webhooks", secrets=[SECRET])
    assert _before(checked, VECTOR, VECTOR_NOW) is None
    for wrong in ({"webhook-id": "a.b"}, {"webhook-timestamp": "1"}, {"webhook-signature": "v1a,x"}):
        assert _before(checked, {**VECTOR, **wrong}, VECTOR_NOW) is False
