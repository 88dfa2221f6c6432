"""What is wrong with a configuration: each fault says where, what and how to fix it."""

from functools import partial

import configuring
import pytest
from configuring import CRM, GOOD, SECRET, SOURCE, SYNC, WEBHOOK

from connector.config.settings import load
from connector.model.errors import ConfigError
from connector.registry import CRMS, Registry


@pytest.fixture
def read(tmp_path):
    return partial(configuring.read, tmp_path)


@pytest.fixture
def faults(tmp_path):
    return partial(configuring.faults, tmp_path)


# ---- faults ----


def test_all_faults_are_reported_at_once(faults):
    lines = faults(
        '[server]\nport = "x"\nhots = "127.0.0.1"\n[worker]\nconcurrency = 0\n[stauts]\n'
        + GOOD.replace("CRM_TOKEN", "ABSENT").replace('crm = "main"', 'crm = "mian"')
    )
    assert [line.split(":")[0] for line in lines] == [
        "stauts",
        "[server] hots",
        "[server] port",
        "[worker] concurrency",
        "[crm.main] token",
        "[[sync]] number 1 crm",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[servr]\n" + GOOD, 'servr: unknown key; did you mean "server"?'),
        (
            GOOD.replace("[crm.main]\n", "[crm.main]\nrecord_appointments = true\n"),
            "[crm.main] record_appointments: does not belong here, but in [[sync]]",
        ),
        ("[log]\nport = 1\n" + GOOD, "[log] port: does not belong here, but in [server]"),
        ("[server]\nmax_body_byte = 1\n" + GOOD, '[server] max_body_byte: unknown key; did you mean "max_body_bytes"?'),
        (
            "[database]\nzzz = 1\n" + GOOD,
            "[database] zzz: unknown key; known here: backup_warning_days, lease_seconds, password, url",
        ),
        (GOOD.replace("partner_key", "parner_key"), '[booking.stores] parner_key: unknown key; did you mean "partner_key"?'),
        (GOOD.replace("verify =", "verfy ="), '[booking.stores.webhook] verfy: unknown key; did you mean "verify"?'),
        (
            GOOD.replace("verify = ", "limits.per_sec = 1\nverify = "),
            "[booking.stores.webhook] limits: unknown key; known here:",
        ),
        (
            GOOD.replace('system = "diary"', 'system = "diary"\nlimits = { per_sec = 1 }'),
            "[booking.stores.limits] per_sec: unknown",
        ),
        (GOOD.replace('"diary"', '"dairy"'), '[booking.stores] system: unknown system; did you mean "diary"?'),
        (GOOD.replace('system = "rolodex"', ""), "[crm.main] system: must name the product: rolodex"),
        (
            GOOD.replace(f'partner_key = "{SECRET}"', ""),
            'partner_key: is missing; add it, for example: partner_key = { env = "PARTNER_KEY" }',
        ),
        (
            GOOD.replace('verify = "token"', ""),
            '[booking.stores.webhook] verify: is missing; add it, for example: verify = "token"',
        ),
        (
            GOOD.replace('verify = "token"', 'verify = "tokens"'),
            'verify: must be one of "token", "hmac", "standard-webhooks", "none"',
        ),
        (SOURCE + CRM + SYNC, "[booking.stores.webhook] verify: is missing; choose how webhooks are verified: verify ="),
        (GOOD.replace('[{ env = "HOOK_TOKEN" }]', "[]"), "[booking.stores.webhook] tokens: is missing; add one"),
        ("server = 5\n" + GOOD, "[server]: must be a table"),
        ("[server]\nport = 70000\n" + GOOD, "[server] port: must be at most 65535"),
        ("[server]\nport = 1.5\n" + GOOD, "[server] port: must be a whole number"),
        ("[server]\nhost = 1\n" + GOOD, "[server] host: must be text in quotes"),
        ('[server]\nhost = ""\n' + GOOD, "[server] host: must not be empty"),
        ("[worker]\ndrain_seconds = inf\n" + GOOD, "[worker] drain_seconds: must be a finite number"),
        ("[worker]\ndrain_seconds = nan\n" + GOOD, "[worker] drain_seconds: must be"),
        ('[log]\nformat = "xml"\n' + GOOD, '[log] format: must be one of "auto", "console", "json"'),
        (GOOD + "create = 5\n", "[[sync]] number 1 create: must be true or false"),
        (GOOD.replace('crm = "main"', ""), '[[sync]] number 1 crm: is missing; add it, for example: crm = "…"'),
    ],
)
def test_a_fault_names_the_table_the_key_and_the_fix(faults, text, said):
    assert said in faults(text)[0]


def test_one_fault_is_one_line(faults):
    assert len(faults('"a\\nb" = 1\n' + GOOD)) == 1
    assert len(faults(GOOD.replace('verify = "token"', ""))) == 1
    assert len(faults(SOURCE + CRM + SYNC)) == 1


