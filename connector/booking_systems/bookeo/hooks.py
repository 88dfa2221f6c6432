"""The webhooks we need at Bookeo: which are registered, missing, blocked or lead elsewhere, and how to fix that."""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from urllib.parse import urlencode

from connector.booking_systems.bookeo.api import BookeoClient
from connector.config.addresses import is_exposed
from connector.model.errors import Rejected
from connector.model.problems import Check, Topic
from connector.remote.values import read_object, read_objects, read_text, read_time

#: One webhook for each. A customer's deletion asks nothing of us.
WANTED = (
    ("bookings", "created"),
    ("bookings", "updated"),
    ("bookings", "deleted"),
    ("customers", "created"),
    ("customers", "updated"),
)
_FIX = "Run `connector check --fix`, which registers it again."
#: What the reason of a block speaks of; Bookeo's own text may quote an address or a body, so it is not shown.
_CATEGORIES = (
    ("time-outs", re.compile(r"time[ -]?d?[ -]?out|too (slow|long)|timeout", re.IGNORECASE)),
    ("certificate", re.compile(r"certificate|\bssl\b|\btls\b", re.IGNORECASE)),
    ("no connection", re.compile(r"connect|unreachable|resolve|\bdns\b|unknown host", re.IGNORECASE)),
    ("refused by us (answers 4xx)", re.compile(r"\b4\d\d\b|unauthori[sz]ed|forbidden|not found", re.IGNORECASE)),
    ("errors of ours (answers 5xx)", re.compile(r"\b5\d\d\b|server error", re.IGNORECASE)),
    ("redirects", re.compile(r"\b3\d\d\b|redirect", re.IGNORECASE)),
    ("too many dropped messages", re.compile(r"drop|lost|too many|fail", re.IGNORECASE)),
)


class Hook(NamedTuple):
    """A webhook we need, and what Bookeo has registered for its domain and type (None: nothing)."""

    domain: str
    type: str
    url: str
    registered: dict[str, Any] | None

    @property
    def name(self) -> str:
        """As it stands in checks: `bookings.created`."""
        return f"{self.domain}.{self.type}"

    @property
    def blocked(self) -> bool:
        """Whether Bookeo has stopped sending."""
        hook = read_object(self.registered)
        return bool(hook.get("blockedTime")) or bool(hook.get("blockedReason"))

    @property
    def problem(self) -> str | None:
        """What is wrong, in a few words; None when all is well."""
        if self.registered is None:
            return "is not registered"
        if self.registered.get("url") != self.url:
            return "leads to another address"
        return f"is blocked{self._since()}: {category(self.registered.get('blockedReason'))}" if self.blocked else None

    def _since(self) -> str:
        since = read_time(read_object(self.registered).get("blockedTime"))
        return f" since {since:%Y-%m-%d %H:%M} UTC" if since else ""


def category(reason: Any) -> str:
    """What Bookeo's reason for a block speaks of, without quoting it."""
    text = read_text(reason)
    return next((name for name, pattern in _CATEGORIES if pattern.search(text)), "the reason is shown in Bookeo")


def url_of(address: str, domain: str, type_: str) -> str:
    """The address to register: the body of a delivery says neither its domain nor its type."""
    return f"{address}?{urlencode({'domain': domain, 'type': type_})}"


class Hooks:
    """The webhooks of the account with this name in the configuration."""

    def __init__(self, client: BookeoClient, name: str) -> None:
        self._client = client
        self._name, self._account = name, client.remote.account

    async def checks(self, address: str | None) -> list[Check]:
        """One check for each webhook that is not as it should be, or one that says all are."""
        if address is None:
            text = "deliveries cannot be verified and webhooks not be registered: no public_url is configured"
            hint = "Set [server] public_url to our address as Bookeo sees it (https), then run `connector check --fix`."
            return [Check(topic=Topic(self._account, "webhooks"), level="warning", message=text, hint=hint)]
        wrong = [hook for hook in await self._hooks(address) if hook.problem is not None]
        if not wrong:
            text = f"{len(WANTED)} webhooks are registered and none is blocked"
            return [Check(topic=Topic(self._account, "webhooks"), level="ok", message=text)]
        return [
            Check(
                topic=Topic(self._account, "webhooks", hook.name),
                level="error",
                message=f"the webhook {hook.name} {hook.problem}",
                hint=self._hint(hook),
            )
            for hook in wrong
        ]

    def _hint(self, hook: Hook) -> str:
        if hook.blocked:
            return f"Fix the cause first (the log shows refused deliveries), otherwise it is blocked again. {_FIX} {self._gap}"
        if hook.registered is not None:
            return f"{_FIX} It replaces the other address: make sure that nothing else of yours depends on it."
        return _FIX

    async def fix(self, address: str | None) -> list[str]:
        """Register what is not as it should be; says what was done.

        Raises:
            Rejected: our address is one that Bookeo does not call.
        """
        if address is None:
            return []
        if is_exposed(address):
            hint = "Put connector behind a reverse proxy with a certificate, and write its https address into public_url."
            account = self._client.remote.account
            raise Rejected("Bookeo: register a webhook: it calls https addresses only", account=account, hint=hint)
        done = []
        for hook in await self._hooks(address):
            if (problem := hook.problem) is not None:
                await self._client.create_webhook(hook.url, hook.domain, hook.type)
                was = problem.replace("is ", "was ").replace("leads", "led")
                done.append(f"registered the webhook {hook.name}, which {was}" + (f". {self._gap}" if hook.blocked else ""))
        return done

    @property
    def _gap(self) -> str:
        """What to do about the time in which nothing was sent: a new webhook does not tell of it."""
        return f"Then `connector backfill {self._name}` reads what was not sent meanwhile."

    async def _hooks(self, address: str) -> list[Hook]:
        answer = await self._client.list_webhooks()
        data = answer.data.get("data", []) if isinstance(answer.data, dict) else answer.data
        if not isinstance(data, list):
            raise self._client.unexpected("list webhooks", answer)
        found = {(hook.get("domain"), hook.get("type")): hook for hook in read_objects(data)}
        return [Hook(domain, type_, url_of(address, domain, type_), found.get((domain, type_))) for domain, type_ in WANTED]
