"""How far a stream is committed: its writer tells that in the file ``lock``; the follower reads no further.

What lies behind it may be cut off again, and other records get its numbers: part of a write that fails, or a
whole one that was not synced. What lies before it is on disk. The line is ``<segment> <offset, 19 digits>``,
always as long, written in place and not synced: after a power failure it tells of something earlier, or
nothing, until the next process has recovered the stream and tells anew.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.audit.segments import open_file, segment_name

if TYPE_CHECKING:
    from pathlib import Path

LOCK: Final = "lock"
"""The file in a stream's folder that its writer holds (flock), and tells in how far it is committed."""

_BEGIN: Final = segment_name(0, "00000000T00")
"""A name before those of all segments: of a stream that has none yet nothing is committed."""
_LINE: Final = re.compile(rb"([0-9]{19}-[0-9]{8}T[0-9]{2}\.jsonl) ([0-9]{19})\n")
_LINE_BYTES: Final = 58


class Committed(NamedTuple):
    """All segments before ``segment`` are on disk, and of it the first ``offset`` bytes."""

    segment: str
    offset: int


NOTHING: Final = Committed(_BEGIN, 0)
"""What is committed of a stream that is new."""


def tell_committed(lock: int, segment: str, offset: int) -> None:
    """Write it to the lock file's descriptor.

    :raises OSError: when that fails
    """
    os.pwrite(lock, f"{segment} {offset:019d}\n".encode("ascii"), 0)


def read_committed(folder: Path) -> Committed | None:
    """Read it of a stream; None where nothing is told, as in what an older version wrote.

    :raises OSError: when the file cannot be read
    """
    try:
        fd = open_file(folder / LOCK)
    except FileNotFoundError:
        return None
    try:
        line, again = b"", os.pread(fd, _LINE_BYTES, 0)
        while line != again:  # it is written in place: what was read meanwhile may be of two lines
            line, again = again, os.pread(fd, _LINE_BYTES, 0)
    finally:
        os.close(fd)
    match = _LINE.fullmatch(line)
    return None if match is None else Committed(match[1].decode("ascii"), int(match[2]))
