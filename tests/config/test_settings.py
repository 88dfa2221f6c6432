"""The configuration: what is right loads; secrets, the database and the file itself."""

from functools import partial
from pathlib import Path

import configuring
import pytest
from configuring import ENVIRON, GOOD, SECRET, DiarySettings, RolodexSettings, Systems
from hypothesis import given
from hypothesis import strategies as st

from connector.config.database import DatabaseSettings
from connector.config.settings import load
from connector.model.errors import ConfigError


@pytest.fixture
def read(tmp_path):
    return partial(configuring.read, tmp_path)


@pytest.fixture
def faults(tmp_path):
    return partial(configuring.faults, tmp_path)


def test_the_least_that_works_has_the_documented_defaults(read, tmp_path):
    config = read(GOOD)
    assert config.path == tmp_path / "connector.toml"
    assert (config.server.host, config.server.port, config.server.public_url) == ("127.0.0.1", 8080, None)
    assert config.server.max_body_bytes == 1_048_576
    assert config.database.path == tmp_path / "connector.db"
    assert (config.worker.concurrency, config.worker.drain_seconds) == (8, 10)
    assert config.status.token is None
    assert (config.log.format, config.log.level) == ("auto", "info")
    assert [(s.booking, s.crm, s.create, s.record_appointments, s.fill_blanks) for s in config.sync] == [
        ("stores", "main", True, False, True)
    ]
    assert config.warnings == ()


def test_each_system_has_its_own_settings(read):
    config = read(GOOD.replace('system = "diary"', 'system = "diary"\nlimits = { per_second = 2 }'))
    stores = config.booking["stores"]
    assert isinstance(stores, DiarySettings)
    assert stores.limits.per_second == 2
    assert isinstance(config.crm["main"], RolodexSettings)


# ---- secrets ----


def test_secrets_come_from_the_environment_from_files_or_from_the_text(read, tmp_path):
    (tmp_path / "key.txt").write_bytes(b" from a file\n")
    config = read(GOOD.replace(f'"{SECRET}"', '{ file = "key.txt" }'))
    stores = config.booking["stores"]
    assert isinstance(stores, DiarySettings)
    assert stores.partner_key.get_secret_value() == " from a file"
    assert stores.webhook is not None
    assert [t.get_secret_value() for t in stores.webhook.tokens] == ["hook-secret-0123456789"]
    assert config.plain_secrets == ()
    assert "partner_key" in config.warnings[0]
    assert "space" in config.warnings[0]


def test_plain_secrets_are_accepted_and_named(read):
    config = read(GOOD.replace('[{ env = "HOOK_TOKEN" }]', '["one-token", "another-token"]'))
    assert config.plain_secrets == ("booking.stores.partner_key", "booking.stores.webhook.tokens")


@pytest.mark.parametrize(
    ("raw", "text"), [(b"x\n", "x"), (b"x\r\n", "x"), (b"x", "x"), (b"\xc3\xa9\n", None), (b"x\n\n", None), (b"x\ny", None)]
)
def test_one_trailing_newline_of_a_file_is_dropped(read, tmp_path, raw, text):
    (tmp_path / "key").write_bytes(raw)
    toml = GOOD.replace(f'"{SECRET}"', '{ file = "key" }')
    if text is None:
        with pytest.raises(ConfigError, match="partner_key"):
            read(toml)
    else:
        assert read(toml).booking["stores"].partner_key.get_secret_value() == text


def test_a_signing_secret_may_hold_any_letters(read):
    toml = GOOD.replace('verify = "token"\ntokens', 'verify = "hmac"\nsecrets').replace('{ env = "HOOK_TOKEN" }', '"clé"')
    webhook = read(toml).booking["stores"].webhook
    assert webhook is not None
    assert webhook.secrets[0].get_secret_value() == "clé"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ('{ env = "ABSENT" }', "the environment variable ABSENT is not set"),
        ('{ env = "EMPTY" }', "the environment variable EMPTY is empty"),
        ('{ file = "absent.txt" }', "absent.txt does not exist"),
        ('{ file = "." }', "cannot be read (Is a directory)"),
        ('{ file = "a\\u0000b" }', "cannot be read (that is no path)"),
        ('{ file = "empty.txt" }', "empty.txt is empty"),
        ('{ file = "binary.txt" }', "is not UTF-8 text"),
        ('{ file = "large.txt" }', "too large"),
        ('{ envv = "HOOK_TOKEN" }', 'must be { env = "NAME" }, { file = "path" } or text in quotes'),
        ('{ env = "HOOK_TOKEN", file = "x" }', "must be { env"),
        ('["x"]', "must be { env"),
        ("5", "must be { env"),
        ('""', "is empty"),
        ('"two\\nlines"', "line break"),
    ],
)
def test_a_secret_that_cannot_be_had_is_one_fault(faults, tmp_path, given, said):
    (tmp_path / "empty.txt").write_bytes(b"\n")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe")
    (tmp_path / "large.txt").write_bytes(b"x" * 70_000)
    (line,) = faults(GOOD.replace(f'"{SECRET}"', given))
    assert line.startswith("[booking.stores] partner_key: ")
    assert said in line


