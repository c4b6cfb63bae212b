"""The chunked coding: one answer however the bytes are cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.chunked import (
    MAX_SIZE_LINE,
    MAX_SMALL_CHUNKS,
    MAX_TRAILERS,
    MIN_CHUNK,
    BodyTooLarge,
    ChunkedBody,
    ChunkedFault,
)
from tests.sockets.cases import CHUNK_BODIES

LIMIT = 64


def read(pieces: list[bytes], limit: int = LIMIT) -> tuple[str, bytes, bytes]:
    """Feed pieces: how it ended, the body, and what is left over."""
    body = ChunkedBody(limit)
    for number, piece in enumerate(pieces):
        try:
            body.feed(piece)
        except ChunkedFault:
            return "fault", body.body(), b""
        except BodyTooLarge:
            return "too large", body.body(), b""
        assert body.received == len(body.body()) <= limit
        if body.done:
            return "done", body.body(), body.rest + b"".join(pieces[number + 1 :])
    return "more", body.body(), b""


GOOD = {
    b"0\r\n\r\n": b"",
    b"5\r\nhello\r\n0\r\n\r\n": b"hello",
    b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n": b"hello",
    b"A\r\n0123456789\r\n00000000\r\n\r\n": b"0123456789",
    b"a;x;y=z\r\n0123456789\r\n0;end\r\nX-A: b\r\nX-B:\r\n\r\n": b"0123456789",
    b"2\r\n\r\n\r\n0\r\n\r\n": b"\r\n",
    b"40\r\n" + b"x" * 64 + b"\r\n0\r\n\r\n": b"x" * 64,
}


@pytest.mark.parametrize(("raw", "body"), GOOD.items())
def test_good(raw: bytes, body: bytes) -> None:
    """Whole, in two pieces and byte by byte: the same body, and the bytes after it untouched."""
    rest = b"GET / HTTP/1.1"
    expected = ("done", body, rest)
    assert read([raw + rest]) == expected
    assert read([b"%c" % byte for byte in raw + rest]) == expected
    for cut in range(len(raw)):
        assert read([raw[:cut], raw[cut:] + rest]) == expected
        assert read([raw[:cut]])[0] == "more"


@pytest.mark.parametrize("raw", CHUNK_BODIES.values(), ids=CHUNK_BODIES)
def test_bad(raw: bytes) -> None:
    """Broken codings are found however they are cut."""
    assert read([raw], 10_000)[0] == "fault"
    assert read([b"%c" % byte for byte in raw], 10_000)[0] == "fault"


@pytest.mark.parametrize("raw", [b"41\r\n", b"ffffffff\r\n", b"40\r\n" + b"x" * 64 + b"\r\n1\r\n"])
def test_too_large(raw: bytes) -> None:
    """A chunk that passes the limit is refused by its size line, before any of it is read."""
    assert read([raw])[0] == "too large"
    assert read([b"%c" % byte for byte in raw])[0] == "too large"
    assert read([raw[:-1]])[0] == "more"


def test_limits() -> None:
    """Extensions and trailers may be as long as said, and not a byte longer."""
    for extra, expected in ((0, "done"), (1, "fault")):
        line = b"0;" + b"a" * (MAX_SIZE_LINE - 4 + extra) + b"\r\n\r\n"
        trailers = b"0\r\nX:" + b"a" * (MAX_TRAILERS - 6 + extra) + b"\r\n\r\n"
        for raw in (line, trailers):
            assert read([raw])[0] == expected
            assert read([raw[: len(raw) // 2], raw[len(raw) // 2 :]])[0] == expected
            assert read([raw[:-1], raw[-1:]])[0] == expected


_PARTS = st.sampled_from(
    [b"\r\n", b"0\r\n", b"5\r\n", b"hello", b"3;a\r\n", b"\r", b"\n", b"0", b"1", b"X: y\r\n", b";", b"g"]
)


@given(
    parts=st.lists(_PARTS | st.sampled_from(list(GOOD)), max_size=8),
    cuts=st.lists(st.integers(0, 200), max_size=6),
)
def test_cuts_make_no_difference(parts: list[bytes], cuts: list[int]) -> None:
    """However a stream is cut, the result is the same."""
    raw = b"".join(parts)
    places = [0, *sorted(cut for cut in cuts if cut < len(raw)), len(raw)]
    whole = read([raw])
    pieces = [raw[a:b] for a, b in itertools.pairwise(places)]
    assert read(pieces)[0] == whole[0]
    assert read([b"%c" % byte for byte in raw])[0] == whole[0]
    if whole[0] == "done":
        assert read(pieces) == whole


def test_many_small_chunks_are_refused() -> None:
    """Each chunk costs the same: a body in very many tiny ones is broken off, an ordinary one is not."""
    body = ChunkedBody(1 << 20)
    with pytest.raises(ChunkedFault):
        body.feed(b"1\r\nX\r\n" * (1 << 20))
    assert body.received < MAX_SMALL_CHUNKS * 2
    most = MAX_SMALL_CHUNKS + MAX_SMALL_CHUNKS // (MIN_CHUNK - 1)  # of a byte, and the last one of none
    for count, expected in ((most, "done"), (most + 1, "fault")):
        assert read([b"1\r\nX\r\n" * (count - 1), b"0\r\n\r\n"], 1 << 20)[0] == expected
    lines = ChunkedBody(1 << 20)
    lines.feed(b"20\r\n" + b"x" * 32 + b"\r\n" * 1)
    lines.feed((b"20\r\n" + b"x" * 32 + b"\r\n") * 20_000 + b"0\r\n\r\n")
    assert lines.done
