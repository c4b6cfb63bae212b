"""One stream on disk: takes records, seals them into the chain, and says so once they are on disk.

A commit is all or nothing: what fails in the midst is cut off again, and the same records can be committed
later. States: open; latched after a failed fsync, when nobody can tell what is on disk (Linux reports such an
error once and then forgets it), until :meth:`Stream.reopen` has read the segment back; closed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from gateway.audit.chain import seal_all
from gateway.audit.committed import LOCK, NOTHING, tell_committed
from gateway.audit.faults import AuditError, StreamTaken, system_fault
from gateway.audit.recovery import OpenIntents, Recovered, recover
from gateway.audit.segments import (
    LEDGER,
    Segment,
    hour_of,
    make_folder,
    open_file,
    segment_name,
    sync_folder,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

SEGMENT_BYTES: Final = 64 * 1024 * 1024
"""Bytes from which on a segment is not added to, the next one is begun; so it is with one of another hour."""
LOOK_SECONDS: Final = 1.0
"""How often it is looked at whether the segment is there: each system call costs the event loop time."""
_LOCK_WAITS: Final = (0.001, 0.01, 0.05)
"""Seconds after which a lock is tried for again: whoever only asks whether it is taken lets go at once."""


class Stream:
    """A stream of one process. Not for several threads at once.

    ``last`` is the last record on disk; ``latched`` says that nothing is taken before :meth:`reopen`;
    ``untold`` that :meth:`tell` has something to tell.
    """

    def __init__(
        self,
        directory: Path,
        name: str,
        *,
        now: Callable[[], float],
        opening: Callable[[tuple[str, ...]], bytes],
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        """Lock the stream, recover what its process before left, and continue it.

        ``now`` gives seconds since the epoch. ``opening`` makes the members of the record that begins each
        segment, from the ids of the intents that are open.

        :raises StreamTaken: when another process has the stream
        :raises AuditError: when its files cannot be used
        """
        self.name = name
        self.folder = directory / LEDGER / name
        self._now = now
        self._opening = opening
        self._segment_bytes = segment_bytes
        self._fd = -1
        self._segment: Segment | None = None
        self._size = 0
        self._intents = OpenIntents()
        self.latched = False
        self._looked = 0.0
        self.untold = False
        self._lock = self._locked()
        try:
            self.recovered = self._recover()
            self._tell_committed()
        except OSError as error:
            self.close()
            raise system_fault("recover the ledger in", self.folder, error) from None
        self.last = self.recovered.last

    def _locked(self) -> int:
        try:
            make_folder(self.folder)
            lock = open_file(self.folder / LOCK, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise system_fault("write in", self.folder, error) from None
        try:
            _take(lock)
        except OSError as error:
            os.close(lock)
            if isinstance(error, BlockingIOError):
                raise StreamTaken(f"{self.folder}: another process writes this stream.") from None
            raise system_fault("lock", self.folder, error) from None
        return lock

    def _recover(self) -> Recovered:
        """Read where the stream ends, cut a torn tail off, and open the last segment to go on in it."""
        found = recover(self.folder, self.name)
        self._intents.carry(found.open)
        if found.segment is not None:
            self._fd = open_file(found.segment.path, os.O_WRONLY | os.O_APPEND)
            self._segment, self._size = found.segment, found.size
            if found.torn is not None:
                os.ftruncate(self._fd, found.size)
            # What the process before wrote last it may not have had on disk, nor the name of the file.
            os.fsync(self._fd)
            sync_folder(self.folder)
        return found

    def _tell_committed(self) -> None:
        segment = NOTHING.segment if self._segment is None else self._segment.path.name
        tell_committed(self._lock, segment, self._size)
        self.untold = False

    def tell(self) -> None:
        """Let the follower know how far the stream is committed: not after each commit, for it takes time.

        Should that fail, it hears of it another time.
        """
        with suppress(OSError):
            self._tell_committed()

    def commit(self, records: Iterable[bytes]) -> None:
        """Have ``records``, the members of each, on disk behind the last one; all or none.

        :raises AuditError: when they are not; unless the stream is latched they may be tried again
        """
        if self.latched:
            raise AuditError(f"{self.folder}: the ledger waits to be checked after a failed write.")
        members = self._begun(records)
        name = self.name.encode("ascii")
        piece, last = seal_all(name, self.last, members)
        try:
            self._put(piece)
            for one in members:
                self._intents.note(one)
        except Exception as error:
            if not isinstance(error, AuditError):
                self.latched = True  # a bug, or no memory: nobody knows how far it came
            raise
        self.last = last
        self._size += len(piece)
        self.untold = True

    def _begun(self, records: Iterable[bytes]) -> list[bytes]:
        """Give ``records`` with the one that begins a segment before them, if one is to be begun."""
        hour = hour_of(self._now())
        segment = self._segment
        if segment is None or self._size >= self._segment_bytes or segment.hour != hour:
            self._begin_segment(hour)
        return [self._opening(self._intents.ids), *records] if self._size == 0 else [*records]

    def _begin_segment(self, hour: str) -> None:
        """Go on in a new file. One that was left empty is removed: its name tells another hour."""
        first = self.last.seq + 1
        before = self._segment
        path = self.folder / segment_name(first, hour)
        if before is not None and (path == before.path or (not self._size and hour < before.hour)):
            return  # it is full of damage; or the clock was set back, and names have to sort
        try:
            fd = open_file(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            try:
                if os.fstat(fd).st_size:
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
                sync_folder(self.folder)
            except OSError:
                os.close(fd)
                raise
        except OSError as error:
            raise system_fault("begin a segment of the ledger in", self.folder, error) from None
        self._close_segment()
        if before is not None and not self._size:
            with suppress(OSError):
                before.path.unlink()
        self._fd, self._segment, self._size = fd, Segment(path, first, hour), 0

    def _put(self, piece: bytes) -> None:
        """Write and sync, or cut back to what was there; what is in a file that was removed is not there."""
        assert self._segment is not None
        path = self._segment.path
        rest = memoryview(piece)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            try:
                os.ftruncate(self._fd, self._size)
                os.fsync(self._fd)  # or a later segment might begin behind a tail that comes back
            except OSError:
                self.latched = True
            raise system_fault("write", path, error) from None
        try:
            os.fdatasync(self._fd)
            self._look(path)
        except OSError as error:
            self.latched = True
            # A process that starts after this one must not find in memory what may not be on disk.
            with suppress(OSError):
                os.ftruncate(self._fd, self._size)
            raise system_fault("have on disk what was written to", path, error) from None

    def _look(self, path: Path) -> None:
        """Look now and then whether what is written to is still where it was.

        :raises OSError: when it was removed, or another file is in its place
        """
        now = time.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            if not os.path.samestat(path.stat(), os.fstat(self._fd)):
                raise FileNotFoundError(errno.ENOENT, "Another file is in its place")

    def reopen(self) -> None:
        """Open the segment anew, prove that it holds all that was committed, and cut off what was not.

        :raises AuditError: when it does not, or the system still fails; the stream stays latched
        """
        segment = self._segment
        assert segment is not None
        try:
            fd = open_file(segment.path, os.O_WRONLY | os.O_APPEND)
            self._close_segment()
            self._fd = fd
            os.ftruncate(fd, self._size)
            os.fsync(fd)
            sync_folder(self.folder)
            found = recover(self.folder, self.name)
        except OSError as error:
            raise system_fault("reopen", segment.path, error) from None
        damaged = found.damaged and not self.recovered.damaged
        if found.last != self.last or found.torn is not None or damaged:
            raise AuditError(f"{segment.path}: records that were on disk are not there any more.")
        self.tell()
        self.latched = False

    def _close_segment(self) -> None:
        if self._fd >= 0:
            with suppress(OSError):
                os.close(self._fd)
            self._fd = -1

    def close(self) -> None:
        """Let go of the files and of the lock. What was committed is on disk."""
        if self.untold:
            self.tell()
        self._close_segment()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _take(lock: int) -> None:
    """Lock a stream for good; :func:`is_taken` has it for a moment, others until they end.

    :raises OSError: when it cannot be had
    """
    for seconds in _LOCK_WAITS:
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(seconds)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_taken(folder: Path) -> bool:
    """Say whether a process has the stream whose folder this is.

    :raises OSError: when that cannot be told
    """
    try:
        lock = open_file(folder / LOCK)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False
