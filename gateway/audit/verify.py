"""Verification: every line of every stream, from the first to the last, in bounded memory.

What it proves: that the lines are the ones that were written, all of them, in their order, as far as the
stream goes. A stream that was cut short at its end shows only against heads that were kept elsewhere. One
that was pruned begins where a record in a supervisor's stream says; whether that one told the truth shows
only against such heads, too.

It can run beside the gateway: segments that are pruned meanwhile are passed over, and a last segment that
seems faulty is read again as long as it changes.
"""

from __future__ import annotations

import signal
import time
from bisect import bisect_left
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from itertools import chain, starmap
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.audit.beginnings import read_beginnings
from gateway.audit.chain import ROOT, Link
from gateway.audit.faults import AuditError, system_fault
from gateway.audit.proof import ChainFault, Faults, Proof, Walk, misplaced, prove
from gateway.audit.segments import segments, streams

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from gateway.audit.beginnings import Beginning
    from gateway.audit.segments import Segment

SETTLE_SECONDS: Final = 0.1
"""How long a last segment that seems faulty has to stay as it is to be so."""
_SETTLE_ROUNDS: Final = 20


@dataclass(slots=True)
class Verification:
    """What was found: faults, figures, each stream's head, and what could not be told (``notes``).

    ``beginnings`` tell of each stream that was pruned where it begins, and who said so.
    """

    told: Faults = field(default_factory=Faults)
    records: int = 0
    size: int = 0
    heads: dict[str, Link] = field(default_factory=dict)
    beginnings: dict[str, Beginning] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[ChainFault]:
        """The first faults, at most ``MAX_LISTED``, in the order of the ledger."""
        return self.told.listed

    @property
    def fault_count(self) -> int:
        """How many faults there are."""
        return self.told.count


class _Task(NamedTuple):
    """What :func:`proof.prove` takes: a segment, its stream, and the kept heads that it should hold."""

    segment: Segment
    stream: str
    kept: Sequence[Link]


def verify(
    directory: Path,
    *,
    kept: Mapping[str, Collection[Link]] | None = None,
    processes: int = 1,
    progress: Callable[[int], None] = lambda _: None,
    settle_seconds: float = SETTLE_SECONDS,
) -> Verification:
    """Verify all streams below an audit directory.

    ``kept`` are heads that were kept elsewhere: each stream has to hold those records. With several
    ``processes`` segments are read side by side. ``progress`` hears how many bytes were read, after each
    segment.

    :raises AuditError: when a file cannot be read
    """
    kept = kept or {}
    found = Verification()
    try:
        tasks = {name: _tasks(name, folder, kept.get(name, ())) for name, folder in streams(directory)}
        proofs = _prove_all([*chain.from_iterable(tasks.values())], processes)
        proven: dict[str, list[Proof]] = {name: [] for name in tasks}
        for task, proof in zip(chain.from_iterable(tasks.values()), proofs, strict=True):
            if proof is not None and not proof.flawless and task is tasks[task.stream][-1]:
                proof = _settled(task, settle_seconds)  # noqa: PLW2901 - the later one counts
            if proof is not None:
                proven[task.stream].append(proof)
                progress(proof.size)
        found.beginnings = read_beginnings(directory)
    except OSError as error:
        raise system_fault("read", error.filename or directory, error) from None
    starts = {name: one.after for name, one in found.beginnings.items()}
    for name, parts in proven.items():
        _Joining(found, name, starts.get(name), kept.get(name, ())).run(parts)
    for name in sorted((kept.keys() | starts.keys()) - proven.keys()):
        last = max([*kept.get(name, ()), starts.get(name, ROOT)])
        found.told.add(ChainFault(name, 0, last.seq, "the whole stream is missing"))
    return found


def _tasks(name: str, folder: Path, kept: Collection[Link]) -> list[_Task]:
    files = segments(folder)
    heads = sorted(kept)
    seqs = [link.seq for link in heads]
    bounds = [bisect_left(seqs, one.first) for one in files] + [len(heads)]
    return [_Task(one, name, heads[bounds[at] : bounds[at + 1]]) for at, one in enumerate(files)]


