"""The index in a real PostgreSQL that stops, hangs and comes back, and that several gateways share."""

from __future__ import annotations

import shutil
import threading
import tracemalloc
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from gateway.audit.faults import AuditError
from gateway.audit.follower import Follower, lag_behind, owned, rebuild
from gateway.audit.index import IndexUnavailable, open_index
from gateway.audit.index.postgresql import PostgresqlIndex
from gateway.audit.instance import instance_id
from gateway.audit.query import Query
from gateway.audit.segments import segments, streams
from tests.support.ledgers import MOMENT, NAME, OTHER, lines, made_up, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.postgresql import Postgresql

PATIENCE = 60.0
DAY = 86_400_000


@pytest.fixture
def url(postgresql: Postgresql) -> str:
    """Make an empty database."""
    return postgresql.new_database()


@pytest.fixture
def index(url: str) -> Iterator[PostgresqlIndex]:
    """Make an empty index whose calls take a second and a half at most."""
    opened = PostgresqlIndex(url, deadline=1.5)
    yield opened
    opened.close()


def ask(url: str, statement: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()  # type: ignore[arg-type]


def stored(url: str) -> list[str]:
    return [row[0] for row in ask(url, "SELECT line FROM audit_record ORDER BY line")]


def test_a_server_that_stops(
    tmp_path: Path, postgresql: Postgresql, url: str, index: PostgresqlIndex
) -> None:
    """Gone while much is written: the follower holds no more than a batch, then and while it catches up."""
    write(tmp_path, made_up(200))
    gone, back = threading.Event(), threading.Event()

    def hear(text: str) -> None:
        (back if "again" in text else gone).set()

    follower = Follower(tmp_path, index, told=hear, batch_bytes=100_000)
    follower.step()
    stop = threading.Event()
    thread = threading.Thread(target=follower.run, args=(stop, 0.01))
    postgresql.stop()
    tracemalloc.start()
    try:
        thread.start()
        assert gone.wait(PATIENCE)
        write(tmp_path, made_up(6000, start=MOMENT + 1000))
    finally:
        postgresql.start()
    assert back.wait(PATIENCE)
    stop.set()
    thread.join()
    follower.catch_up()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    size = sum(len(line) for line in lines(tmp_path))
    assert peak < size / 3
    assert stored(url) == sorted(lines(tmp_path))


def test_a_server_that_hangs(
    tmp_path: Path, postgresql: Postgresql, url: str, index: PostgresqlIndex
) -> None:
    """A call ends by itself, connected before or not; what the server had begun is not taken twice."""
    write(tmp_path, made_up(300))
    follower = Follower(tmp_path, index, batch_records=50)
    follower.step()
    postgresql.hang()
    try:
        with pytest.raises(IndexUnavailable, match="PostgreSQL cannot be used"):
            follower.step()
        fresh = PostgresqlIndex(url + "?connect_timeout=2", deadline=1.5)
        with pytest.raises(IndexUnavailable, match="PostgreSQL cannot be used"):
            fresh.positions()
    finally:
        postgresql.resume()
    follower.catch_up()
    assert stored(url) == sorted(lines(tmp_path))


def ledger_of(directory: Path) -> str:
    """Write fifty records as the directory's own; give the name of their stream."""
    name = f"{instance_id(directory)}.0"
    write(directory, made_up(50, seed=len(directory.name)), name)
    return name


def test_gateways_share_a_database(tmp_path: Path, url: str, index: PostgresqlIndex) -> None:
    """Each has streams of its own; what one forgets and fills anew is not the other's."""
    folders = tmp_path / "a", tmp_path / "the other"
    names = [ledger_of(folder) for folder in folders]
    for folder in folders:
        Follower(folder, index).catch_up()
    wanted = sorted(line for folder, name in zip(folders, names, strict=True) for line in lines(folder, name))
    assert stored(url) == wanted
    assert rebuild(folders[0], index) == 51
    assert stored(url) == wanted
    index.clear([names[0]])
    assert stored(url) == sorted(lines(folders[1], names[1]))


def test_a_copy_beside_its_original(tmp_path: Path, url: str, index: PostgresqlIndex) -> None:
    """One that stays behind takes nothing back; what it forgets and fills anew is not the original's."""
    original, copy = tmp_path / "original", tmp_path / "copy"
    name = ledger_of(original)
    Follower(original, index).catch_up()
    shutil.copytree(original, copy)
    write(original, made_up(50, start=MOMENT + 500), name)
    follower = Follower(original, index)
    follower.catch_up()
    position = index.positions()[name]
    told: list[str] = []
    Follower(copy, index, told=told.append).catch_up()
    assert rebuild(copy, index) == 0
    assert index.positions()[name] == position
    assert stored(url) == sorted(lines(original, name))
    assert told == []
    assert lag_behind(copy, {}, MOMENT / 1000 + 60, owned(copy, index)) == (0, 0)


def begin(directory: Path) -> list[str]:
    """Write as a gateway does from its start to its end; give all that the ledger has then."""
    identity = instance_id(directory)
    for name in (f"{identity}.0", f"{identity}.ops"):
        write(directory, made_up(5), name)
    return [line for name, _ in streams(directory) for line in lines(directory, name)]


def test_directories_of_a_fleet(tmp_path: Path, url: str, index: PostgresqlIndex) -> None:
    """Its own, copied and wiped ones share a database; each record is there once, and stays there."""
    first, second, copy = tmp_path / "first", tmp_path / "second", tmp_path / "copy"
    everything = {*begin(first), *begin(second)}
    original = Follower(first, index)
    for follower in (original, Follower(second, index)):
        follower.catch_up()
    shutil.copytree(first, copy)
    for directory in (first, copy, first):
        everything.update(begin(directory))
        Follower(directory, index).catch_up()
        original.catch_up()
    shutil.rmtree(second)
    everything.update(begin(second))
    Follower(second, index).catch_up()
    assert stored(url) == sorted(everything)
    assert len(index.positions()) == 8
    assert rebuild(copy, index) == len(lines(copy, f"{instance_id(copy)}.0")) * 2
    assert stored(url) == sorted(everything)
    assert set(index.query(Query(limit=1000)).records) == everything


@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_a_damaged_copy(tmp_path: Path, url: str, index: PostgresqlIndex, damage: str) -> None:
    """What lies behind its faults is left to the original, which misses nothing, whoever comes first."""
    original, copy = tmp_path / "original", tmp_path / "copy"
    name = f"{instance_id(original)}.0"
    write(original, made_up(50), name, segment_bytes=5000, commit=2)
    shutil.copytree(original, copy)
    files = segments(copy / "ledger" / name)
    if damage == "gone":
        files[2].path.unlink()
    else:
        files[2].path.write_bytes(files[2].path.read_bytes().replace(b"POST", b"PUT ", 1))
    told: list[str] = []
    follower = Follower(copy, index, told=told.append)
    follower.catch_up()
    follower.catch_up()
    (sentence,) = told
    assert sentence.startswith(f"{name}/")
    assert "no more of it is taken from here" in sentence
    assert follower.records == files[2].first - 1 + (damage == "changed")
    Follower(original, index).catch_up()
    follower.catch_up()
    assert stored(url) == sorted(lines(original, name))


def test_followers_at_the_same_time(tmp_path: Path, url: str) -> None:
    """Two that begin at once on an empty database, tables and all, do not get in each other's way."""
    told: list[str] = []
    threads = []
    indexes = [PostgresqlIndex(url), PostgresqlIndex(url)]
    for name, index in zip((NAME, OTHER), indexes, strict=True):
        write(tmp_path / name, made_up(300, every=DAY / 30), name)
        follower = Follower(tmp_path / name, index, told=told.append, batch_records=20)
        threads.append(threading.Thread(target=follower.catch_up))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    for index in indexes:
        index.close()
    assert stored(url) == sorted([*lines(tmp_path / NAME), *lines(tmp_path / OTHER, OTHER)])
    assert told == []


def test_other_records_under_the_same_numbers(tmp_path: Path, url: str, index: PostgresqlIndex) -> None:
    """Nothing is overwritten, and it is told how many were not taken."""
    write(tmp_path / "a", made_up(10))
    write(tmp_path / "b", made_up(10, seed=1))
    Follower(tmp_path / "a", index).catch_up()
    with psycopg.connect(url) as connection:
        connection.execute("DELETE FROM audit_position")
    told: list[str] = []
    follower = Follower(tmp_path / "b", index, told=told.append)
    follower.catch_up()
    assert stored(url) == sorted(lines(tmp_path / "a"))
    assert "the index has other records under the numbers of 10 of these" in told[0]
    assert (follower.records, follower.faults) == (1, 10)


def test_partitions(tmp_path: Path, url: str, index: PostgresqlIndex) -> None:
    """One for each day, made when it is needed and dropped whole; a dropped one is made again."""

    def days() -> list[str]:
        statement = (
            "SELECT relid::regclass::text FROM pg_partition_tree('audit_record') WHERE isleaf ORDER BY 1"
        )
        return [row[0].removeprefix("audit_record_") for row in ask(url, statement)]

    write(tmp_path, made_up(10, every=DAY / 2))
    Follower(tmp_path, index).catch_up()
    assert days() == ["20270115", "20270116", "20270117", "20270118", "20270119"]
    index.prune(MOMENT // DAY * DAY + 2 * DAY - 1)
    assert days() == ["20270116", "20270117", "20270118", "20270119"]
    index.prune(MOMENT // DAY * DAY + 2 * DAY)
    assert days() == ["20270117", "20270118", "20270119"]
    follower = Follower(tmp_path, index)
    write(tmp_path, made_up(1, start=MOMENT + 4 * DAY))
    follower.catch_up()
    with psycopg.connect(url) as connection:
        connection.execute("DROP TABLE audit_record_20270119")
    write(tmp_path, made_up(1, start=MOMENT + 4 * DAY))
    with pytest.raises(IndexUnavailable, match="no partition"):
        follower.step()
    follower.catch_up()
    assert days() == ["20270117", "20270118", "20270119"]
    assert len(index.query(Query(since=MOMENT + 4 * DAY)).records) == 1


def test_a_failure_does_not_tell_the_password(tmp_path: Path, postgresql: Postgresql) -> None:
    """Errors go to the log and to people."""
    index = open_index(f"postgresql://gateway:hush@127.0.0.1:{postgresql.port}/nowhere", tmp_path)
    with pytest.raises(IndexUnavailable, match="nowhere") as caught:
        index.positions()
    assert "hush" not in str(caught.value)
    with pytest.raises(AuditError, match="no URL") as refused:
        open_index("postgresql://gateway:hush@[::1/x?nonsense=1", tmp_path)
    assert "hush" not in str(refused.value)
