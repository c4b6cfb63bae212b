"""Records of everything but requests, as members of a line of the ledger. Pure.

Each function gives the bytes that :meth:`stream.Stream.commit` takes; ``record.schema.json`` tells what they
may be. Records of requests, which are hot, are made in ``record``; but the one for an intent whose outcome
nobody knows is made here.
"""

from __future__ import annotations

import json
from json.encoder import encode_basestring_ascii as quote
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from gateway.render.outcome import Stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gateway.audit.chain import Link
    from gateway.audit.recovery import Recovered
    from gateway.core.types import Outcome

UNKNOWN: Final = "unknown"
"""The outcome of an intent without one."""
MAX_TEXT: Final = 1024
"""How much of a string from elsewhere goes into a record, in characters."""
MAX_FAULTS: Final = 20

FACTS: Final = (
    "client_request_id", "trace_id", "app", "attribution", "key_fingerprint", "client_ip", "user_agent",
    "method", "path", "operation", "contract", "thread_id", "revision", "body_hmac",
)  # fmt: skip
"""What an intent tells of its request, each a text, and the record of its unknown outcome repeats."""

_stamp: Final = Stamp()


class Mark(NamedTuple):
    """What every record has: its id, a UUIDv7, and its time in seconds since the epoch."""

    id: str
    time: float


class Marks(NamedTuple):
    """Makes marks of the present, of what gives a new UUIDv7 and of a clock in seconds since the epoch."""

    new_id: Callable[[], str]
    now: Callable[[], float]

    def __call__(self) -> Mark:
        """Give a new one."""
        return Mark(self.new_id(), self.now())


def started(mark: Mark, *, revision: str, version: str, durability: str) -> bytes:
    """Tell that a process begins to write the stream; ``version`` is the gateway's."""
    detail = {"version": version, "durability": durability}
    return _members("lifecycle", mark, event="started", detail=detail, revision=revision)


def stopped(mark: Mark, *, revision: str, drained: bool) -> bytes:
    """Tell that a process ends; ``drained``: no request was cut off."""
    return _members("lifecycle", mark, event="stopped", detail={"drained": drained}, revision=revision)


def segment(mark: Mark, opened: Sequence[str]) -> bytes:
    """Tell that a segment begins; ``opened`` are the ids of intents without a request record so far."""
    return _members("lifecycle", mark, event="segment", open=list(opened))


def recovered(mark: Mark, found: Recovered) -> bytes:
    """Tell what was cut off, when a process takes over a stream whose last one did not end well.

    That is how many bytes, their SHA-256, and the first of them, a character (ISO 8859-1) for each; and
    whether lines are damaged, which stay.
    """
    detail: dict[str, Any] = {"bytes": 0}
    if found.torn is not None:
        size, digest, text = found.torn
        detail = {"bytes": size, "sha256": digest, "text": text.decode("latin-1")}
    detail["damaged"] = found.damaged
    return _members("lifecycle", mark, event="recovered", detail=detail)


def restored(mark: Mark, *, refused: int, lost: int) -> bytes:
    """Tell that the ledger can be written again, and what was refused or (mode batch) lost meanwhile."""
    return _members("lifecycle", mark, event="restored", detail={"refused": refused, "lost": lost})


def pruned(mark: Mark, stream: str, first: int, last: Link) -> bytes:
    """Tell that records ``first`` to ``last`` of a stream are removed: its chain begins behind ``last``."""
    detail = {"stream": stream, "first": first, "last": last.seq, "hash": last.hash.decode("ascii")}
    return _members("lifecycle", mark, event="pruned", detail=detail)


def config_applied(mark: Mark, *, revision: str, previous: str) -> bytes:
    """Tell that a reload put another configuration in force."""
    return _members("config", mark, event="applied", detail={"previous": previous}, revision=revision)


def config_refused(mark: Mark, *, revision: str, faults: Sequence[str]) -> bytes:
    """Tell that a reload was refused for its faults; ``revision`` stays in force."""
    told = [fault[:MAX_TEXT] for fault in faults[:MAX_FAULTS]]
    detail = {"faults": told, "fault_count": len(faults)}
    return _members("config", mark, event="refused", detail=detail, revision=revision)


def admin(
    mark: Mark, event: str, *, who: str, client_ip: str | None = None, what: Mapping[str, str] | None = None
) -> bytes:
    """Tell who used the admin listener; ``event`` is what was done, such as ``query`` or ``show``.

    ``who`` is the name of the token, ``what`` the filters or the id that were asked for.
    """
    asked = {name: value[:MAX_TEXT] for name, value in (what or {}).items()}
    return _members("admin", mark, event=event, detail={"who": who, "what": asked}, client_ip=client_ip)


def connection(
    mark: Mark,
    *,
    code: str,
    count: int = 1,
    status: int | None = None,
    client_ip: str | None = None,
    duration_ms: float | None = None,
    bytes_in: int | None = None,
) -> bytes:
    """Tell of a connection whose bytes never became a request, or of ``count`` such ones in one record.

    ``status`` is that of the answer, where there was one; the mark is the answer's then.
    """
    took = None if duration_ms is None else round(duration_ms, 3)
    return _members(
        "connection",
        mark,
        count=count,
        duration_ms=took,
        client_ip=client_ip,
        status=status,
        code=code,
        bytes_in=bytes_in,
    )


def intent(mark: Mark, facts: Mapping[str, Any]) -> bytes:
    """Tell that the request whose id the mark has is about to be forwarded, and ``FACTS`` of it.

    Hot in mode ``blocking-strict``, so the text is put together by hand.
    """
    told = "".join([f',"{name}":{quote(text)}' for name, text in _told(facts).items()])
    return f'"kind":"intent","id":{quote(mark.id)},"time":"{_stamp(mark.time)}"{told}'.encode("ascii")


def outcome_unknown(intent: str, facts: Mapping[str, Any]) -> bytes:
    """Tell that a process ended between an intent and its outcome: nobody knows whether the upstream acted.

    The record has the request's own id, the time that this UUIDv7 was made at, and the intent's ``facts``, as
    far as they are known.
    """
    made = int(intent.replace("-", "")[:12] or "0", 16)
    return _members(
        "request",
        Mark(intent, (made + 0.5) / 1000),
        decision="error",
        phase="forward",
        code="outcome_unknown",
        upstream_outcome=UNKNOWN,
        **_told(facts),
    )


def _told(facts: Mapping[str, Any]) -> dict[str, str]:
    """Give of ``facts`` what an intent tells."""
    return {name: text[:MAX_TEXT] for name in FACTS if isinstance(text := facts.get(name), str)}


def record_failed(outcome: Outcome) -> bytes:
    """Tell of a request that its record could not be made, for a bug: what is certain, and no text at all."""
    return _members(
        "request",
        Mark(outcome.request_id, outcome.time),
        decision=outcome.decision,
        phase=outcome.phase,
        status=outcome.status,
        code="record_failed",
    )


def _members(kind: str, mark: Mark, **more: Any) -> bytes:
    """Write members, those that are None left out."""
    record = {"kind": kind, "id": mark.id, "time": _stamp(mark.time)}
    record |= {name: value for name, value in more.items() if value is not None}
    return json.dumps(record, separators=(",", ":")).encode("ascii")[1:-1]
