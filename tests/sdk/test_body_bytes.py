"""The upstream gets exactly the body bytes that the client sent, however they were written and framed."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.program import MESSAGES, Program, write_config
from tests.support.raw import RawConnection
from tests.support.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tests.support.framing import Request

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEAD = f"POST {MESSAGES} HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n".encode()


class Way:
    """From a client's connection, which is kept, through a gateway to the recording upstream."""

    def __init__(self, connection: RawConnection, upstream: Recorder) -> None:
        self._connection = connection
        self._upstream = upstream

    async def send(self, *pieces: bytes) -> Request:
        """Send a request in pieces, check that it was answered well, and give it as it arrived."""
        start, before = len(self._connection.received), len(self._upstream.requests)
        await self._connection.send(*pieces)
        [response] = await self._connection.read_responses(start=start)
        assert response.status == 200, response.body
        requests = self._upstream.requests
        assert len(requests) == before + 1
        return requests[-1]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def way(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Way]:
    """Run one gateway before one recording upstream, and connect to it."""
    async with Recorder() as upstream:
        path = write_config(tmp_path_factory.mktemp("bytes") / "gateway.yaml", upstream.port)
        with Program("serve", "-c", str(path)) as gateway:
            gateway.started()
            async with RawConnection(gateway.port) as connection:
                yield Way(connection, upstream)


def sized(body: bytes) -> bytes:
    """Frame a body with its length."""
    return HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body


def in_chunks(body: bytes, cuts: Sequence[int], extension: bytes = b"") -> bytes:
    """Frame a body in chunks that end at ``cuts`` and at its end."""
    bounds = sorted({0, len(body), *cuts})
    chunks = [body[start:end] for start, end in pairwise(bounds)]
    framed = b"".join(b"%x%b\r\n%b\r\n" % (len(chunk), extension, chunk) for chunk in chunks)
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"


BODIES = {
    "plain": b'{"role": "user", "content": "Hello"}',
    "beyond the BMP": '{"role":"user","content":"👋🏽 𝔊𝔯üß 你好 \U0010ffff"}'.encode(),
    "escaped beyond the BMP": rb'{"role":"user","content":"\ud83d\udc4b \uD83D\uDC4B \u00e9 \u0000"}',
    "odd spacing": b'\r\n\t {  "role"\t:\n"user"\r\n,"content":   "x"  }\n\n  ',
    "no spacing": b'{"role":"user","content":"x","metadata":null}',
    "escapes where none are needed": rb'{"r\u006fle": "us\u0065r", "content": "\/\u0061\"\\\b\f\n\r\t"}',
    "keys in another order": b'{"metadata":{"z":"1"},"file_ids":["b","a"],"content":"x","role":"user"}',
    "line separators and DEL": '{"role":"user","content":"\u2028\u2029\x7f\u0085\ufeff"}'.encode(),
    "CRLF and zero chunks inside": rb'{"role":"user","content":"\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n"}',
    "as large as it gets": b'{"role":"user","content":"%b"}' % ("🧮" * 32768).encode(),
}


@pytest.mark.parametrize("name", BODIES)
async def test_sized_bodies(way: Way, name: str) -> None:
    """A body with Content-Length arrives as it was."""
    body = BODIES[name]
    request = await way.send(sized(body))
    assert request.body == body
    assert request.header("content-length") == str(len(body))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 1000, 65536])
@pytest.mark.parametrize("name", ["beyond the BMP", "odd spacing", "CRLF and zero chunks inside"])
async def test_chunked_bodies(way: Way, name: str, size: int) -> None:
    """A chunked body arrives as it was, whatever the chunks' size; upstream it has a length."""
    body = BODIES[name]
    request = await way.send(in_chunks(body, range(0, len(body), size)))
    assert request.body == body
    assert not request.chunked


async def test_a_large_chunked_body(way: Way) -> None:
    """Chunks that come in many reads, and cut characters in two, are put together again."""
    body = BODIES["as large as it gets"]
    request = await way.send(in_chunks(body, range(0, len(body), 4093), b";name=value"))
    assert request.body == body


@pytest.mark.parametrize("name", ["beyond the BMP", "odd spacing"])
async def test_byte_by_byte(way: Way, name: str) -> None:
    """A request in which each byte comes in a write of its own arrives as it was."""
    for framed in (sized(BODIES[name]), in_chunks(BODIES[name], [5, 6])):
        request = await way.send(*(framed[place : place + 1] for place in range(len(framed))))
        assert request.body == BODIES[name]


async def test_two_in_one_write(way: Way) -> None:
    """Requests that arrive together do not mix."""
    first, second = BODIES["beyond the BMP"], BODIES["odd spacing"]
    start = len(way._connection.received)
    before = len(way._upstream.requests)
    await way._connection.send(in_chunks(first, [3]) + sized(second) + in_chunks(first, []))
    responses = await way._connection.read_responses(3, start=start)
    assert [response.status for response in responses] == [200] * 3
    assert [request.body for request in way._upstream.requests[before:]] == [first, second, first]


_space = st.text(" \t\r\n", max_size=3)
_text = st.text(st.characters(codec="utf-8"), max_size=40)
_message = st.fixed_dictionaries(
    {"role": st.just("user"), "content": st.text(st.characters(codec="utf-8"), min_size=1, max_size=200)},
    optional={
        "file_ids": st.lists(_text, min_size=1, max_size=10),
        "metadata": st.none() | st.dictionaries(_text, _text, max_size=16),
    },
)


@st.composite
def written(draw: st.DrawFn) -> bytes:
    """Write a valid message in one of the many ways that JSON leaves open."""
    return (_written(draw, draw(_message)) + draw(_space)).encode()


def _written(draw: st.DrawFn, value: Any) -> str:
    match value:
        case str():
            text = _string(draw, value)
        case dict():
            members = draw(st.permutations(list(value.items())))
            inner = ",".join(
                f"{_written(draw, key)}{draw(_space)}:{_written(draw, one)}" for key, one in members
            )
            text = "{" + inner + draw(_space) + "}"
        case list():
            text = "[" + ",".join(_written(draw, one) for one in value) + draw(_space) + "]"
        case _:
            text = json.dumps(value)
    return draw(_space) + text + draw(_space)


def _string(draw: st.DrawFn, text: str) -> str:
    ascii_only, slashes = draw(st.booleans()), draw(st.booleans())
    written = json.dumps(text, ensure_ascii=ascii_only)
    return written.replace("/", "\\/") if slashes else written


@settings(max_examples=60)
@given(written(), st.lists(st.integers(1, 400), max_size=6), st.lists(st.integers(1, 800), max_size=4))
async def test_any_valid_body(way: Way, body: bytes, cuts: list[int], writes: list[int]) -> None:
    """Whatever valid body a client writes, in whatever chunks and packets: it arrives byte for byte."""
    chunk_cuts = [cut for cut in cuts if cut < len(body)]
    framed = in_chunks(body, chunk_cuts) if cuts else sized(body)
    bounds = sorted({0, len(framed), *(cut for cut in writes if cut < len(framed))})
    pieces = [framed[start:end] for start, end in pairwise(bounds)]
    request = await way.send(*pieces)
    assert request.body == body
