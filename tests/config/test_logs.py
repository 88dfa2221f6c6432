"""The last defence: no line that leaves the process holds a secret or personal data."""

import io
import json
import logging
import traceback

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from connector.config.logs import HIDDEN, mask, redact, set_up


@pytest.fixture
def lines():
    """Set logging up for the test as JSON; call the fixture's value to read what was written."""
    stream = io.StringIO()
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    # Other tests in this process may have started a server that set up its loggers by itself.
    for name in ("uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate, logger.disabled, logger.level = True, False, logging.NOTSET
    set_up(json=True, level="info", stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:], root.level = kept, level
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


def test_a_line_is_one_json_object_with_a_utc_time_and_a_level(lines):
    structlog.get_logger("connector.web").info("stored", source="stores", event_id="42")
    (line,) = lines()
    assert line["event"] == "stored"
    assert (line["source"], line["event_id"], line["level"]) == ("stores", "42", "info")
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize("as_json", [True, False])
def test_no_line_moves_the_cursor_or_turns_the_direction_of_writing(lines, as_json):
    stream = io.StringIO()
    set_up(json=as_json, level="info", stream=stream)
    structlog.get_logger("connector.web").info("stored", event_id="4\u202e2\x1b[2J\x9b")
    assert not {"\u202e", "\x1b", "\x9b"} & set(stream.getvalue())


def test_bound_ids_follow_into_every_logger(lines):
    with structlog.contextvars.bound_contextvars(delivery="abc"):
        structlog.get_logger("a").info("one")
        logging.getLogger("uvicorn.error").warning("two %s", "words")
    logging.getLogger("uvicorn.error").warning("three")
    assert [line.get("delivery") for line in lines()] == ["abc", "abc", None]
    assert lines()[1]["event"] == "two words"


@pytest.mark.parametrize(
    "key",
    [
        "email",
        "client_email",
        "phone",
        "mobile_phone",
        "Authorization",
        "partner_key",
        "Booxi-PartnerKey",
        "token",
        "status_token",
        "password",
        "secrets",
        "first_name",
        "lastName",
        "name",
        "customer_name",
        "cookie",
        "x-signature",
    ],
)
def test_values_are_hidden_by_the_name_of_their_key(lines, key):
    logging.getLogger("any").warning("hello", extra={"data": {key: "Grace"}})
    structlog.get_logger("any").warning("hello", **{key: ["Grace"]})
    text = json.dumps(lines())
    assert len(lines()) == 2
    assert "Grace" not in text
    assert HIDDEN in text


@pytest.mark.parametrize(
    "key", ["source", "event_id", "client_id", "customer_id", "account", "hostname", "filename", "reason", "state"]
)
def test_ids_and_words_of_the_trade_stay_readable(key):
    assert redact(None, "info", {key: "stores-17"}) == {key: "stores-17"}


@pytest.mark.parametrize(
    "secret",
    [
        "jane.doe+shop@example.com",
        "jane.doe%40example.com",
        "JANE@shop.example",
        "+14165550123",
        "+1 (416) 555-0123",
        "+33 1 23 45 67 89",
        "%2B14165550123",
        "Bearer abc.def-123456",
        "bearer abcdefgh",
        "pat-na1-00000000-0000-4000-8000-000000000000",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    ],
)
def test_texts_are_masked_wherever_they_stand(lines, secret):
    log = structlog.get_logger("any")
    log.info(f"asked for {secret} today")
    log.info("nested", detail={"list": [{"url": f"https://api.example.com/contacts/{secret}?idProperty=x"}]})
    logging.getLogger("any").info("formatted %s", secret)
    try:
        raise ValueError(f"refused {secret}")
    except ValueError:
        log.exception("failed")
    text = json.dumps(lines(), ensure_ascii=False)
    assert len(lines()) == 4
    assert secret.removeprefix("Bearer ").removeprefix("bearer ") not in text
    assert text.count(HIDDEN) == 4


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T02:35:47+10:00",
        "sha256:" + "0123456789abcdef" * 4,
        "event 123456789012345",
        "10 + 2 = 12",
        "@handle",
        "a @ b",
    ],
)
def test_what_only_resembles_personal_data_stays(text):
    assert mask(text) == text


