"""The verbs of ``gateway audit`` with PostgreSQL as the index: hung, gone, and shared with others."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest

from gateway.audit.follower import Follower
from gateway.audit.index import open_index
from gateway.audit.instance import instance_id
from gateway.audit.segments import segments
from gateway.audit.verify import verify
from tests.support.ledgers import OTHER, lines, made_up, members, open_stream
from tests.support.program import write_config

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command
    from tests.support.postgresql import Postgresql

PASSWORD = "canary-password"
OLD = 1_600_000_000.0
"""A time in the year 2020, in seconds since the epoch."""


@pytest.fixture
def url(postgresql: Postgresql) -> str:
    """Make an empty database; give its URL with a password, and with as little patience as there is."""
    return postgresql.new_database().replace("gateway@", f"gateway:{PASSWORD}@") + "?connect_timeout=2"


@pytest.fixture
def config(tmp_path: Path, url: str) -> Path:
    return write_config(tmp_path / "gateway.yaml", 9, f'audit: {{directory: audit, index: "{url}"}}\n')


def write_hour(directory: Path, name: str, moment: float) -> None:
    """Add a segment with three requests of an hour."""
    stream = open_stream(directory, name, now=moment)
    stream.commit([members(record) for record in made_up(3, start=int(moment * 1000))])
    stream.close()


def requests(url: str) -> list[str]:
    """Give the lines of requests that the index has."""
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT line FROM audit_record WHERE kind = 'request'").fetchall()
    return sorted(row[0] for row in found)


def test_a_server_that_hangs_or_is_gone(command: Command, config: Path, postgresql: Postgresql) -> None:
    """Each verb that needs the index ends with status 2 and a sentence, and soon."""

    def assert_fails(*verb: str) -> None:
        result = command("audit", *verb, "-c", str(config))
        assert (result.status, result.output) == (2, "")
        assert result.errors.startswith("gateway: audit.index: PostgreSQL cannot be used: ")
        assert result.errors.count("\n") == 1
        assert PASSWORD not in result.errors

    write_hour(config.parent / "audit", OTHER, OLD)
    postgresql.hang()
    try:
        assert_fails("query")
    finally:
        postgresql.resume()
    postgresql.stop()
    try:
        for verb in (["export"], ["index", "rebuild"], ["lookup", "--body", str(config)], ["show", "x"]):
            assert_fails(*verb)
    finally:
        postgresql.start()


def test_pruning(command: Command, config: Path, postgresql: Postgresql, url: str) -> None:
    """Nothing goes that the index has not got; then what is old goes from both, and nothing of others."""
    directory, others = config.parent / "audit", config.parent / "others"
    name = f"{instance_id(directory)}.0"
    for hour in range(3):
        write_hour(directory, name, OLD + hour * 3600)
    write_hour(others, OTHER, time.time() - 30 * 86_400)

    def pruned(*arguments: str) -> tuple[int, int, str]:
        result = command("audit", "prune", "-c", str(config), *arguments)
        last = result.output.splitlines()[-1] if result.output else ""
        return result.status, len(segments(directory / "ledger" / name)), last

    postgresql.stop()
    try:
        assert pruned() == (2, 3, "")
    finally:
        postgresql.start()
    nothing = "Nothing to prune: the index is empty, and what it has not got stays."
    assert pruned() == (0, 3, nothing)
    for one in (directory, others):
        with closing(open_index(url, one)) as index:
            Follower(one, index).catch_up()
    assert len(requests(url)) == 12
    removed = "Removed from the index: the records of 1 day, from 2020-09-13 to 2020-09-13."
    assert pruned("--before", "1d") == (0, 1, removed)
    assert requests(url) == lines(others, OTHER)[1:]
    assert verify(directory).fault_count == 0
