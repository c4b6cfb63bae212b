"""The trail behind the data plane, on a real stream: one record each, failing and hanging disks, recovery."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import threading
import time
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal

import pytest

from gateway.audit import connections, ledger
from gateway.audit.instance import Keys
from gateway.audit.record import RequestRecords
from gateway.audit.records import FACTS, Marks
from gateway.audit.start import take_over
from gateway.audit.trail import AuditTrail
from gateway.audit.verify import verify
from gateway.config.model import Audit
from gateway.listener.ids import RequestIds
from tests.support import ledgers
from tests.support.plane import BODY, GET, POST, Plane, code_of, request
from tests.support.raw import RawConnection
from tests.support.recorder import Recorder, ok

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from gateway.audit.faults import AuditError
    from gateway.core.types import Outcome

Durability = Literal["batch", "blocking", "blocking-strict"]
BLOCKING: list[Durability] = ["blocking", "blocking-strict"]


class Disk:
    """Stands in for fdatasync: waits for ``gate``, and fails while ``error`` is set."""

    def __init__(self) -> None:
        self.error: int | None = None
        self.gate = threading.Event()
        self.gate.set()
        self._real = os.fdatasync

    def __call__(self, fd: int) -> None:
        self.gate.wait()
        if self.error is not None:
            raise OSError(self.error, os.strerror(self.error))
        self._real(fd)


@pytest.fixture
async def disk(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Disk]:
    found = Disk()
    monkeypatch.setattr(os, "fdatasync", found)
    monkeypatch.setattr(ledger, "RETRY_SECONDS", 0.005)
    monkeypatch.setattr(ledger, "WAIT_SECONDS", 0.2)
    yield found
    found.gate.set()


class Kept:
    """A trail in a folder, and what it told."""

    def __init__(self, folder: Path, durability: Durability) -> None:
        self.folder = folder
        self.told: list[AuditError | None] = []
        marks = Marks(RequestIds().next, time.time)
        stream = take_over(folder, ledgers.NAME, marks)
        settings = Audit.model_construct(durability=durability, content="none")
        loop = asyncio.get_running_loop()
        self.trail = AuditTrail(loop, stream, Keys(folder), settings, marks, None, self.told.append)

    def close(self) -> None:
        """Have everything on disk."""
        assert self.trail.close(5)
        assert verify(self.folder).fault_count == 0

    def records(self, kind: str) -> list[dict[str, Any]]:
        """Give the records of a kind."""
        found: list[dict[str, Any]] = [json.loads(line) for line in ledgers.lines(self.folder)]
        return [record for record in found if record["kind"] == kind]


@asynccontextmanager
async def serving(
    folder: Path, upstream: Recorder, durability: Durability = "blocking"
) -> AsyncIterator[tuple[Plane, Kept]]:
    """Run a plane with a trail; at the end all is on disk."""
    kept = Kept(folder, durability)
    try:
        async with Plane(upstream.url, audit=kept.trail) as plane:
            yield plane, kept
    finally:
        kept.close()


async def refused(plane: Plane, raw: bytes = POST) -> None:
    """Assert that a request is refused for want of the trail."""
    async with RawConnection(plane.port) as connection:
        await connection.send(raw)
        (answer,) = await connection.read_responses()
        assert (answer.status, code_of(answer)) == (503, "audit_unavailable")


async def broken(plane: Plane) -> None:
    """Assert that a request is answered by nothing but the connection's end."""
    async with RawConnection(plane.port) as connection:
        await connection.send(POST)
        assert await connection.read_end() == b""


@pytest.mark.parametrize("durability", ["batch", *BLOCKING])
async def test_one_record_for_each_head(tmp_path: Path, durability: Durability) -> None:
    """Whatever becomes of a request, it has one record, with the id and the status that the client saw."""
    seen: Counter[tuple[str | None, int]] = Counter()
    raws = [
        POST, GET, request(body=b"{}"), request(b"GET /v1/nothing", body=b""),
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", request(b"HEAD /v1/nothing", body=b""),
    ]  # fmt: skip
    async with Recorder() as upstream, serving(tmp_path, upstream, durability) as (plane, kept):
        for raw in raws:
            async with RawConnection(plane.port) as connection:
                await connection.send(raw)
                (answer,) = await connection.read_responses(head=raw.startswith(b"HEAD"))
                seen[answer.header("x-request-id"), answer.status] += 1
        async with RawConnection(plane.port) as connection:
            await connection.send(POST[:-3])
            await plane.until(lambda: plane.server.load.in_flight == 1)
        await plane.outcomes.wait_for(len(raws) + 1)
        assert (plane.last.code, plane.last.status) in {("client_gone", 499), ("bad_request", 400)}
        seen[plane.last.request_id, plane.last.status] += 1
    assert Counter((record["id"], record["status"]) for record in kept.records("request")) == seen
    forwarded = {record["id"] for record in kept.records("request") if "upstream" in record}
    intents = [record["id"] for record in kept.records("intent")]
    assert len(forwarded) == 2
    assert sorted(intents) == (sorted(forwarded) if durability == "blocking-strict" else [])


