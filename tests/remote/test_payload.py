"""What is JSON, in which clothes it may come, and what is none."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib

import pytest

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


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_unpacking_is_bounded_in_result_and_memory(coding: str) -> None:
    packed = {"gzip": gzip.compress, "deflate": zlib.compress}[coding](b" " * 50_000_000)
    tracemalloc.start()
    with pytest.raises(TooLong):
        unpack(coding, packed, 100_000)
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()
