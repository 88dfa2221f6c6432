"""Bytes of a request to trustworthy JSON: strict UTF-8, no NaN, nothing that breaks later when it is written down."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class BadPayload(Exception):
    """The body is not JSON that we can keep; the text says why without quoting it."""


def parse(body: bytes) -> Any:
    """Parse one request body.

    Raises:
        BadPayload: empty, not UTF-8, not JSON, NaN or Infinity, nested too deeply, an integer of thousands of digits, or
            half of a surrogate pair, which no database and no other system could store.
    """
    if not body.strip():
        raise BadPayload("The body is empty.")
    try:
        data = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
        # Only an escape can smuggle in half of a pair; most bodies have none and skip the second pass.
        if _SURROGATE.search(body):
            json.dumps(data, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError:
        raise BadPayload("The body is not UTF-8.") from None
    except UnicodeEncodeError:
        raise BadPayload("The body holds half of a surrogate pair.") from None
    except RecursionError:
        raise BadPayload("The body is nested too deeply.") from None
    except ValueError:
        raise BadPayload("The body is not JSON.") from None
    return data


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)
