"""HubSpot's refusals, turned into our errors. Their texts are read here and never passed on: they may hold personal data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from connector.crms.hubspot.api import CONTACT_WRITES
from connector.model.errors import (
    AccountPaused,
    ActionRefused,
    Conflict,
    LimitReached,
    RateLimited,
    Rejected,
    RemoteError,
    Transient,
)
from connector.remote.http import Answer
from connector.remote.rate_limit import PATIENCE, Quota
from connector.remote.retry_after import retry_after

#: Seconds to wait for each policy: HubSpot sends no Retry-After with a 429. The daily limit is asked again every 15 minutes.
WAITS = {"TEN_SECONDLY_ROLLING": 10.0, "SECONDLY": 1.0, "DAILY": 900.0}
#: Seconds; HubSpot asks for at least two after a 423.
LOCKED_WAIT = 2.0
#: Seconds between attempts while the account moves to another data centre, where the answer names none.
MOVING_WAIT = 300.0
DAY = 86_400.0

EXISTING = re.compile(r"existing id:?\s*(\d+)", re.IGNORECASE)
#: "Cannot set PropertyValueCoordinates{… propertyName=x, value=y} on A. B already has that value.": B is the holder.
HOLDER = re.compile(r"(\d+) already has that value", re.IGNORECASE)
PROPERTY = re.compile(r"propertyName[=:\"'\s]+(\w+)")
CODE = re.compile(r"[A-Z][A-Z0-9_]{2,60}")
HINT_DAILY = (
    "The account's calls for today are used up, perhaps by other programs too: limited until midnight in the account's time "
    "zone, and asked again every 15 minutes"
)
#: Names of properties and scopes are HubSpot's own; anything else in their place is not passed on.
NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
SCOPE = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)*")
HINT_REQUIRED = (
    "Write these properties with [sync.fields], or make them optional in HubSpot; then retry the events. What [sync.fields] "
    "takes from a booking that does not say it is not sent."
)
WAITING = "nothing is lost, events wait and continue by themselves."
HINT_FIX = f"Run `connector check --fix --config FILE`; {WAITING}"
#: The codes of an account that takes no more records (believed: HubSpot's pages do not list the word).
FULL = frozenset({"OBJECT_LIMIT_EXCEEDED", "CONTACT_LIMIT_EXCEEDED", "RECORD_LIMIT_EXCEEDED", "LIMIT_EXCEEDED"})


class Refusals:
    """The `interpret` of one account's `Remote`.

    `person_key` is the name of our unique property; `quota` and `search_quota` are made to wait after a 429.
    """

    def __init__(self, account: str, person_key: str, quota: Quota, search_quota: Quota) -> None:
        self._account = account
        self._person_key = person_key
        self._quota = quota
        self._search_quota = search_quota

    def interpret(self, what: str, answer: Answer, _writes: bool) -> RemoteError | None:  # noqa: PLR0911 - one per status
        """Return the error for a refused request; None leaves it to the common treatment."""
        match answer.status:
            case 400 if isinstance(answer.data, dict):
                return self._bad_request(what, answer)
            case 401 | 403 if isinstance(answer.data, dict):
                return self._credentials(what, answer)
            case 402 | 410:
                return self._plan_or_version(what, answer.status)
            case 409 if what in CONTACT_WRITES:
                return self._conflict(what, answer) or self._refuse_email(what, answer)
            case 423:
                wait = max(LOCKED_WAIT, retry_after(answer.headers) or 0.0)
                return Transient(self._text(what, "the record is locked"), account=self._account, status=423, retry_after=wait)
            case 429:
                return self._rate_limited(what, answer)
            case 477:
                wait = min(retry_after(answer.headers) or MOVING_WAIT, DAY)
                self._quota.block(wait)
                text = self._text(what, "the account is being moved to another data centre")
                return RateLimited(text, account=self._account, status=477, retry_after=wait)
        return None

    def _bad_request(self, what: str, answer: Answer) -> RemoteError:
        if what in CONTACT_WRITES and (conflict := self._conflict(what, answer)) is not None:
            return conflict
        words = codes(answer.data)
        if "PROPERTY_DOESNT_EXIST" in words and self._person_key in json.dumps(answer.data):
            text = self._text(what, f"the contact property {self._person_key} does not exist")
            return AccountPaused(text, account=self._account, status=400, hint=HINT_FIX)
        if FULL & set(words):
            text = self._text(what, "the account has reached its limit of records")
            hint = f"Delete records in HubSpot, or take a larger plan; {WAITING}"
            return AccountPaused(text, account=self._account, status=400, hint=hint)
        if absent := properties_required(answer.data):
            # Sent with `fields`, so that nobody tries again without some of the others.
            text = self._text(what, f"answered 400: the account requires {', '.join(absent)}")
            return Rejected(text, account=self._account, status=400, hint=HINT_REQUIRED, fields=absent)
        properties = properties_named(answer.data)
        how = f"answered 400 because of {', '.join(properties)}" if properties else "answered 400"
        hint = _reasons(words, properties)
        return Rejected(self._text(what, how), account=self._account, status=400, hint=hint, fields=properties)

    def _credentials(self, what: str, answer: Answer) -> AccountPaused | None:
        """A refused key: which scopes are missing, or whether it has expired; None where the answer does not say."""
        words, scopes = codes(answer.data), scopes_named(answer.data)
        if scopes:
            how = f"the key lacks the scope {', '.join(scopes)}"
            hint = f"Give the key of [{self._account}] the scope {', '.join(scopes)}"
        elif "EXPIRED_AUTHENTICATION" in words:
            how, hint = "the key has expired", f"Set a new key in [{self._account}] and restart"
        elif "INVALID_AUTHENTICATION" in words:
            how, hint = "the key is not valid", f"Compare the key in [{self._account}] with HubSpot's, correct it and restart"
        else:
            return None
        text = self._text(what, f"answered {answer.status}: {how}")
        hint = f"{hint}; {WAITING}"
        if scopes:
            # Named by a 401 as well as by a 403: whatever the status, the key is good for other calls.
            return ActionRefused(text, action=what, account=self._account, status=answer.status, hint=hint, certain=True)
        return AccountPaused(text, account=self._account, status=answer.status, hint=hint)

    def _plan_or_version(self, what: str, status: int) -> AccountPaused:
        """What no event can get round: an unpaid account, a version of the API that is no longer served."""
        if status == 402:
            how, hint = "the HubSpot account or its plan does not allow it", "Check the subscription and its payment in HubSpot"
        else:
            how, hint = "this version of HubSpot's API is no longer available", "Update connector"
        text = self._text(what, f"answered {status}: {how}")
        return AccountPaused(text, account=self._account, status=status, hint=f"{hint}; {WAITING}")

    def _conflict(self, what: str, answer: Answer) -> Conflict | None:
        """A unique property that another record holds; None where the answer does not speak of one."""
        text = "\n".join(texts(answer.data))
        holder = HOLDER.search(text)
        if holder is None and "UNIQUE_VALUE_CONFLICT" not in codes(answer.data):
            return None
        named = named_property(answer.data, text)
        if named not in (None, "email", self._person_key):
            return None
        by = "email" if named == "email" else "key"
        return self._taken(what, by, holder.group(1) if holder else None, answer.status)

    def _refuse_email(self, what: str, answer: Answer) -> Conflict:
        found = EXISTING.search("\n".join(texts(answer.data)))
        return self._taken(what, "email", found.group(1) if found else None, 409)

    def _taken(self, what: str, by: str, winner: str | None, status: int) -> Conflict:
        held = "e-mail address" if by == "email" else "key"
        text = self._text(what, f"another contact has this {held}")
        return Conflict(text, by=by, winner=winner, account=self._account, status=status)

    def _rate_limited(self, what: str, answer: Answer) -> RateLimited | LimitReached | None:
        policy = answer.data.get("policyName") if isinstance(answer.data, dict) else None
        asked = retry_after(answer.headers)
        wait = asked if asked is not None else WAITS.get(str(policy))
        if wait is None:
            return None
        (self._search_quota if policy == "SECONDLY" else self._quota).block(wait)
        text = self._text(what, f"answered 429: {policy if str(policy) in WAITS else 'too many calls'}")
        if policy == "DAILY" and wait > PATIENCE:
            hint = f"{HINT_DAILY}; {WAITING}"
            return LimitReached(text, account=self._account, status=429, retry_after=wait, hint=hint)
        return RateLimited(text, account=self._account, status=429, retry_after=wait)

    def _text(self, what: str, how: str) -> str:
        return f"HubSpot: {what}: {how}"


def texts(data: Any) -> Iterator[str]:
    """Every string of an error body. For reading only: they may hold personal data."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for value in data.values():
            yield from texts(value)
    elif isinstance(data, list):
        for value in data:
            yield from texts(value)


