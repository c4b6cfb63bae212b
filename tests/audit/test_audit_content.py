"""What is kept of bodies: on disk before the record, read back proven, erased and pruned without a trace."""

from __future__ import annotations

import errno
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from gateway.audit.content.lines import Kept, keep_full, keep_redacted, read_line
from gateway.audit.content.reader import CHANGED, ERASED, NONE, Content, Contents, erase, prune_content
from gateway.audit.content.writer import ContentWriter
from gateway.audit.faults import AuditError
from gateway.audit.instance import Keys
from gateway.audit.redaction import MAX_STRINGS, opaque
from gateway.audit.segments import segments
from tests.support.ledgers import NAME

if TYPE_CHECKING:
    from pathlib import Path

NOON = 1_800_000_000.0
HOUR = 3600.0


def identity(number: int) -> str:
    return f"00000000-0000-7000-8000-{number:012d}"


def record(number: int, kept: Kept) -> dict[str, Any]:
    """Give what the reader looks at of a record of the ledger, whose number is the request's here."""
    return {"stream": NAME, "seq": number, "id": identity(number), "content": kept.hmac}


def open_writer(folder: Path, now: float = NOON, segment_bytes: int = 1 << 20) -> ContentWriter:
    return ContentWriter(folder, NAME, now=lambda: now, segment_bytes=segment_bytes)


def put(writer: ContentWriter, keys: Keys, *numbers: int) -> list[dict[str, Any]]:
    """Keep a body for each number, in one commit, and give the records."""
    found = []
    for number in numbers:
        kept = keep_full(keys, identity(number), b"body %d" % number)
        writer.add(kept.line)
        found.append(record(number, kept))
    writer.flush(numbers[0])
    return found


def files(folder: Path) -> list[Path]:
    return [one.path for one in segments(folder / "content" / NAME)]


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path)


@pytest.mark.parametrize(
    "body", [b"{}", b'{"a": "\xc3\xa9\\n"}\n', b"\xff\x00", b'"}\n{"id":"', b"\r\n", "\u2028".encode()]
)
def test_full(keys: Keys, body: bytes) -> None:
    """Any bytes come back as they were, and are one line in ASCII."""
    kept = keep_full(keys, identity(1), body)
    assert kept.line.isascii()
    assert kept.line.count(b"\n") == 1
    assert json.loads(kept.line)["id"] == identity(1)
    assert read_line(kept.line) == ("full", body)
    assert kept.hmac == keys.sign(body)


@pytest.mark.parametrize(
    ("kind", "value", "form", "content"),
    [
        ("json", {"role": "user", "n": 1}, "redacted", {"role": "=user", "n": 1}),
        ("form", {"role": "user", "n": 1}, "form", {"role": "=user", "n": 1}),
        ("multipart", {"role": "user"}, "form", {"role": "=user"}),
        ("opaque", "secret body", "opaque", "#11:"),
        ("json", None, "opaque", "#11:"),
        (None, {"role": "user"}, "opaque", "#11:"),
    ],
)
def test_redacted(keys: Keys, kind: Any, value: Any, form: str, content: Any) -> None:
    """JSON and fields of forms keep their structure; of all else only size and HMAC are kept."""
    kept = keep_redacted(keys, identity(1), b"secret body", value, frozenset(["user"]), kind)
    found = read_line(kept.line)
    assert found is not None
    assert found[0] == form
    read = json.loads(found[1])
    assert (read[:4] if form == "opaque" else read) == content
    assert kept.hmac == keys.sign(found[1])
    assert b"secret" not in kept.line


@pytest.mark.parametrize("kind", ["json", "form", "multipart"])
def test_too_much_to_redact(keys: Keys, kind: Any) -> None:
    """Of a body with one string more than may be redacted, only size and HMAC are kept, in a short line."""
    for count, form in (
        (MAX_STRINGS, "redacted" if kind == "json" else "form"),
        (MAX_STRINGS + 1, "opaque"),
    ):
        value: Any = {"x": [""] * count}
        kept = keep_redacted(keys, identity(1), b"secret body", value, frozenset(), kind)
        found = read_line(kept.line)
        assert found is not None
        assert found[0] == form
        assert kept.hmac == keys.sign(found[1])
    assert found[1] == opaque(b"secret body", keys.sign)
    assert len(kept.line) < 100


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"   \n",
        b'{"id":"00000000-0000-7000-8000-000000000001","full":"x"}',
        b'{"id":"00000000-0000-7000-8000-000000000001","full":7}\n',
        b'{"id":"00000000-0000-7000-8000-000000000001","full":"\\q"}\n',
        b'{"id":"00000000-0000-7000-8000-000000000001","full":"\\ud800"}\n',
        b'{"id":"00000000-0000-7000-8000-000000000001","full_base64":"*"}\n',
        b'{"id":"00000000-0000-7000-8000-000000000001","full_base64":null}\n',
        b'{"id":"00000000-0000-7000-8000-000000000001","other":"x"}\n',
    ],
)
def test_no_line(line: bytes) -> None:
    """What was not written so is not read, and nothing raises."""
    assert read_line(line) is None


