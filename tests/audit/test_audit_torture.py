"""A stream whose process is killed, and whose disk is full, read-only or cuts writes short: real ones."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.audit.chain import Link
from gateway.audit.faults import AuditError
from gateway.audit.records import Marks
from gateway.audit.segments import segments
from gateway.audit.start import open_stream, take_over
from gateway.audit.verify import verify
from gateway.listener.ids import RequestIds
from tests.support.ledgers import NAME, lines, made_up, members

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
MARKS = Marks(RequestIds().next, lambda: 1_800_000_000.0)

COMMITTING = """
import os, random, sys, time
from pathlib import Path
from gateway.audit import records
from gateway.audit.records import Mark, Marks
from gateway.audit.start import take_over
from gateway.listener.ids import RequestIds

ids, chance = RequestIds(), random.Random(int(sys.argv[3]))
marks = Marks(ids.next, time.time)
stream = take_over(Path(sys.argv[1]), sys.argv[2], marks)
stream._segment_bytes = 300_000
opened = []
while True:
    batch = []
    for _ in range(chance.choice((1, 3, 300))):
        mark = marks()
        opened.append(mark.id)
        batch.append(records.intent(mark, {"operation": "createMessage"}))
    while len(opened) > 20:
        batch.append(records.outcome_unknown(opened.pop(chance.randrange(len(opened))), {}))
    stream.commit(batch)
    os.write(1, b"%d %b\\n" % (stream.last.seq, stream.last.hash))
"""
"""A process that commits for ever and writes each commit's last record to a pipe once the commit returned."""


def killed(folder: Path, seed: int) -> list[Link]:
    """Let a process commit, kill it at some moment, and give what it had acknowledged."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    environ["PYTHONPATH"] = str(ROOT)
    process = subprocess.Popen(
        [sys.executable, "-c", COMMITTING, str(folder), NAME, str(seed)], stdout=subprocess.PIPE, env=environ
    )
    assert process.stdout is not None
    enough = random.Random(seed).randrange(1, 60)
    acknowledged = [process.stdout.readline() for _ in range(enough)]
    process.send_signal(signal.SIGKILL)
    acknowledged += process.stdout.readlines()
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    words = [line.split() for line in acknowledged if line.endswith(b"\n")]
    return [Link(int(seq), digest) for seq, digest in words]


def test_nothing_acknowledged_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    """Eight processes in one stream, one after another killed: all that they said is there, and proven."""
    everything: list[Link] = []
    for seed in range(8):
        everything += killed(tmp_path, seed)
        seqs = [link.seq for link in everything]
        assert seqs == sorted(set(seqs))
        take_over(tmp_path, NAME, MARKS).close()
        found = verify(tmp_path, kept={NAME: everything}, settle_seconds=0)
        assert found.faults == []
    assert len(segments(tmp_path / "ledger" / NAME)) > 3
    kinds: dict[str, Counter[str]] = {"intent": Counter(), "request": Counter()}
    for line in lines(tmp_path):
        record = json.loads(line)
        if record["kind"] in kinds:
            kinds[record["kind"]][record["id"]] += 1
    assert kinds["intent"] == kinds["request"]  # each intent has its one outcome
    assert set(kinds["intent"].values()) == {1}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a file system of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", folder], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def batch(seed: int, count: int = 20) -> list[bytes]:
    return [members(record) for record in made_up(count, seed=seed)]


def test_a_full_disk_takes_all_of_a_commit_or_nothing(small_disk: Path) -> None:
    """What was acknowledged is there, half a commit never is, and with room again the same records go in."""
    filler = small_disk / "filler"
    filler.write_bytes(bytes(700_000))
    stream = take_over(small_disk, NAME, MARKS)
    committed = 0
    failure = None
    while failure is None:
        try:
            stream.commit(batch(committed))
            committed += 1
        except AuditError as error:
            failure = error
    assert str(failure).endswith("jsonl: cannot write: No space left on device.")
    assert committed > 3
    for _ in range(3):
        with pytest.raises(AuditError):
            stream.commit(batch(committed))
        found = verify(small_disk, kept={NAME: {stream.last}})
        assert (found.fault_count, found.records) == (0, 20 * committed + 1)
    filler.unlink()
    if stream.latched:
        stream.reopen()
    stream.commit(batch(committed))
    stream.close()
    found = verify(small_disk)
    assert (found.fault_count, found.records) == (0, 20 * committed + 21)


def test_a_disk_that_is_full_when_a_segment_begins(small_disk: Path) -> None:
    """No empty file is in the way once there is room; nor is a process that starts on a full disk."""
    stream = open_stream(small_disk, NAME, MARKS, segment_bytes=1000)
    stream.commit(batch(0))
    filler = small_disk / "filler"
    room = os.statvfs(small_disk)
    filler.write_bytes(bytes(room.f_bavail * room.f_frsize))
    for _ in range(3):
        with pytest.raises(AuditError, match="No space left"):
            stream.commit(batch(1))
    stream.close()
    with pytest.raises(AuditError, match="No space left"):
        take_over(small_disk, NAME, MARKS, batch(1))
    filler.unlink()
    take_over(small_disk, NAME, MARKS, batch(1)).close()
    found = verify(small_disk)
    assert (found.fault_count, found.records) == (0, 42)


def test_a_read_only_directory_is_told(small_disk: Path) -> None:
    """Opening names the folder and what the system said; what is there can still be verified."""
    take_over(small_disk, NAME, MARKS, batch(0)).close()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    for name in (NAME, "0123456789abcdef.1"):
        with pytest.raises(AuditError, match=f"ledger/{name}: cannot write in: Read-only file system"):
            open_stream(small_disk, name, MARKS)
    assert verify(small_disk).records == 21


@contextmanager
def longest_file(size: int) -> Iterator[None]:
    """Let no file become longer: a write beyond that is cut short, and the next one fails (setrlimit(2))."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_is_cut_short_leaves_nothing(tmp_path: Path) -> None:
    """At any byte of the commit; the records before stay, and the same ones go in afterwards."""
    stream = take_over(tmp_path, NAME, MARKS, batch(0))
    (segment,) = segments(stream.folder)
    size = segment.path.stat().st_size
    before = segment.path.read_bytes()
    for more in (0, 1, 20, 500, 5000):
        with longest_file(size + more), pytest.raises(AuditError, match="cannot write: File too large"):
            stream.commit(batch(1))
        assert not stream.latched
        assert segment.path.read_bytes() == before
    stream.commit(batch(1))
    stream.close()
    found = verify(tmp_path)
    assert (found.fault_count, found.records) == (0, 41)
