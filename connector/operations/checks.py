"""What `connector check` finds out: the file, the database, and both sides as they answer now."""

from __future__ import annotations

import errno
import math
import resource
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec import DecodeError

from connector.config.database import DatabaseSettings
from connector.config.settings import Config
from connector.crms.base import CRM
from connector.model.bookings import read_event
from connector.model.dates import moment_of
from connector.model.errors import LimitReached, RemoteError
from connector.model.problems import ACCOUNT, Check, Level, Topic
from connector.remote.circuit_breaker import CircuitBreaker
from connector.remote.integration import Integration
from connector.store import Store, shared, views
from connector.store.backup import last_backup, without_backup
from connector.store.database import Database
from connector.store.files import MOUNTS, NETWORKS, file_system
from connector.store.modes import readable_by_others
from connector.sync.pipeline import Sync
from connector.worker.accounts import Connections

#: Bytes of a WAL that nobody needs but a program that reads for very long.
LARGE_WAL = 256 * 1024 * 1024
#: Seconds.
DAY = 86_400.0
#: Seconds by which the newest delivery may lie ahead, as clocks are corrected in small steps.
AHEAD = 300.0
#: Held events of a source that one check reads again at most.
MANY_HELD = 10_000


def configuration(config: Config) -> list[Check]:
    """What deserves a word in the file itself; it has been validated before."""
    name = config.path.name
    found = [
        Check(
            topic=Topic("config", "secrets"),
            level="warning",
            message=f"{key} is written in plain text in {name}",
            hint='Move it out of the file: { env = "NAME" } or { file = "path" }.',
        )
        for key in config.plain_secrets
    ]
    if found and (mode := config.path.stat().st_mode & 0o777) & 0o077:
        text = f"{name} holds secrets, and other users of this machine can read it (mode {mode:04o})"
        hint = f"Run `chmod 600 {config.path}`."
        found.append(Check(topic=Topic("config", "mode"), level="warning", message=text, hint=hint))
    found += [Check(topic=Topic("config", "file"), level="warning", message=text) for text in config.warnings]
    for source, booking in config.booking.items():
        if booking.default_country is None:
            text = "phone numbers without a country code are not used to find customers"
            hint = f'Set default_country in [booking.{source}], for example "CA".'
            found.append(Check(topic=Topic(f"booking.{source}", "default_country"), level="warning", message=text, hint=hint))
    return found or [Check(topic=Topic("config", "file"), level="ok", message=f"{name} is valid")]


def database(opened: Database) -> list[Check]:
    """Whether the database was made by this process, and how large its WAL is."""
    found = large_wal(opened)
    if opened.new:
        hint = "This is right at a first start. Otherwise stop: the old file, its disk or its mount is missing."
        text = f"new database: there was no {opened.name} when this process started"
        found.append(Check(topic=Topic("database", "new"), level="warning", message=text, hint=hint))
    return found


async def processes(store: Store) -> list[Check]:
    """Who works on the database, where several processes may."""
    if not store.database.shared:
        return []
    alive = [one for one in await store.read(shared.processes) if one["role"] != "command"]
    both = "receiver and worker"
    said = ", ".join(f"{both if one['role'] == 'all' else one['role']} on {one['host']} (pid {one['pid']})" for one in alive)
    if any(one["role"] != "receiver" for one in alive):
        return [Check(topic=Topic("processes"), level="ok", message=said)]
    hint = "Start `connector serve` with `--role worker`, or without --role and --no-worker."
    text = f"no process with a worker is alive: deliveries are stored and wait ({said or 'nor any other'})"
    return [Check(topic=Topic("processes"), level="warning", message=text, hint=hint)]


def modes(path: Path) -> list[Check]:
    """Files beside the database at `path` that others on this machine can read: they hold personal data, or what lets in."""
    return [
        Check(
            topic=Topic("database", "mode"),
            level="warning",
            message=f"other users of this machine can read {file.name} (mode {mode:04o})",
            hint=f"Run `chmod 600 {file}`.",
        )
        for file, mode in readable_by_others(path)
    ]


def disk(settings: DatabaseSettings, mounts: Path = MOUNTS) -> list[Check]:
    """Whether the database in a file lies on a file system on which SQLite's locks do not hold."""
    if settings.on_server:
        return []
    try:
        kind = file_system(settings.path, mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines())
    except OSError:
        return []
    if kind not in NETWORKS:
        return []
    text = f"{settings.name} lies on {kind}, where SQLite's locks do not hold: it can be damaged, and deliveries lost"
    hint = "Move its folder to a local disk; to share it between machines, use PostgreSQL (`connector database copy`)."
    return [Check(topic=Topic("database", "disk"), level="warning", message=text, hint=hint)]


