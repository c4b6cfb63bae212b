"""One connection to an upstream: sends one request at a time and tells its sink what comes back.

States: idle (in its pool, nothing may arrive), busy (a flight is under way), closed. Whatever is not a
well-formed answer closes the connection; nothing of it reaches a later request.
"""

from __future__ import annotations

import asyncio
import select
import ssl
from typing import TYPE_CHECKING, Final, Protocol, cast

from gateway.deadline import Deadline
from gateway.ports import UpstreamFault
from gateway.upstream.reading import ProtocolFault, ResponseReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.outbox import Outbox
    from gateway.ports import ResponseHead, ResponseSink
    from gateway.upstream.headers import ResponseHeaders

LARGE_READ: Final = 128 * 1024
"""After a read of more bytes than this there is more to come; it waits until others had their turn."""
_ENDED: Final = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)
"""Of what poll tells: the upstream has ended its side."""

_RESET: Final = UpstreamFault("upstream_unreachable", "reset", sent=False)
_UNASKED: Final = UpstreamFault("upstream_protocol_error", "protocol", sent=False)


class Sender(Protocol):
    """Whose request a connection carries."""

    def sent(self, request: bytes) -> None:
        """Take note that these very bytes leave now: from here on the request is never sent again."""

    def unsent(self, fault: UpstreamFault) -> None:
        """Take the request back: the connection ended before a byte of it was written."""


