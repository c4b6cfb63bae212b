"""The content segments of one stream: written by the ledger's thread, on disk before the records they are of.

The files are ``<directory>/content/<stream>/<first seq>-<hour>.jsonl``, named like the ledger's segments:
the content of a record is in the last segment whose first number is not above the record's. No segment has
content of two hours, so that retention can drop it whole.

What was written and not acknowledged has no record, so nothing depends on it: at the start the rest of a line
is cut off, and a failed write is cut back and made again.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from gateway.audit.faults import system_fault
from gateway.audit.segments import (
    Segment,
    hour_of,
    make_folder,
    open_file,
    segment_name,
    segments,
    sync_folder,
    whole_lines,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONTENT: Final = "content"
"""The folder below the audit directory that holds what is kept of bodies."""
SEGMENT_BYTES: Final = 64 * 1024 * 1024
"""Bytes from which on a segment is not added to."""


class ContentWriter:
    """Writes the content of one stream. Whoever makes it holds the stream's lock; not for several threads."""

    def __init__(
        self, directory: Path, name: str, *, now: Callable[[], float], segment_bytes: int = SEGMENT_BYTES
    ) -> None:
        """Go on where the process before left off. ``now`` gives seconds since the epoch.

        :raises AuditError: when the folder or its last segment cannot be used
        """
        self.folder = directory / CONTENT / name
        self._now = now
        self._segment_bytes = segment_bytes
        self._pending: list[bytes] = []
        self._fd = -1
        self._segment: Segment | None = None
        self._size = 0
        try:
            make_folder(self.folder)
            found = segments(self.folder)
            if found:
                self._continue(found[-1])
        except OSError as error:
            raise system_fault("keep content in", self.folder, error) from None

    def _continue(self, segment: Segment) -> None:
        """Open a segment to go on in it, without what may follow its last whole line."""
        with os.fdopen(open_file(segment.path), "rb") as file:
            size = whole_lines(file.fileno())
        self._reopen(segment, size)

    def _reopen(self, segment: Segment, size: int) -> None:
        self._close()
        self._fd = open_file(segment.path, os.O_WRONLY | os.O_APPEND)
        os.ftruncate(self._fd, size)
        self._segment, self._size = segment, size

    def add(self, line: bytes) -> None:
        """Take a line; it is on disk after the next :meth:`flush`."""
        self._pending.append(line)

    def flush(self, first: int) -> None:
        """Have all lines taken so far on disk. ``first`` is the number of the next record of the ledger.

        To be called before the records are committed that name them.

        :raises AuditError: when they are not on disk; they wait, and may be flushed again
        """
        if not self._pending:
            return
        try:
            segment = self._ready(first)
        except OSError as error:
            raise system_fault("begin a segment of content in", self.folder, error) from None
        piece = b"".join(self._pending)
        rest = memoryview(piece)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
            os.fdatasync(self._fd)
        except OSError as error:
            # The kernel tells of a failed write-back once, and then forgets it: what was written is written
            # anew, through another descriptor, the next time.
            with suppress(OSError):
                os.ftruncate(self._fd, self._size)
            self._close()
            raise system_fault("keep content in", segment.path, error) from None
        self._size += len(piece)
        self._pending.clear()

    def _ready(self, first: int) -> Segment:
        """Give the segment to write to, open, with nothing in it but what was acknowledged."""
        hour = hour_of(self._now())
        segment = self._segment
        # A clock that was set back begins no segment: those behind it would sort before it.
        if segment is None or hour > segment.hour or self._size >= self._segment_bytes:
            begun = Segment(self.folder / segment_name(first, hour), first, hour)
            if segment is None or begun.path.name > segment.path.name:
                return self._begin(begun)
        if self._fd < 0:
            self._reopen(segment, self._size)
        return segment

    def _begin(self, segment: Segment) -> Segment:
        fd = open_file(segment.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            sync_folder(self.folder)
        except OSError:
            os.close(fd)
            raise
        self._close()
        self._fd, self._segment, self._size = fd, segment, 0
        return segment

    def _close(self) -> None:
        if self._fd >= 0:
            with suppress(OSError):
                os.close(self._fd)
            self._fd = -1

    def close(self) -> None:
        """Let go of the file. What was flushed is on disk."""
        self._close()