def test_exceptions_are_structured_and_show_no_local_variables(lines):
    def inner():
        hidden_local = "sesame" + "-open"
        raise ValueError(len(hidden_local))

    try:
        inner()
    except ValueError:
        structlog.get_logger("any").exception("failed")
    (line,) = lines()
    assert line["exception"][0]["exc_type"] == "ValueError"
    assert line["exception"][0]["frames"][-1]["name"] == "inner"
    assert "sesame-open" not in json.dumps(line)


def test_clients_that_log_whole_urls_are_quiet_and_the_access_log_is_off(lines):
    logging.getLogger("httpx").info("HTTP Request: GET https://api.example.com/x")
    logging.getLogger("httpcore.connection").info("connect")
    logging.getLogger("uvicorn.access").info("GET /webhooks/stores 202")
    assert lines() == []
    logging.getLogger("httpx").warning("something is wrong")
    assert len(lines()) == 1


def test_the_level_is_the_least_that_is_written():
    stream = io.StringIO()
    set_up(json=True, level="warning", stream=stream)
    try:
        structlog.get_logger("any").info("no")
        structlog.get_logger("any").warning("yes")
    finally:
        logging.getLogger().handlers[:] = []
        structlog.reset_defaults()
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["yes"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_line_below_the_level_costs_nothing(lines, monkeypatch):
    log = structlog.get_logger("connector.web").bind(source="stores")
    monkeypatch.setattr(type(log), "_process_event", lambda *_args: pytest.fail("the line was put together"))
    log.debug("delivery", delivery="e-1")
    assert lines() == []


@pytest.mark.parametrize(("stream", "is_json"), [(io.StringIO(), True), (Terminal(), False)])
def test_a_terminal_gets_lines_for_people_and_everything_else_json(stream, is_json):
    set_up(json=None, stream=stream)
    try:
        structlog.get_logger("any").info("hello", source="stores")
        try:
            raise ValueError("refused jane@example.com")
        except ValueError:
            structlog.get_logger("any").exception("failed")
    finally:
        logging.getLogger().handlers[:] = []
        structlog.reset_defaults()
    text = stream.getvalue()
    assert text.startswith("{") is is_json
    assert ("Traceback (most recent call last)" in text) is not is_json
    assert "jane" not in text


def test_setting_up_twice_does_not_write_lines_twice(lines):
    set_up(json=True, stream=logging.getLogger().handlers[0].stream)
    structlog.get_logger("any").info("once")
    assert len(lines()) == 1


class Hostile:
    def __str__(self):
        raise RuntimeError("no text for you")


def test_a_value_that_cannot_be_shown_costs_the_line_and_not_the_work():
    assert redact(None, "info", {"event": "x", "value": Hostile()})["error"] == "RuntimeError"


def test_a_structure_without_end_is_cut():
    loop: dict = {}
    loop["inner"] = loop
    assert HIDDEN in str(redact(None, "info", {"value": loop}))


def test_long_text_is_cut():
    assert len(mask("x" * 1_000_000)) < 30_000


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=12), values, max_size=4))
def test_redact_never_raises(event_dict):
    redact(None, "info", event_dict)


LOCAL = st.text("abcdefghijklmnopqrstuvwxyz0123456789.+_-", min_size=1, max_size=20)


@given(st.text(max_size=30), LOCAL, st.sampled_from(["example.com", "shop.example.org"]), st.text(max_size=30))
def test_no_address_survives_whatever_stands_around_it(before, local, domain, after):
    address = f"{local}@{domain}"
    assert address not in mask(f"{before} {address} {after}")


def test_masking_again_changes_nothing():
    once = mask("a@example.com +14165550123 Bearer abcdefghijk " + "".join(traceback.format_stack()))
    assert mask(once) == once
