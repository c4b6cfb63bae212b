"""Questions to the index: which records, newest first, a page at a time. Pure.

A record matches when every filter does. Text is compared whole and by case. ``q`` finds a record by any of
``id``, ``client_request_id``, ``upstream_request_id``, ``thread_id`` and ``path``, each compared whole, too.

Pages follow each other by a cursor, which names the last record of the page before: what is added meanwhile
moves nothing. A page ends early once it is ``PAGE_BYTES`` long, so that no answer is large, whatever callers
had the gateway write into its records. Records of one millisecond come in an order that is the index's own,
and stays.
"""

from __future__ import annotations

import json
import re
from contextlib import closing, suppress
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from gateway.audit.faults import AuditError
from gateway.config.units import DURATION_PATTERN, parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from typing import TypeAlias

    Candidate: TypeAlias = tuple[str, str]
    """A record's cursor, and its text."""

DECISIONS: Final = ("allow", "reject", "would_reject", "error")
KINDS: Final = ("request", "intent", "connection", "config", "lifecycle", "admin")
DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1000
PAGE_BYTES: Final = 1 << 20
"""The record with which a page comes to so many bytes is its last one."""
QUERY_SECONDS: Final = 10.0
"""How long SQLite looks for one page; what PostgreSQL may take is said there."""
TOO_LONG: Final = "the question took too long: narrow it by --since"
MAX_TEXT: Final = 8192
"""Longest text of a filter, in characters."""
SEARCHED: Final = ("id", "client_request_id", "upstream_request_id", "thread_id", "path")
"""The members that ``q`` looks at."""

NEAR: Final = 30_000
"""Within so many milliseconds of the moment at which an id was made its record is looked for first."""

