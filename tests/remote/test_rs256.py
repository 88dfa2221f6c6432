"""RS256 against the example of RFC 7515, appendix A.2, and keys that cannot be used."""

import base64
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from rsa_key import PEM, PUBLIC, SIGNATURE, SIGNED, decoded, element, integer, number, pem, pkcs1, pkcs8

from connector.remote.rs256 import REQUIREMENT, read_private_key, signed_statement


def written(key):
    """A generated key as PEM."""
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


@pytest.mark.parametrize(
    "text", [PEM, pem("RSA PRIVATE KEY", pkcs1()), "Bag Attributes\n" + PEM + "\n", PEM.replace("\n", "\r\n")]
)
def test_the_signature_is_that_of_the_rfc_whatever_form_the_key_has(text):
    key = read_private_key(text)
    assert key.sign(SIGNED) == decoded(SIGNATURE)
    assert key.sign(SIGNED) == decoded(SIGNATURE), "the same each time"


def test_a_signed_statement_is_a_compact_token_that_the_public_half_accepts():
    head, body, signature = signed_statement({"iss": "us", "exp": 1800000000}, read_private_key(PEM)).split(".")
    assert json.loads(decoded(head)) == {"alg": "RS256"}
    assert json.loads(decoded(body)) == {"iss": "us", "exp": 1800000000}
    n, e = PUBLIC
    shown = pow(number(signature), e, n).to_bytes(256)
    assert shown.startswith(b"\x00\x01\xff\xff")
    assert "=" not in head + body + signature


def test_the_private_half_is_not_shown():
    key = read_private_key(PEM)
    assert repr(key) == str(key) == "PrivateKey()"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no RSA private key"),
        ("AAAA", "no RSA private key"),
        (PEM.replace("PRIVATE", "PUBLIC"), "no RSA private key"),
        (pem("CERTIFICATE", pkcs8(pkcs1())), "no RSA private key"),
        (pem("PRIVATE KEY", pkcs8(pkcs1())[:200]), "no RSA private key"),
        (pem("PRIVATE KEY", pkcs8(pkcs1(), "06072a8648ce3d0201")), "no RSA private key"),
        (pem("PRIVATE KEY", b"\x30\x82"), "no RSA private key"),
        (pem("PRIVATE KEY", pkcs8(element(0x30, integer(1) * 4))), "no RSA private key"),
        (written(ec.generate_private_key(ec.SECP256R1())), "no RSA private key"),
        ("\udcff" + PEM, "no RSA private key"),
        (PEM.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"), "passphrase"),
        ("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n", "passphrase"),
        (written(rsa.generate_private_key(65537, 1024)), "has 1024 bits; 2048 to 8192 are accepted"),
        (pem("RSA PRIVATE KEY", pkcs1(n=PUBLIC[0] - 2)), "damaged"),
        (pem("RSA PRIVATE KEY", pkcs1(d=number(SIGNATURE) // 2)), "damaged"),
    ],
)
def test_a_key_that_cannot_be_used_is_refused_in_words_without_a_part_of_it(text, why):
    with pytest.raises(ValueError, match=why) as caught:
        read_private_key(text)
    for line in text.split("\n"):
        assert "-----" in line or len(line) < 10 or line not in str(caught.value)


def test_a_cut_base64_is_refused():
    with pytest.raises(ValueError, match="no RSA private key"):
        read_private_key("-----BEGIN PRIVATE KEY-----\n" + base64.b64encode(b"0").decode()[:3] + "\n-----END PRIVATE KEY-----")


def test_without_the_package_the_command_that_installs_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(ValueError, match="needs the package cryptography, which is not installed") as caught:
        read_private_key(PEM)
    assert 'python -m pip install "cryptography>=44"' in str(caught.value)


def test_the_command_names_the_versions_of_the_extra():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    assert extras["jwt"] == [REQUIREMENT]
    assert set(extras["jwt"]) | set(extras["postgres"]) <= set(extras["dev"])


def test_who_does_not_sign_does_not_need_the_package():
    program = "import sys, connector.registry, connector.crms.salesforce.adapter; print('cryptography' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
