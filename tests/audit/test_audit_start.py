"""Taking over a stream: what its last process left is told, once, and intents get their outcome."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from gateway.audit import records, recovery
from gateway.audit.faults import AuditError, StreamTaken
from gateway.audit.records import Marks
from gateway.audit.segments import segments
from gateway.audit.start import open_stream, settle_idle, take_over
from gateway.audit.stream import is_taken
from gateway.audit.verify import verify
from gateway.listener.ids import RequestIds
from tests.support.ledgers import NAME, lines

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.audit.stream import Stream

IDS = RequestIds()
MARKS = Marks(IDS.next, lambda: 1_800_000_000.0)
INSTANCE = NAME.partition(".")[0]


def started() -> bytes:
    return records.started(MARKS(), revision="r", version="1", durability="blocking")


def intent(identity: str) -> bytes:
    facts = {"operation": "createMessage", "path": f"/v1/{identity}", "status": 200, "method": "M" * 5000}
    return records.intent(records.Mark(identity, 1_800_000_000.0), facts)


def told(folder: Path, name: str = NAME) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(folder, name)]


def events(folder: Path, name: str = NAME) -> list[str]:
    return [record.get("event", record["kind"]) for record in told(folder, name)]


def left_behind(folder: Path, name: str = NAME, tail: bytes = b'{"v":1,"stream"') -> list[str]:
    """Write a stream whose process was killed: two intents are open, and a write broke off."""
    stream = take_over(folder, name, MARKS, [started()])
    ids = [IDS.next() for _ in range(3)]
    stream.commit([intent(ids[0]), intent(ids[1]), intent(ids[2])])
    stream.commit([records.outcome_unknown(ids[1], {})])
    stream.close()
    with segments(stream.folder)[-1].path.open("ab") as file:
        file.write(tail)
    return [ids[0], ids[2]]


def test_a_first_start_and_a_clean_one_tell_nothing_else(tmp_path: Path) -> None:
    """Where the last process ended well there is only the start."""
    take_over(tmp_path, NAME, MARKS, [started()]).close()
    take_over(tmp_path, NAME, MARKS, [started()]).close()
    take_over(tmp_path, NAME, MARKS).close()
    assert events(tmp_path) == ["segment", "started", "started"]


def test_what_was_left_is_told_once(tmp_path: Path) -> None:
    """What was cut, each open intent's outcome under its own id, then the start; the next tells nothing."""
    open_ids = left_behind(tmp_path)
    before = len(lines(tmp_path)) - 1
    take_over(tmp_path, NAME, MARKS, [started()]).close()
    recovered, first, second, start = told(tmp_path)[before:]
    assert recovered["event"] == "recovered"
    assert recovered["detail"]["text"] == '{"v":1,"stream"'
    assert not recovered["detail"]["damaged"]
    assert [first["id"], second["id"]] == open_ids
    assert {one["kind"] for one in (first, second)} == {"request"}
    assert {one["upstream_outcome"] for one in (first, second)} == {"unknown"}
    assert [one["path"] for one in (first, second)] == [f"/v1/{identity}" for identity in open_ids]
    assert start["event"] == "started"
    assert verify(tmp_path).fault_count == 0
    take_over(tmp_path, NAME, MARKS, [started()]).close()
    assert events(tmp_path)[-1] == "started"
    assert len(lines(tmp_path)) == before + 5


def paths(folder: Path) -> list[str | None]:
    """Give the paths in the records of unknown outcomes, in order."""
    return [record.get("path") for record in told(folder) if record.get("code") == "outcome_unknown"]


def test_what_an_intent_tells_is_found_in_the_segment_where_it_stands(tmp_path: Path) -> None:
    """However many lie between, also with one that a crash left empty; what is gone stays unknown."""
    ids = [IDS.next() for _ in range(3)]
    stream = open_stream(tmp_path, NAME, MARKS, segment_bytes=1)
    for one in (intent(ids[0]), started(), intent(ids[1]), intent(ids[2]), started(), started()):
        stream.commit([one])
    stream.close()
    found = segments(stream.folder)
    assert len(found) == 6
    found[2].path.unlink()
    (stream.folder / f"{stream.last.seq + 1:019d}-20990101T00.jsonl").touch()
    take_over(tmp_path, NAME, MARKS).close()
    assert paths(tmp_path) == [f"/v1/{ids[0]}", None, f"/v1/{ids[2]}"]


