"""The follower: each record of the ledger is in the index once, whatever happens to either."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from gateway.audit.committed import LOCK, NOTHING, tell_committed
from gateway.audit.faults import AuditError
from gateway.audit.follower import Follower, rebuild
from gateway.audit.index import Batch, Index, IndexUnavailable, open_index
from gateway.audit.index.row import read_row
from gateway.audit.instance import instance_id
from gateway.audit.query import Query
from gateway.audit.records import Marks
from gateway.audit.segments import segments
from gateway.audit.start import settle_idle
from gateway.listener.ids import RequestIds
from tests.support.ledgers import MOMENT, NAME, OTHER, lines, made_up, members, open_stream, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway.audit.segments import Segment
    from gateway.audit.stream import Stream

PATIENCE = 30.0
MARKS = Marks(RequestIds().next, lambda: MOMENT / 1000)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """Make an empty index beside the ledger."""
    opened = open_index("sqlite", tmp_path)
    yield opened
    opened.close()


def held(index: Index) -> list[str]:
    """Give all records of an index, by their text."""
    found: list[str] = []
    page = index.query(Query(limit=1000))
    while True:
        found.extend(page.records)
        if page.next is None:
            return sorted(found)
        page = index.query(Query(limit=1000, cursor=page.next))


def files(directory: Path, name: str = NAME) -> list[Segment]:
    return segments(directory / "ledger" / name)


def test_a_ledger_as_it_grows(tmp_path: Path, index: Index) -> None:
    """Over segments and streams, begun anew by a next follower at any place: all, in order, and once."""
    follower = Follower(tmp_path, index)
    assert follower.step() == 0
    for part in range(6):
        for name in (NAME, OTHER):
            write(
                tmp_path,
                made_up(30, start=MOMENT + 100 * part, seed=part),
                name,
                segment_bytes=9000,
                commit=5,
            )
        if part % 2:
            follower = Follower(tmp_path, index, batch_records=7)
        follower.catch_up()
        assert held(index) == sorted([*lines(tmp_path), *lines(tmp_path, OTHER)])
    assert len(files(tmp_path)) > 10
    assert follower.faults == 0
    assert follower.step() == 0


def test_a_line_that_is_still_being_written_waits(tmp_path: Path, index: Index) -> None:
    """Of a torn last line nothing is taken, at whatever byte it ends; what it becomes is."""
    write(tmp_path, made_up(3))
    (segment,) = files(tmp_path)
    whole = segment.path.read_bytes()
    size = whole.index(b"\n") + 1
    follower = Follower(tmp_path, index)
    for end in range(size, len(whole) + 1, 97):
        segment.path.write_bytes(whole[:end])
        follower.catch_up()
        assert held(index) == sorted(whole[:end].decode().split("\n")[:-1])
    segment.path.write_bytes(whole)
    follower.catch_up()
    assert (held(index), follower.faults) == (sorted(lines(tmp_path)), 0)


def test_batches_are_bounded(tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """However far behind, no transaction takes more than it may, in records or in bytes."""
    write(tmp_path, made_up(300))
    taken: list[Batch] = []
    take = index.take
    monkeypatch.setattr(index, "take", lambda batch: (taken.append(batch), take(batch))[1])
    Follower(tmp_path, index, batch_records=40).catch_up()
    assert [len(batch.rows) for batch in taken] == [40] * 7 + [21]
    index.clear([])
    taken.clear()
    Follower(tmp_path, index, batch_bytes=5000).catch_up()
    assert all(sum(len(row.text) + 1 for row in batch.rows) <= 5000 for batch in taken)
    assert held(index) == sorted(lines(tmp_path))


def test_damage_is_passed_and_told(tmp_path: Path, index: Index) -> None:
    """Changed, strange and repeated lines are not in the index, those around them are; once they are told."""
    write(tmp_path, made_up(12))
    write(tmp_path, made_up(1), OTHER)
    (segment,) = files(tmp_path)
    sound = segment.path.read_bytes().splitlines(keepends=True)
    damaged = list(sound)
    damaged[3] = sound[3].replace(b'"POST"', b'"GETS"')
    damaged[5] = b"no record at all\r\n"
    damaged[7] = (lines(tmp_path, OTHER)[1] + "\n").encode()
    damaged[9] = sound[8]
    segment.path.write_bytes(b"".join(damaged))
    told: list[str] = []
    follower = Follower(tmp_path, index, told=told.append)
    follower.catch_up()
    wanted = [line for number, line in enumerate(sound) if number not in (3, 5, 7, 9)]
    assert held(index) == sorted([line.decode().rstrip() for line in wanted] + lines(tmp_path, OTHER))
    # a line of two line ends counts as two; behind each gap the next line does not follow
    assert follower.faults == 4 + 4
    assert len(told) == 1
    assert f"{NAME}/{segment.path.name}: byte {sum(map(len, sound[:3]))}: the line was changed" in told[0]
    assert "(8 faults here)" in told[0]
    again = Follower(tmp_path, index, told=told.append)
    again.catch_up()
    assert (again.faults, len(told)) == (0, 1)


def test_a_sound_line_that_is_no_record(tmp_path: Path, index: Index) -> None:
    """It is passed: the index could not put it anywhere."""
    stream = open_stream(tmp_path)
    stream.commit([b'"kind":"request"', members(next(made_up(1)))])
    stream.close()
    told: list[str] = []
    Follower(tmp_path, index, told=told.append).catch_up()
    assert len(held(index)) == 2
    assert "the line is no record" in told[0]


def test_an_endless_line(tmp_path: Path, index: Index) -> None:
    """It is passed over in pieces, in bounded memory, and what follows it is taken."""
    write(tmp_path, made_up(2))
    (segment,) = files(tmp_path)
    later = open_stream(tmp_path, now=MOMENT / 1000 + 3600)
    later.commit([members(next(made_up(1)))])
    later.close()
    with segment.path.open("ab") as file:
        file.write(b"x" * 50_000 + b"\n")
    follower = Follower(tmp_path, index, batch_bytes=5000)
    follower.catch_up()
    wanted = [line for line in lines(tmp_path) if not line.startswith("x")]
    assert (held(index), len(wanted)) == (sorted(wanted), 5)
    assert follower.faults == 11


def test_a_torn_line_in_a_segment_that_was_closed(tmp_path: Path, index: Index) -> None:
    """Nobody will end it: it is passed as soon as there is a next segment."""
    write(tmp_path, made_up(2))
    follower = Follower(tmp_path, index)
    (segment,) = files(tmp_path)
    with segment.path.open("ab") as file:
        file.write(b'{"v":1,"stream":')
    follower.catch_up()
    assert follower.faults == 0
    stream = open_stream(tmp_path / "elsewhere", now=MOMENT / 1000 + 3600)
    stream.close()
    write(tmp_path / "elsewhere", made_up(2))
    (other,) = files(tmp_path / "elsewhere")
    shutil.copy(other.path, segment.path.with_name(f"{4:019d}-20270115T09.jsonl"))
    follower.catch_up()
    assert follower.faults > 0
    positions = index.positions()[NAME]
    assert positions.segment.startswith(f"{4:019d}")
    assert follower.step() == 0


def test_segments_that_were_pruned(tmp_path: Path, index: Index) -> None:
    """Of what the index had nothing is missed; of what it had not is told which records are gone."""
    write(tmp_path, made_up(40), segment_bytes=5000, commit=2)
    told: list[str] = []
    follower = Follower(tmp_path, index, told=told.append, batch_records=20)
    follower.step()
    found = files(tmp_path)
    position = index.positions()[NAME]
    (present,) = [number for number, one in enumerate(found) if one.path.name == position.segment]
    for one in found[:present]:
        one.path.unlink()
    follower.step()
    assert told == []
    position = index.positions()[NAME]
    (present,) = [number for number, one in enumerate(found) if one.path.name == position.segment]
    for one in found[: present + 3]:
        one.path.unlink(missing_ok=True)
    follower.catch_up()
    missing = position.link.seq + 1, found[present + 3].first - 1
    assert len(told) == 1
    assert f"the segments of records {missing[0]} to {missing[1]} are gone" in told[0]
    kept = lines(tmp_path)
    assert len(kept) > 10
    assert set(kept) <= set(held(index))


def test_a_ledger_that_was_cut_back(tmp_path: Path, index: Index) -> None:
    """Records with numbers that the index has already are told, and neither taken nor waited for."""
    write(tmp_path, made_up(10))
    told: list[str] = []
    follower = Follower(tmp_path, index, told=told.append)
    follower.catch_up()
    before = held(index)
    (segment,) = files(tmp_path)
    sound = segment.path.read_bytes().splitlines(keepends=True)
    segment.path.write_bytes(b"".join(sound[:6]))
    write(tmp_path, made_up(8, start=MOMENT + 500, seed=5))
    other = lines(tmp_path)
    assert len(other) == 14
    segment.path.write_bytes(b"".join(sound[:6]))
    follower.catch_up()
    assert "was cut back" in told[0]
    segment.path.write_bytes("".join(line + "\n" for line in other).encode())
    follower.catch_up()
    assert "which was there before" in told[1]
    assert held(index) == sorted([*before, *other[11:]])
    assert follower.step() == 0


def test_how_far_behind(tmp_path: Path, index: Index) -> None:
    """The age of the oldest record that comes next in a stream, and the bytes of all that come."""
    write(tmp_path, made_up(10, every=1000), segment_bytes=3000, commit=2)
    write(tmp_path, made_up(10, start=MOMENT + 5000), OTHER)
    now = MOMENT / 1000 + 60
    follower = Follower(tmp_path, index, now=lambda: now, batch_records=3)
    assert follower.lag() is None
    steps = 0
    while follower.step():
        steps += 1
        waiting = [lines(tmp_path, name)[index.positions()[name].link.seq :] for name in (NAME, OTHER)]
        size = sum(len(line) + 1 for stream in waiting for line in stream)
        times = [read_row(stream[0].encode()).time / 1000 for stream in waiting if stream]
        assert follower.lag() == (now - min(times, default=now), size)
    assert steps > 4
    assert follower.lag() == (0, 0)


def test_two_followers_of_one_ledger(tmp_path: Path, index: Index) -> None:
    """They take turns as it happens; what one has taken the other does not."""
    write(tmp_path, made_up(100))
    other_index = open_index("sqlite", tmp_path)
    first = Follower(tmp_path, index, batch_records=9)
    second = Follower(tmp_path, other_index, batch_records=13)
    while first.step() or second.step():
        pass
    first.catch_up()
    second.catch_up()
    assert held(index) == sorted(lines(tmp_path))
    assert first.records + second.records == 101
    other_index.close()


FOLLOW = """
import sys
from pathlib import Path
from gateway.audit.follower import Follower
from gateway.audit.index import open_index
directory = Path(sys.argv[1])
follower = Follower(directory, open_index(sys.argv[2], directory), batch_records=5)
print("ready", flush=True)
while True:
    if follower.step():
        print(follower.records, flush=True)
