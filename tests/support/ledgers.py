"""Ledgers of made-up records, written as the gateway writes its own."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gateway.audit.segments import segments
from gateway.audit.stream import SEGMENT_BYTES, Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

NAME = "0123456789abcdef.0"
OTHER = "fedcba9876543210.1"
MOMENT = 1_800_000_000_000
"""A time in January 2027, in milliseconds since the epoch."""


def time_text(moment: int) -> str:
    """Write milliseconds since the epoch as records have it."""
    text = datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def identity(moment: int, chance: random.Random) -> str:
    """Make a UUIDv7 (RFC 9562 section 5.7)."""
    some, more, rest = chance.getrandbits(12), chance.getrandbits(2), chance.getrandbits(60)
    digits = f"{moment:012x}7{some:03x}{8 + more:x}{rest:015x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def members(record: Mapping[str, Any]) -> bytes:
    """Write a record's members as a stream takes them."""
    return json.dumps(record, separators=(",", ":")).encode("ascii")[1:-1]


def opening(_: tuple[str, ...]) -> bytes:
    """Make the record that begins a segment."""
    record = {"kind": "lifecycle", "id": "0", "time": time_text(MOMENT), "event": "segment"}
    return members(record)


def made_up(count: int, *, start: int = MOMENT, every: float = 1, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Make records of requests, one each ``every`` milliseconds: four apps, one in twenty refused."""
    chance = random.Random(seed)
    thread = ""
    for number in range(count):
        moment = start + int(number * every)
        if number % 5 == 0:
            thread = f"thread_{chance.getrandbits(96):024x}"
        record = {
            "kind": "request",
            "id": identity(moment, chance),
            "time": time_text(moment),
            "duration_ms": chance.randrange(1, 900) / 10,
            "client_request_id": identity(moment, chance),
            "app": chance.choice(("billing", "support", "search", "batch")),
            "attribution": "verified",
            "key_fingerprint": f"11111111:{chance.randrange(4):032x}",
            "client_ip": f"10.0.0.{chance.randrange(250)}",
            "user_agent": "OpenAI/Python 2.8.1",
            "method": "POST",
            "path": f"/v1/threads/{thread}/messages",
            "operation": chance.choice(("createMessage", "listMessages")),
            "contract": "assistants-v1",
            "thread_id": thread,
            "revision": "5f3a9c0d1e2b",
            "mode": "enforce",
            "bytes_in": chance.randrange(40, 4000),
            "body_hmac": f"11111111:{chance.getrandbits(256):064x}",
        }
        if chance.random() < 0.05:
            code = chance.choice(("invalid_type", "missing_required_parameter", "rate_limit_exceeded"))
            refused = {"decision": "reject", "phase": "schema", "status": 400, "code": code}
            yield record | refused | {"violations": [{"code": code, "layer": "contract"}]}
        else:
            yield record | {
                "upstream_request_id": f"req_{chance.getrandbits(128):032x}",
                "decision": "allow",
                "status": 200,
                "upstream": "main",
                "upstream_status": 200,
                "upstream_attempts": 1,
                "upstream_outcome": "complete",
                "upstream_ms": 12.5,
                "overhead_us": 180,
                "bytes_out": 420,
            }


def open_stream(
    directory: Path, name: str = NAME, *, now: float = MOMENT / 1000, segment_bytes: int = SEGMENT_BYTES
) -> Stream:
    """Open a stream with a clock that stands."""
    return Stream(directory, name, now=lambda: now, opening=opening, segment_bytes=segment_bytes)


def write(
    directory: Path,
    records: Iterable[Mapping[str, Any]],
    name: str = NAME,
    *,
    segment_bytes: int = SEGMENT_BYTES,
    commit: int = 100,
) -> None:
    """Add records to a stream, so many in each commit."""
    stream = open_stream(directory, name, segment_bytes=segment_bytes)
    waiting: list[bytes] = []
    for record in records:
        waiting.append(members(record))
        if len(waiting) == commit:
            stream.commit(waiting)
            waiting.clear()
    if waiting:
        stream.commit(waiting)
    stream.close()


def lines(directory: Path, name: str = NAME) -> list[str]:
    """Give a stream's lines in order, without line feeds."""
    folder = directory / "ledger" / name
    return [line for one in segments(folder) for line in one.path.read_text("ascii").splitlines()]
