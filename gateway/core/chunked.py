"""Chunked transfer coding (RFC 9112 section 7.1), read strictly. Pure.

Stricter than the grammar where parsers differ: no white space around a size, no bare LF, sizes of at
most eight hexadecimal digits, no quotation mark in an extension without its counterpart. Chunk extensions are
bounded and dropped, trailers too.
"""

from __future__ import annotations

import re
from typing import Final

MAX_SIZE_LINE: Final = 256
"""Longest line with a chunk's size and extensions in bytes, its CRLF counted."""
MAX_TRAILERS: Final = 8 * 1024
"""Longest trailer section in bytes."""
MAX_SMALL_CHUNKS: Final = 4096
"""How many chunks may be small; beyond, they have to be ``MIN_CHUNK`` bytes on average.

A chunk costs the same whatever its size: a body in a million of them would keep everybody waiting.
"""
MIN_CHUNK: Final = 32

_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED: Final = rb'"(?:[\t !#-\[\]-~]|\\[\t -~])*"'
_EXTENSION: Final = rb";[ \t]*" + _TOKEN + rb"(?:[ \t]*=[ \t]*(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?"
_SIZE_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,8})(?:" + _EXTENSION + rb")*\r\n")
_TRAILERS: Final = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~\x80-\xff]*\r\n)*\r\n")


_PARTIAL_SIZE_LINE: Final = re.compile(rb"[0-9A-Fa-f]{0,8}|[0-9A-Fa-f]{1,8}(?:;[\t -~]*)?\r?")
_PARTIAL_TRAILERS: Final = re.compile(
    rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~\x80-\xff]*\r\n)*"
    rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]*|[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~\x80-\xff]*\r?|\r)"
)


class ChunkedFault(Exception):
    """The chunked coding is broken: where the body ends cannot be known."""


class BodyTooLarge(Exception):
    """The chunks hold more than the body may."""


class ChunkedBody:
    """Takes a chunked body apart as it arrives.

    ``done`` is true once the last chunk and the trailers were read; ``rest`` then holds the bytes after.
    """

    __slots__ = ("_body", "_buffer", "_chunks", "_limit", "_missing", "_state", "_total", "done", "rest")

    def __init__(self, limit: int) -> None:
        """Begin a body of at most ``limit`` bytes."""
        self._limit = limit
        self._buffer = b""
        self._body = bytearray()
        self._state = ChunkedBody._read_size
        self._total = 0
        self._chunks = 0
        self._missing = 0
        self.done = False
        self.rest = b""

    @property
    def received(self) -> int:
        """Body bytes so far."""
        return len(self._body)

    def body(self) -> bytes:
        """Give the body as far as it was read."""
        return bytes(self._body)

    def feed(self, data: bytes) -> None:
        """Read on; ChunkedFault where the coding is broken, BodyTooLarge where the body passes the limit."""
        buffer = self._buffer + data if self._buffer else data
        at = 0
        while not self.done:
            step = self._state(self, buffer, at)
            if step == 0:
                break
            at += step
        self._buffer = b""
        if self.done:
            self.rest = buffer[at:]
        else:
            self._buffer = buffer[at:]

    # The states. Each gives the number of bytes that it took, 0 for "not enough yet".

    def _read_size(self, buffer: bytes, at: int) -> int:
        match = _SIZE_LINE.match(buffer, at)
        if match is None:
            if len(buffer) - at >= MAX_SIZE_LINE or _PARTIAL_SIZE_LINE.fullmatch(buffer, at) is None:
                raise ChunkedFault
            return 0
        if match.end() - at > MAX_SIZE_LINE:
            raise ChunkedFault
        size = int(match[1], 16)
        self._total += size
        if self._total > self._limit:
            raise BodyTooLarge
        self._chunks += 1
        if self._chunks > MAX_SMALL_CHUNKS + self._total // MIN_CHUNK:
            raise ChunkedFault
        self._missing = size
        self._state = ChunkedBody._read_bytes if size else ChunkedBody._read_trailers
        return match.end() - at

    def _read_bytes(self, buffer: bytes, at: int) -> int:
        piece = buffer[at : at + self._missing]
        self._body += piece
        self._missing -= len(piece)
        if self._missing == 0:
            self._state = ChunkedBody._read_end_of_chunk
        return len(piece)

    def _read_end_of_chunk(self, buffer: bytes, at: int) -> int:
        end = buffer[at : at + 2]
        if not b"\r\n".startswith(end):
            raise ChunkedFault
        if len(end) < 2:
            return 0
        self._state = ChunkedBody._read_size
        return 2

    def _read_trailers(self, buffer: bytes, at: int) -> int:
        match = _TRAILERS.match(buffer, at)
        if match is not None and match.end() - at <= MAX_TRAILERS:
            self.done = True
            return match.end() - at
        if len(buffer) - at > MAX_TRAILERS or _PARTIAL_TRAILERS.fullmatch(buffer, at) is None:
            raise ChunkedFault
        return 0
