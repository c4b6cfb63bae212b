"""The ledger's thread: group commits, waiting, failing disks and their recovery, on real files."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from gateway.audit import ledger as module
from gateway.audit import stream as stream_module
from gateway.audit.chain import unseal
from gateway.audit.ledger import Ledger
from gateway.audit.recovery import OpenIntents
from gateway.audit.segments import segments
from gateway.audit.stream import Stream
from gateway.audit.verify import verify

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from gateway.audit.faults import AuditError

NAME = "0123456789abcdef.0"


def render(value: Any) -> bytes:
    if isinstance(value, Faulty):
        value = value()
    return f'"kind":"request","id":"00000000-0000-7000-8000-{value:012d}"'.encode()


class Faulty:
    """A record that cannot be rendered as long as ``error`` is set."""

    def __init__(self, error: Exception) -> None:
        self.error: Exception | None = error

    def __call__(self) -> int:
        if self.error is not None:
            raise self.error
        return 7


class Book:
    """A ledger with its stream in a folder, and what it told."""

    def __init__(self, folder: Path, *, blocking: bool = True) -> None:
        self.folder = folder
        self.stream = Stream(folder, NAME, now=lambda: 1.8e9, opening=lambda _: b'"kind":"lifecycle"')
        self.told: list[AuditError | None] = []
        self.news = asyncio.Event()
        self.recovered: list[tuple[int, int]] = []
        self.ledger = Ledger(
            asyncio.get_running_loop(), self.stream, render,
            blocking=blocking, recovered=self._recovered, told=self._tell,
        )  # fmt: skip

    def _recovered(self, refused: int, lost: int) -> int:
        self.recovered.append((refused, lost))
        return 999

    def _tell(self, failure: AuditError | None) -> None:
        self.told.append(failure)
        self.news.set()

    def write(self, value: Any) -> asyncio.Future[bool]:
        """Put a record; what is given is done once it is released."""
        released = asyncio.get_running_loop().create_future()
        self.ledger.put(value, 100, released.set_result)
        return released

    def ids(self) -> list[int]:
        """Give the numbers of the records on disk."""
        lines = b"".join(one.path.read_bytes() for one in segments(self.stream.folder)).splitlines(
            keepends=True
        )
        found = [sealed.members for sealed in map(unseal, lines) if sealed is not None]
        return [int(members.rpartition(b"-")[2][:12]) for members in found if b'"request"' in members]

    def close(self) -> None:
        assert self.ledger.close(5)
        self.stream.close()
        assert verify(self.folder).fault_count == 0


@pytest.fixture
async def syncs(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Syncs]:
    found = Syncs()
    monkeypatch.setattr(os, "fdatasync", found)
    yield found
    found.gate.set()


class Syncs:
    """Stands in for fdatasync: counts, waits for ``gate``, and fails while ``error`` is set.

    ``last`` is the number of the last call that fails, None where all do.
    """

    def __init__(self) -> None:
        self.count = 0
        self.error: int | None = None
        self.last: int | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.begun = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._real = os.fdatasync

    def __call__(self, fd: int) -> None:
        self.count += 1
        self._loop.call_soon_threadsafe(self.begun.set)
        self.gate.wait()
        if self.error is not None and (self.last is None or self.count <= self.last):
            raise OSError(self.error, os.strerror(self.error))
        self._real(fd)


async def test_a_released_record_is_on_disk(tmp_path: Path) -> None:
    """Whoever was released finds the record in the file, in the order in which they came."""
    book = Book(tmp_path)
    for number in range(5):
        assert await book.write(number)
        assert book.ids() == list(range(number + 1))
    assert (book.ledger.written, book.ledger.queued) == (5, 0)
    book.close()


async def test_one_sync_serves_many(tmp_path: Path, syncs: Syncs) -> None:
    """What comes in while a sync runs goes out together with the next, in order."""
    book = Book(tmp_path)
    syncs.gate.clear()
    first = book.write(0)
    await syncs.begun.wait()
    others = [book.write(number) for number in range(1, 50)]
    assert book.ledger.queued == 50
    syncs.gate.set()
    assert all(await asyncio.gather(first, *others))
    assert syncs.count == 2
    assert book.ids() == list(range(50))
    book.close()


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
async def test_a_failed_disk_recovers(
    tmp_path: Path, syncs: Syncs, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """While nothing can be written no request is taken on; afterwards nothing is missing, and it is told."""
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.001)
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.1)
    book = Book(tmp_path)
    assert await book.write(0)
    syncs.error = code
    assert not await book.write(1)
    await book.news.wait()
    assert not book.ledger.available
    assert os.strerror(code) in str(book.told[0])
    book.ledger.refused += 3
    monkeypatch.setattr(module, "WAIT_SECONDS", 60)
    syncs.error = None
    book.news.clear()
    await book.news.wait()
    assert book.ledger.available
    assert (len(book.told), book.told[-1], book.recovered) == (2, None, [(3, 0)])
    assert await book.write(2)
    assert book.ids() == [0, 1, 999, 2]
    book.close()


async def test_what_waits_is_bounded(tmp_path: Path, syncs: Syncs, monkeypatch: pytest.MonkeyPatch) -> None:
    """In mode batch records beyond the bound are lost, counted and told of, and nobody waits."""
    monkeypatch.setattr(module, "MAX_RECORDS", 3)
    for blocking in (False, True):
        book = Book(tmp_path / str(blocking), blocking=blocking)
        syncs.gate.clear()
        for number in range(5):
            book.ledger.put(number, 100)
        assert book.ledger.available == (not blocking)
        assert (book.ledger.lost, book.ledger.queued) == ((0, 5) if blocking else (2, 3))
        syncs.gate.set()
        book.close()
        assert book.ids() == [*((0, 1, 2, 3, 4) if blocking else (0, 1, 2)), 999]
        assert book.recovered == [(0, 0 if blocking else 2)]


async def test_closing_writes_what_waits(tmp_path: Path) -> None:
    """The end of the process loses nothing that was put, in either mode."""
    for blocking in (False, True):
        book = Book(tmp_path / str(blocking), blocking=blocking)
        for number in range(100):
            book.ledger.put(number, 100)
        book.close()
        assert book.ids() == list(range(100))


async def test_closing_on_a_failed_disk_ends(
    tmp_path: Path, syncs: Syncs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that never comes back does not keep the process from ending."""
    monkeypatch.setattr(module, "RETRY_SECONDS", 3600)
    book = Book(tmp_path)
    syncs.error = errno.EIO
    book.ledger.put(1, 100)
    await book.news.wait()
    assert book.ledger.close(0.01)
    assert book.ledger.queued == 2
    book.stream.close()


