"""How quick the ledger's readers are: verify, and the follower that fills the index."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Final

from gateway.audit.follower import Follower
from gateway.audit.index import open_index
from gateway.audit.segments import ledger_size
from gateway.audit.verify import verify
from tests.bench.faults import BenchError
from tests.support import ledgers

if TYPE_CHECKING:
    from pathlib import Path

VERIFY_BYTES: Final = 1_000_000_000
FOLLOWED: Final = 200_000
"""Records that the follower takes into an index in SQLite, in order of time, ten thousand a second."""


def write_ledger(directory: Path) -> None:
    """Write a ledger of VERIFY_BYTES."""
    members = [ledgers.members(one) for one in ledgers.made_up(10_000)]
    size = len(members[0]) + 300
    stream = ledgers.open_stream(directory)
    records = itertools.islice(itertools.cycle(members), VERIFY_BYTES // size)
    while batch := list(itertools.islice(records, 10_000)):
        stream.commit(batch)
    stream.close()


def verified(directory: Path, processes: int) -> float:
    """Give how many megabytes of a ledger are verified in a second.

    :raises BenchError: when it is not found intact
    """
    size = ledger_size(directory)
    began = time.perf_counter()
    found = verify(directory, processes=processes)
    took = time.perf_counter() - began
    if found.fault_count or found.size != size:
        raise BenchError(f"the ledger to verify is not intact: {found.fault_count} faults")
    return size / took / 1e6


def followed(directory: Path) -> float:
    """Write a ledger of FOLLOWED records, and give how many µs the follower takes for each, waits included.

    :raises BenchError: when it has not taken them all
    """
    ledgers.write(directory, ledgers.made_up(FOLLOWED, every=0.1), commit=2000)
    index = open_index("sqlite", directory)
    try:
        follower = Follower(directory, index)
        began = time.perf_counter()
        follower.catch_up()
        took = time.perf_counter() - began
    finally:
        index.close()
    if follower.faults or follower.records < FOLLOWED:
        raise BenchError(f"the follower took {follower.records} records, and {follower.faults} had faults")
    return took / follower.records * 1e6
