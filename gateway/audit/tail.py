"""The ends of a ledger's streams: the last records, newest first, and those that come.

Read from the ledger itself, so that nothing depends on the index. Lines are not proven; what is no record is
passed over, and so is a segment that is pruned meanwhile. Records come in the order in which they were made:
within a stream that is the order of its lines, between streams it goes by what the records say.
"""

from __future__ import annotations

import heapq
import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from gateway.audit.faults import system_fault
from gateway.audit.index.row import read_moment
from gateway.audit.segments import MAX_LINE, open_file, read_lines, segments, streams, whole_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BLOCK: Final = 256 * 1024
_NO_RECORD: Final = b"\0"
"""What stands for the end of a line that is too long to be one."""


class Line(NamedTuple):
    """A record: when it was made, in milliseconds since the epoch, what it says, and the line."""

    made: float
    record: dict[str, Any]
    text: str


class Tail:
    """Knows where the streams of an audit directory ended when it was made, and goes on from there."""

    def __init__(self, directory: Path) -> None:
        """Take note of the ends.

        :raises AuditError: when the ledger cannot be read
        """
        self._directory = directory
        self._ends: dict[Path, tuple[Path, int]] = {}
        try:
            for _, folder in streams(directory):
                found = segments(folder)
                if found:
                    path = found[-1].path
                    with os.fdopen(open_file(path), "rb") as file:
                        self._ends[folder] = path, whole_lines(file.fileno())
        except OSError as error:
            raise system_fault("read the ledger in", error.filename or directory, error) from None

    def last(self) -> Iterator[Line]:
        """Give the records up to there, the newest first.

        :raises AuditError: when the ledger cannot be read
        """
        backwards = [_backwards(folder, *end) for folder, end in self._ends.items()]
        try:
            yield from heapq.merge(*backwards, key=lambda line: line.made, reverse=True)
        except OSError as error:
            raise system_fault("read the ledger in", error.filename or self._directory, error) from None

    def more(self) -> list[Line]:
        """Give the records that have come since, the oldest first.

        :raises AuditError: when the ledger cannot be read
        """
        try:
            found = [self._more_of(folder) for _, folder in streams(self._directory)]
            return list(heapq.merge(*found, key=lambda line: line.made))
        except OSError as error:
            raise system_fault("read the ledger in", error.filename or self._directory, error) from None

    def _more_of(self, folder: Path) -> Iterator[Line]:
        before = self._ends.get(folder)
        for segment in segments(folder):
            path = segment.path
            if before is not None and path.name < before[0].name:
                continue
            start = before[1] if before is not None and path == before[0] else 0
            with suppress(FileNotFoundError), os.fdopen(open_file(path), "rb") as file:
                file.seek(start)
                for raw in read_lines(file):
                    if not raw.endswith(b"\n") and len(raw) < MAX_LINE:
                        break
                    start = file.tell()
                    if (line := _read(raw)) is not None:
                        yield line
            self._ends[folder] = path, start


def _backwards(folder: Path, last: Path, size: int) -> Iterator[Line]:
    for segment in reversed(segments(folder)):
        if segment.path.name > last.name:
            continue
        with suppress(FileNotFoundError):
            for raw in _lines_backwards(segment.path, size if segment.path == last else None):
                if (line := _read(raw)) is not None:
                    yield line


def _lines_backwards(path: Path, end: int | None) -> Iterator[bytes]:
    """Give a file's lines up to ``end``, or all, the last one first."""
    rest = b""
    with os.fdopen(open_file(path), "rb") as file:
        if end is None:
            end = os.fstat(file.fileno()).st_size
        while end:
            start = max(0, end - _BLOCK)
            first, *lines = (os.pread(file.fileno(), end - start, start) + rest).splitlines(keepends=True)
            yield from reversed(lines)
            rest, end = first if len(first) < MAX_LINE else _NO_RECORD, start
    if rest:
        yield rest


def _read(raw: bytes) -> Line | None:
    try:
        text = raw.decode("ascii").rstrip("\n")
        record = json.loads(text)
        if all(type(record[name]) is str for name in ("time", "kind", "id")):
            # The time of a request is when it came; its record was made when it ended.
            made = read_moment(record["time"]) + float(record.get("duration_ms", 0))
            return Line(made, record, text)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        pass
    return None
