"""Verification: whatever is done to a ledger of 1,000 records is found, and named where it was done.

Each test changes files and has the ledger verified, for every change anew.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.audit import proof, records
from gateway.audit.chain import Link, seal, unseal
from gateway.audit.segments import segments
from gateway.audit.stream import Stream
from gateway.audit.verify import verify
from tests.support.book import INSTANCE, NOON, SIZES, Book, flipped, marks, members, write_stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.audit.verify import Verification
    from tests.support.book import Line


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
    """A ledger with a record of each kind, and each bit of all of it: the line is always named.

    Each time by what reads a segment, and often by the whole of verify.
    """
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
    (segment,) = segments(folder / "ledger" / name)
    assert len({line.content.partition(b'"kind":')[2][:12] for line in small.lines}) == 6
    for line in small.lines:
        for bit in range(8 * len(line.content)):
            if bit % Book.WHOLE == 0:
                named(small.flipped(line, bit), line)
                continue
            with small.flip(line, bit):
                found = proof.prove(segment, name)
            assert found is not None
            told = [*found.faults.listed, *([found.tail] if found.tail else [])]
            assert told[0][:3] == (line.place, line.number, line.seq)
            assert len(told) <= 3


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
