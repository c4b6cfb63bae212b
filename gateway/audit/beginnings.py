"""Where pruned streams begin: what the ``lifecycle`` records with the event ``pruned`` tell.

They stand in the supervisors' streams, and tell the last record of a stream that was removed, and its hash.
A supervisor's word counts for the streams of its own instance; for others' only if the directory is, or once
was, that instance's: whoever puts a foreign stream into a ledger explains no gap with it.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.audit.chain import OPS, Link, unseal
from gateway.audit.instance import instances
from gateway.audit.segments import open_file, read_lines, segments, streams

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MARK: Final = b'"event":"pruned"'
_PRUNED: Final = re.compile(
    rb'"kind":"lifecycle","id":"[^"]*","time":"([0-9TZ:.-]{1,32})","event":"pruned","detail":'
    rb'\{"stream":"([^"]*)","first":[0-9]{1,18},"last":([0-9]{1,18}),"hash":"([0-9a-f]{64})"\}'
)
"""What :func:`records.pruned` writes, letter for letter."""


class Beginning(NamedTuple):
    """A stream begins behind the record ``after``: so says record ``seq`` of ``stream``, made at ``time``."""

    after: Link
    stream: str
    seq: int
    time: str


def read_beginnings(directory: Path) -> dict[str, Beginning]:
    """Give, for each stream that was pruned, the last record that was, or may at any time be, removed.

    :raises AuditError: when the file ``instance`` cannot be read, or was changed
    :raises OSError: when the ledger cannot be read
    """
    found: dict[str, Beginning] = {}
    trusted = set(instances(directory))
    for name, folder in streams(directory):
        if not name.endswith(OPS):
            continue
        speaker = name.removesuffix(OPS)
        for segment in segments(folder):
            for told, beginning in _read(segment.path, name):
                if speaker not in trusted | {told.partition(".")[0]}:
                    continue
                if told not in found or found[told].after.seq < beginning.after.seq:
                    found[told] = beginning
    return found


def _read(path: Path, stream: str) -> Iterator[tuple[str, Beginning]]:
    """Give what a segment tells: the stream that was pruned, and where it begins."""
    try:
        fd = open_file(path)
    except FileNotFoundError:  # pruned by now; what it told was told again
        return
    with os.fdopen(fd, "rb") as file:
        for line in read_lines(file):
            if _MARK not in line:
                continue
            sealed = unseal(line)
            if sealed is None or sealed.stream != stream:
                continue
            match = _PRUNED.fullmatch(sealed.members)
            if match is not None:
                time, told, last, digest = match.groups()
                after = Link(int(last), digest)
                yield told.decode("latin-1"), Beginning(after, stream, sealed.seq, time.decode("ascii"))
