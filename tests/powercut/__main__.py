"""``python -m tests.powercut --images 1000``: the figures for the documentation, with the cross-check beside them."""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

from . import recording
from .child import SYNCHRONOUS
from .cuts import Report, run
from .recording import Operation, Promise, Sync

ROWS = (
    ("images", "images"),
    ("of these distinct", "distinct"),
    ("moments of the cut", "moments"),
    ("also started as the service would", "thorough"),
    ("integrity failures", "damaged"),
    ("images losing an acknowledged event", "accepted"),
    ("images losing an intent", "intended"),
    ("images losing a verdict", "done"),
    ("most acknowledged events lost", "worst"),
    ("acknowledged events", "acknowledged"),
    ("promises in all", "promises"),
    ("disk syncs", "syncs"),
    ("seconds", "seconds"),
)


def figures(mode: str, deliveries: int, images: int, seed: int) -> dict[str, int]:
    """Record once, cut often."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="powercut-") as folder:
        operations = recording.record(Path(folder), deliveries, **{SYNCHRONOUS: mode}).operations
    report = run(operations, images, seed)
    for line in report.damaged[:20]:
        print(f"{mode}: {line}", file=sys.stderr)
    return {**_counts(report), **_size(operations), "seconds": round(time.monotonic() - began)}


def _counts(report: Report) -> dict[str, int]:
    found = {name: len(getattr(report, name)) for name in ("distinct", "moments", "damaged")}
    losing = {kind: report.losing(kind) for kind in ("accepted", "intended", "done")}
    return {"images": report.images, "thorough": report.thorough, "worst": report.worst("accepted"), **found, **losing}


def _size(operations: list[Operation]) -> dict[str, int]:
    promises = [operation for operation in operations if isinstance(operation, Promise)]
    return {
        "acknowledged": len({promise.id for promise in promises if promise.kind == "accepted"}),
        "promises": len(promises),
        "syncs": sum(isinstance(operation, Sync) for operation in operations),
    }


def main() -> int:
    """Print the table; 1 when the store lost something, or when the cross-check did not."""
    parser = argparse.ArgumentParser(prog="python -m tests.powercut", description=__doc__)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--deliveries", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    if reason := recording.why_not():
        print(f"Nothing can be recorded: {reason}.", file=sys.stderr)
        return 2
    full, normal = (figures(mode, asked.deliveries, asked.images, asked.seed) for mode in ("FULL", "NORMAL"))
    print(f"SQLite {sqlite3.sqlite_version}, seed {asked.seed}, {asked.deliveries} deliveries\n")
    print(f"| {'':<35} | as shipped | synchronous=NORMAL |\n|{'-' * 37}|{'-' * 11}:|{'-' * 19}:|")
    for title, key in ROWS:
        print(f"| {title:<35} | {full[key]:>10,} | {normal[key]:>18,} |")
    lost = full["damaged"] or full["accepted"] or full["intended"] or full["done"]
    return 1 if lost or not normal["accepted"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