@pytest.mark.parametrize("name", ["Stores", "a b", "-x", "ü", "x" * 64, "a/b", ""])
def test_names_of_accounts_are_plain(faults, name):
    text = GOOD.replace("booking.stores", f'booking."{name}"').replace('booking = "stores"', f'booking = "{name}"')
    (line,) = faults(text)
    assert "the name may have a-z, 0-9, - and _ only" in line


def test_a_sync_names_accounts_that_exist(faults):
    lines = faults(GOOD.replace('booking = "stores"', 'booking = "store"'))
    assert '[[sync]] number 1 booking: there is no [booking.store]; did you mean "stores"?' in lines


def test_an_account_that_is_wrong_itself_still_exists(faults):
    (line,) = faults(GOOD.replace('"diary"', '"dairy"'))
    assert "unknown system" in line


def test_every_source_has_exactly_one_sync(faults):
    (line,) = faults(SOURCE + WEBHOOK + CRM)
    assert line == '[booking.stores]: has no sync; add: [[sync]] with booking = "stores" and crm = "main"'
    (line,) = faults(GOOD + SYNC)
    assert line == '[[sync]] number 2 booking: "stores" has a sync already; remove one of the two'


@pytest.mark.parametrize("text", ["", "[server]\n", CRM])
def test_a_file_without_a_source_is_refused(faults, text):
    assert any("no source is configured" in line for line in faults(text))


def test_brackets_of_a_sync_are_explained(faults):
    (line,) = faults(GOOD.replace("[[sync]]", "[sync]"))
    assert line == "[[sync]]: must be written with two brackets on each side: [[sync]]"


@pytest.mark.parametrize("text", ["booking = 5\n", "[booking]\nstores = 5\n", "booking = [1]\n"])
def test_accounts_that_are_no_tables(faults, text):
    assert "[booking]: must hold one table for each account; write [booking.NAME]" in faults(text + CRM)


def test_a_system_that_never_calls_needs_no_webhook(read):
    config = read('[booking.stores]\nsystem = "calendar"\n' + CRM + SYNC)
    assert config.booking["stores"].webhook is None


# ---- the status page's token ----


@pytest.mark.parametrize(
    "server", ['host = "0.0.0.0"', 'host = "192.0.2.1"', 'public_url = "https://hooks.example.com"', 'host = "::"']
)
def test_the_world_needs_a_status_token(faults, read, server):
    (line,) = faults(f"[server]\n{server}\n" + GOOD)
    assert line.startswith("[status] token: is required because [server] ")
    assert "CONNECTOR_STATUS_TOKEN" in line
    (line,) = faults(f'[server]\n{server}\n[status]\ntoken = {{ env = "ABSENT" }}\n' + GOOD)
    assert "ABSENT is not set" in line
    config = read(f'[server]\n{server}\n[status]\ntoken = "0123456789abcdef"\n' + GOOD)
    assert config.plain_secrets[0] == "status.token"
    assert not any("[status]" in line for line in config.warnings)
    (line,) = [line for line in read(f'[server]\n{server}\n[status]\ntoken = "short"\n' + GOOD).warnings if "[status]" in line]
    assert "[status] token: is so short that it can be guessed" in line


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "LOCALHOST", "::1", "[::1]"])
def test_a_loopback_host_needs_none(read, host):
    assert read(f'[server]\nhost = "{host}"\n' + GOOD).server.is_local


