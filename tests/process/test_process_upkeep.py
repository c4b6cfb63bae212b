"""What is done to the trail while the gateway runs: heads in the log, and pruning."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Never

from structlog.testing import capture_logs

from gateway.audit.clock import Clock
from gateway.audit.content.lines import keep_full
from gateway.audit.content.writer import ContentWriter
from gateway.audit.faults import AuditError
from gateway.audit.follow import _Following
from gateway.audit.follower import Follower
from gateway.audit.heads import current_heads
from gateway.audit.index import open_index
from gateway.audit.instance import Keys, instance_id
from gateway.audit.query import Query
from gateway.audit.records import Marks
from gateway.audit.segments import segments
from gateway.audit.start import take_over
from gateway.audit.stream import Stream
from gateway.audit.verify import verify
from gateway.config.model import Audit
from gateway.listener.ids import RequestIds
from gateway.process.following import FollowerProcess
from gateway.process.upkeep import Upkeep
from tests.support.ledgers import NAME, OTHER, made_up, members, opening, write

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

OLD = 1_600_000_000.0


def old_ledger(directory: Path) -> None:
    """Write two segments in the year 2020."""
    for hour in range(2):
        moment = OLD + hour * 3600
        stream = Stream(directory, NAME, now=lambda moment=moment: moment, opening=opening)
        stream.commit([members(record) for record in made_up(3, start=int(moment * 1000))])
        stream.close()


def test_old_segments_and_content_go_once_the_index_has_them(tmp_path: Path) -> None:
    """Not before; what goes is told in the supervisor's stream and in the log, and the chain stays intact."""
    old_ledger(tmp_path)
    folder = tmp_path / "ledger" / NAME
    content = ContentWriter(tmp_path, NAME, now=lambda: OLD)
    content.add(keep_full(Keys(tmp_path), "019bc0e4-3c00-7b85-8a74-3a403b068946", b"{}").line)
    content.flush(1)
    content.close()
    marks = Marks(RequestIds().next, time.time)
    ops = take_over(tmp_path, instance_id(tmp_path) + ".ops", marks)
    indexed: dict[str, int] = {}
    upkeep = Upkeep(
        Audit.model_validate({"directory": str(tmp_path)}), marks, ops.commit, dict, lambda: indexed
    )
    with capture_logs() as log:
        upkeep.prune_content()
        upkeep.prune()
    assert [event["event"] for event in log] == ["audit_content_pruned"]
    assert len(segments(folder)) == 2
    index = open_index("sqlite", tmp_path)
    follower = Follower(tmp_path, index)
    follower.catch_up()
    index.close()
    indexed.update(follower.indexed)
    with capture_logs() as log:
        upkeep.prune()
    (event,) = log
    assert (event["event"], event["stream"], event["first"], event["last"]) == ("audit_pruned", NAME, 1, 4)
    assert len(segments(folder)) == 1
    ops.close()
    assert verify(tmp_path).fault_count == 0


def test_heads_of_all_streams_are_logged(tmp_path: Path) -> None:
    """Those that this process writes as they are now, and those that nobody writes any more."""
    write(tmp_path, made_up(3))
    write(tmp_path, made_up(3), OTHER)
    heads = current_heads(tmp_path)
    now = {NAME: heads[NAME]._replace(seq=9)}
    upkeep = Upkeep(
        Audit.model_validate({"directory": str(tmp_path)}),
        Marks(RequestIds().next, time.time),
        lambda _: None,
        lambda: now,
        dict,
    )
    for seq in (9, 10):
        now[NAME] = heads[NAME]._replace(seq=seq)
        with capture_logs() as log:
            upkeep.tell_heads()
        assert {(event["stream"], event["seq"], event["hash"].encode()) for event in log} == {
            (NAME, seq, heads[NAME].hash),
            (OTHER, *heads[OTHER]),
        }


