"""`python -m tests.torture`: kills real processes between unreliable remote systems, and counts what was lost or done twice.

    python -m tests.torture                        CI size: fixed seeds, about two minutes
    python -m tests.torture --kills 1000           rounds until so many kills, from a new seed
    python -m tests.torture --rounds 1 --seed 7    one round again
    python -m tests.torture --events 1000000 --resume figures.json --minutes 30
                                                   a million events through the sync, half an hour of them now
    python -m tests.torture --rounds 3 --postgres 3
                                                   three rounds, each with three processes on one PostgreSQL server
    python -m tests.torture --size full            1,000 kills and 1,000,000 events

It ends with 1 when an invariant is broken; docs/reliability.md names them.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import postgres
import structlog

from .machines import SharedRound
from .rounds import Outcome, Plan, Round
from .volume import CHUNK, Tally, run_chunk

#: Seeds of the rounds at CI size.
CI_SEEDS = (11, 12, 13, 14)
CI_EVENTS = 3_000
#: Kills, seconds and actions a second of a round.
SHAPE = (20, 14.0, 10.0)


def plans(arguments: argparse.Namespace) -> Iterator[Plan]:
    """The rounds to play: every third one with effects that come late."""
    if arguments.size == "ci":
        for number, seed in enumerate(CI_SEEDS):
            yield Plan(seed, kills=7, seconds=6.0, actions=11, late=number % 3 == 2)
        return
    kills, ends = 0, time.monotonic() + arguments.minutes * 60
    each, seconds, actions = arguments.shape
    for seed in range(arguments.seed, arguments.seed + (arguments.rounds or 10**9)):
        if (not arguments.rounds and kills >= arguments.kills) or time.monotonic() > ends:
            return
        late = seed % 3 == 2 if arguments.late is None else arguments.late
        yield Plan(seed, kills=int(each), seconds=seconds, actions=actions, late=late)
        kills += int(each)


def play(plan: Plan, server: postgres.Server | None, processes: int) -> Outcome:
    """Play a round in a folder that is kept only when something broke."""
    folder = Path(tempfile.mkdtemp(prefix="connector-torture-"))
    round_ = Round(plan, folder) if server is None else SharedRound(plan, folder, server, processes)
    outcome = asyncio.run(round_.play())
    if isinstance(round_, SharedRound):
        print(f"  {processes} processes, of which {round_.pauses} stood still; {round_.crashes} crashes of the server")
        counts = [one.counts() for one in round_.replaced]
        wire, writes, reads = (sum(getattr(one, name) for one in counts) for name in ("on_the_wire", "writes", "reads"))
        late = f"after their lease {writes} writes, {reads} reads"
        print(f"  {len(counts)} of them were replaced, with {wire} requests on the wire; {late}")
    if outcome.breaches:
        (folder / "service.log").write_text("\n".join(round_.log), encoding="utf-8")
        print(f"  kept for a look: {folder}", file=sys.stderr)
    else:
        shutil.rmtree(folder)
    return outcome


def show(outcome: Outcome) -> None:
    """One line for a round, and one for each breach."""
    o, plan = outcome, outcome.plan
    late, states = " late" if plan.late else "", ", ".join(f"{n} {state}" for state, n in sorted(o.events.items()))
    figures = [
        f"  seed {plan.seed:>6}{late:5}",
        f"{o.kills:3} kills {o.seconds:6.1f} s",
        f"{o.deliveries:5} deliveries + {o.answers['duplicate']:4} again",
        f"{o.clients:4} clients of {o.people:4}",
        f"{o.links:4} links",
        f"{o.injected:4} faults",
    ]
    print("  ".join(figures), f" ({states})", flush=True)
    for breach in o.breaches:
        print(f"    BROKEN {breach}")
    if o.breaches:
        shape = f"--shape {plan.kills} {plan.seconds:g} {plan.actions:g}"
        print(f"    repeat: python -m tests.torture --rounds 1 --seed {plan.seed} --{'' if plan.late else 'no-'}late {shape}")


def rounds(arguments: argparse.Namespace) -> list[Outcome]:
    """All rounds."""
    outcomes = []
    with postgres.serving() if arguments.postgres else nullcontext() as server:
        for plan in plans(arguments):
            outcomes.append(play(plan, server, arguments.postgres))
            show(outcomes[-1])
    return outcomes


def volume(arguments: argparse.Namespace, events: int) -> Tally:
    """Chunks until so many events, or until the minutes are over; the state file is written after each."""
    file = arguments.resume
    tally = Tally.load(file, arguments.seed) if file else Tally(arguments.seed)
    ends = time.monotonic() + arguments.minutes * 60
    while tally.events < events and time.monotonic() < ends:
        with tempfile.TemporaryDirectory(prefix="connector-torture-") as folder:
            asyncio.run(run_chunk(tally, min(CHUNK, events - tally.events), Path(folder)))
        if file:
            tally.save(file)
        print(
            f"  {tally.events:8} events, {tally.events / tally.seconds:5.0f} a second, {len(tally.breaches)} breaches",
            flush=True,
        )
    return tally


def table(outcomes: list[Outcome], tally: Tally | None) -> bool:
    """The final figures; True when nothing broke."""
    breaches = [b for o in outcomes for b in o.breaches] + (tally.breaches if tally else [])
    if outcomes:
        late, again = sum(o.plan.late for o in outcomes), sum(o.answers["duplicate"] for o in outcomes)
        print(f"rounds       {len(outcomes)} ({late} with late effects), {sum(o.kills for o in outcomes)} kills")
        print(f"deliveries   {sum(o.deliveries for o in outcomes)} acknowledged, {again} re-deliveries")
        print(f"faults       {sum(o.injected for o in outcomes)} injected")
    if tally:
        print(f"volume       {tally.events} events, {tally.duplicates} re-deliveries, {tally.lost_answers} lost answers")
        print(f"             {tally.clients} clients, {tally.links} links, {tally.held} held for review, seed {tally.seed}")
    for title, words in (
        ("lost", ("stored:", "final:", "stop:")),
        ("duplicates", ("one_customer:", "one_meeting:")),
        ("wrong links", ("right_links:", "equal_links:")),
        ("other", ("ordered:", "settled:", "quotas:", "silent:", "fenced:")),
    ):
        print(f"{title:12} {sum(any(word in breach for word in words) for breach in breaches)}")
    if tally:
        for breach in tally.breaches[:50]:
            print(f"    BROKEN {breach}")
        if tally.breaches:
            print(f"    repeat: python -m tests.torture --events {tally.events} --seed {tally.seed}")
    return not breaches


def parse() -> argparse.Namespace:
    """The arguments, with what the sizes mean."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", choices=["ci", "full"], help="ci: two minutes, fixed seeds; full: hours")
    parser.add_argument("--rounds", type=int, default=0, help="so many rounds")
    parser.add_argument("--kills", type=int, default=0, help="rounds until so many kills")
    parser.add_argument("--events", type=int, default=0, help="so many events without processes")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000, help="of the first round; default: a new one")
    late = "effects come after the service gave up: in all rounds, in none; default: in every third"
    parser.add_argument("--late", action=argparse.BooleanOptionalAction, default=None, help=late)
    numbers = ("KILLS", "SECONDS", "ACTIONS")
    parser.add_argument("--shape", type=float, nargs=3, default=SHAPE, metavar=numbers, help="of a round; actions a second")
    shared = "so many processes on one PostgreSQL server, which crashes three times a round, instead of one on a file"
    parser.add_argument("--postgres", type=int, default=0, metavar="PROCESSES", help=shared)
    parser.add_argument("--minutes", type=float, default=1e6, help="begin nothing new after so many; --resume goes on")
    parser.add_argument("--resume", type=Path, metavar="FILE", help="with --events: where the tally is kept")
    arguments = parser.parse_args()
    if not (arguments.rounds or arguments.kills or arguments.events or arguments.size):
        arguments.size = "ci"
    if arguments.size == "ci":
        arguments.seed, arguments.events = CI_SEEDS[0], CI_EVENTS
    elif arguments.size == "full":
        arguments.kills, arguments.events = 1_000, 1_000_000
    return arguments


def main() -> int:
    """Parse, run, print; 1 when an invariant is broken."""
    arguments = parse()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    print(f"seed {arguments.seed}", flush=True)
    begun = time.monotonic()
    outcomes = rounds(arguments) if arguments.size or arguments.rounds or arguments.kills else []
    tally = volume(arguments, arguments.events) if arguments.events else None
    well = table(outcomes, tally)
    print(f"{'all well' if well else 'BROKEN'} after {time.monotonic() - begun:.0f} s")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
