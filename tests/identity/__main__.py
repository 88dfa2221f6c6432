"""Prints what becomes of every case: `python -m tests.identity [--crm NAME|all] [--public SET] [FILE …]`.

One CRM: a line for each kind. All: a line for each CRM, another one with the first person of every case a customer already, as
somebody typed them there, one with that name in one field, and one with the CRM's own rules against duplicates switched on,
where it has any. `--public SET` runs persons whom others made instead (see `public`), many cases in one database.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from contract.accounts import account

from connector import registry
from identity import cases, found, public
from identity.running import CannotBeTyped, Case, Mode, Result, run, run_together

COLUMNS = ("cases", "wrong links", "duplicates", "drops", "needless reviews", "reviews in all")
#: What a case wants where a review is needless.
NEEDLESS = ("same", "apart")
#: Cases of a public set in one database.
TOGETHER = 60
Played = Sequence[tuple[Case, Result]]
#: Rightly different: what a CRM's own search does with such a value is not documented (its README).
DIFFERENT = {("hubspot", "one number, two spellings", "0033 6 98 76 54 32")}


def read(file: Path) -> list[Case]:
    """Cases of a JSON file: `{"cases": [{"name", "want", "clients": [{"first_name", "last_name", "email", "mobile"}]}]}`."""
    found = []
    for case in json.loads(file.read_text(encoding="utf-8"))["cases"]:
        clients = [(c["first_name"], c["last_name"], c["email"], c["mobile"]) for c in case["clients"]]
        between = tuple(case["between"]) if case.get("between") else None
        found.append(Case(case.get("kind", file.stem), case["name"], case["want"], clients, between))
    return found


def play(cases: Sequence[Case], system: str, mode: Mode) -> Played:
    """Run all cases in one CRM; where the first person is typed, those of which the CRM takes the first person."""
    return asyncio.run(_play(cases, system, mode))


async def _play(cases: Sequence[Case], system: str, mode: Mode) -> Played:
    found = []
    for number, case in enumerate(cases):
        # A value with something typed around it is a client's, not a customer's.
        if mode.startswith("first typed") and (len(case.clients) < 2 or (system, case.kind, case.name) in DIFFERENT):
            continue
        try:
            found.append((case, await run(case, number, system, mode=mode)))
        except CannotBeTyped:
            continue
    return found


def figures(results: Played) -> tuple[int, ...]:
    """The columns of one row."""
    return (
        len(results),
        sum(result.wrong_link for _, result in results),
        sum(result.duplicate for _, result in results),
        sum(result.dropped for _, result in results),
        sum(result.held and case.want in NEEDLESS for case, result in results),
        sum(result.held for _, result in results),
    )


def faults(results: Played) -> Iterator[str]:
    """A line for each case that ended as it should not."""
    for case, result in results:
        if result.wrong_link or result.duplicate or result.dropped:
            yield f"broken: {case.kind}: {case.name}: {result}"
        elif result.held and case.want in NEEDLESS:
            yield f"needless review: {case.kind}: {case.name}"


def _row(name: str, results: Played) -> None:
    print(f"| {name} | {' | '.join(map(str, figures(results)))} |", flush=True)


def _head(first: str) -> None:
    print(f"| {first} | {' | '.join(COLUMNS)} |\n|---|{'---:|' * len(COLUMNS)}", flush=True)


def by_kind(cases: Sequence[Case], system: str) -> bool:
    """The table of one CRM; whether nothing was broken."""
    results = play(cases, system, "all book")
    print("\n".join(faults(results)))
    return _table(results)


def of_public(name: str, system: str, every: int) -> bool:
    """The table of a public set, or of every so manyth of its cases, after what was broken; whether nothing was."""
    together: dict[str, list[Case]] = defaultdict(list)
    for case in list(public.SETS[name]())[::every]:
        together[case.country].append(case)
    parts = [some[at : at + TOGETHER] for some in together.values() for at in range(0, len(some), TOGETHER)]
    with ProcessPoolExecutor() as pool:
        results = [pair for part in pool.map(partial(_together, system=system), parts) for pair in part]
    persons = sum(len(set(case.who)) for case, _ in results)
    print(f"{persons} persons with {sum(len(case.clients) for case, _ in results)} records, each in the cases of its kinds")
    print("\n".join(line for line in faults(results) if line.startswith("broken")))
    return _table(sorted(results, key=lambda pair: pair[0].kind))


def _together(cases: Sequence[Case], system: str) -> Played:
    return list(zip(cases, asyncio.run(run_together(cases, system)), strict=True))


def _table(results: Played) -> bool:
    kinds: dict[str, list[tuple[Case, Result]]] = defaultdict(list)
    for pair in results:
        kinds[pair[0].kind].append(pair)
    _head("kind")
    for kind, pairs in [*kinds.items(), ("all", list(results))]:
        _row(kind, pairs)
    return not sum(figures(results)[1:4])


def _modes(system: str) -> Iterator[Mode]:
    yield "all book"
    yield "first typed"
    yield "first typed in one field"
    if account(system).forbid_duplicates():
        yield "duplicates forbidden"


def by_crm(cases: Sequence[Case], systems: Sequence[str]) -> bool:
    """The table of several CRMs, each in a process of its own; whether nothing was broken."""
    jobs = [(system, mode) for system in systems for mode in _modes(system)]
    broken, found = 0, []
    _head("CRM")
    with ProcessPoolExecutor() as pool:
        for (system, mode), results in zip(jobs, pool.map(partial(play, cases), *zip(*jobs, strict=True)), strict=True):
            name = system if mode == "all book" else f"{system}, {mode}"
            _row(name, results)
            found += [f"{name}: {line}" for line in faults(results)]
            broken += sum(figures(results)[1:4])
    print("\n".join(found))
    return not broken


def main() -> int:
    """Run all cases; 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.identity", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--crm", choices=[*sorted(registry.CRMS), "all"], default="hubspot")
    parser.add_argument("--public", choices=[*public.SETS], help="a set of persons whom others made")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth case of the public set")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if arguments.public:
        try:
            return 0 if of_public(arguments.public, arguments.crm, arguments.every) else 1
        except public.Missing as missing:
            print(f"This set is in a package that is not installed: {missing}", file=sys.stderr)
            return 2
    chosen = [*cases.CASES, *found.CASES, *(case for file in arguments.files for case in read(file))]
    well = by_crm(chosen, sorted(registry.CRMS)) if arguments.crm == "all" else by_kind(chosen, arguments.crm)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
