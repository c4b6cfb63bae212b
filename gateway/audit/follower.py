"""The follower: reads the ledger's streams and fills an index with them, each record exactly once.

It remembers nothing that matters: how far a stream was read is kept by the index, in the transaction that
took the records. So it can be killed anywhere, and two of them only get in each other's way. It holds one
batch at a time, however far behind it is and however long the index is away.

Lines are proven as they are read. What is no sound line, or has a number that was there before, is passed
over, counted and told; ``verify`` says more. Nothing in a ledger stops the follower.
"""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.audit.chain import Link, follows, unseal
from gateway.audit.faults import AuditError
from gateway.audit.index import START, Batch, Index, IndexUnavailable, Position, PositionMoved
from gateway.audit.index.row import read_moment, read_row
from gateway.audit.segments import Segment, segments, streams

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from gateway.audit.index.row import Row

POLL_SECONDS: Final = 0.25
RETRY_SECONDS: Final = 15.0
"""Longest time between two attempts while the index is away; it doubles from that of a poll."""
BATCH_RECORDS: Final = 4096
BATCH_BYTES: Final = 4 * 1024 * 1024
"""What one transaction takes at most. A longer line is damage."""

_TIME: Final = re.compile(rb'"time":"([^"]{1,40})"')
_HEAD_BYTES: Final = 4096
"""Where the time of a record is to be found: it is among its first members."""


class Lag(NamedTuple):
    """How far the index is behind: the age of the oldest record that it has not, and bytes of the ledger."""

    seconds: float
    size: int


class Follower:
    """Follows one audit directory. Not for several threads at once, but for :meth:`lag`.

    ``failure`` is why it cannot go on at present, None where it can; ``records`` and ``faults`` are what it
    took and what it passed over, since it was made.
    """

    def __init__(
        self,
        directory: Path,
        index: Index,
        *,
        told: Callable[[str], None] = lambda _: None,
        now: Callable[[], float] = time.time,
        batch_records: int = BATCH_RECORDS,
        batch_bytes: int = BATCH_BYTES,
    ) -> None:
        """``told`` hears, in sentences, of what it passed over, and of an outage's begin and end.

        ``now`` gives seconds since the epoch.
        """
        self._directory = directory
        self._index = index
        self._told = told
        self._now = now
        self._limits = batch_records, batch_bytes
        self._positions: Mapping[str, Position] | None = None
        self.failure: AuditError | None = None
        self.records = 0
        self.faults = 0

    def step(self) -> int:
        """Take one batch of each stream; give how many records they had. No records are not the end.

        :raises IndexUnavailable: when the index is away; nothing is lost, and a later step goes on
        :raises AuditError: when the ledger cannot be read
        """
        return self._step().records

    def catch_up(self, progress: Callable[[int], None] = lambda _: None) -> None:
        """Take all there is at present. ``progress`` hears how many bytes of the ledger each step took.

        :raises AuditError: as :meth:`step`
        """
        while (moved := self._step()).size:
            progress(moved.size)

    def run(self, stop: threading.Event, poll_seconds: float = POLL_SECONDS) -> None:
        """Follow until ``stop`` is set. Whatever fails is told and tried again, at growing intervals."""
        delay = poll_seconds
        while not stop.is_set():
            try:
                moved = self._step().size
            except AuditError as error:
                self._failed(error)
                stop.wait(delay)
                delay = min(2 * delay, RETRY_SECONDS)
                continue
            if self.failure is not None:
                self.failure = None
                self._told("The index can be used again.")
            delay = poll_seconds
            if not moved:
                stop.wait(poll_seconds)

    def lag(self) -> Lag | None:
        """Give how far the index is behind; None as long as it has not been asked how far it is.

        :raises AuditError: when the ledger cannot be read
        """
        positions = self._positions
        return None if positions is None else lag_behind(self._directory, positions, self._now())

    @property
    def indexed(self) -> Mapping[str, int]:
        """The number of the last record of each stream that the index has; none while that is not known."""
        return {name: position.link.seq for name, position in (self._positions or {}).items()}

    def _failed(self, error: AuditError) -> None:
        if self.failure is None:
            self._told(str(error))
        self.failure = error

    def _step(self) -> _Moved:
        positions = self._positions
        try:
            if positions is None:
                positions = self._positions = dict(self._index.positions())
            records = size = 0
            for name, folder in streams(self._directory):
                piece = _Reading(name, positions.get(name, START), *self._limits)
                piece.read(folder)
                if piece.moved:
                    self._take(piece)
                    self._positions = positions = {**positions, name: piece.position}
                    records += len(piece.rows)
                    size += piece.size
        except OSError as error:
            raise _unreadable(self._directory, error) from None
        except PositionMoved:
            self._positions = None
            return _Moved(0, 1)
        except IndexUnavailable:
            # It may have taken the batch and lost the connection before it could say so.
            self._positions = None
            raise
        return _Moved(records, size)

    def _take(self, piece: _Reading) -> None:
        others = self._index.take(Batch(piece.stream, piece.before, piece.position, piece.rows))
        if others:
            piece.fault(f"the index has other records under the numbers of {others} of these", others)
        self.records += len(piece.rows) - others
        self.faults += piece.faults
        if piece.faults:
            more = f" ({piece.faults} faults here)" if piece.faults > 1 else ""
            self._told(f"{piece.first_fault}{more}. `gateway audit verify` tells more.")


def lag_behind(directory: Path, positions: Mapping[str, Position], now: float) -> Lag:
    """Give how far an index with these positions is behind a ledger; ``now`` is in seconds since the epoch.

    :raises AuditError: when the ledger cannot be read
    """
    size = 0
    oldest = now
    try:
        for name, folder in streams(directory):
            waits, moment = _pending(segments(folder), positions.get(name, START))
            size += waits
            oldest = min(oldest, now if moment is None else moment)
    except OSError as error:
        raise _unreadable(directory, error) from None
    return Lag(now - oldest, size)


