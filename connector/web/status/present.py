"""From figures to what the status page says. Pure: the same data and time give the same page.

The page is quiet when all is well, so this module decides what deserves to be said aloud, and in which order.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connector.model.problems import ACCOUNT, DELIVERIES, WORKER, Check, Topic
from connector.web.status.rows import address, step, tone_of
from connector.web.status.search import LONGEST
from connector.web.status.view import Account, Bar, Decided, Decision, FirstSteps, Tile, Tone, View, Waiting
from connector.web.status.wording import count, duration, moment, sentence

#: Seconds; an event that waits longer than this is worth a word.
LATE = 900.0
#: At most this many groups, reviews and ids are listed; the command line lists the rest.
MANY = 20
FEW = 5

#: The state of an account that nobody has asked anything since the start.
NOT_ASKED = "not asked yet"
_TONES: dict[str, Tone] = {"ok": "ok", NOT_ASKED: "quiet", "down": "warn", "paused": "bad", "warning": "warn", "error": "bad"}
_MEANINGS = {
    "queued": "wait to be processed",
    "running": "are being processed",
    "retrying": "failed and will be tried again",
    "held": "wait for a person",
    "done": "are finished",
    "ignored": "needed nothing",
    "discarded": "were given up by a person",
}


@dataclass(slots=True)
class _Findings:
    bad: list[str] = field(default_factory=list)
    warn: list[str] = field(default_factory=list)
    #: What to do, by sentence.
    hints: dict[str, str] = field(default_factory=dict)


def present(page: Mapping[str, Any], *, now: float, config_file: str) -> View:
    """Turn the data of `StatusData.page()` into what is shown; `now` is Unix time in seconds."""
    queue: Mapping[str, int] = page["queue"]
    accounts = accounts_of(page, now)
    findings = _findings(page, accounts)
    groups = _groups(page["held"])
    checks = _checks(page["checks"])
    tone: Tone = "bad" if findings.bad else "warn" if findings.warn else "ok"
    said = [*findings.bad, *findings.warn]
    todo = [hint] if said and (hint := findings.hints.get(said[0])) else []
    nameless = int(page["ignored_without_identity"])
    missed = page.get("unmatched") or {"count": 0, "last_path": None, "last_at": None}
    option = f"--config {shlex.quote(config_file)}"
    return View(
        version=str(page["version"]),
        now=moment(now, now),
        tone=tone,
        headline=said[0] if said else _all_well(page),
        remarks=(*todo, *said[1:], *_remarks(page)),
        tiles=_tiles(queue, int(page["links"])),
        oldest=duration(page["oldest_waiting_seconds"]) if page["oldest_waiting_seconds"] is not None else "",
        accounts=accounts,
        held=tuple(_held(group, now, option) for group in groups[:MANY]),
        more_held=f"connector events list --state held {option}" if len(groups) > MANY else "",
        held_of=f"{page['held_looked_at']:,} of {queue['held']:,}" if queue["held"] > page["held_looked_at"] else "",
        reviews=tuple(review(item, now, option) for item in page["reviews"][:MANY]),
        more_reviews=f"connector review list {option}" if _open_reviews(page) > MANY else "",
        decisions=tuple(_decision(item, now) for item in page["decisions"]),
        checks=tuple(check for check in checks if check[0] != "ok"),
        well=tuple(check for check in checks if check[0] == "ok"),
        bars=_bars(page["chart"]),
        chart_summary=_chart_summary(page["chart"]),
        open_reviews=_open_reviews(page),
        first_steps=tuple(_first_steps(one, option) for one in page.get("first_steps", ())),
        unmatched=count(missed["count"], "request") if missed["count"] else "",
        unmatched_path=missed["last_path"] or "",
        unmatched_at=moment(missed["last_at"], now),
        ignored_without_identity=count(nameless, "event") if nameless else "",
        decided=tuple(decided(item, now) for item in page.get("decided", ())),
    )


def _findings(page: Mapping[str, Any], accounts: Sequence[Account]) -> _Findings:
    """What deserves the headline, gravest first."""
    found = _Findings()
    # That a remote system is down is no fault of ours; the account's own sentence below says that nothing is lost.
    down = {Topic(account.account, ACCOUNT) for account in accounts if account.state == "down"}
    checks: Sequence[Check] = page["checks"]
    errors = [check for check in checks if check.level == "error" and check.topic not in down]
    for check in [*errors, *(check for check in checks if check.level == "warning" and _stops(check))]:
        said = sentence(check.message)
        (found.bad if check.level == "error" else found.warn).append(said)
        found.hints[said] = check.hint
    broken = {check.topic.subject for check in errors}
    for account in accounts:
        if account.account in broken:
            continue  # the check has said it better
        if account.tone == "bad":
            found.bad.append(f"{account.account} is paused: somebody must fix it. Its events wait.")
        elif account.tone == "warn":
            why = "has used up its calls" if account.state == "limited" else "does not answer"
            found.warn.append(f"{account.account} {why}. Its events wait and continue by themselves.")
    if waiting := _open_reviews(page):
        found.warn.append(f"{count(waiting, 'review needs', 'reviews need')} your decision.")
    if (held := int(page["queue"]["held"])) and (page["held"] or not waiting):
        found.warn.append(f"{count(held, 'event is', 'events are')} held until a person acts.")
    oldest = page["oldest_waiting_seconds"]
    if oldest is not None and oldest > LATE and not any(account.tone in ("warn", "bad") for account in accounts):
        found.warn.append(f"The oldest unfinished event has been waiting for {duration(oldest)}.")
    return found


def _stops(check: Check) -> bool:
    """Whether nothing goes on, although it is no more than a warning."""
    return check.topic == WORKER or check.topic.kind == DELIVERIES


def _all_well(page: Mapping[str, Any]) -> str:
    queue = page["queue"]
    if not any(queue.values()) and not page["links"]:
        return "Ready. No delivery has arrived yet."
    moving = queue["queued"] + queue["running"] + queue["retrying"]
    way = f"{count(moving, 'event')} in progress" if moving else "nothing waiting"
    return f"All is well: {count(page['links'], 'client')} linked, {way}."


def _remarks(page: Mapping[str, Any]) -> list[str]:
    warnings = sum(check.level == "warning" for check in page["checks"])
    return [f"{count(warnings, 'warning')} below."] if warnings else []


def _tiles(queue: Mapping[str, int], links: int) -> tuple[Tile, ...]:
    tones = {"held": "warn", "retrying": "warn"}
    states = [
        Tile(
            state,
            f"{number:,}",
            f"events that {_MEANINGS.get(state, '')}",
            tones.get(state, "") if number else "quiet",
            address("events", state=state),
        )
        for state, number in queue.items()
    ]
    return (Tile("linked", f"{links:,}", "clients linked to a customer", address="/status/links"), *states)


def accounts_of(page: Mapping[str, Any], now: float) -> tuple[Account, ...]:
    """All accounts as they are shown, booking systems first."""
    return (*_accounts("booking", page["sources"], now), *_accounts("crm", page["crms"], now))


def _accounts(kind: str, accounts: Mapping[str, Any], now: float) -> tuple[Account, ...]:
    return tuple(
        Account(
            name=name,
            kind=kind,
            system=account["system"],
            state=_state(account),
            tone=_TONES.get(_state(account), "warn"),
            reason=account.get("reason") or "",
            last=moment(account["last_delivery_at"], now) if "last_delivery_at" in account else None,
            received=int(account.get("received") or 0),
            refused=int(account.get("refused") or 0),
            quota=_quota(account.get("quota")),
        )
        for name, account in sorted(accounts.items())
    )


def _state(account: Mapping[str, Any]) -> str:
    """How an account is; one that has not been asked since the start is not known to be well."""
    state = str(account["state"])
    return NOT_ASKED if state == "ok" and not account.get("asked", True) else state


def _first_steps(one: Mapping[str, str], option: str) -> FirstSteps:
    command = f"connector test {shlex.quote(one['source'])} {option}"
    return FirstSteps(one["source"], one["address"], one["proof"], command)


def _quota(quota: Mapping[str, Any] | None) -> tuple[str, int, int] | None:
    if not quota or not quota.get("limit"):
        return None
    used, limit = int(quota["used"]), int(quota["limit"])
    return f"{used:,} of {limit:,} calls in {duration(quota['seconds'])}", min(used, limit), limit


def _groups(held: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Events held for the same reason belong together: one cause is fixed once."""
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for item in held:
        groups.setdefault((item["source"], item["reason"] or "", item["hint"] or ""), []).append(item)
    return sorted(groups.values(), key=len, reverse=True)


