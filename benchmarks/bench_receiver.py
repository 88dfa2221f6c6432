"""Durable 202s a second of `connector serve`, against a bare Starlette handler and against one insert in each request.

Server and load generator are two processes; every round runs the three servers one after the other, so that the ratios
compare neighbours. Every 202 of ours is on the disk (synchronous=FULL) before it is sent. The worker does not run: what the
receiver costs is measured alone.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from measuring import cpu_seconds, machine, spread, table
from world import serving

HERE = Path(__file__).parent
SERVERS = ("bare", "connector", "one-insert")


@contextmanager
def started(server: str, folder: Path) -> Iterator[tuple[int, int]]:
    """Start a server and answer its port and process id."""
    if server == "connector":
        with tempfile.TemporaryDirectory(dir=folder) as name, serving(Path(name)) as (port, pid):
            yield port, pid
        return
    process = subprocess.Popen([sys.executable, HERE / "bare.py", server, folder], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline()), process.pid
    finally:
        process.terminate()
        process.wait()


def measure(server: str, connections: int, seconds: float, folder: Path, prefix: str) -> dict[str, Any]:
    """One run against one server."""
    with started(server, folder) as (port, pid):
        before = cpu_seconds(pid)
        command = [sys.executable, str(HERE / "load.py"), str(port), str(connections), str(seconds), "benchmark", prefix]
        answer: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        answer["cpu_ms"] = (cpu_seconds(pid) - before) * 1000 / answer["sent"]
    if set(answer["statuses"]) != {"202"} or answer["lost"]:
        raise SystemExit(f"{server}: unexpected answers {answer}")
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
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        for connections in args.connections:
            runs = [
                {server: measure(server, connections, args.seconds, Path(name), f"r{n}") for server in SERVERS}
                for n in range(args.rounds)
            ]
            for server in SERVERS:
                rows.append(
                    [
                        str(connections),
                        server,
                        spread([run[server]["rate"] for run in runs], 0),
                        spread([run[server]["rate"] / run["bare"]["rate"] for run in runs]),
                        spread([run[server]["p50_ms"] for run in runs], 1),
                        spread([run[server]["p99_ms"] for run in runs], 1),
                        spread([run[server]["cpu_ms"] for run in runs], 3),
                    ]
                )
    columns = ("connections", "server", "202 a second", "ratio to bare", "p50 ms", "p99 ms", "processor ms")
    table("Receiving: median (minimum–maximum)", columns, rows)


if __name__ == "__main__":
    main()
