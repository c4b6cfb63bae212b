"""The audit trail of a running gateway: opened before anything is served, closed when all has ended.

One process writes two streams: what happens to requests goes into the one of its worker slot, and what
happens to the gateway as a whole (configurations, reads of the audit, pruning) into the supervisor's. Both
tell when a process begins and ends to write them.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from gateway import __version__
from gateway.audit import records
from gateway.audit.chain import OPS
from gateway.audit.content.writer import ContentWriter
from gateway.audit.faults import AuditError, StreamTaken
from gateway.audit.instance import Keys, instance_id
from gateway.audit.ledger import WAIT_SECONDS, Ledger
from gateway.audit.records import Marks
from gateway.audit.start import settle_idle, take_over
from gateway.audit.trail import AuditTrail
from gateway.listener.ids import RequestIds
from gateway.observe.logs import get_logger
from gateway.process.following import FollowerProcess
from gateway.process.upkeep import Upkeep, log_heads

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from gateway.audit.chain import Link
    from gateway.audit.stream import Stream
    from gateway.config.model import Audit

CLOSE_SECONDS: Final = 10.0
"""How long the last records may take to be written."""

_log = get_logger()


class ProcessAudit:
    """The trail of one process, and what is told of the gateway itself."""

    def __init__(self, loop: asyncio.AbstractEventLoop, settings: Audit, revision: str) -> None:
        """Take the streams over and tell of the start.

        :raises StreamTaken: when another gateway has the directory
        :raises AuditError: when the directory, its keys or its streams cannot be used
        """
        self._loop = loop
        self._revision = revision
        self.marks = Marks(_SafeIds().next, time.time)
        instance = instance_id(settings.directory)
        keys = Keys(settings.directory)
        with ExitStack() as opened:
            self._ops_stream = self._open(settings, instance + OPS, opened)
            settle_idle(settings.directory, instance, self.marks)
            self._stream = self._open(settings, f"{instance}.0", opened)
            content = (
                None
                if settings.content == "none"
                else ContentWriter(settings.directory, self._stream.name, now=self.marks.now)
            )
            opened.pop_all()
        self.trail = AuditTrail(loop, self._stream, keys, settings, self.marks, content, _tell)
        self._ops = Ledger(
            loop, self._ops_stream, _as_it_is, blocking=True, recovered=self._restored, told=_tell
        )
        self._follower = FollowerProcess(settings)
        self._upkeep = Upkeep(settings, self.marks, self._commit, self._heads, lambda: self._follower.indexed)
        self._started = False

    def _open(self, settings: Audit, name: str, opened: ExitStack) -> Stream:
        started = records.started(
            self.marks(), revision=self._revision, version=__version__, durability=settings.durability
        )
        try:
            stream = take_over(settings.directory, name, self.marks, [started])
        except StreamTaken:
            raise _taken(settings.directory) from None
        opened.callback(stream.close)
        return stream

    def start(self) -> None:
        """Begin to fill the index and to look after the ledger."""
        self._started = True
        self._follower.start()
        self._upkeep.start()

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the gateway is not ready, as far as this is concerned."""
        return () if self.trail.available else ("audit_unavailable",)

    @property
    def counts(self) -> Mapping[str, int]:
        """What became of records since the start: of those that were written, lost, and refused to make."""
        worker = self.trail.ledger
        return {
            "written": worker.written + self._ops.written,
            "lost": worker.lost,
            "refused": worker.refused,
        }

    @property
    def lag(self) -> float:
        """By how many seconds the index is behind the ledger."""
        return self._follower.lag

    @property
    def queued(self) -> int:
        """How many records wait to be written."""
        return self.trail.ledger.queued + self._ops.queued

    def applied(self, revision: str, previous: str) -> None:
        """Tell of a reload."""
        self._put(records.config_applied(self.marks(), revision=revision, previous=previous))

    def refused(self, revision: str, faults: Sequence[str]) -> None:
        """Tell of a reload that was refused; ``revision`` stays in force."""
        self._put(records.config_refused(self.marks(), revision=revision, faults=faults))

    async def note(self, members: bytes) -> bool:
        """Have a record of the supervisor's stream on disk; False if that cannot be had in time."""
        done: asyncio.Future[bool] = self._loop.create_future()

        def release(durable: bool) -> None:
            if not done.done():
                done.set_result(durable)

        self._ops.put(members, len(members), release)
        return await done

    def close(self, revision: str, *, drained: bool) -> bool:
        """Tell of the end, have all on disk, and let the index take it; False where records were lost."""
        self._upkeep.close()
        self.trail.tell(records.stopped(self.marks(), revision=revision, drained=drained))
        self._put(records.stopped(self.marks(), revision=revision, drained=drained))
        until = time.monotonic() + CLOSE_SECONDS
        written = self.trail.close(CLOSE_SECONDS)
        if self._ops.close(max(1.0, until - time.monotonic())):
            self._ops_stream.close()
        if not written or self._ops.queued:
            _log.error("audit_lost", records=self.queued, refused=self.trail.ledger.refused)
        if self._started:
            log_heads(self._heads())
        self._follower.close()
        return self.queued == 0

    def _put(self, members: bytes) -> None:
        self._ops.put(members, len(members))

    def _commit(self, told: list[bytes]) -> None:
        """Have records of the supervisor's stream on disk; for other threads than the loop's."""
        done: Future[bool] = Future()

        def put() -> None:
            for members in told[:-1]:
                self._put(members)
            self._ops.put(told[-1], len(told[-1]), done.set_result)

        try:
            self._loop.call_soon_threadsafe(put)
            durable = done.result(2 * WAIT_SECONDS)
        except (RuntimeError, TimeoutError):  # the loop has ended, or is about to
            durable = False
        if not durable:
            raise AuditError(f"{self._ops_stream.folder}: what is to be removed could not be told.")

    def _heads(self) -> dict[str, Link]:
        return {stream.name: stream.last for stream in (self._stream, self._ops_stream) if stream.last.seq}

    def _restored(self, refused: int, lost: int) -> bytes:
        return records.restored(self.marks(), refused=refused, lost=lost)


class _SafeIds:
    """Makes ids for several threads: the loop, the ledgers' and the one for upkeep."""

    def __init__(self) -> None:
        self._ids = RequestIds()
        self._lock = threading.Lock()

    def next(self) -> str:
        with self._lock:
            return self._ids.next()


def _as_it_is(members: bytes) -> bytes:
    return members


def _taken(directory: Path) -> StreamTaken:
    return StreamTaken(
        f"{directory}: another gateway writes its audit trail here; each needs one of its own."
    )


def _tell(failure: AuditError | None) -> None:
    if failure is None:
        _log.info("audit_restored")
    else:
        _log.error("audit_unavailable", fault=str(failure))