# ---- addresses ----


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://hooks.example.com", "https://hooks.example.com"),
        ("https://hooks.example.com/", "https://hooks.example.com"),
        ("https://example.com:8443/hooks//", "https://example.com:8443/hooks"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_the_public_url_has_no_slash_at_its_end(read, given, kept):
    toml = f'[server]\npublic_url = "{given}"\n[status]\ntoken = "0123456789abcdef"\n' + GOOD
    assert read(toml).server.public_url == kept


@pytest.mark.parametrize(
    "url",
    [
        "hooks.example.com",
        "ftp://example.com",
        "https://",
        "https:///x",
        "https://a:b@example.com",
        "https://example.com?x",
        "https://e.com#f",
        "https://exa mple.com",
        "https://example.com:99999",
        "https://example.com:0",
        "https://[::1",
        "https://exämple.com",
        "",
    ],
)
def test_addresses_that_nothing_can_be_appended_to_are_refused(faults, url):
    (line,) = faults(f'[server]\npublic_url = "{url}"\n' + GOOD)
    assert line.startswith("[server] public_url: must ")
    (line,) = faults(GOOD.replace('"rolodex"', f'"rolodex"\nbase_url = "{url}"'))
    assert line.startswith("[crm.main] base_url: must ")


def test_plain_http_to_another_machine_is_refused_unless_it_is_allowed(read, faults):
    given = GOOD.replace('"rolodex"', '"rolodex"\nbase_url = "http://crm.example.com"')
    (line,) = faults(given)
    assert line.startswith(
        "[crm.main] base_url: is plain http to another machine: keys and customer data would be sent unencrypted"
    )
    assert "allow_plain_http = true" in line
    assert read(given.replace("base_url", "allow_plain_http = true\nbase_url")).warnings == ()
    (line,) = faults(GOOD.replace('"diary"', '"diary"\nbase_url = "http://10.0.0.5:8069"'))
    assert line.startswith("[booking.stores] base_url: is plain http")
    for url in ("https://crm.example.com", "http://127.0.0.1:9", "http://localhost:9"):
        assert read(given.replace("http://crm.example.com", url)).warnings == ()


@pytest.mark.parametrize(
    ("more", "warned"),
    [
        ("", True),
        ('signed = "{timestamp}.{body}"\ntimestamp_header = "X-Time"', False),
        ('signed = "{header:X-Id}.{body}"', False),
    ],
)
def test_a_signature_without_time_or_id_is_warned_of(read, more, warned):
    text = GOOD.replace('verify = "token"\ntokens = [', f'verify = "hmac"\nheader = "X-Signature"\n{more}\nsecrets = [')
    found = [line for line in read(text).warnings if "[booking.stores.webhook] signed: covers neither a time nor an id" in line]
    assert bool(found) is warned


def test_no_verification_is_accepted_with_a_warning(read):
    config = read(GOOD.replace('verify = "token"', 'verify = "none"'))
    assert any('[booking.stores.webhook] verify: is "none"' in line for line in config.warnings)


def test_a_crm_without_a_sync_is_a_warning(read):
    config = read(GOOD + '[crm.spare]\nsystem = "rolodex"\ntoken = { env = "CRM_TOKEN" }\n')
    assert any("[crm.spare]: is used by no [[sync]]" in line for line in config.warnings)


@pytest.mark.parametrize(("given", "kept"), [("CA", "CA"), ("ca", "CA"), ("gb", "GB")])
def test_a_country_is_two_letters(read, given, kept):
    assert read(GOOD.replace('"diary"', f'"diary"\ndefault_country = "{given}"')).booking["stores"].default_country == kept


@pytest.mark.parametrize("given", ["UK", "Canada", "", "C", "001"])
def test_a_country_that_no_phone_number_has(faults, given):
    (line,) = faults(GOOD.replace('"diary"', f'"diary"\ndefault_country = "{given}"'))
    assert line.startswith("[booking.stores] default_country: must be a country's two letters")


def test_a_byte_order_mark_is_no_statement(tmp_path):
    """Editors on Windows write one, in a configuration as in the file of a secret: https://github.com/hukkin/tomli/issues/304"""
    (tmp_path / "key.txt").write_bytes(b"\xef\xbb\xbfthe-key\r\n")
    path = tmp_path / "connector.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace(f'partner_key = "{SECRET}"', 'partner_key = { file = "key.txt" }').encode())
    config = load(path, systems=configuring.Systems(), environ=configuring.ENVIRON)
    assert config.booking["stores"].partner_key.get_secret_value() == "the-key"


@pytest.mark.parametrize(
    ("value", "warned"), [('"abc"', True), ("'abc'", True), ("abc", False), ('"', False), ("\"abc'", False)]
)
def test_a_secret_in_quotes_is_warned_of(tmp_path, value, warned):
    """Docker hands on the quotes of an env file: https://github.com/n3d1117/chatgpt-telegram-bot/issues/170"""
    config = configuring.read(tmp_path, GOOD, {**configuring.ENVIRON, "CRM_TOKEN": value})
    assert any("[crm.main] token: begins and ends with a quote" in line for line in config.warnings) == warned


REAL = """
[booking.stores]
system = "booxi"
region = "na"
partner_key = "k"
module_id = "m"
[booking.stores.webhook]
verify = "hmac"
secrets = ["s"]
signed = "{body}{time}"
[crm.main]
system = "hubspot"
token = "t"
[[sync]]
booking = "stores"
crm = "main"
"""


def test_the_registry_adds_what_the_signature_check_refuses(tmp_path):
    path = tmp_path / "connector.toml"
    path.write_text(REAL)
    with pytest.raises(ConfigError) as caught:
        load(path, systems=Registry(), environ={})
    header, signed = caught.value.faults
    assert header.startswith(f"{path}: [booking.stores.webhook] header: missing; ")
    assert signed.startswith(f"{path}: [booking.stores.webhook] signed: unknown placeholder {{time}}")


def test_the_registry_knows_its_names(tmp_path):
    path = tmp_path / "connector.toml"
    path.write_text(REAL.replace('"booxi"', '"boxi"').replace('"hubspot"', '"qqqq"'))
    with pytest.raises(ConfigError) as caught:
        load(path, systems=Registry(), environ={})
    assert [line.removeprefix(f"{path}: ") for line in caught.value.faults] == [
        '[booking.stores] system: unknown system; did you mean "booxi"?',
        f"[crm.main] system: unknown system; known here: {', '.join(sorted(CRMS))}",
    ]


@pytest.mark.parametrize(("more", "warned"), [("", True), ('minimum_identity = "email"', False), ("create = false", False)])
def test_creating_by_phone_without_matching_by_phone_is_warned_of(read, more, warned):
    config = read(GOOD + f"match_phone = false\n{more}\n")
    assert any("match_phone: is false: each client without" in line for line in config.warnings) is warned
