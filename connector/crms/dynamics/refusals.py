"""Dataverse's refusals, turned into our errors by code and status.

Their messages are in the language of the environment and may hold personal data (`<DuplicateAttributes>` repeats the
value): they are read here and never passed on.
"""

from __future__ import annotations

import re
from typing import Any

from connector.crms.dynamics.api import CHANGE_DEFINITION, CREATE_CONTACT, RECORD, UPDATE, UPDATE_CONTACT
from connector.crms.dynamics.mapping import guid
from connector.model.errors import AccountPaused, Conflict, Rejected, RemoteError, Transient, UnknownOutcome
from connector.remote.http import Answer
from connector.remote.values import read_object

CODE = re.compile(r"0x[0-9A-Fa-f]{8}")
#: An id in a sentence is a claim.
#: "Could not find a property named 'x' on type …": a column that does not exist.
PROPERTY = re.compile(r"property named '([a-z][a-z0-9_]{0,99})'")
NAMED = re.compile(r"<Id>\s*\{?([0-9a-fA-F-]{36})\}?\s*</Id>")
LATER = "nothing is lost, events wait and continue by themselves."
HINT_FIX = f"Run `connector check --fix --config FILE`; {LATER}"
ROLE = "Give the application user a security role with the privileges of docs/integrations.md"

#: An alternate key, our own id, another unique index: the value is taken.
KEY_TAKEN, DUPLICATE_ID, INDEX_TAKEN = "0x80060892", "0x80040237", "0x80073002"
ETAG = "0x80060882"
DUPLICATE_RULE = "0x80040333"
#: The request does not fit the environment's definitions: a column or key that does not exist, or is not ready.
UNDEFINED = "0x80060888"
READ_ONLY = "0x8004022e"
PLUGIN = "0x80040265"
#: Of the database beneath: an error such as a deadlock, a time-out, a transaction that is rolled back or gone; a change to the
#: definitions that is under way. All of them pass, whatever the status is.
#: https://learn.microsoft.com/en-us/troubleshoot/power-platform/power-apps/dataverse/bulk-operation-errors
PASSING = frozenset(("0x80044150", "0x80044151", "0x80040255", "0x80040251", "0x80071151"))
#: The same in a message of whatever met it, such as a plug-in: as numbers with a sign, which nobody translates.
WITHIN = re.compile(r"-2147204784|-2147204783|-2147220907|-2147220911")
NO_RIGHT = frozenset(("0x80040220", "0x80048306"))
NO_USER = frozenset(("0x80040225", "0x8004d24b", "0x80072560"))
UPDATES = frozenset((UPDATE_CONTACT, UPDATE))


class Gone(Rejected):
    """The row that was to be written is not there."""


class Changed(Transient):
    """Somebody wrote to the row after it was read; nothing was done."""


class DuplicateRule(Rejected):
    """A duplicate detection rule of the environment refused the contact; it names nobody."""