def codes(data: Any) -> list[str]:
    """The machine words of an error body (categories and codes), which hold no personal data.

    They are taken from the fields that hold codes, and from the JSON which HubSpot puts inside its message.
    """
    found: dict[str, None] = {}
    for entry in _entries(data):
        for key in ("category", "subCategory", "code", "errorType", "error"):
            if isinstance(word := entry.get(key), str) and CODE.fullmatch(word):
                found[word] = None
        for word in re.findall(r'"(?:error|code)"\s*:\s*"([A-Z0-9_]{1,60})"', str(entry.get("message", ""))):
            found[word] = None
    return list(found)


def named_property(data: Any, text: str) -> str | None:
    """The property an error speaks of, if it names one."""
    for entry in _entries(data):
        context = entry.get("context")
        named = context.get("propertyName") if isinstance(context, dict) else None
        named = named[0] if isinstance(named, list) and named else named
        if isinstance(named, str):
            return named
    found = PROPERTY.search(text)
    return found.group(1) if found else None


def properties_named(data: Any) -> tuple[str, ...]:
    """Internal names of the properties that a validation error speaks of; never their values."""
    found = [name for entry in _entries(data) for name in _context(entry, "propertyName")]
    found += [entry.get("name") for entry in _embedded(data)]
    return tuple(dict.fromkeys(name for name in found if isinstance(name, str) and NAME.fullmatch(name)))


