"""One connection to an upstream: sends one request at a time and tells its sink what comes back.

States: idle (in its pool, nothing may arrive), busy (a flight is under way), closed. Whatever is not a
well-formed answer closes the connection; nothing of it reaches a later request.
"""

from __future__ import annotations

import asyncio
import select
from typing import TYPE_CHECKING, cast

from gateway.deadline import Deadline
from gateway.ports import UpstreamFault
from gateway.upstream.reading import ProtocolFault, ResponseReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.outbox import Outbox
    from gateway.ports import ResponseHead, ResponseSink
    from gateway.upstream.headers import ResponseHeaders

IDLE_PROBE_AFTER = 1.0
"""Seconds of idleness after which a connection is looked at before it is used again."""


class Connection(asyncio.Protocol):
    """A connection; made by :class:`upstream.pool.Pool` alone.

    While busy it is also the :class:`ports.Flight` of the request that it carries.
    """

    attempts = 1
    """A request that found a connection needed no other."""

    __slots__ = (
        "_closed", "_deadline", "_done", "_first_byte", "_framed", "_freed", "_head_seen", "_idle", "_loop",
        "_lost", "_outbox", "_paused", "_reader", "_reusable", "_sink", "_transport", "_unsent", "busy",
        "idle_since",
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
        self._sink: ResponseSink | None = None
        self._closed = False
        self._done = False
        self._paused = False
        self._head_seen = False
        self._unsent = False
        self._framed = True
        self._reusable = True
        self.busy = False
        self.idle_since = 0.0

    @property
    def usable(self) -> bool:
        """Whether an idle connection may carry another request.

        One that was idle for a while is probed: anything readable on it is an end or an intrusion that
        the event loop has not told of yet, and sending into it would risk a request that cannot be repeated.
        """
        if self._closed or self._transport is None or self._transport.is_closing():
            return False
        if self._loop.time() - self.idle_since < IDLE_PROBE_AFTER:
            return True
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not poll.poll(0)

    def send(self, request: bytes, sink: ResponseSink, *, bodiless: bool) -> None:
        """Send a whole request; the answer goes to ``sink``. ``bodiless`` for a HEAD request."""
        assert self._transport is not None
        self._sink = sink
        self.busy = True
        self._done = False
        self._head_seen = False
        self._reader.expect(bodiless=bodiless)
        self._unsent = True
        self._outbox.put(self._write, request)
        self._deadline.after(self._first_byte)

    def _write(self, request: bytes) -> None:
        self._unsent = False
        if not self._closed and self._transport is not None:
            self._transport.write(request)

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
        self.idle_since = self._loop.time()

    def data_received(self, data: bytes) -> None:
        """Read a piece of the response."""
        if self._closed:
            return
        if self._unsent:  # no answer can be due
            self._fail(UpstreamFault("upstream_protocol_error", "protocol", sent=False))
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

    def eof_received(self) -> bool:
        """Take the upstream's end of sending; the transport closes itself."""
        self._ended()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the end of the connection; one that broke does not end a response."""
        self._ended(broken=exc is not None)

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
            and not self._reader.done_early
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
            else UpstreamFault("upstream_unreachable", "reset", sent=not self._unsent)
        )

    def _expired(self) -> None:
        reason = "idle_timeout" if self._head_seen else "first_byte_timeout"
        self._fail(UpstreamFault("upstream_timeout", reason, sent=True))

    def _fail(self, fault: UpstreamFault) -> None:
        sink = self._sink
        self._sink = None
        self._end()
        if sink is not None:
            sink.response_fault(fault)

    def _end(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._deadline.close()
        if self._transport is not None:
            self._transport.abort()
        self._lost(self)
