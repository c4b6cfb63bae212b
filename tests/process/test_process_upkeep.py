"""What is done to the trail while the gateway runs: heads in the log, and pruning."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from structlog.testing import capture_logs

from gateway.audit.content.lines import keep_full
from gateway.audit.content.writer import ContentWriter
from gateway.audit.follower import Follower
from gateway.audit.heads import current_heads
from gateway.audit.index import open_index
from gateway.audit.instance import Keys, instance_id
from gateway.audit.records import Marks
from gateway.audit.segments import segments
from gateway.audit.start import take_over
from gateway.audit.stream import Stream
from gateway.audit.verify import verify
from gateway.config.model import Audit
from gateway.listener.ids import RequestIds
from gateway.process.upkeep import Upkeep
from tests.support.ledgers import NAME, OTHER, made_up, members, opening, write

if TYPE_CHECKING:
    from pathlib import Path

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
