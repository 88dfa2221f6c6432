"""The configured accounts, connected: adapters by name, and one quota per key, however many accounts use it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import httpx
from pydantic import SecretStr

from connector import registry
from connector.booking_systems.base import BookingSystem
from connector.config.outbound import Route
from connector.config.settings import Config
from connector.crms.base import CRM
from connector.remote.circuit_breaker import CircuitBreaker
from connector.remote.http import Remote
from connector.remote.integration import Integration
from connector.remote.rate_limit import Quota, Window
from connector.remote.shared_quota import SharedQuota
from connector.remote.wrapped import CheckedTransport, OnDemand
from connector.store import Store, views
from connector.store.sealing import can_seal
from connector.worker.shared_tokens import SharedToken

#: Instead of the network, by account name (`booking.stores`); for tests.
Transports = Mapping[str, httpx.AsyncBaseTransport]


@dataclass
class Connections:
    """What `connect` built. `quotas` are keyed by a hash of the secret they belong to."""

    booking: dict[str, BookingSystem] = field(default_factory=dict)
    crms: dict[str, CRM] = field(default_factory=dict)
    quotas: dict[str, Quota] = field(default_factory=dict)

    def adapters(self) -> list[Integration]:
        """Every account's adapter, booking systems first."""
        return [*self.booking.values(), *self.crms.values()]

    def remotes(self) -> dict[str, Remote]:
        """Every account's remote, by account name."""
        return {adapter.remote.account: adapter.remote for adapter in self.adapters()}

    def breakers(self) -> dict[str, CircuitBreaker]:
        """Whether each account can be used now, by account name."""
        return {account: remote.breaker for account, remote in self.remotes().items()}

    def pause(self, quota: str, seconds: float) -> None:
        """Another process was asked not to use a quota for so long; "": it may have been any, so nothing ready is used."""
        for name, one in self.quotas.items():
            if quota in (name, ""):
                one.pause(seconds)

    async def take_renewed(self, store: Store) -> None:
        """Go on with the secrets that another process has renewed since. Raises StoreError."""
        renewed = await store.renewed.load()
        for adapter in self.adapters():
            if adapter.remote.account in renewed:
                adapter.remember(store.renewed)

    async def close(self) -> None:
        """Close every connection."""
        for remote in self.remotes().values():
            await remote.aclose()
        for quota in self.quotas.values():
            await quota.close()


async def connect(config: Config, store: Store | None, *, transports: Transports | None = None) -> Connections:
    """Build the adapters; makes no request.

    With a store, every counted call is written there, and the calls which an earlier process made still count.
    """
    found = Connections()
    given = transports or {}

    def transport(account: str) -> httpx.AsyncBaseTransport:
        # One for each account: one whose connections all hang must not use up those of the others.
        route = config.routes.get(account, Route())
        if store is None or not store.database.shared:
            return given.get(account) or OnDemand(route)
        check = store.database.check_lease
        return CheckedTransport(given.get(account) or OnDemand(route, check=check), check)

    def quota_for(key: str, windows: Iterable[Window]) -> Quota:
        name = hashlib.sha256(key.encode()).hexdigest()[:16]
        if name not in found.quotas:
            found.quotas[name] = _quota(name, windows, store)
        return found.quotas[name]

    for name, booking in config.booking.items():
        system = registry.booking_system(booking.system)
        found.booking[name] = system.connect(name, booking, quota_for, transport=transport(f"booking.{name}"))
        if config.server.public_url is not None:
            found.booking[name].address = f"{config.server.public_url.rstrip('/')}/webhooks/{name}"
    for name, crm in config.crm.items():
        found.crms[name] = registry.crm(crm.system).connect(name, crm, quota_for, transport=transport(f"crm.{name}"))
    for sync in config.sync:
        customers = found.crms[sync.crm]
        customers.keep(sync.fields, owner=sync.owner.named if sync.owner else None)
        customers.records = customers.records or sync.record_appointments
    if store is not None:
        await store.renewed.load()
        if store.renewed.can_keep():
            for adapter in found.adapters():
                adapter.remember(store.renewed)
        await _restore(found.quotas, store)
        if store.database.shared and can_seal():
            share_tokens(found, config, store)
    return found


def share_tokens(found: Connections, config: Config, store: Store) -> None:
    """Let every account that has an access token go by the one that all processes with the same settings use."""
    settings = {
        f"{kind}.{name}": one for kind, of in (("booking", config.booking), ("crm", config.crm)) for name, one in of.items()
    }
    for account, remote in found.remotes().items():
        if remote.tokens is not None:
            credentials = json.dumps(settings[account].model_dump(), default=_revealed)
            remote.tokens.share(SharedToken(store, account, credentials))


def _revealed(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def _quota(name: str, windows: Iterable[Window], store: Store | None) -> Quota:
    if store is not None and store.database.shared:
        return SharedQuota(name, windows, ledger=store.ledger)
    return Quota(name, windows, record=store.upkeep.count_call if store else None)


async def _restore(quotas: Mapping[str, Quota], store: Store) -> None:
    now = time.time()
    for name, quota in quotas.items():
        if isinstance(quota, SharedQuota):
            await quota.look()
            continue
        longest = max((window.seconds for window in quota.windows), default=0.0)
        calls = await store.read(views.recent_calls, name, now - longest - 1.0)
        quota.restore((now - at, cost) for at, cost in calls)
