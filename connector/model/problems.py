"""Named checks: what about, level, message, hint. They feed `connector check`, the status page and `/readyz`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from connector.model.bookings import Model

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Topic:
    """What a check is about: an account (`crm.main`) or a part of the service, which side of it, and at most one detail.

    As text it is the check's public id, which does not change from one version to the next.
    """

    subject: str
    kind: str = ""
    detail: str = ""

    def __str__(self) -> str:
        return ".".join(part.replace(" ", "_") for part in (self.subject, self.kind, self.detail) if part)


#: The kind of the check that says whether an account can be used at all, and that of a sender's deliveries being refused.
ACCOUNT, DELIVERIES = "account", "deliveries"
#: Whether anybody works on the queue.
WORKER = Topic("worker")


class Check(Model):
    """One finding about `topic`; `hint` says what to do and is empty when all is well."""

    topic: Topic
    level: Level
    message: str
    hint: str = ""

    @property
    def id(self) -> str:
        """The public id, such as `booking.stores.auth`."""
        return str(self.topic)

    def as_dict(self) -> dict[str, Any]:
        """As the JSON of `connector check`, `/status.json` and `/readyz` has it."""
        return {"id": self.id, "level": self.level, "message": self.message, "hint": self.hint}
