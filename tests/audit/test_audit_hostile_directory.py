"""Directories that somebody damaged or prepared: whoever reads one gets through, or has a sentence to say.

Each of the things done to a directory meets each of those who read it: nobody hangs, holds more than a few
megabytes, or ends with anything but an AuditError that names the place. What ``verify`` makes of it is told
beside each.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import tracemalloc
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from gateway.audit import records
from gateway.audit.chain import Link, seal
from gateway.audit.faults import AuditError
from gateway.audit.follower import Follower
from gateway.audit.heads import current_heads, read_heads
from gateway.audit.index import SQLITE, open_index
from gateway.audit.instance import Keys, instance_id
from gateway.audit.place import prove_record
from gateway.audit.prune import prune
from gateway.audit.records import Mark, Marks
from gateway.audit.segments import segments, streams
from gateway.audit.start import settle_idle, take_over
from gateway.audit.tail import Tail
from gateway.audit.verify import verify
from gateway.errors import ConfigError
from gateway.listener.ids import RequestIds
from tests.support.ledgers import MOMENT, NAME, lines, made_up, members, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OPS: Final = NAME.replace(".0", ".ops")
IDS: Final = RequestIds()
MARKS: Final = Marks(IDS.next, lambda: MOMENT / 1000)
HUGE: Final = 64 * 1024 * 1024
NESTED: Final = b'"kind":"request","id":"1","time":"2027-01-15T08:00:00.000Z","detail":' + b"[" * 9000


@pytest.fixture(scope="module")
def sound() -> Iterator[Path]:
    """Give, in memory, an audit directory with a stream of several segments and a supervisor's."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else None) as name:
        folder = Path(name) / "sound"
        write(folder, made_up(60), segment_bytes=15_000, commit=10)
        write(folder, made_up(3), OPS)
        assert verify(folder).fault_count == 0
        yield folder


@pytest.fixture
def directory(sound: Path) -> Iterator[Path]:
    """Give a copy of it."""
    folder = sound.with_name("copy")
    yield shutil.copytree(sound, folder)
    shutil.rmtree(folder)


def paths(directory: Path, stream: str = NAME) -> list[Path]:
    return [one.path for one in segments(directory / "ledger" / stream)]


def add(directory: Path, content: bytes) -> None:
    """Write something behind the last line."""
    with paths(directory)[-1].open("ab") as file:
        file.write(content)


def add_sealed(directory: Path, more: bytes, *, stream: str = NAME, seq: int | None = None) -> None:
    """Write a record whose hash is right, and its place, unless it is to have another number."""
    last = verify(directory).heads[stream]
    line, _ = seal(stream.encode(), last if seq is None else Link(seq - 1, last.hash), more)
    with paths(directory, stream)[-1].open("ab") as file:
        file.write(line)


def replace(path: Path, make: Callable[[Path], object]) -> None:
    """Put something else in a file's place."""
    path.unlink()
    make(path)


def to_itself(path: Path) -> None:
    path.symlink_to(path)


def moved_and_linked(path: Path) -> None:
    moved = path.with_name("elsewhere")
    shutil.move(path, moved)
    path.symlink_to(moved)


def swapped(directory: Path) -> None:
    first, second, *_ = paths(directory)
    spare = first.with_name("spare")
    first.rename(spare)
    second.rename(first)
    spare.rename(second)


def copied_stream(directory: Path) -> None:
    shutil.copytree(directory / "ledger" / NAME, directory / "ledger" / NAME.replace(".0", ".7"))


def almost_named(directory: Path) -> None:
    for name in (
        "1-20270115T08.jsonl",
        f"{7:019d}-20270115T08.jsonl~",
        f"{7:019d}-20270115T8.jsonl",
        "x\nlock",
    ):
        (directory / "ledger" / NAME / name).write_bytes(b"nothing")
    (directory / "ledger" / "0123456789ABCDEF.0").mkdir()


