"""Retention: what is removed, what is told of it first, and that the rest is still proven."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from gateway.audit import beginnings as module
from gateway.audit import records
from gateway.audit.beginnings import read_beginnings
from gateway.audit.chain import Link, unseal
from gateway.audit.faults import AuditError
from gateway.audit.follower import Follower
from gateway.audit.index import open_index
from gateway.audit.instance import instance_id
from gateway.audit.prune import Pruned, prune
from gateway.audit.records import Marks
from gateway.audit.segments import Segment, end_of, segments
from gateway.audit.start import open_stream, take_over
from gateway.audit.verify import verify
from gateway.listener.ids import RequestIds
from tests.support.ledgers import lines, made_up, members

if TYPE_CHECKING:
    from pathlib import Path

INSTANCE = "0123456789abcdef"
NAME = f"{INSTANCE}.0"
OPS = f"{INSTANCE}.ops"
HOUR = 3600.0
NOON = 1_800_000_000.0
EVERYTHING = {NAME: 10**9, OPS: 10**9}


class Clock:
    """The time, which a test sets."""

    def __init__(self) -> None:
        self.time = NOON
        self.marks = Marks(RequestIds().next, lambda: self.time)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def write_hours(folder: Path, clock: Clock, hours: int, name: str = NAME) -> None:
    """Write a segment of 11 records in each of the next hours."""
    stream = open_stream(folder, name, clock.marks)
    for _ in range(hours):
        stream.commit([members(record) for record in made_up(10, start=int(clock.time * 1000))])
        clock.time += HOUR
    stream.close()


def pruned(folder: Path, clock: Clock, before: float, positions: dict[str, int] = EVERYTHING) -> list[Pruned]:
    ops = open_stream(folder, OPS, clock.marks)
    try:
        return prune(folder, ops.commit, clock.marks, before=before, positions=positions)
    finally:
        ops.close()


def firsts(folder: Path, name: str = NAME) -> list[int]:
    return [one.first for one in segments(folder / "ledger" / name)]


def told(folder: Path) -> list[dict[str, Any]]:
    """Give what the supervisor's stream tells of pruning."""
    found = [json.loads(line) for line in lines(folder, OPS)]
    return [record["detail"] for record in found if record["event"] == "pruned"]


def test_whole_segments_older_than_the_retention_go(tmp_path: Path, clock: Clock) -> None:
    """Counted from the end of the hour in which they were written; the rest is proven from the record on."""
    write_hours(tmp_path, clock, 5)
    assert firsts(tmp_path) == [1, 12, 23, 34, 45]
    assert pruned(tmp_path, clock, NOON + HOUR - 1) == []
    (one,) = pruned(tmp_path, clock, NOON + 2 * HOUR)
    assert (one.stream, one.first, one.last.seq, len(one.files)) == (NAME, 1, 22, 2)
    assert firsts(tmp_path) == [23, 34, 45]
    assert told(tmp_path) == [{"stream": NAME, "first": 1, "last": 22, "hash": one.last.hash.decode()}]
    found = verify(tmp_path)
    assert (found.fault_count, found.heads[NAME].seq) == (0, 55)
    (another,) = pruned(tmp_path, clock, NOON + 3 * HOUR)
    assert (another.first, another.last.seq) == (23, 33)
    assert verify(tmp_path).fault_count == 0


def test_the_last_segment_and_what_is_not_indexed_stay(tmp_path: Path, clock: Clock) -> None:
    """However old they are; a segment that the index has in part is not indexed."""
    write_hours(tmp_path, clock, 5)
    assert pruned(tmp_path, clock, clock.time + 1e9, {}) == []
    (one,) = pruned(tmp_path, clock, clock.time + 1e9, {NAME: 32})
    assert one.last.seq == 22
    (one,) = pruned(tmp_path, clock, clock.time + 1e9, {NAME: 33})
    assert one.last.seq == 33
    pruned(tmp_path, clock, clock.time + 1e9)
    assert firsts(tmp_path) == [45]
    assert verify(tmp_path).fault_count == 0