"""


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_killed_anywhere(tmp_path: Path, engine: str, request: pytest.FixtureRequest) -> None:
    """A follower that is killed again and again, at random, leaves nothing out and takes nothing twice."""
    where = engine if engine == "sqlite" else request.getfixturevalue("postgresql").new_database()
    chance = random.Random(7)
    for life in range(6):
        write(tmp_path, made_up(150, start=MOMENT + 1000 * life, seed=life), segment_bytes=40_000, commit=5)
        process = subprocess.Popen(
            [sys.executable, "-c", FOLLOW, str(tmp_path), where], stdout=subprocess.PIPE, bufsize=0
        )
        assert process.stdout is not None
        for _ in range(1 + chance.randrange(15)):
            assert process.stdout.readline()
        process.kill()
        process.wait()
        process.stdout.close()
    index = open_index(where, tmp_path)
    Follower(tmp_path, index).catch_up()
    assert held(index) == sorted(lines(tmp_path))
    index.close()


class Flaky:
    """An index that is away when told to be; it counts the calls that it refused."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self.away = False
        self.refused = 0
        self.change = threading.Condition()

    def __getattr__(self, name: str) -> Any:
        with self.change:
            if self.away:
                self.refused += 1
                self.change.notify_all()
                raise IndexUnavailable("The index is away.")
        return getattr(self._index, name)

    def wait_refused(self, count: int) -> None:
        with self.change:
            assert self.change.wait_for(lambda: self.refused >= count, PATIENCE)


