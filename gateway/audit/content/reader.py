"""Reading, erasing and pruning what is kept of bodies."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from gateway.audit.chain import STREAM
from gateway.audit.content.lines import ID, ID_PLACE, line_start, read_line
from gateway.audit.content.writer import CONTENT
from gateway.audit.faults import AuditError, system_fault
from gateway.audit.segments import Segment, end_of, open_file, segments, sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from gateway.audit.content.lines import Form
    from gateway.audit.instance import Keys

MAX_INDEXES: Final = 2
"""Of how many segments it is remembered where their lines are: some 50 MB each, with short bodies."""


class Content(NamedTuple):
    """What there is of a record's content.

    ``state``: ``none`` was kept; it is ``kept``, and is what the record says; it is ``erased``, or pruned;
    or it was ``changed``. ``form`` and ``content`` are set where it is kept: the body's own bytes (``full``),
    or JSON text.
    """

    state: Literal["none", "kept", "erased", "changed"]
    form: Form | None = None
    content: bytes = b""


NONE: Final = Content("none")
ERASED: Final = Content("erased")
CHANGED: Final = Content("changed")


class Contents:
    """What is kept of bodies in an audit directory, by record. Not for several threads, nor for long.

    It knows the segments that were there when it first looked. It remembers where the lines of those are that
    it looked into last, so that records in order cost one look-up each.
    """

    def __init__(self, directory: Path, keys: Keys) -> None:
        self._folder = directory / CONTENT
        self._keys = keys
        self._segments: dict[str, list[Segment]] = {}
        self._indexes: OrderedDict[Path, dict[bytes, int]] = OrderedDict()

    def of(self, record: Mapping[str, Any]) -> Content:
        """Give what is kept of the body of a ledger's record.

        :raises AuditError: when the files cannot be read
        """
        signature = record.get("content")
        if not isinstance(signature, str):
            return NONE
        stream, identity = str(record["stream"]), str(record["id"])
        try:
            line = self._line(stream, int(record["seq"]), identity)
        except OSError as error:
            raise system_fault("read content in", self._folder / stream, error) from None
        if line is None:
            return ERASED
        kept = read_line(line)
        if kept is None or signature not in self._keys.possible(kept[1]):
            return CHANGED
        return Content("kept", *kept)

    def _line(self, stream: str, seq: int, identity: str) -> bytes | None:
        path = self._segment_of(stream, seq)
        if path is None:
            return None
        try:
            place = self._index(path).get(identity.encode("ascii", "replace"))
            if place is None:
                return None
            with os.fdopen(open_file(path), "rb") as file:
                file.seek(place)
                line = file.readline()
        except FileNotFoundError:  # it was pruned meanwhile
            return None
        return line if line.startswith(line_start(identity)) else None

    def _segment_of(self, stream: str, seq: int) -> Path | None:
        found = self._segments.get(stream)
        if found is None:
            folder = self._folder / stream
            readable = STREAM.fullmatch(stream) is not None and folder.is_dir()
            found = self._segments[stream] = segments(folder) if readable else []
        place = bisect_right(found, seq, key=lambda segment: segment.first)
        return found[place - 1].path if place else None

    def _index(self, path: Path) -> dict[bytes, int]:
        """Give, by id, where a segment's lines begin; of two with one id the later one."""
        index = self._indexes.get(path)
        if index is None:
            index = {}
            offset = 0
            with os.fdopen(open_file(path), "rb") as file:
                for line in file:
                    index[line[ID_PLACE]] = offset
                    offset += len(line)
            self._indexes[path] = index
            if len(self._indexes) > MAX_INDEXES:
                self._indexes.popitem(last=False)
        else:
            self._indexes.move_to_end(path)
        return index


def erase(directory: Path, identity: str) -> bool:
    """Erase what is kept of one request's body; give whether there was something.

    The line is overwritten with blanks where it stands, so that it may be erased while the gateway writes.
    What a file system or a backup keeps of former contents is out of reach.

    :raises AuditError: when ``identity`` is no request's id, or a file cannot be read or written
    """
    if not ID.fullmatch(identity):
        raise AuditError(f"{identity[:64]!r} is not the id of a request.")
    start = line_start(identity)
    erased = False
    path = directory / CONTENT
    try:
        for _, path in _content_files(directory):
            erased = _erase_from(path, start) or erased
    except OSError as error:
        raise system_fault("erase content in", path, error) from None
    return erased


def _erase_from(path: Path, start: bytes) -> bool:
    with os.fdopen(open_file(path), "rb") as file:
        offset = 0
        places = []
        for line in file:
            if line.startswith(start):
                places.append((offset, len(line)))
            offset += len(line)
    if not places:
        return False
    fd = open_file(path, os.O_WRONLY)
    try:
        for begin, length in places:
            _blank(fd, begin, length - 1)
        os.fdatasync(fd)
    finally:
        os.close(fd)
    return True


def _blank(fd: int, begin: int, length: int) -> None:
    rest = memoryview(b" " * length)
    while rest:
        rest = rest[os.pwrite(fd, rest, begin + length - len(rest)) :]


class Pruned(NamedTuple):
    """How many files were removed, and how many bytes they had."""

    files: int
    size: int


def prune_content(directory: Path, before: float) -> Pruned:
    """Remove the segments all of whose content was written before a time in seconds since the epoch.

    A segment has the content of one hour, so that content goes up to an hour later than it could. A segment
    that is still written to is never among them.

    :raises AuditError: when a file cannot be removed
    """
    files = size = 0
    path = directory / CONTENT
    try:
        for segment, path in _content_files(directory):
            if end_of(segment.hour) <= before:
                size += path.stat().st_size
                path.unlink()
                files += 1
        if files:
            for folder in (directory / CONTENT).iterdir():
                sync_folder(folder)
    except OSError as error:
        raise system_fault("prune content in", path, error) from None
    return Pruned(files, size)


def _content_files(directory: Path) -> Iterator[tuple[Segment, Path]]:
    folder = directory / CONTENT
    if folder.is_dir():
        for stream in sorted(folder.iterdir()):
            if STREAM.fullmatch(stream.name):
                yield from ((segment, segment.path) for segment in segments(stream))
