"""The strict reader: one result however a response is cut, and nothing but ProtocolFault for bad ones."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.upstream.headers import ResponseHeaders
from gateway.upstream.reading import MAX_FIELDS, MAX_HEAD, ProtocolFault, ResponseReader
from tests.sockets.answers import BAD, LATE

if TYPE_CHECKING:
    from gateway.ports import ResponseHead


class Sink:
    """Keeps what the reader tells."""

    def __init__(self) -> None:
        self.head: ResponseHead | None = None
        self.flags: tuple[bool, bool] | None = None
        self.body = b""
        self.ended = False

    def read_head(self, head: ResponseHead, *, framed: bool, reusable: bool) -> None:
        assert self.head is None
        self.head = head
        self.flags = (framed, reusable)

    def read_body(self, chunk: bytes) -> None:
        assert self.head is not None
        assert not self.ended
        self.body += chunk

    def read_end(self) -> None:
        assert not self.ended
        self.ended = True


Result = tuple["ResponseHead | None", "tuple[bool, bool] | None", bytes, bool, bool]


def read(pieces: list[bytes], *, bodiless: bool = False) -> Result:
    """Read pieces: head, flags, body, whether it ended, whether it was refused."""
    sink = Sink()
    reader = ResponseReader(sink, ResponseHeaders())
    reader.expect(bodiless=bodiless)
    refused = False
    for piece in pieces:
        if sink.ended:
            break
        try:
            reader.feed(piece)
        except ProtocolFault:
            refused = True
            break
    return sink.head, sink.flags, sink.body, sink.ended, refused


def single(raw: bytes) -> list[bytes]:
    return [b"%c" % byte for byte in raw]


@pytest.mark.parametrize("raw", [*BAD.values(), *LATE.values()], ids=[*BAD, *LATE])
def test_bad(raw: bytes) -> None:
    """A malformed response is refused in whatever pieces it comes, and never ends."""
    for pieces in ([raw], single(raw) if len(raw) < 1000 else [raw[:1000], raw[1000:]]):
        _, _, _, ended, refused = read(pieces)
        assert refused
        assert not ended


GOOD = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-A: b\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nT: u\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 None\r\n\r\n",
    b"HTTP/1.0 404 \r\nConnection: keep-alive, x\r\nContent-Length:0\r\n\r\n",
    b"HTTP/1.1 500\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n",
]


@pytest.mark.parametrize("raw", GOOD)
def test_good(raw: bytes) -> None:
    """A good response ends exactly with its last byte, however it is cut."""
    whole = read([raw])
    assert whole[3:] == (True, False)
    assert read(single(raw)) == whole
    for cut in range(1, len(raw)):
        assert read([raw[:cut], raw[cut:]]) == whole
        assert read([raw[:cut]])[3:] == (False, False)


@pytest.mark.parametrize("more", [0, 1])
def test_limits(more: int) -> None:
    """A head, interim ones before it included, may be as large as said, and not a byte or field larger."""
    line, interim = b"HTTP/1.1 204 No Content\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"
    filled = line + b"X: " + b"a" * (MAX_HEAD - len(line) - 7 + more) + b"\r\n\r\n"
    behind = interim + filled.replace(b"a" * len(interim), b"", 1)
    assert len(filled) == len(behind) == MAX_HEAD + more
    for raw in (line + b"X: a\r\n" * (MAX_FIELDS + more) + b"\r\n", filled, behind):
        for pieces in ([raw], [raw[:30], raw[30:]], [raw[:-1], raw[-1:]]):
            *_, ended, refused = read(pieces)
            assert (ended, refused) == (not more, bool(more))


def test_until_the_end() -> None:
    """A response without length is said to end with its connection."""
    head, flags, body, ended, refused = read(single(b"HTTP/1.1 200 OK\r\n\r\nabc"))
    assert head is not None
    assert head.length is None
    assert (flags, body, ended, refused) == ((False, False), b"abc", False, False)


@pytest.mark.parametrize(
    "framing", [b"", b"Content-Length: 3\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n"]
)
def test_answers_to_head(framing: bytes) -> None:
    """An answer to HEAD ends with its head."""
    raw = b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n"
    for pieces in ([raw], single(raw)):
        _, _, body, ended, refused = read(pieces, bodiless=True)
        assert (body, ended, refused) == (b"", True, False)


def test_nothing_is_due() -> None:
    """Bytes before a request, or after a response, are refused."""
    sink = Sink()
    reader = ResponseReader(sink, ResponseHeaders())
    with pytest.raises(ProtocolFault):
        reader.feed(GOOD[0])
    reader = ResponseReader(sink, ResponseHeaders())
    reader.expect()
    with pytest.raises(ProtocolFault):
        reader.feed(GOOD[0] + GOOD[0])
    assert sink.ended
    with pytest.raises(ProtocolFault):
        reader.feed(b"x")


def test_one_response_after_the_other() -> None:
    """A reader reads the responses of many requests, each with what is its own."""
    sink = Sink()
    reader = ResponseReader(sink, ResponseHeaders())
    for raw in GOOD[:3] * 3:
        sink.__init__()  # type: ignore[misc]
        reader.expect()
        reader.feed(raw)
        assert (sink.head, sink.flags, sink.body, sink.ended, False) == read([raw])


_TOKENS = st.sampled_from(
    [
        b"\r\n",
        b"\r",
        b"\n",
        b"0",
        b"3",
        b" ",
        b":",
        b"X: y\r\n",
        b"\x00",
        b"\xff",
        b",",
        b"HTTP/1.1 200 OK\r\n",
    ]
)


@given(
    raw=st.sampled_from(GOOD),
    changes=st.lists(st.tuples(st.integers(0, 90), st.integers(0, 3), _TOKENS), max_size=2),
    cuts=st.lists(st.integers(1, 100), max_size=8),
)
def test_mutated(raw: bytes, changes: list[tuple[int, int, bytes]], cuts: list[int]) -> None:
    """A damaged response is read, refused or left waiting, alike however it is cut."""
    for at, drop, token in changes:
        raw = raw[:at] + token + raw[at + drop :]
    places = [0, *sorted(cut for cut in cuts if cut < len(raw)), len(raw)]
    whole = read([raw])
    cut = read([raw[a:b] for a, b in pairwise(places) if a < b])
    assert cut[3] == whole[3]
    if whole[3]:  # what follows the end is refused at once, or never looked at
        assert cut[:3] == whole[:3]
    else:
        assert cut[4] == whole[4]
    head = whole[0]
    if head is not None:
        assert head.block == b"" or head.block.endswith(b"\r\n")
        assert b"\n" not in head.block.replace(b"\r\n", b"")
        assert not set(head.reason) & {0, 10, 13}


@pytest.mark.parametrize(
    "piece",
    [
        pytest.param(b"X" * 1000 + b": y\r\n", id="trailers"),
        pytest.param(b"x" * 1000, id="one endless trailer or extension"),
    ],
)
def test_what_brings_no_body_has_an_end(piece: bytes) -> None:
    """Trailers and extensions without end are refused; a stream that goes on in small steps is not."""
    start = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"
    tail = b"0\r\n" if piece.endswith(b"\n") else b"1;"
    head, _, body, ended, refused = read([start, tail, *[piece] * 100])
    assert head is not None
    assert (body, ended, refused) == (b"x", False, True)
    steps = [part for _ in range(40_000) for part in (b"1\r\n", b"x\r\n")]
    _, _, body, ended, refused = read([start, *steps, b"0\r\n\r\n"])
    assert (len(body), ended, refused) == (40_001, True, False)


@pytest.mark.parametrize(
    "head", [b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked", b"HTTP/1.1 200 OK\r\nContent-Length: 003"]
)
def test_framing_that_others_read_differently(head: bytes) -> None:
    """A transfer coding in HTTP/1.0, and a length with leading zeros."""
    assert read([head + b"\r\n\r\n"])[-1]