@pytest.mark.parametrize("durability", BLOCKING)
async def test_an_answered_request_is_on_disk(tmp_path: Path, durability: Durability) -> None:
    """At the moment in which the client has its answer the record can be read from the file."""
    async with (
        Recorder() as upstream,
        serving(tmp_path, upstream, durability) as (plane, kept),
        RawConnection(plane.port) as connection,
    ):
        for number in range(1, 6):
            await connection.send(POST)
            answer = (await connection.read_responses(number))[-1]
            assert kept.records("request")[-1]["id"] == answer.header("x-request-id")


async def test_an_intent_is_on_disk_when_the_upstream_hears(tmp_path: Path) -> None:
    """At the moment in which the upstream has the request its intent can be read, with who asks for what.

    All of that stands in the request's own record, too, and would be all that is left after a crash.
    """
    gate = asyncio.Event()
    fields = (b"Authorization: Bearer key", b"User-Agent: test", b"X-Request-Id: mine")
    raw = request(
        b"POST /v1/threads/t1/messages", *fields, b"Traceparent: 00-%b-%b-01" % (b"a" * 32, b"b" * 16)
    )
    async with (
        Recorder([[gate, *ok()]]) as upstream,
        serving(tmp_path, upstream, "blocking-strict") as (plane, kept),
        RawConnection(plane.port) as connection,
    ):
        await connection.send(raw)
        await upstream.wait_for_requests()
        (intent,) = kept.records("intent")
        assert (intent["operation"], intent["body_hmac"]) == ("thread", Keys(tmp_path).sign(BODY))
        assert set(FACTS) - intent.keys() == {"app"}
        assert kept.records("request") == []
        gate.set()
        (answer,) = await connection.read_responses()
        assert answer.status == 200
        (record,) = kept.records("request")
        told = ("id", *FACTS)
        assert [intent.get(name) for name in told] == [record.get(name) for name in told]


async def test_connections_that_never_became_requests(tmp_path: Path) -> None:
    """Each has one record of its own kind, and none of a request."""
    async with Recorder() as upstream, serving(tmp_path, upstream) as (plane, kept):
        for raw, eof in ((POST[:20], True), (b"\x16\x03\x01\x02\x00\x01\x00", False), (b"\x00\r\n", False)):
            async with RawConnection(plane.port) as connection:
                await connection.send(raw, eof=eof)
                await connection.read_end()
        async with RawConnection(plane.port) as connection:
            await connection.send(POST[:20])
            await plane.until(lambda: plane.server.connection_count == 1)
            await plane.turns(20)
            connection.reset()
            await plane.until(lambda: plane.server.connection_count == 0)
    found = [(record["code"], record["bytes_in"]) for record in kept.records("connection")]
    assert found == [("bad_request", 20), ("bad_request", 7), ("bad_request", 3), ("client_gone", 20)]
    assert {(one["count"], one["client_ip"]) for one in kept.records("connection")} == {(1, "127.0.0.1")}
    assert kept.records("request") == []


