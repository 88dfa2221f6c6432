"""Zoho's refusals, turned into our errors. Their sentences are never passed on: they may hold personal data.

A refusal comes in two ways: as the answer of the whole request, and as the item of one record in a list of results, which
may stand in an answer with a status of success. Codes and shapes: https://www.zoho.com/crm/developer/docs/api/v8/status-codes.html
and the vendor's OpenAPI files (https://github.com/zoho/crm-oas).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from connector.model.errors import (
    AccountPaused,
    ActionRefused,
    Conflict,
    RateLimited,
    Rejected,
    RemoteError,
    Transient,
    UnknownOutcome,
)
from connector.remote.http import Answer
from connector.remote.rate_limit import Quota
from connector.remote.retry_after import retry_after
from connector.remote.values import read_object, read_objects

#: Seconds after a 429: Zoho sends no Retry-After and does not say whether calls or credits were too many (assumption).
WAIT = 30.0
#: Seconds after which an account without credits is asked again. The window is a rolling day (assumption).
NO_CREDITS_WAIT = 900.0
#: Seconds after which a locked record or a busy service is tried again (assumption).
LOCKED_WAIT = 5.0
#: Appears in answers once half of the day's credits are used (documented).
CREDITS_HEADER = "x-api-credits-remaining"

HINT_FIX = "Run `connector check --fix --config FILE`; nothing is lost, events wait and continue by themselves."
WAITING = "nothing is lost, events wait and continue by themselves."
NAME = re.compile(r"[A-Za-z$_][A-Za-z0-9_$.]{0,99}")
CODE = re.compile(r"[A-Z][A-Z0-9_]{2,60}")

#: Codes that leave open whether the write was carried out.
UNCLEAR = frozenset({"INTERNAL_ERROR", "INTERNAL_SERVER_ERROR", "PROCESSING_ERROR"})
#: Codes that say that nothing was written, and that pass by themselves.
PASSING = frozenset({"RECORD_LOCKED", "DEPENDENT_SERVICE_ERROR", "CANNOT_PROCESS", "AMBIGUITY_DURING_PROCESSING"})
#: Codes about the rights of the token's user.
RIGHTS = frozenset({"NO_PERMISSION", "AUTHORIZATION_FAILED", "FEATURE_NOT_SUPPORTED", "FEATURE_NOT_ENABLED", "LICENSE_EXPIRED"})

#: The module is switched off, or hidden from the token's user, or the edition does not have it.
NO_MODULE = "INVALID_MODULE"
#: There is no such address: another server, or a version of the API that is not served (any more).
NO_ADDRESS = "INVALID_URL_PATTERN"
#: What concerns every call of the same kind, whichever record it is about.
OF_ALL_RECORDS = RIGHTS | {NO_MODULE, NO_ADDRESS}


class Refusals:
    """The refusals of one account; `own_fields` are the names of our key's and our marker's field."""

    def __init__(self, account: str, key_field: str, own_fields: tuple[str, ...], quota: Quota) -> None:
        self._account = account
        self._key_field = key_field
        self._own_fields = own_fields
        self._quota = quota

    # ---- of whole requests ----

    def interpret(self, what: str, answer: Answer, writes: bool) -> RemoteError | None:
        """Return the error for a refused request; None leaves it to the common treatment."""
        code = code_of(answer.data)
        if answer.status == 429:
            return self._too_many(what, answer)
        if answer.status == 401 and code == "OAUTH_SCOPE_MISMATCH":
            return self._scope(what)
        if answer.status in (400, 403, 404) and code is not None:
            return self.error(what, answer.status, read_object(answer.data), writes=writes)
        return None

    def _too_many(self, what: str, answer: Answer) -> RemoteError:
        if credits_left(answer) == 0:
            self._quota.block(NO_CREDITS_WAIT)
            hint = f"The credits of the last 24 hours are used up, perhaps by other programs too; asked again later; {WAITING}"
            text = self._text(what, "answered 429: no credits are left")
            return AccountPaused(text, account=self._account, status=429, retry_after=NO_CREDITS_WAIT, hint=hint)
        asked = retry_after(answer.headers)
        wait = asked if asked is not None else WAIT
        self._quota.block(wait)
        return RateLimited(
            self._text(what, "answered 429: too many calls"), account=self._account, status=429, retry_after=wait
        )

    def _scope(self, what: str) -> ActionRefused:
        hint = (
            f"Make a new refresh token for [{self._account}] with the scopes ZohoCRM.modules.contacts.ALL, "
            "ZohoCRM.modules.events.ALL, ZohoCRM.coql.READ and ZohoCRM.settings.fields.ALL, and for [sync.owner] also "
            f"ZohoCRM.users.READ, set it and restart; {WAITING}"
        )
        text = self._text(what, "answered 401: the token lacks a scope")
        return self._lacks(what, text, 401, hint)

    def _lacks(self, what: str, text: str, status: int, hint: str) -> ActionRefused:
        """The token or its user lacks what every call of this kind needs."""
        return ActionRefused(text, action=what, account=self._account, status=status, hint=hint, certain=True)

    # ---- of one record, or of a request that was about one thing ----

    def error(self, what: str, status: int, item: dict[str, Any], *, writes: bool) -> RemoteError:
        """The error for an item of the list of results, or for an error body."""
        found = list(_entries(item))
        words = {word for entry in found if (word := code_of(entry)) is not None}
        names = tuple(dict.fromkeys(name for entry in found for name in fields_of(entry)))
        if self._own_field_is_missing(found):
            text = self._text(what, "our own field does not exist, or is not unique")
            return AccountPaused(text, account=self._account, status=status, hint=HINT_FIX)
        if words & OF_ALL_RECORDS:
            return self._rights(what, status, found)
        if writes and words & UNCLEAR:
            text = self._text(what, f"answered {status}: {', '.join(sorted(words))}")
            return UnknownOutcome(text, account=self._account, status=status)
        if words & (PASSING | UNCLEAR):
            text = self._text(what, f"answered {status}: {', '.join(sorted(words))}")
            return Transient(text, account=self._account, status=status, retry_after=LOCKED_WAIT)
        if writes and (conflict := self._conflict(what, status, found)) is not None:
            return conflict
        about = f" because of {', '.join(names)}" if names else ""
        hint = f"Zoho's reasons: {', '.join(sorted(words)) or 'none'}." + (f" Fields: {', '.join(names)}." if names else "")
        return Rejected(
            self._text(what, f"answered {status}{about}"), account=self._account, status=status, hint=hint, fields=names
        )

    def _own_field_is_missing(self, entries: list[dict[str, Any]]) -> bool:
        """Whether a query or an upsert was refused because it names our field."""
        for entry in entries:
            details = read_object(entry.get("details"))
            path, column = str(details.get("json_path", "")), details.get("column_name")
            if code_of(entry) == "INVALID_DATA" and "duplicate_check_fields" in path + str(details.get("api_name", "")):
                return True
            if code_of(entry) == "INVALID_QUERY" and column in self._own_fields:
                return True
        return False

    def _rights(self, what: str, status: int, entries: list[dict[str, Any]]) -> ActionRefused:
        codes = {code_of(entry) for entry in entries}
        if NO_ADDRESS in codes:
            hint = f"Correct base_url and data_centre in [{self._account}], or update connector; {WAITING}"
            return self._lacks(what, self._text(what, f"answered {status}: there is no such address"), status, hint)
        if NO_MODULE in codes:
            hint = f"In Zoho, show the module to the profile of the user whose token [{self._account}] uses; {WAITING}"
            return self._lacks(what, self._text(what, f"answered {status}: the user does not see the module"), status, hint)
        details = (read_object(entry.get("details")) for entry in entries)
        named = [n for d in details for n in (d.get("permissions") or []) if isinstance(n, str) and NAME.fullmatch(n)]
        lacks = f"the permission {', '.join(named)}" if named else "a permission, or the edition does not have it"
        hint = f"In Zoho, give the profile of the user whose token [{self._account}] uses what it lacks; {WAITING}"
        return self._lacks(what, self._text(what, f"the user lacks {lacks}"), status, hint)

    def _conflict(self, what: str, status: int, entries: list[dict[str, Any]]) -> Conflict | None:
        """A value of our key or of the e-mail address that another record holds; our key counts first."""
        taken = {name: entry for entry in entries if code_of(entry) == "DUPLICATE_DATA" for name in fields_of(entry)}
        for name, by in ((self._key_field, "key"), ("Email", "email")):
            if name in taken:
                held = "key" if by == "key" else "e-mail address"
                text = self._text(what, f"another contact has this {held}")
                return Conflict(text, by=by, winner=holder_of(taken[name]), account=self._account, status=status)
        return None

    def _text(self, what: str, how: str) -> str:
        return f"Zoho CRM: {what}: {how}"


def code_of(data: Any) -> str | None:
    """The code of an error body or an item; None where it has none."""
    code = read_object(data).get("code")
    return code if isinstance(code, str) and CODE.fullmatch(code) else None


def fields_of(entry: dict[str, Any]) -> list[str]:
    """The API names of the fields that an error speaks of."""
    name = read_object(entry.get("details")).get("api_name")
    return [name] if isinstance(name, str) and NAME.fullmatch(name) else []


def holder_of(entry: dict[str, Any]) -> str | None:
    """The id of the record that holds a value, where the refusal names it: in either of the two places that were seen."""
    details = read_object(entry.get("details"))
    named = (read_object(details.get("duplicate_record")).get("id"), details.get("id"))
    return next((str(i) for i in named if re.fullmatch(r"[1-9][0-9]{0,19}", str(i))), None)


def credits_left(answer: Answer) -> int | None:
    """The credits that Zoho says are left; None where it does not say."""
    text = answer.headers.get(CREDITS_HEADER, "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


def _entries(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The error itself, or those that a list of results or one item (`MULTIPLE_OR_MULTI_ERRORS`) holds together."""
    for entry in read_objects(item.get("data")) or [item]:
        yield from read_objects(read_object(entry.get("details")).get("errors")) or [entry]
