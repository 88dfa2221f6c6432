"""TOML → frozen, validated settings. Secrets are resolved here; every fault names the file, the key and the fix."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Protocol, TypeVar
from urllib.parse import urlsplit

from phonenumbers import SUPPORTED_REGIONS
from pydantic import AfterValidator, Field, SecretStr, field_validator

from connector.config.addresses import check_base_url, is_loopback, own_url
from connector.config.database import DatabaseSettings
from connector.config.fields import FieldRules, check_owner, check_rules, read_lines, read_template
from connector.config.operators import StatusSettings, check_status, read_status
from connector.config.outbound import OutboundSettings, Route
from connector.config.owner import OwnerSettings
from connector.config.reader import Tables, nearest, parse
from connector.config.routes import Routes
from connector.config.samples import Sampled
from connector.config.strength import check_webhooks
from connector.config.values import Duration, RecordUrl, Zone, seconds_of
from connector.config.values import Section as Section  # noqa: PLC0414 - integrations take it from here
from connector.model.errors import ConfigError

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
S = TypeVar("S")
TABLES = ("server", "database", "worker", "status", "log", "outbound", "booking", "crm", "sync")


class ServerSettings(Section):
    """Where we listen and how senders see us."""

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    public_url: str | None = None
    max_body_bytes: Annotated[int, Field(ge=1)] = 1_048_576

    @field_validator("public_url")
    @classmethod
    def _public_url(cls, value: str | None) -> str | None:
        return None if value is None else own_url(value)

    @property
    def has_path(self) -> bool:
        """Whether senders see us below a path, which only a proxy that removes it can make work."""
        return urlsplit(self.public_url or "").path not in ("", "/")

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach us: a loopback host and no address for the world."""
        return is_loopback(self.host) and self.public_url is None


class WorkerSettings(Section):
    """How much is done at once and how long a stop may take."""

    concurrency: Annotated[int, Field(ge=1, le=256)] = 8
    drain_seconds: Annotated[float, Field(ge=0)] = 10.0
    #: Days after which a held event, which keeps its body, is worth a reminder; 0: never.
    held_warning_days: Annotated[float, Field(ge=0, le=3650)] = 30.0


