"""Reads of the audit trail through the admin listener: answered from the index, and recorded before that."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Final, Protocol

from gateway.admin import AdminError
from gateway.audit import records
from gateway.audit.faults import AuditError
from gateway.audit.query import Query, QueryError, parse_query

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.admin import Reader
    from gateway.audit.index import Index
    from gateway.audit.query import Page
    from gateway.audit.records import Marks
    from gateway.config.model import Audit


TURN_SECONDS: Final = 10.0
"""How long a question waits for those before it, each of which may take as long as the index gives itself."""


class Notes(Protocol):
    """Where it is written down who reads."""

    marks: Marks

    async def note(self, members: bytes) -> bool:
        """Have a record on disk; False if that cannot be had."""


class AuditReading:
    """Implements :class:`gateway.admin.AuditReader`. One question at a time, in a thread."""

    def __init__(self, settings: Audit, notes: Notes) -> None:
        """Answer from the index that the section ``audit`` of a configuration names."""
        self._settings = settings
        self._notes = notes
        self._index: Index | None = None
        self._turn = asyncio.Lock()

    async def page(self, reader: Reader, filters: Mapping[str, str]) -> str:
        """Give ``{"records": […], "next": cursor or null}``, newest first."""
        try:
            query = parse_query(filters, time.time())
        except QueryError as error:
            raise AdminError(400, "invalid_filter", str(error)) from None
        await self._note(reader, "query", {name: value for name, value in filters.items() if value})
        page = await self._ask(query)
        return f'{{"records":[{",".join(page.records)}],"next":{json.dumps(page.next)}}}\n'

    async def record(self, reader: Reader, identity: str) -> str:
        """Give ``{"record": …}``, and ``intent`` beside it where there is one."""
        await self._note(reader, "show", {"id": identity})
        found = {json.loads(text)["kind"]: text for text in (await self._ask(Query(id=identity))).records}
        if not found:
            raise AdminError(404, "unknown_record", "The index has no record with this id.")
        intent = found.pop("intent") if len(found) > 1 and "intent" in found else None
        (record, *_) = found.values()
        return f'{{"record":{record}}}\n' if intent is None else f'{{"record":{record},"intent":{intent}}}\n'

    def close(self) -> None:
        """Let go of the index."""
        if self._index is not None:
            self._index.close()

    async def _note(self, reader: Reader, event: str, what: Mapping[str, str]) -> None:
        """Write down who asks for what; nothing is told to anybody whose reading cannot be recorded."""
        mark = self._notes.marks()
        members = records.admin(mark, event, who=reader.name, client_ip=reader.client_ip, what=what)
        if not await self._notes.note(members):
            raise AdminError(503, "audit_unavailable", "The audit trail cannot be written at present.")

    async def _ask(self, query: Query) -> Page:
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await self._turn.acquire()
        except TimeoutError:
            busy = "The index still looks for what others asked for."
            raise AdminError(503, "index_unavailable", busy) from None
        try:
            return await asyncio.to_thread(self._query, query)
        except QueryError as error:  # of a cursor, which only the index can tell
            raise AdminError(400, "invalid_filter", str(error)) from None
        except AuditError as error:
            raise AdminError(503, "index_unavailable", str(error)) from None
        finally:
            self._turn.release()

    def _query(self, query: Query) -> Page:
        from gateway.audit.index import open_index  # noqa: PLC0415 - many gateways are never asked

        if self._index is None:
            self._index = open_index(self._settings.index.get_secret_value(), self._settings.directory)
        return self._index.query(query)
