"""How much of Booxi's quota (5 a second, 300 a minute) is used while a backlog is drained, without a single 429."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

import uvloop
from measuring import machine, table
from world import fill, world

from connector.sandbox.booxi.app import BooxiSandbox

LIMITS = ("{ per_second = 5, per_minute = 300 }", "{ per_10_seconds = 100, search_per_second = 5 }")


async def measure(folder: Path, seconds: float) -> tuple[int, int]:
    """Calls made within `seconds` of steady work, and how many of them were refused."""
    booxi = BooxiSandbox(quota=(5, 300))
    async with world(folder, limits=LIMITS, booxi=booxi) as here:
        fill(booxi, int(seconds * 5))
        await booxi.send_webhooks(concurrency=32)
        await asyncio.sleep(5)
        before = sum(booxi.statuses.values())
        await asyncio.sleep(seconds)
        calls = sum(booxi.statuses.values()) - before
        if not (await here.status())["queue"]["queued"]:
            raise SystemExit("the backlog was too small: nothing was left to do at the end")
        return calls, booxi.meter.throttled


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--folder", default=".")
    args = parser.parse_args()
    print(f"Machine: {machine()}")
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        calls, refused = uvloop.run(measure(Path(name), args.seconds))
    allowed = args.seconds * 5
    rows = [[f"{calls:,}", f"{allowed:,.0f}", f"{calls / allowed:.1%}", str(refused)]]
    table(f"Booxi's quota over {args.seconds:.0f} s of backlog", ("calls made", "calls allowed", "share used", "429s"), rows)


if __name__ == "__main__":
    main()
