"""What an account's owner sets in HubSpot's own pages, and how a request is refused because of it.

Documented: that a key has scopes, that an account's calls of a day are counted, that from version 2026-09 on an account's
rules for properties hold for the API too. The names of scopes in a refusal and its words are seen; what each rule answers
is synthetic, and so is that an address on the privacy list cannot be written again (HubSpot's pages say both).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from connector.sandbox.hubspot.model import Refusal

DAY = 86_400.0
#: The owners' scope has no `write`: nobody makes an owner through the API.
OWNERS = "crm.objects.owners.read"


class PropertyRule(BaseModel):
    """What a value must be like: at least and at most so many characters, and wholly of this pattern."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shortest: int = 0
    longest: int | None = None
    pattern: str | None = None

    def refuses(self, value: str) -> bool:
        """Whether the rule forbids this value."""
        too_long = self.longest is not None and len(value) > self.longest
        return len(value) < self.shortest or too_long or (self.pattern is not None and not re.fullmatch(self.pattern, value))


class Account(BaseModel):
    """The settings of one account; all of them may be changed at any time."""

    model_config = ConfigDict(extra="forbid")

    #: Scopes that the sandbox's own token lacks, such as `crm.objects.meetings.write`.
    missing_scopes: set[str] = set()
    #: Further tokens, each with the only scopes that it has.
    tokens: dict[str, set[str]] = {}
    #: Calls in a day; None: no limit. The day ends at midnight in UTC, where HubSpot goes by the account's time zone.
    daily_calls: Annotated[int, Field(ge=0)] | None = None
    #: Contact properties without which no contact is made.
    required: tuple[str, ...] = ()
    #: Rules for the values of contact properties.
    rules: dict[str, PropertyRule] = {}
    #: Addresses of contacts that were deleted for privacy, in lower case.
    privacy_deleted: set[str] = set()
    #: The status with which such an address is refused: not documented.
    privacy_status: Literal[400, 409] = 409

    def permit(self, token_scopes: set[str] | None, path: list[str], *, writes: bool) -> None:
        """Refuse what the token's scopes do not cover; None: those of the sandbox's own token.

        That meetings have scopes of their own is synthetic: HubSpot counts them to the contacts'.
        """
        if "owners" in path[:2]:
            scope = OWNERS
        else:
            kind = "schemas" if "properties" in path[:2] else "objects"
            objects = next((name for name in path if name in ("contacts", "meetings")), "contacts")
            scope = f"crm.{kind}.{objects}.{'write' if writes else 'read'}"
        if scope in self.missing_scopes if token_scopes is None else scope not in token_scopes:
            context = {"requiredGranularScopes": [scope]}
            errors = [{"message": "One or more of the following scopes are required.", "context": context}]
            text = "This app hasn't been granted all required scopes to make this call."
            raise Refusal(403, text, "MISSING_SCOPES", errors=errors)

    def broken(self, properties: Mapping[str, str]) -> list[tuple[str, str, str]]:
        """The values that a rule of the account forbids, as (property, code, text)."""
        forbidden = [n for n, value in properties.items() if value and n in self.rules and self.rules[n].refuses(value)]
        return [(name, "FAILED_VALIDATION_RULE", f"The value breaks a rule of {name}") for name in forbidden]

    def demand(self, properties: Mapping[str, str]) -> None:
        """Refuse a new contact without a property that the account requires."""
        if absent := [name for name in self.required if not properties.get(name)]:
            text = "Error creating CONTACT. Some required properties were not set."
            raise Refusal(400, text, "VALIDATION_ERROR", context={"properties": absent})

    def forget(self, email: str) -> None:
        """Refuse an address whose contact was deleted for privacy."""
        if email not in self.privacy_deleted:
            return
        if self.privacy_status == 409:
            raise Refusal(409, "The contact with this address was deleted for privacy and cannot be made again.", "CONFLICT")
        text = "was deleted for privacy and cannot be used again"
        errors = [{"message": text, "code": "GDPR_DELETED", "context": {"propertyName": ["email"]}}]
        raise Refusal(400, f"The address {text}", "VALIDATION_ERROR", errors=errors)


class Day:
    """The calls of one day."""

    def __init__(self) -> None:
        self.number = 0
        self.calls = 0

    def admit(self, now: float, most: int | None) -> bool:
        """Count one call unless the day's are used up."""
        if (today := int(now // DAY)) != self.number:
            self.number, self.calls = today, 0
        if most is not None and self.calls >= most:
            return False
        self.calls += 1
        return True
