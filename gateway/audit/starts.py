"""Where pruned streams begin: what the ``lifecycle`` records with the event ``pruned`` tell.

They stand in the supervisors' streams, and tell the last record of a stream that was removed, and its hash.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from gateway.audit.chain import Link, unseal
from gateway.audit.segments import segments, streams

if TYPE_CHECKING:
    from pathlib import Path

OPS: Final = ".ops"
"""How the names of supervisors' streams end."""
_MARK: Final = b'"event":"pruned"'


def read_starts(directory: Path) -> dict[str, Link]:
    """Give, for each stream that was pruned, the last record that was, or may at any time be, removed.

    :raises OSError: when the ledger cannot be read
    """
    starts: dict[str, Link] = {}
    for name, folder in streams(directory):
        if name.endswith(OPS):
            for segment in segments(folder):
                _read(segment.path, name, starts)
    return starts


def _read(path: Path, stream: str, starts: dict[str, Link]) -> None:
    try:
        file = path.open("rb")
    except FileNotFoundError:  # pruned by now; what it told was told again
        return
    with file:
        for line in file:
            if _MARK not in line:
                continue
            sealed = unseal(line)
            if sealed is None or sealed.stream != stream:
                continue
            found = _pruned(json.loads(b"{%b}" % sealed.members))
            if found is not None and (found[0] not in starts or starts[found[0]].seq < found[1].seq):
                starts[found[0]] = found[1]


def _pruned(record: dict[str, Any]) -> tuple[str, Link] | None:
    if (record.get("kind"), record.get("event")) != ("lifecycle", "pruned"):
        return None
    detail = record["detail"]
    return detail["stream"], Link(detail["last"], detail["hash"].encode("ascii"))
