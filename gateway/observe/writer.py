"""Log lines on their way out of the process, off the event loop.

State: lines wait in a list under a lock that is never held across a system call. One daemon thread takes
them, 50 ms after the first at the latest, and writes them in one piece. What waits is bounded; beyond that
lines are dropped and counted, so a reader that stopped reading (a stuck pipe) costs lines, never latency.
"""

from __future__ import annotations

import os
import select
import threading
from typing import Final

_LATENCY: Final = 0.05
_BATCH: Final = 64 * 1024
_LIMIT: Final = 8 * 1024 * 1024


class LineWriter:
    """Writes lines to a file descriptor from a thread of its own.

    ``fd`` stays the caller's to close. ``latency`` is how long a line may wait for others, in seconds;
    ``limit`` bounds what waits, in characters. Safe to use from any thread, from finalizers too.
    """

    def __init__(self, fd: int, *, latency: float = _LATENCY, limit: int = _LIMIT) -> None:
        self._fd = fd
        self._latency = latency
        self._limit = limit
        # Re-entrant: a finalizer that runs inside write() may log as well.
        self._lock = threading.RLock()
        self._idle = threading.Condition(self._lock)
        self._lines: list[str] = []
        # Characters taken and done with, written or lost; the difference is what waits.
        self._taken = 0
        self._done = 0
        self._dropped = 0
        self._closed = False
        self._some = threading.Event()
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """How many lines were lost so far: no room, no reader any more, or written after the close."""
        return self._dropped

    def write(self, line: str) -> None:
        """Take ``line``, its line feed included. Never blocks on the reader and never raises."""
        size = len(line)
        with self._lock:
            taken = self._taken + size
            held = taken - self._done
            if held > self._limit or self._closed:
                self._dropped += 1
                return
            self._taken = taken
            self._lines.append(line)
            if held == size:
                self._some.set()
            elif held > _BATCH:
                self._hurry.set()

    def flush(self, timeout: float) -> bool:
        """Wait at most ``timeout`` seconds until all lines taken so far are out; False if they are not."""
        with self._idle:
            target = self._taken
            if self._done < target:
                self._hurry.set()
            return self._idle.wait_for(lambda: self._done >= target, timeout)

    def close(self, timeout: float = 2.0) -> bool:
        """Take no more lines and flush; False if ``timeout`` seconds were not enough (the rest is lost)."""
        with self._lock:
            self._closed = True
            self._some.set()
        flushed = self.flush(timeout)
        if flushed:
            self._thread.join()
        return flushed

    def _run(self) -> None:
        while True:
            self._some.wait()
            if not self._closed:
                self._hurry.wait(self._latency)
            with self._lock:
                lines, self._lines = self._lines, []
                self._some.clear()
                self._hurry.clear()
                closed = self._closed
            lost = self._put("".join(lines))
            with self._idle:
                self._dropped += len(lines) if lost else 0
                self._done += sum(map(len, lines))
                if self._lines:
                    self._some.set()
                self._idle.notify_all()
            if closed:
                return

    def _put(self, text: str) -> bool:
        """Write all of ``text``; True when the descriptor takes no more."""
        rest = memoryview(text.encode("utf-8", "backslashreplace"))
        while rest:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:  # somebody who shares the descriptor made it non-blocking
                poll = select.poll()
                poll.register(self._fd, select.POLLOUT)
                poll.poll()
            except OSError:
                return True
        return False
