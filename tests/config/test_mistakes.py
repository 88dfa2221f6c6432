"""Mistakes that look for words of their own; and no error that repeats what stands under a secret key."""

from functools import partial

import configuring
import pytest
from configuring import GOOD, SECRET
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.config.mistakes import looks_like_a_variable, reference
from connector.config.settings import load
from connector.model.errors import ConfigError

KEY = f'partner_key = "{SECRET}"'
PASTED = [
    "pat-na1-00000000-1111-2222-3333-444444444444",
    "sk_live_51H8abcDEF",
    "3f1c9a7de4b2",
    "AKIA0123456789EXAMPLE",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "eyJhbGciOi.eyJzdWIiOi.x/y+z==",
    "x" * 300,
]


@pytest.fixture
def read(tmp_path):
    return partial(configuring.read, tmp_path)


@pytest.fixture
def faults(tmp_path):
    return partial(configuring.faults, tmp_path)


@pytest.mark.parametrize("pasted", PASTED)
@pytest.mark.parametrize("form", ['{{ env = "{}" }}', '{{ file = "{}" }}', '["{}"]', '{{ evn = "{}" }}'])
def test_a_secret_in_the_wrong_place_is_not_repeated(faults, form, pasted):
    (line,) = faults(GOOD.replace(KEY, "partner_key = " + form.format(pasted)))
    assert line.startswith("[booking.stores] partner_key: ")
    assert pasted not in line
    assert pasted[:8] not in line


def test_what_to_do_with_a_pasted_secret_is_said(faults):
    (line,) = faults(GOOD.replace(KEY, 'partner_key = { env = "pat-na1-0000" }'))
    assert line == (
        "[booking.stores] partner_key: the environment variable that is named there is not set; write the name there, such as"
        ' { env = "HUBSPOT_TOKEN" }, and put the secret into that variable'
    )
    (line,) = faults(GOOD.replace(KEY, 'partner_key = { file = "pat-na1-0000" }'))
    assert "the file that is named there does not exist; create it with the secret in it, and give its path" in line


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("$PARTNER_KEY", "PARTNER_KEY"),
        ("${PARTNER_KEY}", "PARTNER_KEY"),
        ("%PARTNER_KEY%", "PARTNER_KEY"),
        ("{{ PARTNER_KEY }}", "PARTNER_KEY"),
        ("{{env.PARTNER_KEY}}", "PARTNER_KEY"),
        ("env:PARTNER_KEY", "PARTNER_KEY"),
        ("$hidden_name_of_mine", "NAME"),
        ("HOOK_TOKEN", "HOOK_TOKEN"),
    ],
)
def test_a_variable_in_text_is_no_secret(faults, text, name):
    (line,) = faults(GOOD.replace(KEY, f'partner_key = "{text}"'))
    assert line == (
        "[booking.stores] partner_key: is the name of a variable in text, and would be sent as text;"
        f' write {{ env = "{name}" }}'
    )


@pytest.mark.parametrize("text", ["pa$$word", "$ecret!", "100%", "{x", "NOT_SET_HERE", "$1-2"])
def test_a_secret_may_hold_what_looks_a_little_like_it(text):
    assert reference(text, {"OTHER": "x"}) is None


@settings(max_examples=200)
@given(st.text("0123456789abcdef", min_size=16, max_size=64) | st.from_regex(r"[A-Za-z0-9_-]{24,60}", fullmatch=True))
def test_random_keys_are_no_names(key):
    assert not looks_like_a_variable(key) or not any(letter.islower() for letter in key)


@pytest.mark.parametrize("name", ["HUBSPOT_TOKEN", "TOKEN", "S3_KEY", "BOOXI_PARTNER_KEY_2", "CONNECTOR_STATUS_TOKEN"])
def test_names_are_names(name):
    assert looks_like_a_variable(name)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[server]\nport = 1\nport = 2\n", "line 3: port is given a second time in [server]; remove one of the two"),
        ('[crm.main]\ntoken = "a"\n"token" = "b"\n', 'line 3: "token" is given a second time in [crm.main]; remove'),
        ("a = 1\n\na = [\n  2,\n]\n", "line 3: a is given a second time; remove one of the two"),
        ("[a]\nx = { y = 1, y = 2 }\n", "line 2: x is given a second time in [a]; remove one of the two"),
        ("a = 1\na = 2", "line 2: a is given a second time; remove one of the two"),
        ("[server]\n[log]\n[server]\n", "line 3: the table [server] is given a second time; join the two"),
        ("[server]\nhost = “x”\n", 'line 2: holds the typographic quote “; type plain quotes (") instead'),
        ("[server]\nhost = ‘x’\n", "line 2: holds the typographic quote ‘; type plain quotes"),
        ('[server]\nhost = "x”\n', "line 2: holds the typographic quote ”; type plain quotes"),
        ("[server]\nhost = x\n", "is not valid TOML: Invalid value (at line 2, column 8); correct it there"),
    ],
)
def test_the_same_twice_is_said_with_its_line(tmp_path, text, said):
    path = tmp_path / "x.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path, systems=configuring.Systems())
    (line,) = caught.value.faults
    assert line.removeprefix(f"{path}: ").startswith(said)


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[server]\nport = true\n" + GOOD, "[server] port: must be a whole number, without quotes"),
        ("[worker]\nconcurrency = false\n" + GOOD, "[worker] concurrency: must be a whole number, without quotes"),
        ("[worker]\ndrain_seconds = true\n" + GOOD, "[worker] drain_seconds: must be a number, without quotes"),
        (
            GOOD.replace('system = "diary"', 'system = "diary"\nlimits = { per_second = true }'),
            "[booking.stores.limits] per_second: must be a whole number, without quotes",
        ),
    ],
)
def test_true_is_no_number(faults, toml, said):
    assert faults(toml) == [said]


@pytest.mark.parametrize("path", ["/webhooks/stores", "/webhooks", "/x/webhooks/stores", "/status", "/healthz/"])
def test_a_public_url_that_was_copied_as_a_whole_is_refused(faults, path):
    given = f'[server]\npublic_url = "https://hooks.example.com{path}"\n[status]\ntoken = "0123456789abcdef"\n'
    assert faults(given + GOOD) == [
        "[server] public_url: must be the address that all our pages share, without /webhooks/… or /status behind it"
    ]


def test_a_public_url_below_a_path_is_warned_of(read):
    given = '[server]\npublic_url = "https://example.com/hooks"\n[status]\ntoken = "0123456789abcdef"\n'
    (line,) = [line for line in read(given + GOOD).warnings if "public_url" in line]
    assert "has a path: the proxy must remove it from what it passes on" in line