def test_a_gap_that_no_record_tells_of_is_a_fault(tmp_path: Path, clock: Clock) -> None:
    """Whoever removes files by hand is found out, also behind what was pruned."""
    write_hours(tmp_path, clock, 6)
    pruned(tmp_path, clock, NOON + HOUR)
    files = segments(tmp_path / "ledger" / NAME)
    files[1].path.unlink()
    (fault,) = verify(tmp_path).faults
    assert fault.message == "records 23 to 33 are not here, record 34 is"
    files[0].path.unlink()
    (fault,) = verify(tmp_path).faults
    assert fault.message == "records 12 to 33 are not here, record 34 is"
    for one in files[2:]:
        one.path.unlink()
    (fault,) = verify(tmp_path).faults
    assert (fault.line, fault.seq) == (0, 11)
    shutil.rmtree(tmp_path / "ledger" / NAME)
    (fault,) = verify(tmp_path).faults
    assert fault.message == "the whole stream is missing"


def test_the_start_has_to_be_the_one_that_was_told(tmp_path: Path, clock: Clock) -> None:
    """A chain that begins at the right number with another hash was made by somebody else."""
    write_hours(tmp_path / "a", clock, 4)
    clock.time = NOON
    write_hours(tmp_path / "b", clock, 4)
    for folder in ("a", "b"):
        pruned(tmp_path / folder, clock, NOON + HOUR)
    shutil.rmtree(tmp_path / "a" / "ledger" / NAME)
    shutil.copytree(tmp_path / "b" / "ledger" / NAME, tmp_path / "a" / "ledger" / NAME)
    assert verify(tmp_path / "b").fault_count == 0
    (fault,) = verify(tmp_path / "a").faults
    assert (fault.line, fault.seq) == (1, 12)
    assert "prev is another hash" in fault.message


class Crash(Exception):
    """The process ended here."""


@pytest.mark.parametrize("removed", range(4))
def test_a_crash_between_the_record_and_the_files(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, removed: int
) -> None:
    """However many files are gone: verify is intact, and the next time finishes it without another record."""
    write_hours(tmp_path, clock, 5)
    left = [removed]

    def unlink(path: Path, **_: bool) -> None:
        if not left[0]:
            raise Crash
        left[0] -= 1
        path.chmod(0o600)
        path.replace(tmp_path / path.name)

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.unlink", unlink)
        if removed < 3:
            with pytest.raises(Crash):
                pruned(tmp_path, clock, NOON + 3 * HOUR)
        else:
            pruned(tmp_path, clock, NOON + 3 * HOUR)
    assert firsts(tmp_path) == [1, 12, 23, 34, 45][removed:]
    assert len(told(tmp_path)) == 1
    assert verify(tmp_path).fault_count == 0
    assert pruned(tmp_path, clock, NOON) == []
    assert firsts(tmp_path) == [34, 45]
    assert len(told(tmp_path)) == 1
    assert verify(tmp_path).fault_count == 0


def test_what_is_left_over_still_has_to_be_what_was_told(tmp_path: Path, clock: Clock) -> None:
    """Files that a crash left are proven to lead to the hash that the record has."""
    write_hours(tmp_path, clock, 4)
    first, second, *_ = segments(tmp_path / "ledger" / NAME)
    contents = [one.path.read_bytes() for one in (first, second)]
    pruned(tmp_path, clock, NOON + 2 * HOUR)
    second.path.write_bytes(contents[1])
    assert verify(tmp_path).fault_count == 0
    second.path.write_bytes(contents[1].replace(b'"createMessage"', b'"deleteMessage"'))
    assert verify(tmp_path).fault_count > 0
    second.path.unlink()
    first.path.write_bytes(contents[0])
    assert verify(tmp_path).fault_count > 0


def test_nothing_is_removed_that_could_not_be_told(tmp_path: Path, clock: Clock) -> None:
    """The record comes first: where it cannot be written, everything stays."""
    write_hours(tmp_path, clock, 3)

    def commit(_: list[bytes]) -> None:
        raise AuditError("the disk is full")

    with pytest.raises(AuditError, match="full"):
        prune(tmp_path, commit, clock.marks, before=clock.time, positions=EVERYTHING)
    assert firsts(tmp_path) == [1, 12, 23]


