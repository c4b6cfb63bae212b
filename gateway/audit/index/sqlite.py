"""The index in SQLite: one file beside the ledger, written by a follower while others read.

The tables are laid out so that writing stays quick however many records there are: nothing is ever inserted
at random into a large tree.

``record`` has the columns that queries filter, and nothing wide, so that even a query that no index serves
reads little. Its key is the record's *place*: its time in milliseconds and a number among those of the same
millisecond. So the table is in order of time, and so is every value of every index, since SQLite ends each
entry of an index with the row's key (https://www.sqlite.org/queryplanner.html, section 1.5).

``line`` has the records' text, by place.

``term`` finds texts that are spread evenly, as ids are. One tree of those would touch a page for each insert.
So records are put in *buckets* in the order in which they come, some 8,000 in each, and the hash of a text is
looked up in every bucket that the time allows: some 1,200 short steps for ten million records. ``bucket`` has
the oldest and the newest place in each. From the newest to the oldest, a search ends as soon as no bucket
that is left can hold anything newer than what was found.
"""

from __future__ import annotations

import heapq
import os
import sqlite3
import time
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from gateway.audit.chain import Link
from gateway.audit.index import START, Batch, IndexUnavailable, Position, PositionMoved
from gateway.audit.index.row import column, term_of
from gateway.audit.query import QUERY_SECONDS, TOO_LONG, Page, Query, cursor_fault, read_page

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterator, Sequence
    from pathlib import Path

    from gateway.audit.index.row import Row
    from gateway.audit.query import Candidate

VERSION: Final = 1
BUSY_SECONDS: Final = 5.0
BUCKET_RECORDS: Final = 8192
PROGRESS_STEPS: Final = 100_000
"""After how many instructions of its own, a few milliseconds, SQLite looks at the clock."""
PRUNE_RECORDS: Final = 5000
"""How many records one transaction of pruning removes: readers and the follower get in between."""

LEFT_BYTES: Final = 1 << 30
LEFT_SHARE: Final = 0.05
"""What the index leaves of the disk, which may be the ledger's, too: the smaller of these."""

_SHIFT: Final = 21
"""Bits of a place below its milliseconds: two million records of each, and times to the year 2109."""
_LAST: Final = (1 << 63) - 1

# WAL lets readers read on while the follower writes. With NORMAL a power failure may take the last
# transactions, rows and position together, and the follower takes them anew; it never harms the file
# (https://www.sqlite.org/pragma.html#pragma_synchronous). Lines are about a kilobyte: in larger pages less is
# left over and a fifth of the CPU saved. The journal goes to the file every 16 MiB and is kept below 64 MiB.
_SETTINGS: Final = """
PRAGMA page_size = 16384;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA wal_autocheckpoint = 1000;
PRAGMA journal_size_limit = 67108864;
PRAGMA cache_size = -32768;
PRAGMA temp_store = MEMORY;
"""
_TABLES: Final = f"""
CREATE TABLE record (
  place INTEGER PRIMARY KEY, kind TEXT, app TEXT, operation TEXT, decision TEXT, code TEXT, status INTEGER);
CREATE INDEX record_app ON record (app) WHERE app IS NOT NULL;
CREATE INDEX record_operation ON record (operation) WHERE operation IS NOT NULL;
CREATE INDEX record_code ON record (code) WHERE code IS NOT NULL;
CREATE INDEX record_status ON record (status) WHERE status >= 300;
CREATE INDEX record_decision ON record (decision) WHERE decision <> 'allow';
CREATE INDEX record_kind ON record (kind) WHERE kind <> 'request';
CREATE TABLE line (place INTEGER PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE bucket (
  number INTEGER PRIMARY KEY, oldest INTEGER NOT NULL, newest INTEGER NOT NULL, records INTEGER NOT NULL);
CREATE INDEX bucket_newest ON bucket (newest);
CREATE TABLE term (
  bucket INTEGER NOT NULL, hash INTEGER NOT NULL, place INTEGER NOT NULL,
  PRIMARY KEY (bucket, hash, place)) WITHOUT ROWID;
CREATE TABLE position (
  stream TEXT PRIMARY KEY, segment TEXT NOT NULL, offset INTEGER NOT NULL, seq INTEGER NOT NULL,
  hash TEXT NOT NULL) WITHOUT ROWID;
PRAGMA user_version = {VERSION}
"""
_NAMES: Final = ("record", "line", "bucket", "term", "position")