def _prove_all(tasks: Sequence[_Task], processes: int) -> Iterator[Proof | None]:
    """Prove segments in this process, or in several that end with it; give the proofs in order."""
    if processes <= 1 or len(tasks) <= 1:
        yield from starmap(prove, tasks)
        return
    # Not forked: whoever verifies may have threads, such as one that draws the progress.
    pool = ProcessPoolExecutor(min(processes, len(tasks)), get_context("spawn"), _leave_interrupts)
    try:
        yield from pool.map(prove, *zip(*tasks, strict=True))
    except BrokenProcessPool:
        raise AuditError("A process that verified a part of the ledger was ended from outside.") from None
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts() -> None:
    """Leave Ctrl-C to the process that started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _settled(task: _Task, seconds: float) -> Proof | None:
    """Read a last segment again as long as somebody writes it: what is half written is no fault."""
    proof: Proof | None = None
    for _ in range(_SETTLE_ROUNDS):
        before = task.segment.path.stat()
        proof = prove(*task)
        if proof is None or proof.flawless:
            break
        time.sleep(seconds)
        after = task.segment.path.stat()
        if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns):
            break
    return proof


class _Joining:
    """Puts a stream's segments together, and sees whether it begins and ends where it must."""

    def __init__(self, found: Verification, name: str, start: Link | None, kept: Collection[Link]) -> None:
        self._found = found
        self._name = name
        self._start = start
        self._kept = kept
        self._walk = Walk(ROOT)
        self._begun = False
        self._ends: set[Link] = set()

    def run(self, proofs: Sequence[Proof]) -> None:
        for proof in proofs:
            self._join(proof)
        end = self._walk.end or ROOT
        if end.seq:
            self._found.heads[self._name] = end
        place = proofs[-1].place if proofs else self._name
        start = self._start
        if start is not None and start not in self._ends:
            self._absent(place, start, "the last record that was pruned")
        seen: set[Link] = set().union(*(proof.kept for proof in proofs))
        for link in sorted(set(self._kept) - seen):
            if start is None or link.seq > start.seq:
                self._absent(place, link, "the record of the kept head")
            elif link != start:
                self._found.notes.append(f"{self._name}: record {link.seq}, of a kept head, was pruned")

    def _absent(self, place: str, link: Link, what: str) -> None:
        end = self._walk.end or ROOT
        how = "is cut off" if end.seq < link.seq else "is another one"
        self._found.told.add(ChainFault(place, 0, link.seq, f"{what} {how}"))

    def _join(self, proof: Proof) -> None:
        faults = Faults()
        if proof.before is not None:
            joint = self._joint(proof, proof.before)
            if joint is not None:
                faults.add(joint)
        faults.extend(proof.faults)
        faults.listed.sort(key=lambda fault: fault.line)
        if proof.tail is not None:
            faults.add(proof.tail)
        self._walk.join(proof.walk)
        if self._walk.last is not None:
            self._ends.add(self._walk.last)
        self._found.told.extend(faults)
        self._found.records += proof.records
        self._found.size += proof.size

    def _joint(self, proof: Proof, before: Link) -> ChainFault | None:
        """Say what is wrong with how a segment's first sound line follows."""
        walk, start = self._walk, self._start
        if not self._begun and start is not None:
            # What was pruned need not be gone yet; then the chain itself has to lead to the start.
            walk.last = before if before.seq < start.seq else start
            self._ends.add(walk.last)
        self._begun = True
        assert walk.last is not None
        wanted = walk.last.seq + 1 + walk.broken + proof.lead
        if not walk.accepts(before, proof.lead):
            return ChainFault(proof.place, proof.line, wanted, misplaced(wanted, before.seq + 1))
        if not proof.lead and before.seq + 1 != proof.first:
            message = f"the file's name says that it begins with record {proof.first}"
            return ChainFault(proof.place, proof.line, wanted, message)
        return None
