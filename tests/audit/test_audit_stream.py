"""A stream on disk: commits, segments, and what a process that ended anyhow leaves to the next."""

from __future__ import annotations

import errno
import os
import shutil
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gateway.audit import stream as stream_module
from gateway.audit.chain import unseal
from gateway.audit.faults import AuditError
from gateway.audit.segments import segments
from gateway.audit.stream import Stream
from gateway.audit.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "0123456789abcdef.0"
NOON = 1_800_000_000.0
IDS = [f"00000000-0000-7000-8000-{number:012d}" for number in range(10)]


def opening(ids: tuple[str, ...]) -> bytes:
    listed = ",".join(f'"{one}"' for one in ids)
    return f'"kind":"lifecycle","id":"{IDS[9]}","event":"segment","open":[{listed}]'.encode()


def open_stream(folder: Path, now: float = NOON, segment_bytes: int = 1 << 20) -> Stream:
    return Stream(folder, NAME, now=lambda: now, opening=opening, segment_bytes=segment_bytes)


def request(number: int) -> bytes:
    return b'"kind":"request","id":"%b","status":200' % IDS[number].encode()


def intent(number: int) -> bytes:
    return b'"kind":"intent","id":"%b"' % IDS[number].encode()


def seqs(folder: Path) -> list[int]:
    """Give the numbers of all records in the order of the files."""
    content = b"".join(one.path.read_bytes() for one in segments(folder / "ledger" / NAME))
    lines = map(unseal, content.splitlines(keepends=True))
    return [sealed.seq for sealed in lines if sealed is not None]


def test_commits_are_chained_over_segments_and_processes(tmp_path: Path) -> None:
    """Segments are begun by size and by the hour, each with a record; a next process goes on."""
    stream = open_stream(tmp_path, segment_bytes=500)
    for number in range(5):
        stream.commit([request(number)])
    stream.close()
    later = open_stream(tmp_path, now=NOON + 3600)
    assert (later.last, later.recovered.torn) == (stream.last, None)
    later.commit([request(5), request(6)])
    later.close()
    found = verify(tmp_path)
    assert (found.faults, found.heads[NAME]) == ([], later.last)
    files = segments(tmp_path / "ledger" / NAME)
    assert [one.path.name for one in files] == sorted(one.path.name for one in files)
    assert len({one.hour for one in files}) == 2
    assert seqs(tmp_path) == list(range(1, found.records + 1))
    for one in files:
        first = unseal(one.path.read_bytes().splitlines(keepends=True)[0])
        assert first is not None
        assert b'"event":"segment"' in first.members
        assert first.seq == one.first


def test_one_process_has_a_stream(tmp_path: Path) -> None:
    """A second one is refused while the first lives."""
    stream = open_stream(tmp_path)
    with pytest.raises(AuditError, match="another process writes this stream"):
        open_stream(tmp_path)
    stream.close()
    open_stream(tmp_path).close()


def test_torn_at_every_byte(tmp_path: Path) -> None:
    """However little of the last commit got to the disk: whole lines stay, the rest is cut."""
    stream = open_stream(tmp_path / "a")
    stream.commit([request(0)])
    kept = stream.last.seq
    stream.commit([request(1), request(2)])
    stream.close()
    (segment,) = segments(stream.folder)
    whole = segment.path.read_bytes()
    ends = [index + 1 for index, byte in enumerate(whole) if byte == 10]
    for size in range(ends[kept - 1], len(whole)):
        folder = tmp_path / "b"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(tmp_path / "a", folder)
        path = folder / "ledger" / NAME / segment.path.name
        os.truncate(path, size)
        again = open_stream(folder)
        sound = sum(end <= size for end in ends)
        assert again.last.seq == sound
        torn = whole[ends[sound - 1] : size]
        assert again.recovered.torn == ((len(torn), sha256(torn).hexdigest(), torn) if torn else None)
        again.commit([request(3)])
        again.close()
        found = verify(folder)
        assert (found.fault_count, found.records) == (0, sound + 1)


def test_damage_is_not_cut(tmp_path: Path) -> None:
    """A changed line is evidence: it stays, whether sound lines follow it or it is the last."""
    for line in (1, 2):
        folder = tmp_path / str(line)
        stream = open_stream(folder)
        stream.commit([request(0), request(1)])
        stream.close()
        (segment,) = segments(stream.folder)
        lines = segment.path.read_bytes().splitlines(keepends=True)
        lines[line] = lines[line].replace(b"200", b"400")
        segment.path.write_bytes(b"".join(lines))
        again = open_stream(folder)
        again.commit([request(2)])
        again.close()
        assert lines[line] in segment.path.read_bytes()
        found = verify(folder)
        assert found.faults[0].line == line + 1
        assert "hash" in found.faults[0].message
        assert again.recovered.damaged
        assert again.recovered.torn is None