async def restored(store: Store, sources: Iterable[str]) -> list[Check]:
    """Whether the database was once a backup, and of which sources the time since that backup was not looked through yet.

    What was recorded meanwhile is looked for by its marker from then on, without end (`connector.sync.timeline`): a change of
    an appointment that was booked in that time may come months later.
    """
    if (known := store.database.restored) is None:
        return []
    at, made = known
    missing = sorted(set(sources) - await store.read(views.backfilled, made, at))
    if not missing:
        return []
    text = (
        f"the database is a backup of {moment_of(made)}, restored at {moment_of(at)}: it does not hold what came between."
        " From now on connector looks for each customer and appointment before it creates one, so that none is created twice."
        " Reviews decided between are asked again; links changed between have their old value"
    )
    day = f"{datetime.fromtimestamp(made, UTC):%Y-%m-%d}"
    runs = " and ".join(f"`connector backfill {source} --since {day}`" for source in missing)
    drift = " and ".join(f"`connector check --drift {source} --fix`" for source in missing)
    hint = f"Run {runs}, then {drift}. This warning stays until the backfill is done."
    return [Check(topic=Topic("database", "restored"), level="warning", message=text, hint=hint)]


async def renamed(store: Store, sources: Iterable[str]) -> list[Check]:
    """Whether a source without links could be one that is no longer configured and has them."""
    linked = await store.read(views.linked_sources)
    gone, fresh = sorted(set(linked) - set(sources)), sorted(set(sources) - set(linked))
    if not gone or not fresh:
        return []
    text = (
        f"the database holds links of {', '.join(gone)}, which is no source of the configuration any more,"
        f" and none of {', '.join(fresh)}: was the source renamed?"
    )
    hint = (
        "If it was, give it its old name again: the name is part of each link and of our keys in the CRM."
        " If not, do nothing: this warning ends with the first link of the new source."
    )
    return [Check(topic=Topic("database", "sources"), level="warning", message=text, hint=hint)]


async def clock(store: Store, now: float) -> list[Check]:
    """Whether time went back since the newest delivery: what is due then waits until that time comes again."""
    newest = await store.read(views.newest_delivery)
    if newest is None or newest <= now + AHEAD:
        return []
    text = (
        f"the newest delivery was received at {moment_of(newest)}, but now it is {moment_of(now)}:"
        " the clock was set back, or was ahead before"
    )
    hint = (
        "Correct the clock of this machine. Retries planned meanwhile wait for their time;"
        " `connector events retry` starts them at once."
    )
    return [Check(topic=Topic("process", "clock"), level="warning", message=text, hint=hint)]


def large_wal(opened: Database) -> list[Check]:
    """A program that reads for very long keeps the WAL from being taken over."""
    size = opened.sizes().get("wal_bytes", 0)
    if size <= LARGE_WAL:
        return []
    text = f"{opened.name}-wal has grown to {size // 1024**2:,} MB"
    hint = "Close the program that has the database open for reading; the file shrinks by itself after that."
    return [Check(topic=Topic("database", "wal"), level="warning", message=text, hint=hint)]


def backup(settings: DatabaseSettings, now: float) -> list[Check]:
    """Whether the last `connector backup` is too long ago, for a database in a file."""
    days = settings.backup_warning_days
    age = None if settings.on_server or not days else without_backup(settings.path, now)
    if age is None or age <= days * DAY:
        return []
    said = f"the last backup is {int(age / DAY)} days old"
    if last_backup(settings.path) is None:
        said = f"no backup was ever made of {settings.name}, which is {int(age / DAY)} days old"
    hint = (
        "Run `connector backup FILE`, best every night; `[database] backup_warning_days = 0` if something else makes backups."
    )
    return [Check(topic=Topic("database", "backup"), level="warning", message=said, hint=hint)]


async def readable_again(syncs: Mapping[str, Sync], store: Store) -> list[Check]:
    """Held events with a value that could not be read, and that the present settings can read."""
    found = []
    for source, sync in syncs.items():
        payloads = await store.read(views.held_unreadable, source, limit=MANY_HELD)
        number = sum(_is_readable(sync, payload) for payload in payloads)
        if number:
            text = f"{number:,} held {'event' if number == 1 else 'events'} can be read with the present settings"
            hint = f'Run `connector events retry --all --source {source} --reason "cannot be read"`.'
            found.append(Check(topic=Topic(f"booking.{source}", "readable"), level="warning", message=text, hint=hint))
    return found


def _is_readable(sync: Sync, payload: str) -> bool:
    try:
        return sync.parts.identity(read_event(payload).client).matchable
    except DecodeError:
        return False


async def long_held(store: Store, days: float, now: float) -> list[Check]:
    """Events that are held for so long that they are perhaps forgotten: they keep what the sender said of people."""
    number, since = await store.read(views.held_before, now - days * DAY, limit=MANY_HELD) if days else (0, None)
    if since is None:
        return []
    what = "1 event is" if number == 1 else f"{number:,} events are"
    text = f"{what} held for more than {days:g} days, the first since {moment_of(since)}; their bodies are kept with them"
    hint = f"See `connector events list --state held --until {math.ceil(days)}d`; decide, retry or discard them."
    return [Check(topic=Topic("events", "held"), level="warning", message=text, hint=hint)]


