"""Questions to the index through the admin listener, one at a time."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

import pytest

from gateway.admin import AdminError, Reader
from gateway.audit.query import Page, Query
from gateway.audit.records import Marks
from gateway.config.model import Audit
from gateway.listener.ids import RequestIds
from gateway.process import audit_reading
from gateway.process.audit_reading import AuditReading

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 30.0
READER = Reader("-", "127.0.0.1")


class Notes:
    """Takes every record."""

    marks = Marks(RequestIds().next, time.time)

    async def note(self, _: bytes) -> bool:
        return True


class Slow:
    """An index that answers when it is told to."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.go = threading.Event()

    def query(self, _: Query) -> Page:
        self.asked.set()
        assert self.go.wait(PATIENCE)
        return Page((), None)


async def test_a_question_behind_one_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is answered with 503 after a while; the one before it, and the next, are not disturbed."""
    slow = Slow()
    monkeypatch.setattr("gateway.audit.index.open_index", lambda *_: slow)
    monkeypatch.setattr(audit_reading, "TURN_SECONDS", 0.01)
    reading = AuditReading(Audit.model_validate({"directory": str(tmp_path)}), Notes())
    first = asyncio.ensure_future(reading.page(READER, {}))
    assert await asyncio.to_thread(slow.asked.wait, PATIENCE)
    with pytest.raises(AdminError, match="others asked") as refused:
        await reading.page(READER, {})
    assert (refused.value.status, refused.value.code) == (503, "index_unavailable")
    slow.go.set()
    answer = '{"records":[],"next":null}\n'
    assert await first == answer
    assert await reading.page(READER, {}) == answer
