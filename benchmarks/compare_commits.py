"""The embedded default of two commits in turns on one machine: `compare_commits.py OLD [NEW]`.

Load, sandboxes and clocks are this tree's for both; of each commit only its package runs, from an export of its own, with the
libraries of this environment. So an older commit may have other benchmarks, or none.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop
from measuring import cpu_seconds, machine, resident, spread, table
from peers.service import Peer
from peers.service import measure as new_clients
from world import environment, serving, world

HERE = Path(__file__).parent
#: How much worse the newer commit may be.
ALLOWED = 0.05
#: Starts of a commit in each round.
STARTS = 3


@dataclass(frozen=True)
class Figure:
    """What is measured: its name, whether more of it is better, and digits behind the point."""

    name: str
    more_is_better: bool
    digits: int


FIGURES = (
    Figure("202 a second at 64 connections", True, 0),
    Figure("claim, ms", False, 3),
    Figure("start-up until it listens, ms", False, 0),
    Figure("processor ms until it listens", False, 0),
    Figure("MB after the start", False, 1),
    Figure("new clients a second", True, 0),
    Figure("processor ms of a new client", False, 2),
)


def export(commit: str, folder: Path, repository: Path = HERE.parent) -> str:
    """Write the package of a commit into this folder; its short name. Raises SystemExit where git does not know it."""
    git = ["git", "-C", str(repository)]
    named = subprocess.run([*git, "rev-parse", "--short", f"{commit}^{{commit}}"], capture_output=True, text=True, check=False)
    if named.returncode:
        raise SystemExit(f"git knows no commit {commit}")
    folder.mkdir()
    archive = subprocess.run([*git, "archive", commit, "connector"], check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive, check=True)
    return named.stdout.strip()


def accepts(code: Path, folder: Path, seconds: float) -> float:
    """202s a second at 64 connections, of a receiver alone."""
    with serving(folder, code) as (port, _):
        command = [sys.executable, str(HERE / "load.py"), str(port), "64", str(seconds), "benchmark", "compare"]
        answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    if set(answer["statuses"]) != {"202"} or answer["lost"]:
        raise SystemExit(f"unexpected answers {answer}")
    return float(answer["rate"])


def claim(code: Path, folder: Path, times: int) -> float | None:
    """Milliseconds of a claim (the median); None where a commit's store is another one."""
    command = [sys.executable, str(HERE / "claim_probe.py"), str(folder / "claims.db"), str(times)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment(code), cwd=code)
    return statistics.median(json.loads(done.stdout)) if done.returncode == 0 else None


async def starts(code: Path, folder: Path, times: int) -> tuple[float, float]:
    """(ms until the whole service listens, processor ms until then): medians of so many starts, each with a new file."""
    wall, used = [], []
    for n in range(times):
        place = folder / f"start-{n}"
        place.mkdir()
        async with world(place, code=code) as here:
            used.append(cpu_seconds(here.process.pid) * 1000)
            wall.append(here.start_up * 1000)
    return statistics.median(wall), statistics.median(used)


async def service(code: Path, folder: Path, clients: int) -> tuple[float, float, float]:
    """(MB two seconds after the start, new clients a second, processor ms of each) of the whole service."""
    async with world(folder, code=code) as here:
        await asyncio.sleep(2)
        memory = resident(here.process.pid)
        found = await new_clients(Peer(here.booxi, here.hubspot, here.process.pid), clients)
        return memory, found.rate, found.processor


def measure(code: Path, folder: Path, args: argparse.Namespace) -> list[float | None]:
    """All figures of one commit in one round, in the order of `FIGURES`."""
    folder.mkdir()
    (folder / "service").mkdir()
    (folder / "receiver").mkdir()
    received = accepts(code, folder / "receiver", args.seconds)
    claimed = claim(code, folder, args.times)
    started = uvloop.run(starts(code, folder, STARTS))
    return [received, claimed, *started, *uvloop.run(service(code, folder / "service", args.clients))]


def row(figure: Figure, old: Sequence[float | None], new: Sequence[float | None]) -> list[str]:
    """A row of the table: both, the ratio of each round, and whether the newer one is worse by more than is allowed."""
    pairs = [(a, b) for a, b in zip(old, new, strict=True) if a is not None and b is not None]
    if not pairs:
        return [figure.name, "–", "–", "–", "not measured"]
    ratios = [b / a for a, b in pairs]
    worse = 1 / statistics.median(ratios) if figure.more_is_better else statistics.median(ratios)
    sides = [spread([pair[side] for pair in pairs], figure.digits) for side in (0, 1)]
    return [figure.name, *sides, spread(ratios), "no" if worse > 1 + ALLOWED else "yes"]


def main() -> None:
    """Export both commits, measure them in turns, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", help="the commit before")
    parser.add_argument("new", nargs="?", default="HEAD", help="the commit after; default: HEAD")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of load in each round")
    parser.add_argument("--times", type=int, default=500, help="claims in each round")
    parser.add_argument("--clients", type=int, default=600, help="new clients in each round")
    parser.add_argument("--folder", default=".", help="where the databases are made: a disk, not a tmpfs")
    args = parser.parse_args()
    print(f"Machine: {machine()}")
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name).resolve()
        codes = [folder / "old", folder / "new"]
        names = [export(commit, code) for commit, code in zip((args.old, args.new), codes, strict=True)]
        for code in codes:  # the first start compiles
            (folder / f"first-{code.name}").mkdir()
            uvloop.run(starts(code, folder / f"first-{code.name}", 1))
        rounds = [[measure(code, folder / f"{n}-{code.name}", args) for code in codes] for n in range(args.rounds)]
    rows = [row(figure, *[[both[side][k] for both in rounds] for side in (0, 1)]) for k, figure in enumerate(FIGURES)]
    columns = ("figure", *names, "ratio", f"at most {ALLOWED:.0%} worse")
    table(f"{args.rounds} rounds, both in turns: median (minimum–maximum)", columns, rows)


if __name__ == "__main__":
    main()
