"""The index in a real PostgreSQL that stops, hangs and comes back, and that several gateways share."""

from __future__ import annotations

import threading
import tracemalloc
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from gateway.audit.faults import AuditError
from gateway.audit.follower import Follower, rebuild
from gateway.audit.index import IndexUnavailable, open_index
from gateway.audit.index.postgresql import PostgresqlIndex
from gateway.audit.query import Query
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


def test_gateways_share_a_database(tmp_path: Path, url: str, index: PostgresqlIndex) -> None:
    """Each has streams of its own; what one forgets and fills anew is not the other's."""
    for name in (NAME, OTHER):
        write(tmp_path / name, made_up(50, seed=len(name)), name)
        Follower(tmp_path / name, index).catch_up()
    wanted = sorted([*lines(tmp_path / NAME), *lines(tmp_path / OTHER, OTHER)])
    assert stored(url) == wanted
    rebuild(tmp_path / NAME, index)
    assert stored(url) == wanted
    index.clear([NAME])
    assert stored(url) == sorted(lines(tmp_path / OTHER, OTHER))


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
