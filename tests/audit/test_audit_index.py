"""The index, on SQLite and on PostgreSQL alike: what goes in comes out, once, and whatever is asked."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.audit.chain import ROOT, Link, seal
from gateway.audit.faults import AuditError
from gateway.audit.index import START, Batch, Index, IndexUnavailable, Position, PositionMoved, open_index
from gateway.audit.index.postgresql import PostgresqlIndex
from gateway.audit.index.row import read_row
from gateway.audit.index.sqlite import BUCKET_RECORDS, SqliteIndex
from gateway.audit.query import Query, QueryError
from tests.support.disks import small_disk
from tests.support.ledgers import MOMENT, NAME, OTHER, made_up, members, time_text, write

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.support.postgresql import Postgresql

DAY = 86_400_000


@pytest.fixture(params=["sqlite", "postgresql"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Index]:
    """Make an empty index of each kind."""
    where = request.param
    if where == "postgresql":
        server: Postgresql = request.getfixturevalue("postgresql")
        where = server.new_database()
    opened = open_index(where, tmp_path)
    yield opened
    opened.close()


def batch(records: Iterable[Mapping[str, Any]], before: Position = START, stream: str = NAME) -> Batch:
    """Seal records into the stream behind a position."""
    rows = []
    link = before.link
    offset = before.offset
    for record in records:
        line, link = seal(stream.encode(), link, members(record))
        offset += len(line)
        rows.append(read_row(line))
    return Batch(stream, before, Position("segment", offset, link), rows)


def every(index: Index, query: Query | None = None, limit: int = 100) -> list[str]:
    """Walk all pages."""
    found: list[str] = []
    asked = query or Query()
    values = {name: getattr(asked, name) for name in Query.__slots__}
    cursor = None
    while True:
        page = index.query(Query(**values | {"cursor": cursor, "limit": limit}))
        found.extend(page.records)
        cursor = page.next
        if cursor is None:
            return found
        assert len(page.records) == limit


def newest_first(rows: Sequence[Any]) -> list[str]:
    return [row.text for row in sorted(rows, key=lambda row: row.time, reverse=True)]


def test_records_come_out_as_they_are_in_the_ledger(index: Index) -> None:
    """Whole and letter by letter, newest first, with any size of page; the position goes with them."""
    taken = batch(made_up(250))
    assert index.take(taken) == 0
    for limit in (1, 7, 249, 250, 251):
        assert every(index, limit=limit) == newest_first(taken.rows)
    assert index.positions() == {NAME: taken.after}


def test_a_batch_is_taken_once(index: Index) -> None:
    """Whoever follows from a position that is passed, or not reached, is told; nothing is taken."""
    first = batch(made_up(10))
    index.take(first)
    beyond = batch(made_up(1), Position("segment", 5, Link(99, b"f" * 64)))
    for wrong in (first, beyond, batch(made_up(3), beyond.before, OTHER)):
        with pytest.raises(PositionMoved, match="another follower"):
            index.take(wrong)
    assert every(index) == newest_first(first.rows)
    second = batch(made_up(10, start=MOMENT + 10), first.after)
    index.take(second)
    assert every(index) == newest_first([*first.rows, *second.rows])


def test_a_position_without_records(index: Index) -> None:
    """Where only damage was passed, the position moves alone."""
    index.take(Batch(NAME, START, Position("segment", 100, ROOT), []))
    assert index.positions() == {NAME: Position("segment", 100, ROOT)}


def test_many_records_of_one_millisecond(index: Index) -> None:
    """They all stay, in one order; of two the later in the stream comes first."""
    records = [record | {"time": time_text(MOMENT)} for record in made_up(300)]
    first = batch(records[:150])
    second = batch(records[150:], first.after)
    index.take(first)
    index.take(second)
    assert every(index, limit=7) == [row.text for row in reversed([*first.rows, *second.rows])]


def test_texts_that_no_database_takes(index: Index) -> None:
    """A record with any text in it is taken, and found by it."""
    odd = "a\0b\ud800\\\t\n'\";--\u1234" + "x" * 9000
    record = next(made_up(1)) | dict.fromkeys(("app", "operation", "code", "thread_id", "path"), odd)
    plain = next(made_up(1, seed=1))
    taken = batch([record, plain])
    index.take(taken)
    for name in ("app", "operation", "code", "thread_id", "q"):
        assert every(index, Query(**{name: odd})) == [taken.rows[0].text]
        assert every(index, Query(**{name: odd + "x"})) == []


def test_pruning(index: Index) -> None:
    """Older days are gone, with all that finds them; newer ones, and the position, stay."""
    taken = batch(made_up(400, every=DAY / 100))
    index.take(taken)
    first = MOMENT // DAY * DAY
    index.prune(first + 2 * DAY)
    kept = [row for row in taken.rows if row.time >= first + 2 * DAY]
    assert 0 < len(kept) < 400
    assert every(index) == newest_first(kept)
    gone = json.loads(taken.rows[0].text)
    assert every(index, Query(id=gone["id"])) == []
    assert index.positions() == {NAME: taken.after}
    index.prune(first + 30 * DAY)
    assert every(index) == []
    late = batch(made_up(5), taken.after)
    index.take(late)
    assert every(index) == newest_first(late.rows)


def test_times_that_no_record_can_have(index: Index) -> None:
    """They are before all records, or behind them."""
    index.take(batch(made_up(3)))
    assert len(every(index, Query(since=-(10**20), until=10**20))) == 3
    assert every(index, Query(until=-(10**20))) == every(index, Query(since=10**20)) == []


def test_clearing(index: Index) -> None:
    """A stream that was forgotten begins anew."""
    taken = batch(made_up(20))
    index.take(taken)
    index.clear([NAME])
    assert (every(index), dict(index.positions())) == ([], {})
    index.take(taken)
    assert len(every(index)) == 20


@pytest.mark.parametrize("cursor", ["x", "99999999999999999999", "1.2", "1.2.3", "1..2"])
def test_a_cursor_of_something_else(index: Index, cursor: str) -> None:
    """It is refused, and not a fault of the index."""
    with pytest.raises(QueryError, match=r"^cursor: "):
        index.query(Query(cursor=cursor))


WORDS = st.sampled_from(["one", "two", "three"])
RECORDS = st.lists(
    st.fixed_dictionaries(
        {"kind": st.sampled_from(["request", "intent", "admin"]), "id": WORDS},
        optional={
            **dict.fromkeys(("app", "operation", "code", "thread_id", "body_hmac", "path"), WORDS),
            "key_fingerprint": WORDS,
            "client_request_id": WORDS,
            "decision": st.sampled_from(["allow", "reject", "error"]),
            "status": st.sampled_from([200, 299, 300, 404]),
        },
    ),
    max_size=40,
)
QUERIES = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("app", "operation", "code", "thread_id", "body_hmac"), WORDS),
        **dict.fromkeys(("key_fingerprint", "id", "q"), WORDS),
        "decision": st.sampled_from(["allow", "reject", "error"]),
        "kind": st.sampled_from(["request", "intent", "admin"]),
        "status": st.sampled_from([200, 299, 300, 404]),
        "since": st.integers(MOMENT - 5, MOMENT + 45),
        "until": st.integers(MOMENT - 5, MOMENT + 45),
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=RECORDS, asked=st.lists(QUERIES, min_size=5, max_size=10), data=st.data())
def test_any_filters_find_what_a_walk_finds(
    index: Index, records: list[dict[str, Any]], asked: list[dict[str, Any]], data: st.DataObject
) -> None:
    """Both engines give what looking at each record gives, in that order, whatever the order they came in."""
    offsets = data.draw(st.permutations(range(len(records))))
    timed = [
        record | {"time": time_text(MOMENT + offset)} for record, offset in zip(records, offsets, strict=True)
    ]
    half = data.draw(st.integers(0, len(timed)))
    index.clear([NAME])
    first = batch(timed[:half])
    second = batch(timed[half:], first.after)
    index.take(first)
    index.take(second)
    rows = [*first.rows, *second.rows]
    for filters in asked:
        query = Query(**filters)
        wanted = [
            row
            for row in rows
            if (query.since or 0) <= row.time < (query.until or row.time + 1)
            and query.matches(json.loads(row.text))
        ]
        assert every(index, query, limit=3) == newest_first(wanted), filters


def test_a_page_by_bytes(index: Index) -> None:
    """Large records end a page before its limit does; over all pages each is there once."""
    records = [record | {"user_agent": "x" * 60_000, "thread_id": "same"} for record in made_up(40)]
    taken = batch(records)
    index.take(taken)
    for query in (Query(limit=1000), Query(limit=1000, thread_id="same")):
        found: list[str] = []
        cursor: str | None = None
        sizes = []
        while True:
            page = index.query(replace(query, cursor=cursor))
            found.extend(page.records)
            sizes.append(len(page.records))
            cursor = page.next
            if cursor is None:
                break
        assert found == newest_first(taken.rows)
        assert sizes == [18, 18, 4]


CALLER = "11111111:" + 32 * "a"


@pytest.fixture(params=["", "key"])
def crowded(index: Index, request: pytest.FixtureRequest) -> Query:
    """Fill an index with records of one thread; give a filter that almost all of them are dropped by."""
    records = [record | {"thread_id": "same"} for record in made_up(5000)]
    if not request.param:  # `same` is in all of them, but is no record's id
        records[7]["id"] = "same"
        query = Query(id="same", limit=1)
    else:
        records[7]["key_fingerprint"] = CALLER
        query = Query(thread_id="same", key_fingerprint=CALLER, limit=1)
    index.take(batch(records))
    return query


def test_what_few_of_many_match_is_found_in_one_go(
    index: Index, crowded: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Candidates are not read a few at a time, each time from the beginning."""
    asked: list[object] = []
    if isinstance(index, SqliteIndex):
        index._connection.set_trace_callback(
            lambda text: asked.append(text) if "FROM bucket INDEXED" in text else None
        )
    else:
        fetch = index._fetch  # type: ignore[attr-defined]
        monkeypatch.setattr(index, "_fetch", lambda *given: asked.append(given) or fetch(*given))
    (found,) = index.query(crowded).records
    assert json.loads(found)[("id" if crowded.id else "key_fingerprint")] in ("same", CALLER)
    assert len(asked) <= 1 + 5000 // 1000 + 1


