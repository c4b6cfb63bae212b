"""What the follower reads next of one stream: proven lines as rows, and where the stream is read to then."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gateway.audit.chain import Link, follows, unseal
from gateway.audit.index import Position
from gateway.audit.index.row import read_row
from gateway.audit.segments import Segment, open_file, segments

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.audit.committed import Committed
    from gateway.audit.index.row import Row


class _Stopped(Exception):
    """A copied stream has a fault; the text tells it."""


def _row(line: bytes, link: Link) -> Row:
    row = read_row(line)
    if row.seq != link.seq:  # a member that stands in it twice: the last one counts in JSON
        raise ValueError("it has two numbers")
    return row


class Piece:
    """One batch of a stream: what is read behind a position, and the position behind that.

    Of one that was ``copied`` it ends before the first fault, which ``stopped`` tells then.
    """

    def __init__(self, stream: str, before: Position, records: int, size: int, *, copied: bool) -> None:
        self.stream = stream
        self._copied = copied
        self.stopped = ""
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
        """Whether anything was read, sound or not."""
        return self.position != self.before

    def fault(self, message: str, count: int = 1) -> None:
        """Count something wrong at the present position."""
        if not self.faults:
            self.first_fault = self._placed(message)
        self.faults += count

    def _pass(self, message: str) -> None:
        """Count something that is passed over; raises _Stopped where nothing may be."""
        if self._copied:
            raise _Stopped(self._placed(message))
        self.fault(message)

    def _placed(self, message: str) -> str:
        return f"{self.stream}/{self.position.segment}: byte {self.position.offset}: {message}"

    def read(self, folder: Path, committed: Committed | None = None) -> None:
        """Read what comes next, of one segment, and no further than is ``committed``.

        :raises OSError: when the segment cannot be read
        """
        files = [one for one in segments(folder) if one.path.name >= self.before.segment]
        if committed is not None:
            files = [one for one in files if one.path.name <= committed.segment]
        try:
            for segment in files:
                name = segment.path.name
                if name != self.position.segment:
                    self._enter(segment)
                limit = committed.offset if committed is not None and name == committed.segment else None
                if self._read(segment, limit, last=segment is files[-1]):
                    return
        except _Stopped as stopped:
            self.stopped = str(stopped)

    def _enter(self, segment: Segment) -> None:
        missing = self.position.link.seq + 1, segment.first - 1
        if missing[0] <= missing[1]:
            self._pass(f"the segments of records {missing[0]} to {missing[1]} are gone")
        self.position = Position(segment.path.name, 0, self.position.link)

    def _read(self, segment: Segment, limit: int | None, *, last: bool) -> bool:
        """Read of one segment, up to ``limit``; False if there is nothing left in it."""
        fd = open_file(segment.path)
        try:
            size = os.fstat(fd).st_size
            if size < self.position.offset:
                if self._copied:
                    return False  # the original has gone on
                self._pass("the ledger was cut back, and the index has records that it has not any more")
                self.position = self.position._replace(offset=size)
            waits = (size if limit is None else min(size, limit)) - self.position.offset
            if waits <= 0:
                return False
            piece = os.pread(fd, min(waits, self._max_size), self.position.offset)
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
        self._pass(message)
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
                row = _row(line, link)
            except (ValueError, TypeError, AttributeError, RecursionError):
                self._pass("the line is no record")
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
            if Link(sealed.seq - 1, sealed.prev) != self.position.link:  # not only of another version
                self._pass("it does not follow the record before it")
            return sealed.link
        return None
