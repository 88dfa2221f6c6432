"""HubSpot in the demo."""

from __future__ import annotations

from typing import ClassVar

from connector.sandbox.hubspot.app import HubSpotSandbox
from connector.sandbox.kit.stage import AGE, CrmStage, given


class Demo(CrmStage):
    """HubSpot: contacts and meetings."""

    title = "HubSpot"
    settings = 'base_url = "BASE"\ntoken = { file = "crm-token" }\n'
    secrets: ClassVar[dict[str, str]] = {"crm-token": "sandbox-token"}

    def __init__(self) -> None:
        self.sandbox = HubSpotSandbox(unique_properties=("connector_person_key",))

    def add(self, first: str, last: str, email: str = "", phone: str = "") -> str:
        """Add a contact."""
        made: str = self.sandbox.add_contact(age=AGE, firstname=first, lastname=last, **given(email=email, mobilephone=phone))
        return made

    def stored(self) -> str:
        """Count, with the outcomes of the meetings."""
        meetings = self.sandbox.meetings()
        outcomes = ", ".join(meeting.get("hs_meeting_outcome", "?") for meeting in meetings)
        return f"HubSpot now has {len(self.sandbox.contacts())} contacts and {len(meetings)} meetings ({outcomes})."
