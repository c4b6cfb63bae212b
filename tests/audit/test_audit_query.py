"""Questions to the index: what filters say, what is refused, and how pages join."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from gateway.audit.query import Query, QueryError, parse_query, read_page

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = 1_800_000_000.0


def test_filters_are_read() -> None:
    """Each filter by its name; an empty one is none."""
    given = {"app": "billing", "status": "400", "decision": "reject", "kind": "", "limit": "7", "q": "x y"}
    wanted = Query(app="billing", status=400, decision="reject", limit=7, q="x y")
    assert parse_query(given, NOW) == wanted
    assert parse_query({}, NOW) == Query()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2027-01-15T08:00:00Z", 1_800_000_000_000),
        ("2027-01-15t09:00:00.5+01:00", 1_800_000_000_500),
        ("2027-01-15T08:00:00.000000001Z", 1_800_000_000_000),
        ("2027-01-15T08:00:00.0001Z", 1_800_000_000_001),
        ("2027-01-15", 1_799_971_200_000),
        ("7d", 1_799_395_200_000),
        ("250ms", 1_799_999_999_750),
    ],
)
def test_times(text: str, wanted: int) -> None:
    """RFC 3339, a date, or how long ago; parts of a millisecond are rounded up at both ends."""
    query = parse_query({"since": text, "until": text}, NOW)
    assert (query.since, query.until) == (wanted, wanted)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("colour", "red"),
        ("since", "yesterday"),
        ("since", "2027-02-30"),
        ("since", "7d\n"),
        ("until", "2027-01-15T08:00:00"),
        ("until", "9999-12-31T23:59:59-23:59:59"),
        ("limit", "0"),
        ("limit", "1001"),
        ("limit", "\u0661"),
        ("status", "99"),
        ("status", "abc"),
        ("decision", "maybe"),
        ("kind", "requests"),
        ("cursor", "' OR 1=1"),
        ("q", "x" * 8193),
        ("app", "a\0b"),
        ("thread_id", "\ud800"),
    ],
)
def test_what_says_nothing_is_refused(name: str, text: str) -> None:
    """The error names the filter."""
    with pytest.raises(QueryError, match=f"^{name}: "):
        parse_query({name: text}, NOW)


def test_pages_drop_what_does_not_match_and_join() -> None:
    """An index may give too much: pages are filled all the same, none of it twice, and the last says so."""
    records = [{"id": str(number), "app": "ab"[number % 3 == 0]} for number in range(20)]
    rows = [(record["id"], json.dumps(record)) for record in records]

    def fetch(_: Query, cursor: str | None, count: int) -> Sequence[tuple[str, str]]:
        first = 0 if cursor is None else int(cursor) + 1
        return rows[first : first + count]

    wanted = [text for _, text in rows if json.loads(text)["app"] == "b"]
    for limit in range(1, 9):
        found: list[str] = []
        page = read_page(fetch, Query(app="b", limit=limit))
        found.extend(page.records)
        while page.next is not None:
            assert len(page.records) == limit
            page = read_page(fetch, Query(app="b", limit=limit, cursor=page.next))
            found.extend(page.records)
        assert found == wanted