_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2}))?"
)
_DURATION: Final = re.compile(DURATION_PATTERN)
_CURSOR: Final = re.compile(r"[0-9a-z.]{1,80}")
_NUMBER: Final = re.compile(r"[0-9]{1,4}")
_UUIDV7: Final = re.compile(r"([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class QueryError(AuditError):
    """A filter says nothing that could be looked for. The text names it."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for. None is no filter.

    ``since`` (inclusive) and ``until`` (exclusive) are milliseconds since the epoch. ``cursor`` is a page's
    ``next``.
    """

    app: str | None = None
    operation: str | None = None
    decision: str | None = None
    code: str | None = None
    kind: str | None = None
    status: int | None = None
    since: int | None = None
    until: int | None = None
    q: str | None = None
    id: str | None = None
    thread_id: str | None = None
    body_hmac: str | None = None
    key_fingerprint: str | None = None
    cursor: str | None = None
    limit: int = DEFAULT_LIMIT

    @property
    def terms(self) -> tuple[str, ...]:
        """The texts that a matching record has in members that are looked up by hash, the rarest first."""
        terms = (self.id, self.body_hmac, self.thread_id, self.q, self.key_fingerprint)
        return tuple(term for term in terms if term is not None)

    def matches(self, record: Mapping[str, Any]) -> bool:
        """Say whether a record has what is asked for; times are the index's business."""
        if self.q is not None and all(record.get(name) != self.q for name in SEARCHED):
            return False
        return all(
            getattr(self, name) is None or record.get(name) == getattr(self, name) for name in _COMPARED
        )


_COMPARED: Final = (
    *("app", "operation", "decision", "code", "kind", "status"),
    *("id", "thread_id", "body_hmac", "key_fingerprint"),
)
FILTERS: Final = tuple(field.name for field in fields(Query))
"""The names that :func:`parse_query` knows."""


class Page(NamedTuple):
    """Records as the JSON text that the ledger has, without the line feed; ``next`` is None on the last.

    A page has at least one record if any matches, and at most ``limit``; one of fewer may have a ``next``.
    """

    records: tuple[str, ...]
    next: str | None


def parse_query(given: Mapping[str, str], now: float) -> Query:
    """Read filters by name, as a URL or a command line has them; an empty one is none.

    Times are RFC 3339, a date alone (its first moment, UTC), or a duration before ``now`` (seconds since the
    epoch), like ``7d``. ``limit`` is 1 to 1000.

    :raises QueryError: for an unknown name, and for a value that is none
    """
    values: dict[str, Any] = {}
    for name, text in given.items():
        if name not in FILTERS:
            raise QueryError(f"{name}: there is no such filter.")
        if text:
            values[name] = _value(name, text, now)
    return Query(**values)


def _value(name: str, text: str, now: float) -> str | int:
    if name in ("since", "until"):
        return _moment(name, text, now)
    if name == "limit":
        return _number(name, text, 1, MAX_LIMIT)
    if name == "status":
        return _number(name, text, 100, 599)
    if name == "decision" and text not in DECISIONS:
        raise QueryError(f"decision: it is one of {', '.join(DECISIONS)}.")
    if name == "kind" and text not in KINDS:
        raise QueryError(f"kind: it is one of {', '.join(KINDS)}.")
    if name == "cursor" and not _CURSOR.fullmatch(text):
        raise cursor_fault()
    if len(text) > MAX_TEXT or "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise QueryError(f"{name}: no record can have this text.")
    return text


def _number(name: str, text: str, least: int, most: int) -> int:
    if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
        raise QueryError(f"{name}: it is a number from {least} to {most}.")
    return int(text)


def _moment(name: str, text: str, now: float) -> int:
    """Give the first millisecond that is not before the moment."""
    if _DURATION.fullmatch(text):
        return round((now - parse_duration(text)) * 1000)
    if _TIME.fullmatch(text):
        with suppress(ValueError, OverflowError):
            moment = datetime.fromisoformat(text.upper())
            return milliseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    raise QueryError(f"{name}: it is a time like 2026-01-31T12:00:00Z, a date, or how long ago, like 7d.")


def milliseconds(moment: datetime) -> int:
    """Give the milliseconds since the epoch, what is less than one rounded up."""
    return -((_EPOCH - moment) // _MILLISECOND)


def cursor_fault() -> QueryError:
    """Make the error for a cursor that this index did not give."""
    return QueryError("cursor: this is not one that the index gave.")


def read_page(look: Callable[[Query], Generator[Candidate]], query: Query) -> Page:
    """Answer ``query`` from an index.

    ``look`` gives, newest first and one by one, the records behind the query's cursor, each behind its own
    cursor; among them may be some that do not match, which are dropped here. Its iterator is closed as soon
    as the page is full.

    A record is looked for by its id near the time that the id tells, and everywhere only where that may not
    have found all: indexes are in order of time.
    """
    near = _near(query)
    if near is not None:
        page = _read_page(look, near)
        if any(map(_tells_all, page.records)):
            return page
    return _read_page(look, query)


def _near(query: Query) -> Query | None:
    """Narrow a question for an id to the time about its making; None where there is nothing to go by."""
    made = None if query.id is None else _UUIDV7.fullmatch(query.id)
    if made is None or query.cursor is not None:
        return None
    moment = int(made[1] + made[2], 16)
    since, until = max(query.since or 0, moment - NEAR), moment + NEAR
    return replace(query, since=since, until=until if query.until is None else min(query.until, until))


def _tells_all(text: str) -> bool:
    """Say whether no other record with its id is far away: an intent comes before its request's end."""
    record: dict[str, Any] = json.loads(text)
    if record["kind"] == "request":
        took = record.get("duration_ms")
        return isinstance(took, float) and took < NEAR
    return bool(record["kind"] != "intent")


def _read_page(look: Callable[[Query], Generator[Candidate]], query: Query) -> Page:
    records: list[str] = []
    last = ""
    size = 0
    with closing(look(query)) as found:
        for cursor, text in found:
            if not query.matches(json.loads(text)):
                continue
            if len(records) == query.limit or size >= PAGE_BYTES:
                return Page(tuple(records), last)
            records.append(text)
            last = cursor
            size += len(text)
    return Page(tuple(records), None)