def _held(group: Sequence[Mapping[str, Any]], now: float, option: str) -> Waiting:
    first = group[0]
    clients = [item["client_id"] for item in group if item["client_id"] is not None]
    number = shlex.quote(str(first["id"]))
    return Waiting(
        title=f"Event {first['id']}" if len(group) == 1 else f"{len(group):,} events",
        source=first["source"],
        who=f"client {_some(clients)}" if clients else "",
        reason=sentence(first["reason"] or "no reason was recorded"),
        hint=first["hint"] or "",
        since=min((moment(item["since"], now) for item in group), key=lambda at: at.exact),
        commands=(f"connector events show {number} {option}", f"connector events retry {number} {option}"),
        others=f"The same for {_some([item['id'] for item in group[1:]])}." if len(group) > 1 else "",
        address=_held_address(group),
    )


def _held_address(group: Sequence[Mapping[str, Any]]) -> str:
    """The page of one event, or the list of all held ones with the same reason."""
    first = group[0]
    if len(group) == 1:
        return f"/status/events/{first['id']}"
    return address("events", state="held", source=first["source"], reason=str(first["reason"] or "")[:LONGEST])


def _some(ids: Sequence[Any]) -> str:
    """The first few of many ids."""
    rest = f" and {len(ids) - FEW:,} more" if len(ids) > FEW else ""
    return ", ".join(str(one) for one in ids[:FEW]) + rest


