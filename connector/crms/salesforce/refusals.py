"""Salesforce's refusals, turned into our errors by their codes: the same code comes with different statuses.

Their texts are translated into the language of our user and may hold personal data: they are read here and never passed on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from connector.crms.salesforce.api import (
    CREATE_CONTACT,
    CREATE_FIELD,
    DAY_PAUSE,
    PERMIT_FIELD,
    UPDATE_CONTACT,
    UPDATE_EVENT,
)
from connector.crms.salesforce.mapping import whole_id
from connector.model.errors import AccountPaused, ActionRefused, Conflict, RateLimited, Rejected, RemoteError, Transient
from connector.remote.http import Answer
from connector.remote.rate_limit import Quota
from connector.remote.values import read_object, read_objects

CODE = re.compile(r"[A-Z][A-Z0-9_]{2,60}")
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")
#: "No such column 'X' on …": the name is not translated.
COLUMN = re.compile(r"'([A-Za-z][A-Za-z0-9_]{0,79})'")
#: An id in a sentence is a claim; "<unknown>" and ids of other objects were seen there.
NAMED = re.compile(r"(?<![A-Za-z0-9])003[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?(?![A-Za-z0-9])")
#: Seconds to wait where too many long calls run at once.
BUSY_PAUSE = 10.0
LATER = "nothing is lost, events wait and continue by themselves."
HINT_FIX = f"Run `connector check --fix --config FILE`; {LATER}"
#: Another transaction holds the record, or one that belongs to it. Where a trigger or a flow of the organisation met it, the
#: error has that one's code, and this one stands in the message (seen).
LOCKED = "UNABLE_TO_LOCK_ROW"
UPDATES = frozenset((UPDATE_CONTACT, UPDATE_EVENT))
#: The codes of what passes by itself; each says that nothing was done.
PASSING = {
    "INVALID_SESSION_ID": "the access token has ended",
    LOCKED: "the record is locked",
    "QUERY_TIMEOUT": "the query took too long",
    # It ends with its session, or when our user opens ten more (seen).
    "INVALID_QUERY_LOCATOR": "the list's next page is no longer there",
}
#: The codes that speak of the whole organisation or of our user.
WHOLE = {
    "API_DISABLED_FOR_ORG": "give its edition access to the API, or ask Salesforce",
    "API_CURRENTLY_DISABLED": "the API is switched off; ask Salesforce",
    "FUNCTIONALITY_NOT_ENABLED": "our user or the organisation lacks a feature: compare docs/integrations.md",
    "INSUFFICIENT_ACCESS": "give our user the permissions of docs/integrations.md",
    "INVALID_TYPE": "let our user read, create and edit contacts and events",
    "STORAGE_LIMIT_EXCEEDED": "the organisation's data storage is full: free some, or buy more",
}


class Gone(Rejected):
    """The record that was to be written is not there, or lies in the recycle bin."""


class Similar(Rejected):
    """A duplicate rule of the organisation refused the contact. `records` are the contacts that it names."""

    def __init__(self, message: str, *, account: str, records: Sequence[str], rule: str, alerts: bool) -> None:
        super().__init__(message, account=account, status=400)
        self.records = tuple(records)
        self.rule = rule
        #: Whether the rule only alerts, so that it can be overridden.
        self.alerts = alerts


class Refusals:
    """The `interpret` of one account's `Remote`. `forget` throws the access token away."""

    def __init__(self, account: str, key_field: str, quota: Quota, forget: Callable[[], None]) -> None:
        self._account = account
        self._key = key_field
        self._quota = quota
        self._forget = forget

    def interpret(self, what: str, answer: Answer, writes: bool) -> RemoteError | None:
        """Return the error for a refused request; None leaves it to the common treatment."""
        found = errors(answer.data)
        if not found:
            return self._without_code(what, answer)
        if answer.status == 401:
            # A session that has ended: `Remote` makes the call again with a new token.
            return None
        for error in found:
            if (made := self._by_code(what, answer, error, writes)) is not None:
                return made
        if answer.status == 410:
            return self._paused(what, "this version of Salesforce's API is no longer available", "Update connector", 410)
        if answer.status == 403 and what not in UPDATES:
            return self._paused(what, f"answered 403: {_codes(found)}", "Compare the permissions of our user", 403)
        return self._rejected(what, answer.status, found) if answer.status in (400, 403, 404) else None

    def _without_code(self, what: str, answer: Answer) -> RemoteError | None:
        if answer.status == 300 and isinstance(answer.data, list):
            hint = f"Make {self._key} unique in Salesforce, and leave the key with one of the contacts that share it"
            return self._paused(what, f"several contacts share one value of {self._key}", hint, 300)
        if answer.status in (404, 410):
            # Whatever stands in between must not pass for Salesforce's "it is gone".
            text = self._text(what, f"answered {answer.status}, but not in Salesforce's format; is base_url right?")
            return Transient(text, account=self._account, status=answer.status)
        return None

    def _by_code(  # noqa: PLR0911 - one return for each code
        self, what: str, answer: Answer, error: dict[str, Any], writes: bool
    ) -> RemoteError | None:
        """The error for what a code means everywhere; then what it means for this call."""
        code, status = code_of(error), answer.status
        if code == "INVALID_SESSION_ID":
            # With another status than 401, which `Remote` itself answers with a new token.
            self._forget()
        if LOCKED in str(error.get("message")):
            code = LOCKED
        if code in PASSING and not (writes and code == "QUERY_TIMEOUT"):
            return Transient(self._text(what, PASSING[code]), account=self._account, status=status)
        if code == "REQUEST_LIMIT_EXCEEDED":
            return self._limit(what, error, status)
        if code == "ENTITY_IS_DELETED":
            return Gone(self._text(what, "the record is deleted"), account=self._account, status=404)
        if code in ("INVALID_FIELD", "INVALID_FIELD_FOR_INSERT_UPDATE"):
            return self._field(what, error, status, writes)
        if (made := self._by_call(what, code, error, status)) is not None:
            return made
        # A record that our user may not write is no reason to leave all others alone.
        if code not in WHOLE or (code == "INSUFFICIENT_ACCESS" and what in UPDATES):
            return None
        return self._paused(what, f"answered {status}: {code}", WHOLE[code].capitalize(), status)

    def _by_call(  # noqa: PLR0911 - one return for each code
        self, what: str, code: str, error: dict[str, Any], status: int
    ) -> RemoteError | None:
        match code:
            case "DUPLICATE_VALUE" if what == CREATE_CONTACT:
                return self._taken(what, error, status)
            case "DUPLICATES_DETECTED" if what == CREATE_CONTACT:
                return self._similar(what, error)
            case "NOT_FOUND" if what == CREATE_CONTACT:
                # The same status and code as for a record that is not there, which an upsert never answers.
                return self._paused(
                    what, f"the contact field {self._key} does not exist or our user may not see it", "", status
                )
            case "NOT_FOUND" if what in UPDATES:
                return Gone(self._text(what, "there is no such record"), account=self._account, status=404)
            case "NOT_FOUND":
                hint = "Let our user read, create and edit contacts and events"
                text = self._text(what, "our user does not see the object")
                hint = f"{hint} ([{self._account}]); {LATER}"
                return ActionRefused(text, action=what, account=self._account, status=status, hint=hint)
            case "INSUFFICIENT_ACCESS" if what in (CREATE_FIELD, PERMIT_FIELD):
                hint = "Let our user customize the application and view setup while you run it, or make the field by hand"
                return self._paused(what, "our user may not do that", hint, status)
        return None

    def _limit(self, what: str, error: dict[str, Any], status: int) -> RemoteError:
        if str(error.get("message")).startswith("Concurrent"):
            self._quota.block(BUSY_PAUSE)
            text = self._text(what, "too many long calls of the organisation run at once")
            return RateLimited(text, account=self._account, status=status, retry_after=BUSY_PAUSE)
        self._quota.block(DAY_PAUSE)
        text = self._text(what, "the organisation's calls of the last 24 hours are used up")
        hint = f"Perhaps by other programs too; asked again every {DAY_PAUSE / 60:.0f} minutes; {LATER}"
        return AccountPaused(text, account=self._account, status=status, retry_after=DAY_PAUSE, hint=hint)

    def _taken(self, what: str, error: dict[str, Any], status: int) -> Conflict:
        found = NAMED.search(str(error.get("message")))
        winner = whole_id(found[0]) if found else None
        text = self._text(what, "another contact has this key")
        return Conflict(text, by="key", winner=winner, account=self._account, status=status)

    def _similar(self, what: str, error: dict[str, Any]) -> Similar:
        # REST really spells it like this; other ways in spell it right, and both were seen.
        result = read_object(error.get("duplicateResut")) or read_object(error.get("duplicateResult"))
        rows = [read_object(row.get("record")) for m in _matches(result) for row in read_objects(m.get("matchRecords"))]
        records = dict.fromkeys(identity for row in rows if (identity := whole_id(row.get("Id"))) is not None)
        named = str(result.get("duplicateRule"))
        rule = named if NAME.fullmatch(named) else ""
        text = self._text(what, f"the duplicate rule {rule} refuses it" if rule else "a duplicate rule refuses it")
        alerts = result.get("allowSave") is True
        return Similar(text, account=self._account, records=list(records), rule=rule, alerts=alerts)

    def _field(self, what: str, error: dict[str, Any], status: int, writes: bool) -> RemoteError:
        names = fields_of(error)
        if self._key in names:
            return self._paused(what, f"our user may not read and write the contact field {self._key}", "", status)
        if not writes:
            hint = (
                f"Let our user read the fields: {', '.join(names)}" if names else "Let our user read all fields of the README"
            )
            return self._paused(what, "our user may not read a field", hint, status)
        return self._rejected(what, status, [error])

    def _rejected(self, what: str, status: int, found: list[dict[str, Any]]) -> RemoteError:
        names = tuple(dict.fromkeys(name for error in found for name in fields_of(error)))
        if "AccountId" in names:
            hint = f"Correct account_id in [{self._account}], or let our user use that account"
            return self._paused(what, "the account for new contacts was refused", hint, status)
        about = f" Fields: {', '.join(names)}." if names else ""
        how = f"answered {status} because of {', '.join(names)}" if names else f"answered {status}"
        hint = f"Salesforce's reasons: {_codes(found)}.{about}"
        return Rejected(self._text(what, how), account=self._account, status=400, hint=hint, fields=names)

    def _paused(self, what: str, how: str, hint: str, status: int) -> AccountPaused:
        """What no event can get round. Without a hint of its own: what `connector check --fix` can make."""
        hint = f"{hint} ([{self._account}]); {LATER}" if hint else f"[{self._account}]: {HINT_FIX}"
        return AccountPaused(self._text(what, how), account=self._account, status=status, hint=hint)

    def _text(self, what: str, how: str) -> str:
        return f"Salesforce: {what}: {how}"


def errors(data: Any) -> list[dict[str, Any]]:
    """The errors of a body: a list, or one object; anything else is none."""
    return [error for error in read_objects([data] if isinstance(data, dict) else data) if code_of(error)]


def code_of(error: dict[str, Any]) -> str:
    """The error's code; empty where there is none of the right form."""
    code = error.get("errorCode", error.get("statusCode"))
    return code if isinstance(code, str) and CODE.fullmatch(code) else ""


def fields_of(error: dict[str, Any]) -> tuple[str, ...]:
    """API names of the fields that an error is about; never their values."""
    given = error.get("fields")
    named = [name for name in given if isinstance(name, str)] if isinstance(given, list) else []
    if not named and code_of(error) == "INVALID_FIELD":
        named = COLUMN.findall(str(error.get("message")))[:1]
    return tuple(dict.fromkeys(name for name in named if NAME.fullmatch(name)))


def _matches(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [match for match in read_objects(result.get("matchResults")) if match.get("success") is not False]


def _codes(found: list[dict[str, Any]]) -> str:
    return ", ".join(dict.fromkeys(code_of(error) for error in found))
