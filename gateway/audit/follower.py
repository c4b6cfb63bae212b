"""The follower: reads the ledger's streams and fills an index with them, each record exactly once.

It remembers nothing that matters: how far a stream was read is kept by the index, in the transaction that
took the records. So it can be killed anywhere, and two of them only get in each other's way. It holds one
batch at a time, however far behind it is and however long the index is away.

Lines are proven as they are read. What is no sound line, or has a number that was there before, is passed
over, counted and told; ``verify`` says more. Nothing in a ledger stops the follower.

Of a stream that this directory's own processes write no more is read than is committed: what the index has,
neither a write that fails nor a power failure takes from the ledger, whose stream would go on with other
records under the same numbers. Nobody goes on in the streams of another directory, so all of them is read.

One thing is otherwise in an index that gateways share: a directory that was copied has streams whose original
may be alive elsewhere. Of those only what the chain proves to come next is taken, which is what the original
has, too; what lies behind a fault, or behind what the index knows already, is the original's to tell.
"""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.audit.committed import read_committed
from gateway.audit.faults import AuditError
from gateway.audit.index import START, Batch, Index, IndexUnavailable, Position, PositionMoved
from gateway.audit.index.row import read_moment
from gateway.audit.instance import known_instance
from gateway.audit.piece import Piece
from gateway.audit.segments import open_file, segments, streams

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from gateway.audit.segments import Segment

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

        :raises AuditError: when it cannot be told which streams are the directory's own
        """
        self._directory = directory
        self._index = index
        self._told = told
        self._now = now
        self._limits = batch_records, batch_bytes
        self._own = owned(directory, index)
        self._written_here = _of_instance(known_instance(directory))
        self._positions: Mapping[str, Position] | None = None
        self._left: dict[str, Position] = {}
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
        """Give how far the index is behind the directory's own streams; None as long as that is not known.

        :raises AuditError: when the ledger cannot be read
        """
        positions = self._positions
        return None if positions is None else lag_behind(self._directory, positions, self._now(), self._own)

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
            if positions is None or self._index.lost():
                positions = self._positions = dict(self._index.positions())
            records = size = 0
            for name, folder in streams(self._directory):
                position = positions.get(name, START)
                if self._left.get(name) == position:
                    continue
                piece = Piece(name, position, *self._limits, copied=not self._own(name))
                piece.read(folder, read_committed(folder) if self._written_here(name) else None)
                if piece.stopped:
                    self._leave(piece)
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

    def _leave(self, piece: Piece) -> None:
        """Read no more of a copied stream until the index knows more of it."""
        self._left[piece.stream] = piece.position
        self._told(
            f"{piece.stopped}. The stream is another directory's, of which this one is a copy: "
            "no more of it is taken from here."
        )

    def _take(self, piece: Piece) -> None:
        others = self._index.take(Batch(piece.stream, piece.before, piece.position, piece.rows))
        if others:
            piece.fault(f"the index has other records under the numbers of {others} of these", others)
        self.records += len(piece.rows) - others
        self.faults += piece.faults
        if piece.faults:
            more = f" ({piece.faults} faults here)" if piece.faults > 1 else ""
            self._told(f"{piece.first_fault}{more}. `gateway audit verify` tells more.")


def owned(directory: Path, index: Index) -> Callable[[str], bool]:
    """Give what says of a stream whether it is of this directory, and not of one that it is a copy of.

    In an index that nobody shares they all are.

    :raises AuditError: when the directory's id cannot be read
    """
    return _of_instance(known_instance(directory)) if index.shared else _any


def _of_instance(instance: str | None) -> Callable[[str], bool]:
    return lambda name: name.partition(".")[0] == instance


def _any(_: str) -> bool:
    return True


def lag_behind(
    directory: Path,
    positions: Mapping[str, Position],
    now: float,
    counted: Callable[[str], bool] = _any,
) -> Lag:
    """Give how far an index with these positions is behind a ledger; ``now`` is in seconds since the epoch.

    ``counted`` says of a stream whether it is looked at.

    :raises AuditError: when the ledger cannot be read
    """
    size = 0
    oldest = now
    try:
        for name, folder in streams(directory):
            if not counted(name):
                continue
            waits, moment = _pending(segments(folder), positions.get(name, START))
            size += waits
            oldest = min(oldest, now if moment is None else moment)
    except OSError as error:
        raise _unreadable(directory, error) from None
    return Lag(now - oldest, size)


def _unreadable(directory: Path, error: OSError) -> AuditError:
    return AuditError(f"{error.filename or directory}: cannot read the ledger: {error.strerror}.")


def rebuild(directory: Path, index: Index, progress: Callable[[int, int], None] = lambda _, __: None) -> int:
    """Forget what the index has of this directory's streams and fill it anew; give how many records it took.

    Records whose segments were pruned are gone then. What others share the index with is left alone, and so
    are streams that were copied from there. ``progress`` hears of bytes of the ledger: done, in all.

    :raises AuditError: when the index or the ledger cannot be used; where it broke off, a follower goes on
    """
    try:
        found = [(name, segments(folder)) for name, folder in streams(directory)]
        total = sum(one.path.stat().st_size for _, files in found for one in files)
    except OSError as error:
        raise _unreadable(directory, error) from None
    own = owned(directory, index)
    index.clear([name for name, _ in found if own(name)])
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
    with os.fdopen(open_file(path), "rb") as file:
        file.seek(offset)
        found = _TIME.search(file.readline(_HEAD_BYTES))
    try:
        return None if found is None else read_moment(found[1].decode("ascii")) / 1000
    except ValueError:
        return None
