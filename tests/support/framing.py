"""Strict HTTP/1.1 framing for assertions, written apart from the code under test (RFC 9112).

Everything works on whole buffers and offsets; nothing is tolerated that RFC 9112 does not allow a sender
to send. :class:`Incomplete` means "so far so good, more is needed", any other :class:`Malformed` is final.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})(;[\t\x20-\x7e\x80-\xff]*)?")
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2}) ([\t\x20-\x7e\x80-\xff]*)")
_REQUEST = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e]+) HTTP/1\.([01])")

Fields = list[tuple[str, str]]


class Malformed(ValueError):
    """The bytes are not a well-formed HTTP/1.1 message."""


class Incomplete(Malformed):
    """The bytes are a well-formed beginning of a message."""


class Response(NamedTuple):
    """One response; ``headers`` in order, names as they came, values latin-1."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    reason: str = ""

    def header(self, name: str) -> str | None:
        """Give the one value of a header, None without; two raise ValueError."""
        return only(self.headers, name)


class Request(NamedTuple):
    """One request as it came; ``raw`` are its very bytes, ``body`` is without chunk framing."""

    method: str
    target: str
    minor: int
    headers: list[tuple[str, str]]
    body: bytes
    chunked: bool
    raw: bytes

    def header(self, name: str) -> str | None:
        """Give the one value of a header, None without; two raise ValueError."""
        return only(self.headers, name)


class Head(NamedTuple):
    """A start line, its fields, and the offset behind the empty line."""

    line: bytes
    fields: Fields
    end: int


def only(fields: Fields, name: str) -> str | None:
    """Give the one value of a field, None without; two raise ValueError."""
    values = [value for key, value in fields if key.lower() == name.lower()]
    if len(values) > 1:
        raise ValueError(f"{name} stands {len(values)} times: {values}")
    return values[0] if values else None


def read_head(content: bytes, start: int = 0) -> Head:
    """Read a start line and fields from ``start``."""
    end = content.find(b"\r\n\r\n", start)
    if end < 0:
        if re.search(rb"(?<!\r)\n|\r(?=[^\n])", content[start:]):
            raise Malformed(f"a bare CR or LF in a head: {content[start : start + 80]!r}")
        raise Incomplete(f"a head breaks off: {content[start : start + 80]!r}")
    line, *rest = content[start:end].split(b"\r\n")
    return Head(line, [_read_field(item) for item in rest], end + 4)


def read_body(content: bytes, head: Head) -> tuple[bytes, int] | None:
    """Read the body that the head announces: its bytes and the offset behind it; None for no body."""
    coding, length = only_framing(head.fields)
    if coding is not None:
        if coding.lower() != "chunked":
            raise Malformed(f"transfer coding {coding!r}")
        return read_chunks(content, head.end)
    if length is None:
        return None
    if not _LENGTH.fullmatch(length.encode("latin-1")):
        raise Malformed(f"Content-Length {length!r}")
    end = head.end + int(length)
    if len(content) < end:
        raise Incomplete(f"{len(content) - head.end} of {length} body bytes")
    return content[head.end : end], end


def only_framing(fields: Fields) -> tuple[str | None, str | None]:
    """Give Transfer-Encoding and Content-Length; both at once, or one twice, is malformed (section 6.3)."""
    try:
        coding, length = only(fields, "transfer-encoding"), only(fields, "content-length")
    except ValueError as error:
        raise Malformed(str(error)) from None
    if coding is not None and length is not None:
        raise Malformed("both Transfer-Encoding and Content-Length")
    return coding, length


def read_chunks(content: bytes, start: int) -> tuple[bytes, int]:
    """Read a chunked body (section 7.1): its bytes and the offset behind the trailers' empty line."""
    pieces: list[bytes] = []
    place = start
    while True:
        line, place = _read_line(content, place)
        match = _CHUNK.fullmatch(line)
        if match is None:
            raise Malformed(f"chunk size line {line!r}")
        size = int(match[1], 16)
        if size == 0:
            break
        if len(content) < place + size + 2:
            raise Incomplete("a chunk breaks off")
        if content[place + size : place + size + 2] != b"\r\n":
            raise Malformed("a chunk is longer than its size")
        pieces.append(content[place : place + size])
        place += size + 2
    while True:
        line, place = _read_line(content, place)
        if not line:
            return b"".join(pieces), place
        _read_field(line)


def read_request(content: bytes, start: int = 0) -> tuple[Request, int]:
    """Read one request from ``start``, and give the offset behind it."""
    head = read_head(content, start)
    match = _REQUEST.fullmatch(head.line)
    if match is None:
        raise Malformed(f"request line {head.line!r}")
    body, end = read_body(content, head) or (b"", head.end)
    return Request(
        match[1].decode("ascii"),
        match[2].decode("ascii"),
        int(match[3]),
        head.fields,
        body,
        only(head.fields, "transfer-encoding") is not None,
        content[start:end],
    ), end


def read_response(
    content: bytes, start: int = 0, *, head_only: bool = False, closed: bool = False
) -> tuple[Response, int]:
    """Read one response from ``start``, and give the offset behind it.

    ``head_only``: it answers a HEAD request. ``closed``: the connection ended, so a body without length
    ends there (section 6.3, rule 8); before that, such a body is incomplete.
    """
    head = read_head(content, start)
    match = _STATUS.fullmatch(head.line)
    if match is None:
        raise Malformed(f"status line {head.line!r}")
    status, reason = int(match[2]), match[3].decode("latin-1")
    if status < 200 or status in {204, 304} or head_only:
        if (status < 200 or status == 204) and only_framing(head.fields) != (None, None):
            raise Malformed(f"a {status} announces a body")  # RFC 9110 section 8.6, RFC 9112 section 6.1
        only_framing(head.fields)
        return Response(status, head.fields, b"", reason), head.end
    announced = read_body(content, head)
    if announced is None:
        if not closed:
            raise Incomplete("a body that ends with the connection")
        announced = content[head.end :], len(content)
    return Response(status, head.fields, announced[0], reason), announced[1]


def _read_line(content: bytes, start: int) -> tuple[bytes, int]:
    end = content.find(b"\r\n", start)
    if end < 0:
        if b"\n" in content[start:] or len(content) - start > 4096:
            raise Malformed(f"no line end in {content[start : start + 80]!r}")
        raise Incomplete("a line breaks off")
    return content[start:end], end + 2


def _read_field(line: bytes) -> tuple[str, str]:
    name, colon, value = line.partition(b":")
    if not colon or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        raise Malformed(f"field line {line!r}")
    return name.decode("ascii"), value.strip(b" \t").decode("latin-1")
