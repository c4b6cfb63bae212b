"""The log line of a finished exchange.

The hottest code of this package: one line for each request. The JSON form is put together by hand, and goes
through a structlog logger whose chain has a single processor.
"""

from __future__ import annotations

from json.encoder import encode_basestring_ascii as quote
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import structlog

from gateway.core.printable import escape_controls
from gateway.core.types import Decision, Outcome
from gateway.observe.fields import MAX_TEXT, Stamp

if TYPE_CHECKING:
    from structlog.typing import EventDict

_MAX_VIOLATIONS: Final = 32

# What few exchanges differ in: rendered once for each combination that occurs.
_COMMON: Final = (
    "revision", "mode", "phase", "decision", "status", "code", "method", "operation", "contract", "app",
    "upstream", "upstream_status", "upstream_attempts", "upstream_outcome", "client_ip", "user_agent",
    "sdk_retry",
)  # fmt: skip
_common_of: Final = itemgetter(*map(Outcome._fields.index, _COMMON))
_MAX_COMMON: Final = 1024

# Strings that the outside world had a hand in, each with its place in an outcome.
_TEXTS: Final = tuple(
    (Outcome._fields.index(name), f',"{name}":')
    for name in (
        "path", "thread_id", "client_request_id", "upstream_request_id", "trace_id",
    )
)  # fmt: skip


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
        self._stamp = Stamp()
        self._common: dict[tuple[Any, ...], str] = {}

    def __call__(self, _logger: object, _method: str, event: EventDict) -> str:
        """Give the line for the event's ``outcome``."""
        o: Outcome = event["outcome"]
        key = _common_of(o)
        common = self._common.get(key) or self._render_common(key)
        line = (
            f'{{"event":"request","time":"{self._stamp(o.time)}","request_id":{quote(o.request_id)},{common},'
            f'"duration_ms":{o.duration_ms:.3f},"bytes_in":{o.bytes_in},"bytes_out":{o.bytes_out}'
        )
        if o.bytes_decoded is not None:
            line += f',"bytes_decoded":{o.bytes_decoded}'
        values: tuple[Any, ...] = o
        for place, label in _TEXTS:
            text = values[place]
            if text is not None:
                line += label + quote(text[:MAX_TEXT])
        if o.overhead_us is not None:
            line += f',"overhead_us":{o.overhead_us:.1f}'
        if o.upstream_ms is not None:
            line += f',"upstream_ms":{o.upstream_ms:.3f}'
        if o.violations:
            line += _violations_member(o)
        return line + "}\n"

    def _render_common(self, key: tuple[Any, ...]) -> str:
        """Give the members for the values in ``key``, and keep them; methods make the number unbounded."""
        if len(self._common) >= _MAX_COMMON:
            self._common.clear()
        members = dict(zip(_COMMON, key, strict=True))
        if members["upstream"] is None:
            del members["upstream_attempts"]
        members = {"level": _level(members["decision"])} | members
        text = ",".join(
            f'"{name}":{quote(value[:MAX_TEXT]) if isinstance(value, str) else value}'
            for name, value in members.items()
            if value is not None
        )
        self._common[key] = text
        return text


def _level(decision: Decision) -> str:
    return "warning" if decision is Decision.ERROR else "info"


def _violations_member(outcome: Outcome) -> str:
    """Give the first violations, and how many there are where that is more."""
    violations = outcome.violations
    told = ",".join(
        f'{{"code":{quote(violation.code)},'
        + ("" if violation.safe_pointer is None else f'"pointer":{quote(violation.safe_pointer[:MAX_TEXT])},')
        + f'"layer":"{violation.layer}"}}'
        for violation in violations[:_MAX_VIOLATIONS]
    )
    total = max(outcome.violation_count, len(violations))
    count = f',"violation_count":{total}' if total > _MAX_VIOLATIONS else ""
    return f',"violations":[{told}]{count}'


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
