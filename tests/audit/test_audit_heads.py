"""Heads that are kept elsewhere: written, read again, and read with a tolerant eye."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.audit.chain import Link
from gateway.audit.faults import AuditError
from gateway.audit.heads import current_heads, read_heads, write_heads
from gateway.audit.verify import verify
from gateway.errors import ConfigError
from tests.support.ledgers import NAME, OTHER, made_up, write

if TYPE_CHECKING:
    from pathlib import Path

ONE = Link(7, b"a" * 64)


def test_heads_are_those_that_verify_finds(tmp_path: Path) -> None:
    """Of every stream, whatever stands behind its last sound line; a stream without records has none."""
    write(tmp_path, made_up(30), segment_bytes=5000)
    write(tmp_path, made_up(5), OTHER)
    (tmp_path / "ledger" / "0123456789abcdef.ops").mkdir()
    heads = current_heads(tmp_path)
    assert heads == verify(tmp_path).heads
    assert set(heads) == {NAME, OTHER}
    last = max((tmp_path / "ledger" / OTHER).glob("*.jsonl"))
    last.write_bytes(last.read_bytes() + b'{"v":1,')
    assert current_heads(tmp_path) == heads


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    """Also with more of the same stream from another day, comments, and what editors do to a file."""
    heads = {NAME: ONE, OTHER: Link(12, b"b" * 64)}
    path = tmp_path / "heads"
    path.write_text(write_heads(heads))
    assert read_heads(path) == {name: {link} for name, link in heads.items()}
    later = f"\ufeff# monday\r\n\r\n  {NAME}\t9   {'C' * 64}  # tuesday\r\n"
    path.write_bytes(later.encode() + path.read_bytes().rstrip(b"\n"))
    assert read_heads(path) == {NAME: {ONE, Link(9, b"c" * 64)}, OTHER: {heads[OTHER]}}


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", ["0:0: there are no heads in it"]),
        ("# none\n\n", ["0:0: there are no heads in it"]),
        (f"{NAME} 7\n\nx 7 {'a' * 64}\n", [
            "1:1: expected a stream, a number and a hash",
            "3:1: the first word is not the name of a stream, such as 0123456789abcdef.0",
        ]),
        (f"{NAME} 0 {'a' * 64}\n{NAME} 7 {'a' * 63}\n{NAME} 7 {'g' * 64}", [
            "1:1: the second word is not the number of a record",
            "2:1: the third word is not a hash of 64 hexadecimal digits",
            "3:1: the third word is not a hash of 64 hexadecimal digits",
        ]),
        ("\x00\udcff", ["1:1: expected a stream, a number and a hash"]),
    ],
)  # fmt: skip
def test_what_is_no_head_is_told_by_its_line(tmp_path: Path, text: str, faults: list[str]) -> None:
    """All faults at once; a file that proves nothing is one, too."""
    path = tmp_path / "heads"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConfigError) as caught:
        read_heads(path)
    assert [str(fault).removeprefix(f"{path}:") for fault in caught.value.faults] == faults


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file or directory"):
        read_heads(tmp_path / "none")


def test_a_segment_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "ledger" / NAME / "0000000000000000001-20270115T08.jsonl").mkdir(parents=True)
    with pytest.raises(AuditError, match=r"jsonl: cannot read: Not a regular file\.$"):
        current_heads(tmp_path)
