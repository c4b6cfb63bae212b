"""One stream on disk: takes records, seals them into the chain, and says so once they are on disk.

A commit is all or nothing: what fails in the midst is cut off again, and the same records can be committed
later. States: open; latched after a failed fsync, when nobody can tell what is on disk (Linux reports such an
error once and then forgets it), until :meth:`Stream.reopen` has read the segment back; closed.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from gateway.audit.chain import seal_all
from gateway.audit.faults import AuditError, StreamTaken, system_fault
from gateway.audit.recovery import OpenIntents, Recovered, recover
from gateway.audit.segments import LEDGER, Segment, hour_of, segment_name, sync_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

SEGMENT_BYTES: Final = 64 * 1024 * 1024
"""Bytes from which on a segment is not added to, the next one is begun; so it is with one of another hour."""


class Stream:
    """A stream of one process. Not for several threads at once.

    ``last`` is the last record on disk; ``latched`` says that nothing is taken before :meth:`reopen`.
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
        self._lock = self._locked()
        try:
            self.recovered = self._recover()
        except OSError as error:
            self.close()
            raise system_fault("recover the ledger in", self.folder, error) from None
        self.last = self.recovered.last

    def _locked(self) -> int:
        try:
            if not self.folder.is_dir():
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                sync_folder(self.folder.parent)
                sync_folder(self.folder.parent.parent)
            lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise system_fault("write in", self.folder, error) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
            self._fd = os.open(found.segment.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            self._segment, self._size = found.segment, found.size
            if found.torn:
                os.ftruncate(self._fd, found.size)
                os.fsync(self._fd)
        return found

    def commit(self, records: Iterable[bytes]) -> None:
        """Have ``records``, the members of each, on disk behind the last one; all or none.

        :raises AuditError: when they are not; unless the stream is latched they may be tried again
        """
        if self.latched:
            raise AuditError(f"{self.folder}: the ledger waits to be checked after a failed write.")
        members = self._begun(records)
        name = self.name.encode("ascii")
        piece, last = seal_all(name, self.last, members)
        self._put(piece)
        self.last = last
        self._size += len(piece)
        for one in members:
            self._intents.note(one)

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
            fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
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
        """Write and sync, or cut back to what was there."""
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
        except OSError as error:
            self.latched = True
            # A process that starts after this one must not find in memory what may not be on disk.
            with suppress(OSError):
                os.ftruncate(self._fd, self._size)
            raise system_fault("have on disk what was written to", path, error) from None

    def reopen(self) -> None:
        """Open the segment anew, prove that it holds all that was committed, and cut off what was not.

        :raises AuditError: when it does not, or the system still fails; the stream stays latched
        """
        segment = self._segment
        assert segment is not None
        try:
            fd = os.open(segment.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            self._close_segment()
            self._fd = fd
            os.ftruncate(fd, self._size)
            os.fsync(fd)
            sync_folder(self.folder)
            found = recover(self.folder, self.name)
        except OSError as error:
            raise system_fault("reopen", segment.path, error) from None
        damaged = found.damaged and not self.recovered.damaged
        if found.last != self.last or found.torn or damaged:
            raise AuditError(f"{segment.path}: records that were on disk are not there any more.")
        self.latched = False

    def _close_segment(self) -> None:
        if self._fd >= 0:
            with suppress(OSError):
                os.close(self._fd)
            self._fd = -1

    def close(self) -> None:
        """Let go of the files and of the lock. What was committed is on disk."""
        self._close_segment()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def is_taken(folder: Path) -> bool:
    """Say whether a process has the stream whose folder this is.

    :raises OSError: when that cannot be told
    """
    try:
        lock = os.open(folder / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False
