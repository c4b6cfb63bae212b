"""The ledger of one process: takes records on the event loop, and has one thread put them on disk.

Group commit: whatever came in while the last fsync ran goes out with the next, so that many requests share
one. The loop hands over at the end of a turn, and one batch at a time: the busier it is, the more requests
share what a hand-over, a commit and the way back cost.

Modes (``audit.durability``): ``batch`` commits every 100 ms and nobody waits; with ``blocking`` and
``blocking-strict`` each record is waited for. What cannot be written is tried again until it can. A failure
is a write that failed, one that takes longer than anybody waits, or more waiting than may: meanwhile
``batch`` drops and counts what is too much, the others are not ``available``.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from queue import Empty, SimpleQueue
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Final

from gateway.audit.faults import AuditError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from gateway.audit.stream import Stream

BATCH_SECONDS: Final = 0.1
TELL_SECONDS: Final = 0.1
"""How long the follower may wait to hear of what is on disk."""
RETRY_SECONDS: Final = 0.25
WAIT_SECONDS: Final = 5.0
"""How long a record is waited for; whoever waits longer is told that it may not be on disk."""
MAX_RECORDS: Final = 20_000
MAX_BYTES: Final = 64 * 1024 * 1024
"""How much may wait to be written. Records of requests under way are taken all the same."""


class _Batch:
    """Records that are committed together, and who waits for them: until ``due``, on the loop's clock.

    ``due`` begins anew when the batch is handed over: how long the loop was busy says nothing of the disk.
    """

    __slots__ = ("due", "releases", "size", "values")

    def __init__(self, due: float) -> None:
        self.due = due
        self.values: list[Any] = []
        self.releases: list[Callable[[bool], None]] = []
        self.size = 0


class Ledger:
    """All methods but ``_run`` and below are the event loop's.

    ``failure`` is why records are not written at present, None where they are. ``refused`` is how many
    requests the caller turned away for that, ``lost`` how many records were dropped in mode ``batch``, and
    ``written`` how many went to disk, all since the start.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        stream: Stream,
        render: Callable[[Any], bytes],
        *,
        blocking: bool,
        recovered: Callable[[int, int], Any],
        told: Callable[[AuditError | None], None],
        before: Callable[[], None] | None = None,
    ) -> None:
        """Begin to write.

        ``render`` makes a record's members of what is put, in the thread. Should it raise, or anything else
        there, that is a failure, too, and it is tried again as long as it lasts. ``recovered``
        makes the record that tells, after a failure, how many requests were refused for it and how many
        records lost. ``told`` hears of a failure, and with None of its end, on the loop. ``before`` is called
        in the thread before each commit, and raises AuditError where that must not be.
        """
        self._loop = loop
        self._stream = stream
        self._render = render
        self._blocking = blocking
        self._recovered = recovered
        self._told = told
        self._before = before
        self._queue: SimpleQueue[_Batch | None] = SimpleQueue()
        self._next: _Batch | None = None
        self._under_way: deque[_Batch] = deque()
        self._taken = 0
        self._bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._stop = threading.Event()
        self._until = 0.0
        self._told_at = 0.0
        self.failure: AuditError | None = None
        self.refused = 0
        self._refused_before = 0
        self.lost = 0
        self._lost_before = 0
        self.written = 0
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    @property
    def available(self) -> bool:
        """Whether new requests may be taken on: their records could be written, or need not be."""
        return self.failure is None or not self._blocking

    @property
    def queued(self) -> int:
        """How many records wait to be written; after :meth:`close`, how many never were."""
        return self._taken - self.written

    def put(self, value: Any, size: int, release: Callable[[bool], None] | None = None) -> None:
        """Take a record; ``size`` is about how many bytes it holds until it is written.

        ``release`` is called on the loop: with True once the record is on disk, with False where that could
        not be had in ``WAIT_SECONDS``; the record is still written then as soon as it can be. Without a
        ``release`` nobody waits.
        """
        if self._bytes >= MAX_BYTES or self._taken - self.written >= MAX_RECORDS:
            self._failed(AuditError(f"{self._stream.folder}: the disk does not keep up with the records."))
            if not self._blocking:
                self.lost += 1
                if release is not None:
                    release(False)
                return
        self._add(value, size, release)

    def _add(self, value: Any, size: int, release: Callable[[bool], None] | None) -> None:
        batch = self._next
        if batch is None:
            batch = self._next = _Batch(self._loop.time() + WAIT_SECONDS)
            if not self._under_way:
                self._begin()
        batch.values.append(value)
        batch.size += size
        if release is not None:
            batch.releases.append(release)
            if self._timer is None:
                self._timer = self._loop.call_at(batch.due, self._ring)
        self._taken += 1
        self._bytes += size

    def _begin(self) -> None:
        """Have the next batch handed over, when this turn is over or when it is time for it."""
        if self._blocking:
            self._loop.call_soon(self._hand_over)
        else:
            self._loop.call_later(BATCH_SECONDS, self._hand_over)

    def _hand_over(self) -> None:
        batch, self._next = self._next, None
        if batch is not None:
            batch.due = self._loop.time() + WAIT_SECONDS
            self._under_way.append(batch)
            self._queue.put(batch)

    def close(self, seconds: float) -> bool:
        """Write what waits and end the thread; False if ``seconds`` were not enough for it to end.

        Where the disk still fails then, the thread ends without having written all: see ``queued``.
        """
        if self.failure is not None and not self._stop.is_set():
            self._tell_of_outage()
        self._hand_over()
        self._until = monotonic() + seconds
        self._stop.set()
        self._queue.put(None)
        self._thread.join(seconds + RETRY_SECONDS)
        if self._timer is not None:
            self._timer.cancel()
        return not self._thread.is_alive()

    def _done(self) -> None:
        """Release those who wait for the oldest batch: it is on disk."""
        batch = self._under_way.popleft()
        self._bytes -= batch.size
        if self._next is not None:
            self._begin()
        self._release(batch.releases, durable=True)
        if self._stop.is_set():
            return
        if self.failure is not None and self.queued <= MAX_RECORDS // 2 and self._bytes <= MAX_BYTES // 2:
            self._well()

    def _release(self, releases: list[Callable[[bool], None]], *, durable: bool) -> None:
        """Tell those who wait; should that end in an error for one, the others are told all the same."""
        for release in releases:
            try:
                release(durable)
            except Exception as error:  # noqa: BLE001 - a bug in what one request does next
                context = {"message": "a request failed after its record", "exception": error}
                self._loop.call_exception_handler(context)

    def _ring(self) -> None:
        """Look who has waited for too long, once the thread's news that came meanwhile are heard."""
        self._loop.call_soon(self._overdue)

    def _overdue(self) -> None:
        """Tell those that have waited for too long; what waits is in the order in which it came."""
        self._timer = None
        now = self._loop.time()
        overdue: list[Callable[[bool], None]] = []
        for batch in (*self._under_way, *([self._next] if self._next else [])):
            if batch.due > now:
                self._timer = self._loop.call_at(batch.due, self._ring)
                break
            overdue += batch.releases
            batch.releases = []
        if overdue:
            # It may hang rather than fail: then this is the only sign.
            seconds = f"{WAIT_SECONDS:g} seconds"
            self._failed(AuditError(f"{self._stream.folder}: nothing was on disk within {seconds}."))
        self._release(overdue, durable=False)

    def _failed(self, failure: AuditError) -> None:
        first = self.failure is None
        self.failure = failure
        if first:
            self._told(failure)

    def _well(self) -> None:
        self.failure = None
        self._tell_of_outage()
        self._told(None)

    def _tell_of_outage(self) -> None:
        """Have a record of what was refused and lost since the last such record."""
        refused, self._refused_before = self.refused - self._refused_before, self.refused
        lost, self._lost_before = self.lost - self._lost_before, self.lost
        self._add(self._recovered(refused, lost), 0, None)

    # the thread

    def _run(self) -> None:
        while (batch := self._next_batch()) is not None:
            members: list[bytes] = []
            while (failure := self._commit(batch, members)) is not None:
                self._tell(self._failed, failure)
                if not self._again():
                    return
            self.written += len(members)
            self._tell(self._done)

    def _next_batch(self) -> _Batch | None:
        """Wait for the next batch, None for the end; tell now and then what the last ones came to."""
        stream = self._stream
        if stream.untold and monotonic() - self._told_at < TELL_SECONDS:
            with suppress(Empty):
                return self._queue.get(timeout=TELL_SECONDS)
        if stream.untold:
            self._told_at = monotonic()
            stream.tell()
        return self._queue.get()

    def _again(self) -> bool:
        """Wait until a write that failed is to be tried again; False where there is no time left for that."""
        if self._stop.wait(RETRY_SECONDS):
            left = self._until - monotonic()
            sleep(min(max(left, 0), RETRY_SECONDS))
            return left > 0
        return True

    def _commit(self, batch: _Batch, members: list[bytes]) -> AuditError | None:
        """Have a batch on disk, or say why it is not; ``members`` keeps what it is rendered to."""
        stream = self._stream
        try:
            if not members:
                members += [self._render(value) for value in batch.values]
            if stream.latched:
                stream.reopen()
            if self._before is not None:
                self._before()
            stream.commit(members)
        except AuditError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a bug, or no memory: the thread goes on, as with a bad disk
            if self.failure is None:
                context = {"message": "the ledger's thread failed", "exception": error}
                self._tell(self._loop.call_exception_handler, context)
            return AuditError(f"{stream.folder}: cannot write: internal error ({type(error).__name__}).")
        return None

    def _tell(self, function: Callable[..., None], *arguments: Any) -> None:
        with suppress(RuntimeError):  # the loop has ended: nobody is left to hear of it
            self._loop.call_soon_threadsafe(function, *arguments)
