"""Retention: whole segments are removed from the old end of each stream, and it is told before they are.

A segment goes when it is closed, the hour in which it was written is older than the retention, and the index
has all of it. First a ``lifecycle`` record in the supervisor's stream tells what is removed, and where the
chain begins from then on; then the files go. What a crash leaves in between, the next time removes.
"""

from __future__ import annotations

import os
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING, NamedTuple

from gateway.audit import records
from gateway.audit.beginnings import read_beginnings
from gateway.audit.chain import OPS, ROOT, Link, unseal
from gateway.audit.faults import system_fault
from gateway.audit.segments import end_of, open_file, read_lines, segments, streams, sync_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from gateway.audit.records import Marks
    from gateway.audit.segments import Segment


class Pruned(NamedTuple):
    """What is removed of a stream: records ``first`` to ``last``, in files of ``size`` bytes together."""

    stream: str
    first: int
    last: Link
    files: list[Path]
    size: int


def prune(
    directory: Path,
    commit: Callable[[list[bytes]], None],
    marks: Marks,
    *,
    before: float,
    positions: Mapping[str, int],
) -> list[Pruned]:
    """Remove what was written before ``before``, seconds since the epoch; give what was removed.

    ``commit`` has records of the supervisor's stream on disk, as :meth:`stream.Stream.commit` does.
    ``positions`` tell the number of the last record of each stream that the index has. The last segment of a
    stream always stays.

    :raises AuditError: when files cannot be read or removed, or the records not written; then nothing was
        removed that is not told
    """
    try:
        starts = {name: one.after for name, one in read_beginnings(directory).items()}
        found = []
        for name, folder in streams(directory):
            _remove(_left_over(folder, starts.get(name, ROOT)), folder)
            pruned = _removable(name, folder, before, positions.get(name, 0))
            if pruned is not None:
                found.append(pruned)
        # The supervisors' own streams go last, and what they tell of others is told again before that.
        found.sort(key=lambda one: (one.stream.endswith(OPS), one.stream))
        told = [records.pruned(marks(), one.stream, one.first, one.last) for one in found]
        if found and found[-1].stream.endswith(OPS):
            again = starts.keys() - {one.stream for one in found}
            told = [records.pruned(marks(), name, 1, starts[name]) for name in sorted(again)] + told
        if told:
            commit(told)
        for one in found:
            _remove(one.files, one.files[0].parent)
    except OSError as error:
        raise system_fault("prune", error.filename or directory, error) from None
    return found


def _left_over(folder: Path, start: Link) -> list[Path]:
    """Give the files that were told to be removed and were not, because a crash came between."""
    told = takewhile(lambda pair: pair[0].first < pair[1].first <= start.seq + 1, pairwise(segments(folder)))
    return [one.path for one, _ in told]


def _removable(name: str, folder: Path, before: float, indexed: int) -> Pruned | None:
    """Give what may go: up to the last boundary that is sound, so that damage is not in the way for ever."""
    may_go = list(
        takewhile(
            lambda pair: end_of(pair[0].hour) <= before and pair[1].first - 1 <= indexed,
            pairwise(segments(folder)),
        )
    )
    while may_go:
        first, last = may_go[0][0].first, _before(may_go[-1][1], name)
        if last is not None and last.seq >= first:
            files = [one.path for one, _ in may_go]
            return Pruned(name, first, last, files, sum(path.stat().st_size for path in files))
        may_go.pop()
    return None


def _before(segment: Segment, stream: str) -> Link | None:
    """Give the record before a segment's first one; None if its first line is not sound."""
    with os.fdopen(open_file(segment.path), "rb") as file:
        sealed = unseal(next(read_lines(file), b""))
    if sealed is None or (sealed.stream, sealed.seq) != (stream, segment.first):
        return None
    return Link(sealed.seq - 1, sealed.prev)


def _remove(files: list[Path], folder: Path) -> None:
    """Remove files, oldest first, so that whatever is left is whole."""
    for path in files:
        path.unlink(missing_ok=True)
    if files:
        sync_folder(folder)
