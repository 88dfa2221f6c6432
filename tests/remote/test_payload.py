"""What is JSON, in which clothes it may come, and what is none."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.remote import payload
from connector.remote.payload import BadPayload, TooLong, parse, read, unpack

NAME = "Zoë Łęcka"
BODY = json.dumps({"name": NAME}, ensure_ascii=False)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", BODY.encode()),
        ("application/json", BODY.encode("utf-8-sig")),
        ("application/json; charset=UTF-8", BODY.encode("utf-8-sig")),
        ('application/json;charset="utf-16le"', BODY.encode("utf-16-le")),
        ("application/json; charset=utf-16", BODY.encode("utf-16")),
        ("application/json; charset=UTF-16BE", BODY.encode("utf-16-be")),
        ("application/json; charset=utf-32", BODY.encode("utf-32")),
        ("application/json; charset=iso-8859-2", BODY.replace("ë", "e").encode("iso-8859-2")),
        ("application/json; charset=iso-8859-1", BODY.encode()),
        ("application/json; charset=no-such-thing", BODY.encode()),
        ("application/json; charset=", BODY.encode()),
    ],
)
def test_a_byte_order_mark_and_a_declared_charset_are_understood(content_type: str, body: bytes) -> None:
    assert read(content_type, body, forms=False)["name"] in (NAME, "Zoe Łęcka")


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
_TEXTS = st.builds(lambda value, pure: json.dumps(value, ensure_ascii=pure), _VALUES, st.booleans()) | st.text(
    '{}[]",:\\/ \t\n\x00\x7f\ufeff0123456789-+.eEuUdDaAfFxNnIity\ud800', max_size=24
)


def _outcome(parser, body: bytes) -> str:
    """What came of it; `repr` also tells 0 from 0.0 and -0.0, and the order of an object's names."""
    try:
        return repr(parser(body, ""))
    except BadPayload:
        return "refused"


@given(_TEXTS, st.binary(max_size=3), st.floats(0, 1))
def test_the_fast_parser_never_says_anything_else_than_the_careful_one(text: str, noise: bytes, place: float) -> None:
    whole = text.encode("utf-8", "surrogatepass")
    at = round(place * len(whole))
    for body in (whole, whole[:at] + noise + whole[at:]):
        assert _outcome(parse, body) == _outcome(payload._parse_carefully, body)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": 1, "b": 2, "a": 3}', {"a": 3, "b": 2}),
        (b"1e400", float("inf")),
        (b"1" * 4300, int("1" * 4300)),
        (b"-" + b"1" * 4300, -int("1" * 4300)),
        (b"1" * 4301, "1" * 4301),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'"x\\ud83d"', "x\ufffd"),
        (b"\xef\xbb\xbf[1]", [1]),
    ],
)
def test_what_is_rare_in_json_is_read_as_the_standard_library_does(body: bytes, value: object) -> None:
    assert parse(body) == parse(body, "application/json; charset=utf-8") == value


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (json.dumps(BODY), {"name": NAME}),
        (json.dumps(f"\n{BODY} "), {"name": NAME}),
        (json.dumps("[1]"), [1]),
        (json.dumps("{name}"), "{name}"),
        (json.dumps('{"x": NaN}'), '{"x": NaN}'),
        (json.dumps("text"), "text"),
        (json.dumps(json.dumps(BODY)), json.dumps(BODY)),
    ],
)
def test_json_that_was_encoded_twice_is_read_twice(body: str, data: object) -> None:
    """https://github.com/PrefectHQ/prefect/issues/17890, https://github.com/BBMRI-ERIC/negotiator/issues/1034"""
    assert read("application/json", body.encode(), forms=False) == data


def test_lists_deeper_than_the_fast_parser_goes_are_read_too() -> None:
    found = parse(b"[" * 300 + b"]" * 300)
    for _ in range(299):
        (found,) = found
    assert found == []


