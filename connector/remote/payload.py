"""Bytes of a request to trustworthy JSON: no NaN, and nothing that breaks later when it is written down.

Text is UTF-8, with or without a byte order mark, unless another charset is declared.
"""

from __future__ import annotations

import codecs
import json
import re
import zlib
from typing import Any, NoReturn
from urllib.parse import parse_qsl

import msgspec

FORM = "application/x-www-form-urlencoded"
#: A form with more fields than this is nobody's appointment.
MOST_FIELDS = 1000
#: Declared charsets that are read, as Python calls them. Of those of one byte UTF-8 is tried first: it is often sent under
#: their names, while text in them is hardly ever UTF-8 by chance.
_CHARSETS = frozenset({"utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"})
_ONE_BYTE = frozenset({"iso8859-1", "iso8859-2", "iso8859-9", "iso8859-15", "cp1250", "cp1252", "cp1254"})
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([\w.:-]{1,40})", re.IGNORECASE | re.ASCII)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_LONE = re.compile("[\ud800-\udfff]")
#: Python reads integers of up to 4,300 digits, with its default settings.
_MOST_DIGITS = 4300
#: Content-Encoding → window bits; 32 and more: gzip or zlib, whichever it is.
_CODINGS = {"gzip": 47, "x-gzip": 47, "deflate": 47}
#: What stands behind a part is copied for each of them.
_MOST_PARTS = 64


class BadPayload(Exception):
    """The body is not JSON that we can keep; the text says why without quoting it."""


class TooLong(Exception):
    """A compressed body is longer than allowed once it is unpacked."""


def unpack(coding: str, body: bytes, limit: int) -> bytes:
    """Undo a Content-Encoding; at most `limit` bytes come out, and no more than that is ever held.

    Raises:
        BadPayload: an unknown coding, or a body that is not what it says.
        TooLong: there is more than `limit`.
    """
    name = coding.strip().lower()
    if name in ("", "identity"):
        return body
    if name not in _CODINGS:
        raise BadPayload("The body's Content-Encoding is not supported; send gzip, deflate or none.")
    try:
        return _inflate(body, _CODINGS[name], limit)
    except zlib.error:
        if name != "deflate":
            raise BadPayload("The body is not compressed as its Content-Encoding says.") from None
    try:
        # Some senders leave out the envelope that deflate should have.
        return _inflate(body, -zlib.MAX_WBITS, limit)
    except zlib.error:
        raise BadPayload("The body is not compressed as its Content-Encoding says.") from None


def _inflate(body: bytes, bits: int, limit: int) -> bytes:
    """Undo the compression of all parts; gzip allows several behind each other, and nothing of them may be lost."""
    found = b""
    for _ in range(_MOST_PARTS):
        unpacking = zlib.decompressobj(bits)
        found += unpacking.decompress(body, limit + 1 - len(found))
        if len(found) > limit:
            raise TooLong
        if not unpacking.eof:
            raise BadPayload("The compressed body is not complete.")
        # Zeros fill up a block.
        if not (body := unpacking.unused_data.lstrip(b"\0")):
            return found
    raise BadPayload("The compressed body has too many parts.")


def _text(content_type: str, body: bytes) -> str:
    """Decode by the declared charset; what is not declared, or unknown, is UTF-8. Raises UnicodeDecodeError."""
    if "charset" not in content_type.lower():
        return body.decode("utf-8-sig")
    found = _CHARSET.search(content_type)
    try:
        name = codecs.lookup(found[1]).name if found else ""
    except (LookupError, ValueError):
        name = ""
    if name in _CHARSETS:
        return body.decode(name).removeprefix("\ufeff")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        if name not in _ONE_BYTE:
            raise
        return body.decode(name)


def read(content_type: str, body: bytes, *, forms: bool) -> Any:
    """Parse a body by its type: a form, where the source sends some, otherwise JSON. Raises BadPayload.

    Some libraries call whatever they send a form by default; no form begins with a bracket.
    """
    if forms and content_type.partition(";")[0].strip().lower() == FORM and not body.lstrip().startswith((b"{", b"[")):
        return parse_form(body)
    data = parse(body, content_type)
    return _unwrapped(data) if isinstance(data, str) else data


def _unwrapped(text: str) -> Any:
    """What a text says that is JSON itself, as senders and relays write it that encode their JSON twice; else the text."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return parse(text.encode())
    except BadPayload:
        return text


def parse_form(body: bytes) -> dict[str, str]:
    """Parse an HTML form's fields; of a field given twice the last one counts. Raises BadPayload."""
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        raise BadPayload("The body is not a form in UTF-8.") from None
    if not pairs:
        raise BadPayload("The body is empty.")
    return dict(pairs)


def parse(body: bytes, content_type: str = "") -> Any:
    """Parse one request body; half of a surrogate pair, which nobody could store, becomes U+FFFD.

    Raises:
        BadPayload: empty, not in UTF-8 or the declared charset, not JSON, NaN or Infinity, or nested too deeply.
    """
    declared = content_type.lower()
    if "charset" not in declared or "charset=utf-8" in declared:
        try:
            return _QUICK.decode(body)
        except (msgspec.DecodeError, RecursionError):
            # It refuses more than we do, but accepts nothing that we refuse; why is found out below.
            pass
    return _parse_carefully(body, content_type)


def _parse_carefully(body: bytes, content_type: str) -> Any:
    """Parse with the standard library: slower, and it tells one fault from another."""
    try:
        text = _text(content_type, body)
        if not text.strip():
            raise BadPayload("The body is empty.")
        data = _DECODER.decode(text)
        # Only an escape can smuggle in half of a pair; most bodies have none and skip this.
        if _SURROGATE.search(text):
            data = json.loads(_LONE.sub("\ufffd", json.dumps(data, ensure_ascii=False)))
    except UnicodeDecodeError:
        raise BadPayload("The body is not UTF-8, or not in the charset that it declares.") from None
    except RecursionError:
        raise BadPayload("The body is nested too deeply.") from None
    except ValueError:
        raise BadPayload("The body is not JSON.") from None
    return data


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _integer(digits: str) -> int | str:
    """An integer of thousands of digits is JSON too, but not for Python: it stays text, and no adapter takes it for an id."""
    return int(digits) if len(digits.removeprefix("-")) <= _MOST_DIGITS else digits


#: Made once, and not for every body.
_QUICK = msgspec.json.Decoder()
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=_integer)
