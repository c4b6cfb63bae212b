"""The running program with PostgreSQL as its index: hung, gone, and not there at all."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.errors import UndefinedTable

from gateway.audit.follower import Follower
from gateway.audit.index import open_index
from gateway.audit.verify import verify
from tests.support.program import Program, fetch, post, write_config
from tests.support.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.postgresql import Postgresql

PASSWORD = "canary-password"
NOWHERE = 9  # nothing listens there


@pytest.fixture
def url(postgresql: Postgresql) -> str:
    """Make an empty database; give its URL with a password, and with as little patience as there is."""
    return postgresql.new_database().replace("gateway@", f"gateway:{PASSWORD}@") + "?connect_timeout=2"


@pytest.fixture
async def upstream() -> AsyncIterator[Recorder]:
    async with Recorder() as recorder:
        yield recorder


def configure(folder: Path, url: str, upstream: int = NOWHERE) -> Path:
    """Write a configuration whose audit directory is beside it."""
    folder.mkdir(exist_ok=True)
    return write_config(folder / "gateway.yaml", upstream, f'audit: {{directory: audit, index: "{url}"}}\n')


def held(url: str) -> list[str]:
    """Give what the index has, in order."""
    with psycopg.connect(url) as connection, suppress(UndefinedTable):
        return sorted(row[0] for row in connection.execute("SELECT line FROM audit_record").fetchall())
    return []


def written(config: Path) -> list[str]:
    """Give what the ledger has, in order."""
    paths = config.parent.glob("audit/ledger/*/*.jsonl")
    return sorted(line for path in paths for line in path.read_text("ascii").splitlines())


def wait_held(url: str, count: int) -> None:
    """Wait until the index has so many requests: the follower is behind by a moment."""
    found: tuple[int, ...] | None = (0,)
    with psycopg.connect(url, autocommit=True) as connection:
        while found is None or found[0] < count:
            with suppress(UndefinedTable):
                asked = "SELECT count(*) FROM audit_record WHERE kind = 'request'"
                found = connection.execute(asked).fetchone()
            connection.execute("SELECT pg_sleep(0.05)")  # it needs the processors more than who asks


def assert_served(gateway: Program, count: int) -> None:
    """See that traffic does not notice."""
    assert [post(gateway.port)[0] for _ in range(count)] == [200] * count
    assert gateway.ready()[0] == 200


def lag(gateway: Program) -> float:
    return gateway.metrics()["gateway_audit_lag_seconds", {}]


def assert_unreadable(gateway: Program) -> None:
    """See that a read is answered, and what with."""
    status, _, body = fetch(gateway.admin_port, "GET", "/api/audit")
    assert (status, json.loads(body)["error"]["code"]) == (503, "index_unavailable")
    assert PASSWORD.encode() not in body


def messages(gateway: Program) -> list[str]:
    """Give what the log tells of the index."""
    return [event["message"] for event in gateway.events("audit_index")]


async def test_a_server_that_hangs_and_then_is_gone(
    tmp_path: Path, postgresql: Postgresql, url: str, upstream: Recorder
) -> None:
    """All is answered and the gateway is ready; the lag tells of it; reads fail; then nothing is missing."""
    config = configure(tmp_path, url, upstream.port)

    def go() -> None:
        with Program("serve", "-c", str(config)) as gateway:
            gateway.started()
            assert_served(gateway, 3)
            wait_held(url, 3)
            postgresql.hang()
            try:
                assert_served(gateway, 20)
                assert_unreadable(gateway)
                assert lag(gateway) > 0
            finally:
                postgresql.resume()
            wait_held(url, 23)
            postgresql.stop()
            try:
                assert_served(gateway, 20)
                assert_unreadable(gateway)
                gateway.wait_event("audit_index")
                assert_served(gateway, 20)
                assert lag(gateway) > 0
            finally:
                postgresql.start()
            gateway.wait_event("audit_index", 2)
            wait_held(url, 63)
            status, _, body = fetch(gateway.admin_port, "GET", "/api/audit?kind=request&limit=1000")
            assert (status, len(json.loads(body)["records"])) == (200, 63)
            assert gateway.stop() == 0
            gone, again = messages(gateway)
            assert "cannot be used" in gone
            assert again == "The index can be used again."
            assert PASSWORD not in "".join((*gateway.output, *gateway.errors))
        assert held(url) == written(config)

    await asyncio.to_thread(go)


async def test_no_server_at_the_start(
    tmp_path: Path, postgresql: Postgresql, url: str, upstream: Recorder
) -> None:
    """The gateway starts as ever, and stops as ever; what came meanwhile is indexed once there is one.

    What came before it stopped without one, whoever follows next takes.
    """
    config = configure(tmp_path, url, upstream.port)

    def go() -> None:
        postgresql.stop()
        try:
            with Program("serve", "-c", str(config)) as gateway:
                gateway.started()
                assert_served(gateway, 5)
                gateway.wait_event("audit_index")
                postgresql.start()
                wait_held(url, 5)
                postgresql.stop()
                assert_served(gateway, 5)
                assert gateway.stop() == 0
                assert "cannot be used" in messages(gateway)[0]
        finally:
            postgresql.start()
        with closing(open_index(url, tmp_path / "audit")) as index:
            Follower(tmp_path / "audit", index).catch_up()
        assert held(url) == written(config)

    await asyncio.to_thread(go)


def test_the_end_while_a_reader_waits(tmp_path: Path, postgresql: Postgresql, url: str) -> None:
    """A read that a hung server keeps waiting does not keep the gateway from its end."""
    config = configure(tmp_path, url)
    with Program("serve", "-c", str(config)) as gateway:
        gateway.started()
        assert post(gateway.port, b"{}")[0] == 400
        wait_held(url, 1)
        assert fetch(gateway.admin_port, "GET", "/api/audit")[0] == 200
        postgresql.hang()
        try:
            with ThreadPoolExecutor() as threads:
                read = threads.submit(fetch, gateway.admin_port, "GET", "/api/audit")
                while sum('"event":"query"' in line for line in written(config)) < 2:
                    pass
                assert gateway.stop() == 0
                read.exception()
        finally:
            postgresql.resume()
    assert verify(config.parent / "audit").fault_count == 0
