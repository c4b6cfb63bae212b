"""A record as the index keeps it: columns that queries filter, terms to look it up by, the text. Pure."""

from __future__ import annotations

import json
import re
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from struct import unpack
from typing import Any, Final, NamedTuple

from gateway.audit.query import milliseconds

MAX_TIME: Final = 1 << 42
"""Times have to be before this many milliseconds since the epoch, which is in the year 2109."""
MAX_COLUMN: Final = 200
"""Characters of a column's text that are kept; queries compare the whole text with the record's own."""
TERMS: Final = (
    *("id", "client_request_id", "upstream_request_id", "thread_id", "path"),
    *("body_hmac", "key_fingerprint"),
)
"""The members that a record is looked up by: too many values, too evenly spread, for an index each."""

_BLANK: Final = blake2b(digest_size=8)
_UNFIT: Final = re.compile("[\0\ud800-\udfff]")


class Row(NamedTuple):
    """One record. ``time`` is in milliseconds since the epoch; ``text`` is the line without its end."""

    time: int
    seq: int
    kind: str
    app: str | None
    operation: str | None
    decision: str | None
    code: str | None
    status: int | None
    terms: tuple[int, ...]
    text: str


def read_row(line: bytes) -> Row:
    """Read a line of the ledger whose hash was proven.

    :raises ValueError: when it is no record
    """
    text = line.decode("ascii").rstrip("\n")
    record = json.loads(text)
    kind = record.get("kind")
    time = record.get("time")
    status = record.get("status")
    if not isinstance(kind, str) or not isinstance(time, str):
        raise ValueError("it has no kind or no time")  # noqa: TRY004 - what the line says is a value
    return Row(
        read_moment(time),
        record["seq"],
        kind,
        column(record.get("app")),
        column(record.get("operation")),
        column(record.get("decision")),
        column(record.get("code")),
        status if type(status) is int and 0 <= status <= 999 else None,
        _terms([value for name in TERMS if type(value := record.get(name)) is str]),
        text,
    )


def column(value: Any) -> str | None:
    """Give text as a column has it: not too long for an index, and nothing in it that no database takes."""
    if type(value) is not str:
        return None
    if len(value) <= MAX_COLUMN and value.isascii() and "\0" not in value:
        return value
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", value[:MAX_COLUMN])


def term_of(value: str) -> int:
    """Give the signed 64-bit number that stands for a text in the index."""
    return _terms([value])[0]


def _terms(values: list[str]) -> tuple[int, ...]:
    digests = b""
    for value in values:
        state = _BLANK.copy()  # two and a half times as quick as making a new one
        state.update(value.encode("utf-8", "surrogatepass"))
        digests += state.digest()
    return tuple(set(unpack(f">{len(values)}q", digests)))


@lru_cache(maxsize=1024)
def read_moment(time: str) -> int:
    """Read a record's time, to milliseconds since the epoch.

    :raises ValueError: when it is none, or out of range
    """
    moment = datetime.fromisoformat(time)
    if moment.tzinfo is None:
        raise ValueError("its time has no zone")
    passed = milliseconds(moment)
    if not 0 <= passed < MAX_TIME:
        raise ValueError("its time is none of this age")
    return passed
