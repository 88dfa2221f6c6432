"""HTML with nothing from elsewhere: templates, and the headers that keep a page to itself."""

from __future__ import annotations

import secrets
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from connector.model.text import visible

if TYPE_CHECKING:
    from jinja2 import Environment

#: For every answer behind the login, whatever its type.
PRIVATE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}

_POLICY = (
    "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@cache
def environment() -> Environment:
    """The template environment, one for all pages; everything is escaped, and a missing name is a defect."""
    # 2 MB that a service needs only once somebody looks at a page.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    loader = FileSystemLoader(Path(__file__).with_name("templates"))
    made = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_visible
    )
    made.filters["code"] = _code
    return made


def _visible(value: Any) -> Any:
    return visible(value, keep="\n\r\t") if isinstance(value, str) and not isinstance(value, Markup) else value


def _code(text: str) -> Markup:
    """Escape a text and set what stands between backticks as code."""
    parts = [escape(part) for part in text.split("`")]
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join(Markup("<code>{}</code>").format(part) if odd % 2 else part for odd, part in enumerate(parts))


class Pages:
    """Renders templates under a fresh nonce each time."""

    def render(self, template: str, *, status: int = 200, headers: dict[str, str] | None = None, **values: Any) -> HTMLResponse:
        """Answer with a page that no other site can frame, style, script or read through a cache.

        Its forms say where they come from, but only to our own site.
        """
        nonce = secrets.token_urlsafe(16)
        text = environment().get_template(template).render(nonce=nonce, **values)
        policy = {"Content-Security-Policy": _POLICY.format(nonce=nonce), "X-Frame-Options": "DENY"}
        every = {**PRIVATE, "Referrer-Policy": "same-origin", **policy, **(headers or {})}
        return HTMLResponse(text, status, every)
