"""The index in PostgreSQL as its server is run: settings of the URL, rights of roles, readers beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from gateway.audit.follower import Follower, rebuild
from gateway.audit.index import IndexUnavailable
from gateway.audit.index.postgresql import PostgresqlIndex
from gateway.audit.instance import instance_id
from gateway.audit.query import Query
from tests.support.ledgers import MOMENT, lines, made_up, write
from tests.support.postgresql import Postgresql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DAY = 86_400_000


@pytest.fixture
def url(postgresql: Postgresql) -> str:
    """Make an empty database."""
    return postgresql.new_database()


@pytest.fixture
def opened() -> Iterator[Callable[[str], PostgresqlIndex]]:
    """Open indexes that are closed at the end."""
    found: list[PostgresqlIndex] = []

    def make(url: str) -> PostgresqlIndex:
        found.append(PostgresqlIndex(url))
        return found[-1]

    yield make
    for index in found:
        index.close()


def ask(url: str, *statements: str) -> list[Any]:
    """Have statements run; give what the last one gives."""
    with psycopg.connect(url) as connection:
        for statement in statements:
            found = connection.execute(statement)  # type: ignore[arg-type]
        return found.fetchall() if found.description else []


def test_options_of_the_url(tmp_path: Path, url: str, opened: Callable[[str], PostgresqlIndex]) -> None:
    """They are added to the gateway's own, and have the last word."""
    ask(url, "CREATE SCHEMA fleet")
    write(tmp_path, made_up(3))
    index = opened(f"{url}?options=-csearch_path%3Dfleet%20-clock_timeout%3D1ms")
    Follower(tmp_path, index).catch_up()
    assert ask(url, "SELECT count(*) FROM fleet.audit_record") == [(4,)]
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE fleet.audit_record")
        with pytest.raises(IndexUnavailable, match="canceling statement due to lock timeout"):
            index.query(Query())
    with psycopg.connect(url) as other:
        found = "SELECT query_start FROM pg_stat_activity WHERE application_name = 'message-gateway'"
        assert other.execute(found).fetchall() == []
    assert len(index.query(Query()).records) == 4


def test_a_role_that_may_not_make_tables(
    tmp_path: Path, url: str, opened: Callable[[str], PostgresqlIndex]
) -> None:
    """It is told what is missing; where the tables are there, and it may read them, it can be asked."""
    name = f"reader_{url.rpartition('/')[2]}"
    ask(url, f"CREATE ROLE {name} LOGIN", f"ALTER ROLE {name} SET default_transaction_read_only = on")
    reader = opened(url.replace("gateway@", f"{name}@"))
    with pytest.raises(IndexUnavailable, match="cannot be used: cannot execute CREATE TABLE in a read-only"):
        reader.positions()
    ask(url, f"ALTER ROLE {name} RESET ALL")
    with pytest.raises(IndexUnavailable) as refused:
        reader.positions()
    assert str(refused.value) == (
        "audit.index: PostgreSQL cannot be used: permission denied for schema public (who fills the index "
        "makes its tables, a partition for each day, and a temporary one)."
    )
    write(tmp_path, made_up(3))
    Follower(tmp_path, opened(url)).catch_up()
    ask(url, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}")
    ask(url, f"ALTER ROLE {name} SET default_transaction_read_only = on")
    reader.close()
    assert len(reader.query(Query()).records) == 4
    assert len(reader.positions()) == 1


def test_a_reader_does_not_hold_up_a_new_day(
    tmp_path: Path, url: str, opened: Callable[[str], PostgresqlIndex]
) -> None:
    """Whoever reads and writes the table for long is in nobody's way, nor is anybody in theirs."""
    index = opened(f"{url}?options=-clock_timeout%3D1ms")
    write(tmp_path, made_up(3))
    follower = Follower(tmp_path, index)
    follower.catch_up()
    with psycopg.connect(url) as other:
        other.execute("SELECT FROM audit_record")
        other.execute("UPDATE audit_record SET code = 'x' WHERE seq = 2")
        write(tmp_path, made_up(3, start=MOMENT + DAY))
        follower.catch_up()
        other.rollback()
    assert len(index.query(Query()).records) == 7


def test_a_reader_holds_up_retention_only(
    tmp_path: Path, url: str, opened: Callable[[str], PostgresqlIndex]
) -> None:
    """A day cannot be dropped while somebody reads: it is told, soon, and the next time goes on."""
    index = opened(url)
    write(tmp_path, made_up(3))
    Follower(tmp_path, index).catch_up()
    with psycopg.connect(url) as other:
        other.execute("SELECT FROM audit_record")
        with pytest.raises(IndexUnavailable, match="canceling statement due to lock timeout"):
            index.prune(MOMENT + 2 * DAY)
    index.prune(MOMENT + 2 * DAY)
    assert index.query(Query()).records == ()


def test_rebuilding_waits_for_many_records(
    tmp_path: Path, url: str, opened: Callable[[str], PostgresqlIndex]
) -> None:
    """What the server allows a statement does not count for the one that forgets a whole stream."""
    index = opened(f"{url}?options=-cstatement_timeout%3D300ms")
    write(tmp_path, made_up(3), f"{instance_id(tmp_path)}.0")
    Follower(tmp_path, index).catch_up()
    ask(
        url,
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_sleep(0.4); RETURN NULL; END'",
        "CREATE TRIGGER slow AFTER DELETE ON audit_record EXECUTE FUNCTION slow()",
    )
    assert rebuild(tmp_path, index) == 4


def test_tls_is_asked_for(url: str, opened: Callable[[str], PostgresqlIndex]) -> None:
    """``sslmode`` of the URL is libpq's: a server without TLS is refused where TLS is demanded."""
    assert opened(f"{url}?sslmode=prefer").positions() == {}
    with pytest.raises(IndexUnavailable, match="server does not support SSL"):
        opened(f"{url}?sslmode=verify-full&sslrootcert=system").positions()


def test_an_older_server(tmp_path: Path, opened: Callable[[str], PostgresqlIndex]) -> None:
    """Filled, asked, forgotten and pruned as any other."""
    name = f"{instance_id(tmp_path)}.0"
    write(tmp_path, made_up(20, every=DAY / 5), name)
    with Postgresql(16) as server:
        url = server.new_database()
        assert ask(url, "SHOW server_version")[0][0].startswith("16.")
        index = opened(url)
        Follower(tmp_path, index).catch_up()
        assert rebuild(tmp_path, index) == 21
        assert sorted(index.query(Query()).records) == sorted(lines(tmp_path, name))
        index.prune(MOMENT + 10 * DAY)
        assert index.query(Query()).records == ()