async def test_many_connections_fold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond so many in a second they are told in one record with their number: none is left out."""
    monkeypatch.setattr(connections, "MOST_PER_SECOND", 3)
    async with Recorder() as upstream, serving(tmp_path, upstream) as (plane, kept):
        for _ in range(10):
            async with RawConnection(plane.port) as connection:
                await connection.send(b"\x00\r\n")
                await connection.read_end()
    found = kept.records("connection")
    assert sum(record["count"] for record in found) == 10
    assert len(found) < 10 or {record["count"] for record in found} == {1}
    assert max(record["count"] for record in found) > 1


@pytest.mark.parametrize("durability", BLOCKING)
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
async def test_a_disk_that_fails(tmp_path: Path, disk: Disk, durability: Durability, code: int) -> None:
    """What was under way is broken off, new requests are refused and counted; then all is as before."""
    async with Recorder() as upstream, serving(tmp_path, upstream, durability) as (plane, kept):
        await plane.served()
        disk.error = code
        if durability == "blocking":
            await broken(plane)
        else:
            await refused(plane)  # for want of its intent
        await plane.until(lambda: not kept.trail.available)
        count = len(upstream.requests)
        for raw in (POST, GET, request(b"GET /v1/nothing", body=b"")):
            await refused(plane, raw)
        async with RawConnection(plane.port) as connection:
            await connection.send(b"\x00\r\n")
            await connection.read_end()
        assert len(upstream.requests) == count
        assert os.strerror(code) in str(kept.told[0])
        disk.error = None
        await plane.until(lambda: kept.trail.available)
        await plane.served()
        assert [one is None for one in kept.told] == [False, True]
    (restored,) = [one for one in kept.records("lifecycle") if one["event"] == "restored"]
    assert restored["detail"] == {"refused": 4, "lost": 0}
    assert len(kept.records("request")) == 3
    statuses = Counter(record["status"] for record in kept.records("request"))
    assert statuses == ({200: 3} if durability == "blocking" else {200: 2, 503: 1})


@pytest.mark.parametrize("durability", BLOCKING)
async def test_a_disk_that_hangs(tmp_path: Path, disk: Disk, durability: Durability) -> None:
    """A write that neither ends nor fails is noticed by whoever waits too long; the loop never waits."""
    async with Recorder() as upstream, serving(tmp_path, upstream, durability) as (plane, kept):
        await plane.served()
        disk.gate.clear()
        if durability == "blocking":
            await broken(plane)
        else:
            await refused(plane)
        assert not kept.trail.available
        count = len(upstream.requests)
        await refused(plane)
        assert len(upstream.requests) == count
        assert "nothing was on disk" in str(kept.told[0])
        disk.gate.set()
        await plane.until(lambda: kept.trail.available)
        await plane.served()
        assert [one is None for one in kept.told] == [False, True]
    (restored,) = [one for one in kept.records("lifecycle") if one["event"] == "restored"]
    assert restored["detail"] == {"refused": 1, "lost": 0}
    assert len(kept.records("request")) == 3
    assert {one["id"] for one in kept.records("intent")} <= {one["id"] for one in kept.records("request")}


async def test_batch_goes_on_without_its_disk(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In mode batch nobody is refused: what is too much to be kept is counted, and told afterwards."""
    monkeypatch.setattr(ledger, "BATCH_SECONDS", 0.001)
    monkeypatch.setattr(ledger, "MAX_RECORDS", 3)
    async with Recorder() as upstream, serving(tmp_path, upstream, "batch") as (plane, kept):
        disk.error = errno.EIO
        for _ in range(5):
            await plane.served()
        assert kept.trail.available
        assert kept.trail.ledger.lost == 2
        disk.error = None
        await plane.until(lambda: None in kept.told)
    (restored,) = [one for one in kept.records("lifecycle") if one["event"] == "restored"]
    assert restored["detail"] == {"refused": 0, "lost": 2}
    assert len(kept.records("request")) == 3


async def test_more_than_can_be_kept(tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is only slow: from so many waiting on, new requests are refused until half are written."""
    monkeypatch.setattr(ledger, "MAX_RECORDS", 4)
    monkeypatch.setattr(ledger, "WAIT_SECONDS", 60)
    async with Recorder() as upstream, serving(tmp_path, upstream) as (plane, kept):
        disk.gate.clear()
        clients = [RawConnection(plane.port) for _ in range(5)]
        for client in clients:
            await client.__aenter__()
            await client.send(POST)
        await plane.outcomes.wait_for(5)
        assert not kept.trail.available
        await refused(plane)
        disk.gate.set()
        for client in clients:
            (answer,) = await client.read_responses()
            assert answer.status == 200
            await client.close()
        await plane.until(lambda: kept.trail.available)
        await plane.served()
        assert "does not keep up" in str(kept.told[0])
    (restored,) = [one for one in kept.records("lifecycle") if one["event"] == "restored"]
    assert restored["detail"] == {"refused": 1, "lost": 0}
    assert len(kept.records("request")) == 6


async def test_the_end_on_a_disk_that_hangs(tmp_path: Path, disk: Disk) -> None:
    """Closing takes no longer than it is given, and says that not all was written."""
    async with Recorder() as upstream:
        kept = Kept(tmp_path, "blocking")
        async with Plane(upstream.url, audit=kept.trail) as plane:
            disk.gate.clear()
            await broken(plane)
        assert not kept.trail.close(0.01)
        assert kept.trail.ledger.queued == 2  # it, and the one that tells of the outage
        disk.gate.set()
    kept.close()


async def test_a_record_that_cannot_be_made_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug in what makes records costs one request its details, and no request its answer or its record."""
    bugs: list[dict[str, Any]] = []
    real = RequestRecords.__call__

    def failing(self: RequestRecords, outcome: Outcome, *more: Any) -> bytes:
        if outcome.status == 400:
            raise KeyError("a bug")
        return real(self, outcome, *more)

    monkeypatch.setattr(RequestRecords, "__call__", failing)
    async with Recorder() as upstream, serving(tmp_path, upstream) as (plane, kept):
        asyncio.get_running_loop().set_exception_handler(lambda _, context: bugs.append(context))
        for raw, status in ((request(body=b"{"), 400), (POST, 200)):
            async with RawConnection(plane.port) as connection:
                await connection.send(raw)
                (answer,) = await connection.read_responses()
                assert answer.status == status
        assert kept.trail.available
    failed, other = kept.records("request")
    told = {name: failed[name] for name in ("decision", "phase", "status", "code")}
    assert told == {"decision": "reject", "phase": "parse", "status": 400, "code": "record_failed"}
    assert other["status"] == 200
    assert [str(bug["exception"]) for bug in bugs] == ["'a bug'"]
