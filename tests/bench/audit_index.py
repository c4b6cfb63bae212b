"""How quick the audit trail's index is: ``python -m tests.bench.audit_index [--records 10000000]``.

Writes a ledger of made-up records, about 1.1 KB each, in a temporary directory (twice its size is needed for
the index), fills SQLite from it through the follower, and asks for pages of 100 by all kinds of filters, and
for page after page by the cursor. With ``--directory`` ledger and index are kept there, and used again.

Wall time has the machine's other load in it; CPU time is what a follower needs that has a core of its own.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.audit.follower import Follower
from gateway.audit.index import open_index
from gateway.audit.query import Query
from tests.support.ledgers import MOMENT, made_up, write

if TYPE_CHECKING:
    from gateway.audit.index import Index
    from gateway.audit.query import Page

EVERY = 0.1
"""Milliseconds between two records: ten thousand a second."""
QUERIES = 100


def fill(directory: Path, index: Index) -> None:
    """Follow the ledger to its end and print how long it took."""
    follower = Follower(directory, index, told=print)
    wall, cpu = time.perf_counter(), time.process_time()
    follower.catch_up()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if count := follower.records:
        sys.stdout.write(
            f"follower: {count} records, {count / wall:.0f}/s, {cpu / count * 1e6:.1f} µs CPU each\n"
        )


def timed(index: Index, query: Query) -> tuple[float, Page]:
    """Give how many milliseconds an answer took, and the answer, which has to have something."""
    begin = time.perf_counter()
    page = index.query(query)
    took = (time.perf_counter() - begin) * 1000
    assert page.records, query
    return took, page


def tell(what: str, took: list[float]) -> None:
    """Print how long answers took."""
    cuts = statistics.quantiles(took, n=100)
    sys.stdout.write(f"{what}: p50 {cuts[49]:.2f} ms, p99 {cuts[98]:.2f} ms, max {max(took):.2f} ms\n")
    sys.stdout.flush()


def turn_pages(index: Index, query: Query) -> list[float]:
    """Go from page to page, ``QUERIES`` of them or as many as there are, and give how long each took."""
    took: list[float] = []
    while len(took) < QUERIES:
        milliseconds, page = timed(index, query)
        took.append(milliseconds)
        if page.next is None:
            break
        query = replace(query, cursor=page.next)
    return took


def questions(index: Index, count: int) -> dict[str, list[Query]]:
    """Make questions about random times and records of the whole index."""
    chance = random.Random(1)

    def moment() -> int:
        return MOMENT + 100 + chance.randrange(max(1, int(count * EVERY)))

    def some(**filters: Any) -> dict[str, Any]:
        (text,) = index.query(Query(kind="request", until=moment(), limit=1, **filters)).records
        record: dict[str, Any] = json.loads(text)
        return record

    apps = ("billing", "support", "search", "batch")
    return {
        "app and time": [Query(app=chance.choice(apps), until=moment()) for _ in range(QUERIES)],
        "app, reject and time": [
            Query(app=chance.choice(apps), decision="reject", until=moment()) for _ in range(QUERIES)
        ],
        "operation": [
            Query(operation=chance.choice(("createMessage", "listMessages")), until=moment())
            for _ in range(QUERIES)
        ],
        "status": [Query(status=400, until=moment()) for _ in range(QUERIES)],
        "code": [Query(code="invalid_type", until=moment()) for _ in range(QUERIES)],
        "id": [Query(id=some()["id"]) for _ in range(QUERIES)],
        "q, of id": [Query(q=some()["id"]) for _ in range(QUERIES)],
        "body_hmac": [Query(body_hmac=some()["body_hmac"]) for _ in range(QUERIES)],
        "thread_id": [Query(thread_id=some()["thread_id"]) for _ in range(QUERIES)],
        "q, of path": [Query(q=some()["path"]) for _ in range(QUERIES)],
        "key_fingerprint and time": [
            Query(key_fingerprint=some()["key_fingerprint"], until=moment()) for _ in range(QUERIES)
        ],
    }


def main() -> None:
    """Write, fill and ask."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--directory", type=Path)
    options = parser.parse_args()
    with nullcontext(options.directory) if options.directory else tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        if not (directory / "ledger").exists():
            write(directory, made_up(options.records, every=EVERY), commit=2000)
        index = open_index("sqlite", directory)
        fill(directory, index)
        sys.stdout.write(
            f"index: {(directory / 'index.sqlite').stat().st_size / options.records:.0f} bytes a record\n"
        )
        for what, queries in questions(index, options.records).items():
            tell(what, [timed(index, query)[0] for query in queries])
        tell("pages of an app, one after the other", turn_pages(index, Query(app="billing")))
        tell("pages of all, one after the other", turn_pages(index, Query(limit=1000)))
        index.close()


if __name__ == "__main__":
    main()
