"""All targets by name: what is run, what it starts from, and the words it is good to know.

A target is a function of bytes that returns nothing and raises where its invariant is broken; its docstring
states the invariant. Everything that finds inputs, hypothesis and atheris, works from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from tests.core import json_cases
from tests.fuzz import answers, bodies, heads, judging, streams
from tests.sockets.answers import BAD
from tests.sockets.cases import CASES, CHUNK_BODIES, CHUNKED, CHUNKS
from tests.support.encoders import ENCODERS
from tests.support.examples import read_examples
from tests.support.plane import BODY, request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LONGEST_SEED: Final = 3000
"""Longer inputs are of no use to begin with: what a damaged one does shows in a short one."""


class Target(NamedTuple):
    """What is run, what gives the inputs to begin with, and words that inputs may be made of."""

    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    words: tuple[bytes, ...]


_HTTP: Final = (
    b"\r\n", b"\r", b"\n", b"\r\n\r\n", b"\x00", b" ", b"\t", b":", b";", b",", b"0", b"5", b"-1", b"chunked",
    b"0\r\n\r\n", b"1\r\na\r\n", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"X: y\r\n",
    b"Connection: close\r\n", b"Expect: 100-continue\r\n", b"Host: a\r\n", b"HTTP/1.0", b"HTTP/1.1", b"GET ",
    b"HEAD ", b"%2e", b"%2f", b"/../", b"?", b"http://a", b"\x80", b"a\xff\xff", b"a\xff\xf8", b"X:\xff\x80",
)  # fmt: skip
_JSON: Final = (
    b"{", b"}", b"[", b"]", b":", b",", b'"', b'""', b'{"a":1}', b"null", b"true", b"NaN", b"-0", b"-0.0",
    b"1e400", b"9223372036854775808", b"0.1", b"\\u0000", b"\\ud800", b"\\udc00", b"\\u003a", b"\\", b" ",
    b"\xef\xbb\xbf", b"\xff", b"\x00", b'"role"', b'"user"', b'"content"', b'"metadata"', b'"file_ids"',
    b'"messages"', b'"text"', b'"type"', b"\xc3\xa9", b"[[[[[[[[",
)  # fmt: skip
_FORM: Final = (
    b"--b", b"--b\r\n", b"--b--\r\n", b"\r\n\r\n", b"\r\n", b"\r", b"\n", b"Content-Disposition: form-data;",
    b'; name="s"', b"; filename=x", b"Content-Type: text/plain", b"application/json", b"charset=", b"utf-8",
    b"boundary=b", b"&", b"=", b"+", b"%00", b"%2B", b"%", b"[", b"]", b"[]", b"a", b"n", b"s=", b"o[n]=1",
    b"1.5", b"true", b";", b'"', b"\\", b"*", b"\xff",
)  # fmt: skip
_PART: Final = b'--b\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n--b--\r\n'
_FORMS: Final = (
    b"s=a&n=1", b"a[]=x&a[]=y", b"o[n]=1&s=a+b%20c", b"n=true&n=false", b"s", b'o={"n":1}', b"x[y][z]=1",
)  # fmt: skip
_PARTS: Final = (
    _PART % (b"s", b"", b"text"),
    _PART % (b"n", b"", b"1"),
    _PART % (b"o", b"\r\nContent-Type: application/json", b'{"n": 1}'),
    _PART % (b"s", b'; filename="a.png"\r\nContent-Type: image/png', b"\x89PNG\r\n"),
    (_PART % (b"a[]", b"", b"x")).replace(b"--b--\r\n", b"")
    + _PART % (b"a[]", b"\r\nContent-Length: 1", b"y"),
)
_LONG: Final = b"0123456789abcdefghijklmnopqrstuvwxyz"
"""More than a refusal may repeat, as a value, as a key and as a key in a key."""
_SHORT: Final = (
    *_FORMS[:2], *_PARTS[:2], b'{"a":1}', b'{"%b": {"%b": 1}, "role": "%b"}' % ((_LONG,) * 3),
    b'{"role": {"%b": []}, "metadata": {"%b": 1}, "messages": [{"%b": 1}]}' % ((_LONG,) * 3),
    b"%b=%b&purpose[%b]=%b" % ((_LONG,) * 4), _PART % (_LONG, b"", _LONG),
)  # fmt: skip
_MEDIA_TYPES: Final = (
    b"application/json; charset=utf-8", b'multipart/form-data; boundary="a b"', b"text/plain;charset=x;y=z",
)  # fmt: skip
_ANSWERS: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\nETag: x\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nConnection: close, x\r\nX: y\r\nX-Request-Id: 1\r\n\r\nabc",
    streams.ANSWER,
)


def _requests() -> list[bytes]:
    return [case.raw for case in CASES]


def _streams() -> list[bytes]:
    """Give single requests, and rows of good and refused ones."""
    odd = request(b"POST /v1/x", body=b"GET / HTTP/1.1\r\n\r\n") + request(b"GET /v1/messages", body=b"")
    chunked = request(framing=CHUNKED, body=CHUNKS)
    encoded = [
        request(b"POST /v1/messages", b"Content-Encoding: " + coding.encode(), body=encode(BODY))
        for coding, encode in ENCODERS.items()
    ]
    return [
        *_requests(),
        *encoded,
        request() + odd + b"\r\n" + chunked + request(body=b"{}"),
        chunked * 3,
        odd * 2,
    ]


def _answers() -> list[bytes]:
    return [*_ANSWERS, *BAD.values(), *(streams.ANSWER + answer for answer in _ANSWERS[:2])]


def _json() -> list[bytes]:
    return [raw for raw, _ in (*json_cases.ACCEPTED.values(), *json_cases.REFUSED.values())]


def _decisions() -> list[bytes]:
    """Give inputs for all four ways to make a request; see :func:`judging.request_of`."""
    examples = [example for pack in judging.PACKS for example in read_examples(pack)]
    good = [example.body for example in examples if example.body and example.status is None]
    places = range(len(judging.heads()))
    found = [b"\0\0" + example.raw_head + example.body for example in examples]
    found += [b"\0\0" + raw for raw in _requests()]
    found += [b"\1%c%b" % (place, body) for place in places for body in _SHORT]
    found += [b"\1%c%b" % (index % len(places), body + b" \r\n") for index, body in enumerate(good)]
    found += [b"\2\0/v1/threads\nX: y\napplication/json\n" + body for body in good[:20]]
    found += [b"\2\0/v1/%b?%b=%b\n%b: %b\na/%b\n" % ((_LONG,) * 6), b"\2\0/v1/threads?%b\n\n\n" % _LONG]
    for number, encode in enumerate(ENCODERS.values()):
        found += [b"%c%c%b" % (3 + 4 * number, index, encode(body)) for index, body in enumerate(good[:9])]
    return found


TARGETS: Final = {
    "decide": Target(judging.judge, _decisions, _HTTP + _JSON + _FORM),
    "downstream": Target(streams.downstream, lambda: _after(b"\0\0", _streams()), _HTTP),
    "upstream": Target(streams.upstream, lambda: _after(b"\0\0", _answers()), _HTTP),
    "response": Target(answers.response, lambda: _after(b"\0\0", _answers()), _HTTP),
    "head": Target(heads.read, lambda: _after(b"\0\0", _requests()), _HTTP),
    "chunked": Target(bodies.chunked, lambda: _after(b"\0\x40", CHUNK_BODIES.values()), _HTTP),
    "json": Target(judging.read_json, _json, _JSON),
    "form": Target(bodies.form, lambda: _FORMS, _FORM),
    "multipart": Target(bodies.multipart, lambda: _PARTS, _FORM),
    "media_type": Target(heads.media_type, lambda: _MEDIA_TYPES, _FORM),
}


def _after(first: bytes, inputs: Iterable[bytes]) -> list[bytes]:
    return [first + data for data in inputs]


def seeds(name: str) -> list[bytes]:
    """Give the inputs that a target starts from, in order, none twice."""
    return [data for data in dict.fromkeys(TARGETS[name].seeds()) if len(data) <= LONGEST_SEED]
