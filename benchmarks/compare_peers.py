"""New clients a second, processor time and memory: connector, and the same job in Node-RED and n8n, in turns.

Each runs between sandboxes of its own that answer at once. What cannot be had here is left out, with the reason.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack
from functools import partial
from pathlib import Path

import uvloop
from measuring import machine, spread, table
from peers import n8n as n8n_peer
from peers import node_red as node_red_peer
from peers.n8n import N8n
from peers.n8n_workflow import AT_ONCE, WHEN_FINISHED
from peers.node_red import node_red
from peers.npm import Missing, find
from peers.service import SENDERS, Measured, Peer, connector, measure

#: Runs a service with its files in the folder that it gets.
Run = Callable[[Path], AbstractAsyncContextManager[Peer]]
#: Finds a peer by its version, in a folder of npm packages; what it needs for the run goes with the stack.
Maker = Callable[[dict[str, str], Path, ExitStack], dict[str, Run]]
OURS = "connector"
NAMES = (OURS, "node-red", "n8n")
COLUMNS = ("service", "new clients a second", "connector's rate to its", "processor ms", "MB")


def services(names: Sequence[str], versions: dict[str, str], cache: Path, stack: ExitStack) -> dict[str, Run]:
    """Those of the names that can be had, ready to run; prints why another one cannot."""
    found: dict[str, Run] = {}
    makers: dict[str, Maker] = {OURS: _ours, "node-red": _node_red, "n8n": _n8n}
    for name in names:
        try:
            found |= makers[name](versions, cache, stack)
        except Missing as reason:
            print(f"{name} is left out: {reason}")
    return found


def _ours(*_: object) -> dict[str, Run]:
    return {OURS: connector}


def _node_red(versions: dict[str, str], cache: Path, _: ExitStack) -> dict[str, Run]:
    package = find("node-red", versions["node-red"], cache)
    return {f"Node-RED {package.version}": partial(node_red, package=package)}


def _n8n(versions: dict[str, str], cache: Path, stack: ExitStack) -> dict[str, Run]:
    package = find("n8n", versions["n8n"], cache)
    variants = {"answers at once": AT_ONCE, "answers when finished": WHEN_FINISHED}
    return {
        f"n8n {package.version}, {name}": N8n(Path(stack.enter_context(tempfile.TemporaryDirectory())), package, respond)
        for name, respond in variants.items()
    }


async def compare(runs: dict[str, Run], rounds: int, clients: int) -> dict[str, list[Measured]]:
    """Every round runs all, one after the other, each with new files on the disk of the current folder."""
    found: dict[str, list[Measured]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            with tempfile.TemporaryDirectory(dir=".") as folder:
                async with run(Path(folder).resolve()) as peer:
                    found[name].append(await measure(peer, clients))
    return found


def rows(found: dict[str, list[Measured]]) -> list[list[str]]:
    """A row for each service; the ratio is of the two rates of one round, and a dash where connector did not run."""
    ours = found.get(OURS)
    return [
        [
            service,
            spread([each.rate for each in runs], 0 if runs[0].rate >= 100 else 1),
            spread([own.rate / each.rate for own, each in zip(ours, runs, strict=True)]) if ours else "–",
            spread([each.processor for each in runs], 1),
            spread([each.memory for each in runs], 0),
        ]
        for service, runs in found.items()
    ]


def main() -> None:
    """Find or install the peers, run, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=300)
    parser.add_argument("--only", nargs="+", choices=NAMES, default=list(NAMES), help="which of them run")
    parser.add_argument("--node-red", default=node_red_peer.VERSION, help="the version to install (default: %(default)s)")
    parser.add_argument("--n8n", default=n8n_peer.VERSION, help="the version to install (default: %(default)s)")
    parser.add_argument(
        "--cache",
        type=Path,
        default=os.environ.get("PEERS_CACHE"),
        help="where npm packages are installed and found again (default: $PEERS_CACHE, or a folder that goes with the run)",
    )
    args = parser.parse_args()
    versions = {"node-red": args.node_red, "n8n": args.n8n}
    print(f"Machine: {machine()}")
    with ExitStack() as stack:
        cache = args.cache or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        found = uvloop.run(compare(services(args.only, versions, cache.resolve(), stack), args.rounds, args.clients))
    if not found:
        raise SystemExit("Nothing is left to measure.")
    table(f"{args.clients:,} new clients, {SENDERS} at once: median (minimum–maximum)", COLUMNS, rows(found))


if __name__ == "__main__":
    main()