class LogSettings(Section):
    """How the program talks: `auto` is console on a terminal and JSON elsewhere."""

    format: Literal["auto", "console", "json"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


class WebhookSettings(Section):
    """How a delivery proves itself; see `connector.remote.signatures`."""

    verify: Literal["token", "hmac", "standard-webhooks", "none"]
    header: str | None = None
    tokens: tuple[SecretStr, ...] = ()
    secrets: tuple[SecretStr, ...] = ()
    algorithm: Literal["sha1", "sha256", "sha384", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    signed: str = "{body}"
    timestamp_header: str | None = None
    tolerance_seconds: Annotated[float, Field(gt=0)] = 300.0


class BookingSettings(Sampled, Section):
    """What every `[booking.NAME]` has; each system's own settings extend it."""

    #: True for a system that proves its deliveries in its own way (`BookingSystem.verifier`).
    own_verification: ClassVar[bool] = False

    system: str
    default_country: str | None = None
    #: The zone of times that name none; UTC where the product's own rule says nothing else.
    time_zone: Zone | None = None
    #: The page of one client in the product's own interface.
    record_url: RecordUrl | None = None
    #: Whether keys and customers may travel readable to another machine.
    allow_plain_http: bool = False
    outbound: OutboundSettings | None = None
    webhook: WebhookSettings | None = None

    @field_validator("default_country")
    @classmethod
    def _country(cls, value: str | None) -> str | None:
        country = None if value is None else value.upper()
        if country is not None and country not in SUPPORTED_REGIONS:
            raise ValueError('must be a country\'s two letters (ISO 3166), for example "CA"; the United Kingdom is "GB"')
        return country


class CrmSettings(Section):
    """What every `[crm.NAME]` has; each system's own settings extend it."""

    system: str
    base_url: str | None = None
    #: The page of one customer in the product's own interface.
    record_url: RecordUrl | None = None
    #: Whether keys and customers may travel readable to another machine.
    allow_plain_http: bool = False
    outbound: OutboundSettings | None = None

    #: The CRM's name of the field that holds a customer's owner; None: `[sync.owner]` cannot be used there.
    owner_field: ClassVar[str | None] = None

    def identity_fields(self) -> frozenset[str] | None:
        """The CRM's names of what says who a customer is; None: `[sync.fields]` cannot be written there."""
        return None


class WaitingCrmSettings(CrmSettings):
    """Of a CRM that would keep a second record of one appointment."""

    #: How long after a try to record an appointment that had no clear answer its record may still appear, by an assumption.
    wait_minutes: Annotated[float, Field(ge=0, le=1440)] = 2.0


#: Who is taken where more than one customer fits.
SeveralCandidates = Literal["hold", "oldest", "latest_activity"]


class SyncSettings(Section):
    """One sync: from one source to one CRM."""

    booking: str
    crm: str
    create: bool = True
    record_appointments: bool = False
    fill_blanks: bool = True
    several_candidates: SeveralCandidates = "hold"
    deleted_customer: Literal["hold", "create"] = "hold"
    name_mismatch: Literal["link", "hold"] = "hold"
    match_phone: bool = True
    #: How long a link that the CRM has confirmed is believed for events that change nothing.
    confirm_links_every: Duration = "0"
    shared_emails: tuple[str, ...] = ()
    shared_email_domains: tuple[str, ...] = ()
    shared_phones: tuple[str, ...] = ()
    ignore_dots_and_tags: tuple[str, ...] = ()
    minimum_identity: Literal["phone_and_name", "email", "email_and_name"] = "phone_and_name"
    #: The title of records of appointments, with sources such as {service.name}; None: what the booking system calls it.
    appointment_title: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(read_template)] | None = None
    appointment_text: Annotated[str, Field(min_length=1, max_length=2_000), AfterValidator(read_lines)] | None = None
    #: What else is written to customers.
    fields: FieldRules = ()
    #: Who a customer belongs to.
    owner: OwnerSettings | None = None

    @property
    def confirmed_for(self) -> float:
        """`confirm_links_every` in seconds."""
        return seconds_of(self.confirm_links_every)

    @field_validator("shared_email_domains", "ignore_dots_and_tags")
    @classmethod
    def _domains(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for domain in value:
            if not re.fullmatch(r"[^\s@.]+(\.[^\s@.]+)+", domain):
                raise ValueError(f'"{domain}" is not a domain; write the part behind the @, such as "example.com"')
        return tuple(domain.lower() for domain in value)

    @field_validator("shared_emails")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            if not re.fullmatch(r"[^\s@]+@[^\s@.]+(\.[^\s@.]+)+", address):
                raise ValueError('must hold e-mail addresses, for example "info@example.com"')
        return tuple(address.lower() for address in value)

    @field_validator("shared_phones")
    @classmethod
    def _numbers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        plain = tuple(re.sub(r"[ ().\-]", "", number) for number in value)
        if not all(re.fullmatch(r"\+[1-9]\d{6,14}", number) for number in plain):
            raise ValueError('must hold numbers with their country code, for example "+1 514 555 0100"')
        return plain


class Systems(Protocol):
    """What can be connected; `connector.registry` is the real one. The configuration never imports an integration."""

    def booking_systems(self) -> Sequence[str]:
        """Names that `[booking.NAME] system` may have."""

    def crms(self) -> Sequence[str]:
        """Names that `[crm.NAME] system` may have."""

    def booking(self, system: str) -> type[BookingSettings] | None:
        """The settings of a booking system; None: no such system."""

    def crm(self, system: str) -> type[CrmSettings] | None:
        """The settings of a CRM; None: no such CRM."""

    def webhook_faults(self, webhook: WebhookSettings, *, where: str) -> Sequence[str]:
        """What makes these settings unusable, one line each that begins with `where`."""


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file, validated. `plain_secrets` are the keys of secrets that stand in the file itself.

    `routes` says how each account (`crm.main`) is reached.
    """

    path: Path
    server: ServerSettings
    database: DatabaseSettings
    worker: WorkerSettings
    status: StatusSettings
    log: LogSettings
    booking: dict[str, BookingSettings]
    crm: dict[str, CrmSettings]
    sync: tuple[SyncSettings, ...]
    plain_secrets: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    routes: Mapping[str, Route] = field(default_factory=dict)


def load(path: Path, *, systems: Systems, environ: Mapping[str, str] | None = None) -> Config:
    """Read, resolve and validate the file.

    Raises:
        ConfigError: with every fault found, one line each, naming file, table, key and fix.
    """
    tables = Tables(file=path, base=path.absolute().parent, environ=os.environ if environ is None else environ)
    document = parse(path)
    tables.elsewhere = _places()
    for key in document.keys() - set(TABLES):
        tables.unknown("", key, TABLES)
    server = tables.read(ServerSettings, document.get("server", {}), "server")
    database = tables.read(DatabaseSettings, document.get("database", {}), "database")
    worker = tables.read(WorkerSettings, document.get("worker", {}), "worker")
    status = read_status(tables, document.get("status", {}))
    log = tables.read(LogSettings, document.get("log", {}), "log")
    routes = Routes(tables, tables.read(OutboundSettings, document.get("outbound", {}), "outbound"))
    accounts = _Accounts(tables, systems, document)
    booking, crm, sync = accounts.booking(), accounts.crm(), accounts.sync()
    given = {f"{kind}.{name}": one.outbound for kind, of in (("booking", booking), ("crm", crm)) for name, one in of.items()}
    ways = {account: routes.route(account, own) for account, own in given.items()}
    for number, one in enumerate(sync, 1):
        if one.crm in crm:
            check_rules(tables, f"[[sync]] number {number}", one.fields, crm[one.crm].identity_fields())
            check_owner(tables, f"[[sync]] number {number}", one.fields, crm[one.crm].owner_field, wanted=one.owner is not None)
    if server is not None and server.has_path:
        text = "has a path: the proxy must remove it from what it passes on, and the status page is not reachable through it"
        tables.warn("server", "public_url", text)
    if server is not None and status is not None:
        check_status(tables, status, is_local=server.is_local, has_url=server.public_url is not None)
        if not server.is_local:
            check_webhooks(tables, {name: settings.webhook for name, settings in booking.items() if settings.webhook})
    if tables.faults or server is None or database is None or worker is None or status is None or log is None:
        raise ConfigError(sorted(set(tables.faults), key=tables.faults.index))
    found = (tuple(tables.plain_secrets), tuple(tables.warnings), ways)
    return Config(path, server, database, worker, status, log, booking, crm, sync, *found)


def _places() -> dict[str, str]:
    """The keys that only one kind of table has, with that table."""
    models: list[tuple[str, type[Section]]] = [("[server]", ServerSettings), ("[worker]", WorkerSettings)]
    models += [("[booking.NAME]", BookingSettings), ("[[sync]]", SyncSettings)]
    kinds = [(key, table) for table, model in models for key in model.model_fields]
    once = Counter(key for key, _ in kinds)
    return {key: table for key, table in kinds if once[key] == 1}


@dataclass
class _Accounts:
    """The tables that name each other: sources, CRMs and what joins them."""

    tables: Tables
    systems: Systems
    document: dict[str, Any]

    def booking(self) -> dict[str, BookingSettings]:
        """Every usable `[booking.NAME]`."""
        found = {}
        for name, table, model in self._named("booking", self.systems.booking_systems(), self.systems.booking):
            where, given = f"booking.{name}", dict(table)
            if not model.own_verification and "webhook" not in table:
                text = 'is missing; choose how webhooks are verified: verify = "token", "hmac", "standard-webhooks" or "none"'
                self.tables.fault(f"{where}.webhook", "verify", text)
                given["webhook"] = {"verify": "none"}
            settings = self.tables.read(model, given, where)
            if settings is not None:
                found[name] = settings
                self._check_booking(where, settings)
        return found

    def crm(self) -> dict[str, CrmSettings]:
        """Every usable `[crm.NAME]`."""
        found = {}
        for name, table, model in self._named("crm", self.systems.crms(), self.systems.crm):
            settings = self.tables.read(model, table, f"crm.{name}")
            if settings is not None:
                found[name] = settings
                check_base_url(self.tables, f"crm.{name}", settings.base_url, plain=settings.allow_plain_http)
        return found

    def sync(self) -> tuple[SyncSettings, ...]:
        """Every usable `[[sync]]`; each source has exactly one."""
        given = self.document.get("sync", [])
        if not isinstance(given, list):
            self.tables.fault("[[sync]]", "", "must be written with two brackets on each side: [[sync]]")
            return ()
        found = []
        for number, table in enumerate(given, 1):
            settings = self.tables.read(SyncSettings, table, f"[[sync]] number {number}")
            if settings is not None:
                found.append(settings)
                self._check_sync(f"[[sync]] number {number}", settings, found[:-1])
        if len(found) == len(given):
            self._check_joined(found)
        return tuple(found)

    def _named(
        self, kind: str, systems: Sequence[str], model_of: Callable[[str], type[S] | None]
    ) -> Iterator[tuple[str, dict[str, Any], type[S]]]:
        """Every `[kind.NAME]` whose name and system are usable, with the system's settings."""
        given = self.document.get(kind, {})
        if not isinstance(given, dict) or not all(isinstance(table, dict) for table in given.values()):
            self.tables.fault(kind, "", f"must hold one table for each account; write [{kind}.NAME]")
            return
        for name, table in given.items():
            where, system = f"{kind}.{name}", table.get("system")
            if not NAME.fullmatch(name):
                self.tables.fault(where, "", "the name may have a-z, 0-9, - and _ only, at most 63, a letter or digit first")
            elif not isinstance(system, str):
                self.tables.fault(where, "system", f"must name the product: {', '.join(systems)}")
            elif (model := model_of(system)) is None:
                self.tables.fault(where, "system", f"unknown system; {nearest(system, systems)}")
            else:
                yield name, table, model

    def _check_booking(self, where: str, settings: BookingSettings) -> None:
        check_base_url(self.tables, where, getattr(settings, "base_url", None), plain=settings.allow_plain_http)
        if settings.webhook is None:
            return
        if settings.webhook.verify == "none":
            text = 'is "none": anybody who knows the address can post bookings; use "token" or "hmac" where the sender can'
            self.tables.warn(f"{where}.webhook", "verify", text)
        hook = settings.webhook
        if hook.verify == "hmac" and hook.timestamp_header is None and "{header:" not in hook.signed.lower():
            text = "covers neither a time nor an id: who records a delivery can send it again; sign one if the sender can"
            self.tables.warn(f"{where}.webhook", "signed", text)
        for line in self.systems.webhook_faults(settings.webhook, where=f"{where}.webhook"):
            self.tables.faults.append(f"{self.tables.file}: {line}")

    def _check_sync(self, where: str, settings: SyncSettings, before: Sequence[SyncSettings]) -> None:
        for kind, name in (("booking", settings.booking), ("crm", settings.crm)):
            known = self._names(kind)
            if name not in known:
                self.tables.fault(where, kind, f"there is no [{kind}.{name}]; {nearest(name, known)}")
        if any(other.booking == settings.booking for other in before):
            self.tables.fault(where, "booking", f'"{settings.booking}" has a sync already; remove one of the two')
        if settings.create and not settings.match_phone and settings.minimum_identity == "phone_and_name":
            text = 'is false: each client without an e-mail address becomes a new customer; set minimum_identity = "email"'
            self.tables.warn(where, "match_phone", text)

    def _check_joined(self, syncs: Sequence[SyncSettings]) -> None:
        """Every source needs a sync; a CRM without one is odd but harmless."""
        sources, crms = self._names("booking"), self._names("crm")
        if not sources:
            self.tables.fault("booking", "", "no source is configured; add [booking.NAME] (see config.example.toml)")
        for name in sources - {s.booking for s in syncs}:
            crm = next(iter(sorted(crms)), "NAME")
            self.tables.fault(f"booking.{name}", "", f'has no sync; add: [[sync]] with booking = "{name}" and crm = "{crm}"')
        for name in crms - {s.crm for s in syncs}:
            self.tables.warn(f"crm.{name}", "", "is used by no [[sync]]; remove it or add the sync")

    def _names(self, kind: str) -> set[str]:
        given = self.document.get(kind, {})
        return set(given) if isinstance(given, dict) else set()