class Refusals:
    """The `interpret` of one account's `Remote`."""

    def __init__(self, account: str, key: str) -> None:
        self._account = account
        self._key = key

    def interpret(  # noqa: PLR0911 - one return for each code
        self, what: str, answer: Answer, writes: bool
    ) -> RemoteError | None:
        """Return the error for a refused request; None leaves it to the common treatment."""
        code, status = code_of(answer.data), answer.status
        if status in (401, 429) or (status < 400):
            return None
        if code is None:
            return self._foreign(what, status)
        if code in PASSING or (code == PLUGIN and WITHIN.search(str(answer.data["error"]["message"]))):
            kind = UnknownOutcome if writes else Transient
            return kind(self._text(what, f"answered {status} {code}"), account=self._account, status=status)
        if code in NO_USER:
            hint = "Make an application user for client_id in the environment, and activate it"
            return self._paused(what, "our user does not exist there or is disabled", hint, status)
        if status == 412 or code in (KEY_TAKEN, DUPLICATE_ID, INDEX_TAKEN, DUPLICATE_RULE, ETAG):
            return self._precondition(what, code, answer)
        if code == READ_ONLY:
            return self._read_only(what, status)
        if status == 404:
            return self._missing(what, code)
        if code == UNDEFINED and status < 500:
            return self._undefined(what, answer)
        if status == 403 or code in NO_RIGHT:
            return self._forbidden(what, code, status)
        return self._rejected(what, code, status) if status == 400 else None

    def _foreign(self, what: str, status: int) -> RemoteError | None:
        if status not in (404, 410):
            return None
        # Whatever stands in between must not pass for Dataverse's "it is gone".
        text = self._text(what, f"answered {status}, but not in Dataverse's format; is base_url right?")
        return Transient(text, account=self._account, status=status)

    def _precondition(self, what: str, code: str, answer: Answer) -> RemoteError | None:
        """The meanings of 412: a key or id that is taken, an etag that is old, a duplicate rule."""
        status = answer.status
        if code == ETAG:
            text = self._text(what, "it was changed meanwhile")
            return Changed(text, account=self._account, status=status)
        if code == DUPLICATE_RULE and what == CREATE_CONTACT:
            text = self._text(what, "a duplicate detection rule refuses it")
            return DuplicateRule(text, account=self._account, status=status)
        if code in (KEY_TAKEN, DUPLICATE_ID, INDEX_TAKEN, DUPLICATE_RULE) or status != 412:
            if what in (CREATE_CONTACT, RECORD):
                return self._taken(what, status, answer.data)
            return self._rejected(what, code, status)
        if what in (CREATE_CONTACT, RECORD) and not code:
            # Documented without a code: "a record with matching key values already exists". It is looked up.
            return self._taken(what, status, answer.data)
        text = self._text(what, f"answered 412 {code}".strip())
        return Transient(text, account=self._account, status=status)

    def _taken(self, what: str, status: int, data: Any) -> Conflict:
        found = NAMED.search(str(read_object(read_object(data).get("error")).get("message")))
        winner = guid(found[1]) if found else None
        text = self._text(what, "there is one with this key already")
        return Conflict(text, by="key", winner=winner, account=self._account, status=status)

    def _read_only(self, what: str, status: int) -> RemoteError:
        if what == UPDATE:
            # It was open a moment ago, so somebody closed it: it is reopened at the next attempt.
            return Transient(self._text(what, "it was closed meanwhile"), account=self._account, status=status)
        hint = "The contact was deactivated: activate it in Dynamics, then retry the event."
        return Rejected(self._text(what, "the row is read-only"), account=self._account, status=400, hint=hint)

    def _missing(self, what: str, code: str) -> RemoteError:
        if code == UNDEFINED:
            hint = f"Correct base_url in [{self._account}]: the environment's address, without a path"
            return self._paused(what, "the environment does not know this call", hint, 404)
        if what in UPDATES:
            return Gone(self._text(what, "there is no such row"), account=self._account, status=404)
        if what == RECORD:
            hint = "Somebody deleted or merged the contact meanwhile; retry the event to find the customer again."
            return Rejected(self._text(what, "the contact is gone"), account=self._account, status=404, hint=hint)
        return Transient(self._text(what, f"answered 404 {code}".strip()), account=self._account, status=404)

    def _undefined(self, what: str, answer: Answer) -> RemoteError:
        if what == CHANGE_DEFINITION:
            return self._rejected(what, UNDEFINED, answer.status)
        message = str(read_object(answer.data.get("error")).get("message"))
        column = PROPERTY.search(message)
        if column is not None and column[1] != self._key and what in (CREATE_CONTACT, UPDATE_CONTACT):
            text, hint = self._text(what, f"there is no column {column[1]}"), "Compare [sync.fields] with the environment."
            return Rejected(text, account=self._account, status=400, hint=hint, fields=(column[1],))
        named = self._key in message
        if what == CREATE_CONTACT or named:
            how = f"the contact column {self._key} or its alternate key does not exist, or its index is not ready"
            return self._paused(what, how, "", answer.status)
        hint = "A column that Dynamics 365 has from the start is missing in this environment"
        return self._paused(what, "a column does not exist", hint, answer.status)

    def _forbidden(self, what: str, code: str, status: int) -> RemoteError:
        if what in UPDATES:
            # A row that our user may not write is no reason to leave all others alone.
            hint = f"Our user may not write this row. Dataverse's reason: {code or 'none'}."
            return Rejected(self._text(what, f"answered {status}"), account=self._account, status=403, hint=hint)
        if what == CHANGE_DEFINITION:
            hint = "Give the application user the role System Customizer while you run it, or make column and key by hand"
            return self._paused(what, "our user may not do that", hint, status)
        return self._paused(what, f"our user lacks a privilege ({code or status})", ROLE, status)

    def _rejected(self, what: str, code: str, status: int) -> Rejected:
        if code == PLUGIN:
            hint = "Its reason is not repeated here, since it may hold personal data: look into the environment's plug-in log."
            text = self._text(what, "a plug-in of the environment refuses it")
        else:
            hint = f"Dataverse's reason: {code or 'none'}."
            text = self._text(what, f"answered {status}")
        return Rejected(text, account=self._account, status=400, hint=hint)

    def _paused(self, what: str, how: str, hint: str, status: int) -> AccountPaused:
        hint = f"{hint}; {LATER}" if hint else HINT_FIX
        return AccountPaused(self._text(what, how), account=self._account, status=status, hint=hint)

    def _text(self, what: str, how: str) -> str:
        return f"Dynamics 365: {what}: {how}"


def code_of(data: Any) -> str | None:
    """The error's code, in lower case; empty where there is none of the right form; None where it is no error of Dataverse."""
    error = data.get("error") if isinstance(data, dict) else None
    if not isinstance(error, dict) or "message" not in error:
        return None
    code = error.get("code")
    return code.lower() if isinstance(code, str) and CODE.fullmatch(code) else ""