async def ids(store: Store) -> list[Check]:
    """Sources that give one id to several deliveries."""
    found = []
    for source, n in (await store.read(views.reused_ids)).items():
        deliveries = "1 delivery" if n == 1 else f"{n:,} deliveries"
        text = f"{deliveries} to {source} came under an id seen before, with another body: its ids are not unique per event"
        hint = "Nothing is lost: each was stored as another event. See docs/events.md on duplicates."
        found.append(Check(topic=Topic(f"booking.{source}", "event_ids"), level="warning", message=text, hint=hint))
    return found


def open_files(share: float = 0.8) -> list[Check]:
    """Whether the process comes near its limit of open files: beyond it no connection is taken and no call is made."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    try:
        used = sum(1 for _ in Path("/dev/fd").iterdir())
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.ENFILE):
            return []
        used = limit
    if limit == resource.RLIM_INFINITY or used < share * limit:
        return []
    hint = "Look at who keeps connections open, or raise the limit (LimitNOFILE of systemd, ulimits of compose)."
    text = f"{used:,} of {limit:,} files and connections are open"
    return [Check(topic=Topic("process", "files"), level="error" if used >= limit else "warning", message=text, hint=hint)]


def raise_file_limit(wanted: int = 65_536) -> int:
    """Raise the soft limit of open files to what the hard one allows; answers the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    aim = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < aim:
        resource.setrlimit(resource.RLIMIT_NOFILE, (aim, hard))
        return aim
    return soft


async def accounts(connections: Connections) -> list[Check]:
    """Ask every account whether it works, and what else it has to say."""
    return [check for adapter in connections.adapters() for check in await _account(adapter)]


async def fix(connections: Connections) -> list[Check]:
    """Create what is missing at either side; one check for each thing made, or for what could not be."""
    found = []
    for adapter in connections.adapters():
        account = adapter.remote.account
        try:
            found += [Check(topic=Topic(account, "fixed"), level="ok", message=text) for text in await adapter.fix()]
        except RemoteError as error:
            found.append(Check(topic=Topic(account, "fix"), level="error", message=str(error), hint=error.hint))
    return found


def states(connections: Connections) -> list[Check]:
    """What is known of the accounts without asking them."""
    found = []
    for adapter in connections.adapters():
        breaker = adapter.remote.breaker
        if (error := breaker.error) is not None:
            found.append(_failure(breaker, error))
    return found + refused_actions(connections)


def refused_actions(connections: Connections) -> list[Check]:
    """Each kind of action that is refused; for an hour also each that was, and why the account was."""
    return [check for adapter in connections.adapters() for check in _refused(adapter.remote.breaker)]


def _refused(breaker: CircuitBreaker) -> list[Check]:
    found = []
    for action, entry in [*breaker.refusals().items(), *breaker.recovered().items()]:
        level: Level = "error" if entry.stopped and breaker.is_stopped(action) else "warning"
        if level == "error":
            said, hint = f"its events wait since {moment_of(entry.since)}, all others continue", entry.error.hint
        elif breaker.refusals().get(action) is entry:
            said, hint = f"last at {moment_of(entry.last)}; other events are not affected so far", entry.error.hint
        else:
            said, hint = f"last at {moment_of(entry.last)}; it is no longer refused", ""
        topic = Topic(breaker.account, "refused", action)
        found.append(Check(topic=topic, level=level, message=f"{entry.error}; {said}", hint=hint))
    if (lately := breaker.lately()) is not None:
        at, error = lately
        text = f"{error}; last at {moment_of(at)}; the account has answered since"
        found.append(Check(topic=Topic(breaker.account, "refused"), level="warning", message=text, hint=error.hint))
    return found


def _failure(breaker: CircuitBreaker, error: RemoteError) -> Check:
    """What keeps an account from being used; a remote system that is merely down brings no advice of its own."""
    account = breaker.account
    if isinstance(error, LimitReached) and breaker.limited_until:
        # A probe that has to wait for the end of the limit does not know its cause.
        error = breaker.error if isinstance(breaker.error, LimitReached) else error
        text = f"{error}; limited until {breaker.limited_until}"
        return Check(topic=Topic(account, ACCOUNT), level="error", message=text, hint=error.hint)
    hint = error.hint or (
        "Nothing is lost: events wait and continue by themselves when it answers."
        f" If it lasts, look at base_url in [{account}] and check DNS, firewall and proxy."
    )
    return Check(topic=Topic(account, ACCOUNT), level="error", message=str(error), hint=hint)


async def _account(adapter: Integration) -> Sequence[Check]:
    account = adapter.remote.account
    try:
        await adapter.probe()
    except RemoteError as error:
        found = [_failure(adapter.remote.breaker, error)]
    else:
        # What was wrong may just have been fixed; whoever watches the account wakes its events at the next probe.
        adapter.remote.breaker.reset()
        adapter.remote.breaker.try_again()
        found = [Check(topic=Topic(account, ACCOUNT), level="ok", message=f"{adapter.title} answers and accepts the key")]
    try:
        more = await adapter.checks()
        if isinstance(adapter, CRM):
            more = [*more, *await adapter.field_checks()]
    except RemoteError as error:
        more = [Check(topic=Topic(account, "checks"), level="error", message=str(error), hint=error.hint)]
    said = {check.message for check in found}
    return [*found, *(check for check in more if check.message not in said)]