def huge_line(directory: Path) -> None:
    path = paths(directory)[-1]
    os.truncate(path, path.stat().st_size + HUGE)


def huge_line_in_the_midst(directory: Path) -> None:
    path = paths(directory)[0]
    size = path.stat().st_size
    os.truncate(path, size + HUGE)
    with path.open("ab") as file:
        file.write(b"\n")


def emptied_between(directory: Path) -> None:
    (directory / "ledger" / NAME / f"{2:019d}-20270115T08.jsonl").touch()


def of_version_2(directory: Path) -> None:
    last = verify(directory).heads[NAME]
    line, _ = seal(NAME.encode(), last, members(next(made_up(1))))
    covered = line[: -len(',"hash":""}\n') - 64].replace(b'{"v":1,', b'{"v":2,')
    add(directory, covered + b',"hash":"%b"}\n' % sha256(covered).hexdigest().encode())


def forged_start(directory: Path) -> None:
    mark = Mark(IDS.next(), MOMENT / 1000)
    add_sealed(directory, records.pruned(mark, NAME, 1, Link(7, b"a" * 64)), stream=OPS)


def odd_start(directory: Path) -> None:
    for detail in (b"[]", b'{"stream":7}', b"[" * 9000, b'{"stream":"x","last":"y","hash":null}'):
        add_sealed(directory, b'"kind":"lifecycle","event":"pruned","detail":' + detail, stream=OPS)


def last(make: Callable[[Path], object]) -> Callable[[Path], None]:
    return lambda directory: replace(paths(directory)[-1], make)


def lock(make: Callable[[Path], object]) -> Callable[[Path], None]:
    return lambda directory: replace(directory / "ledger" / NAME / "lock", make)


def added(content: bytes) -> Callable[[Path], None]:
    return lambda directory: add(directory, content)


def added_sealed(more: bytes, seq: int | None = None) -> Callable[[Path], None]:
    return lambda directory: add_sealed(directory, more, seq=seq)


