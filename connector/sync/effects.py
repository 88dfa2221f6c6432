"""One law for every write to a remote system: the intent is durable before, the outcome decides what becomes of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from connector.model.errors import ConnectorError, Postponed, StoreError, UnknownOutcome
from connector.model.jobs import Work
from connector.sync.repositories import EffectsJournal


async def wait_until_visible(journal: EffectsJournal, key: str, seconds: float, now: float) -> None:
    """Hold back a second record while the first one, whose outcome is not known, may still appear in the remote system.

    `seconds` is how long that may take from the try on; call it after a look that found nothing.

    Raises:
        Postponed: until then.
    """
    if not seconds or (tried := await journal.tried_at(key)) is None:
        return
    # A clock that was put back must not make it longer.
    if (left := min(tried + seconds - now, seconds)) > 0:
        text = "an earlier attempt may have created it: it is looked for before another one is created"
        raise Postponed(text, retry_after=left)


@asynccontextmanager
async def effect(
    journal: EffectsJournal, work: Work, key: str, kind: str, now: float, *, crm: str = "", identity: Sequence[str] = ()
) -> AsyncIterator[bool]:
    """Begin the intent `key`, then run the body; yields whether an earlier try may have had this effect already.

    What the body raises decides. An unknown outcome leaves the intent open, and so does a database that cannot record
    what happened. Every other error of ours is a refusal that is certain: the intent, and the identity keys it claims,
    are forgotten, unless an earlier try is still unclear. The body itself commits what a success leads to.
    """
    may_exist = await journal.begin(work, key, kind, now, crm=crm, identity=identity)
    try:
        yield may_exist
    except (UnknownOutcome, StoreError):
        raise
    except ConnectorError:
        if not may_exist:
            await journal.undone(key)
        raise