async def test_closing_tries_until_there_is_no_time_left(
    tmp_path: Path, syncs: Syncs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that comes back within that time gets everything, and what was refused is told."""
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.001)
    book = Book(tmp_path)
    syncs.error = errno.EIO
    book.ledger.put(1, 100)
    await book.news.wait()
    book.ledger.refused = 3
    syncs.last = syncs.count + 5
    book.close()
    assert book.ids() == [1, 999]
    assert book.recovered == [(3, 0)]


@pytest.fixture
async def internal(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """Give what is told of bugs, and have what fails tried again at once."""
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.001)
    found: list[BaseException] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: found.append(context["exception"]))
    return found


@pytest.mark.parametrize("error", [MemoryError(), RecursionError(), KeyError("bug")], ids=repr)
async def test_a_record_that_cannot_be_made_is_a_failure(
    tmp_path: Path, internal: list[BaseException], error: Exception
) -> None:
    """The thread does not end of it: nothing is taken on, it is told once, and tried until it can be made."""
    book = Book(tmp_path)
    faulty = Faulty(error)
    first = book.write(1)
    second = book.write(faulty)
    await book.news.wait()
    assert not book.ledger.available
    kind = type(error).__name__
    assert str(book.told[0]) == f"{book.stream.folder}: cannot write: internal error ({kind})."
    book.news.clear()
    faulty.error = None
    assert all(await asyncio.gather(first, second))
    assert book.told[1:] == [None]
    assert {*internal} == {error}
    await book.write(2)
    assert [one for one in book.ids() if one != 999] == [1, 7, 2]
    book.close()


@pytest.mark.parametrize("name", ["hour_of", "seal_all", "write", "fdatasync", "note"])
@pytest.mark.parametrize("error", [MemoryError(), ValueError("a bug")], ids=repr)
async def test_whatever_fails_in_a_commit_nothing_is_written_twice(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    internal: list[BaseException],
    name: str,
    error: Exception,
) -> None:
    """A clock, the making of a line, a call of the system, what comes after it: all is there once."""
    book = Book(tmp_path)
    assert await book.write(0)
    owner: Any = os if hasattr(os, name) else OpenIntents if name == "note" else stream_module
    real = getattr(owner, name)
    calls: list[None] = []

    def once(*arguments: Any) -> Any:
        """Do it, or half of it, and fail; the second time it is done."""
        calls.append(None)
        if len(calls) > 1:
            return real(*arguments)
        if name == "write":
            real(arguments[0], bytes(arguments[1])[:20])
        elif name in ("fdatasync", "note"):
            real(*arguments)
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, once)
        assert all(await asyncio.gather(book.write(1), book.write(2)))
    assert internal == [error]
    assert await book.write(3)
    assert [one for one in book.ids() if one != 999] == [0, 1, 2, 3]
    book.close()