_BY_COLUMN: Final = """
SELECT record.place, text FROM record {hint} CROSS JOIN line
WHERE line.place = record.place AND record.place >= ? AND record.place < ?{filters}
ORDER BY record.place DESC
"""
_BY_TERM: Final = """
SELECT newest, place FROM bucket INDEXED BY bucket_newest CROSS JOIN term
WHERE newest >= ? AND oldest < ? AND bucket = number AND hash = ? AND place >= ? AND place < ?{others}
ORDER BY newest DESC
"""
_OTHER_TERM: Final = """
AND EXISTS (SELECT 1 FROM term AS other
  WHERE other.bucket = number AND other.hash = ? AND other.place = term.place)"""


class SqliteIndex:
    """Implements :class:`audit.index.Index`."""

    shared = False

    def __init__(self, path: Path) -> None:
        """Open the file, and make it where there is none.

        :raises IndexUnavailable: when it cannot be used
        """
        self._path = path
        self._open()

    def _open(self) -> None:
        path = self._path
        with self._told():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            self._opened = _identity(path)  # before it is opened: should it be removed in between, it shows
            self._connection = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        try:
            with self._told():
                self._connection.executescript(_SETTINGS)
                self._prepare()
        except IndexUnavailable:
            self.close()
            raise

    def _prepare(self) -> None:
        if self._version() == 0:
            with self._transaction() as connection:
                if self._version() == 0:  # and no other process was quicker
                    for statement in _TABLES.split(";"):
                        connection.execute(statement)
        if (version := self._version()) != VERSION:
            raise IndexUnavailable(
                f"{self._path}: it has version {version} of the index, and this is {VERSION}:"
                " remove the file, and it is made anew from the ledger."
            )

    def _version(self) -> int:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        return int(version)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Translate what SQLite and the system raise."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise IndexUnavailable(f"{self._path}: the index cannot be used: {error}.") from None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Do what the block does whole, or not at all."""
        with self._told():
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            finally:
                self._roll_back()

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def lost(self) -> bool:
        """Say whether the file was removed, or another one is in its place."""
        with self._told():
            return _identity(self._path) != self._opened

    def _look(self) -> None:
        """Open the file anew if it was removed.

        What is left of the one before may be closed at any time: SQLite sees that it is not there any more,
        and then leaves the journal under its name alone, which is the new one's.
        """
        if self.lost():
            self.close()
            self._open()

    def positions(self) -> dict[str, Position]:
        """Give how far each stream is in the index."""
        self._look()
        return self._positions()

    def _positions(self) -> dict[str, Position]:
        with self._told():
            rows = self._connection.execute("SELECT stream, segment, offset, seq, hash FROM position")
            return {row[0]: Position(row[1], row[2], Link(row[3], row[4].encode("ascii"))) for row in rows}

    def take(self, batch: Batch) -> int:
        """Take a batch whole. The position alone keeps records from being taken twice."""
        self._leave_room()
        with self._transaction() as connection:
            if self._positions().get(batch.stream, START) != batch.before:
                raise PositionMoved(f"{self._path}: another follower has taken records of {batch.stream}.")
            if batch.rows:
                _insert(connection, batch.rows)
            segment, offset, link = batch.after
            connection.execute(
                "INSERT OR REPLACE INTO position VALUES (?, ?, ?, ?, ?)",
                (batch.stream, segment, offset, link.seq, link.hash.decode("ascii")),
            )
        return 0

    def _leave_room(self) -> None:
        """Refuse to grow where little is left: without room for the ledger no request is served."""
        with self._told():
            space = os.statvfs(self._path.parent)
        least = min(LEFT_BYTES, int(LEFT_SHARE * space.f_blocks * space.f_frsize))
        if space.f_bavail * space.f_frsize < least:
            raise IndexUnavailable(
                f"{self._path}: the disk has less than {least} bytes left: they are for the ledger."
            )

    def query(self, query: Query) -> Page:
        """Give a page of records, newest first."""
        self._look()
        ends = time.monotonic() + QUERY_SECONDS
        with self._told(), self._cut_at(ends):
            return read_page(partial(self._candidates, ends), query)

    @contextmanager
    def _cut_at(self, ends: float) -> Iterator[None]:
        """Have SQLite end whatever statement it is at by then."""
        self._connection.set_progress_handler(lambda: time.monotonic() > ends, PROGRESS_STEPS)
        try:
            yield
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                raise
            raise self._too_long() from None
        finally:
            self._connection.set_progress_handler(None, 0)

    def _too_long(self) -> IndexUnavailable:
        return IndexUnavailable(f"{self._path}: {TOO_LONG}.")

    def _candidates(self, ends: float, query: Query) -> Generator[Candidate]:
        """Give what may match, read one by one as it is asked for: nothing is read twice, or held."""
        first = 0 if query.since is None else _place(query.since)
        end = _LAST if query.until is None else _place(query.until)
        if query.cursor is not None:
            end = min(end, _place_of(query.cursor))
        hint, filters, values = _filters(query)
        rows: Generator[tuple[int, str]] | sqlite3.Cursor
        if query.terms:
            rows = self._by_terms(query.terms, first, end, (filters, values))
        else:
            rows = self._connection.execute(
                _BY_COLUMN.format(hint=hint, filters=filters), (first, end, *values)
            )
        with closing(rows):
            for place, text in rows:
                yield str(place), text
                if time.monotonic() > ends:  # statements may be short, and many
                    raise self._too_long()

    def _by_terms(
        self, terms: Sequence[str], first: int, end: int, condition: tuple[str, list[Any]]
    ) -> Generator[tuple[int, str]]:
        filters, values = condition
        by_terms = _BY_TERM.format(others=_OTHER_TERM * (len(terms) - 1))
        by_place = _BY_COLUMN.format(hint="", filters=filters)
        term, *others = map(term_of, terms)
        read = self._connection.execute
        with closing(read(by_terms, (first, end, term, first, end, *others))) as found:
            for place in _newest_first(found):
                yield from read(by_place, (place, place + 1, *values))

    def prune(self, before: int) -> str:
        """Forget older records. The file does not shrink: its pages are used for what comes."""
        limit = _place(before)
        total = 0
        removed = PRUNE_RECORDS
        while removed == PRUNE_RECORDS:
            with self._transaction() as connection:
                removed = connection.execute(
                    "DELETE FROM record WHERE place IN"
                    " (SELECT place FROM record WHERE place < ? ORDER BY place LIMIT ?)",
                    (limit, PRUNE_RECORDS),
                ).rowcount
                connection.execute(
                    "DELETE FROM line WHERE place IN"
                    " (SELECT place FROM line WHERE place < ? ORDER BY place LIMIT ?)",
                    (limit, PRUNE_RECORDS),
                )
            total += removed
        # Terms of a bucket in which newer records are, too, find nothing, and go with the bucket.
        with self._told():
            old = self._connection.execute("SELECT number FROM bucket WHERE newest < ?", (limit,)).fetchall()
        for number in old:
            with self._transaction() as connection:
                connection.execute("DELETE FROM term WHERE bucket = ?", number)
                connection.execute("DELETE FROM bucket WHERE number = ?", number)
        return f"{total} record{'s' * (total != 1)}" if total else ""

    def clear(self, streams: Collection[str]) -> None:  # noqa: ARG002 - the file has no others
        """Forget everything."""
        with self._transaction() as connection:
            for name in _NAMES:
                connection.execute(f"DELETE FROM {name}")  # noqa: S608 - the names are ours

    def close(self) -> None:
        """Close the file."""
        with suppress(sqlite3.Error):
            self._connection.close()