def test_damage_at_a_boundary_is_passed(tmp_path: Path, clock: Clock) -> None:
    """Where the next segment's first line is changed the chain could not begin; one later it can."""
    write_hours(tmp_path, clock, 4)
    third = segments(tmp_path / "ledger" / NAME)[2].path
    third.write_bytes(third.read_bytes().replace(b'"open":[]', b'"open":[1]', 1))
    (one,) = pruned(tmp_path, clock, NOON + 2 * HOUR)
    assert one.last.seq == 11
    assert pruned(tmp_path, clock, NOON + 2 * HOUR) == []
    (one,) = pruned(tmp_path, clock, NOON + 3 * HOUR)
    assert one.last.seq == 33
    assert verify(tmp_path).fault_count == 0


def test_an_empty_segment_is_no_reason_to_tell_anything(tmp_path: Path, clock: Clock) -> None:
    """One that a crash left without a record goes with what comes after it."""
    write_hours(tmp_path, clock, 2)
    folder = tmp_path / "ledger" / NAME
    (folder / "0000000000000000001-20270101T00.jsonl").touch()
    assert pruned(tmp_path, clock, NOON) == []
    (one,) = pruned(tmp_path, clock, NOON + HOUR)
    assert (len(one.files), one.last.seq) == (2, 11)
    assert verify(tmp_path).fault_count == 0


def test_the_supervisor_s_stream_is_pruned_too_and_tells_all_again(tmp_path: Path, clock: Clock) -> None:
    """What it told of other streams is told again before it goes; many rounds leave the ledger proven."""
    for _ in range(6):
        write_hours(tmp_path, clock, 3)
        write_hours(tmp_path, clock, 1, f"{INSTANCE}.1")
        pruned(tmp_path, clock, clock.time - 2 * HOUR, EVERYTHING | {f"{INSTANCE}.1": 0})
        assert verify(tmp_path).fault_count == 0
    write_hours(tmp_path, clock, 1)
    clock.time += HOUR
    pruned(tmp_path, clock, clock.time)
    assert len(firsts(tmp_path)) == 1
    clock.time += 5 * HOUR
    (ops,) = pruned(tmp_path, clock, clock.time - HOUR)
    assert (ops.stream, ops.first > 1) == (OPS, True)
    again = {one["stream"]: (one["first"], one["last"]) for one in told(tmp_path)}
    assert again[NAME] == (1, firsts(tmp_path)[0] - 1)
    assert firsts(tmp_path, OPS)[0] == ops.last.seq + 1
    assert verify(tmp_path).fault_count == 0


def test_heads_that_were_kept_of_pruned_records_are_noted(tmp_path: Path, clock: Clock) -> None:
    """They prove nothing any more, and are no fault; the last one that was pruned is still proven."""
    write_hours(tmp_path, clock, 3)
    (one,) = pruned(tmp_path, clock, NOON + HOUR)
    found = verify(tmp_path, kept={NAME: {Link(5, b"a" * 64), one.last}})
    assert (found.fault_count, found.notes) == (0, [f"{NAME}: record 5, of a kept head, was pruned"])


def test_only_sound_records_of_a_supervisor_tell_where_streams_begin(tmp_path: Path, clock: Clock) -> None:
    """Neither a changed line nor a record of a worker's stream, nor one of another event, counts."""
    write_hours(tmp_path, clock, 2)
    forged = {
        "kind": "lifecycle",
        "id": "x",
        "event": "pruned",
        "detail": {"stream": NAME, "last": 5, "hash": "a"},
    }
    for name, record in (
        (NAME, forged),
        (OPS, forged | {"kind": "admin"}),
        (OPS, forged | {"event": "gone"}),
    ):
        stream = open_stream(tmp_path, name, clock.marks)
        stream.commit([members(record | {"note": '"event":"pruned"'})])
        stream.close()
    assert read_beginnings(tmp_path) == {}
    (one,) = pruned(tmp_path, clock, NOON + HOUR)
    seq = json.loads(lines(tmp_path, OPS)[-1])["seq"]
    assert read_beginnings(tmp_path) == {NAME: (one.last, OPS, seq, "2027-01-15T10:00:00.000Z")}
    path = segments(tmp_path / "ledger" / OPS)[-1].path
    path.write_bytes(path.read_bytes().replace(b'"last":11', b'"last":22'))
    assert read_beginnings(tmp_path) == {}