class Connection(asyncio.Protocol):
    """A connection; made by :class:`upstream.pool.Pool` alone."""

    __slots__ = (
        "_arrivals", "_closed", "_deadline", "_done", "_first_byte", "_framed", "_freed", "_head_seen",
        "_idle", "_loop", "_lost", "_outbox", "_paused", "_reader", "_reusable", "_sender", "_sink", "_tls",
        "_transport", "_used", "busy", "idle_since",
    )  # fmt: skip

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        freed: Callable[[Connection], None],
        lost: Callable[[Connection], None],
        headers: ResponseHeaders,
        outbox: Outbox,
        *,
        first_byte: float,
        idle: float,
    ) -> None:
        """Make an unconnected one. ``first_byte`` and ``idle`` are seconds.

        ``freed`` is called when a flight is over and the connection may carry another, ``lost`` once when
        the connection has ended; ``busy`` then tells whether a flight ended with it.
        """
        self._loop = loop
        self._freed = freed
        self._lost = lost
        self._first_byte = first_byte
        self._idle = idle
        self._reader = ResponseReader(self, headers)
        self._outbox = outbox
        self._deadline = Deadline(loop, self._expired)
        self._transport: asyncio.Transport | None = None
        self._tls: ssl.SSLObject | None = None
        self._arrivals = select.poll()
        self._sender: Sender | None = None
        self._sink: ResponseSink | None = None
        self._closed = False
        self._done = False
        self._paused = False
        self._head_seen = False
        self._framed = True
        self._reusable = True
        self._used = False
        self.busy = False
        self.idle_since = 0.0

    @property
    def usable(self) -> bool:
        """Whether the connection may carry another request, as far as the event loop has told."""
        return not self._closed and self._transport is not None and not self._transport.is_closing()

    def send(self, request: bytes, sink: ResponseSink, sender: Sender, *, bodiless: bool) -> None:
        """Send a whole request; the answer goes to ``sink``. ``bodiless`` for a HEAD request.

        One that cannot be sent goes back to ``sender``, never before this returns; ``sink`` hears nothing.
        """
        self._sink = sink
        self.busy = True
        self._done = False
        self._head_seen = False
        self._reader.expect(bodiless=bodiless)
        self._sender = sender
        self._outbox.put(self._write, request)
        self._deadline.after(self._first_byte)

    def _write(self, request: bytes) -> None:
        """Write the request, unless something has come: no answer can be due yet.

        What came at any time before this is either read already or found by the poll. So nothing but bytes
        that cross the request on their way can be taken for its answer.
        """
        sender = self._sender
        if sender is None or self._transport is None:
            return
        fault = self._intrusion()
        if fault is not None:
            self._loop.call_soon(self._fail, fault)
            return
        self._sender = None
        self._used = True
        sender.sent(request)
        self._transport.write(request)

    def _intrusion(self) -> UpstreamFault | None:
        """Say what is wrong with the connection before a request leaves on it.

        Over TLS only once it was used: session tickets may come after the handshake.
        """
        if not self.usable:
            return _RESET
        if self._tls is not None and not self._used:
            return None
        found = self._arrivals.poll(0)
        if not found:
            return None
        return _RESET if found[0][1] & _ENDED else _UNASKED

    def pause(self) -> None:
        """Stop reading; the idle timeout does not run meanwhile."""
        if not self._paused and self._transport is not None and not self._closed:
            self._paused = True
            self._deadline.clear()
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._paused and self._transport is not None and not self._closed:
            self._paused = False
            self._deadline.after(self._idle if self._head_seen else self._first_byte)
            self._transport.resume_reading()

    def close(self) -> None:
        """End the connection at once; a flight's sink hears nothing more."""
        self._sink = None
        self._end()

    cancel = close

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)
        self._tls = transport.get_extra_info("ssl_object")
        self._arrivals.register(transport.get_extra_info("socket").fileno(), select.POLLIN | _ENDED)
        self.idle_since = self._loop.time()

    def data_received(self, data: bytes) -> None:
        """Read a piece of the response."""
        if self._closed:
            return
        if self._sender is not None:  # no answer can be due
            self._fail(_UNASKED)
            return
        try:
            self._reader.feed(data)
        except ProtocolFault:
            self._reusable = False
            if not self._done:
                self._fail(UpstreamFault("upstream_protocol_error", "protocol", sent=True))
        if self._done:
            self._finish()
        elif self._sink is not None and self._head_seen:
            self._sink.response_flush()
            if not self._paused:
                self._deadline.after(self._idle)
                if len(data) > LARGE_READ:
                    self._give_way()

    def _give_way(self) -> None:
        """Let others have their turn: libuv would read on for as long as reads come back full."""
        assert self._transport is not None
        self._transport.pause_reading()
        self._loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        if not self._paused and not self._closed and self._transport is not None:
            self._transport.resume_reading()

    def eof_received(self) -> bool:
        """Take the upstream's end of sending; the transport closes itself.

        Over TLS only a closure alert is an end: without, anybody on the way may have cut the answer short
        (RFC 9112 section 9.8). asyncio tells of both ends alike, uvloop of the former only.
        """
        self._ended(broken=self._tls is not None and not _said_goodbye(self._tls))
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Take the end of a connection that nobody ended properly, which does not end a response."""
        self._ended(broken=True)

    # upstream.reading.ReadingSink

    def read_head(self, head: ResponseHead, *, framed: bool, reusable: bool) -> None:
        """Pass the head on."""
        self._head_seen = True
        self._framed = framed
        self._reusable = reusable
        if self._sink is not None:
            self._sink.response_head(head)

    def read_body(self, chunk: bytes) -> None:
        """Pass a piece of the body on."""
        if self._sink is not None:
            self._sink.response_body(chunk)

    def read_end(self) -> None:
        """Take note of the end; what follows from it waits until all bytes at hand are read.

        A next request sent from here could take the rest of this very piece for its answer.
        """
        self._done = True

    # ends

    def _finish(self) -> None:
        """End the flight; the connection is reused only if the request had left it whole."""
        sink = self._sink
        self._sink = None
        self._done = False
        assert self._transport is not None
        reusable = (
            self._reusable
            and not self._closed
            and not self._reader.spent
            and self._transport.get_write_buffer_size() == 0  # else an early answer: the request still leaves
        )
        if reusable:
            self._deadline.clear()
            if self._paused:
                self._paused = False
                self._transport.resume_reading()
            self.idle_since = self._loop.time()
            self.busy = False
            self._freed(self)
        else:
            self._end()
        if sink is not None:
            sink.response_end()

    def _ended(self, *, broken: bool = False) -> None:
        if self._closed:
            return
        if self._sink is not None and self._head_seen and not self._framed and not broken:
            self._reusable = False
            self._finish()
            return
        self._fail(
            UpstreamFault("upstream_protocol_error", "truncated", sent=True)
            if self._head_seen
            else _RESET._replace(sent=self._sender is None)
        )

    def _expired(self) -> None:
        reason = "idle_timeout" if self._head_seen else "first_byte_timeout"
        self._fail(UpstreamFault("upstream_timeout", reason, sent=True))

    def _fail(self, fault: UpstreamFault) -> None:
        """End the flight with ``fault``, or give it back while nothing of it was sent."""
        sink = self._sink
        sender = self._sender
        self._sink = None
        self._end()
        if sink is None:
            return
        if sender is not None:
            sender.unsent(fault)
        else:
            sink.response_fault(fault)

    def _end(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._sender = None
        self._deadline.close()
        if self._transport is not None:
            self._transport.abort()
        self._lost(self)


def _said_goodbye(tls: ssl.SSLObject) -> bool:
    """Say whether a TLS connection at its end was ended by a closure alert (RFC 8446 section 6.1)."""
    try:
        return not tls.read(1)
    except ssl.SSLError:  # more is wanted, and will not come
        return False
