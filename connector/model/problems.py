"""Named checks: id, level, message, hint. They feed `connector check`, the status page and `/readyz`."""

from __future__ import annotations

from typing import Literal

from connector.model.bookings import Model

Level = Literal["ok", "warning", "error"]


class Check(Model):
    """One finding. `id` is stable (`booking.stores.auth`); `hint` says what to do and is empty when all is well."""

    id: str
    level: Level
    message: str
    hint: str = ""