def test_a_foreign_supervisor_s_word_counts_for_nothing(tmp_path: Path, clock: Clock) -> None:
    """Whoever puts a stream beside the others explains no gap; one that the directory was itself may."""
    write_hours(tmp_path, clock, 3)
    first, second, *_ = segments(tmp_path / "ledger" / NAME)
    sealed = unseal(second.path.read_bytes().splitlines(keepends=True)[0])
    assert sealed is not None
    last = Link(sealed.seq - 1, sealed.prev)
    foreign = f"{'f' * 16}.ops"
    stream = open_stream(tmp_path, foreign, clock.marks)
    stream.commit([records.pruned(clock.marks(), NAME, 1, last)])
    stream.close()
    assert pruned(tmp_path, clock, NOON) == []
    assert firsts(tmp_path) == [1, 12, 23]  # it has nothing removed, either
    first.path.unlink()
    assert verify(tmp_path).fault_count == 1
    (tmp_path / "instance").write_text(f"{INSTANCE} 1\n{'f' * 16}\n")
    found = verify(tmp_path)
    assert (found.fault_count, found.beginnings[NAME][:3]) == (0, (last, foreign, 2))


def test_copies_of_copies_are_pruned_by_whoever_has_them(tmp_path: Path, clock: Clock) -> None:
    """Each copy is another instance, prunes what it was given, and what it told of that goes on to count."""
    instance_id(tmp_path / "0")
    write_hours(tmp_path / "0", clock, 5)
    for number in range(3):
        directory = tmp_path / str(number)
        ops = take_over(directory, instance_id(directory) + ".ops", clock.marks)
        before = NOON + (number + 1) * HOUR
        (one,) = prune(directory, ops.commit, clock.marks, before=before, positions=EVERYTHING)
        ops.close()
        found = verify(directory)
        assert (found.fault_count, found.beginnings[NAME].stream) == (0, ops.name)
        assert one.last.seq == 11 * (number + 1)
        copy = tmp_path / str(number + 1)
        shutil.copytree(directory, copy)
        assert verify(copy).fault_count == 0


def test_an_index_that_followed_lets_go(tmp_path: Path, clock: Clock) -> None:
    """With the real index: its positions say what may go, and it goes on after it has gone."""
    write_hours(tmp_path, clock, 4)
    index = open_index("sqlite", tmp_path)
    follower = Follower(tmp_path, index)
    assert pruned(tmp_path, clock, clock.time, {}) == []
    follower.catch_up()
    positions = {name: position.link.seq for name, position in index.positions().items()}
    (one,) = pruned(tmp_path, clock, NOON + 3 * HOUR, positions)
    assert one.last.seq == 33
    take_over(tmp_path, NAME, clock.marks, [members(record) for record in made_up(3)]).close()
    follower.catch_up()
    assert follower.faults == 0
    assert index.positions()[NAME].link == verify(tmp_path).heads[NAME]
    index.close()


def test_hours_that_never_were_do_not_end() -> None:
    assert end_of("20270115T08") == NOON + HOUR
    assert end_of("20270230T08") == float("inf")


def test_what_cannot_be_read_or_removed_is_told(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file, and what the system said; a supervisor's segment that is pruned meanwhile is passed over."""
    write_hours(tmp_path, clock, 3)
    pruned(tmp_path, clock, NOON + HOUR)
    beginnings = read_beginnings(tmp_path)
    (ops,) = segments(tmp_path / "ledger" / OPS)
    gone = Segment(ops.path.with_name("0000000000000000000-20270115T08.jsonl"), 0, ops.hour)
    monkeypatch.setattr(module, "segments", lambda folder: [gone, *segments(folder)])
    assert read_beginnings(tmp_path) == beginnings
    monkeypatch.undo()
    first = segments(tmp_path / "ledger" / NAME)[0]
    first.path.unlink()
    first.path.mkdir()
    with pytest.raises(AuditError, match=r"jsonl: cannot prune: Is a directory\.$"):
        pruned(tmp_path, clock, clock.time)
