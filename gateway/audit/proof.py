"""Proving one segment: every line is what was written, and each follows the one before it.

A segment is proven on its own, from what its first sound line says of itself; whether it follows the segment
before it shows when both are known (:meth:`Walk.join`). So segments can be proven side by side. Memory is
bounded: one line at a time.

What is wrong is counted as often as it was done: once for a changed line, for a gap, for a line that stands
where it does not belong. For that a walk holds on to two places after a fault: where the chain should go on,
and where the odd line would have it go on; whichever the next line follows was right.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import partial
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from gateway.audit.chain import SEAL_LENGTH, Link, follows, unseal
from gateway.audit.segments import MAX_LINE, open_file

if TYPE_CHECKING:
    from collections.abc import Collection

    from gateway.audit.chain import Sealed
    from gateway.audit.segments import Segment

MAX_LISTED: Final = 100
"""How many faults are listed; all are counted."""
_BUFFER: Final = 128 * 1024


class ChainFault(NamedTuple):
    """A place where the ledger is not what was written.

    ``line`` counts from 1 in ``file``; 0 means the stream as a whole. ``seq`` is the number of the record
    that should be there.
    """

    file: str
    line: int
    seq: int
    message: str

    def __str__(self) -> str:
        """Give the fault with its place, as faults of the configuration have it."""
        return f"{self.file}:{self.line}: record {self.seq}: {self.message}"


@dataclass(slots=True)
class Faults:
    """Faults in the order of the ledger: the first ones are listed, all are counted."""

    listed: list[ChainFault] = field(default_factory=list)
    count: int = 0

    def add(self, fault: ChainFault) -> None:
        """Count a fault, and list it if it is among the first."""
        self.count += 1
        if len(self.listed) < MAX_LISTED:
            self.listed.append(fault)

    def extend(self, others: Faults) -> None:
        """Count and list those of what follows."""
        self.count += others.count
        self.listed += others.listed[: MAX_LISTED - len(self.listed)]


@dataclass(slots=True)
class Walk:
    """How far a chain is proven. ``last`` is None where nothing is known of what is before.

    ``other`` is where it goes on if the last odd line was right. ``broken`` is how many lines since ``last``
    tell nothing.
    """

    last: Link | None = None
    other: Link | None = None
    broken: int = 0

    def accepts(self, before: Link, broken: int = 0) -> bool:
        """Say whether a line that hangs on ``before`` may come next, ``broken`` lines behind it not counted.

        Lines that tell nothing are taken for the records that they must have been.
        """
        if self.last is None or before in (self.last, self.other):
            return True
        return self.last.seq < before.seq <= self.last.seq + self.broken + broken

    def take(self, sealed: Sealed) -> str | None:
        """Go on with a sound line; give what is wrong with its place, None where nothing is."""
        before = Link(sealed.seq - 1, sealed.prev)
        if self.accepts(before):
            self.last, self.broken = sealed.link, 0
            return None
        assert self.last is not None
        self.other = sealed.link
        return misplaced(self.last.seq + 1 + self.broken, sealed.seq)

    def join(self, following: Walk) -> None:
        """Go on behind a segment that was proven on its own."""
        if following.last is None:
            self.broken += following.broken
        else:
            self.last, self.other, self.broken = following.last, following.other, following.broken

    @property
    def end(self) -> Link | None:
        """The record with the highest number that was reached."""
        known = [link for link in (self.last, self.other) if link is not None]
        return max(known, default=None)


def misplaced(wanted: int, found: int) -> str:
    """Say what is wrong where record ``found`` stands in the place of ``wanted``."""
    if found == wanted:
        return "it does not follow the record before it: prev is another hash"
    if found < wanted:
        return f"record {found} stands here again, or out of its place"
    gap = f"record {wanted} is" if found == wanted + 1 else f"records {wanted} to {found - 1} are"
    return f"{gap} not here, record {found} is"


@dataclass(slots=True)
class Proof:
    """What a segment tells when read alone.

    ``first`` is the number of its first record by its name. ``before`` is what its first sound line hangs on
    (None: it has none); that is line ``line``, and ``lead`` lines before it tell nothing. ``walk`` is how the
    segment ends. ``kept`` are those of the kept heads that are in it. ``tail`` is a last line without its
    end: the rest of a write, or one that is being written.
    """

    place: str
    first: int
    before: Link | None = None
    line: int = 0
    lead: int = 0
    walk: Walk = field(default_factory=Walk)
    faults: Faults = field(default_factory=Faults)
    tail: ChainFault | None = None
    kept: set[Link] = field(default_factory=set)
    records: int = 0
    size: int = 0

    @property
    def flawless(self) -> bool:
        """Whether nothing is wrong with the segment itself."""
        return not self.faults.count and self.tail is None


class _Prover:
    """Reads the lines of one segment."""

    def __init__(self, segment: Segment, stream: str, kept: Collection[Link]) -> None:
        self._segment = segment
        self._stream = stream
        self._kept = {link.seq for link in kept}, frozenset(kept)
        self._walk = Walk()
        self.proof = Proof(f"{stream}/{segment.path.name}", segment.first, walk=self._walk)

    def read(self, file: IO[bytes]) -> None:
        """Take every line. The hot loop: two comparisons and one hash for each sound line."""
        walk, proof, key = self._walk, self.proof, self._stream.encode("ascii")
        seqs, kept = self._kept
        number = 0
        for line in iter(partial(file.readline, MAX_LINE), b""):
            number += 1
            link = None if walk.last is None else follows(line, key, walk.last)
            if link is None:
                link = self._odd(line, number, file)
                if link is None:
                    continue
            else:
                walk.last = link
                if walk.broken:
                    walk.broken = 0
            proof.records += 1
            if link.seq in seqs and link in kept:
                proof.kept.add(link)
        proof.size = file.tell()

    def _odd(self, line: bytes, number: int, file: IO[bytes]) -> Link | None:
        """Take a line that does not follow at first sight; give its link if it is sound and of the stream."""
        walk, proof = self._walk, self.proof
        wanted = (self._segment.first if walk.last is None else walk.last.seq + 1) + walk.broken
        sealed = unseal(line)
        if sealed is not None and sealed.stream == self._stream:
            if walk.last is None:
                proof.before, proof.line = Link(sealed.seq - 1, sealed.prev), number
                proof.lead = walk.broken
            if (fault := walk.take(sealed)) is not None:
                proof.faults.add(ChainFault(proof.place, number, wanted, fault))
            return sealed.link
        if sealed is not None:
            message = f"it is a record of another stream, {sealed.stream}"
        else:
            message = _why_broken(line)
            walk.broken += 1
            while not line.endswith(b"\n") and (more := file.readline(MAX_LINE)):
                line = more
        broken = ChainFault(proof.place, number, wanted, message)
        if line.endswith(b"\n"):
            proof.faults.add(broken)
        else:
            proof.tail = broken
        return None


def _why_broken(line: bytes) -> str:
    if not line.endswith(b"\n"):
        return "the line is cut off" if len(line) < MAX_LINE else "the line is longer than any record"
    if len(line) <= SEAL_LENGTH:
        return "the line is no record"
    return "the line was changed: its hash is another"


def prove(segment: Segment, stream: str, kept: Collection[Link] = ()) -> Proof | None:
    """Read a segment of ``stream`` and say what it tells; None if the file is gone by now.

    ``kept`` are heads to look out for.

    :raises OSError: when the file cannot be read
    """
    prover = _Prover(segment, stream, kept)
    try:
        fd = open_file(segment.path)
    except FileNotFoundError:
        return None
    with os.fdopen(fd, "rb", buffering=_BUFFER) as file:
        prover.read(file)
    return prover.proof