def test_terms_over_many_buckets(tmp_path: Path) -> None:
    """A common text is given newest first though batches overlap in time; a rare one is found among all."""
    index = open_index("sqlite", tmp_path)
    assert isinstance(index, SqliteIndex)
    size = BUCKET_RECORDS // 2
    moments = [MOMENT, MOMENT + 4 * size, MOMENT + size, MOMENT - 3 * size, MOMENT + 3 * size + 7, MOMENT]
    before = START
    rows = []
    for number, start in enumerate(moments):
        records = ({"kind": "request", "id": f"{number}.{one}", "path": "/same"} for one in range(size))
        taken = batch(
            (record | {"time": time_text(start + one)} for one, record in enumerate(records)), before
        )
        index.take(taken)
        before = taken.after
        rows.extend(taken.rows)
    wanted = [row.time for row in sorted(rows, key=lambda row: row.time, reverse=True)]
    times = {row.text: row.time for row in rows}
    assert [times[text] for text in every(index, Query(q="/same"), limit=1000)] == wanted
    for identity in ("0.0", "3.77", f"5.{size - 1}"):
        (found,) = every(index, Query(id=identity))
        assert json.loads(found)["id"] == identity
    index.prune(MOMENT + size)
    kept = [time for time in wanted if time >= MOMENT + size]
    assert [times[text] for text in every(index, Query(q="/same"), limit=1000)] == kept
    index.close()


