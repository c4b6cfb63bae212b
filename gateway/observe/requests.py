"""The log line of a finished exchange.

The hottest code of this package: one line for each request. The JSON form is put together by hand, and goes
through a structlog logger whose chain has a single processor.
"""

from __future__ import annotations

from json.encoder import encode_basestring_ascii as quote
from typing import TYPE_CHECKING, Any, Final

import structlog

from gateway.core.printable import escape_controls
from gateway.core.types import Decision
from gateway.observe.fields import MAX_TEXT
from gateway.render.outcome import OutcomeMembers, Stamp

if TYPE_CHECKING:
    from structlog.typing import EventDict

    from gateway.core.types import Outcome

_MAX_VIOLATIONS: Final = 32


class RequestLog(structlog.BoundLoggerBase):
    """The :class:`gateway.ports.Observer` that writes one line for each exchange."""

    def settled(self, outcome: Outcome) -> None:
        """Log ``outcome``; never blocks.

        The line is made in the writer's thread, many in one go, unless the outcome may be much larger.
        """
        if outcome.violations or (outcome.path is not None and len(outcome.path) > MAX_TEXT):
            self._logger.write(self.render(outcome))
        else:
            self._logger.write_later(outcome)

    def render(self, outcome: Outcome) -> str:
        """Give the line of ``outcome``: what the chain of processors makes of it."""
        event: Any = {"outcome": outcome}
        for processor in self._processors:
            event = processor(self._logger, "write", event)
        return str(event)


class JsonRequest:
    """The processor that makes an outcome one line of ASCII JSON with its line feed.

    The names are those of the audit record; what is not known is absent rather than null. Violations have
    code, safe pointer and layer only: messages and keys that a client made up stay out of logs.
    """

    def __init__(self) -> None:
        self._members = OutcomeMembers(max_text=MAX_TEXT, max_violations=_MAX_VIOLATIONS)

    def __call__(self, _logger: object, _method: str, event: EventDict) -> str:
        """Give the line for the event's ``outcome``."""
        o: Outcome = event["outcome"]
        start = f'{{"event":"request","level":"{_level(o.decision)}","request_id":{quote(o.request_id)},'
        return f"{start}{self._members(o)}}}\n"


def _level(decision: Decision) -> str:
    return "warning" if decision is Decision.ERROR else "info"


def console_fields(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Make an outcome an event for people: what was asked and answered, then what explains it."""
    o: Outcome = event["outcome"]
    fields: dict[str, Any] = {
        "time": _console_stamp(o.time),
        "level": _level(o.decision),
        "event": escape_controls(f"{o.method or '-'} {(o.path or '-')[:MAX_TEXT]} {o.status} {o.decision}"),
        "phase": str(o.phase),
        "operation": o.operation,
        "code": o.code,
        "violations": " ".join(
            f"{violation.code}@{(violation.safe_pointer or '-')[:MAX_TEXT]}"
            for violation in o.violations[:_MAX_VIOLATIONS]
        ),
        "duration_ms": round(o.duration_ms, 3),
        "upstream_outcome": o.upstream_outcome,
        "request_id": o.request_id,
        "client_ip": o.client_ip,
    }
    return {name: value for name, value in fields.items() if value not in (None, "", "-")}


_console_stamp: Final = Stamp()
