"""The index in PostgreSQL (14 or later): one database for a fleet, a partition for each day.

Retention drops whole partitions. A batch goes by COPY into a temporary table and from there into the
partitions, in the transaction that moves the stream's position, which is locked meanwhile. ``terms`` holds
the hashes of the texts that records are looked up by, under one GIN index, which takes inserts in bulk
(https://www.postgresql.org/docs/current/gin.html, "GIN Fast Update Technique").

Whoever only reads needs no right to write, and gets on where nothing can be written, as on a standby.
Partitions are made without keeping anybody from reading or writing. To drop one, the whole table is locked
for a moment, which is waited for no longer than ``DROP_LOCK_SECONDS``: everybody else waits behind.

No call but :meth:`PostgresqlIndex.clear` takes longer than ``DEADLINE_SECONDS``, whatever the server does or
does not do: its own timeouts are of no use where it hangs whole, so a timer cuts the connection.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg import sql

from gateway.audit.chain import STREAM, Link
from gateway.audit.faults import AuditError
from gateway.audit.index import START, Batch, IndexUnavailable, Position, PositionMoved
from gateway.audit.index.row import column, term_of
from gateway.audit.query import TOO_LONG, Page, Query, cursor_fault, read_page

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
    from typing import LiteralString, TypeAlias

    from gateway.audit.index.row import Row
    from gateway.audit.query import Candidate

    Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

CONNECT_SECONDS: Final = 5
DEADLINE_SECONDS: Final = 30.0
"""How long a call may take; the server is told somewhat less, so that it can say so itself."""
BATCH_RECORDS: Final = 1000
"""How many records a query asks for at once, behind those that would fill the page."""
DROP_LOCK_SECONDS: Final = 1
CLEAR_SECONDS: Final = 3600.0
"""How long it may take to forget streams: as many records as there are of them."""
DAY: Final = 86_400_000

# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
_SETTINGS: Final[dict[str, Any]] = {
    "connect_timeout": CONNECT_SECONDS,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "application_name": "message-gateway",
}
_OPTIONS: Final = (
    "-c statement_timeout=25s -c lock_timeout=5s -c idle_in_transaction_session_timeout=30s"
    " -c timezone=UTC -c client_encoding=UTF8 -c client_min_messages=warning"
)
"""What the server is told, before whatever ``options`` the URL has, which so may say otherwise."""
_LOCK: Final = 7310586224470815
"""The advisory lock under which tables are made and dropped; the number means nothing."""

_TABLES: Final[tuple[LiteralString, ...]] = (
    """CREATE TABLE audit_record (
         time bigint NOT NULL, stream text COLLATE "C" NOT NULL, seq bigint NOT NULL,
         kind text, app text, operation text, decision text, code text, status smallint,
         terms bigint[] NOT NULL, line text NOT NULL,
         PRIMARY KEY (time, stream, seq)) PARTITION BY RANGE (time)""",
    "CREATE INDEX audit_record_app ON audit_record (app, time)",
    "CREATE INDEX audit_record_operation ON audit_record (operation, time)",
    "CREATE INDEX audit_record_code ON audit_record (code, time) WHERE code IS NOT NULL",
    "CREATE INDEX audit_record_status ON audit_record (status, time) WHERE status >= 300",
    "CREATE INDEX audit_record_decision ON audit_record (decision, time) WHERE decision <> 'allow'",
    "CREATE INDEX audit_record_kind ON audit_record (kind, time) WHERE kind <> 'request'",
    "CREATE INDEX audit_record_terms ON audit_record USING gin (terms)",
    """CREATE TABLE audit_position (
         stream text COLLATE "C" PRIMARY KEY, segment text NOT NULL, "offset" bigint NOT NULL,
         seq bigint NOT NULL, hash text NOT NULL)""",
)
_STAGING: Final = "CREATE TEMPORARY TABLE IF NOT EXISTS staged (LIKE audit_record) ON COMMIT DELETE ROWS"
_COPY: Final = (
    "COPY staged (time, stream, seq, kind, app, operation, decision, code, status, terms, line) FROM STDIN"
)
_MERGE: Final = "INSERT INTO audit_record SELECT * FROM staged ON CONFLICT DO NOTHING"
_OTHERS: Final = """SELECT count(*) FROM staged JOIN audit_record USING (time, stream, seq)
                    WHERE staged.line <> audit_record.line"""
_PLACE: Final = """INSERT INTO audit_position VALUES (%s, %s, %s, %s, %s) ON CONFLICT (stream) DO UPDATE SET
                   segment = excluded.segment, "offset" = excluded.offset, seq = excluded.seq,
                   hash = excluded.hash"""
_POSITION: Final = 'SELECT segment, "offset", seq, hash FROM audit_position WHERE stream = %s FOR UPDATE'
_PARTITIONS: Final = """SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
                        WHERE inhparent = 'audit_record'::regclass"""
_PARTITION: Final = re.compile(r"audit_record_([0-9]{8})")
_CURSOR: Final = re.compile(r"([0-9]{1,15})\.([0-9]{1,18})\.([0-9a-z.]{1,40})")


class PostgresqlIndex:
    """Implements :class:`audit.index.Index`. Connects when it is first used, and anew after a failure."""

    shared = True

    def __init__(self, url: str, *, deadline: float = DEADLINE_SECONDS) -> None:
        """``url`` is libpq's, ``postgresql://user:password@host:port/database?option=value``.

        :raises AuditError: when it is none
        """
        self._url = url
        try:
            given = psycopg.conninfo.conninfo_to_dict(url)
        except psycopg.Error:  # whose text has the password in it
            raise AuditError("audit.index: this is no URL that libpq understands.") from None
        self._settings: dict[str, Any] = {
            name: value for name, value in _SETTINGS.items() if name not in given
        }
        self._settings["options"] = f"{_OPTIONS} {given.get('options', '')}".rstrip()
        self._deadline = deadline
        self._connection: Connection | None = None
        self._days: set[int] = set()

    @contextmanager
    def _session(self, deadline: float | None = None) -> Iterator[Connection]:
        """Give the connection for one transaction. Whatever fails ends it, and is told without the URL."""
        try:
            connection = self._connected()
            with _cut_after(deadline or self._deadline, connection), connection.transaction():
                yield connection
        except psycopg.Error as error:
            self.close()
            raise IndexUnavailable(f"audit.index: PostgreSQL cannot be used: {_said(error)}.") from None
        except BaseException:
            if self._connection is not None and self._connection.closed:
                self.close()
            raise

    def _connected(self) -> Connection:
        if self._connection is None:
            self._days.clear()
            connection = psycopg.connect(self._url, autocommit=True, **self._settings)
            self._connection = connection
            with _cut_after(self._deadline, connection):
                _make(connection, "audit_position", _TABLES)
        return self._connection

    def positions(self) -> dict[str, Position]:
        """Give how far each stream is in the index, those of other gateways too."""
        with self._session() as connection:
            rows = connection.execute('SELECT stream, segment, "offset", seq, hash FROM audit_position')
            return {row[0]: _position(row[1:]) for row in rows}

    def lost(self) -> bool:
        """Say that it is there: tables that are gone show when they are used, and then it is away."""
        return False

    def take(self, batch: Batch) -> int:
        """Take a batch whole."""
        self._make_partitions({row.time // DAY for row in batch.rows})
        with self._session() as connection:
            found = connection.execute(_POSITION, (batch.stream,)).fetchone()
            if (START if found is None else _position(found)) != batch.before:
                raise PositionMoved(f"audit.index: another follower has taken records of {batch.stream}.")
            others = _insert(connection, batch.stream, batch.rows) if batch.rows else 0
            segment, offset, link = batch.after
            connection.execute(_PLACE, (batch.stream, segment, offset, link.seq, link.hash.decode("ascii")))
        return others

    def _make_partitions(self, days: set[int]) -> None:
        """Make the partitions of these days (UTC).

        Attached rather than made in place, which would wait for all who read the table, and hold up others
        (https://www.postgresql.org/docs/current/ddl-partitioning.html, "Partition Maintenance").
        """
        for day in sorted(days - self._days):
            name = f"audit_record_{datetime.fromtimestamp(day * DAY // 1000, UTC):%Y%m%d}"
            bounds = sql.Literal(day * DAY), sql.Literal((day + 1) * DAY)
            attach = "ALTER TABLE audit_record ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})"
            statements = (
                sql.SQL("CREATE TABLE {} (LIKE audit_record)").format(sql.Identifier(name)),
                sql.SQL(attach).format(sql.Identifier(name), *bounds),
            )
            with self._session() as connection:
                _make(connection, name, statements)
            self._days.add(day)

    def query(self, query: Query) -> Page:
        """Give a page of records, newest first."""
        return read_page(partial(self._candidates, time.monotonic() + self._deadline), query)

    def _candidates(self, ends: float, query: Query) -> Generator[Candidate]:
        """Give what may match, in batches; those behind the first are for what does not match after all."""
        cursor = query.cursor
        count = query.limit + 1
        while (left := ends - time.monotonic()) > 0:
            found = self._fetch(query, cursor, count, left)
            yield from found
            if len(found) < count:
                return
            cursor = found[-1][0]
            count = BATCH_RECORDS
        raise IndexUnavailable(f"audit.index: {TOO_LONG}.")

    def _fetch(self, query: Query, cursor: str | None, count: int, deadline: float) -> Sequence[Candidate]:
        condition, values = _condition(query, cursor)
        statement = sql.SQL(
            "SELECT time, seq, stream, line FROM audit_record {}"
            " ORDER BY time DESC, stream DESC, seq DESC LIMIT %s"
        ).format(condition)
        with self._session(deadline) as connection:
            rows = connection.execute(statement, (*values, count)).fetchall()
        return [(f"{time}.{seq}.{stream}", line) for time, seq, stream, line in rows]

    def prune(self, before: int) -> str:
        """Drop the partitions of days that lie before ``before`` whole."""
        dropped = []
        with self._session() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            connection.execute(f"SET LOCAL lock_timeout = '{DROP_LOCK_SECONDS}s'")
            limit = datetime.fromtimestamp(before / 1000, UTC)
            for (name,) in connection.execute(_PARTITIONS).fetchall():
                match = _PARTITION.fullmatch(name)
                if match is None:
                    continue
                day = datetime.strptime(match[1], "%Y%m%d").replace(tzinfo=UTC)
                if day + timedelta(days=1) <= limit:
                    connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
                    dropped.append(f"{day:%Y-%m-%d}")
        self._days.clear()
        if not dropped:
            return ""
        days = "1 day" if len(dropped) == 1 else f"{len(dropped)} days"
        return f"the records of {days}, from {min(dropped)} to {max(dropped)}"

    def clear(self, streams: Collection[str]) -> None:
        """Forget these streams; those of other gateways stay. Their followers wait until all is done."""
        with self._session(CLEAR_SECONDS) as connection:
            connection.execute("DELETE FROM audit_position WHERE stream = ANY(%s)", (list(streams),))
            connection.execute("SET LOCAL statement_timeout = 0")
            connection.execute("DELETE FROM audit_record WHERE stream = ANY(%s)", (list(streams),))

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None


@contextmanager
def _cut_after(seconds: float, connection: Connection) -> Iterator[None]:
    """Cut the connection once ``seconds`` are over, whatever it waits for; that raises in the block."""
    ours = socket.socket(fileno=socket.dup(connection.fileno()))
    timer = threading.Timer(seconds, _cut, [ours])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        ours.close()


def _cut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


def _said(error: psycopg.Error) -> str:
    """Give what the server, or the library, says, on one line and without its end and its questions."""
    lines = str(error).splitlines()
    said = error.diag.message_primary or " ".join(line for line in lines if not line.endswith("?"))
    said = said or type(error).__name__
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        said += " (who fills the index makes its tables, a partition for each day, and a temporary one)"
    return " ".join(said.split()).rstrip(".")


def _make(connection: Connection, table: str, statements: Iterable[Any]) -> None:
    """Make tables unless ``table`` is there, one process at a time."""
    if _is_there(connection, table):
        return
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        if not _is_there(connection, table):
            for statement in statements:
                connection.execute(statement)


def _is_there(connection: Connection, table: str) -> bool:
    # Not by to_regclass: the session may remember that there was none, and hears otherwise only when it
    # locks a table, such as pg_class.
    found = connection.execute(
        "SELECT FROM pg_class WHERE relname = %s AND pg_table_is_visible(oid)", (table,)
    )
    return found.fetchone() is not None


def _position(row: Sequence[Any]) -> Position:
    segment, offset, seq, digest = row
    return Position(segment, offset, Link(seq, digest.encode("ascii")))


def _insert(connection: Connection, stream: str, rows: Sequence[Row]) -> int:
    """Insert records; give how many are other ones than those that are there under the same number."""
    with connection.cursor() as cursor:
        cursor.execute(_STAGING)
        with cursor.copy(_COPY) as copy:
            copy.write("".join(_copied(stream, row) for row in rows))
        cursor.execute(_MERGE)
        if cursor.rowcount == len(rows):
            return 0
        cursor.execute(_OTHERS)
        found = cursor.fetchone()
    return found[0] if found else 0


def _copied(stream: str, row: Row) -> str:
    """Write a record in COPY's text form (https://www.postgresql.org/docs/current/sql-copy.html)."""
    status = r"\N" if row.status is None else row.status
    texts = "\t".join(map(_text, (row.kind, row.app, row.operation, row.decision, row.code)))
    terms = ",".join(map(str, row.terms))
    line = row.text.replace("\\", r"\\")  # JSON has no tab and no line end in it
    return f"{row.time}\t{stream}\t{row.seq}\t{texts}\t{status}\t{{{terms}}}\t{line}\n"


_ESCAPED: Final = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def _text(value: str | None) -> str:
    return r"\N" if value is None else value.translate(_ESCAPED)


def _condition(query: Query, cursor: str | None) -> tuple[sql.Composable, list[Any]]:
    """Give the WHERE clause of a query, in words of ours alone, and the values that are bound to it."""
    asked: list[tuple[LiteralString, Any]] = [
        ("time >= %s", query.since),
        ("time < %s", query.until),
        ("code = %s", column(query.code)),
        ("status = %s", query.status),
        ("decision = %s", query.decision),
        ("kind = %s", query.kind),
        ("app = %s", column(query.app)),
        ("operation = %s", column(query.operation)),
        ("terms @> %s::bigint[]", list(map(term_of, query.terms)) or None),
    ]
    if cursor is not None:
        match = _CURSOR.fullmatch(cursor)
        if match is None or not STREAM.fullmatch(match[3]):
            raise cursor_fault()
        time, seq = int(match[1]), int(match[2])
        asked.append(("time <= %s", time))  # for the partitions: they are not chosen by the row's comparison
        asked.append(("(time, stream, seq) < (%s, %s, %s)", (time, match[3], seq)))
    used = [(text, value) for text, value in asked if value is not None]
    values: list[Any] = []
    for _, value in used:
        values.extend(value if isinstance(value, tuple) else (value,))
    clause = sql.SQL(" AND ").join([sql.SQL(text) for text, _ in used])
    return (sql.SQL("WHERE ") + clause if used else sql.SQL("")), values
