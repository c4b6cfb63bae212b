"""An Outcome as members of a JSON object: what log lines and audit records have in common.

Hot: one for each request. The text is put together by hand; what few exchanges differ in is made once for
each combination that occurs. ASCII only, so that a line is a line for everybody who reads it.
"""

from __future__ import annotations

import time
from json.encoder import encode_basestring_ascii as quote
from operator import itemgetter
from typing import Any, Final

from gateway.core.types import Outcome

_MILLISECONDS: Final = tuple(f"{number:03d}Z" for number in range(1000))


class Stamp:
    """Formats times as RFC 3339, UTC, milliseconds; remembers the last second, which most calls share."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = (-1, "")

    def __call__(self, seconds: float) -> str:
        """Give the text for ``seconds`` since the epoch, not below 0."""
        second = int(seconds)
        last, text = self._last
        if second != last:
            text = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second))
            self._last = (second, text)  # one assignment, so that threads may share it
        return text + _MILLISECONDS[int((seconds - second) * 1000)]


# What few exchanges differ in.
_COMMON: Final = (
    "revision", "mode", "phase", "decision", "status", "code", "method", "operation", "contract", "app",
    "upstream", "upstream_status", "upstream_attempts", "upstream_outcome", "client_ip", "user_agent",
    "sdk_retry",
)  # fmt: skip
_common_of: Final = itemgetter(*map(Outcome._fields.index, _COMMON))
_MAX_COMMON: Final = 1024
_SHORT: Final = 256
"""The length of a path up to which nothing of an outcome is cut by anybody: header fields are no longer."""

# Strings that the outside world had a hand in, each with its place in an outcome.
_TEXTS: Final = tuple(
    (Outcome._fields.index(name), f',"{name}":')
    for name in (
        "path", "thread_id", "client_request_id", "upstream_request_id", "trace_id",
    )
)  # fmt: skip


class OutcomeMembers:
    """Gives an outcome's members, ``time`` to ``violation_count``, but for its id. For any thread.

    Strings that the outside world had a hand in are cut at ``max_text`` characters, 256 or more; at most
    ``max_violations`` are listed, with code, safe pointer and layer only: messages and keys that a client
    made up stay out. What is not known is absent.

    Where limits make no difference, what one of these has made is what the others give: each outcome is
    written to the log and to the audit trail.
    """

    def __init__(self, *, max_text: int, max_violations: int) -> None:
        self._max_text = max_text
        self._max_violations = max_violations
        self._stamp = Stamp()
        self._common: dict[tuple[Any, ...], str] = {}

    def __call__(self, o: Outcome) -> str:
        """Give the members of ``o``, without a comma at either end."""
        kept = o.rendered
        if kept:
            return kept[0]
        text = self._render(o)
        if kept is not None and not o.violations and (o.path is None or len(o.path) <= _SHORT):
            kept.append(text)
        return text

    def _render(self, o: Outcome) -> str:
        key = _common_of(o)
        common = self._common.get(key) or self._render_common(key)
        text = (
            f'"time":"{self._stamp(o.time)}",{common},"duration_ms":{o.duration_ms:.3f},'
            f'"bytes_in":{o.bytes_in},"bytes_out":{o.bytes_out}'
        )
        if o.bytes_decoded is not None:
            text += f',"bytes_decoded":{o.bytes_decoded}'
        values: tuple[Any, ...] = o
        for place, label in _TEXTS:
            value = values[place]
            if value is not None:
                text += label + quote(value[: self._max_text])
        if o.overhead_us is not None:
            text += f',"overhead_us":{o.overhead_us:.1f}'
        if o.upstream_ms is not None:
            text += f',"upstream_ms":{o.upstream_ms:.3f}'
        if o.violations:
            text += self._violations(o)
        return text

    def _render_common(self, key: tuple[Any, ...]) -> str:
        """Give the members for the values in ``key``, and keep them; methods make the number unbounded."""
        if len(self._common) >= _MAX_COMMON:
            self._common.clear()
        members = dict(zip(_COMMON, key, strict=True))
        if members["upstream"] is None:
            del members["upstream_attempts"]
        text = ",".join(
            f'"{name}":{quote(value[: self._max_text]) if isinstance(value, str) else value}'
            for name, value in members.items()
            if value is not None
        )
        self._common[key] = text
        return text

    def _violations(self, o: Outcome) -> str:
        """Give the first violations, and how many there are where that is more."""
        told = ",".join(
            f'{{"code":{quote(one.code)},'
            + ("" if one.safe_pointer is None else f'"pointer":{quote(one.safe_pointer[: self._max_text])},')
            + f'"layer":"{one.layer}"}}'
            for one in o.violations[: self._max_violations]
        )
        total = max(o.violation_count, len(o.violations))
        count = f',"violation_count":{total}' if total > self._max_violations else ""
        return f',"violations":[{told}]{count}'
