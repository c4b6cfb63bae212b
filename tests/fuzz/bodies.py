"""Targets ``chunked``, ``form`` and ``multipart``: bodies taken apart.

Each is compared with a reader that others wrote: h11 for chunks, ``urllib.parse`` for urlencoded forms,
``email`` for multipart ones.
"""

from __future__ import annotations

import gzip
import zlib
from email import message_from_bytes, policy
from typing import Any
from urllib.parse import parse_qsl

import brotli
import h11

from gateway.core.chunked import BodyTooLarge, ChunkedBody, ChunkedFault
from gateway.core.parse import JsonFault
from gateway.core.texts.forms import FormFault, read_form
from gateway.core.texts.multipart import read_multipart
from gateway.core.texts.reading import STRINGS
from gateway.core.types import Reading
from tests.fuzz.bytestreams import cuts, stretched, taken
from tests.support.encoders import zstd
from tests.support.framing import read_chunks

DECODERS = {
    b"gzip": gzip.decompress,
    b"x-gzip": gzip.decompress,
    b"deflate": zlib.decompress,
    b"br": brotli.decompress,
    b"zstd": zstd.decompress,
}
"""The libraries' ways to decode a body at once, by Content-Encoding in lower case."""
BOUNDARY = b"b"
HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
DEPTH = 8
_NUMBERS = Reading(frozenset(("integer", "number", "boolean", "null")))
_OBJECT = Reading(
    frozenset(("object",)),
    properties={
        "s": STRINGS,
        "n": _NUMBERS,
        "a": Reading(frozenset(("array",)), items=STRINGS),
        "o": Reading(frozenset(("object",)), properties={"n": _NUMBERS}),
    },
)


def chunked(data: bytes) -> None:
    """Invariant of ``chunked``: the same body, fault and rest however the bytes are cut.

    Where it is whole, h11 and the tests' own strict reader find the same body with the same end.
    """
    (seed, size), stream = taken(data, 2)
    stream = stretched(stream)
    limit = size * 64
    whole = _fed([stream], limit)
    for pieces in cuts(stream, bytes((seed, size))):
        assert _fed(pieces, limit) == whole
    how, body, rest = whole
    assert len(body) <= limit
    if how == "done":
        assert read_chunks(stream, 0) == (body, len(stream) - len(rest))
        assert _read_by_h11(stream) == (body, rest)


def _fed(pieces: list[bytes], limit: int) -> tuple[str, bytes, bytes]:
    reader = ChunkedBody(limit)
    for index, piece in enumerate(pieces):
        try:
            reader.feed(piece)
        except ChunkedFault:
            return "fault", reader.body(), b""
        except BodyTooLarge:
            return "too large", reader.body(), b""
        assert reader.received == len(reader.body())
        if reader.done:
            return "done", reader.body(), reader.rest + b"".join(pieces[index + 1 :])
    return "more", reader.body(), b""


def _read_by_h11(stream: bytes) -> tuple[bytes, bytes]:
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    connection.receive_data(HEAD + stream)
    body = b""
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return body, connection.trailing_data[0]
        else:
            assert isinstance(event, h11.Request), f"h11 finds {event}"


def form(data: bytes) -> None:
    """Invariant of ``form``: an object or a fault, nothing else.

    A form without brackets has for ``urllib.parse`` the same fields with the same texts.
    """
    _read(lambda: read_form(data, _OBJECT, max_depth=DEPTH))
    found = _read(lambda: read_form(data, STRINGS, max_depth=DEPTH))
    if found is not None and all(isinstance(value, str) for value in found.values()):
        pairs = parse_qsl(data.decode("ascii"), keep_blank_values=True, errors="strict")
        assert dict(pairs) == found
        assert len(pairs) == len(found)


def multipart(data: bytes) -> None:
    """Invariant of ``multipart``: an object or a fault, nothing else.

    A form of files alone has for the email package the same parts with the same bytes.
    """
    _read(lambda: read_multipart(data, BOUNDARY, _OBJECT, {"s": ("text/plain", "image/*")}, max_depth=DEPTH))
    found = _read(lambda: read_multipart(data, BOUNDARY, STRINGS, {}, max_depth=DEPTH))
    if found is not None and all(isinstance(value, str) for value in found.values()):
        head = b"Content-Type: multipart/form-data; boundary=" + BOUNDARY + b"\r\n\r\n"
        message = message_from_bytes(head + data, policy=policy.HTTP)
        parts: Any = message.get_payload()
        assert [part.get_param("name", header="content-disposition") for part in parts] == list(found)
        for part, text in zip(parts, found.values(), strict=True):
            content = part.get_payload(decode=True)
            assert text in (content.decode("latin-1"), content.decode("utf-8", "replace"))


def _read(reader: Any) -> dict[str, Any] | None:
    """Give what ``reader`` reads, None where it refuses."""
    try:
        found = reader()
    except (FormFault, JsonFault):
        return None
    assert isinstance(found, dict)
    return found
