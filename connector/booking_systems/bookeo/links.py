"""Where a customer id is kept at Bookeo: in a custom field of the customer, or in the external reference of a booking.

Both are written by reading the whole object, changing one member and sending everything else back as it was read:
Bookeo replaces the object, and whether it keeps what is left out is not known. The object is read again right before it
is sent, so that an edit by the staff is lost only if it falls into that moment.
"""

from __future__ import annotations

import copy
from typing import Any, Protocol

from connector.booking_systems.base import ClientLink
from connector.booking_systems.bookeo.api import ABSENT, BookeoClient
from connector.booking_systems.bookeo.settings import MAX_EXTERNAL_REF, BookeoSettings
from connector.booking_systems.bookeo.webhook import customer_of
from connector.model.errors import PASSING, AccountPaused, Rejected, Transient, UnknownOutcome
from connector.remote.values import read_key, read_object, read_objects, read_text

_GONE_HINT = "Look for it in Bookeo; if it was deleted there, discard the event."


class Links(Protocol):
    """One way to keep the id."""

    async def read(self, client_id: str, appointment_id: str | None) -> ClientLink:
        """What is stored, fresh."""

    async def write(self, link: ClientLink, customer_id: str) -> ClientLink:
        """Store the id, confirmed; makes no write where it is there already."""


class NoLinks:
    """Bookeo is never written to."""

    async def read(self, client_id: str, appointment_id: str | None) -> ClientLink:
        """No link, and no request."""
        return ClientLink(client_id=client_id, appointment_id=appointment_id)

    async def write(self, link: ClientLink, customer_id: str) -> ClientLink:
        """Not called: the adapter says that it writes no links."""
        raise Rejected(f"Bookeo: customer {customer_id} is not stored for {link.client_id}: write_back is none")


class _Objects:
    """What the two have in common: one object at Bookeo, of which one member is ours."""

    #: "customer" or "booking".
    kind: str

    def __init__(self, client: BookeoClient) -> None:
        self._client = client
        self._account = client.remote.account

    def _busy(self, how: str) -> Transient:
        return Transient(f"Bookeo: write the {self.kind}: {how}", account=self._account)

    def _gone(self) -> Rejected:
        text = f"Bookeo: write the {self.kind}: there is no such {self.kind}"
        return Rejected(text, account=self._account, status=404, hint=_GONE_HINT)

    def _unsure(self, error: Exception) -> UnknownOutcome:
        """The write was answered, but what came of it could not be read: it may have happened."""
        return UnknownOutcome(f"Bookeo: write the {self.kind}: could not be read back ({error})", account=self._account)


class FieldLinks(_Objects):
    """The id in a text field of the customer, found by its name."""

    kind = "customer"

    def __init__(self, client: BookeoClient, settings: BookeoSettings) -> None:
        super().__init__(client)
        self._name = settings.custom_field
        self._mode = None if settings.customer_mode == "none" else settings.customer_mode
        self._field: str | None = None

    async def find_field(self, *, probe: bool = False) -> str:
        """The field's id, read again.

        Raises:
            AccountPaused: there is no such field, there are two, or it is no text field.
        """
        answer = await self._client.get_custom_fields(probe=probe)
        if answer.status in ABSENT or not isinstance(answer.data, dict):
            raise self._client.unexpected("read the custom fields", answer)
        kinds = {kind: [e for e in read_objects(entries) if self._named(e)] for kind, entries in answer.data.items()}
        found = {field for entry in kinds.get("textFields", []) if (field := read_key(entry.get("id")))}
        if len(found) == 1:
            self._field = found.pop()
            return self._field
        self._field = None
        others = any(kinds.values())
        why = "there are several" if found else "it is not a text field" if others else "there is none"
        hint = (
            f'In Bookeo, give the customers exactly one text field named "{self._name}" (not shown to customers), '
            f"or correct custom_field in [{self._account}]; events wait and continue by themselves."
        )
        raise AccountPaused(f"Bookeo: the custom field for the customer id: {why}", account=self._account, hint=hint)

    def _named(self, entry: dict[str, Any]) -> bool:
        return read_text(entry.get("name")).casefold() == self._name.casefold()

    async def read(self, client_id: str, appointment_id: str | None) -> ClientLink:  # noqa: ARG002 - the customer holds it
        """What the customer's field holds. A customer who is not there has no place for it."""
        field = self._field or await self.find_field()
        customer = await self._read(client_id)
        if customer is None:
            return ClientLink(client_id=client_id, writable=False)
        return ClientLink(client_id=client_id, customer_id=self._value(customer, field))

    async def write(self, link: ClientLink, customer_id: str) -> ClientLink:
        """Set the field and send the whole customer back.

        Raises:
            Rejected: there is no such customer. Transient: somebody stored another id meanwhile, or it does not stick.
            UnknownOutcome: no clear answer came.
        """
        field = self._field or await self.find_field()
        customer = await self._read(link.client_id)
        if customer is None:
            raise self._gone()
        there, done = self._value(customer, field), ClientLink(client_id=link.client_id, customer_id=customer_id)
        if there == customer_id:
            return done
        if there not in (None, link.customer_id):
            raise self._busy("another customer id was stored meanwhile")
        answer = await self._client.put_customer(link.client_id, self._with(customer, field, customer_id), self._mode)
        if not self._shows(answer.data, field, customer_id) and not await self._stuck(link.client_id, field, customer_id):
            self._field = None
            raise self._busy("the customer id read back is another one")
        return done

    async def _read(self, client_id: str) -> dict[str, Any] | None:
        answer = await self._client.get_customer(client_id)
        if answer.status in ABSENT:
            return None
        customer = read_object(answer.data)
        if read_key(customer.get("id")) != client_id:
            raise self._client.unexpected("read the customer", answer)
        return customer

    async def _stuck(self, client_id: str, field: str, customer_id: str) -> bool:
        try:
            stored = await self._read(client_id)
        except PASSING as error:
            raise self._unsure(error) from None
        return self._shows(stored, field, customer_id)

    def _shows(self, customer: Any, field: str, customer_id: str) -> bool:
        return any(e.get("value") == customer_id for e in self._entries(read_object(customer), field))

    def _value(self, customer: dict[str, Any], field: str) -> str | None:
        """The id in the field. What cannot be read is an error: it must not pass for "none"."""
        fields = customer.get("customFields")
        values = {read_text(entry.get("value")) for entry in self._entries(customer, field)} - {""}
        odd = [e for e in self._entries(customer, field) if not isinstance(e.get("value"), str | None)]
        if not isinstance(fields, list | None) or odd or len(values) > 1:
            text = "Bookeo: read the customer's link: the custom fields are in an unexpected shape"
            raise Transient(text, account=self._account)
        return values.pop() if values else None

    def _entries(self, customer: dict[str, Any], field: str) -> list[dict[str, Any]]:
        """The entries of our field; one that carries no id is recognised by its name."""
        entries = read_objects(customer.get("customFields"))
        return [e for e in entries if e.get("id") == field or (e.get("id") is None and self._named(e))]

    def _with(self, customer: dict[str, Any], field: str, customer_id: str) -> dict[str, Any]:
        """The customer as it was read, with our field set."""
        changed = copy.deepcopy(customer)
        entries = self._entries(changed, field)
        for entry in entries:
            entry["value"] = customer_id
        if not entries:
            changed["customFields"] = [*(changed.get("customFields") or []), {"id": field, "value": customer_id}]
        return changed


