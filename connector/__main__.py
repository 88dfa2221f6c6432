"""Where the program begins, as `connector` and as `python -m connector`: signals and streams first, then everything else."""

from __future__ import annotations

import gc
import os
import signal
import sys
from types import FrameType

#: What shells answer for a program that SIGTERM ended.
TERMINATED = 143


def run() -> None:
    """Run the command line; see `connector.cli`."""
    catch_early_signals()
    # What is imported stays: the usual looking for garbage takes a twentieth of a start. `serve` sets its own limits then.
    gc.set_threshold(50_000)
    for stream in (sys.stdout, sys.stderr):
        # What the terminal's encoding cannot show is shown as an escape, instead of ending the command.
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")
    from connector.cli import main  # noqa: PLC0415 - takes long; the handlers must be there before

    main()


def catch_early_signals() -> None:
    """Honour SIGTERM while the imports still run: process 1 of a container would not even get it without a handler.

    `serve` replaces the handlers by its own once it has something to drain; until then there is nothing to lose.
    """
    serves = "serve" in sys.argv[1:]

    def end(_signal: int, _frame: FrameType | None) -> None:
        os._exit(0 if serves else TERMINATED)

    if serves or os.getpid() == 1:
        signal.signal(signal.SIGTERM, end)
    if serves:
        signal.signal(signal.SIGINT, end)


if __name__ == "__main__":
    run()
