"""The ends of a ledger's streams: the last records, newest first, and those that come.

Read from the ledger itself, so that nothing depends on the index. Lines are not proven; what is no record is
passed over.
"""

from __future__ import annotations

import heapq
import json
import os
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from gateway.audit.faults import system_fault
from gateway.audit.segments import segments, streams

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BLOCK: Final = 256 * 1024


class Line(NamedTuple):
    """A record: its time, as text that sorts, what it says, and the line."""

    time: str
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
                    self._ends[folder] = path, _whole(path)
        except OSError as error:
            raise system_fault("read the ledger in", error.filename or directory, error) from None

    def last(self) -> Iterator[Line]:
        """Give the records up to there, the newest first.

        :raises AuditError: when the ledger cannot be read
        """
        backwards = [_backwards(folder, *end) for folder, end in self._ends.items()]
        try:
            yield from heapq.merge(*backwards, key=lambda line: line.time, reverse=True)
        except OSError as error:
            raise system_fault("read the ledger in", error.filename or self._directory, error) from None

    def more(self) -> list[Line]:
        """Give the records that have come since, in order of time.

        :raises AuditError: when the ledger cannot be read
        """
        found: list[Line] = []
        try:
            for _, folder in streams(self._directory):
                found += self._more_of(folder)
        except OSError as error:
            raise system_fault("read the ledger in", error.filename or self._directory, error) from None
        return sorted(found, key=lambda line: line.time)

    def _more_of(self, folder: Path) -> Iterator[Line]:
        before = self._ends.get(folder)
        for segment in segments(folder):
            path = segment.path
            if before is not None and path.name < before[0].name:
                continue
            start = before[1] if before is not None and path == before[0] else 0
            with path.open("rb") as file:
                file.seek(start)
                for raw in file:
                    if not raw.endswith(b"\n"):
                        break
                    start += len(raw)
                    if (line := _read(raw)) is not None:
                        yield line
            self._ends[folder] = path, start


def _whole(path: Path) -> int:
    """Give how many bytes of a segment are whole lines."""
    with path.open("rb") as file:
        end = os.fstat(file.fileno()).st_size
        while end:
            start = max(0, end - _BLOCK)
            found = os.pread(file.fileno(), end - start, start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
    return 0


def _backwards(folder: Path, last: Path, size: int) -> Iterator[Line]:
    for segment in reversed(segments(folder)):
        if segment.path.name > last.name:
            continue
        end = size if segment.path == last else segment.path.stat().st_size
        for raw in _lines_backwards(segment.path, end):
            if (line := _read(raw)) is not None:
                yield line


def _lines_backwards(path: Path, end: int) -> Iterator[bytes]:
    rest = b""
    with path.open("rb") as file:
        while end:
            start = max(0, end - _BLOCK)
            first, *lines = (os.pread(file.fileno(), end - start, start) + rest).splitlines(keepends=True)
            yield from reversed(lines)
            rest, end = first, start
    if rest:
        yield rest


def _read(raw: bytes) -> Line | None:
    try:
        text = raw.decode("ascii").rstrip("\n")
        record = json.loads(text)
        return Line(record["time"], record, text)
    except (ValueError, KeyError, TypeError):
        return None