def test_intents_too_far_back_are_closed_with_their_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start reads so many segments and no more."""
    monkeypatch.setattr(recovery, "MAX_SEARCHED", 2)
    ids = [IDS.next(), IDS.next()]
    stream = open_stream(tmp_path, NAME, MARKS, segment_bytes=1)
    for one in (intent(ids[0]), intent(ids[1]), started()):
        stream.commit([one])
    stream.close()
    take_over(tmp_path, NAME, MARKS).close()
    assert paths(tmp_path) == [None, f"/v1/{ids[1]}"]


def test_damage_is_told_and_stays(tmp_path: Path) -> None:
    """A changed last line is not cut: the chain goes on behind it, and verify names it."""
    left_behind(tmp_path, tail=b"")
    path = segments(tmp_path / "ledger" / NAME)[-1].path
    path.write_bytes(path.read_bytes().replace(b'"unknown"', b'"refused"'))
    take_over(tmp_path, NAME, MARKS).close()
    assert [record["detail"] for record in told(tmp_path) if record.get("event") == "recovered"] == [
        {"bytes": 0, "damaged": True}
    ]
    (fault,) = verify(tmp_path).faults
    assert fault.message == "the line was changed: its hash is another"


def test_a_start_that_cannot_be_told_leaves_the_stream_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is let go of, and what is to be told is told by whoever comes next."""
    open_ids = left_behind(tmp_path, tail=b"")
    monkeypatch.setattr("os.fdatasync", _fail)
    with pytest.raises(AuditError, match="Input/output error"):
        take_over(tmp_path, NAME, MARKS, [started()])
    monkeypatch.undo()
    stream = open_stream(tmp_path, NAME, MARKS)
    assert stream.recovered.open == tuple(open_ids)
    stream.close()


def _fail(_: int) -> None:
    raise OSError(5, "Input/output error")


def test_idle_streams_are_settled(tmp_path: Path) -> None:
    """Slots that nobody has any more are settled; those in use, in order, or of another instance are not."""
    for slot in range(3):
        left_behind(tmp_path, f"{INSTANCE}.{slot}")
    left_behind(tmp_path, "fedcba9876543210.0")
    take_over(tmp_path, f"{INSTANCE}.3", MARKS, [started()]).close()
    used = take_over(tmp_path, f"{INSTANCE}.0", MARKS)
    with pytest.raises(StreamTaken):
        open_stream(tmp_path, f"{INSTANCE}.0", MARKS)
    with segments(used.folder)[-1].path.open("ab") as file:
        file.write(b"half a line of the process that has it")
    assert settle_idle(tmp_path, INSTANCE, MARKS) == [f"{INSTANCE}.1", f"{INSTANCE}.2"]
    assert settle_idle(tmp_path, INSTANCE, MARKS) == []
    used.close()
    assert events(tmp_path, f"{INSTANCE}.1")[-3:] == ["recovered", "request", "request"]
    faults = verify(tmp_path, settle_seconds=0).faults
    assert [fault.file.partition("/")[0] for fault in faults] == [f"{INSTANCE}.0", "fedcba9876543210.0"]


def test_an_idle_stream_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "ledger" / NAME / "0000000000000000001-20270115T08.jsonl").mkdir(parents=True)
    with pytest.raises(AuditError, match=r"jsonl: cannot read: Not a regular file\.$"):
        settle_idle(tmp_path, INSTANCE, MARKS)


def test_who_asks_whether_a_stream_is_taken_does_not_take_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway that starts in the very moment in which somebody asks is not told that another one runs."""
    take_over(tmp_path, NAME, MARKS, [started()]).close()
    folder = tmp_path / "ledger" / NAME
    assert not is_taken(folder)
    real = os.close
    begun: list[Stream] = []

    def close(fd: int) -> None:
        """Begin while whoever asks has the lock, and let go when the gateway waits for it."""
        monkeypatch.setattr(os, "close", real)
        monkeypatch.setattr(time, "sleep", lambda _: real(fd))
        begun.append(take_over(tmp_path, NAME, MARKS))
        monkeypatch.undo()

    monkeypatch.setattr(os, "close", close)
    with suppress(OSError):  # it was closed already
        is_taken(folder)
    (stream,) = begun
    assert is_taken(folder)
    with pytest.raises(StreamTaken):
        open_stream(tmp_path, NAME, MARKS)
    stream.close()
    assert not is_taken(folder)
