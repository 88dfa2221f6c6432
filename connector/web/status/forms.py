"""Reads the forms of our own pages: one content type, few bytes, and a time limit."""

from __future__ import annotations

import asyncio
import re

from starlette.requests import Request

from connector.remote.payload import FORM, BadPayload, parse_form
from connector.web.receiver.body import BodyTooLarge, Disconnected, read_body

#: Bytes; a form holds a token and an id.
MAX_FORM = 4096
#: Seconds a browser has to send the form.
FORM_TIMEOUT = 10.0


#: The addresses that a form or the login may lead to.
_OURS = re.compile(r"/status(?:/(?:events|reviews|links|accounts)(?:/\d{1,19})?)?(?:\?[\w=&%+.:*~-]{0,1000})?", re.ASCII)


def ours(where: str) -> str:
    """An address of our own pages as it is; the overview's for any other."""
    return where if _OURS.fullmatch(where) else "/status"


class BadForm(Exception):
    """The form cannot be taken; `status` is the HTTP status, the text says why."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


async def read_form(request: Request) -> dict[str, str]:
    """Read one form's fields, trimmed; of a field given twice the last one counts. Raises BadForm.

    Only `application/x-www-form-urlencoded` in UTF-8 is taken: whatever else claims to be a form, its parser is not
    exposed to strangers.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise BadForm("The form has an unexpected type.", 415)
    try:
        async with asyncio.timeout(FORM_TIMEOUT):
            body = await read_body(dict(request.headers), request.receive, MAX_FORM)
        return {name: value.strip() for name, value in parse_form(body).items()} if body.strip() else {}
    except (TimeoutError, Disconnected):
        raise BadForm("The form did not arrive in time. Please send it again.", 408) from None
    except BodyTooLarge:
        raise BadForm("The form is too large.", 413) from None
    except BadPayload as error:
        raise BadForm(str(error), 400) from None
