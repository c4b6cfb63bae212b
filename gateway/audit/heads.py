"""Heads: the last record of each stream, kept elsewhere, so that a stream that was cut short shows.

A file of heads has a line for each, ``stream seq hash``; several of a stream may stand in it, one file can be
added to day by day. Empty lines, and what follows a ``#``, are passed over.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from gateway.audit.chain import STREAM, Link
from gateway.audit.faults import system_fault
from gateway.audit.recovery import recover
from gateway.audit.segments import open_file, read_lines, streams
from gateway.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_MAX_FAULTS: Final = 20
_SEQ: Final = re.compile(r"[1-9][0-9]{0,17}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")


def current_heads(directory: Path) -> dict[str, Link]:
    """Give the last sound record of each stream below an audit directory that has one; it is on disk then.

    :raises AuditError: when a file cannot be read
    """
    try:
        found = {name: _head(folder, name) for name, folder in streams(directory)}
    except OSError as error:
        raise system_fault("read", error.filename or directory, error) from None
    return {name: link for name, link in found.items() if link.seq}


def _head(folder: Path, name: str) -> Link:
    found = recover(folder, name)
    if found.segment is not None:
        # A head that a power failure takes back would later look as if somebody had cut the stream.
        with os.fdopen(open_file(found.segment.path), "rb") as file:
            os.fdatasync(file.fileno())
    return found.last


def write_heads(heads: Mapping[str, Link]) -> str:
    """Give the text of a file of heads."""
    return "".join(f"{name} {link.seq} {link.hash.decode('ascii')}\n" for name, link in sorted(heads.items()))


def read_heads(path: Path) -> dict[str, set[Link]]:
    """Read a file of heads.

    :raises ConfigError: with its first faults; a file without heads has one, too
    """
    heads: dict[str, set[Link]] = {}
    faults: list[Fault] = []
    try:
        with path.open("rb") as file:
            for number, line in enumerate(read_lines(file), 1):
                text = line.decode("utf-8-sig" if number == 1 else "utf-8", "replace")
                words = text.partition("#")[0].split()
                if not words:
                    continue
                message = _fault_of(words)
                if message is None:
                    stream, seq, digest = words
                    heads.setdefault(stream, set()).add(Link(int(seq), digest.lower().encode("ascii")))
                else:
                    faults.append(Fault(str(path), number, 1, message))
                    if len(faults) == _MAX_FAULTS:
                        break
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError([Fault(str(path), 0, 0, f"cannot be read: {reason}")]) from None
    if not heads and not faults:
        faults.append(Fault(str(path), 0, 0, "there are no heads in it"))
    if faults:
        raise ConfigError(faults)
    return heads


def _fault_of(words: list[str]) -> str | None:
    if len(words) != 3:
        return "expected a stream, a number and a hash"
    stream, seq, digest = words
    if not STREAM.fullmatch(stream):
        return "the first word is not the name of a stream, such as 0123456789abcdef.0"
    if not _SEQ.fullmatch(seq):
        return "the second word is not the number of a record"
    if not _HASH.fullmatch(digest.lower()):
        return "the third word is not a hash of 64 hexadecimal digits"
    return None
