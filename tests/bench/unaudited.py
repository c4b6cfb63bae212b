"""The gateway without its audit trail, with the same command line: what the trail is measured against."""

from __future__ import annotations

from typing import Any

from gateway.cli import main
from gateway.ports import NoAudit
from gateway.process import gateway


class Unaudited:
    """Stands in for :class:`gateway.process.audit.ProcessAudit`; it has nothing to do and to tell."""

    def __init__(self, *_: object) -> None:
        self.trail = NoAudit()
        self.reasons = ()
        self.counts: dict[str, int] = {}
        self.lag = 0.0
        self.queued = 0

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


if __name__ == "__main__":
    gateway.ProcessAudit = Unaudited  # type: ignore[assignment, misc]
    main()
