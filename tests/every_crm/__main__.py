"""`python -m tests.every_crm`: every CRM through the real service against its sandbox, as one table.

Many events for one new person arrive at the same moment: as such, with answers cut after the effect on both sides, and with
`kill -9` of the service. Then calls are counted for a person who is new, known to the CRM, linked before. It ends with 1
where somebody was doubled, lost or linked to another one, a quota was exceeded, or a call did not conform to what is
published.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from connector import registry
from connector.config import logs
from connector.crms.base import Uniqueness
from every_crm.killing import kills
from every_crm.playing import Calls, Made, at_once, calls, lost_answers, world

INTEGRATIONS = Path(__file__).parents[2] / "docs" / "integrations.md"


@dataclass(frozen=True)
class Size:
    """How much is played: events for one person at once, persons whose answers are lost, kills, persons whose calls count."""

    events: int = 50
    persons: int = 3
    kills: int = 6
    counted: int = 5
    seed: int = 1
    limited: bool = True


@dataclass
class Report:
    """What was seen of one CRM; `killed` None: not played."""

    system: str
    together: Made
    lost: Made
    killed: Made | None
    calls: Calls
    counted: int
    #: Exchanges that were compared with the published shapes; None: there are none for this CRM.
    checked: int | None
    odd: list[str]

    @property
    def uniqueness(self) -> Uniqueness:
        return registry.crm(self.system).uniqueness

    def broken(self) -> Iterator[str]:
        """Every promise that was broken."""
        for name, made in (("at once", self.together), ("lost answers", self.lost), ("kills", self.killed)):
            if made is None:
                continue
            if not made.single and self.uniqueness is not Uniqueness.NONE:
                yield f"{name}: {made.customers} customers were made"
            if made.unlinked or made.wrong:
                yield f"{name}: {made.unlinked} clients are not linked, {made.wrong} to another customer"
        if self.together.throttled:
            yield f"{self.together.throttled} calls were refused as too many"
        yield from (f"not as published: {text}" for text in self.odd)

    def rows(self) -> dict[str, str]:
        """The cells of its column."""
        limits = f"{self.together.quota}; {self.together.throttled}"
        return {
            "a second record is refused by": {Uniqueness.NONE: "nothing"}.get(self.uniqueness, f"the {self.uniqueness.value}"),
            "customers made, all at once": _customers(self.together),
            "… answers lost (how many)": f"{_customers(self.lost)} ({self.lost.disturbed})",
            "… killed (how often)": f"{_customers(self.killed)} ({self.killed.disturbed})" if self.killed else "not played",
            "calls, new person: Booxi": _methods(self.calls.new[0], self.counted),
            "calls, new person: CRM": _methods(self.calls.new[1], self.counted),
            "calls, known to the CRM: Booxi": _methods(self.calls.known[0], self.counted),
            "calls, known to the CRM: CRM": _methods(self.calls.known[1], self.counted),
            "calls, linked before: Booxi": _methods(self.calls.linked[0], self.counted),
            "calls, linked before: CRM": _methods(self.calls.linked[1], self.counted),
            "quota used at most, all at once; 429s": limits,
            "exchanges not as published": "not checked" if self.checked is None else f"{len(self.odd)} of {self.checked}",
            "tried with": tried_with(self.system),
        }


def _customers(made: Made) -> str:
    return "1" if made.single else ", ".join(map(str, made.customers))


def _methods(counted: Counter[str], persons: int) -> str:
    return ", ".join(f"{method} {count / persons:g}" for method, count in sorted(counted.items())) or "none"


def tried_with(system: str) -> str:
    """What the integrations' page says of how sure we are: the last cell of the CRM's row."""
    page = INTEGRATIONS.read_text(encoding="utf-8").partition("\n## CRMs")[2]
    row = next((line for line in page.splitlines() if line.startswith(f"| `{system}` |")), "")
    return row.strip("| ").rpartition("|")[2].strip() or "not said"


async def report(system: str, size: Size) -> Report:
    """Play everything with one CRM."""
    with tempfile.TemporaryDirectory(prefix="connector-crms-") as folder:
        (limited := Path(folder) / "limited").mkdir()
        async with world(system, limited, limited=size.limited) as here:
            together = await at_once(here, size.events)
            ways = [here.to_crm]
        (free := Path(folder) / "free").mkdir()
        async with world(system, free) as here:
            counted = await calls(here, size.counted)
            lost = await lost_answers(here, size.events, size.persons, size.seed)
            ways.append(here.to_crm)
        (real := Path(folder) / "real").mkdir()
        killed = await kills(system, real, size.events, size.kills, size.seed) if size.kills else None
    checked = sum(way.checked for way in ways) if ways[0].compares else None
    return Report(system, together, lost, killed, counted, size.counted, checked, [odd for way in ways for odd in way.odd])


def show(reports: list[Report]) -> None:
    """Print the table: a column for each CRM."""
    columns = [one.rows() for one in reports]
    print(f"|  | {' | '.join(one.system for one in reports)} |\n|---|{'---|' * len(reports)}")
    for name in columns[0]:
        print(f"| {name} | {' | '.join(column[name] for column in columns)} |")


def main() -> int:
    """Parse, play, print; 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.every_crm", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--crm", action="append", choices=sorted(registry.CRMS), help="only this one; may be said again")
    parser.add_argument("--events", type=int, default=Size.events)
    parser.add_argument("--seed", type=int, default=Size.seed)
    arguments = parser.parse_args()
    logs.set_up(json=False, level="critical")
    size = Size(events=arguments.events, seed=arguments.seed)
    reports = []
    for system in arguments.crm or sorted(registry.CRMS):
        reports.append(asyncio.run(report(system, size)))
        print(f"{system}: {'; '.join(reports[-1].broken()) or 'no promise broken'}", file=sys.stderr, flush=True)
    print(f"{size.events} events for one new person, seed {size.seed}\n")
    show(reports)
    return 1 if any(any(one.broken()) for one in reports) else 0


if __name__ == "__main__":
    sys.exit(main())
