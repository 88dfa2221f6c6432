"""Bytes of a request to trustworthy JSON: strict UTF-8, no NaN, nothing that breaks later when it is written down."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn
from urllib.parse import parse_qsl

FORM = "application/x-www-form-urlencoded"
#: A form with more fields than this is nobody's appointment.
MOST_FIELDS = 1000
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class BadPayload(Exception):
    """The body is not JSON that we can keep; the text says why without quoting it."""


def read(content_type: str, body: bytes, *, forms: bool) -> Any:
    """Parse a body by its type: a form, where the source sends some, otherwise JSON. Raises BadPayload.

    Some libraries call whatever they send a form unless they are told; no form begins with a bracket.
    """
    if forms and content_type.partition(";")[0].strip().lower() == FORM and not body.lstrip().startswith((b"{", b"[")):
        return parse_form(body)
    return parse(body)


def parse_form(body: bytes) -> dict[str, str]:
    """Parse an HTML form's fields; of a field given twice the last one counts. Raises BadPayload."""
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        raise BadPayload("The body is not a form in UTF-8.") from None
    if not pairs:
        raise BadPayload("The body is empty.")
    return dict(pairs)


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
