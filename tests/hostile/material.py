"""What hostile requests are made of: routes, odd values, headers and bodies."""

from __future__ import annotations

import gzip
import json
import zlib
from functools import cache

#: Routes of each room; a request to any of them may come with or without what lets it in.
WEBHOOKS = ("/webhooks/stores", "/webhooks/signed", "/webhooks/standard", "/webhooks/stores/", "/webhooks/nobody")
PAGES = ("/status", "/status.json", "/metrics", "/status/events", "/status/reviews", "/status/links", "/status/accounts")
RECORDS = ("/status/events/1", "/status/events/1/body", "/status/reviews/1", "/status/events/999999")
OPEN = ("/", "/healthz", "/readyz", "/login", "/logout")
ADMIN = tuple(f"/-/operations/{name}" for name in ("retry", "check", "decide", "backfill", "reveal", "nothing", ""))
ROUTES = (*WEBHOOKS, *PAGES, *RECORDS, *OPEN, *ADMIN)
METHODS = ("GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get", "PROPFIND", "X" * 40)
SEGMENTS = (
    "..",
    ".",
    "%2e%2e",
    "%2F",
    "%5c",
    "%00",
    "%ff",
    "%",
    "%zz",
    "",
    "~",
    "a" * 3000,
    "*",
    "💥",
    "%F0%9F%92%A5",
    ";x=1",
    "\\..",
)
CHARSETS = ("utf-8", "undefined", "idna", "punycode", "utf-7", "utf-16", "rot13", "zip", "unicode_escape", "\x00", "x" * 500)
TYPES = (
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/plain",
    "",
    "a/b/c;;;=",
)
ODD = (
    "\ud800",
    "\u202e",
    "\u0000",
    "ﷺ" * 50,
    "é",
    "%00",
    "'; DROP TABLE events; --",
    "<script>alert(1)</script>",
    "-1",
    "9" * 40,
)
ODD_HEADERS = (
    *("Host: evil.example.com", "Host: localhost\r\nHost: other", "Host:", "Transfer-Encoding: chunked, gzip"),
    *("Transfer-Encoding: xchunked", "Transfer-Encoding: \tidentity", "Content-Length: -1", "Content-Length: 1e3"),
    *(
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 99999999999999999999",
        "Content-Length: ٣",
        "Expect: 200-maybe",
    ),
    *(
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13",
        "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings",
    ),
    *("Connection: close, keep-alive, , ,", "X-Forwarded-For: 127.0.0.1, ::1", "X-Real-IP: 127.0.0.1", "Forwarded: for=[::1]"),
    *(
        "Cookie: connector=\x80\xff; connector=; =;;;",
        "Cookie: " + "a=b; " * 900,
        "Accept: " + "*/*, " * 900,
        "Range: bytes=0-,-1",
    ),
    *(
        "Origin: null",
        "Origin: http://[",
        "Sec-Fetch-Site: cross-site",
        "Referer: " + "x" * 4000,
        "X-Odd: a\r\n folded",
        "No colon",
    ),
    *(
        "X-Nul: a\x00b",
        "X-Tab\t: a",
        ": empty",
        "Accept-Language: " + "en-" * 1500,
        "If-None-Match: *",
        "Accept-Encoding: \xff",
    ),
    *("X-Timestamp: 1e309", "X-Signature: sha256=" + "0" * 64, "webhook-id: \x0b", "webhook-signature: v1," + "A" * 3000),
)


SAMPLE = json.dumps(
    {
        "id": "hostile",
        "type": "appointment.created",
        "content": {
            "booking": {
                "bookingId": "B-1",
                "bookingMethod": "Appointment",
                "status": "Approved",
                "startsOn": "2026-11-21T12:00:00Z",
                "modifiedOn": "2026-11-20T12:00:00Z",
                "items": [{"serviceId": 31, "serviceName": "Fitting"}],
                "client": {
                    "id": 900_001,
                    "firstName": "Ada",
                    "lastName": "Byron",
                    "email": "ada@example.com",
                    "presence": "Expecting",
                },
            },
            "clientLinks": [],
        },
    }
)


@cache
def odd_json() -> tuple[bytes, ...]:
    """Bodies that are no delivery, and hardly JSON."""
    return (
        *(b"", b"null", b"[]", b"{}", b'""', b"{", b"NaN", b"[1e999]", b"\xef\xbb\xbf{}", b"\xff\xfe{\x00}\x00", b"\x00"),
        *(b'{"id": "\\ud800"}', b'{"id": 1, "id": 2}', b"[" * 5000, b'{"a":' * 3000 + b"1" + b"}" * 3000, b"9" * 5000),
        *(
            b'{"id": ' + b"9" * 5000 + b"}",
            b'{"\\u0000": "\\u0000"}',
            b'"' + b"\\u2028" * 500 + b'"',
            b'{"content": {"booking": []}}',
        ),
    )


@cache
def packed() -> tuple[tuple[str, bytes], ...]:
    """Encodings, and bodies of which the header says that they are so encoded."""
    bomb = gzip.compress(b" " * 50_000_000)
    nested = gzip.compress(gzip.compress(b" " * 5_000_000))
    many = gzip.compress(b"{}") * 400
    raw = zlib.compressobj(wbits=-15)
    deflated = raw.compress(b" " * 20_000_000) + raw.flush()
    bodies = (bomb, nested, many, deflated, zlib.compress(b"{}"), b"{}", b"", gzip.compress(SAMPLE.encode()))
    names = ("gzip", "deflate", "gzip, gzip", "br", "GZIP", "identity", "x" * 300, "gzip,,,deflate")
    return tuple((name, body) for name in names for body in bodies)


@cache
def odd_ids() -> tuple[str, ...]:
    """Numbers that are none, or too large for the database."""
    return (
        "0",
        "-1",
        "1e3",
        "9" * 18,
        "9" * 19,
        "9" * 30,
        "9" * 5000,
        "٣",
        "1%00",
        "x",
        "1.0",
        "%20",
        "1;",
        "²",
        "0x1",
        "None",
    )
