"""What the Pipedrive sandbox stores, and its documents: persons, activities, fields, refusals."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

#: What a person may be given (POST and PATCH /persons). Without Contact Sync, the last five are refused with a 403.
PERSON_KEYS = {"name", "owner_id", "org_id", "add_time", "emails", "phones", "visible_to", "label_ids", "custom_fields"}
CONTACT_SYNC_KEYS = {"postal_address", "notes", "im", "birthday", "job_title"}
ACTIVITY_KEYS = {
    "subject", "type", "owner_id", "deal_id", "lead_id", "person_id", "org_id", "project_id", "due_date", "due_time",
    "duration", "busy", "done", "location", "participants", "attendees", "public_description", "priority", "note",
}  # fmt: skip


class Refusal(Exception):
    """A request that Pipedrive would refuse; `body` is its documented error shape."""

    def __init__(self, status: int, error: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(error)
        self.status = status
        self.headers = headers or {}
        self.body = {"success": False, "error": error, "error_info": "Please check the developers' page.", "errorCode": status}


@dataclass
class Person:
    """One person; `history` holds what a lagging search index still sees."""

    id: int
    data: dict[str, Any]
    added: float
    updated: float
    is_deleted: bool = False
    merged_into: int | None = None
    history: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    def as_of(self, moment: float) -> dict[str, Any] | None:
        """The values that an index of that moment holds; None: the person was not there yet."""
        return next((data for time, data in reversed(self.history) if time <= moment), None)

    def document(self, custom_fields: list[str] | None = None) -> dict[str, Any]:
        """The person as the API answers it; `custom_fields`: only these of the account's own fields."""
        name = str(self.data["name"])
        # How a name is divided is not documented: the first word, and the rest (synthetic).
        first, _, last = name.partition(" ")
        own = self.data.get("custom_fields", {})
        chosen = own if custom_fields is None else {code: own.get(code) for code in custom_fields}
        return {
            "id": self.id,
            "name": name,
            "first_name": first,
            "last_name": last.strip() or None,
            "owner_id": self.data.get("owner_id", 1),
            "org_id": self.data.get("org_id"),
            "add_time": rfc3339(self.added),
            "update_time": rfc3339(self.updated),
            "emails": self.data.get("emails", []),
            "phones": self.data.get("phones", []),
            "is_deleted": self.is_deleted,
            "visible_to": self.data.get("visible_to", 3),
            "label_ids": self.data.get("label_ids", []),
            "picture_id": None,
            "custom_fields": dict(chosen),
        }


@dataclass
class Activity:
    """One activity."""

    id: int
    data: dict[str, Any]
    added: float
    updated: float
    is_deleted: bool = False

    @property
    def person(self) -> int | None:
        """The primary participant, who is the activity's person."""
        return next((entry["person_id"] for entry in self.data.get("participants", []) if entry.get("primary")), None)

    def document(self) -> dict[str, Any]:
        """The activity as the API answers it."""
        empty = dict.fromkeys(sorted(ACTIVITY_KEYS - {"attendees"}))
        return {
            **empty,
            "busy": False,
            "done": False,
            "owner_id": 1,
            **self.data,
            "id": self.id,
            "person_id": self.person,
            "creator_user_id": 1,
            "is_deleted": self.is_deleted,
            "add_time": rfc3339(self.added),
            "update_time": rfc3339(self.updated),
        }


def contacts(given: Any, key: str) -> list[dict[str, Any]]:
    """A list of e-mail addresses or phones as it is stored: without empty values, one of them primary."""
    if not isinstance(given, list) or not all(isinstance(entry, dict) for entry in given):
        raise Refusal(400, f"Validation failed: {key}: Expected array")
    kept = [entry for entry in given if str(entry.get("value", "")).strip()]
    primary = next((index for index, entry in enumerate(kept) if entry.get("primary")), 0)
    return [
        {"value": str(entry["value"]).strip(), "primary": index == primary, "label": str(entry.get("label") or "work")}
        for index, entry in enumerate(kept)
    ]


def rfc3339(moment: float) -> str:
    """Seconds since the epoch as the API writes a time: in UTC, to the second."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(text: str) -> float:
    """The moment that a query names."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Refusal(400, "Validation failed: a time is not in RFC 3339 format") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
