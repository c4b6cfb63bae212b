"""Targets ``head`` and ``media_type``: reading heads, whole and in pieces.

Both are compared with readers that others wrote: h11 for heads, the standard library's email for
Content-Type.
"""

from __future__ import annotations

from email.message import Message
from typing import TYPE_CHECKING, Any

import h11

from gateway.core.fields import FieldMemo, HeadMemo
from gateway.core.head import check_partial, parse_media_type, read_head
from gateway.core.types import Rejection, RequestHead
from tests.fuzz.bytestreams import cuts, stretched, taken

if TYPE_CHECKING:
    from collections.abc import Iterable

Said = tuple[Any, ...]
"""What a reading said, to be compared."""


def read(data: bytes) -> None:
    """Invariant of ``head``: one answer for the same bytes, and never an exception.

    Reading a head gives the same with a memo, with a used memo and without; in pieces, as a connection
    reads, the same as whole; the beginning of a good head is never refused. Where the head is accepted, h11
    accepts it too and reads the same request from it.
    """
    seed, raw = taken(data, 2)
    raw = without_empty_lines(stretched(raw))
    end = raw.find(b"\r\n\r\n")
    raw = raw if end < 0 else raw[: end + 4]
    whole = read_head(raw)
    memo = HeadMemo(FieldMemo())
    for _ in range(2):
        assert said(read_head(raw, memo)) == said(whole), "a memo changes the answer"
    for pieces in cuts(raw, seed) if end >= 0 else ():
        assert said(_in_pieces(pieces)) == said(whole), "a cut changes the answer"
    if isinstance(whole, RequestHead):
        _compare_with_h11(raw, whole)
    else:
        assert whole.close, "nobody knows where the next request begins"


def said(head: RequestHead | Rejection) -> Said:
    """Give all that a reading says."""
    if isinstance(head, Rejection):
        return (head,)
    block = head.block
    return (*head._replace(block=None), block.fields, block.first, block.host, block.options, block.chunked)


def _in_pieces(pieces: Iterable[bytes]) -> RequestHead | Rejection:
    """Read a head that arrives in pieces, as a connection does."""
    buffer = b""
    scanned = 0
    for piece in pieces:
        buffer += piece
        if b"\r\n\r\n" in buffer:
            break
        refused = check_partial(buffer, scanned)
        assert refused == check_partial(buffer), "what has passed matters"
        if refused is not None:
            return refused
        scanned = len(buffer)
    return read_head(buffer)


def without_empty_lines(stream: bytes) -> bytes:
    """Remove the empty lines before a request, as connections do (RFC 9112 section 2.2); h11 knows none."""
    while stream.startswith(b"\r\n"):
        stream = stream[2:]
    return stream


def _compare_with_h11(raw: bytes, head: RequestHead) -> None:
    other = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    other.receive_data(raw)
    event = other.next_event()
    assert isinstance(event, h11.Request), "h11 reads no request"
    assert event.method.decode() == head.method
    assert event.http_version == b"1.%d" % head.minor
    assert event.target == head.target or event.target.lower().startswith((b"http://", b"https://"))
    lower = {b"transfer-encoding"}  # h11 gives its value in lower case
    fields = [(name, value.lower() if name in lower else value) for _, name, value in head.fields]
    theirs = [pair for pair in event.headers if pair[0] != b"content-length"]
    assert theirs == [pair for pair in fields if pair[0] != b"content-length"]
    lengths = [int(value) for name, value in event.headers if name == b"content-length"]
    assert lengths == ([head.length] if head.declared and not head.block.chunked else [])


def media_type(data: bytes) -> None:
    r"""Invariant of ``media_type``: one that is accepted means the same to the email package.

    That is, if it has no backslash: email does not see where ``"\\\\"`` ends (RFC 9110 section 5.6.4).
    """
    found = parse_media_type(data)
    if found is None or b"\\" in data:
        return
    message = Message()
    message["Content-Type"] = data.decode("latin-1")
    assert message.get_content_type() == found.essence
    charset = message.get_param("charset")
    assert (None if charset is None else str(charset).lower()) == found.charset
    if found.boundary is not None:
        assert message.get_boundary() == found.boundary.decode("ascii")