class ReferenceLinks(_Objects):
    """The id in a booking's external reference, behind a prefix that marks it as ours."""

    kind = "booking"

    def __init__(self, client: BookeoClient, settings: BookeoSettings) -> None:
        super().__init__(client)
        self._prefix = settings.external_ref_prefix
        self._omits = settings.booking_omits

    async def read(self, client_id: str, appointment_id: str | None) -> ClientLink:
        """What the booking holds. A reference of somebody else's, a cancelled and a deleted booking are left alone."""
        booking = None if appointment_id is None else await self._read(appointment_id)
        if booking is None:
            return ClientLink(client_id=client_id, appointment_id=appointment_id, writable=False)
        reference = booking.get("externalRef")
        ours = customer_of(reference, self._prefix)
        free = reference is None or reference == "" or ours is not None
        writable = free and booking.get("canceled") is not True
        return ClientLink(client_id=client_id, customer_id=ours, appointment_id=appointment_id, writable=writable)

    async def write(self, link: ClientLink, customer_id: str) -> ClientLink:
        """Set the reference and send the booking back; nobody is notified.

        Raises:
            Rejected: the id is too long, or there is no such booking. Transient: the reference was taken meanwhile, or it
                does not stick. UnknownOutcome: no clear answer came.
        """
        number, reference = link.appointment_id, self._prefix + customer_id if customer_id else ""
        if len(reference) > MAX_EXTERNAL_REF:
            hint = f'Shorten external_ref_prefix in [{self._account}], or set write_back = "custom_field".'
            raise Rejected("Bookeo: write the booking: the customer id is too long", account=self._account, hint=hint)
        booking = await self._read(number) if number is not None else None
        if number is None or booking is None:
            raise self._gone()
        there, done = booking.get("externalRef") or "", link.model_copy(update={"customer_id": customer_id})
        if there == reference:
            return done
        known = "" if link.customer_id is None else self._prefix + link.customer_id
        if there not in ("", known):
            raise self._busy("the external reference was taken meanwhile")
        answer = await self._client.put_booking(number, self._with(booking, reference))
        if read_object(answer.data).get("externalRef") != reference and not await self._stuck(number, reference):
            raise self._busy("the external reference read back is another one")
        return done

    async def _read(self, number: str) -> dict[str, Any] | None:
        answer = await self._client.get_booking(number)
        if answer.status in ABSENT:
            return None
        booking = read_object(answer.data)
        if read_key(booking.get("bookingNumber")) != number:
            raise self._client.unexpected("read the booking", answer)
        return booking

    async def _stuck(self, number: str, reference: str) -> bool:
        try:
            stored = await self._read(number)
        except PASSING as error:
            raise self._unsure(error) from None
        return read_object(stored).get("externalRef") == reference

    def _with(self, booking: dict[str, Any], reference: str) -> dict[str, Any]:
        """The booking as it was read, with our reference, without what public code leaves out."""
        changed = {**copy.deepcopy(booking), "externalRef": reference}
        for path in self._omits:
            outer, _, inner = path.partition(".")
            if not inner:
                changed.pop(outer, None)
            elif isinstance(changed.get(outer), dict):
                changed[outer].pop(inner, None)
        return changed
