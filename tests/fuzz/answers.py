"""Target ``response``: what is read of an upstream's answer, whole and in pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import h11

from gateway.upstream.headers import ResponseHeaders
from gateway.upstream.reading import MAX_HEAD, ProtocolFault, ResponseReader
from tests.fuzz.bytestreams import cuts, stretched, taken
from tests.support.framing import read_response

if TYPE_CHECKING:
    from gateway.ports import ResponseHead

_METHODS = (b"GET", b"HEAD")


class Read(NamedTuple):
    """What a reader told of an answer: its head, its body as far as it came, and how it went on.

    ``state`` is ``whole``, ``more`` (needed) or ``fault``; ``framed`` and ``reusable`` are None without head.
    """

    state: str
    head: ResponseHead | None
    body: bytes
    framed: bool | None
    reusable: bool | None


class _Sink:
    def __init__(self) -> None:
        self.head: ResponseHead | None = None
        self.framed: bool | None = None
        self.reusable: bool | None = None
        self.body = b""
        self.ended = False

    def read_head(self, head: ResponseHead, *, framed: bool, reusable: bool) -> None:
        assert self.head is None, "two heads"
        self.head, self.framed, self.reusable = head, framed, reusable

    def read_body(self, chunk: bytes) -> None:
        assert self.head is not None, "a body before its head"
        assert not self.ended, "a body behind its end"
        self.body += chunk

    def read_end(self) -> None:
        assert self.head is not None, "an end before the head"
        assert not self.ended, "two ends"
        self.ended = True


def response(data: bytes) -> None:
    """Invariant of ``response``: head, body and end, or ProtocolFault, nothing else; the same however cut.

    What follows the end is a fault or nothing, and changes nothing of the answer. What is accepted, h11
    reads as the same status and body. Streams are no longer than the reader's limit of bytes that bring no
    body: beyond, trailers and chunk extensions are counted by the piece.
    """
    seed, stream = taken(data, 2)
    method = _METHODS[seed[0] & 1]
    stream = stretched(stream)[:MAX_HEAD]
    whole = _fed([stream] if stream else [], method)
    for pieces in cuts(stream, seed):
        assert _fed(pieces, method) == whole
    if whole.state == "whole" or (whole.state == "more" and whole.framed is False):
        assert whole.head is not None
        status, body = read_by_h11(stream, method)
        assert (status, body) == (whole.head.status, whole.body)


def _fed(pieces: list[bytes], method: bytes) -> Read:
    sink = _Sink()
    reader = ResponseReader(sink, ResponseHeaders())
    reader.expect(bodiless=method == b"HEAD")
    state = "more"
    try:
        for piece in pieces:
            reader.feed(piece)
            if sink.ended:
                break
    except ProtocolFault:
        state = "fault"
    if sink.ended:
        state = "whole"  # what follows the end costs the connection, not the answer
    return Read(state, sink.head, sink.body, sink.framed, sink.reusable)


def read_by_h11(stream: bytes, method: bytes) -> tuple[int, bytes]:
    """Give status and body of the final answer in a stream that ends; what h11 refuses raises.

    It judges trailers as if they were header fields; where it refuses those, the tests' own reader answers.
    """
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(stream)
    status = 0
    body = b""
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError:
            if not status:
                raise
            return _read_by_ours(stream, method)
        if isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += event.data
        elif event is h11.NEED_DATA:
            connection.receive_data(b"")  # the body ends with the connection
        elif not isinstance(event, h11.InformationalResponse):
            assert isinstance(event, h11.EndOfMessage), f"h11 finds {event}"
            return status, body


def _read_by_ours(stream: bytes, method: bytes) -> tuple[int, bytes]:
    status, body, place = 0, b"", 0
    while status < 200:
        (status, _, body, _), place = read_response(stream, place, head_only=method == b"HEAD", closed=True)
    return status, body