def test_a_token_in_a_list_is_named_with_its_table(faults):
    (line,) = faults(GOOD, {**ENVIRON, "HOOK_TOKEN": ""})
    assert line.startswith("[booking.stores.webhook] tokens: the environment variable HOOK_TOKEN is empty")


def test_a_list_of_secrets_must_be_a_list(faults):
    (line,) = faults(GOOD.replace('[{ env = "HOOK_TOKEN" }]', f'"{SECRET}"'))
    assert line == '[booking.stores.webhook] tokens: must be a list, for example ["…"]'


def test_secrets_show_in_no_representation(read):
    assert SECRET not in repr(read(GOOD))
    assert "hook-secret" not in repr(read(GOOD))


# ---- the database ----


def test_the_database_is_relative_to_the_file_or_absolute(read, tmp_path, monkeypatch):
    assert read('[database]\nurl = "sqlite:///data/c.db"\n' + GOOD).database.path == tmp_path / "data" / "c.db"
    assert read('[database]\nurl = "sqlite:////var/lib/c.db"\n' + GOOD).database.path == Path("/var/lib/c.db")
    monkeypatch.chdir(tmp_path)
    config = load(Path("connector.toml"), systems=Systems(), environ=ENVIRON)
    assert config.database.path.is_absolute()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgres://db.example.com/x", 'must name a server and a database, for example "postgresql://'),
        ("postgresql://db.example.com", "must name a server and a database"),
        ("postgresql://db.example.com/a/b", "must name a server and a database"),
        ("postgresql://me:s3cret@db.example.com/x", "must hold no password; write it as database.password"),
        ("postgresql:///x?host=/run/postgresql&password=s3cret", "must hold no password"),
        ("postgresql://[db/x", "must name a server and a database"),
        ("mysql://x", 'must look like "sqlite:///connector.db"'),
        ("connector.db", "must look like"),
        ("sqlite://connector.db", "must look like"),
        ("sqlite:///", "must name a file"),
        ("sqlite:////", "must name a file"),
        ("sqlite:///:memory:", "must name a file"),
        ("sqlite:///x.db?mode=ro", "must name a file"),
    ],
)
def test_databases_we_cannot_use(faults, url, said):
    (line,) = faults(f'[database]\nurl = "{url}"\n' + GOOD)
    assert line.startswith(f"[database] url: {said}")


def test_a_database_on_a_server(read, tmp_path):
    database = '[database]\nurl = "postgresql://me@db.example.com/shop?sslmode=verify-full"\npassword = { env = "DB" }\n'
    config = read(database + GOOD, environ={**ENVIRON, "DB": "s3 cret&"})
    assert config.database.on_server
    assert config.database.name == "shop"
    assert config.database.path == tmp_path / "connector"
    assert config.database.address == "postgresql://me@db.example.com/shop?sslmode=verify-full&password=s3%20cret%26"
    assert "s3 cret" not in repr(config)
    two = "postgresql://me@db1.example.com:5433,db2.example.com/shop?target_session_attrs=read-write"
    config = read(
        database.replace("postgresql://me@db.example.com/shop?sslmode=verify-full", two) + GOOD,
        environ={**ENVIRON, "DB": "s3 cret&"},
    )
    assert (config.database.name, config.database.address) == ("shop", f"{two}&password=s3%20cret%26")
    typed = DatabaseSettings.at(two.replace("me@", "me:s3%20cret%26@"), Path())
    assert (typed.url, typed.address) == (two, config.database.address)
    assert read('[database]\nurl = "postgresql:///shop"\n' + GOOD).database.address == "postgresql:///shop"


# ---- the file itself ----


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "does not exist"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (b'[server]\nhost = "x\n', "is not valid TOML: "),
        (b"a = 1\na = 2\n", "line 2"),
        (b"a = " + b"[" * 50_000, "nested too deeply"),
        (b"#" * 1_100_000, "is larger than"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_clear_line(tmp_path, content, said):
    path = tmp_path / "x.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(path, systems=Systems(), environ={})
    (line,) = caught.value.faults
    assert line.startswith(f"{path}: ")
    assert said in line


def test_a_folder_is_not_a_configuration(tmp_path):
    with pytest.raises(ConfigError, match="is a folder"):
        load(tmp_path, systems=Systems(), environ={})


def test_the_environment_of_the_process_is_the_default(tmp_path, monkeypatch):
    path = tmp_path / "connector.toml"
    path.write_text(GOOD)
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    assert load(path, systems=Systems()).crm.keys() == {"main"}


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
keys = st.sampled_from(
    ["server", "booking", "crm", "sync", "status", "stores", "system", "diary", "webhook", "tokens", "env", "x"]
)
documents = st.dictionaries(
    keys,
    st.recursive(
        scalars | keys, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
    ),
    max_size=5,
)


@given(documents)
def test_whatever_is_in_the_file_the_answer_is_a_config_or_faults(document):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("connector.config.settings.parse", lambda _path: document)
        try:
            faults = 0 if load(Path("x.toml"), systems=Systems(), environ={}) else None
        except ConfigError as error:
            faults = len(error.faults)
        assert faults is not None
