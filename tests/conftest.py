"""What all tests share."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.support.postgresql import Postgresql

if TYPE_CHECKING:
    from collections.abc import Iterator

# No deadline: how long a test takes on a busy machine proves nothing.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the file that takes longest: at the end it would keep one core busy alone."""
    items.sort(key=lambda item: "test_schemathesis.py" not in item.nodeid)


@pytest.fixture(autouse=True)
def _frames() -> Iterator[None]:
    """Put Python's limit of frames back, which commands raise for their own process."""
    limit = sys.getrecursionlimit()
    yield
    if sys.getrecursionlimit() != limit:
        sys.setrecursionlimit(limit)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """Run a PostgreSQL server; a test that stops it starts it again."""
    with Postgresql() as server:
        yield server
