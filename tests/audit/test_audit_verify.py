"""Verification: whatever is done to a ledger of 1,000 records is found, and named where it was done.

Each test changes files and has all of the ledger verified, for every change anew.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gateway.audit import proof, records
from gateway.audit import verify as module
from gateway.audit.chain import ROOT, Link, seal, unseal
from gateway.audit.faults import AuditError
from gateway.audit.records import Mark
from gateway.audit.segments import segments, streams
from gateway.audit.stream import Stream
from gateway.audit.verify import Verification, verify

if TYPE_CHECKING:
    from collections.abc import Iterator

INSTANCE = "0123456789abcdef"
NOON = 1_800_000_000.0
SIZES = {f"{INSTANCE}.0": 600, f"{INSTANCE}.1": 250, f"{INSTANCE}.ops": 150}
"""How many records each stream has; 1,000 together."""


def marks() -> Iterator[Mark]:
    number = 0
    while True:
        number += 1
        yield Mark(f"019ab2f0-8e3c-7123-89ab-{number:012x}", NOON + number / 1000)


def members(chance: random.Random, mark: Mark) -> bytes:
    """Make a record of any kind."""
    return chance.choice(
        [
            lambda: records.intent(mark, "createMessage", None),
            lambda: records.outcome_unknown(mark.id),
            lambda: records.connection(mark, code="bad_request", client_ip="10.0.0.1"),
            lambda: records.restored(mark, refused=1, lost=0),
            lambda: records.config_applied(mark, revision="b", previous="a"),
            lambda: records.admin(mark, "query", who="ann", what={"app": "billing"}),
        ]
    )()


def write_stream(folder: Path, name: str, count: int, segment_bytes: int) -> None:
    """Write a stream of exactly so many records."""
    made = marks()
    stream = Stream(
        folder,
        name,
        now=lambda: NOON,
        opening=lambda _: records.segment(next(made), ()),
        segment_bytes=segment_bytes,
    )
    chance = random.Random(name)
    while (left := count - stream.last.seq) > 1:
        stream.commit([members(chance, next(made)) for _ in range(min(20, left - 1))])
    if left:
        stream.commit([members(chance, next(made))])
    stream.close()


@dataclass
class Line:
    """A line of the ledger: where it stands, what it is, and what record."""

    path: Path
    place: str
    number: int
    content: bytes
    seq: int
    last: bool


class Book:
    """A ledger to be spoilt, and made good again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = {
            one.path: one.path.read_bytes().splitlines(keepends=True)
            for _, of_stream in streams(folder)
            for one in segments(of_stream)
        }
        self.heads = verify(folder).heads
        self.kept = {name: {link} for name, link in self.heads.items()}
        self.lines = []
        for path, lines in self.files.items():
            for number, line in enumerate(lines, 1):
                sealed = unseal(line)
                assert sealed is not None
                place = f"{sealed.stream}/{path.name}"
                last = sealed.link == self.heads[sealed.stream]
                self.lines.append(Line(path, place, number, line, sealed.seq, last))

    def spoilt(self, changes: dict[Path, bytes], *, heads: bool = False) -> Verification:
        """Verify with other contents of some files."""
        for path, content in changes.items():
            path.write_bytes(content)
        try:
            return verify(self.folder, kept=self.kept if heads else None, settle_seconds=0)
        finally:
            for path in changes:
                path.write_bytes(b"".join(self.files[path]))

    def flipped(self, line: Line, bit: int) -> Verification:
        """Verify with one bit of a line another."""
        at = sum(map(len, self.files[line.path][: line.number - 1])) + bit // 8
        with line.path.open("r+b", buffering=0) as file:
            os.pwrite(file.fileno(), bytes([line.content[bit // 8] ^ 1 << bit % 8]), at)
            try:
                return verify(self.folder, settle_seconds=0)
            finally:
                os.pwrite(file.fileno(), line.content[bit // 8 :][:1], at)

    def with_line(self, line: Line, *content: bytes) -> dict[Path, bytes]:
        """Give the change that puts ``content`` in place of a line."""
        lines = self.files[line.path]
        return {line.path: b"".join([*lines[: line.number - 1], *content, *lines[line.number :]])}

    def swapped(self, one: Line, other: Line) -> dict[Path, bytes]:
        """Give the change that puts each of two lines in the place of the other."""
        copies = {path: [*self.files[path]] for path in (one.path, other.path)}
        copies[one.path][one.number - 1] = other.content
        copies[other.path][other.number - 1] = one.content
        return {path: b"".join(lines) for path, lines in copies.items()}

    def after(self, line: Line) -> Line:
        """Give the line after one that is not its stream's last."""
        return self.lines[self.lines.index(line) + 1]


@pytest.fixture(scope="module")
def memory() -> Iterator[Path]:
    """Give a folder in memory, where the system has such: files are changed thousands of times."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def book(memory: Path) -> Book:
    folder = memory / "book"
    for name, count in SIZES.items():
        write_stream(folder, name, count, 40_000)
    found = Book(folder)
    assert len(found.lines) == 1000
    assert len(found.files) >= 8
    return found


@pytest.fixture(autouse=True)
def sound_before_and_after(book: Book) -> Iterator[None]:
    """Whatever a test does, the ledger is intact behind it, with its heads."""
    yield
    found = verify(book.folder, kept=book.kept)
    assert (found.faults, found.records) == ([], 1000)


def named(found: Verification, line: Line, at_most: int = 3) -> None:
    """Say that the first fault has this place, and that one change is not told as many."""
    first = found.faults[0]
    assert (first.file, first.line, first.seq) == (line.place, line.number, line.seq), found.faults[:3]
    assert 1 <= found.fault_count <= at_most, found.faults


def flipped(line: bytes, bit: int) -> bytes:
    changed = bytearray(line)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_an_intact_ledger_has_no_fault(book: Book) -> None:
    """Over all streams, segments and kinds of records; heads and figures are told."""
    found = verify(book.folder, kept=book.kept)
    assert (found.fault_count, found.records) == (0, 1000)
    assert {name: link.seq for name, link in found.heads.items()} == SIZES
    assert found.size == sum(path.stat().st_size for path in book.files)


def test_a_flipped_bit_in_every_line(book: Book) -> None:
    """One bit anywhere in each of 1,000 lines: that line is named, and nothing else is."""
    chance = random.Random(1)
    for line in book.lines:
        bit = chance.randrange(8 * len(line.content) - 8)
        makes_two = line.content[bit // 8] ^ 1 << bit % 8 == ord("\n")
        named(book.flipped(line, bit), line, 1 + makes_two)


def test_every_bit_of_every_kind_of_line(memory: Path) -> None:
    """A ledger with a record of each kind, and each bit of all of it: the line is always named."""
    made = marks()
    chance = random.Random(3)
    name = f"{INSTANCE}.0"
    folder = memory / "small"
    stream = Stream(folder, name, now=lambda: NOON, opening=lambda _: records.segment(next(made), ()))
    kinds: dict[bytes, bytes] = {}
    while len(kinds) < 6:
        one = members(chance, next(made))
        kinds.setdefault(one[: one.index(b"id")] + one.partition(b'"event":')[2][:12], one)
    stream.commit(kinds.values())
    stream.close()
    small = Book(folder)
    assert len({line.content.partition(b'"kind":')[2][:12] for line in small.lines}) == 6
    for line in small.lines:
        for bit in range(8 * len(line.content)):
            named(small.flipped(line, bit), line)


def test_every_bit_of_line_feeds_and_joints(book: Book) -> None:
    """What separates lines and segments: every line feed's bits, and the ends of the lines at each joint."""
    for line in book.lines[::29]:
        for bit in range(8 * len(line.content) - 8, 8 * len(line.content)):
            named(book.flipped(line, bit), line)
    for path, lines in book.files.items():
        for number in (1, len(lines)):
            (line,) = (one for one in book.lines if (one.path, one.number) == (path, number))
            size = 8 * len(line.content)
            for bit in (*range(0, size, 509), *range(size - 8, size)):
                named(book.flipped(line, bit), line)


def test_every_deletion(book: Book) -> None:
    """Each record taken out once: its number is named where the next one stands, the last one by the head."""
    for line in book.lines:
        change = book.with_line(line)
        if line.last:
            assert book.spoilt(change).fault_count == 0
            (fault,) = book.spoilt(change, heads=True).faults
            assert (fault.line, fault.seq, fault.file) == (0, line.seq, line.place)
            continue
        (fault,) = book.spoilt(change).faults
        following = book.after(line)
        at = line.number if following.path == line.path else 1
        assert (fault.file, fault.line, fault.seq) == (following.place, at, line.seq)
        assert fault.message == f"record {line.seq} is not here, record {line.seq + 1} is"


def test_every_adjacent_swap(book: Book) -> None:
    """Each record and the next one change places, over the joints of segments too."""
    for line in book.lines:
        if not line.last:
            named(book.spoilt(book.swapped(line, book.after(line))), line)


def test_distant_swaps(book: Book) -> None:
    """Any two records change places, of one stream or of two: the first place is named."""
    chance = random.Random(5)
    for _ in range(300):
        one, other = sorted(chance.sample(range(1000), 2))
        first, second = book.lines[one], book.lines[other]
        named(book.spoilt(book.swapped(first, second)), first, 6)


def test_every_record_inserted_elsewhere(book: Book) -> None:
    """A copy of each record, behind itself or before any other: it is named, and all else is in order."""
    chance = random.Random(7)
    for line in book.lines:
        elsewhere = chance.choice(book.lines)
        if chance.random() < 0.5 or elsewhere is line:
            (fault,) = book.spoilt(book.with_line(line, line.content, line.content)).faults
            assert (fault.file, fault.line, fault.seq) == (line.place, line.number + 1, line.seq + 1)
        else:
            named(book.spoilt(book.with_line(elsewhere, line.content, elsewhere.content)), elsewhere, 2)


def test_truncation_shows_against_kept_heads(book: Book) -> None:
    """Each stream cut at every line, and within lines: the head that was kept is named as cut off."""
    chance = random.Random(9)
    for name, head in book.heads.items():
        own = [line for line in book.lines if line.place.startswith(name + "/")]
        last_path = own[-1].path
        content = b"".join(book.files[last_path])
        cuts, at = [], 0
        for line in (one for one in own if one.path == last_path):
            cuts += [at, at + chance.randrange(1, len(line.content))]
            at += len(line.content)
        cuts += range(len(content) - 80, len(content))
        for cut in cuts:
            found = book.spoilt({last_path: content[:cut]}, heads=True)
            fault = found.faults[-1]
            assert (fault.line, fault.seq) == (0, head.seq)
            assert fault.message == "the record of the kept head is cut off"
            torn = content[:cut].rpartition(b"\n")[2]
            assert found.fault_count == 1 + bool(torn)
            if torn:
                assert found.faults[0].message == "the line is cut off"


def test_missing_files_are_named(book: Book, tmp_path: Path) -> None:
    """A segment that is gone is a gap; without heads the last one, or a whole stream, is not missed."""
    for path in book.files:
        folder = tmp_path / path.name / path.parent.name
        shutil.copytree(book.folder, folder)
        (folder / path.relative_to(book.folder)).unlink()
        lines = [line for line in book.lines if line.path == path]
        found = verify(folder, kept=book.kept)
        assert found.fault_count == 1
        last = lines[-1].last
        assert found.faults[0].seq == (lines[-1] if last else lines[0]).seq
        assert verify(folder).fault_count == (0 if last else 1)
    shutil.rmtree(folder / "ledger" / f"{INSTANCE}.1")
    assert "the whole stream is missing" in [fault.message for fault in verify(folder, kept=book.kept).faults]


def test_other_records_with_right_hashes_are_found(book: Book, tmp_path: Path) -> None:
    """Who writes lines anew, hashes and all, has to write all that follow; then only the heads tell."""
    name = f"{INSTANCE}.1"
    line = next(one for one in book.lines if one.place.startswith(name) and one.seq == 100)
    sealed = unseal(line.content)
    assert sealed is not None
    forged, _ = seal(name.encode(), Link(99, sealed.prev), sealed.members + b',"app":"other"')
    (fault,) = book.spoilt(book.with_line(line, forged)).faults
    assert (fault.line, fault.seq) == (line.number + 1, 101)
    assert "prev is another hash" in fault.message
    shutil.copytree(book.folder, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "ledger" / name)
    other = Stream(tmp_path, name, now=lambda: NOON, opening=lambda _: b'"kind":"lifecycle"')
    other.commit([records.connection(next(marks()), code="x")] * 400)
    other.close()
    (fault,) = verify(tmp_path, kept=book.kept).faults
    assert (fault.seq, fault.message) == (250, "the record of the kept head is another one")
    assert verify(tmp_path).fault_count == 0


def test_files_under_other_names_are_found(book: Book, tmp_path: Path) -> None:
    """A segment's name tells its first record, and a folder's whose records they are."""
    shutil.copytree(book.folder, tmp_path, dirs_exist_ok=True)
    first, second, *_ = segments(tmp_path / "ledger" / f"{INSTANCE}.0")
    second.path.rename(second.path.with_name(second.path.name.replace(f"{second.first:019d}", f"{2:019d}")))
    (fault,) = verify(tmp_path).faults
    assert fault.message == "the file's name says that it begins with record 2"
    shutil.rmtree(tmp_path / "ledger" / f"{INSTANCE}.0")
    (tmp_path / "ledger" / f"{INSTANCE}.1").rename(tmp_path / "ledger" / f"{INSTANCE}.0")
    found = verify(tmp_path)
    assert found.fault_count == SIZES[f"{INSTANCE}.1"]
    assert len(found.faults) == proof.MAX_LISTED
    assert "another stream" in found.faults[0].message
    assert first.first == 1


def test_faults_are_counted_beyond_those_listed(book: Book) -> None:
    """Every second line of a segment is changed: all are counted, the first ones listed, in order."""
    path = book.lines[0].path
    lines = [flipped(line, 800) if at % 2 else line for at, line in enumerate(book.files[path])]
    found = book.spoilt({path: b"".join(lines)})
    assert found.fault_count == len(lines) // 2
    assert [fault.line for fault in found.faults] == list(range(2, len(lines) + 1, 2))[: proof.MAX_LISTED]


def test_foreign_and_endless_lines_are_faults_of_their_own(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is no record, or longer than any may be, is named by its line, and what follows is in order."""
    monkeypatch.setattr(proof, "MAX_LINE", 2000)
    line = book.lines[30]
    for extra, message in (
        (b"\n", "the line is no record"),
        (b"x" * 500 + b"\n", "the line was changed: its hash is another"),
        (b"x" * 7000 + b"\n", "the line is longer than any record"),
        (book.lines[-1].content, f"it is a record of another stream, {INSTANCE}.ops"),
    ):
        (fault,) = book.spoilt(book.with_line(line, extra, line.content)).faults
        assert (fault.line, fault.message) == (line.number, message)
    end = b"".join(book.files[book.lines[-1].path])
    (fault,) = book.spoilt({book.lines[-1].path: end + b"x" * 7000}).faults
    assert fault.seq == book.lines[-1].seq + 1


def test_several_processes_tell_the_same(book: Book) -> None:
    """Side by side or one after another: the same faults, figures and heads, and all the bytes are told."""
    sizes: list[int] = []
    for spoilt in (False, True):
        line = book.lines[200]
        content = book.with_line(line, flipped(line.content, 900)) if spoilt else {}
        for path, changed in content.items():
            path.write_bytes(changed)
        try:
            one = verify(book.folder, kept=book.kept, progress=sizes.append)
            assert sum(sizes) == one.size
            assert verify(book.folder, kept=book.kept, processes=2) == one
            assert one.fault_count == spoilt
        finally:
            sizes.clear()
            for path in content:
                path.write_bytes(b"".join(book.files[path]))


def test_a_segment_that_is_being_written_is_read_again(
    book: Book, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a line at the end is a fault only if it stays; the gateway may be in the midst of a write."""
    shutil.copytree(book.folder, tmp_path, dirs_exist_ok=True)
    path = segments(tmp_path / "ledger" / f"{INSTANCE}.0")[-1].path
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    waits: list[float] = []

    def written_meanwhile(seconds: float) -> None:
        waits.append(seconds)
        path.write_bytes(whole)

    monkeypatch.setattr(module.time, "sleep", written_meanwhile)
    assert verify(tmp_path).fault_count == 0
    assert waits == [module.SETTLE_SECONDS]
    path.write_bytes(whole[:-30])
    monkeypatch.setattr(module.time, "sleep", waits.append)
    (fault,) = verify(tmp_path).faults
    assert fault.message == "the line is cut off"


def test_a_segment_that_is_pruned_meanwhile_is_passed_over(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is gone when its turn comes, and by then a record says so."""
    stream = f"{INSTANCE}.0"
    first, second, *_ = segments(book.folder / "ledger" / stream)
    sealed = unseal(book.files[second.path][0])
    assert sealed is not None
    real = proof.prove
    monkeypatch.setattr(module, "prove", lambda one, *more: None if one == first else real(one, *more))
    (fault,) = verify(book.folder).faults
    assert (fault.line, fault.seq, fault.file) == (1, 1, f"{stream}/{second.path.name}")
    monkeypatch.setattr(module, "read_starts", lambda _: {stream: Link(sealed.seq - 1, sealed.prev)})
    assert verify(book.folder).fault_count == 0


def test_an_empty_directory_is_intact(tmp_path: Path) -> None:
    """There is nothing that could be wrong, unless heads tell that there was something."""
    assert verify(tmp_path) == Verification()
    found = verify(tmp_path, kept={f"{INSTANCE}.0": {Link(3, ROOT.hash)}})
    assert [str(fault) for fault in found.faults] == [
        f"{INSTANCE}.0:0: record 3: the whole stream is missing"
    ]


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Neither a file that is none nor a process that is ended from outside passes for a verified ledger."""
    write_stream(tmp_path, f"{INSTANCE}.0", 300, 40_000)
    first = segments(tmp_path / "ledger" / f"{INSTANCE}.0")[0]
    first.path.unlink()
    assert proof.prove(first, f"{INSTANCE}.0") is None
    first.path.mkdir()
    with pytest.raises(AuditError, match=r"jsonl: cannot read: Is a directory\.$"):
        verify(tmp_path)


def test_a_process_that_is_ended_from_outside_is_told(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the kernel, for want of memory, say: what it had to read was not read."""

    class Ended(ProcessPoolExecutor):
        def map(self, *_: Any, **__: Any) -> Any:
            raise BrokenProcessPool

    monkeypatch.setattr(module, "ProcessPoolExecutor", Ended)
    with pytest.raises(AuditError, match="was ended from outside"):
        verify(book.folder, processes=2)