def test_no_query_sorts_all_records(tmp_path: Path) -> None:
    """However many records there are, a page by column is read along an index or the table, never sorted."""
    index = SqliteIndex(tmp_path / "index.sqlite")
    seen: list[str] = []
    index._connection.set_trace_callback(seen.append)
    filters: list[dict[str, Any]] = [
        {},
        {"app": "a"},
        {"app": "a", "operation": "b", "decision": "reject"},
        {"status": 200},
        {"status": 500},
        {"code": "x", "since": 1, "until": 2},
    ]
    for one in filters:
        index.query(Query(**one))
    index._connection.set_trace_callback(None)
    statements = [text for text in seen if "FROM record" in text]
    assert len(statements) == len(filters)
    for text in statements:
        plan = [row[3] for row in index._connection.execute(f"EXPLAIN QUERY PLAN {text}")]
        assert not [step for step in plan if "TEMP B-TREE" in step], (text, plan)
    index.close()


@pytest.mark.parametrize("filters", [{"status": 201}, {"q": "same"}, {"id": "same"}], ids=str)
def test_a_question_that_takes_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, filters: dict[str, Any]
) -> None:
    """It is given up, within one statement and between many, and told how to ask; the next is answered."""
    monkeypatch.setattr("gateway.audit.index.sqlite.PROGRESS_STEPS", 100)
    index = SqliteIndex(tmp_path / "index.sqlite")
    records = [record | {"thread_id": "same"} for record in made_up(500)]
    index.take(batch(records))
    with monkeypatch.context() as patch:
        patch.setattr("gateway.audit.index.sqlite.QUERY_SECONDS", -1.0)
        with pytest.raises(
            IndexUnavailable, match=r"index\.sqlite: the question took too long: narrow it by "
        ):
            index.query(Query(**filters))
    assert len(index.query(Query(q="same")).records) == 100
    second = batch(made_up(1, seed=2), index.positions()[NAME])
    index.take(second)
    index.close()


