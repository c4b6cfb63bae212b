"""Taking over a stream: what the process before it left is told by the first records of the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.audit import records
from gateway.audit.committed import read_committed
from gateway.audit.faults import StreamTaken, system_fault
from gateway.audit.recovery import find_intents, recover
from gateway.audit.segments import streams
from gateway.audit.stream import SEGMENT_BYTES, Stream

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from gateway.audit.records import Marks
    from gateway.audit.recovery import Recovered


def open_stream(directory: Path, name: str, marks: Marks, segment_bytes: int = SEGMENT_BYTES) -> Stream:
    """Open a stream whose segments begin with the record that belongs there.

    What was recovered is still to be told: :func:`aftermath`.

    :raises StreamTaken: when another process has it
    :raises AuditError: when its files cannot be used
    """
    return Stream(
        directory,
        name,
        now=marks.now,
        opening=lambda opened: records.segment(marks(), opened),
        segment_bytes=segment_bytes,
    )


def aftermath(stream: Stream, marks: Marks) -> list[bytes]:
    """Give the records that follow from what was recovered: none if the last process ended well.

    One tells what was cut off and whether there is damage. Each open intent gets its ``request`` record, with
    ``upstream_outcome`` ``unknown`` and what the intent tells.
    """
    found = stream.recovered
    told = [records.recovered(marks(), found)] if found.torn or found.damaged else []
    intents = find_intents(stream.folder, stream.name, found.open)
    return told + [records.outcome_unknown(one, intents.get(one, {})) for one in found.open]


def take_over(directory: Path, name: str, marks: Marks, then: Iterable[bytes] = ()) -> Stream:
    """Open a stream and have on disk what was recovered, and ``then``: the record that tells of the start.

    :raises AuditError: as :func:`open_stream`, and when they cannot be written; then nothing is left open
    """
    stream = open_stream(directory, name, marks)
    try:
        members = [*aftermath(stream, marks), *then]
        if members:
            stream.commit(members)
    except BaseException:
        stream.close()
        raise
    return stream


def settle_idle(directory: Path, instance: str, marks: Marks) -> list[str]:
    """Settle the streams of this instance that nobody continues, as those of slots there were more of once.

    Torn tails are cut off and open intents closed, and records that were never told to be committed are had
    on disk; a stream that has nothing of that, or that a process has, stays as it is. Gives the names of
    those that were settled.

    :raises AuditError: when a stream cannot be read or written
    """
    settled = []
    try:
        for name, folder in streams(directory):
            if name.partition(".")[0] != instance:
                continue
            found = recover(folder, name)
            if not (found.torn or found.open or _untold(folder, found)):
                continue
            try:
                take_over(directory, name, marks).close()
            except StreamTaken:
                continue
            settled.append(name)
    except OSError as error:
        raise system_fault("read", error.filename or directory, error) from None
    return settled


def _untold(folder: Path, found: Recovered) -> bool:
    """Say whether a stream has sound records that it does not tell to be committed."""
    told, segment = read_committed(folder), found.segment
    return told is not None and segment is not None and told != (segment.path.name, found.size)
