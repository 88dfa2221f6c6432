"""What Tryton's refusals mean. Its sentences may be translated: only the status is read, and which sent values a 400 quotes.

One request is one transaction, and an exception ends it, so that every status below 500 proves that nothing was done. A 500
is a page: of an unknown field or model as well as of a defect (measured), so that it proves nothing.
"""

from __future__ import annotations

from connector.model.errors import AccountPaused, ActionRefused, Rejected, RemoteError, Transient, UnknownOutcome
from connector.remote.http import Answer


class Refusals:
    """The errors of one account."""

    def __init__(self, account: str, title: str) -> None:
        self.account = account
        self._title = title

    def interpret(self, what: str, answer: Answer, writes: bool) -> RemoteError | None:
        """The error for a status that was not accepted; None for the common treatment."""
        status, place, account = answer.status, f"[{self.account}]", self.account
        match status:
            case 401:
                hint = f"Make a key for the application REST API in Tryton, validate it there, and put it into {place}."
                found: RemoteError = AccountPaused(self._text(what, "the key is not valid"), account=account, hint=hint)
            case 403:
                text = self._text(what, "answered 403: a right is missing, or something in between refuses")
                found = ActionRefused(text, action=what, account=account, hint=self.hint_rights())
            case 404 if not writes:
                hint = f"Check base_url and database in {place}, and that the server is of version 8.0 or later. Events wait."
                found = AccountPaused(self._text(what, "there is no such page"), account=account, hint=hint)
            case 404 | 405 | 409 | 410 | 413 | 415 | 422 if writes:
                # Its own word although it is a page: what stands in between answers so only where the address is wrong.
                found = Rejected(self._text(what, f"answered {status}"), account=account)
            case 500:
                return self.unclear(what, "answered 500", writes=writes, status=status)
            case _:
                return None
        found.status = status
        return found

    def unclear(self, what: str, how: str, *, writes: bool, status: int | None = None) -> RemoteError:
        """The error for an answer that proves nothing."""
        kind = UnknownOutcome if writes else Transient
        hint = "If it stays: is the module party active in this database?" if status == 500 else ""
        return kind(self._text(what, how), account=self.account, status=status, hint=hint)

    def right(self, what: str, how: str, hint: str = "") -> ActionRefused:
        """Our user lacks, for sure, what this kind of action needs."""
        text, hint = self._text(what, how), hint or self.hint_rights()
        return ActionRefused(text, action=what, account=self.account, status=403, hint=hint, certain=True)

    def hint_rights(self) -> str:
        """Which rights our user needs."""
        what = "parties and contact mechanisms, and attachments for appointments"
        return f"Let the user of [{self.account}] read, create and write {what}."

    def administrator(self, what: str) -> ActionRefused:
        """Our user is no administrator: Tryton's REST API lets nobody else change an attachment (measured)."""
        hint = f"Put the user of [{self.account}] into the group Administration, or set record_appointments = false."
        return self.right(what, "only an administrator may change attachments", hint)

    def rejected(self, what: str, how: str, hint: str = "", *, status: int | None = None) -> Rejected:
        """The same request never succeeds."""
        return Rejected(self._text(what, how), account=self.account, status=status, hint=hint)

    def _text(self, what: str, how: str) -> str:
        return f"{self._title}: {what}: {how}"
