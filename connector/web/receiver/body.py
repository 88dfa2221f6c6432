"""Read a request body without trusting what the sender says about its length."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from starlette.types import Receive


class BodyTooLarge(Exception):
    """More bytes than allowed were announced or sent."""


class Disconnected(Exception):
    """The sender went away before its body was complete; nobody is left to answer."""


def _anything(_size: int) -> None:
    return


def check_length(headers: Mapping[str, str], limit: int) -> None:
    """Raise BodyTooLarge where Content-Length announces more than `limit` bytes."""
    announced = headers.get("content-length", "")
    # A longer number than the limit's is larger; int() of thousands of digits would raise.
    if announced.isdecimal() and (len(announced) > 18 or int(announced) > limit):
        raise BodyTooLarge


async def read_body(
    headers: Mapping[str, str], receive: Receive, limit: int, *, take: Callable[[int], None] = _anything
) -> bytes:
    """Read the whole body, at most `limit` bytes of it; `take` is given the size of each piece, and may raise.

    Raises:
        BodyTooLarge: by Content-Length before the first byte is read, or while reading, whatever Content-Length says.
        Disconnected: the sender went away.
    """
    check_length(headers, limit)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise BodyTooLarge
        take(len(chunk))
        if not message.get("more_body", False):
            return b"".join([*chunks, chunk]) if chunks else chunk
        chunks.append(chunk)


async def discard(receive: Receive, *, limit: int, seconds: float) -> None:
    """Read on and forget, until the body ends, `limit` bytes have passed or `seconds` are over."""
    try:
        async with asyncio.timeout(seconds):
            while limit > 0:
                message = await receive()
                limit -= len(message.get("body", b""))
                if not message.get("more_body", False):
                    return
    except TimeoutError:
        return
