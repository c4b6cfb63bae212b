"""What a case is, and how its bytes are made."""

from __future__ import annotations

from typing import NamedTuple

from tests.support.plane import BODY, request


class Case(NamedTuple):
    """A request, and its answer: status, refusal code (None: served), whether the connection ends."""

    name: str
    raw: bytes
    status: int
    code: str | None
    closed: bool


POST = b"POST /v1/messages"
CHUNKED = b"Transfer-Encoding: chunked"
CHUNKS = b"4\r\n" + BODY[:4] + b"\r\n%x\r\n" % len(BODY[4:]) + BODY[4:] + b"\r\n0\r\n\r\n"
LENGTH = b"Content-Length: %d" % len(BODY)
CONTINUE = b"Expect: 100-continue"
DROPPED = b"dropped-on-the-way"
"""Stands in served requests where nothing may go upstream."""


def chunks(body: bytes) -> bytes:
    return request(body=body, framing=CHUNKED)


def get(target: bytes, *headers: bytes, host: bytes = b"gateway.test") -> bytes:
    return request(b"GET " + target, *headers, body=b"", host=host)


def line(text: bytes) -> bytes:
    """Make a request of a line of its own and a Host."""
    return text + b"\r\nHost: gateway.test\r\n\r\n"


def bad(name: str, raw: bytes, status: int = 400, code: str = "bad_request") -> Case:
    return Case(name, raw, status, code, closed=True)


def kept(name: str, raw: bytes, status: int, code: str) -> Case:
    return Case(name, raw, status, code, closed=False)


def good(name: str, raw: bytes, *, closed: bool = False) -> Case:
    return Case(name, raw, 200, None, closed)
