"""What every integration is, booking system or CRM: an account that can be connected, probed, checked and repaired."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Self

import httpx

from connector.model.capabilities import Capability
from connector.model.errors import Rejected, RemoteError, Transient
from connector.model.problems import Check, Level, Topic
from connector.model.renewed import RenewedSecrets
from connector.remote.http import Remote
from connector.remote.rate_limit import QuotaFor


class Integration(ABC):
    """One configured account of a remote system. Adapters raise `connector.model.errors`; they never log and never store."""

    #: The product's name in the configuration, such as `booxi` or `hubspot`.
    system: ClassVar[str]
    #: The product's name as its vendor writes it.
    title: ClassVar[str]
    #: The keys of the account's table in the configuration.
    settings_model: ClassVar[type[Any]]

    #: What the account can do; the class says what it is by default, and `by_setting` what the settings may change of that.
    capabilities: frozenset[Capability] = frozenset()
    by_setting: ClassVar[frozenset[Capability]] = frozenset()

    def __init__(self, name: str, remote: Remote) -> None:
        self.name = name
        self.remote = remote

    def can(self, capability: Capability) -> bool:
        """Whether the account, as it is configured, can do something."""
        return capability in self.capabilities

    @classmethod
    @abstractmethod
    def connect(
        cls, name: str, settings: Any, quota_for: QuotaFor, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> Self:
        """Build the adapter from its validated settings (an instance of `settings_model`); makes no request."""

    @abstractmethod
    async def probe(self) -> None:
        """Make one cheap authenticated call. Raises RemoteError, with a hint, when the account cannot be used."""

    async def checks(self) -> list[Check]:
        """Further checks of this product, for `connector check` and once an hour; the caller makes the probe."""
        return []

    async def fix(self) -> list[str]:
        """Create or repair what is ours in the remote system; one sentence for each thing done."""
        return []

    def remember(self, memory: RenewedSecrets) -> None:  # noqa: B027 - most accounts renew nothing
        """Take a secret that was renewed earlier from `memory`, and keep the next one there. Raises StoreError."""

    async def renew(self) -> list[str]:
        """Renew secrets that end soon, once an hour while the account works; one sentence for each.

        A new one is kept before it is used. What fails is said by `checks`. Raises StoreError where one cannot be kept.
        """
        return []

    async def check(self, name: str, well: str, act: Callable[[], Awaitable[Any]], *, level: Level = "error") -> Check:
        """One check: ok with `well` when `act` returns, `level` with the error's text and hint when it raises RemoteError."""
        topic = Topic(self.remote.account, name)
        try:
            await act()
        except RemoteError as error:
            return Check(topic=topic, level=level, message=str(error), hint=error.hint)
        return Check(topic=topic, level="ok", message=f"{self.title}: {well}")

    def transient(self, how: str) -> Transient:
        """The error of a call that failed in a way that may pass; `how` says what was done and what came of it."""
        return Transient(f"{self.title}: {how}", account=self.remote.account)

    def rejected(self, how: str, hint: str) -> Rejected:
        """The error of a call that will never succeed as it is."""
        return Rejected(f"{self.title}: {how}", account=self.remote.account, hint=hint)

    def unchecked(self, what: str) -> Check:
        """Say what cannot be known before it is done: the remote system has no way to ask for that permission."""
        after = "A refusal stops only that kind of action, and is shown here"
        text = f"{self.title}: cannot be checked without writing: {what}. {after}"
        return Check(topic=Topic(self.remote.account, "writing"), level="ok", message=text)