def stream_replaced(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def spoil(directory: Path) -> None:
        folder = directory / "ledger" / NAME.replace(".0", ".9")
        make(folder)

    return spoil


INTACT: Final = ""
SPOILT: Final[dict[str, tuple[Callable[[Path], None], str]]] = {
    "a segment is a symbolic link": (last(lambda path: path.symlink_to("/dev/zero")), "Not a regular file"),
    "a segment is a link to its own file": (
        lambda directory: moved_and_linked(paths(directory)[-1]), "Not a regular file"
    ),
    "a segment is a link to itself": (last(to_itself), "Not a regular file"),
    "a segment is a FIFO": (last(os.mkfifo), "Not a regular file"),
    "a segment is a folder": (last(Path.mkdir), "Not a regular file"),
    "a lock is a symbolic link": (lock(to_itself), INTACT),
    "a lock is a FIFO": (lock(os.mkfifo), INTACT),
    "a lock is a folder": (lock(Path.mkdir), INTACT),
    "a stream is a file": (stream_replaced(Path.touch), "Not a directory"),
    "a stream is a link to itself": (stream_replaced(to_itself), "Too many levels of symbolic links"),
    "a stream is a FIFO": (stream_replaced(os.mkfifo), "Not a directory"),
    "files are almost named like segments": (almost_named, INTACT),
    "two segments have each other's names": (swapped, "are not here, record"),
    "an empty segment is between others": (emptied_between, INTACT),
    "a stream is there twice": (copied_stream, f"another stream, {NAME}"),
    "a first segment is gone": (lambda directory: paths(directory)[0].unlink(), "records 1 to"),
    "a line of 64 MiB has no end": (huge_line, "longer than any record"),
    "a line of 64 MiB is in the midst": (huge_line_in_the_midst, "longer than any record"),
    "zeros": (added(bytes(5000)), "the line is cut off"),
    "lines of zeros": (added(bytes(200) + b"\n"), "its hash is another"),
    "no UTF-8": (added(b"\xff\xfe" * 100 + b"\n"), "its hash is another"),
    "empty lines": (added(b"\n" * 500), "the line is no record"),
    "carriage returns": (added(b"\r" * 500 + b"\n"), "its hash is another"),
    # With a right hash, behind the last record: nothing but a kept head could tell that it was not written.
    "a record is no JSON": (added_sealed(b"\xff"), INTACT),
    "a record has no time": (added_sealed(b'"kind":"request"'), INTACT),
    "a record has a number for a time": (added_sealed(b'"kind":1,"id":2,"time":3'), INTACT),
    "a record nests too deep": (added_sealed(NESTED), INTACT),
    "a record has a member twice": (added_sealed(members(next(made_up(1))) + b',"seq":"x","id":7'), INTACT),
    "a record has two numbers": (added_sealed(members(next(made_up(1))) + b',"seq":%d' % 10**30), INTACT),
    "a record is of version 2": (of_version_2, INTACT),
    "an intent has an odd id": (
        added_sealed(b'"kind":"intent","id":"%b","time":"2027-01-15T08:00:00.000Z"' % (b"f" * 36)), INTACT
    ),
    "a number is too high": (added_sealed(members(next(made_up(1))), 10**18 - 1), "are not here, record"),
    "a number has too many digits": (added_sealed(members(next(made_up(1))), 10**18), "its hash is another"),
    "a start is forged": (forged_start, "the last record that was pruned is another one"),
    "starts are odd": (odd_start, INTACT),
}  # fmt: skip


def start(directory: Path) -> None:
    """Start as the gateway does."""
    instance_id(directory)
    Keys(directory)
    settle_idle(directory, NAME.partition(".")[0], MARKS)
    for stream in (NAME, OPS):
        stopped = records.stopped(MARKS(), revision="r", drained=True)
        take_over(directory, stream, MARKS, [stopped]).close()


def follow(directory: Path) -> None:
    told: list[str] = []
    with closing(open_index(SQLITE, directory)) as index:
        follower = Follower(directory, index, told=told.append)
        follower.catch_up()
        taken = follower.records
        follower.catch_up()
        assert follower.records == taken
        assert sum(len(one) for one in told) < 10_000


def tail(directory: Path) -> None:
    end = Tail(directory)
    assert len(list(end.last())) >= 20
    add(directory, b'{"v":1}\n')
    end.more()


def show(directory: Path) -> None:
    assert prove_record(directory, lines(directory, OPS)[1]) == "proven"
    prove_record(directory, lines(directory, OPS)[1].replace(OPS, NAME))
    for path in paths(directory):
        with path.open("rb") as file:
            prove_record(directory, file.readline(10_000).decode("latin-1"))


def prune_all(directory: Path) -> None:
    positions = {name: 10**9 for name, _ in streams(directory)}
    prune(directory, lambda _: None, MARKS, before=MOMENT, positions=positions)


READERS: Final[tuple[Callable[[Path], object], ...]] = (
    verify, current_heads, tail, follow, start, prune_all,
)  # fmt: skip


@contextmanager
def in_bounds() -> Iterator[None]:
    """See that no more than a few of the longest lines are held at once."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 32 * 1024 * 1024
    finally:
        tracemalloc.stop()


def sentence(reader: Callable[[Path], object], directory: Path) -> str:
    """Give what a reader says of a directory that it cannot use; nothing where it gets through."""
    try:
        reader(directory)
    except AuditError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("spoil", SPOILT)
def test_every_reader_gets_through_or_has_a_sentence(
    directory: Path, spoil: str, reader: Callable[[Path], object]
) -> None:
    """No other exception than one that names the place, in a line."""
    SPOILT[spoil][0](directory)
    with in_bounds():
        told = sentence(reader, directory)
    assert not told or told.startswith(str(directory))
    assert len(told.splitlines()) <= 1


@pytest.mark.parametrize("spoil", SPOILT)
def test_what_verify_makes_of_it(directory: Path, spoil: str) -> None:
    """Each change to what was written is named; what says nothing of the records is left alone."""
    change, expected = SPOILT[spoil]
    change(directory)
    found: list[str] = []
    told = sentence(lambda folder: found.extend(map(str, verify(folder, settle_seconds=0).faults)), directory)
    assert bool(found or told) == (expected != INTACT), found
    assert expected in "\n".join(found) + told


@contextmanager
def unprivileged() -> Iterator[None]:
    """Do without the right to read what one may not read."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(was)


@pytest.mark.parametrize("name", ["segment", "stream", "lock", "instance", "key"])
def test_what_may_not_be_read_is_named(name: str) -> None:
    """Of whom it is the business says so; nobody reads around it."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        write(directory, made_up(3))
        instance_id(directory)
        Keys(directory)
        path = {
            "segment": paths(directory)[0],
            "stream": directory / "ledger" / NAME,
            "lock": directory / "ledger" / NAME / "lock",
            "instance": directory / "instance",
            "key": next((directory / "keys").iterdir()),
        }[name]
        for one in (directory, *directory.rglob("*")):
            os.chown(one, 65534, -1)
        path.chmod(0)
        with unprivileged(), pytest.raises(AuditError, match="Permission denied") as caught:
            start(directory)
        assert str(path) in str(caught.value) or name == "lock"
        if name in ("segment", "stream"):
            for reader in (verify, current_heads, tail, follow):
                with unprivileged(), pytest.raises(AuditError, match=f"{path}.*Permission denied"):
                    reader(directory)
        path.chmod(0o700)


def test_a_stream_that_vanishes_while_it_is_read(directory: Path) -> None:
    """Whatever is still there is verified; that a stream was there, heads that were kept tell."""
    kept = {NAME: {verify(directory).heads[NAME]}}
    gone = directory / "ledger" / NAME
    found = verify(directory, kept=kept, progress=lambda _: shutil.rmtree(gone, ignore_errors=True))
    assert [fault.message for fault in found.faults] == ["the record of the kept head is cut off"]
    assert list(found.heads) == [NAME, OPS]
    assert found.heads[NAME] < next(iter(kept[NAME]))


def test_a_link_is_not_written_through(directory: Path) -> None:
    """A start that cuts a torn tail off cuts none of another file, and locks none."""
    other = directory / "precious"
    for path in (paths(directory)[-1], directory / "ledger" / NAME / "lock"):
        other.write_bytes(b"precious")
        path.unlink()
        path.symlink_to(other)
        with pytest.raises(AuditError, match="Not a regular file"):
            start(directory)
        assert other.read_bytes() == b"precious"


def test_a_forged_start_hides_what_it_names(directory: Path) -> None:
    """Whoever can write the ledger can say that records were pruned: a head of them that was kept tells."""
    first, second, *_ = segments(directory / "ledger" / NAME)
    before = lines(directory)[: second.first - 1]
    head = Link(second.first - 1, before[-1][-66:-2].encode())
    first.path.unlink()
    assert verify(directory).fault_count == 1
    add_sealed(directory, records.pruned(Mark(IDS.next(), MOMENT / 1000), NAME, 1, head), stream=OPS)
    assert verify(directory).fault_count == 0
    kept = {NAME: {Link(2, before[1][-66:-2].encode())}}
    found = verify(directory, kept=kept)
    assert (found.fault_count, found.notes) == (0, [f"{NAME}: record 2, of a kept head, was pruned"])


@pytest.mark.parametrize("content", [b"", bytes(5000), b"\xff\n" * 5000, b"a b c\n" * 5000, b"x" * (1 << 24)])
def test_a_file_of_heads_that_is_none(tmp_path: Path, content: bytes) -> None:
    """Its first faults are told, with their lines."""
    path = tmp_path / "heads"
    path.write_bytes(content)
    with in_bounds(), pytest.raises(ConfigError, match=re.escape(str(path))) as caught:
        read_heads(path)
    assert len(caught.value.faults) <= 20
