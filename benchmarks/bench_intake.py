"""Durable 202s a second, against the same handler without a store and against one insert per request.

Server and load generator are two processes; every round runs the three stores one after the other, so that the ratios
compare neighbours. Every 202 of ours is on the disk (synchronous=FULL) before it is sent.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from measuring import machine, spread, table

HERE = Path(__file__).parent
KINDS = ("none", "connector", "one-insert")


def measure(kind: str, connections: int, seconds: float, folder: str, prefix: str) -> dict[str, Any]:
    """One run of one store."""
    server = subprocess.Popen([sys.executable, HERE / "receiver.py", kind, folder], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        command = [sys.executable, str(HERE / "load.py"), port, str(connections), str(seconds), "benchmark", prefix]
        answer: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    finally:
        server.terminate()
        server.wait()
    if set(answer["statuses"]) != {"202"} or answer["lost"]:
        raise SystemExit(f"{kind}: unexpected answers {answer}")
    return answer


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, nargs="*", default=[8, 64, 256])
    parser.add_argument("--folder", default=".", help="where the database is made: a disk, not a tmpfs")
    args = parser.parse_args()
    print(f"Machine: {machine()}")
    rows = []
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        for connections in args.connections:
            runs = [
                {kind: measure(kind, connections, args.seconds, folder, f"r{n}") for kind in KINDS} for n in range(args.rounds)
            ]
            rates = {kind: [run[kind]["rate"] for run in runs] for kind in KINDS}
            ratios = {kind: [run[kind]["rate"] / run["none"]["rate"] for run in runs] for kind in KINDS}
            for kind in KINDS:
                rows.append(
                    [
                        str(connections),
                        kind,
                        spread(rates[kind], 0),
                        spread(ratios[kind]),
                        spread([run[kind]["p50_ms"] for run in runs], 1),
                        spread([run[kind]["p99_ms"] for run in runs], 1),
                    ]
                )
    columns = ("connections", "store", "202 a second", "ratio to none", "p50 ms", "p99 ms")
    table("Receiving: median (minimum–maximum)", columns, rows)


if __name__ == "__main__":
    main()
