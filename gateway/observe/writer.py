"""Log lines on their way out of the process, off the event loop.

State: lines wait in a list under a lock that is never held across a system call. One daemon thread takes
them, 50 ms after the first at the latest, and writes them in one piece. What waits is bounded; beyond that
lines are dropped and counted, so a reader that stopped reading (a stuck pipe) costs lines, never latency.
"""

from __future__ import annotations

import os
import select
import threading
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_LATENCY: Final = 0.05
_BATCH: Final = 256 * 1024
_LIMIT: Final = 8 * 1024 * 1024
_RENDERED: Final = 1024
"""What a line that is not rendered yet counts for; most are shorter."""


class LineWriter:
    """Writes lines to a file descriptor from a thread of its own.

    Lines may be handed over unfinished: the thread makes many of them in one go, which costs less than one
    here and one there between other work, and nobody waits for it.

    ``fd`` stays the caller's to close; ``render`` is set before the first :meth:`write_later`. ``latency``
    is how long a line may wait for others, in seconds; ``limit`` bounds what waits, in characters. Safe to
    use from any thread, from finalizers too.
    """

    def __init__(
        self,
        fd: int,
        *,
        latency: float = _LATENCY,
        limit: int = _LIMIT,
    ) -> None:
        self._fd = fd
        self.render: Callable[[Any], str] = str
        self._latency = latency
        self._limit = limit
        # Re-entrant: a finalizer that runs inside write() may log as well.
        self._lock = threading.RLock()
        self._idle = threading.Condition(self._lock)
        self._lines: list[Any] = []
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
        self._take(line, len(line))

    def write_later(self, value: Any) -> None:
        """Take what ``render`` makes a line of, in the thread; it counts as 1,024 characters until then."""
        self._take(value, _RENDERED)

    def _take(self, line: Any, size: int) -> None:
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
            elif held > _BATCH and not self._hurry.is_set():
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
            texts = self._made(lines)
            lost = self._put("".join(texts))
            with self._idle:
                self._dropped += len(lines) if lost else len(lines) - len(texts)
                self._done += sum([len(line) if type(line) is str else _RENDERED for line in lines])
                if self._lines:
                    self._some.set()
                self._idle.notify_all()
            if closed:
                return

    def _made(self, lines: list[Any]) -> list[str]:
        """Give the lines' texts; one that cannot be rendered is left out."""
        render = self.render
        texts: list[str] = []
        for line in lines:
            try:
                texts.append(line if type(line) is str else render(line))
            except Exception:  # noqa: BLE001, S112 - a line that cannot be made must not end all logging
                continue
        return texts

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
