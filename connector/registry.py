"""The one place that names the integrations. They are imported on first use, so that a command starts fast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from connector.model.errors import ConfigError

if TYPE_CHECKING:
    from connector.booking_systems.base import BookingSystem
    from connector.config.settings import BookingSettings, CrmSettings, WebhookSettings
    from connector.crms.base import CRM

BOOKING_SYSTEMS = {
    "bookablesites": "connector.booking_systems.bookablesites.adapter:Bookablesites",
    "bookeo": "connector.booking_systems.bookeo.adapter:Bookeo",
    "bookingflow": "connector.booking_systems.bookingflow.adapter:BookingFlow",
    "booxi": "connector.booking_systems.booxi.adapter:Booxi",
}
CRMS = {
    "dynamics": "connector.crms.dynamics.adapter:Dynamics",
    "hubspot": "connector.crms.hubspot.adapter:HubSpot",
    "salesforce": "connector.crms.salesforce.adapter:Salesforce",
    "zoho": "connector.crms.zoho.adapter:Zoho",
    "odoo": "connector.crms.odoo.adapter:Odoo",
    "pipedrive": "connector.crms.pipedrive.adapter:Pipedrive",
    "tryton": "connector.crms.tryton.adapter:Tryton",
}


def booking_system(name: str) -> type[BookingSystem]:
    """Return the adapter of a booking system; raises KeyError for a name that is not in `BOOKING_SYSTEMS`."""
    adapter: type[BookingSystem] = _class(BOOKING_SYSTEMS[name])
    return adapter


def crm(name: str) -> type[CRM]:
    """Return the adapter of a CRM; raises KeyError for a name that is not in `CRMS`."""
    adapter: type[CRM] = _class(CRMS[name])
    return adapter


def _class(dotted: str) -> Any:
    module, _, name = dotted.partition(":")
    return getattr(import_module(module), name)


def _settings(adapter: str) -> Any:
    """The settings' class beside an adapter: `….settings:HubSpotSettings`. The adapter would bring what speaks to its API."""
    return _class(adapter.replace(".adapter:", ".settings:") + "Settings")


class Registry:
    """`connector.config.settings.Systems` for `load`: the built-in systems, or others given by name."""

    def __init__(self, booking_systems: Mapping[str, str] = BOOKING_SYSTEMS, crms: Mapping[str, str] = CRMS) -> None:
        self._booking_systems = booking_systems
        self._crms = crms

    def booking_systems(self) -> Sequence[str]:
        """Names that `[booking.NAME] system` may have."""
        return sorted(self._booking_systems)

    def crms(self) -> Sequence[str]:
        """Names that `[crm.NAME] system` may have."""
        return sorted(self._crms)

    def booking(self, system: str) -> type[BookingSettings] | None:
        """Return the settings of a booking system; None: no such system."""
        dotted = self._booking_systems.get(system)
        model: type[BookingSettings] | None = _settings(dotted) if dotted else None
        return model

    def crm(self, system: str) -> type[CrmSettings] | None:
        """Return the settings of a CRM; None: no such CRM."""
        dotted = self._crms.get(system)
        model: type[CrmSettings] | None = _settings(dotted) if dotted else None
        return model

    def webhook_faults(self, webhook: WebhookSettings, *, where: str) -> Sequence[str]:
        """Return what the signature check refuses about these settings, so that it shows with all other faults."""
        from connector.remote.signatures import verifier_for

        try:
            verifier_for(webhook, where=where)
        except ConfigError as error:
            return [f"[{where}] {line.removeprefix(f'{where}.')}" for line in error.faults]
        return ()
