"""The framing that judges others is itself held to RFC 9112."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.framing import Incomplete, Malformed, read_request, read_response
from tests.support.raw import parse_responses

GOOD = b"HTTP/1.1 200 OK\r\nA: b\r\na:  c \r\nContent-Length: 2\r\n\r\nhi"


def test_responses_in_a_row() -> None:
    """1xx, 204, lengths and chunks are split where the RFC splits them."""
    content = (
        b"HTTP/1.1 100 Continue\r\n\r\n"
        + GOOD
        + b"HTTP/1.1 204 \r\n\r\n"
        + b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: v\r\n\r\n"
        + b"HTTP/1.0 304 Not Modified\r\nContent-Length: 9\r\n\r\n"
        + b"HTTP/1.1 200 OK\r\n\r\nto the end"
    )
    found = parse_responses(content)
    assert [(item.status, item.body) for item in found] == [
        (100, b""),
        (200, b"hi"),
        (204, b""),
        (200, b"abc0123456789"),
        (304, b""),
        (200, b"to the end"),
    ]
    assert found[1].headers == [("A", "b"), ("a", "c"), ("Content-Length", "2")]
    assert found[1].reason == "OK"
    assert found[1].header("content-length") == "2"
    assert found[1].header("nothing") is None
    with pytest.raises(ValueError, match="stands 2 times"):
        found[1].header("A")


def test_an_answer_to_head_has_no_body() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    assert parse_responses(head, head=True)[0].body == b""
    with pytest.raises(Incomplete):
        parse_responses(head)


def test_a_body_without_length_needs_the_end() -> None:
    with pytest.raises(Incomplete):
        parse_responses(b"HTTP/1.1 200 OK\r\n\r\nx", closed=False)


@pytest.mark.parametrize(
    "content",
    [
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 200\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\nA: b\n\n",
        b"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: \x00\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nnothing\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\na\n0\n\n",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n",
        GOOD + b"!",
        GOOD + b"\r\n" + GOOD,
    ],
)
def test_malformed_responses(content: bytes) -> None:
    with pytest.raises(Malformed):
        parse_responses(content)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=4), st.data())
def test_chunks_and_their_prefixes(pieces: list[bytes], data: st.DataObject) -> None:
    """A chunked message gives its bytes back, and each of its proper prefixes is only incomplete."""
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    request = b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    read, end = read_request(request + b"next")
    assert (read.body, read.raw, end, read.chunked) == (b"".join(pieces), request, len(request), True)
    assert read_response(response)[0].body == b"".join(pieces)
    cut = data.draw(st.integers(0, len(request) - 1))
    with pytest.raises(Incomplete):
        read_request(request[:cut])
    cut = data.draw(st.integers(0, len(response) - 1))
    with pytest.raises(Incomplete):
        read_response(response[:cut], closed=True)


def test_requests() -> None:
    """A request without framing has no body; the next begins right behind it."""
    content = b"GET /a?b HTTP/1.1\r\nHost: x\r\n\r\nPUT * HTTP/1.0\r\nContent-Length: 1\r\n\r\ny"
    first, end = read_request(content)
    assert (first.method, first.target, first.minor, first.body) == ("GET", "/a?b", 1, b"")
    assert first.header("host") == "x"
    second, end = read_request(content, end)
    assert (second.method, second.minor, second.body, second.chunked, end) == (
        "PUT",
        0,
        b"y",
        False,
        len(content),
    )
    with pytest.raises(Malformed):
        read_request(b"GET  / HTTP/1.1\r\n\r\n")
