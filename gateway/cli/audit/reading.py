"""What the verbs share that read records: an index that is up to date, and records as rows and lines."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from gateway.cli.terminal import progress
from gateway.core.printable import escape_controls

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from gateway.audit.index import Index
    from gateway.config.model import Audit

HEADING: Final = ("time", "what", "status", "code", "app", "operation", "request", "id")
_BEHIND_SECONDS: Final = 5.0
_MAX_REQUEST: Final = 60


@contextmanager
def current_index(settings: Audit) -> Iterator[Index]:
    """Open the index. Where no gateway runs that fills it, what the ledger has is taken first.

    Where one runs and the index is behind, that is said on standard error.

    :raises AuditError: when the index or the ledger cannot be used
    """
    from gateway.audit.follower import Follower, lag_behind, owned
    from gateway.audit.index import IndexUnavailable, open_index

    directory = settings.directory
    index = open_index(settings.index.get_secret_value(), directory)
    try:
        positions = index.positions()
        if not gateway_runs(directory):
            lag = lag_behind(directory, positions, time.time())
            if lag.size:
                try:
                    with progress("filling the index", lag.size) as moved:
                        Follower(directory, index, told=complain).catch_up(moved)
                except IndexUnavailable as error:  # a full disk, say: what it has can be read all the same
                    complain(f"{error} What follows is without the ledger's last records.")
        else:
            lag = lag_behind(directory, positions, time.time(), owned(directory, index))
            if lag.seconds > _BEHIND_SECONDS:
                complain(f"The index is {lag.seconds:.0f} seconds and {lag.size} bytes behind the ledger.")
        yield index
    finally:
        index.close()


def gateway_runs(directory: Path) -> bool:
    """Say whether a gateway writes this ledger at present."""
    from gateway.audit.faults import system_fault
    from gateway.audit.segments import streams
    from gateway.audit.stream import is_taken

    try:
        return any(is_taken(folder) for _, folder in streams(directory))
    except OSError as error:
        raise system_fault("read the ledger in", error.filename or directory, error) from None


def complain(sentence: str) -> None:
    """Say on standard error what the reader has to know."""
    print(f"gateway: {sentence}", file=sys.stderr)


def row(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Give a record as a row under :data:`HEADING`; nothing in it can break out of its cell."""
    what = record.get("decision") or " ".join(
        str(record[name]) for name in ("kind", "event") if name in record
    )
    request = " ".join(str(record[name]) for name in ("method", "path") if name in record)
    if len(request) > _MAX_REQUEST:
        request = f"{request[: _MAX_REQUEST - 1]}…"
    cells = (
        *(record["time"], what, record.get("status", ""), record.get("code", "")),
        *(record.get("app", ""), record.get("operation", ""), request, record["id"]),
    )
    return tuple(escape_controls(str(cell)) for cell in cells)
