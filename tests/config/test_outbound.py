"""`[outbound]` and an account's own table: what is joined, what the environment adds, and what stops the start."""

from functools import partial

import configuring
import pytest
from configuring import ENVIRON, GOOD
from remote.authority import Authority

from connector.config.outbound import Proxy

PROXY = "http://proxy.example.com:3128"


@pytest.fixture
def read(tmp_path):
    return partial(configuring.read, tmp_path)


@pytest.fixture
def faults(tmp_path):
    return partial(configuring.faults, tmp_path)


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


def both(common: str, own: str = "") -> str:
    """A file with `[outbound]` and, where given, the CRM's own table."""
    return f"[outbound]\n{common}\n{GOOD}" + (f"\n[crm.main.outbound]\n{own}\n" if own else "")


def test_without_a_word_everything_is_reached_directly_whatever_the_environment_says(read):
    routes = read(GOOD, ENVIRON | {"HTTPS_PROXY": PROXY}).routes
    assert routes.keys() == {"booking.stores", "crm.main"}
    assert routes["crm.main"].proxy_for("https", "api.example.com") is None
    assert routes["crm.main"].trust.ca_file is None


def test_an_account_s_own_keys_win_over_those_for_all(read, authority, tmp_path):
    authority.issue("client")
    own = 'proxy = "none"\nclient_cert = "private-client.pem"\nclient_key = "private-client.key"'
    common = f'ca_file = "private.pem"\nproxy = "{PROXY}"\nproxy_user = "us"\nproxy_password = {{ env = "PASSWORD" }}'
    routes = read(both(common, own), ENVIRON | {"PASSWORD": "hidden"}).routes
    stores, main = routes["booking.stores"], routes["crm.main"]
    assert (stores.trust.ca_file, main.trust.ca_file) == (tmp_path / "private.pem",) * 2
    assert (stores.trust.client_cert, main.trust.client_cert) == (None, tmp_path / "private-client.pem")
    assert stores.https is not None
    assert (stores.https.url, stores.https.user, stores.https.password.get_secret_value()) == (PROXY, "us", "hidden")
    assert (main.https, main.http) == (None, None)


def test_the_environment_s_proxies_are_used_where_that_is_said(read):
    environ = ENVIRON | {"https_proxy": "us:p%40ss@proxy.example.com:3128", "NO_PROXY": "crm.example.com, .intern.example.com"}
    route = read(both('proxy = "environment"'), environ).routes["crm.main"]
    proxy = route.proxy_for("https", "api.example.com")
    assert (proxy.url, proxy.user, proxy.password.get_secret_value()) == (PROXY, "us", "p@ss")
    assert route.proxy_for("https", "crm.example.com") is None
    assert route.proxy_for("https", "a.intern.example.com") is None
    assert route.proxy_for("http", "api.example.com") is None
    everything = read(both('proxy = "environment"'), ENVIRON | {"ALL_PROXY": PROXY}).routes["crm.main"]
    assert (everything.https, everything.http) == (Proxy(PROXY), Proxy(PROXY))


def test_the_variables_of_openssl_are_honoured(read, authority, tmp_path):
    environ = ENVIRON | {"SSL_CERT_FILE": str(authority.ca.cert), "SSL_CERT_DIR": str(tmp_path)}
    trust = read(GOOD, environ).routes["crm.main"].trust
    assert (trust.cert_file, trust.cert_dir) == (authority.ca.cert, str(tmp_path))


@pytest.mark.parametrize(
    ("common", "expected"),
    [
        ('ca_file = "none.pem"', r"[outbound] ca_file: the file {}/none.pem does not exist; name a file with the authority's"),
        (
            'ca_file = "empty.pem"',
            "[outbound] ca_file: the file {}/empty.pem cannot be used (no certificate or crl found); name",
        ),
        ('ca_file = "folder.pem"', "[outbound] ca_file: the file {}/folder.pem cannot be read (Is a directory); name"),
        ('client_cert = "private.pem"', "[outbound] client_cert: the file {}/private.pem cannot be used ("),
        (
            'client_key = "private.key"',
            "[outbound] client_cert: is missing, but client_key is there; name the certificate's file",
        ),
        (
            'client_cert = "private.pem"\nclient_key = "none.key"',
            "[outbound] client_key: the file {}/none.key does not exist; name the PEM file",
        ),
        (
            'client_cert = "private.pem"\nclient_key = "other.key"',
            "[outbound] client_cert: the file {}/private.pem cannot be used (key values mismatch); both must be PEM",
        ),
        ('proxy = "socks5://proxy.example.com"', '[outbound] proxy: must be "http://proxy.example.com:3128" (or https)'),
        ('proxy = "http://us:hidden@proxy.example.com"', "[outbound] proxy: must not hold a user name; write proxy_user"),
        ('proxy = "http://proxy.example.com/path"', "[outbound] proxy: must have scheme, host and port only"),
        (f'proxy = "{PROXY}"\nproxy_password = "hidden"', "[outbound] proxy_user: is missing, but proxy_password is there"),
        (f'proxy = "{PROXY}"\nproxy_user = "us:hidden"', "[outbound] proxy_user: must be the user name alone"),
        (
            'proxy = "environment"\nproxy_user = "us"',
            "[outbound] proxy: must be the proxy's address, since proxy_user is there",
        ),
    ],
)
def test_what_cannot_be_used_stops_the_start(faults, authority, tmp_path, common, expected):
    Authority(tmp_path, "other")
    (tmp_path / "empty.pem").write_text("")
    (tmp_path / "folder.pem").mkdir()
    (line,) = faults(both(common))
    assert line.startswith(expected.format(tmp_path))
    assert "hidden" not in line


def test_a_key_pasted_where_its_file_belongs_is_not_repeated(faults, authority):
    (line,) = faults(both('client_cert = "private.pem"\nclient_key = "-----BEGIN KEY----- s3cret"'))
    assert line.startswith("[outbound] client_key: the file that is named there does not exist")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("SSL_CERT_FILE", "/none/ca.pem", "SSL_CERT_FILE: the file"),
        ("SSL_CERT_DIR", "/none", "SSL_CERT_DIR: there is no such folder; correct the environment variable, or remove it"),
        ("HTTPS_PROXY", "ftp://proxy.example.com", "HTTPS_PROXY: is no address of a proxy"),
    ],
)
def test_variables_that_lead_nowhere_stop_the_start(faults, name, value, expected):
    (line,) = faults(both('proxy = "environment"'), ENVIRON | {name: value})
    assert line.startswith(expected)