def test_found_by_number(tmp_path: Path, keys: Keys) -> None:
    """A record's content is found over segments that size and hour begin, and over processes."""
    writer = open_writer(tmp_path, segment_bytes=100)
    records = put(writer, keys, 1, 2)
    records += put(writer, keys, 3, 4)
    records += put(writer, keys, 7)
    writer.close()
    later = open_writer(tmp_path, now=NOON + HOUR)
    records += put(later, keys, 8)
    later.close()
    contents = Contents(tmp_path, keys)
    assert [contents.of(one).content for one in records] == [b"body %d" % n for n in (1, 2, 3, 4, 7, 8)]
    assert [one.first for one in segments(tmp_path / "content" / NAME)] == [1, 3, 7, 8]
    assert [path.stat().st_mode & 0o777 for path in files(tmp_path)] == [0o600] * 4
    assert (tmp_path / "content" / NAME).stat().st_mode & 0o777 == 0o700


def test_few_indexes_are_remembered(tmp_path: Path, keys: Keys) -> None:
    """Reading back and forth over more segments than are remembered finds everything."""
    writer = open_writer(tmp_path, segment_bytes=1)
    records = [one for number in range(1, 10) for one in put(writer, keys, number)]
    contents = Contents(tmp_path, keys)
    for one in [*records, *reversed(records)]:
        assert contents.of(one) == Content("kept", "full", b"body %d" % one["seq"])


def test_torn_tail(tmp_path: Path, keys: Keys) -> None:
    """The rest of a write is cut off at the next start, however long it is, and nothing else."""
    writer = open_writer(tmp_path)
    [first] = put(writer, keys, 1)
    writer.close()
    [path] = files(tmp_path)
    whole = path.read_bytes()
    for torn in (b'{"id":"', b"\0" * 200_000, whole[:-1]):
        path.write_bytes(whole + torn)
        open_writer(tmp_path).close()
        assert path.read_bytes() == whole
    path.write_bytes(b"x" * 100_000)
    again = open_writer(tmp_path)
    assert path.read_bytes() == b""
    put(again, keys, 1)
    assert Contents(tmp_path, keys).of(first).state == "kept"


@pytest.mark.parametrize("call", ["write", "fdatasync"])
def test_failed_write(tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """What fails is cut back, told with the place, and made again: once, not twice."""
    writer = open_writer(tmp_path)
    records = put(writer, keys, 1)
    real = getattr(os, call)

    def failing(fd: int, *rest: Any) -> int:
        if call == "write":
            real(fd, rest[0][:5])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, failing)
    kept = keep_full(keys, identity(2), b"body 2")
    writer.add(kept.line)
    for _ in range(3):
        with pytest.raises(AuditError, match=rf"{files(tmp_path)[0].name}: cannot keep content in: No space"):
            writer.flush(2)
    assert files(tmp_path)[0].read_bytes() == keep_full(keys, identity(1), b"body 1").line
    monkeypatch.undo()
    writer.flush(2)
    writer.flush(3)
    lines = files(tmp_path)[0].read_bytes().splitlines(keepends=True)
    assert lines == [keep_full(keys, identity(1), b"body 1").line, kept.line]
    assert Contents(tmp_path, keys).of(records[0]).state == "kept"


def test_folder_cannot_be_used(tmp_path: Path) -> None:
    """A file in the place of the folder is an operator's fault, and told so."""
    (tmp_path / "content").write_text("")
    with pytest.raises(AuditError, match="cannot keep content in: "):
        open_writer(tmp_path)


