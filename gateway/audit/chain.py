"""The chain: how a record becomes a line of the ledger, and how a line is proven unchanged. Pure.

A line is one JSON object in ASCII and a line feed. It begins with the members ``v``, ``stream``, ``seq`` and
``prev`` and ends with ``hash``, always in the same spelling:

    {"v":1,"stream":"…","seq":7,"prev":"<64 hex digits>", … ,"hash":"<64 hex digits>"}

``hash`` is the SHA-256 of the line's bytes up to and without ``,"hash":``; ``prev`` is the hash of the line
before it in the stream, 64 zeros for the first. So a changed, missing, added or moved line shows; a missing
end shows to whoever has kept a later hash elsewhere.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

VERSION: Final = 1
"""The version of a record's schema, its member ``v``."""
GENESIS: Final = b"0" * 64
"""What stands for the hash before a stream's first record."""
SEAL_LENGTH: Final = len(',"hash":""}\n') + 64
"""Bytes of a line behind those that its hash covers."""

STREAM: Final = re.compile(r"[0-9a-f]{16}\.(?:[0-9]{1,4}|ops)")
"""A stream's name: the instance and the slot, or ``ops`` for the supervisor's."""
OPS: Final = ".ops"
"""How the names of supervisors' streams end."""

_START: Final = re.compile(
    rb'\{"v":([0-9]{1,9}),"stream":"([0-9a-z.]{1,32})","seq":([1-9][0-9]{0,17}),"prev":"([0-9a-f]{64})",'
)
_SEAL: Final = re.compile(rb',"hash":"([0-9a-f]{64})"\}\n')


class Link(NamedTuple):
    """A record's place in its stream's chain: its number, from 1, and its hash in 64 hex digits."""

    seq: int
    hash: bytes


ROOT: Final = Link(0, GENESIS)
"""What a stream's first record hangs on."""


class Sealed(NamedTuple):
    """A line whose hash is right: what it says of its place, and the record's own members."""

    version: int
    stream: str
    seq: int
    prev: bytes
    hash: bytes
    members: bytes

    @property
    def link(self) -> Link:
        """What the next line of the stream hangs on."""
        return Link(self.seq, self.hash)


def seal(stream: bytes, last: Link, members: bytes) -> tuple[bytes, Link]:
    """Make the line that follows ``last``, and give it with its own link.

    ``members`` are the record's own members as JSON text in ASCII, at least one, without the braces.
    """
    seq = last.seq + 1
    covered = b'{"v":%d,"stream":"%b","seq":%d,"prev":"%b",%b' % (VERSION, stream, seq, last.hash, members)
    digest = sha256(covered).hexdigest().encode("ascii")
    return b'%b,"hash":"%b"}\n' % (covered, digest), Link(seq, digest)


def seal_all(stream: bytes, last: Link, records: Iterable[bytes]) -> tuple[bytes, Link]:
    """Make the lines of many records that follow ``last``, in one piece, and give the last one's link.

    The same as :func:`seal` for one after the other, in less time.
    """
    begin = b'{"v":%d,"stream":"%b","seq":' % (VERSION, stream)
    seq, digest = last
    pieces: list[bytes] = []
    for members in records:
        seq += 1
        covered = b'%b%d,"prev":"%b",%b' % (begin, seq, digest, members)
        digest = sha256(covered).hexdigest().encode("ascii")
        pieces += (covered, b',"hash":"', digest, b'"}\n')
    return b"".join(pieces), Link(seq, digest)


def unseal(line: bytes) -> Sealed | None:
    """Take a line apart; None if it is not whole, or is not what was written."""
    start = _START.match(line)
    end = _SEAL.fullmatch(line, len(line) - SEAL_LENGTH) if len(line) > SEAL_LENGTH else None
    if start is None or end is None or start.end() >= end.start():
        return None
    if sha256(memoryview(line)[: end.start()]).hexdigest().encode("ascii") != end[1]:
        return None
    version, stream, seq, prev = start.groups()
    return Sealed(
        int(version), stream.decode("ascii"), int(seq), prev, end[1], line[start.end() : end.start()]
    )


def follows(line: bytes, stream: bytes, last: Link) -> Link | None:
    """Give the link of ``line`` if it is the whole and right one after ``last``; the fast form of unseal."""
    start = b'{"v":%d,"stream":"%b","seq":%d,"prev":"%b",' % (VERSION, stream, last.seq + 1, last.hash)
    if not line.startswith(start):
        return None
    digest = sha256(memoryview(line)[:-SEAL_LENGTH]).hexdigest().encode("ascii")
    return Link(last.seq + 1, digest) if line.endswith(b',"hash":"%b"}\n' % digest) else None
