"""What Odoo's refusals mean. Its sentences are translated and quote what was sent: only the exception's class is read.

An exception of Odoo's own ends the one transaction of a call, so a known class proves that nothing was done, whatever the
HTTP status is: JSON-2 answers a field that does not exist with 500, the older API answers everything with 200.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Any

from connector.model.errors import AccountPaused, ActionRefused, Rejected, RemoteError, Transient, UnknownOutcome
from connector.remote.http import Answer
from connector.remote.values import read_object, read_text

READ_VERSION = "read the server's version"


class Meaning(Enum):
    """What an exception says about the call."""

    KEY = "the key"
    RIGHT = "a right"
    GONE = "the record"
    VALUE = "a value"
    CALL = "the call itself"
    RACE = "another write"


#: The exceptions that are understood, by their full names; of any other the outcome is unknown.
CLASSES = {
    "werkzeug.exceptions.Unauthorized": Meaning.KEY,
    "odoo.exceptions.AccessDenied": Meaning.KEY,
    "odoo.exceptions.AccessError": Meaning.RIGHT,
    "werkzeug.exceptions.Forbidden": Meaning.RIGHT,
    "odoo.exceptions.MissingError": Meaning.GONE,
    "odoo.exceptions.ValidationError": Meaning.VALUE,
    "odoo.exceptions.UserError": Meaning.VALUE,
    "builtins.ValueError": Meaning.VALUE,
    "psycopg2.errors.NotNullViolation": Meaning.VALUE,
    "psycopg2.errors.CheckViolation": Meaning.VALUE,
    "psycopg2.errors.NumericValueOutOfRange": Meaning.VALUE,
    "werkzeug.exceptions.BadRequest": Meaning.CALL,
    "werkzeug.exceptions.NotFound": Meaning.CALL,
    "werkzeug.exceptions.UnprocessableEntity": Meaning.CALL,
    "builtins.TypeError": Meaning.CALL,
    "builtins.KeyError": Meaning.CALL,
    "builtins.AttributeError": Meaning.CALL,
    "psycopg2.errors.SerializationFailure": Meaning.RACE,
    "psycopg2.errors.DeadlockDetected": Meaning.RACE,
    "psycopg2.errors.LockNotAvailable": Meaning.RACE,
    "psycopg2.errors.UniqueViolation": Meaning.RACE,
}
#: Words of PostgreSQL, never translated by Odoo, in a message of `load` that lost a race for one external id.
RACES = ("could not serialize access", "deadlock detected", "ir_model_data_module_name", "could not obtain lock")
#: An external id of ours at the end of a message: the look-up quotes the one that it did not find.
REFERENCE = re.compile(r"__import__\.connector_\w+$")


class NotThere(Transient):
    """The server has no such page; only the choice of the API reads this."""


class NoReference(Rejected):
    """Nothing has the external id `reference`."""

    reference = ""


class Refusals:
    """The errors of one account."""

    def __init__(self, account: str, title: str) -> None:
        self.account = account
        self._title = title

    def interpret(self, what: str, answer: Answer, writes: bool) -> RemoteError | None:  # noqa: ARG002 - the contract's
        """The error for a status of JSON-2; None where it says nothing about the exception."""
        if answer.status == 404 and what == READ_VERSION:
            return NotThere(f"{self._title}: {what}: there is no such page", account=self.account)
        error = self.of_exception(what, answer.data, answer.status)
        if error is None and answer.status == 404:
            hint = f"Check base_url and database in [{self.account}]; nothing is lost, events wait."
            how = "answered 404, but not in Odoo's format"
            return AccountPaused(f"{self._title}: {what}: {how}", account=self.account, status=404, hint=hint)
        return error

    def right(self, what: str, how: str, meaning: Meaning = Meaning.RIGHT) -> ActionRefused:
        """Our user, or this Odoo, lacks for sure what this kind of action needs."""
        text, hint = f"{self._title}: {what}: {how}", self.hint(meaning)
        return ActionRefused(text, action=what, account=self.account, status=403, hint=hint, certain=True)

    def of_exception(self, what: str, data: Any, status: int | None) -> RemoteError | None:
        """The error for an exception as Odoo describes it (`name`, `message`, …); None for a class that is not known."""
        name = read_text(read_object(data).get("name"))
        meaning = CLASSES.get(name)
        if meaning is None:
            return None
        text = f"{self._title}: {what}: refused because of {meaning.value} ({name.rpartition('.')[2]})"
        if meaning is Meaning.RIGHT:
            return ActionRefused(text, action=what, account=self.account, status=status, hint=self.hint(meaning))
        if meaning is Meaning.KEY:
            return AccountPaused(text, account=self.account, status=status, hint=self.hint(meaning))
        if meaning is Meaning.RACE:
            return Transient(text, account=self.account, status=status)
        if (quoted := REFERENCE.search(read_text(read_object(data).get("message")))) is not None:
            missing = NoReference(text, account=self.account, status=status)
            missing.reference = quoted[0]
            return missing
        code = 404 if meaning is Meaning.GONE else None if meaning is Meaning.CALL else status
        return Rejected(text, account=self.account, status=code, hint=self.hint(meaning))

    def hint(self, meaning: Meaning) -> str:
        """What the operator can do about it."""
        place = f"[{self.account}]"
        return {
            Meaning.KEY: f"Make a new API key in Odoo and put it into {place}: a key lives three months at most. Events wait.",
            Meaning.RIGHT: f"Give the user of {place} the right to read, create and write contacts and calendar events.",
            Meaning.GONE: "Somebody deleted the record in Odoo.",
            Meaning.VALUE: "A value breaks a rule of this Odoo: correct it in the booking system, then retry the event.",
            Meaning.CALL: "Is the app installed (Calendar for appointments), and the version of Odoo one that is supported?",
            Meaning.RACE: "",
        }[meaning]

    def unclear(self, what: str, how: str, *, writes: bool, status: int | None = None) -> RemoteError:
        """The error for an answer that proves nothing."""
        kind = UnknownOutcome if writes else Transient
        return kind(f"{self._title}: {what}: {how}", account=self.account, status=status)

    def of_load(self, what: str, data: Any) -> RemoteError:
        """The error for an answer of `load` without ids: it wrote nothing, and its messages say why."""
        messages = read_object(data).get("messages")
        if read_object(data).get("ids") is not False or not isinstance(messages, list) or not messages:
            return self.unclear(what, "answered neither with a record nor with a reason", writes=True)
        texts = [str(read_object(message).get("message", "")) for message in messages]
        if any(race in text for race in RACES for text in texts):
            return Transient(f"{self._title}: {what}: another write came first", account=self.account)
        fields = tuple(dict.fromkeys(f for one in messages if (f := read_text(read_object(one).get("field"))).isidentifier()))
        named = f" ({', '.join(fields)})" if fields else ""
        text = f"{self._title}: {what}: a value is refused{named}"
        return Rejected(text, account=self.account, hint=self.hint(Meaning.VALUE), fields=fields)
