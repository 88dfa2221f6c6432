"""Pipedrive in the demo."""

from __future__ import annotations

from typing import ClassVar

from connector.sandbox.kit.stage import AGE, CrmStage
from connector.sandbox.pipedrive.app import PipedriveSandbox


class Demo(CrmStage):
    """Pipedrive: persons and activities."""

    title = "Pipedrive"
    settings = 'base_url = "BASE"\ntoken = { file = "crm-token" }\n'
    secrets: ClassVar[dict[str, str]] = {"crm-token": "sandbox-token"}

    def __init__(self) -> None:
        self.sandbox = PipedriveSandbox(fields=("Connector person key",))

    def add(self, first: str, last: str, email: str = "", phone: str = "") -> str:
        """Add a person."""
        phones = ((phone, "mobile"),) if phone else ()
        made: str = self.sandbox.add_person(f"{first} {last}", age=AGE, emails=(email,) if email else (), phones=phones)
        return made

    def stored(self) -> str:
        """Count."""
        return f"Pipedrive now has {len(self.sandbox.persons())} persons and {len(self.sandbox.activities())} activities."