def test_text_of_one_byte_a_letter_is_read_as_declared() -> None:
    body = '{"name": "Renée Müller"}'.encode("cp1252")
    assert parse(body, "application/json; charset=windows-1252") == {"name": "Renée Müller"}
    with pytest.raises(BadPayload):
        parse(body)


@pytest.mark.parametrize("charset", ["undefined", "idna", "punycode", "base64", "rot13", "utf-7", "unicode_escape"])
def test_a_charset_is_never_looked_for_among_all_codecs(charset: str) -> None:
    assert parse(b'{"a": "\\u00e9"}', f"application/json; charset={charset}") == {"a": "é"}
    with pytest.raises(BadPayload):
        parse(b'{"a": "\xff"}', f"application/json; charset={charset}")


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (b'"a\\ud83d\\ude00b"', "a😀b"),
        (b'"a\\ud83db"', "a\ufffdb"),
        (b'"\\ude00\\ud83d"', "\ufffd\ufffd"),
        (b'{"\\uDC00": [1, 1.5, null, true, 12345678901234567890]}', {"\ufffd": [1, 1.5, None, True, 12345678901234567890]}),
        (b'"\\\\ud800"', "\\ud800"),
    ],
)
def test_half_of_a_surrogate_pair_is_replaced(body: bytes, data: object) -> None:
    found = parse(body)
    assert found == data
    json.dumps(found, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(BODY.encode(), mtime=0)),
        ("X-GZip", gzip.compress(BODY.encode(), mtime=0)),
        ("deflate", zlib.compress(BODY.encode())),
        ("deflate", zlib.compress(BODY.encode())[2:-4]),
        ("identity", BODY.encode()),
        ("", BODY.encode()),
    ],
)
def test_a_compressed_body_is_unpacked(coding: str, packed: bytes) -> None:
    assert unpack(coding, packed, len(BODY.encode())) == BODY.encode()


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("br", b"x"),
        ("gzip, gzip", gzip.compress(b"{}", mtime=0)),
        ("gzip", b"{}"),
        ("deflate", b"{}"),
        ("gzip", gzip.compress(BODY.encode(), mtime=0)[:-9]),
        ("gzip", b""),
    ],
)
def test_what_is_not_packed_as_it_says_is_no_json(coding: str, packed: bytes) -> None:
    with pytest.raises(BadPayload):
        unpack(coding, packed, 1000)


def test_all_parts_of_a_compressed_body_are_read() -> None:
    """Of several the first was taken for the whole (projectdiscovery/httpx issue 1874, urllib3/urllib3 issue 1285)."""
    parts = [gzip.compress(part, mtime=0) for part in (b'{"id": 1,', b"", b' "client": 2}')]
    assert unpack("gzip", b"".join(parts), 100) == b'{"id": 1, "client": 2}'
    assert unpack("gzip", b"".join(parts) + bytes(512), 100) == b'{"id": 1, "client": 2}'
    with pytest.raises(TooLong):
        unpack("gzip", b"".join(parts), 21)
    with pytest.raises(BadPayload, match="not complete"):
        unpack("gzip", b"".join(parts)[:-3], 100)
    with pytest.raises(BadPayload, match="not compressed"):
        unpack("gzip", parts[0] + b"{}", 100)


def test_two_events_in_two_parts_are_not_one() -> None:
    parts = [gzip.compress(b'{"id": %d}' % number, mtime=0) for number in (1, 2)]
    with pytest.raises(BadPayload):
        read("application/json", unpack("gzip", b"".join(parts), 100), forms=False)


def test_thousands_of_empty_parts_are_refused_at_once() -> None:
    with pytest.raises(BadPayload, match="too many parts"):
        unpack("gzip", gzip.compress(b"", mtime=0) * 50_000, 1000)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_unpacking_is_bounded_in_result_and_memory(coding: str) -> None:
    packed = {"gzip": gzip.compress, "deflate": zlib.compress}[coding](b" " * 50_000_000)
    tracemalloc.start()
    with pytest.raises(TooLong):
        unpack(coding, packed, 100_000)
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()
