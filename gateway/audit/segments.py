"""Segments: the files of a stream, how they are named and found.

A stream is a folder below ``<directory>/ledger``; its segments are ``<first seq, 19 digits>-<hour>.jsonl``,
for example ``0000000000000000042-20261123T11.jsonl``, so that names sort in the order of the chain. Only the
last one is ever written to.
"""

from __future__ import annotations

import errno
import math
import os
import re
import stat
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from gateway.audit.chain import STREAM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LEDGER: Final = "ledger"
"""The folder below the audit directory that holds the streams."""
MAX_LINE: Final = 4 * 1024 * 1024
"""Longest line in bytes; what is longer is no record, and nobody holds it in memory."""

_BLOCK: Final = 64 * 1024
_NAME: Final = re.compile(r"([0-9]{19})-([0-9]{8}T[0-9]{2})\.jsonl")


class Segment(NamedTuple):
    """A segment: its file, the number of its first record, and the hour (UTC) in which it was begun."""

    path: Path
    first: int
    hour: str


def hour_of(seconds: float) -> str:
    """Give the hour of a time in seconds since the epoch as segments name it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H")


def end_of(hour: str) -> float:
    """Give the end of an hour in seconds since the epoch; one that never was has none."""
    try:
        return datetime.strptime(f"{hour}+0000", "%Y%m%dT%H%z").timestamp() + 3600
    except ValueError:
        return math.inf


def segment_name(first: int, hour: str) -> str:
    """Give a segment's file name."""
    return f"{first:019d}-{hour}.jsonl"


def segments(folder: Path) -> list[Segment]:
    """Give a stream's segments in the order of its chain; other files are passed over.

    :raises OSError: when the folder cannot be read
    """
    with os.scandir(folder) as entries:
        found = [(entry.name, _NAME.fullmatch(entry.name)) for entry in entries]
    return sorted(
        (Segment(folder / name, int(match[1]), match[2]) for name, match in found if match is not None),
        key=lambda segment: (segment.first, segment.path.name),
    )


def ledger_size(directory: Path) -> int:
    """Give the bytes of all segments below an audit directory.

    :raises OSError: when a folder cannot be read
    """
    sizes = 0
    for _, folder in streams(directory):
        for one in segments(folder):
            with suppress(FileNotFoundError):  # pruned meanwhile
                sizes += one.path.stat().st_size
    return sizes


def open_file(path: Path, flags: int = os.O_RDONLY) -> int:
    """Open a file of the audit directory, made with mode 0600 where ``flags`` say so; give its descriptor.

    What stands under its name and is no file of its own is refused: a FIFO would hold up whoever opens it,
    and a symbolic link lead a gateway that cuts off a torn tail to a file that is none of its business.

    :raises OSError: when it cannot be opened, or is not a regular file
    """
    try:
        fd = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # a symbolic link; a FIFO that is to be written to
            raise _not_regular(path) from None
        raise
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise _not_regular(path)
    return fd


def _not_regular(path: Path) -> OSError:
    return OSError(errno.EINVAL, "Not a regular file", str(path))


def read_lines(file: IO[bytes]) -> Iterator[bytes]:
    """Give the lines of a segment from where ``file`` stands, each with its line feed.

    Of one that is longer than ``MAX_LINE`` only the beginning is given, the rest is passed over.
    """
    for line in iter(partial(file.readline, MAX_LINE), b""):
        yield line
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = file.readline(MAX_LINE)


def whole_lines(fd: int) -> int:
    """Give how many bytes of a file are whole lines.

    :raises OSError: when it cannot be read
    """
    end = os.fstat(fd).st_size
    while end:
        start = max(0, end - _BLOCK)
        found = os.pread(fd, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def make_folder(folder: Path) -> None:
    """Have a folder on disk, mode 0700, and those that it is in, as far as they are missing.

    :raises OSError: when it cannot be made
    """
    if folder.is_dir():
        return
    if folder.parent != folder:
        make_folder(folder.parent)
    with suppress(FileExistsError):  # another process was quicker; what is no folder shows when it is used
        folder.mkdir(mode=0o700)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk: fsync of a file in it does not (fsync(2), NOTES).

    :raises OSError: when they are not
    """
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def streams(directory: Path) -> Iterator[tuple[str, Path]]:
    """Give the streams below an audit directory by name, each with its folder; none where there is no ledger.

    :raises OSError: when the folder cannot be read
    """
    ledger = directory / LEDGER
    if ledger.is_dir():
        yield from ((path.name, path) for path in sorted(ledger.iterdir()) if STREAM.fullmatch(path.name))