def properties_required(data: Any) -> tuple[str, ...]:
    """Internal names of the properties without which HubSpot makes no record (seen: the context's `properties`)."""
    if "required properties were not set" not in str(data.get("message", "")):
        return ()
    return tuple(name for name in _context(data, "properties") if isinstance(name, str) and NAME.fullmatch(name))


def scopes_named(data: Any) -> tuple[str, ...]:
    """The scopes of which a 403 says that they are required."""
    keys = ("requiredScopes", "requiredGranularScopes")
    found = [name for entry in _entries(data) for key in keys for name in _context(entry, key)]
    return tuple(dict.fromkeys(name for name in found if isinstance(name, str) and SCOPE.fullmatch(name)))


def _reasons(words: list[str], properties: tuple[str, ...]) -> str:
    if not words and not properties:
        return "HubSpot named no reason; compare the record with its rules."
    about = f" Properties: {', '.join(properties)}." if properties else ""
    return (f"HubSpot's reasons: {', '.join(words)}." if words else "HubSpot named no reason.") + about


def _context(entry: dict[str, Any], key: str) -> list[Any]:
    context = entry.get("context")
    named = context.get(key) if isinstance(context, dict) else None
    return named if isinstance(named, list) else [named]


def _embedded(data: Any) -> Iterator[dict[str, Any]]:
    """The list that HubSpot writes as JSON into its message: one object for each property that it refused."""
    for entry in _entries(data):
        message = str(entry.get("message", ""))
        try:
            found, _ = json.JSONDecoder().raw_decode(message, message.index("["))
        except (ValueError, RecursionError):
            continue
        yield from (one for one in found if isinstance(one, dict))


def _entries(data: Any) -> Iterator[dict[str, Any]]:
    if isinstance(data, dict):
        yield data
        errors = data.get("errors")
        yield from (entry for entry in errors if isinstance(entry, dict)) if isinstance(errors, list) else ()
