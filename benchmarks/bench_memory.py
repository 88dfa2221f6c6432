"""Resident memory of the whole process (receiver, worker, status page) with 100,000 events waiting."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

import uvloop
from load import run
from measuring import machine, table
from world import World, world

from connector.store import Store


async def measure(folder: Path, events: int) -> list[tuple[str, float, float]]:
    """(moment, MB now, MB at most so far); both remote systems are down, so that everything waits."""
    found = []
    # As at every start but the first, which holds 2 MB more for the library that makes the tables.
    await Store.open(folder / "connector.db").close()
    async with world(folder, down=True) as here:
        await asyncio.sleep(2)
        found.append(_memory(here, "after the start"))
        port, stored, round_number = int(here.url.rpartition(":")[2]), 0, 0
        while stored < events:
            round_number += 1
            await run(port, 32, 3.0, "benchmark", f"r{round_number}")
            stored = sum((await here.status())["queue"].values())
        found.append(_memory(here, f"{stored:,} events waiting"))
    return found


def _memory(here: World, moment: str) -> tuple[str, float, float]:
    memory = here.memory()
    return moment, memory["now"], memory["peak"]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--folder", default=".")
    args = parser.parse_args()
    print(f"Machine: {machine()}")
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        found = uvloop.run(measure(Path(name), args.events))
    rows = [[moment, f"{now:.1f}", f"{peak:.1f}"] for moment, now, peak in found]
    table("Memory of the whole process", ("when", "resident MB", "highest MB"), rows)


if __name__ == "__main__":
    main()
