"""What stands between the loggers and the stream: a limit for other libraries' lines, and a writer that nobody waits for.

A log reader that stands still (a full pipe, a slow disk) would otherwise stop the event loop in the middle of a request.
"""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TextIO

#: Lines and characters that wait for a slow reader at most; what comes then is dropped and counted.
MAX_LINES = 10_000
MAX_CHARACTERS = 16_000_000
#: Lines that one foreign logger may write in a window of so many seconds.
FOREIGN_LINES, FOREIGN_SECONDS = 20, 10.0


class ForeignLimit(logging.Filter):
    """Lets each logger that is not ours write some lines in each window; the first one afterwards says how many were dropped.

    Strangers can make a server's library write a line for each bad request, before anything of ours has seen it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        #: Logger → [start of its window, lines in it, lines dropped]. Loggers are named by libraries, so there are few.
        self._windows: dict[str, list[float]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line may be written. Ours come from structlog, as dictionaries, and always may."""
        if isinstance(record.msg, dict):
            return True
        now = self._clock()
        window = self._windows.setdefault(record.name, [now, 0, 0])
        if now - window[0] >= FOREIGN_SECONDS:
            if window[2]:
                record.dropped_before = int(window[2])
            window[:] = [now, 0, 0]
        window[1] += 1
        if window[1] > FOREIGN_LINES:
            window[2] += 1
            return False
        return True


class DirectHandler(logging.StreamHandler[TextIO]):
    """Writes at once: right for commands that end. What the stream's encoding cannot say is written as an escape."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        try:
            encoding = getattr(self.stream, "encoding", None) or "utf-8"
            line = self.format(record).encode(encoding, "backslashreplace").decode(encoding)
            self.stream.write(line + self.terminator)
            self.flush()
        except Exception:  # as the standard handler: a log line is no reason for a failure
            self.handleError(record)


class QueuedHandler(logging.Handler):
    """Formats where it is called and writes in a thread of its own; drops and counts when the reader is too slow.

    It writes to the file descriptor itself: a thread that waits inside Python's buffered stream could not be left alone when
    the process ends.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._lines: deque[str] = deque()
        self._characters = 0
        self._changed = threading.Condition()
        self._busy = self._closed = False
        self._missing = 0
        #: Lines that were dropped since the start.
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="connector-log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Hand one line to the writer; never waits."""
        try:
            line = self.format(record) + "\n"
        except Exception:  # as the standard handler: a log line is no reason for a failure
            self.handleError(record)
            return
        with self._changed:
            if len(self._lines) >= MAX_LINES or self._characters + len(line) > MAX_CHARACTERS:
                self.dropped += 1
                self._missing += 1
                return
            self._lines.append(line)
            self._characters += len(line)
            self._changed.notify_all()

    def drain(self, seconds: float) -> bool:
        """Wait until everything is written, but not longer; whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._lines and not self._busy, seconds)

    def close(self) -> None:
        """Write what can be written within a second, then end the thread."""
        drained = self.drain(1.0)
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if drained:
            self._thread.join(1.0)
        super().close()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines or self._closed)
                if not self._lines:
                    return
                line, self._busy = self._lines.popleft(), True
                self._characters -= len(line)
                lost, self._missing = self._missing, 0
            self._write(line + self._about(lost) if lost else line)
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _about(self, lost: int) -> str:
        text = "log lines were dropped: the reader was too slow"
        record = logging.LogRecord("connector.log", logging.WARNING, "", 0, text, None, None)
        record.dropped = lost
        return self.format(record) + "\n"

    def _write(self, text: str) -> None:
        try:
            number = self._stream.fileno()
        except (OSError, AttributeError, ValueError):
            self._stream.write(text)
            return
        data = memoryview(text.encode("utf-8", "backslashreplace"))
        while data:
            try:
                data = data[os.write(number, data) :]
            except BlockingIOError:
                # Whoever shares the pipe has made it non-blocking.
                select.select([], [number], [])
            except OSError:
                # Nobody will ever read it, or the disk is full.
                with self._changed:
                    self.dropped += 1
                return
