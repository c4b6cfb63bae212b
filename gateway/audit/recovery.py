"""Recovery: what a stream's last segment holds after its process ended, however it ended.

A crash leaves part of the last write: part of a line, or what a file system makes of pages that never got to
the disk. That is a torn tail: it was never acknowledged, so it is cut off, and what was cut is told in a
record. A line that has both its ends and a wrong hash was changed afterwards. That is damage, as is any fault
with sound lines behind it; nothing of it is cut, ``verify`` names it, and the chain goes on behind it.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from hashlib import sha256
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

from gateway.audit.chain import ROOT, Link, unseal
from gateway.audit.segments import Segment, open_file, read_lines, segments

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

MAX_TEXT: Final = 4096
"""How many bytes of a torn tail are shown."""

MAX_SEARCHED: Final = 16
"""In how many segments, from the last one back, intents are looked for: at most a gigabyte."""

_PIECE: Final = 256 * 1024
_ID: Final = re.compile(rb"[0-9a-f-]{36}")
_KIND: Final = re.compile(rb'"kind":"(intent|request|lifecycle)","id":"([0-9a-f-]{36})"')
_CARRIED: Final = re.compile(rb',"open":\[((?:"[0-9a-f-]{36}",?)*)\]')


class Torn(NamedTuple):
    """The rest of a write that broke off: how many bytes, their SHA-256 in hex, and the first of them."""

    size: int
    digest: str
    text: bytes


class Recovered(NamedTuple):
    """What a stream tells after its process has ended.

    ``last`` is what the next record hangs on. ``segment`` is the last segment, None for a new stream; its
    first ``size`` bytes are lines that were written whole, and stay; ``torn`` is what follows them.
    ``damaged`` is true where lines were changed that had been written whole. ``open`` are the ids of intents
    without a request record, in order.
    """

    last: Link
    segment: Segment | None
    size: int
    torn: Torn | None
    damaged: bool
    open: tuple[str, ...]


def _was_whole(line: bytes) -> bool:
    """Say whether a line has both ends of a sealed one: a write that broke off has one of them at most.

    With zeros between them it is one whose pages did not all get to the disk before the power went.
    """
    return line.startswith(b'{"v":') and line.endswith(b'"}\n') and b"\0" not in line


class OpenIntents:
    """Keeps the ids of intents whose request record has not come yet, in the order in which they came."""

    __slots__ = ("_ids",)

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def note(self, members: bytes) -> None:
        """Take note of a record by its members, as :func:`audit.chain.seal` takes them."""
        if not self._ids and members.startswith(b'"kind":"request"'):
            return
        match = _KIND.match(members)
        if match is None:
            return
        kind, identity = match.groups()
        if kind == b"intent":
            self._ids[identity.decode("ascii")] = None
        elif kind == b"request":
            self._ids.pop(identity.decode("ascii"), None)
        elif (carried := _CARRIED.search(members)) is not None:
            self.carry(found.decode("ascii") for found in _ID.findall(carried[1]))

    def carry(self, ids: Iterable[str]) -> None:
        """Begin with these."""
        self._ids = dict.fromkeys(ids)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the open ones."""
        return tuple(self._ids)


def recover(folder: Path, stream: str) -> Recovered:
    """Read a stream's last segment; where it has no sound line at all, the one before it, too, and so on.

    :raises OSError: when a segment cannot be read
    """
    found = segments(folder)
    size = 0
    torn: Torn | None = None
    damaged = False
    for segment in reversed(found):
        end = _end_of(segment.path, stream)
        if segment is found[-1]:
            size, torn, damaged = end.size, end.torn, end.damaged
        if end.last is not None:
            return Recovered(end.last, found[-1], size, torn, damaged, end.open)
        damaged = damaged or end.damaged or (end.torn is not None and segment is not found[-1])
    return Recovered(ROOT, found[-1] if found else None, size, torn, damaged, ())


class _End(NamedTuple):
    """What one segment tells: its last sound line (None: it has none), and what is behind its whole ones."""

    last: Link | None
    size: int
    torn: Torn | None
    damaged: bool
    open: tuple[str, ...]


def _end_of(path: Path, stream: str) -> _End:
    intents = OpenIntents()
    last: Link | None = None
    offset = size = 0
    damaged = False
    with os.fdopen(open_file(path), "rb") as file:
        for line in read_lines(file):
            sealed = unseal(line)
            begin, offset = offset, file.tell()
            if sealed is not None and sealed.stream == stream:
                damaged = damaged or size != begin or (last is not None and sealed.prev != last.hash)
                last = sealed.link
                size = offset
                intents.note(sealed.members)
            elif _was_whole(line):
                damaged = True
                size = offset
        torn = _torn(file, size)
    return _End(last, size, torn, damaged, intents.ids)


def _torn(file: IO[bytes], size: int) -> Torn | None:
    """Give what follows the first ``size`` bytes."""
    file.seek(size)
    text = file.read(MAX_TEXT)
    digest = sha256(text)
    while piece := file.read(_PIECE):
        digest.update(piece)
    return Torn(file.tell() - size, digest.hexdigest(), text) if text else None


def find_intents(folder: Path, stream: str, ids: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    """Read of a stream what intents tell, as members by name; those that cannot be read are left out.

    An id that a segment's first record carries is of an intent that stands further back: so where nothing is
    damaged each is looked for in its own segment, and of the others one line is read.
    """
    wanted = set(ids)
    found: dict[str, Mapping[str, Any]] = {}
    with suppress(OSError):  # pruned meanwhile, for example
        for segment in reversed(segments(folder)[-MAX_SEARCHED:]):
            if not wanted:
                break
            with os.fdopen(open_file(segment.path), "rb") as file:
                lines = read_lines(file)
                first = OpenIntents()
                first.note(_members(next(lines, b""), stream))
                found |= _find(lines, stream, wanted.difference(first.ids))
                wanted.difference_update(found)
    return found


def _find(lines: Iterator[bytes], stream: str, ids: set[str]) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    while len(found) < len(ids) and (line := next(lines, b"")):
        if b'"kind":"intent"' not in line:
            continue
        members = _members(line, stream)
        match = _KIND.match(members)
        identity = "" if match is None else match[2].decode("ascii")
        if identity in ids:
            with suppress(ValueError, RecursionError):  # sealed by somebody else
                found[identity] = json.loads(b"{%b}" % members)
    return found


def _members(line: bytes, stream: str) -> bytes:
    """Give the members of a line of the stream; nothing if it is none."""
    sealed = unseal(line)
    return sealed.members if sealed is not None and sealed.stream == stream else b""