def test_open_intents_are_found_and_carried_over_segments(tmp_path: Path) -> None:
    """An intent without an outcome is told to the next process, however many segments lie between."""
    stream = open_stream(tmp_path, segment_bytes=400)
    stream.commit([intent(0), intent(1), request(1)])
    for _ in range(6):
        stream.commit([intent(2), request(2)])
    stream.commit([intent(3)])
    stream.close()
    assert len(segments(stream.folder)) > 3
    assert open_stream(tmp_path).recovered.open == (IDS[0], IDS[3])


class Failing:
    """Fails calls of the operating system with an error, until told otherwise."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str, code: int, after: int = 0) -> None:
        self.broken = True
        self._real: Callable[..., Any] = getattr(os, name)
        self._code = code
        self._after = after
        monkeypatch.setattr(os, name, self)

    def __call__(self, *arguments: Any) -> Any:
        if not self.broken:
            return self._real(*arguments)
        if self._after:
            self._after -= 1
            fd, data = arguments
            return self._real(fd, bytes(data)[: len(data) // 2])
        raise OSError(self._code, os.strerror(self._code))


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written of a commit is cut off again, and the same records go in when there is room."""
    stream = open_stream(tmp_path)
    stream.commit([request(0)])
    before = stream.last
    failing = Failing(monkeypatch, "write", errno.ENOSPC, after=1)
    with pytest.raises(AuditError, match="cannot write: No space left on device"):
        stream.commit([request(1), request(2)])
    assert (stream.last, stream.latched) == (before, False)
    assert verify(tmp_path).records == before.seq
    failing.broken = False
    stream.commit([request(1), request(2)])
    stream.close()
    found = verify(tmp_path)
    assert (found.fault_count, found.records) == (0, before.seq + 2)


def test_a_failed_sync_latches_until_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After fsync has failed nothing is taken until the segment was read back; what was not synced is cut."""
    stream = open_stream(tmp_path)
    stream.commit([request(0)])
    before = stream.last
    failing = Failing(monkeypatch, "fdatasync", errno.EIO)
    with pytest.raises(AuditError, match="Input/output error"):
        stream.commit([request(1)])
    failing.broken = False
    with pytest.raises(AuditError, match="waits to be checked"):
        stream.commit([request(1)])
    assert stream.latched
    stream.reopen()
    assert (stream.last, stream.latched) == (before, False)
    stream.commit([request(1)])
    stream.close()
    found = verify(tmp_path)
    assert (found.fault_count, found.records) == (0, before.seq + 1)


def test_what_was_on_disk_must_still_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment that lost what had been committed stays latched."""
    stream = open_stream(tmp_path)
    stream.commit([request(0)])
    (segment,) = segments(stream.folder)
    Failing(monkeypatch, "fdatasync", errno.EIO)
    with pytest.raises(AuditError):
        stream.commit([request(1)])
    os.truncate(segment.path, 100)
    with pytest.raises(AuditError, match="not there any more"):
        stream.reopen()
    assert stream.latched


@pytest.mark.parametrize("copied", [False, True], ids=["moved", "and a copy in its place"])
def test_what_is_written_to_a_removed_file_is_not_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copied: bool
) -> None:
    """Nothing is taken while the ledger is not where it was; once it is back, all goes on."""
    monkeypatch.setattr(stream_module, "LOOK_SECONDS", 0)
    stream = open_stream(tmp_path)
    stream.commit([request(0)])
    ledger, elsewhere = tmp_path / "ledger", tmp_path / "elsewhere"
    ledger.rename(elsewhere)
    if copied:
        shutil.copytree(elsewhere, ledger)
    with pytest.raises(AuditError, match="have on disk what was written to"):
        stream.commit([request(1)])
    assert stream.latched
    if copied:
        shutil.rmtree(ledger)
    with pytest.raises(AuditError, match="reopen"):
        stream.reopen()
    elsewhere.rename(ledger)
    stream.reopen()
    stream.commit([request(1)])
    assert seqs(tmp_path) == [1, 2, 3]
    stream.close()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """The fault names the folder, and what the system said."""
    (tmp_path / "ledger").write_text("in the way")
    with pytest.raises(AuditError, match=r"ledger/.*: cannot write in: Not a directory"):
        open_stream(tmp_path)


