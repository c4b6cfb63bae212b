"""Where a record stands in the ledger: for one that the index gave, the line itself is looked up."""

from __future__ import annotations

import os
from bisect import bisect_right
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from gateway.audit.chain import unseal
from gateway.audit.faults import system_fault
from gateway.audit.segments import LEDGER, open_file, read_lines, segments

if TYPE_CHECKING:
    from pathlib import Path

Proof: TypeAlias = Literal["proven", "pruned", "elsewhere", "changed"]

WORDS: Final[dict[Proof, str]] = {
    "proven": "the ledger has this very line, and its hash is right",
    "pruned": "its hash is right; the ledger has it no more",
    "elsewhere": "its hash is right; it is of another gateway's ledger",
    "changed": "NOT what was written: the hash, or the ledger's line, is another",
}


def prove_record(directory: Path, text: str) -> Proof:
    """Say whether a record that the index gave is what the ledger has; ``text`` is without its line feed.

    :raises AuditError: when the ledger cannot be read
    """
    line = text.encode("utf-8", "surrogatepass") + b"\n"
    sealed = unseal(line)
    if sealed is None:
        return "changed"
    folder = directory / LEDGER / sealed.stream
    try:
        if not folder.is_dir():
            return "elsewhere"
        found = segments(folder)
        place = bisect_right(found, sealed.seq, key=lambda segment: segment.first)
        if not place:
            return "pruned"
        start = line[: line.index(b',"prev":')]
        with os.fdopen(open_file(found[place - 1].path), "rb") as file:
            there = next((one for one in read_lines(file) if one.startswith(start)), b"")
    except OSError as error:
        raise system_fault("read the ledger in", error.filename or folder, error) from None
    return "proven" if there == line else "changed"