def test_what_fails_keeps_nothing_else(tmp_path: Path) -> None:
    """Whatever one part meets, a fault or a bug, is told, and the others are done; the next turn, too."""
    old_ledger(tmp_path)
    content = ContentWriter(tmp_path, NAME, now=lambda: OLD)
    content.add(keep_full(Keys(tmp_path), "019bc0e4-3c00-7b85-8a74-3a403b068946", b"{}").line)
    content.flush(1)
    content.close()

    def full(_: list[bytes]) -> None:
        raise AuditError("the disk is full")

    def bug() -> Never:
        raise KeyError("canary")

    settings = Audit.model_validate({"directory": str(tmp_path)})
    marks = Marks(RequestIds().next, time.time)
    upkeep = Upkeep(settings, marks, full, bug, lambda: {NAME: 9})
    broken = ("audit_upkeep_failed", "internal error (KeyError)")
    for due, told in (
        (True, [broken, ("audit_content_pruned", None), ("audit_upkeep_failed", "the disk is full")]),
        (False, [broken]),
    ):
        with capture_logs() as log:
            upkeep.turn(prune=due)
        assert [(event["event"], event.get("fault")) for event in log] == told


def test_nothing_is_pruned_by_a_clock_that_leapt(tmp_path: Path) -> None:
    """Neither records nor content; that is told once for each leap. Set back, the clock counts again."""
    moment = OLD + 7200
    times = {"wall": moment, "steady": 5.0}
    clock = Clock(wall=lambda: times["wall"], steady=lambda: times["steady"])
    old_ledger(tmp_path)
    content = ContentWriter(tmp_path, NAME, now=lambda: OLD)
    content.add(keep_full(Keys(tmp_path), "019bc0e4-3c00-7b85-8a74-3a403b068946", b"{}").line)
    content.flush(1)
    content.close()
    marks = Marks(RequestIds().next, time.time)
    ops = take_over(tmp_path, instance_id(tmp_path) + ".ops", marks)
    settings = Audit.model_validate({"directory": str(tmp_path)})
    upkeep = Upkeep(settings, marks, ops.commit, dict, lambda: {NAME: 9}, clock)

    def turn() -> list[str]:
        with capture_logs() as log:
            upkeep.turn(prune=True)
        return [event["event"] for event in log if event["event"] != "audit_head"]

    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    for _ in range(2):
        times["wall"] = moment + 400 * 86_400
        assert turn() == ["audit_upkeep_failed"]
        assert turn() == []
        assert {path for path in tmp_path.rglob("*") if path.is_file()} == before
        times["wall"] = moment
        assert turn() == []
    times["wall"] += 400 * 86_400
    times["steady"] += 400 * 86_400
    assert turn() == ["audit_content_pruned", "audit_pruned"]
    ops.close()


def test_the_index_is_not_pruned_by_a_clock_that_leapt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The follower, another process, goes by its parent's clock, also if it is started after the leap."""
    old_ledger(tmp_path)
    index = open_index("sqlite", tmp_path)
    Follower(tmp_path, index).catch_up()
    times = {"wall": OLD, "steady": 5.0}
    start = Clock(wall=lambda: times["wall"], steady=lambda: times["steady"]).offset
    times["wall"] += 400 * 86_400
    for passed, left in ((0, 8), (400 * 86_400, 2)):  # the beginnings of segments are of a later time
        times["steady"] = 5.0 + passed
        clock = Clock(start, wall=lambda: times["wall"], steady=lambda: times["steady"])
        following = _Following(tmp_path, "sqlite", 90 * 86_400, clock)
        waits = iter((False, False, True))
        monkeypatch.setattr(following._stop, "wait", lambda _, waits=waits: next(waits))
        following._prune()
        following._index.close()
        assert not list(waits)
        assert following._told == []
        assert len(index.query(Query()).records) == left
    index.close()


def test_a_follower_that_says_nonsense_is_passed_over(tmp_path: Path) -> None:
    """What is no report changes nothing that is known, and is told; the next one counts."""
    process = FollowerProcess(Audit.model_validate({"directory": str(tmp_path)}))
    good = b'{"indexed": {"a": 3}, "lag": 0.5, "told": ["so it is"]}\n'
    bad = (b"", b"x\n", b"\xff\n", b"[]\n", b'{"indexed": [], "lag": 1, "told": []}\n', b"[" * 100_000)
    for line in (good, *bad, b'{"indexed": {"a": "x"}, "lag": null, "told": []}'):
        with capture_logs() as log:
            process._hear(line)
        (event,) = log
        assert event["event"] == "audit_index"
        assert (event["message"] == "so it is") is (line is good)
        assert process.indexed == {"a": 3}