def test_an_outage_is_waited_out(tmp_path: Path, index: Index) -> None:
    """It is told once, and its end; meanwhile it is tried again and again; then all is caught up."""
    flaky = Flaky(index)
    told: list[str] = []
    back = threading.Event()

    def hear(text: str) -> None:
        told.append(text)
        if "again" in text:
            back.set()

    follower = Follower(tmp_path, flaky, told=hear)  # type: ignore[arg-type]
    stop = threading.Event()
    write(tmp_path, made_up(20))
    flaky.away = True
    thread = threading.Thread(target=follower.run, args=(stop, 0.001))
    thread.start()
    flaky.wait_refused(4)
    assert str(follower.failure) == "The index is away."
    write(tmp_path, made_up(20, start=MOMENT + 100))
    flaky.away = False
    assert back.wait(PATIENCE)
    stop.set()
    thread.join()
    assert told == ["The index is away.", "The index can be used again."]
    assert follower.failure is None
    follower.catch_up()
    assert held(index) == sorted(lines(tmp_path))


def test_a_ledger_that_cannot_be_read(tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system says is told with the file, and nothing is taken as read."""
    write(tmp_path, made_up(3))

    def broken(*_: int) -> bytes:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pread", broken)
        follower = Follower(tmp_path, index)
        with pytest.raises(AuditError, match="cannot read the ledger: Input/output error"):
            follower.step()
    follower.catch_up()
    assert held(index) == sorted(lines(tmp_path))


@pytest.mark.parametrize("call", ["fdatasync", "write"])
def test_what_is_cut_off_again_is_not_taken(
    tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Of a commit that fails nothing is in the index, though it was there to be read; others get its numbers.

    Be it a stream's first commit, or one that begins a segment, or the last one of a process.
    """
    name = f"{instance_id(tmp_path)}.0"
    follower = Follower(tmp_path, index)
    real = getattr(os, call)
    seen: list[int] = []

    def failing(fd: int, *data: Any) -> int:
        if call == "write" and not seen:
            seen.append(0)
            return int(real(fd, bytes(data[0])[:-50]))  # whole lines among them
        seen.append(os.fstat(fd).st_size)
        follower.catch_up()
        raise OSError(5, "Input/output error")

    def fail(stream: Stream, seed: int) -> None:
        seen.clear()
        records = [members(record) for record in made_up(3, seed=seed)]
        monkeypatch.setattr(os, call, failing)
        with pytest.raises(AuditError, match="Input/output error"):
            stream.commit(records)
        monkeypatch.setattr(os, call, real)
        follower.catch_up()
        assert seen[-1] > 1000
        assert held(index) == sorted(committed)

    committed: list[str] = []
    for life in range(3):
        stream = open_stream(tmp_path, name, segment_bytes=1500)
        fail(stream, 10 + life)
        if stream.latched:
            stream.reopen()
        stream.commit([members(record) for record in made_up(3, seed=20 + life)])
        stream.tell()
        committed = lines(tmp_path, name)
        follower.catch_up()
        fail(stream, 30 + life)
        stream.close()
    write(tmp_path, made_up(3, seed=40), name)
    follower.catch_up()
    assert len(files(tmp_path, name)) > 3
    assert (held(index), follower.faults) == (sorted(lines(tmp_path, name)), 0)


def test_only_streams_that_may_be_cut_are_waited_for(tmp_path: Path, index: Index) -> None:
    """Where nothing is told of what is committed, or nobody goes on in the stream, all of it is taken."""
    own = f"{instance_id(tmp_path)}.0"
    taken: list[str] = []
    lock = tmp_path / "ledger" / own / LOCK
    for number, text in enumerate([b"", b"no line", b"0" * 64, None]):
        write(tmp_path, made_up(2, seed=number), own)
        lock.unlink()
        if text is not None:
            lock.write_bytes(text)
        Follower(tmp_path, index).catch_up()
        taken = lines(tmp_path, own)
        assert held(index) == sorted(taken)
    for name in (own, OTHER):
        write(tmp_path, made_up(2, seed=5), name)
        with (tmp_path / "ledger" / name / LOCK).open("rb+") as file:
            tell_committed(file.fileno(), *NOTHING)
    Follower(tmp_path, index).catch_up()
    assert held(index) == sorted([*taken, *lines(tmp_path, OTHER)])
    assert settle_idle(tmp_path, own.partition(".")[0], MARKS) == [own]
    assert settle_idle(tmp_path, own.partition(".")[0], MARKS) == []
    Follower(tmp_path, index).catch_up()
    assert held(index) == sorted([*lines(tmp_path, own), *lines(tmp_path, OTHER)])


def test_an_index_that_is_removed(tmp_path: Path, index: Index) -> None:
    """It is begun anew and has all again, once; who still has the one before does not harm it."""
    write(tmp_path, made_up(20))
    follower = Follower(tmp_path, index)
    follower.catch_up()
    reader, idle = (open_index("sqlite", tmp_path) for _ in range(2))
    for _ in range(2):
        assert len(reader.query(Query()).records) == 21
        for path in tmp_path.glob("index.sqlite*"):
            path.unlink()
        assert not reader.query(Query()).records
        assert follower.step() == 21
        assert len(reader.query(Query()).records) == 21
    idle.close()  # it has the first one
    write(tmp_path, made_up(20, seed=1), OTHER)
    follower.catch_up()
    again = open_index("sqlite", tmp_path)
    assert held(again) == held(reader) == sorted([*lines(tmp_path), *lines(tmp_path, OTHER)])
    for opened in (again, reader):
        opened.close()


def test_rebuilding(tmp_path: Path, index: Index) -> None:
    """The index is what the ledger holds, whatever it was before; progress goes from nothing to all."""
    write(tmp_path, made_up(50), segment_bytes=9000, commit=5)
    Follower(tmp_path, index).catch_up()
    for one in files(tmp_path)[:2]:
        one.path.unlink()
    heard: list[tuple[int, int]] = []
    count = rebuild(tmp_path, index, lambda done, total: heard.append((done, total)))
    kept = lines(tmp_path)
    assert (held(index), count) == (sorted(kept), len(kept))
    assert heard == sorted(heard)
    assert heard[-1][0] == heard[-1][1] == sum(one.path.stat().st_size for one in files(tmp_path))
