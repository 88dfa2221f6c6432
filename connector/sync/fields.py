"""What `[sync.fields]` says for one event: one pure function from rules and facts to values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec.structs import asdict, replace

from connector.config.owner import OwnerSettings
from connector.config.settings import SyncSettings
from connector.crms.base import CRM
from connector.model.bookings import Appointment, Client, Status
from connector.model.capabilities import CrmCapability
from connector.model.dates import moment_of
from connector.model.fields import NAMED, OPTIONAL, FieldRule, FieldValue, Value


def sources(client: Client, appointment: Appointment | None) -> dict[str, Value]:
    """Every source that says something; what is blank is left out, so that nothing is ever cleared."""
    about = appointment or Appointment(id="")
    found: dict[str, Value | None] = {
        **{f"client.{name}": value for name, value in asdict(client).items()},
        "appointment.id": about.id,
        "appointment.location": about.location,
        "appointment.status": "" if about.status is Status.UNKNOWN else about.status.value,
        "appointment.title": about.title,
        "appointment.start": about.starts_at,
        "appointment.end": about.ends_at,
        "service.id": about.service_id,
        "service.name": about.service or about.title,
        "staff.email": about.staff_email,
        "staff.id": about.staff_id,
        "staff.name": about.staff,
        "store.id": about.store_id,
        "store.name": about.store,
    }
    said = {name: value.strip() if isinstance(value, str) else value for name, value in found.items()}
    return {name: value for name, value in said.items() if value not in (None, "")}


def field_values(rules: Sequence[FieldRule], client: Client, appointment: Appointment | None) -> tuple[FieldValue, ...]:
    """The values of the rules whose source says something, in the rules' order."""
    if not rules:
        return ()
    known = sources(client, appointment)
    pairs = [(rule, rule.value if rule.source is None else known.get(rule.source)) for rule in rules]
    return tuple(FieldValue(rule.name, value, rule.mode) for rule, value in pairs if value is not None)


def owner_of(settings: OwnerSettings, appointment: Appointment | None) -> str | None:
    """The user of the CRM, by e-mail address or id, who belongs to the staff of an appointment; None: nobody is said."""
    about = appointment or Appointment(id="")
    for staff in (about.staff_id, about.staff_email, about.staff):
        if (user := settings.users.get(staff.strip().casefold())) is not None:
            return user
    return (about.staff_email.strip() if settings.by_email else "") or settings.otherwise


def wanted(settings: SyncSettings, crm: CRM, client: Client, appointment: Appointment | None) -> tuple[FieldValue, ...]:
    """Everything that a sync says for one event: its further fields, and the owner."""
    found = field_values(settings.fields, client, appointment)
    owner = owner_of(settings.owner, appointment) if settings.owner is not None else None
    if owner is None or crm.owner_field is None:
        return found
    return (*found, FieldValue(crm.owner_field, owner, "on_create" if crm.can(CrmCapability.ALWAYS_OWNED) else "if_empty"))


def worded(title: str | None, text: str | None, client: Client, appointment: Appointment) -> Appointment:
    """The appointment with the title and the text that the templates say.

    A part in square brackets is left out where a source in it says nothing, and with it a line that has nothing else. Where
    another source says nothing, the title stays what it is, and the text is the CRM's usual one.
    """
    known = {name: _shown(value) for name, value in sources(client, appointment).items()}
    return replace(
        appointment,
        title=_filled(title, known) or appointment.title,
        text=_filled(text, known) or appointment.text,
    )


def _filled(template: str | None, known: Mapping[str, str]) -> str:
    """The template with its sources' values; empty where one that may not be left out says nothing."""

    def part(found: re.Match[str]) -> str:
        return found[1] if all(name in known for name in NAMED.findall(found[1])) else ""

    lines = [(line, OPTIONAL.sub(part, line)) for line in (template or "").split("\n")]
    kept = "\n".join(filled for line, filled in lines if filled.strip() or not line.strip())
    if not all(name in known for name in NAMED.findall(kept)):
        return ""
    return NAMED.sub(lambda found: known[found[1]], kept).strip()


def _shown(value: Value) -> str:
    return moment_of(value.timestamp()) if isinstance(value, datetime) else str(value)
