"""`[sync.owner]`: which user of the CRM a customer belongs to, by who works with them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from connector.config.values import Section

#: Staff in the table, and characters of a name or address.
MOST, LONGEST = 5_000, 320
Text = Annotated[str, Field(min_length=1, max_length=LONGEST)]


class OwnerSettings(Section):
    """Staff of the booking system → user of the CRM. An owner who is there is kept."""

    #: Whether staff whom the table does not name are the user with their e-mail address.
    by_email: bool = True
    #: Staff, by id, e-mail address or name, and the user's e-mail address or id in the CRM.
    users: dict[Text, Text] = Field(default={}, max_length=MOST)
    #: The user where neither says one, by e-mail address or id; None: nobody is chosen.
    otherwise: Text | None = None

    @field_validator("users")
    @classmethod
    def _plain(cls, value: dict[str, str]) -> dict[str, str]:
        found = {staff.strip().casefold(): user.strip() for staff, user in value.items()}
        if len(found) < len(value) or not all(found) or not all(found.values()):
            raise ValueError("names the same staff twice, or somebody without a name")
        return found

    @property
    def named(self) -> tuple[str, ...]:
        """The users whom the file names."""
        return (*dict.fromkeys(self.users.values()), *((self.otherwise,) if self.otherwise else ()))
