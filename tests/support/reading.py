"""An audit trail for admin listeners in tests: it gives what was put in, and keeps who asked for what."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.admin import Reader


class Reading:
    """Implements :class:`gateway.admin.AuditReader`; ``fault`` is raised where it is set."""

    def __init__(self) -> None:
        self.asked: list[tuple[Reader, dict[str, str] | str]] = []
        self.fault: Exception | None = None

    async def page(self, reader: Reader, filters: Mapping[str, str]) -> str:
        """Give a page without records."""
        return self._answer(reader, dict(filters), '{"records":[],"next":null}\n')

    async def record(self, reader: Reader, identity: str) -> str:
        """Give a record."""
        return self._answer(reader, identity, '{"record":{}}\n')

    def _answer(self, reader: Reader, what: dict[str, str] | str, text: str) -> str:
        self.asked.append((reader, what))
        if self.fault is not None:
            raise self.fault
        return text
