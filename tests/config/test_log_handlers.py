"""Other libraries' lines are limited; a reader that stands still is waited for by nobody."""

from __future__ import annotations

import io
import json
import logging
import os

import pytest
import structlog

from connector.config import log_handlers, logs
from connector.config.log_handlers import FOREIGN_LINES, DirectHandler, ForeignLimit, QueuedHandler


def record(text: object = "hello", name: str = "uvicorn.error") -> logging.LogRecord:
    return logging.LogRecord(name, logging.WARNING, __file__, 1, text, None, None)


class Pipe:
    """A pipe of one page whose reader reads on request."""

    def __init__(self) -> None:
        self.reader, writer = os.pipe()
        self.stream = os.fdopen(writer, "w")

    def read(self, until: str) -> str:
        """What has come, as soon as it holds this text."""
        text = ""
        while until not in text:
            text += os.read(self.reader, 65536).decode()
        return text


@pytest.fixture
def pipe():
    pipe = Pipe()
    yield pipe
    os.close(pipe.reader)
    pipe.stream.close()


def test_a_foreign_logger_has_its_lines_in_each_window_and_the_next_says_what_was_dropped():
    now = [0.0]
    limit = ForeignLimit(lambda: now[0])
    assert sum(limit.filter(record()) for _ in range(1000)) == FOREIGN_LINES
    assert limit.filter(record(name="httpx")), "each logger for itself"
    now[0] = 10.0
    first = record()
    assert limit.filter(first)
    assert first.dropped_before == 1000 - FOREIGN_LINES
    second = record()
    assert limit.filter(second)
    assert not hasattr(second, "dropped_before")


def test_our_own_lines_are_not_limited():
    limit = ForeignLimit(lambda: 0.0)
    assert all(limit.filter(record({"event": "stored"}, "connector.web")) for _ in range(1000))


@pytest.mark.parametrize("queued", [True, False])
def test_the_pipeline_limits_every_foreign_logger(queued):
    stream, root = io.StringIO(), logging.getLogger()
    kept, level = root.handlers[:], root.level
    try:
        logs.set_up(json=True, stream=stream, queued=queued)
        for name in ("uvicorn.error", "httpx", "asyncio", "a library of tomorrow"):
            for _ in range(100):
                logging.getLogger(name).error("bad request")
        for number in range(100):
            structlog.get_logger("connector.web").info("stored", number=number)
        logs.drain(60)
        lines = [json.loads(line) for line in stream.getvalue().splitlines()]
        for handler in root.handlers:
            handler.close()
    finally:
        root.handlers[:], root.level = kept, level
        structlog.reset_defaults()
    assert sum(line["event"] == "bad request" for line in lines) == 4 * FOREIGN_LINES
    assert [line["number"] for line in lines if line["event"] == "stored"] == list(range(100))


def test_lines_come_out_in_order(pipe):
    handler = QueuedHandler(pipe.stream)
    for number in range(50):
        handler.emit(record(f"line {number}"))
    assert pipe.read("line 49\n") == "".join(f"line {number}\n" for number in range(50))
    handler.close()
    handler._thread.join(60)
    assert not handler._thread.is_alive()


def test_a_reader_that_stands_still_costs_lines_and_no_time(pipe, monkeypatch):
    monkeypatch.setattr(log_handlers, "MAX_LINES", 20)
    handler = QueuedHandler(pipe.stream)
    long = "x" * 100_000
    # The first fills the pipe and keeps the writer; once some of it has come, it is not in the queue any more.
    handler.emit(record(long))
    assert os.read(pipe.reader, 1) == b"x"
    for number in range(50):
        handler.emit(record(f"line {number}"))
    assert handler.dropped == 30
    assert not handler.drain(0.01)
    text = pipe.read("line 19\n")
    assert "line 0\nlog lines were dropped: the reader was too slow\nline 1\n" in text
    assert "line 20" not in text
    assert handler.drain(60)
    handler.emit(record("it goes on"))
    assert pipe.read("it goes on\n") == "it goes on\n"
    handler.close()


def test_what_waits_is_bounded_in_characters_too(pipe, monkeypatch):
    monkeypatch.setattr(log_handlers, "MAX_CHARACTERS", 1000)
    handler = QueuedHandler(pipe.stream)
    handler.emit(record("x" * 2000))
    assert handler.dropped == 1
    handler.close()


def test_a_reader_that_has_gone_is_no_failure():
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        handler = QueuedHandler(stream)
        handler.emit(record())
        assert handler.drain(60)
        handler.close()
    assert handler.dropped == 1


def test_a_pipe_that_somebody_made_non_blocking_is_waited_for(pipe):
    os.set_blocking(pipe.stream.fileno(), False)
    handler = QueuedHandler(pipe.stream)
    handler.emit(record("x" * 500_000))
    assert len(pipe.read("\n")) == 500_001
    handler.close()


def test_what_the_encoding_cannot_say_is_an_escape():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    DirectHandler(stream).emit(record("Ärzte \N{SNOWMAN} \udcff"))
    assert raw.getvalue() == b"\\xc4rzte \\u2603 \\udcff\n"