def _unreadable(directory: Path, error: OSError) -> AuditError:
    return AuditError(f"{error.filename or directory}: cannot read the ledger: {error.strerror}.")


def rebuild(directory: Path, index: Index, progress: Callable[[int, int], None] = lambda _, __: None) -> int:
    """Forget what the index has of this directory's streams and fill it anew; give how many records it has.

    Records whose segments were pruned are gone then. ``progress`` hears of bytes of the ledger: done, in all.

    :raises AuditError: when the index or the ledger cannot be used; where it broke off, a follower goes on
    """
    try:
        found = [(name, segments(folder)) for name, folder in streams(directory)]
        total = sum(one.path.stat().st_size for _, files in found for one in files)
    except OSError as error:
        raise _unreadable(directory, error) from None
    index.clear([name for name, _ in found])
    follower = Follower(directory, index)
    done = 0

    def moved(size: int) -> None:
        nonlocal done
        done += size
        progress(min(done, total), total)

    follower.catch_up(moved)
    return follower.records


class _Moved(NamedTuple):
    """What a step took: records, and bytes of the ledger, damaged ones too."""

    records: int
    size: int


class _Reading:
    """One batch of a stream: what is read behind a position, and the position behind that."""

    def __init__(self, stream: str, before: Position, records: int, size: int) -> None:
        self.stream = stream
        self.before = before
        self._max_records = records
        self._max_size = size
        self.position = before
        self.rows: list[Row] = []
        self.size = 0
        self.faults = 0
        self.first_fault = ""

    @property
    def moved(self) -> bool:
        return self.position != self.before

    def fault(self, message: str, count: int = 1) -> None:
        """Count something wrong at the present position."""
        if not self.faults:
            place = f"{self.stream}/{self.position.segment}: byte {self.position.offset}"
            self.first_fault = f"{place}: {message}"
        self.faults += count

    def read(self, folder: Path) -> None:
        """Read what comes next, of one segment.

        :raises OSError: when the segment cannot be read
        """
        files = [one for one in segments(folder) if one.path.name >= self.before.segment]
        for segment in files:
            if segment.path.name != self.position.segment:
                self._enter(segment)
            if self._read(segment, last=segment is files[-1]):
                return

    def _enter(self, segment: Segment) -> None:
        missing = self.position.link.seq + 1, segment.first - 1
        self.position = Position(segment.path.name, 0, self.position.link)
        if missing[0] <= missing[1]:
            self.fault(f"the segments of records {missing[0]} to {missing[1]} are gone")

    def _read(self, segment: Segment, *, last: bool) -> bool:
        """Read of one segment; False if there is nothing left in it."""
        fd = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(fd).st_size
            if size < self.position.offset:
                self.fault("the ledger was cut back, and the index has records that it has not any more")
                self.position = self.position._replace(offset=size)
            if size == self.position.offset:
                return False
            if last:
                # What the index has, a power failure must not take from the ledger: the stream would go on
                # with other records under the same numbers.
                os.fdatasync(fd)
            piece = os.pread(fd, self._max_size, self.position.offset)
        finally:
            os.close(fd)
        end = piece.rfind(b"\n") + 1
        if end == 0:
            if last and len(piece) < self._max_size:
                return False
            self._pass_over(
                piece, "the line is cut off" if len(piece) < self._max_size else "it is no record"
            )
        else:
            self._lines(piece[:end].splitlines(keepends=True))
        return True

    def _pass_over(self, line: bytes, message: str) -> None:
        self.fault(message)
        self._advance(line, self.position.link)

    def _advance(self, line: bytes, link: Link) -> None:
        self.size += len(line)
        segment, offset, _ = self.position
        self.position = Position(segment, offset + len(line), link)

    def _lines(self, lines: list[bytes]) -> None:
        key = self.stream.encode("ascii")
        for line in lines[: self._max_records]:
            link = follows(line, key, self.position.link) or self._astray(line)
            if link is None:
                continue
            try:
                row = read_row(line)
            except (ValueError, TypeError, AttributeError, RecursionError):
                self.fault("the line is no record")
            else:
                self.rows.append(row)
            self._advance(line, link)

    def _astray(self, line: bytes) -> Link | None:
        """Say what is wrong with a line that does not follow; give its link if the index can take it."""
        sealed = unseal(line)
        if sealed is None:
            self._pass_over(line, "the line was changed or is not whole")
        elif sealed.stream != self.stream:
            self._pass_over(line, f"it is a record of another stream, {sealed.stream}")
        elif sealed.seq <= self.position.link.seq:
            self._pass_over(line, f"it has the number {sealed.seq}, which was there before")
        else:
            self.fault("it does not follow the record before it")
            return sealed.link
        return None


def _pending(files: list[Segment], position: Position) -> tuple[int, float | None]:
    """Give how many bytes lie behind a position, and the time of the record that comes next."""
    size = 0
    moment: float | None = None
    for segment in files:
        name = segment.path.name
        if name < position.segment:
            continue
        offset = position.offset if name == position.segment else 0
        waits = segment.path.stat().st_size - offset
        if waits > 0 and moment is None:
            moment = _time_at(segment.path, offset)
        size += max(waits, 0)
    return size, moment


def _time_at(path: Path, offset: int) -> float | None:
    with path.open("rb") as file:
        file.seek(offset)
        found = _TIME.search(file.readline(_HEAD_BYTES))
    try:
        return None if found is None else read_moment(found[1].decode("ascii")) / 1000
    except ValueError:
        return None
