"""Strict reading of upstream responses (RFC 9112), on llhttp without any of its leniencies.

One :class:`ResponseReader` for each connection, fed whatever arrives. It tells its connection of the
final response's head, body and end, and raises :class:`ProtocolFault` on anything that is not a
well-formed response to the request under way; the connection is then thrown away.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Protocol

import httptools

from gateway.ports import ResponseHead
from gateway.upstream.headers import FramingFault

if TYPE_CHECKING:
    from gateway.upstream.headers import ResponseHeaders

MAX_HEAD: Final = 64 * 1024
"""Longest response head in bytes, interim responses included."""
MAX_FIELDS: Final = 256

# What most responses begin with: nothing may come before their head, and nothing does behind their end.
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})
_H: Final = ord("H")
_FINAL: Final = (b"HTTP/1.1 2", b"HTTP/1.1 3", b"HTTP/1.1 4", b"HTTP/1.1 5")

_REASON: Final = re.compile(rb"[\t -~]{0,128}")
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class ProtocolFault(Exception):
    """The upstream sent something that is no acceptable response. The text is for logs."""


class ReadingSink(Protocol):
    """What a reader tells of; :class:`upstream.connection.Connection` is the only one."""

    def read_head(self, head: ResponseHead, *, framed: bool, reusable: bool) -> None:
        """Take a final response's head.

        ``framed`` is false when its end is the connection's end; ``reusable`` says whether the upstream
        keeps the connection open after it.
        """

    def read_body(self, chunk: bytes) -> None:
        """Take a piece of the body, its transfer coding removed."""

    def read_end(self) -> None:
        """Take note that the response is whole."""


class ResponseReader:
    """Reads the responses of one connection, one after the other.

    ``spent`` says at the end of one that it can read no other.
    """

    __slots__ = (
        "_bodiless", "_expecting", "_fields", "_head_bytes", "_headers", "_interim", "_parser", "_quiet",
        "_quiet_bytes", "_reason", "_sink", "_started", "spent",
    )  # fmt: skip

    def __init__(self, sink: ReadingSink, headers: ResponseHeaders) -> None:
        """Read for ``sink``; ``headers`` is shared by the connections of a pool."""
        self._sink = sink
        self._headers = headers
        self._parser = httptools.HttpResponseParser(self)
        self.expect()
        self._expecting = False

    def expect(self, *, bodiless: bool = False) -> None:
        """Begin to wait for the response to the next request; ``bodiless`` for one to HEAD."""
        self._expecting = True
        self._bodiless = bodiless
        self._started = False
        self._interim = False
        self._head_bytes = 0
        self._fields: list[tuple[bytes, bytes]] = []
        self._reason = b""
        self._quiet = False
        self._quiet_bytes = 0
        self.spent = False

    def feed(self, chunk: bytes) -> None:
        """Read on; ProtocolFault if these bytes cannot belong to an acceptable response."""
        if not self._expecting:
            raise ProtocolFault("bytes that no request asked for")
        try:
            if self._head_bytes >= 0 and (
                self._started or not chunk.startswith(_FINAL) or len(chunk) > MAX_HEAD - self._head_bytes
            ):
                chunk = self._feed_head(chunk)
            self._parser.feed_data(chunk)
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            if isinstance(cause, ProtocolFault):
                raise cause from None
            raise
        except httptools.HttpParserUpgrade:
            raise ProtocolFault("an unasked change of protocol") from None
        except httptools.HttpParserError as error:
            raise ProtocolFault(str(error)) from None
        self._bound(len(chunk))

    def _bound(self, size: int) -> None:
        """Count what brings no body: a head that goes on, trailers, chunk extensions."""
        if self._head_bytes >= 0:
            self._head_bytes += size
            if self._head_bytes > MAX_HEAD:
                raise ProtocolFault("a head that is too long")
        elif self._quiet:
            self._quiet_bytes += size
            if self._quiet_bytes > MAX_HEAD:
                raise ProtocolFault("trailers or chunk extensions that are too long")
        self._quiet = True

    def _feed_head(self, chunk: bytes) -> bytes:
        """Read line by line up to the end of the head, and give the rest.

        So that a limit is found where it is, and each response, one after an interim one too, has to begin
        at once and with HTTP: llhttp skips empty lines and knows other protocols.
        """
        place = 0
        while self._head_bytes >= 0 and place < len(chunk):
            if not self._started and chunk[place] != _H:
                raise ProtocolFault("not an HTTP response")
            end = min(chunk.find(b"\n", place) + 1 or len(chunk), place + MAX_HEAD)
            self._bound(end - place)  # first, for the last line ends the head
            self._parser.feed_data(chunk[place:end])
            place = end
        return chunk[place:]

    # The callbacks of httptools, in the order in which they come.

    def on_message_begin(self) -> None:
        """Refuse a message that begins where none is due."""
        if not self._expecting:
            raise ProtocolFault("bytes after the end of the response")
        self._started = True

    def on_status(self, reason: bytes) -> None:
        """Keep the reason phrase; it may come in pieces."""
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field of the head; a trailer is dropped (RFC 9110 section 6.5.1)."""
        if self._head_bytes >= 0:
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """Pass a final response's head on; note an interim one."""
        parser = self._parser
        status = parser.get_status_code()
        version = parser.get_http_version()
        self._check_start(status, version)
        if status < 200:
            if any(name.lower() in _FRAMING for name, _ in self._fields):
                raise ProtocolFault("an interim response that announces a body")
            self._interim = True
            return
        try:
            block, length, chunked, options, request_id = self._headers.read(self._fields)
        except FramingFault:
            raise ProtocolFault("a length or transfer coding that is in doubt") from None
        bodiless = self._bodiless or status in {204, 304}
        if status == 204 and (chunked or length):
            raise ProtocolFault("a 204 that announces a body")
        self._head_bytes = -1
        if chunked and version == "1.0":
            raise ProtocolFault("a transfer coding in HTTP/1.0")
        framed = bodiless or chunked or length is not None
        reusable = framed and (
            b"close" not in options and (version == "1.1" or b"keep-alive" in options)
            if options
            else version == "1.1"
        )
        reason = self._reason
        if reason != b"OK" and _REASON.fullmatch(reason) is None:
            reason = b""
        head = ResponseHead(status, reason, block, length, bodiless, request_id)
        self._sink.read_head(head, framed=framed, reusable=reusable)
        if self._bodiless and (chunked or length != 0):
            # llhttp would wait for a body that HEAD never gets; the connection is not used again.
            self._expecting = False
            self.spent = True
            self._sink.read_end()

    def _check_start(self, status: int, version: str) -> None:
        if version not in {"1.1", "1.0"}:
            raise ProtocolFault("a version of HTTP that was not asked for")
        if status == 101 or not 100 <= status <= 599:
            raise ProtocolFault("a status that cannot be passed on")
        if self._reason != b"OK" and _CONTROL.search(self._reason) is not None:
            raise ProtocolFault("a reason phrase with control bytes")
        if len(self._fields) > MAX_FIELDS:
            raise ProtocolFault("too many header fields")

    def on_body(self, chunk: bytes) -> None:
        """Pass a piece of the body on."""
        if self.spent:
            raise ProtocolFault("a body in answer to HEAD")
        self._quiet = False
        self._quiet_bytes = 0
        self._sink.read_body(chunk)

    def on_message_complete(self) -> None:
        """Pass the end on, or go on to the final response after an interim one."""
        if self._interim:
            self._interim = False
            self._started = False
            self._fields = []
            self._reason = b""
        elif not self.spent:
            self._expecting = False
            # llhttp takes Proxy-Connection and trailers for a word on the connection, and would read no more.
            self.spent = not self._parser.should_keep_alive()
            self._sink.read_end()