def review(item: Mapping[str, Any], now: float, option: str) -> Waiting:
    """What a person needs to decide one review, and the commands that do it."""
    number = shlex.quote(str(item["id"]))
    candidates = tuple((str(c["customer_id"]), ", ".join(map(str, c["evidence"]))) for c in item["candidates"])
    links = [f"connector review link {number} {shlex.quote(customer)} {option}" for customer, _ in candidates[:FEW]]
    return Waiting(
        title=f"Review {item['id']}",
        source=item["source"],
        who=_clients(item),
        reason=sentence(item["reason"] or "the identity is ambiguous"),
        hint="",
        since=moment(item["since"], now),
        commands=(*links, f"connector review create {number} {option}", f"connector review show {number} {option}"),
        candidates=candidates,
        review=str(item["id"]),
        may_create=not item.get("linked", False),
        about_key=bool(item.get("about_key", False)),
    )


def _clients(item: Mapping[str, Any]) -> str:
    """The clients of a review, each with its source where it is not the first one's."""
    given = item.get("clients") or [{"source": item["source"], "client_id": one} for one in item["client_ids"]]
    names = [c["client_id"] if c["source"] == item["source"] else f"{c['client_id']} of {c['source']}" for c in given]
    return f"{'client' if len(names) == 1 else 'clients'} {_some(names)}"


def decided(item: Mapping[str, Any], now: float) -> Decided:
    """One decision about a person that holds."""
    said = {"link": f"linked to customer {item['customer_id']}", "create": "a customer is created", "dismiss": "dismissed"}
    return Decided(
        review=str(item["id"]),
        source=item["source"],
        who=_clients(item),
        what=said[item["decision"]],
        by=str(item["decided_by"] or ""),
        at=moment(item["decided_at"], now),
    )


def _open_reviews(page: Mapping[str, Any]) -> int:
    """How many wait, of whom the page shows the first."""
    return int(page.get("open_reviews", len(page["reviews"])))


def _decision(item: Mapping[str, Any], now: float) -> Decision:
    return Decision(
        id=str(item["id"]),
        source=item["source"],
        client_id=str(item["client_id"] or ""),
        type=item["type"],
        customer_id=next((str(e["customer_id"]) for e in reversed(item["trace"]) if e.get("customer_id")), ""),
        state=item["state"],
        tone=tone_of(item["state"]),
        reason=item["reason"] or "",
        at=moment(item["at"], now),
        trace=tuple(step(entry) for entry in item["trace"]),
    )


def _checks(checks: Sequence[Check]) -> tuple[tuple[Tone, str, str, str], ...]:
    """As (tone, id, message, hint): errors first, then warnings, then what is well."""
    order = {"bad": 0, "warn": 1, "ok": 2}
    shown = [(_TONES[check.level], check.id, sentence(check.message), check.hint) for check in checks]
    return tuple(sorted(shown, key=lambda check: order[check[0]]))


def _bars(chart: Sequence[Mapping[str, Any]]) -> tuple[Bar, ...]:
    top = max((max(hour["received"], hour["linked"], hour["held"]) for hour in chart), default=0) or 1
    return tuple(
        Bar(
            label=str(hour["hour"])[11:16],
            iso=str(hour["hour"]),
            received=hour["received"],
            linked=hour["linked"],
            held=hour["held"],
            heights=(_percent(hour["received"], top), _percent(hour["linked"], top), _percent(hour["held"], top)),
        )
        for hour in chart
    )


def _percent(number: int, top: int) -> float:
    # Something that happened must be visible beside something that happened a thousand times.
    return 0.0 if not number else max(2.5, round(100 * number / top, 1))


def _chart_summary(chart: Sequence[Mapping[str, Any]]) -> str:
    received, linked, held = (sum(hour[key] for hour in chart) for key in ("received", "linked", "held"))
    return f"Last 24 hours: {received:,} received, {linked:,} done, {held:,} held."
