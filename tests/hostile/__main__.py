"""`python -m tests.hostile`: hostile requests on every route of a real `connector serve`, and what became of them.

    python -m tests.hostile                          20,000 requests from a new seed
    python -m tests.hostile -n 1000000 --seed 7      a million, the same ones each time
    python -m tests.hostile --seed 7 --only 4711     one of them again

It ends with 1 when an answer was other than 1xx (100), 2xx, 3xx, 4xx or 503, when a complete request got no answer, when a
stranger got something, when what was acknowledged is not what was stored, or when the process grew.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sys
import tempfile
from pathlib import Path

import structlog

sys.path.insert(0, str(Path(__file__).parent.parent))

from hostile.running import Outcome, run

HEADINGS = ("2xx", "3xx", "4xx", "503", "other", "closed", "given up")


def show(outcome: Outcome) -> None:
    """Print the tables."""
    print(f"seed {outcome.seed}: {outcome.requests} requests in {outcome.seconds:.0f} s, {outcome.hangs} hangs")
    print(f"honest deliveries meanwhile: {outcome.honest}, the slowest took {outcome.slowest:.2f} s")
    print(f"\n| kind | {' | '.join(HEADINGS)} |\n|---|{'---:|' * len(HEADINGS)}")
    for kind, counted in [*sorted(outcome.answers.items()), ("all", outcome.total())]:
        by = dict.fromkeys(HEADINGS, 0)
        for status, number in counted.items():
            by[_heading(status)] += number
        print(f"| {kind} | {' | '.join(f'{number:,}' for number in by.values())} |")
    print("\nby status:", ", ".join(f"{status}: {number:,}" for status, number in sorted(outcome.total().items())))
    print("\n| requests | memory MB | database MB | log lines | log MB | open files |\n|---:|---:|---:|---:|---:|---:|")
    for requests, memory, size, lines, length, files in outcome.growth:
        print(f"| {requests:,} | {memory:.0f} | {size:.1f} | {lines:,} | {length / 1e6:.1f} | {files} |")
    if outcome.unavailable:
        print("\nsome of the answers 503:", *outcome.unavailable, sep="\n    ")
    for what, examples in outcome.breaches.items():
        print(f"BROKEN {what}", *examples, sep="\n    ")


def _heading(status: int) -> str:
    fixed = {0: "closed", -1: "given up", 503: "503", 100: "2xx"}
    return fixed.get(status) or (f"{status // 100}xx" if 200 <= status < 500 else "other")


def main() -> int:
    """Run as the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description="Hostile requests on every route.")
    parser.add_argument("-n", type=int, default=20_000, help="requests")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", type=int, default=None, metavar="NUMBER", help="send one request of the seed again")
    arguments = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if arguments.seed is None else arguments.seed
    print(f"seed {seed}", flush=True)
    logging.disable()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory(prefix="connector-hostile-") as folder:
        outcome = asyncio.run(run(Path(folder), seed, arguments.n, arguments.only))
    show(outcome)
    return 1 if outcome.breaches else 0


if __name__ == "__main__":
    raise SystemExit(main())
