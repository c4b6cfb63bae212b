"""The index: what queries read. SQLite beside the ledger, or PostgreSQL for a fleet.

It holds every record whole, and how far each stream was read, changed in one transaction: so each record is
in it exactly once, whatever is killed when. It can be dropped and filled anew from what the ledger holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from gateway.audit.chain import ROOT, Link
from gateway.audit.faults import AuditError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from gateway.audit.index.row import Row
    from gateway.audit.query import Page, Query

SQLITE: Final = "sqlite"


class IndexUnavailable(AuditError):
    """The index cannot be used at present. What was asked was not done, or it shows in the positions."""


class PositionMoved(AuditError):
    """Another follower has gone on in this stream: the positions have to be read again."""


class Position(NamedTuple):
    """How far a stream was read: to byte ``offset`` of ``segment``; ``link`` is the last record taken."""

    segment: str
    offset: int
    link: Link


START: Final = Position("", 0, ROOT)
"""Where a stream begins that the index knows nothing of."""


class Batch(NamedTuple):
    """Records of one stream, in order, and where the stream is read to before and after them."""

    stream: str
    before: Position
    after: Position
    rows: Sequence[Row]


class Index(Protocol):
    """Keeps records and finds them. Not for several threads at once: each opens its own.

    ``shared`` says that it may hold what other directories have, too. All methods raise
    :class:`IndexUnavailable`, and leave the index as it was.
    """

    shared: bool

    def positions(self) -> Mapping[str, Position]:
        """Give how far each stream is in the index."""

    def lost(self) -> bool:
        """Say whether the index was removed since its positions were given, and begins anew."""

    def take(self, batch: Batch) -> int:
        """Take a batch whole, with the position after it, in one transaction.

        Gives how many of its records the index did not take, because it has others under the same stream and
        number already.

        :raises PositionMoved: when the stream is not at ``batch.before``
        """

    def query(self, query: Query) -> Page:
        """Give a page of records, newest first.

        A question that takes longer than the index gives itself is an :class:`IndexUnavailable`, too.

        :raises QueryError: when the cursor is none of this index
        """

    def prune(self, before: int) -> str:
        """Forget records older than ``before``, milliseconds since the epoch; positions stay.

        What is removed is whole days in PostgreSQL, whoever's records they hold: a day in which ``before``
        lies stays. Gives in words what was removed; nothing if that was nothing.
        """

    def clear(self, streams: Collection[str]) -> None:
        """Forget these streams, records and positions. SQLite, which holds nothing else, forgets all."""

    def close(self) -> None:
        """Let go of the database."""


def open_index(where: str, directory: Path) -> Index:
    """Open the index that ``audit.index`` names: ``sqlite``, which is a file in ``directory``, or a URL.

    PostgreSQL is connected to when it is first asked.

    :raises AuditError: when SQLite's file cannot be used, or psycopg is not installed
    """
    if where == SQLITE:
        from gateway.audit.index.sqlite import SqliteIndex  # noqa: PLC0415 - each engine only where it is used

        return SqliteIndex(directory / "index.sqlite")
    try:
        from gateway.audit.index.postgresql import PostgresqlIndex  # noqa: PLC0415
    except ModuleNotFoundError:
        raise AuditError(
            "audit.index: PostgreSQL needs psycopg: install message-gateway[postgresql]."
        ) from None
    return PostgresqlIndex(where)