def _identity(path: Path) -> tuple[int, int] | None:
    """Give what tells a file from others that had its name; None where it is gone.

    :raises OSError: when that cannot be told
    """
    try:
        found = os.stat(path)  # noqa: PTH116 - four times a second
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _insert(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    number, records = connection.execute(
        "SELECT number, records FROM bucket ORDER BY number DESC LIMIT 1"
    ).fetchone() or (1, 0)
    if records >= BUCKET_RECORDS:
        number += 1
    places = _places(connection, rows)
    placed = list(zip(places, rows, strict=True))
    connection.executemany(
        "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(place, r.kind, r.app, r.operation, r.decision, r.code, r.status) for place, r in placed],
    )
    connection.executemany("INSERT INTO line VALUES (?, ?)", [(place, row.text) for place, row in placed])
    connection.executemany(
        "INSERT INTO term VALUES (?, ?, ?)",
        [(number, term, place) for place, row in placed for term in row.terms],
    )
    connection.execute(
        "INSERT INTO bucket VALUES (?, ?, ?, ?) ON CONFLICT (number) DO UPDATE SET"
        " oldest = min(oldest, excluded.oldest), newest = max(newest, excluded.newest),"
        " records = records + excluded.records",
        (number, min(places), max(places), len(rows)),
    )


def _places(connection: sqlite3.Connection, rows: Sequence[Row]) -> list[int]:
    """Give each record a place of its own: the first free one of its millisecond, or of a later one."""
    free: dict[int, int] = {}
    places = []
    for row in rows:
        moment = row.time
        while (place := free.get(moment) or _first_free(connection, moment)) == _place(moment + 1):
            moment += 1
        free[moment] = place + 1
        places.append(place)
    return places


def _first_free(connection: sqlite3.Connection, moment: int) -> int:
    (last,) = connection.execute(
        "SELECT max(place) FROM record WHERE place >= ? AND place < ?", (_place(moment), _place(moment + 1))
    ).fetchone()
    return _place(moment) if last is None else int(last) + 1


def _place(moment: int) -> int:
    """Give the first place of a millisecond; one that no record can have is moved to the end."""
    return min(max(moment, 0) << _SHIFT, _LAST)


def _place_of(cursor: str) -> int:
    if not cursor.isdecimal() or len(cursor) > 19 or int(cursor) > _LAST:
        raise cursor_fault()
    return int(cursor)


def _newest_first(found: Iterator[tuple[int, int]]) -> Iterator[int]:
    """Put places in order; they come with the newest place of their bucket, which falls."""
    held: list[int] = []
    for newest, place in found:
        while held and -held[0] > newest:
            yield -heapq.heappop(held)
        heapq.heappush(held, -place)
    while held:
        yield -heapq.heappop(held)


def _filters(query: Query) -> tuple[str, str, list[Any]]:
    """Give the index that serves best, and the conditions with their values.

    SQLite takes an index that leaves rows out only where the query's text leaves the same rows out
    (https://www.sqlite.org/partialindex.html, section 3).
    """
    asked: list[tuple[str, str, Any]] = [
        ("code", "code IS NOT NULL", column(query.code)),
        ("status", "status >= 300", query.status),
        ("decision", "decision <> 'allow'", query.decision),
        ("kind", "kind <> 'request'", query.kind),
        ("app", "app IS NOT NULL", column(query.app)),
        ("operation", "operation IS NOT NULL", column(query.operation)),
    ]
    hint = ""
    filters = ""
    values = []
    for name, indexed, value in asked:
        if value is None:
            continue
        filters += f" AND {name} = ?"
        values.append(value)
        common = value in ("allow", "request") or (name == "status" and value < 300)
        if not hint and not common:
            hint = f"INDEXED BY record_{name}"
            filters += f" AND {indexed}"
    return hint, filters, values
