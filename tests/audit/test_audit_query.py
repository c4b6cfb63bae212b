"""Questions to the index: what filters say, what is refused, and how pages join."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from gateway.audit.query import NEAR, PAGE_BYTES, Query, QueryError, parse_query, read_page
from tests.support.ledgers import MOMENT, identity

if TYPE_CHECKING:
    from collections.abc import Generator

    from gateway.audit.query import Candidate

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


def look_in(rows: list[Candidate], query: Query) -> Generator[Candidate]:
    """Give what is behind the cursor, which is a row's number, whatever is asked for."""
    yield from rows[0 if query.cursor is None else int(query.cursor) + 1 :]


def test_pages_drop_what_does_not_match_and_join() -> None:
    """An index may give too much: pages are filled all the same, none of it twice, and the last says so."""
    records = [{"id": str(number), "app": "ab"[number % 3 == 0]} for number in range(20)]
    rows = [(record["id"], json.dumps(record)) for record in records]

    wanted = [text for _, text in rows if json.loads(text)["app"] == "b"]
    for limit in range(1, 9):
        found: list[str] = []
        page = read_page(partial(look_in, rows), Query(app="b", limit=limit))
        found.extend(page.records)
        while page.next is not None:
            assert len(page.records) == limit
            page = read_page(partial(look_in, rows), Query(app="b", limit=limit, cursor=page.next))
            found.extend(page.records)
        assert found == wanted


@pytest.mark.parametrize("size", [PAGE_BYTES // 4 - 7, PAGE_BYTES // 4, PAGE_BYTES, 3 * PAGE_BYTES])
def test_a_page_ends_once_it_is_a_mebibyte(size: int) -> None:
    """It has one record at least, and none behind that with which it comes to that size."""
    texts = [f'{{"app":"b","id":"{number:04}","x":"{"x" * (size - 30)}"}}' for number in range(11)]
    assert {len(text) for text in texts} == {size}
    rows = [(str(number), text) for number, text in enumerate(texts)]
    query = Query(app="b", limit=1000)
    found: list[str] = []
    while True:
        page = read_page(partial(look_in, rows), query)
        found.extend(page.records)
        *head, _ = page.records
        assert sum(map(len, head)) < PAGE_BYTES
        if page.next is None:
            break
        assert sum(map(len, page.records)) >= PAGE_BYTES
        query = replace(query, cursor=page.next)
    assert found == texts


def test_no_more_is_read_than_fills_a_page() -> None:
    """The one after it tells that there are more; then the index is let go of."""
    given: list[str] = []
    ended: list[bool] = []

    def look(_: Query) -> Generator[Candidate]:
        try:
            for number in range(100):
                given.append(str(number))
                yield str(number), '{"app":"b"}'
        finally:
            ended.append(True)

    assert read_page(look, Query(limit=3)).next == "2"
    assert (given, ended) == (["0", "1", "2", "3"], [True])


ID = identity(MOMENT, random.Random(1))


class Records:
    """An index of records with one id, each so many milliseconds after its making; notes what is asked."""

    def __init__(self, **records: tuple[int, dict[str, Any]]) -> None:
        self.asked: list[tuple[int | None, int | None]] = []
        self._rows = [
            (MOMENT + after, json.dumps({"kind": kind, "id": ID, **more}))
            for kind, (after, more) in records.items()
        ]

    def kinds(self, query: Query) -> list[str]:
        """Give what a query finds."""
        return [json.loads(text)["kind"] for text in read_page(self._look, query).records]

    def _look(self, query: Query) -> Generator[Candidate]:
        self.asked.append((query.since, query.until))
        since, until = query.since or 0, query.until or 1 << 62
        yield from ((str(time), text) for time, text in self._rows if since <= time < until)


def test_an_id_is_looked_for_near_its_time() -> None:
    """A request that is found there, and took less than that, has no other record elsewhere."""
    index = Records(request=(-5, {"duration_ms": 12.5}), intent=(3, {}))
    assert index.kinds(Query(id=ID)) == ["request", "intent"]
    assert index.asked == [(MOMENT - NEAR, MOMENT + NEAR)]
    index = Records(admin=(0, {}))
    assert index.kinds(Query(id=ID, until=MOMENT + 1)) == ["admin"]
    assert index.asked == [(MOMENT - NEAR, MOMENT + 1)]


@pytest.mark.parametrize(
    "records",
    [
        {"request": (-2 * NEAR, {"duration_ms": 2.5 * NEAR})},
        {"request": (0, {"duration_ms": 2.5 * NEAR}), "intent": (2 * NEAR, {})},
        {"request": (0, {}), "intent": (2 * NEAR, {})},
        {"request": (-2 * NEAR, {"duration_ms": 3.0 * NEAR}), "intent": (0, {})},
        {"lifecycle": (86_400_000, {})},
    ],
    ids=["slow head", "slow body", "slow body, unknown outcome", "slow head, intent", "clock set"],
)
def test_what_is_far_from_its_id_is_found_too(records: dict[str, tuple[int, dict[str, Any]]]) -> None:
    """Where what is near may not be all, or is nothing, the id is looked for everywhere."""
    index = Records(**records)
    assert index.kinds(Query(id=ID)) == list(records)
    assert index.asked == [(MOMENT - NEAR, MOMENT + NEAR), (None, None)]


@pytest.mark.parametrize("text", ["request-7", ID.upper(), ID.replace("-7", "-4", 1)])
def test_an_id_that_tells_no_time_is_looked_for_everywhere(text: str) -> None:
    """Only the gateway's own ids, UUIDv7 in lower case, do."""
    index = Records()
    assert index.kinds(Query(id=text)) == []
    assert index.asked == [(None, None)]