def test_a_question_that_takes_postgresql_too_long(postgresql: Postgresql) -> None:
    """Between two batches, too."""
    index = PostgresqlIndex(postgresql.new_database(), deadline=0.0)
    with pytest.raises(
        IndexUnavailable, match=r"audit\.index: the question took too long: narrow it by --since"
    ):
        index.query(Query())
    index.close()


def test_the_file_is_the_owners(tmp_path: Path) -> None:
    """Records say who did what: others may not read them."""
    open_index("sqlite", tmp_path / "new").close()
    assert stat.S_IMODE((tmp_path / "new" / "index.sqlite").stat().st_mode) == 0o600


def test_a_file_that_is_no_index(tmp_path: Path) -> None:
    """It is left alone, and named."""
    path = tmp_path / "index.sqlite"
    path.write_bytes(b"something else" * 1000)
    with pytest.raises(IndexUnavailable, match=r"index\.sqlite: .*not a database"):
        open_index("sqlite", tmp_path)
    assert path.read_bytes() == b"something else" * 1000


def test_an_index_of_another_version(tmp_path: Path) -> None:
    """What a later gateway wrote is not touched."""
    index = SqliteIndex(tmp_path / "index.sqlite")
    index._connection.execute("PRAGMA user_version = 2")
    index.close()
    with pytest.raises(IndexUnavailable, match="version 2 of the index, and this is 1"):
        open_index("sqlite", tmp_path)


def test_a_full_disk_takes_nothing(tmp_path: Path) -> None:
    """A batch that does not fit leaves the index as it was, and fits later."""
    index = SqliteIndex(tmp_path / "index.sqlite")
    first = batch(made_up(10))
    index.take(first)
    second = batch(made_up(2000, start=MOMENT + 100), first.after)
    (pages,) = index._connection.execute("PRAGMA page_count").fetchone()
    index._connection.execute(f"PRAGMA max_page_count = {pages + 10}")
    with pytest.raises(IndexUnavailable, match="full"):
        index.take(second)
    assert (index.positions(), len(every(index))) == ({NAME: first.after}, 10)
    index._connection.execute("PRAGMA max_page_count = 1000000")
    index.take(second)
    assert len(every(index)) == 2010
    index.close()


def test_the_last_room_is_the_ledger_s(tmp_path: Path) -> None:
    """On a disk that is nearly full the index does not grow, while the ledger still does; then it goes on."""
    with small_disk(tmp_path / "disk", "8m") as disk:
        index = open_index("sqlite", disk)
        first = batch(made_up(10))
        index.take(first)
        second = batch(made_up(10, seed=1), first.after)
        space = os.statvfs(disk)
        ballast = disk / "ballast"
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, space.f_bavail * space.f_frsize - 300_000)
        with pytest.raises(IndexUnavailable, match=r"less than 419430 bytes left: they are for the ledger"):
            index.take(second)
        assert (index.positions(), len(every(index))) == ({NAME: first.after}, 10)
        write(disk, made_up(100))
        ballast.unlink()
        index.take(second)
        assert len(every(index)) == 20
        index.close()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """The fault names the file."""
    (tmp_path / "file").touch()
    with pytest.raises(AuditError, match=r"file/index\.sqlite: the index cannot be used"):
        open_index("sqlite", tmp_path / "file")


@pytest.mark.parametrize(
    "members",
    [
        {"kind": "request"},
        {"kind": "request", "time": "2027-01-15T08:00:00"},
        {"kind": "request", "time": "today"},
        {"kind": "request", "time": "2200-01-01T00:00:00Z"},
        {"kind": "request", "time": "1969-12-31T23:59:59Z"},
        {"kind": 7, "time": "2027-01-15T08:00:00Z"},
    ],
)
def test_a_line_that_is_no_record(members: dict[str, Any]) -> None:
    """It is refused as one, and nothing else is raised."""
    line = json.dumps({"seq": 1, **members}).encode() + os.linesep.encode()
    with pytest.raises(ValueError, match=r"it|Invalid"):
        read_row(line)