def test_a_segment_s_name_tells_the_hour_of_its_records(tmp_path: Path) -> None:
    """A file that was left empty is not filled hours later: by its name it would be pruned too early."""
    stream = open_stream(tmp_path)
    stream.commit([request(0)])
    stream.close()
    (segment,) = segments(stream.folder)
    empty = segment.path.with_name(f"{stream.last.seq + 1:019d}-20270115T09.jsonl")
    empty.touch()
    again = open_stream(tmp_path, now=NOON + 5 * 3600)
    again.commit([request(1)])
    assert [one.hour for one in segments(stream.folder)] == [segment.hour, "20270115T13"]
    again.close()
    back = open_stream(tmp_path, now=NOON)
    segments(stream.folder)[-1].path.write_bytes(b"")
    back.close()
    back = open_stream(tmp_path, now=NOON)  # the clock was set back: what is read in order stays in order
    back.commit([request(1)])
    back.close()
    assert len(segments(stream.folder)) == 2
    assert verify(tmp_path).fault_count == 0


def test_beginning_a_segment_can_be_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new file whose name cannot be had on disk leaves nothing open and is no obstacle later."""
    stream = open_stream(tmp_path)
    stream.commit([request(0)])
    open_files = descriptors()
    failing = Failing(monkeypatch, "fsync", errno.ENOSPC)
    later = open_stream_later(stream)
    for _ in range(3):
        with pytest.raises(AuditError, match="cannot begin a segment of the ledger in: No space left"):
            stream.commit([request(1)])
    assert descriptors() == open_files
    failing.broken = False
    stream.commit([request(1)])
    assert segments(stream.folder)[-1].hour == later
    stream.close()
    assert seqs(tmp_path) == [1, 2, 3, 4]
    assert verify(tmp_path).fault_count == 0


def descriptors() -> int:
    """Give how many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def open_stream_later(stream: Stream) -> str:
    """Let an hour pass for a stream; give the new one."""
    stream._now = lambda: NOON + 3600
    return "20270115T09"


def test_a_file_that_is_in_the_way_is_told(tmp_path: Path) -> None:
    """Records of somebody else under the name of the next segment are not written behind."""
    stream = open_stream(tmp_path)
    stream.commit([request(0)])
    later = open_stream_later(stream)
    (stream.folder / f"{stream.last.seq + 1:019d}-{later}.jsonl").write_bytes(b"x\n")
    with pytest.raises(AuditError, match="cannot begin a segment of the ledger in: File exists"):
        stream.commit([request(1)])
    stream.close()


def test_a_segment_of_nothing_but_damage_is_gone_on_in(tmp_path: Path) -> None:
    """Its file has the name that the next one would have; what is there stays, and what comes is proven."""
    stream = open_stream(tmp_path)
    stream.commit([request(0)])
    stream.close()
    (segment,) = segments(stream.folder)
    segment.path.write_bytes(segment.path.read_bytes().replace(b"2", b"3"))
    damaged = segment.path.read_bytes()
    again = open_stream(tmp_path, segment_bytes=10)
    assert (again.recovered.damaged, again.last.seq) == (True, 0)
    again.commit([request(1)])
    again.close()
    assert segment.path.read_bytes().startswith(damaged)
    assert seqs(tmp_path) == [1]
    assert verify(tmp_path).fault_count == damaged.count(b"\n")


def test_zeros_of_pages_that_were_lost_are_a_torn_tail(tmp_path: Path) -> None:
    """A line with both ends and zeros between them was never on disk whole: it is cut, not kept as damage."""
    stream = open_stream(tmp_path)
    stream.commit([request(0)])
    stream.close()
    (segment,) = segments(stream.folder)
    whole = segment.path.read_bytes()
    segment.path.write_bytes(whole + whole[:100] + bytes(200) + whole[-100:])
    again = open_stream(tmp_path)
    assert again.recovered.torn is not None
    assert (again.recovered.damaged, again.recovered.torn.size) == (False, 400)
    again.close()
    assert segment.path.read_bytes() == whole


def test_what_a_failed_write_left_is_cut_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the cut itself cannot be had on disk nothing more is written behind it, until it was checked."""
    stream = open_stream(tmp_path)
    stream.commit([request(0)])
    writing = Failing(monkeypatch, "write", errno.ENOSPC, after=1)
    cutting = Failing(monkeypatch, "fsync", errno.EIO)
    with pytest.raises(AuditError, match="No space left"):
        stream.commit([request(1)])
    assert stream.latched
    writing.broken = cutting.broken = False
    stream.reopen()
    stream.commit([request(1)])
    stream.close()
    assert verify(tmp_path).fault_count == 0


def test_an_unsynced_record_is_not_left_for_the_next_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failed fsync what was written is in memory only, and looks as if it were on disk."""
    stream = open_stream(tmp_path)
    stream.commit([request(0)])
    Failing(monkeypatch, "fdatasync", errno.EIO)
    with pytest.raises(AuditError):
        stream.commit([request(1)])
    stream.close()
    monkeypatch.undo()
    assert open_stream(tmp_path).last.seq == 2
