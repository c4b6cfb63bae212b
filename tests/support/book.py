"""A ledger of 1,000 records of all kinds, to be spoilt in every way and made good again."""

from __future__ import annotations

import os
import random
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from gateway.audit import proof, records
from gateway.audit import verify as module
from gateway.audit.chain import unseal
from gateway.audit.records import Mark
from gateway.audit.segments import segments, streams
from gateway.audit.stream import Stream
from gateway.audit.verify import Verification, verify

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from gateway.audit.chain import Link
    from gateway.audit.proof import Proof
    from gateway.audit.segments import Segment

INSTANCE = "0123456789abcdef"
NOON = 1_800_000_000.0
SIZES = {f"{INSTANCE}.0": 600, f"{INSTANCE}.1": 250, f"{INSTANCE}.ops": 150}
"""How many records each stream has; 1,000 together."""


def marks() -> Iterator[Mark]:
    """Make marks, a millisecond apart."""
    number = 0
    while True:
        number += 1
        yield Mark(f"019ab2f0-8e3c-7123-89ab-{number:012x}", NOON + number / 1000)


def members(chance: random.Random, mark: Mark) -> bytes:
    """Make a record of any kind."""
    return chance.choice(
        [
            lambda: records.intent(mark, {"operation": "createMessage"}),
            lambda: records.outcome_unknown(mark.id, {}),
            lambda: records.connection(mark, code="bad_request", client_ip="10.0.0.1"),
            lambda: records.restored(mark, refused=1, lost=0),
            lambda: records.config_applied(mark, revision="b", previous="a"),
            lambda: records.admin(mark, "query", who="ann", what={"app": "billing"}),
        ]
    )()


def write_stream(folder: Path, name: str, count: int, segment_bytes: int) -> None:
    """Write a stream of exactly so many records."""
    made = marks()
    stream = Stream(
        folder,
        name,
        now=lambda: NOON,
        opening=lambda _: records.segment(next(made), ()),
        segment_bytes=segment_bytes,
    )
    chance = random.Random(name)
    while (left := count - stream.last.seq) > 1:
        stream.commit([members(chance, next(made)) for _ in range(min(20, left - 1))])
    if left:
        stream.commit([members(chance, next(made))])
    stream.close()


@dataclass
class Line:
    """A line of the ledger: where it stands, what it is, and what record."""

    path: Path
    place: str
    number: int
    content: bytes
    seq: int
    last: bool


class Book:
    """A ledger to be spoilt, and made good again.

    Of segments that are not spoilt the proof is remembered, but for each ``WHOLE``th time: all of it is
    read anew then. What puts the proofs together is always what it is in the program.
    """

    WHOLE = 25

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = {
            one.path: one.path.read_bytes().splitlines(keepends=True)
            for _, of_stream in streams(folder)
            for one in segments(of_stream)
        }
        self.heads = verify(folder).heads
        self.kept = {name: {link} for name, link in self.heads.items()}
        self.lines = []
        for path, lines in self.files.items():
            for number, line in enumerate(lines, 1):
                sealed = unseal(line)
                assert sealed is not None
                place = f"{sealed.stream}/{path.name}"
                last = sealed.link == self.heads[sealed.stream]
                self.lines.append(Line(path, place, number, line, sealed.seq, last))
        self._times = 0
        self._proofs: dict[tuple[Path, tuple[Link, ...]], Proof | None] = {}

    def verified(self, *spoilt: Path, heads: bool = False) -> Verification:
        """Verify, where these files are not what they were."""
        self._times += 1

        def known(segment: Segment, stream: str, kept: Collection[Link] = ()) -> Proof | None:
            if segment.path in spoilt or self._times % self.WHOLE == 0:
                return proof.prove(segment, stream, kept)
            place = segment.path, tuple(kept)
            if place not in self._proofs:
                self._proofs[place] = proof.prove(segment, stream, kept)
            return self._proofs[place]

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(module, "prove", known)
            return verify(self.folder, kept=self.kept if heads else None, settle_seconds=0)

    def spoilt(self, changes: dict[Path, bytes], *, heads: bool = False) -> Verification:
        """Verify with other contents of some files."""
        for path, content in changes.items():
            path.write_bytes(content)
        try:
            return self.verified(*changes, heads=heads)
        finally:
            for path in changes:
                path.write_bytes(b"".join(self.files[path]))

    @contextmanager
    def flip(self, line: Line, bit: int) -> Iterator[None]:
        """Make one bit of a line another for a while."""
        at = sum(map(len, self.files[line.path][: line.number - 1])) + bit // 8
        with line.path.open("r+b", buffering=0) as file:
            os.pwrite(file.fileno(), bytes([line.content[bit // 8] ^ 1 << bit % 8]), at)
            try:
                yield
            finally:
                os.pwrite(file.fileno(), line.content[bit // 8 :][:1], at)

    def flipped(self, line: Line, bit: int) -> Verification:
        """Verify with one bit of a line another."""
        with self.flip(line, bit):
            return self.verified(line.path)

    def with_line(self, line: Line, *content: bytes) -> dict[Path, bytes]:
        """Give the change that puts ``content`` in place of a line."""
        lines = self.files[line.path]
        return {line.path: b"".join([*lines[: line.number - 1], *content, *lines[line.number :]])}

    def swapped(self, one: Line, other: Line) -> dict[Path, bytes]:
        """Give the change that puts each of two lines in the place of the other."""
        copies = {path: [*self.files[path]] for path in (one.path, other.path)}
        copies[one.path][one.number - 1] = other.content
        copies[other.path][other.number - 1] = one.content
        return {path: b"".join(lines) for path, lines in copies.items()}

    def after(self, line: Line) -> Line:
        """Give the line after one that is not its stream's last."""
        return self.lines[self.lines.index(line) + 1]


def flipped(line: bytes, bit: int) -> bytes:
    """Give a line with one bit of it another."""
    changed = bytearray(line)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
