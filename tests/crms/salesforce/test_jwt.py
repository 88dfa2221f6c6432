"""The JWT bearer flow: a statement that our private key signs, and what becomes of each refusal."""

import json
import sys
import time

import httpx
import pytest
from pydantic import ValidationError
from rsa_key import PEM, PUBLIC, decoded

from connector.config import settings as config
from connector.crms.salesforce.login import ADVICE, JWT_BEARER, SECONDS, login_of
from connector.crms.salesforce.settings import SalesforceSettings
from connector.model.errors import AccountPaused, ConfigError
from connector.registry import Registry
from connector.sandbox.salesforce.app import SalesforceSandbox

from .conftest import KEY, SETTINGS
from .shapes import conforming

pytestmark = pytest.mark.anyio
USER = "connector@example.com"
SIGNED = {**{key: value for key, value in SETTINGS.items() if key != "client_secret"}, "private_key": PEM, "username": USER}


@pytest.fixture
def sandbox() -> SalesforceSandbox:
    return SalesforceSandbox(key_fields=(KEY,), public_key=PUBLIC)


@pytest.fixture
async def signed(sandbox, connect):
    """The adapter that signs, in front of the sandbox."""

    made = []

    def signed(**settings):
        given = {"client_secret": None, "private_key": PEM, "username": USER, **settings}
        made.append(connect(conforming(httpx.ASGITransport(sandbox.app)), **given))
        return made[-1]

    yield signed
    for adapter in made:
        await adapter.remote.aclose()


async def test_a_signed_statement_earns_a_token_and_a_new_one_after_it_ended(sandbox, signed):
    crm = signed()
    await crm.probe()
    assert sandbox.tokens_issued == 1
    sandbox.expire_tokens()
    assert await crm.by_email("ada@example.com") == []
    assert sandbox.tokens_issued == 2


def test_the_statement_names_app_user_audience_and_an_end_within_minutes():
    settings = SalesforceSettings.model_validate(SIGNED)
    form = login_of(settings, "crm.main").form(1_800_000_000.9)
    assert form.keys() == {"grant_type", "assertion"}
    assert form["grant_type"] == JWT_BEARER == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert json.loads(decoded(form["assertion"].split(".")[1])) == {
        "iss": "sandbox-client",
        "sub": USER,
        "aud": "https://example.my.salesforce.com",
        "exp": 1_800_000_000 + SECONDS,
    }


async def refused(crm) -> AccountPaused:
    with pytest.raises(AccountPaused) as caught:
        await crm.probe()
    assert PEM.split("\n")[1] not in str(caught.value) + caught.value.hint
    assert USER not in str(caught.value) + caught.value.hint
    return caught.value


async def test_a_signature_of_another_key_is_about_the_certificate(sandbox, signed):
    sandbox.public_key = (PUBLIC[0] - 2, PUBLIC[1])
    error = await refused(signed())
    assert "refused (invalid_grant)" in str(error)
    assert "certificate" in error.hint
    assert sandbox.tokens_issued == 0


async def test_an_audience_that_is_not_theirs_is_about_the_audience(signed):
    error = await refused(signed(audience="https://test.salesforce.com"))
    assert "Set audience" in error.hint
    await signed(audience="https://login.salesforce.com/").probe()


async def test_a_user_who_is_not_approved_is_about_the_apps_policies(signed):
    error = await refused(signed(username="somebody@example.com"))
    assert "pre-authorized" in error.hint


async def test_an_unknown_app_is_about_the_client_id(signed):
    assert "client_id" in (await refused(signed(client_id="another"))).hint


async def test_a_statement_that_has_ended_is_about_the_clock(sandbox, signed, monkeypatch):
    late = time.time() - SECONDS - 1
    monkeypatch.setattr("connector.crms.salesforce.adapter.time.time", lambda: late)
    sandbox._clock = lambda: late + SECONDS + 1
    assert "clock" in (await refused(signed())).hint


async def test_a_statement_for_much_too_long_is_refused_by_the_sandbox(sandbox, signed):
    sandbox._clock = lambda: time.time() - 3600
    assert "certificate" in (await refused(signed())).hint


@pytest.mark.parametrize(
    ("code", "description", "expected"),
    [
        ("invalid_grant", "Invalid User", ADVICE["invalid user"]),
        ("app_not_found", "External client app is not installed in this org", ADVICE["app_not_found"]),
        ("invalid_app_access", "user is not admin approved to access this app", ADVICE["invalid_app_access"]),
        ("invalid_grant", "something new", "Check client_id, username, private_key and audience in [crm.main]."),
    ],
)
def test_advice_is_chosen_by_the_description_or_else_by_the_code(code, description, expected):
    assert login_of(SalesforceSettings.model_validate(SIGNED), "crm.main").hint(code, description) == expected


@pytest.mark.parametrize("assertion", ["", "a.b", "a.b.c", "e30.e30.e30", "e30.e30.e30.e30"])
async def test_the_sandbox_takes_nothing_that_is_no_statement(sandbox, assertion):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app), base_url="https://sf.test") as http:
        form = {"grant_type": JWT_BEARER, "assertion": assertion}
        answer = await http.post("/services/oauth2/token", data=form)
    assert (answer.status_code, answer.json()["error_description"]) == (400, "invalid assertion")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"client_secret": "secret"}, "either client_secret or private_key"),
        ({"private_key": None, "username": None}, "either client_secret or private_key"),
        ({"username": None}, "belong together"),
        ({"private_key": None, "client_secret": "secret"}, "belong together"),
        ({"private_key": "no key"}, "no RSA private key"),
        ({"private_key": None, "username": None, "client_secret": "s", "audience": "https://x.test"}, "only for a private_key"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        SalesforceSettings.model_validate({**SIGNED, **change})


FILE = """
[booking.stores]
system = "booxi"
base_url = "https://booxi.test"
partner_key = "a-partner-key"
module_id = "salesforce"
[booking.stores.webhook]
verify = "none"
[crm.main]
system = "salesforce"
base_url = "https://example.my.salesforce.com"
client_id = "the-app"
username = "connector@example.com"
private_key = { file = "key.pem" }
[[sync]]
booking = "stores"
crm = "main"
"""


def loaded(folder, key: str):
    (folder / "key.pem").write_text(key, encoding="ascii")
    (folder / "connector.toml").write_text(FILE, encoding="utf-8")
    return config.load(folder / "connector.toml", systems=Registry())


def test_the_key_comes_from_a_file_of_several_lines(tmp_path):
    settings = loaded(tmp_path, PEM).crm["main"]
    assert settings.private_key.get_secret_value() == PEM.removesuffix("\n")


def test_a_file_that_is_no_key_is_a_fault_that_does_not_repeat_it(tmp_path):
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, PEM[:300])
    (fault,) = caught.value.faults
    assert "private_key" in fault
    assert "no RSA private key" in fault
    assert PEM[40:60] not in fault


def test_without_the_package_file_key_and_command_are_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, PEM)
    (fault,) = caught.value.faults
    assert "connector.toml" in str(caught.value)
    assert "private_key" in fault
    assert 'python -m pip install "cryptography>=44"' in fault


@pytest.mark.parametrize("key", ["a\x00b\nc", "a\tb"])
def test_other_control_characters_stay_refused(tmp_path, key):
    with pytest.raises(ConfigError, match="control character"):
        loaded(tmp_path, key)
