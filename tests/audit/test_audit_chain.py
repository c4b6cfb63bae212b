"""Lines of the ledger: sealed, taken apart, and no other byte sequence accepted in their place."""

from __future__ import annotations

import json
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from gateway.audit.chain import ROOT, SEAL_LENGTH, Link, follows, seal, unseal

STREAM = b"0123456789abcdef.0"
LINE, LINK = seal(STREAM, ROOT, b'"kind":"lifecycle","event":"started"')


def test_a_line_is_what_the_documents_say() -> None:
    """One JSON object; hash is the SHA-256 of what is before it, prev the hash of the line before."""
    record = json.loads(LINE)
    assert list(record) == ["v", "stream", "seq", "prev", "kind", "event", "hash"]
    assert (record["v"], record["stream"], record["seq"], record["prev"]) == (1, STREAM.decode(), 1, "0" * 64)
    covered, _, _ = LINE.partition(b',"hash":')
    assert record["hash"] == sha256(covered).hexdigest() == LINK.hash.decode()
    following, link = seal(STREAM, LINK, b'"kind":"config"')
    assert json.loads(following)["prev"] == record["hash"]
    assert link.seq == 2


def test_lines_come_apart_again() -> None:
    """What was sealed is told whole."""
    sealed = unseal(LINE)
    assert sealed is not None
    assert sealed.link == LINK == follows(LINE, STREAM, ROOT)
    assert sealed.members == b'"kind":"lifecycle","event":"started"'
    assert len(LINE) - SEAL_LENGTH == LINE.index(b',"hash":')


def test_every_flipped_bit_shows() -> None:
    """No line that differs in one bit is taken for a sealed one; nor is one that was cut or is longer."""
    for place in range(len(LINE)):
        for bit in range(8):
            changed = bytearray(LINE)
            changed[place] ^= 1 << bit
            assert unseal(bytes(changed)) is None
            assert follows(bytes(changed), STREAM, ROOT) is None
        assert unseal(LINE[:place]) is None
        assert follows(LINE[:place], STREAM, ROOT) is None
    assert unseal(LINE + b"\n") is None


def test_only_the_next_line_follows() -> None:
    """Another number, another hash before it or another stream does not follow, sealed though it is."""
    second, link = seal(STREAM, LINK, b'"kind":"config"')
    assert follows(second, STREAM, LINK) == link
    for last in (ROOT, link, Link(LINK.seq, b"1" * 64), Link(LINK.seq + 1, LINK.hash)):
        assert follows(second, STREAM, last) is None
    assert follows(second, b"0123456789abcdef.1", LINK) is None


@given(st.binary(max_size=300))
def test_nothing_else_is_a_line(content: bytes) -> None:
    """Arbitrary bytes are no line, and nothing raises."""
    assert unseal(content) is None
    assert unseal(LINE[:100] + content) is None or LINE[:100] + content == LINE
