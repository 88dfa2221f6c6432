"""Logging: structlog and the standard library in one pipeline, to stderr, without secrets or personal data.

Code must not log personal data in the first place; `redact` is the last defence, for exception texts of libraries
and for the day somebody forgets.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor

from connector.config.log_handlers import DirectHandler, ForeignLimit, QueuedHandler
from connector.model.text import visible, visible_json

HIDDEN = "[redacted]"
#: Deeper structures are replaced as a whole; nobody logs them on purpose.
MAX_DEPTH = 8
#: Characters of one value that are searched and kept. The patterns are linear, but a log line is no place for a body.
MAX_TEXT = 20_000

SECRET_KEYS = re.compile(
    r"(?ix) token | secret | passw | authori[sz]ation | cookie | signature | credential | (?: partner | api | private )[_-]?key"
    r" | e-?mail | phone | mobile | (?: street | postal | home | ip )[_-]?address | birth"
    r" | (?: ^ | first | last | full | middle | family | given | display | client | customer | person | user )[_-]?name s? $"
    r" | surname"
)
EMAIL = re.compile(r"[^\s@<>\"'(),:;=\[\]{}]{1,64}(?:@|%40)[^\s@<>\"'(),:;=\[\]{}/?&]{1,255}", re.IGNORECASE)
PHONE = re.compile(r"(?:\+|%2B)[1-9](?:[ ().\u00a0-]{0,2}\d){6,14}(?!\d)", re.IGNORECASE)
BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}")
TOKEN = re.compile(r"\b(?:pat-[a-z0-9]{2,4}-[0-9a-f-]{8,}|whsec_[\w+/=-]{8,}|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*)")

#: Their INFO lines hold whole URLs, and with them e-mail addresses.
NOISY = ("httpx", "httpcore", "asyncio", "hpack")


def bare(error: BaseException) -> Exception:
    """Where it happened, for the log, but not what it says: the text may hold somebody's name."""
    return Exception(type(error).__name__).with_traceback(error.__traceback__)


def mask(text: str) -> str:
    """Return the text with whatever looks like an e-mail address, a phone number or a token replaced."""
    text = text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…"
    text = BEARER.sub(rf"\1 {HIDDEN}", text)
    for pattern in (TOKEN, EMAIL, PHONE):
        text = pattern.sub(HIDDEN, text)
    return text


def redact(_logger: Any, _method: str, event_dict: EventDict) -> EventDict:
    """structlog processor: hide values by the name of their key, and mask the rest. Never raises."""
    try:
        return {key: _clean(key, value, 0) for key, value in event_dict.items()}
    except Exception as error:  # a log line must never be the reason why work fails
        return {"event": "a log line could not be redacted and was dropped", "error": type(error).__name__, "level": "error"}


def _clean(key: Any, value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(key, str):
        # structlog's own records travel through here before the formatter takes them out again.
        if key.startswith("_"):
            return value
        if SECRET_KEYS.search(key):
            return HIDDEN if value != "" else ""
    if isinstance(value, str):
        return mask(value)
    return _clean_inside(value, depth) if depth < MAX_DEPTH else HIDDEN


def _clean_inside(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        # A frame of a traceback has a "name" too: the function's.
        code = {"name": value["name"]} if {"filename", "lineno", "name"} <= value.keys() else {}
        return {mask(str(k)): _clean(k, v, depth + 1) for k, v in value.items()} | code
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(None, item, depth + 1) for item in value]
    return value if isinstance(value, int | float) else mask(str(value))


def set_up(*, json: bool | None, level: str = "info", stream: TextIO | None = None, queued: bool = False) -> None:
    """Configure logging for the whole process; may be called again.

    Args:
        json: one JSON object a line, or lines for people; None: for people on a terminal, JSON elsewhere.
        level: `debug`, `info`, `warning` or `error`.
        stream: stderr unless a test says otherwise.
        queued: write in a thread of its own and drop what nobody reads, as a service must; `drain` it at the end.
    """
    stream = stream or sys.stderr
    as_json = not stream.isatty() if json is None else json
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        # What is below the level is a call of an empty function; otherwise each line would be put together and thrown away.
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = QueuedHandler(stream) if queued else DirectHandler(stream)
    handler.addFilter(ForeignLimit())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder(), _without_colors],
            processors=_rendering(as_json, stream.isatty()),
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    _tame(level.upper())


def drain(seconds: float = 2.0) -> None:
    """Let a queued log be written, but wait no longer than this."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, QueuedHandler):
            handler.drain(seconds)


def dropped() -> int:
    """How many lines were dropped because nobody read them."""
    return sum(handler.dropped for handler in logging.getLogger().handlers if isinstance(handler, QueuedHandler))


def _without_colors(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Drop uvicorn's second copy of each message, which is for terminals."""
    event.pop("color_message", None)
    return event


def _visible(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Take out what could move a terminal's cursor. JSON escapes it by itself."""
    return {name: visible(value, keep="\n\t") if isinstance(value, str) else value for name, value in event.items()}


def _rendering(as_json: bool, colors: bool) -> list[Processor]:
    """What both kinds of lines share, then how one is written."""
    take_out: Processor = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if as_json:
        tracebacks = structlog.processors.ExceptionRenderer(
            structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=20)
        )
        return [take_out, tracebacks, redact, structlog.processors.JSONRenderer(visible_json, default=str)]
    console = structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)
    return [take_out, structlog.processors.format_exc_info, redact, _visible, console]


def _tame(level: str) -> None:
    """Bring the servers' and clients' own loggers into our pipeline."""
    for name in ("uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = True
    # The receiver says what it did with each delivery; a second line per request would only hold the peer's address.
    access = logging.getLogger("uvicorn.access")
    access.handlers[:] = []
    access.propagate = False
    for name in NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, getattr(logging, level)))