def test_segment_cannot_be_begun(tmp_path: Path, keys: Keys) -> None:
    """A folder that is gone is told, and what waits is written when it is back."""
    writer = open_writer(tmp_path)
    folder = tmp_path / "content" / NAME
    folder.rmdir()
    kept = keep_full(keys, identity(1), b"body 1")
    writer.add(kept.line)
    with pytest.raises(AuditError, match="cannot begin a segment of content in: No such file"):
        writer.flush(1)
    folder.mkdir()
    writer.flush(1)
    assert Contents(tmp_path, keys).of(record(1, kept)).content == b"body 1"


def test_clock_set_back(tmp_path: Path, keys: Keys) -> None:
    """Names go on sorting in the order of the chain."""
    clock = [NOON]
    writer = ContentWriter(tmp_path, NAME, now=lambda: clock[0])
    records = put(writer, keys, 1)
    clock[0] -= 2 * HOUR
    records += put(writer, keys, 2)
    clock[0] += 3 * HOUR
    records += put(writer, keys, 3)
    assert [one.first for one in segments(tmp_path / "content" / NAME)] == [1, 3]
    contents = Contents(tmp_path, keys)
    assert {contents.of(one).state for one in records} == {"kept"}


def test_not_kept_and_changed(tmp_path: Path, keys: Keys) -> None:
    """Content that is not what the record says is never shown as the record's."""
    writer = open_writer(tmp_path)
    one, other = put(writer, keys, 1, 2)
    contents = Contents(tmp_path, keys)
    assert contents.of({"stream": NAME, "seq": 1, "id": identity(1)}) == NONE
    assert contents.of({**one, "content": other["content"]}) == CHANGED
    assert contents.of({**one, "id": identity(3)}) == ERASED
    assert contents.of({**one, "stream": "../../etc"}) == ERASED
    path = files(tmp_path)[0]
    path.write_bytes(path.read_bytes().replace(b"body 2", b"body X"))
    assert contents.of(one).state == "kept"
    assert contents.of(other) == CHANGED
    assert Contents(tmp_path, Keys(tmp_path / "others")).of(one) == CHANGED


def test_older_keys(tmp_path: Path, keys: Keys) -> None:
    """What was kept under a key that is not in use any more is still proven."""
    [one] = put(open_writer(tmp_path), keys, 1)
    keys.rotate()
    assert Contents(tmp_path, Keys(tmp_path)).of(one).state == "kept"


def test_erase(tmp_path: Path, keys: Keys) -> None:
    """One request's content goes, all of its bytes, wherever it stands; the writer goes on meanwhile."""
    writer = open_writer(tmp_path)
    one, other = put(writer, keys, 1, 2)
    writer.add(keep_full(keys, identity(1), b"body 1").line)  # written twice, as after a failed commit
    writer.flush(3)
    assert erase(tmp_path, identity(1))
    [third] = put(writer, keys, 3)
    contents = Contents(tmp_path, keys)
    assert (contents.of(one), contents.of(other).state, contents.of(third).state) == (ERASED, "kept", "kept")
    content = files(tmp_path)[0].read_bytes()
    assert b"body 1" not in content
    assert identity(1).encode() not in content
    assert not erase(tmp_path, identity(1))
    assert not erase(tmp_path / "nothing", identity(1))
    with pytest.raises(AuditError, match="is not the id of a request"):
        erase(tmp_path, '"}\n')


def test_erased_while_read(tmp_path: Path, keys: Keys) -> None:
    """Content that is erased after a reader has looked where it is, is erased for that reader, too."""
    one, other = put(open_writer(tmp_path), keys, 1, 2)
    contents = Contents(tmp_path, keys)
    assert contents.of(one).state == "kept"
    erase(tmp_path, identity(1))
    assert contents.of(one) == ERASED
    files(tmp_path)[0].unlink()
    assert contents.of(other) == ERASED


def test_prune(tmp_path: Path, keys: Keys) -> None:
    """Whole hours go once all of them is old enough; the writer begins a new file, and records say erased."""
    clock = [NOON - NOON % HOUR + 60]
    writer = ContentWriter(tmp_path, NAME, now=lambda: clock[0])
    [old] = put(writer, keys, 1)
    assert prune_content(tmp_path, clock[0]).files == 0
    clock[0] += HOUR
    assert prune_content(tmp_path, clock[0] - 61).files == 0
    size = files(tmp_path)[0].stat().st_size
    assert prune_content(tmp_path, clock[0] - 60) == (1, size)
    [new] = put(writer, keys, 2)
    contents = Contents(tmp_path, keys)
    assert (contents.of(old), contents.of(new).state) == (ERASED, "kept")
    assert prune_content(tmp_path / "nothing", NOON) == (0, 0)
