"""Prints what becomes of every case, by kind: `python -m tests.identity [FILE …]`; a FILE holds further cases as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from identity.cases import CASES
from identity.running import Case, Result, run

COLUMNS = ("cases", "wrong links", "duplicates", "drops", "needless reviews", "reviews in all")


def read(file: Path) -> list[Case]:
    """Cases of a JSON file: `{"cases": [{"name", "want", "clients": [{"first_name", "last_name", "email", "mobile"}]}]}`."""
    found = []
    for case in json.loads(file.read_text(encoding="utf-8"))["cases"]:
        clients = [(c["first_name"], c["last_name"], c["email"], c["mobile"]) for c in case["clients"]]
        between = tuple(case["between"]) if case.get("between") else None
        found.append(Case(case.get("kind", file.stem), case["name"], case["want"], clients, between))
    return found


def figures(results: Sequence[tuple[Case, Result]]) -> tuple[int, ...]:
    """The columns of one row."""
    return (
        len(results),
        sum(result.wrong_link for _, result in results),
        sum(result.duplicate for _, result in results),
        sum(result.dropped for _, result in results),
        sum(result.held and case.want == "same" for case, result in results),
        sum(result.held for _, result in results),
    )


async def main(files: Sequence[str]) -> int:
    """Run all cases; 1 where a promise was broken."""
    cases = [*CASES, *(case for file in files for case in read(Path(file)))]
    by_kind: dict[str, list[tuple[Case, Result]]] = defaultdict(list)
    for number, case in enumerate(cases):
        result = await run(case, number)
        by_kind[case.kind].append((case, result))
        if result.wrong_link or result.duplicate or result.dropped:
            print(f"broken: {case.kind}: {case.name}: {result}")
        elif result.held and case.want == "same":
            print(f"needless review: {case.kind}: {case.name}")
    total = [pair for pairs in by_kind.values() for pair in pairs]
    print(f"| kind | {' | '.join(COLUMNS)} |\n|---|{'---:|' * len(COLUMNS)}")
    for kind, pairs in [*by_kind.items(), ("all", total)]:
        print(f"| {kind} | {' | '.join(map(str, figures(pairs)))} |")
    return 1 if sum(figures(total)[1:4]) else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
