"""A PostgreSQL server for the tests of the audit trail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.postgresql import Postgresql

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """Run a server; a test that stops it starts it again."""
    with Postgresql() as server:
        yield server
