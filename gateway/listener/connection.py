"""One downstream connection: cuts what arrives into heads and bodies and hands them to exchanges.

Its states are in ``listener.state``. Requests of one connection are answered one after the other.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from time import perf_counter, time
from typing import TYPE_CHECKING, Final, cast

from gateway.core.fields import HeadMemo, refuse
from gateway.core.head import check_partial
from gateway.deadline import Deadline
from gateway.listener.bounds import LINGER_BYTES, LINGER_SECONDS, MAX_AT_ONCE, MAX_BUFFERED, MIN_BODY_RATE
from gateway.listener.incoming import BODY_CUT, BODY_LATE, HEAD_LATE, feed, incoming
from gateway.listener.reset import reset_on_close
from gateway.listener.response import CONTINUE
from gateway.listener.state import BODY, BUSY, CLOSED, HEAD, LINGER, SKIP
from gateway.listener.strays import Strays
from gateway.ports import Client

if TYPE_CHECKING:
    from gateway.core.chunked import ChunkedBody
    from gateway.core.sized import SizedBody
    from gateway.core.types import Rejection, RequestHead
    from gateway.listener.exchange import Exchange
    from gateway.listener.server import GatewayServer
    from gateway.listener.snapshot import Snapshot

_EMPTY_LINES: Final = re.compile(rb"\A(?:\r\n)+")


class Connection(asyncio.Protocol):
    """A connection; made by :class:`listener.server.GatewayServer` for each client."""

    __slots__ = (
        "_advancing", "_began", "_body", "_buffer", "_client", "_deadline", "_ended", "_exchange",
        "_missing", "_outbox", "_reading_paused", "_scanned", "_server", "_state", "_strays", "_transport",
        "_turn_due", "_writing_paused", "audit", "load", "memo", "observers", "peer", "scheme",
    )  # fmt: skip

    def __init__(self, server: GatewayServer) -> None:
        self._server = server
        self.load = server.load
        self.audit = server.audit
        self.observers = server.observers
        self.memo = HeadMemo(server.memo)
        self._outbox = server.outbox
        self._deadline = Deadline(server.loop, self._expired)
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._state = HEAD
        self._buffer = b""
        self._strays: Strays | None = None
        self._scanned = 0
        self._began: tuple[float, float] | None = None
        self._body: SizedBody | ChunkedBody | None = None
        self._missing = 0
        self._advancing = False
        self._turn_due = False
        self._ended = False
        self._reading_paused = False
        self._writing_paused = False
        self._client: Client | None = None
        self.peer = "-"
        self.scheme = "http"

    # what an exchange asks of its connection

    def client(self, snapshot: Snapshot, head: RequestHead | None) -> Client:
        """Describe the client; behind a trusted proxy it is another one for each request."""
        if self._client is None:
            self._client = Client(self.peer, self.peer, self.scheme)
        return snapshot.client(self._client, head) if snapshot.trusted_proxies else self._client

    def write(self, chunk: bytes) -> None:
        """Send bytes downstream, together with others at the end of the loop's turn."""
        self._outbox.put(self._write, chunk)

    def _write(self, chunk: bytes) -> None:
        if self._transport is not None and self._state is not CLOSED:
            self._transport.write(chunk)

    def finished(self, *, keep_alive: bool, unread: int) -> None:
        """Go on to the next request, or end the connection once everything is sent."""
        if self._state is CLOSED:
            self._exchange = None
            return
        if not keep_alive or self.load.draining:
            self._linger()
            return
        self._exchange = None
        if unread:
            self._missing = unread
            self._state = SKIP
            self._deadline.after(self._server.snapshot.deadlines.body)
        else:
            self._await_head()
        if not self._writing_paused:
            self._read_on()
        if self._ended and not (self._turn_due or self._advancing):
            self.eof_received()

    def abort(self, *, reset: bool) -> None:
        """End the connection so that the client sees a broken response.

        ``reset`` where its plain end would be taken for the response's end; what was not yet sent is lost.
        """
        self._count_strays()
        self._exchange = None
        if reset:
            reset_on_close(self._transport)
        self.drop()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport and wait for the first head."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self.peer = str(peer[0])
        if transport.get_extra_info("sslcontext") is not None:
            self.scheme = "https"
        if self._server.opened(self):
            self._deadline.after(self._server.snapshot.deadlines.header)
        else:
            self.drop()

    def data_received(self, data: bytes) -> None:
        """Take what has arrived."""
        state = self._state
        if state is BODY and not self._buffer:
            self._take_body(data)
            return
        self._buffer = self._buffer + data if self._buffer else data
        if state is LINGER:
            if self._count_strays().came > LINGER_BYTES:
                self.drop()
        elif state is BUSY or self._turn_due or (self._writing_paused and state is not BODY):
            self._balance()
        elif not self._advancing:
            self._advance()

    def eof_received(self) -> bool:
        """Take the client's end of sending: with an answer due, the client has gone."""
        exchange = self._exchange
        if self._turn_due or (exchange is not None and exchange.settled):
            self._ended = True  # what came before has its turn first, and an answer that waits for its record
        elif self._state is HEAD and self._buffer:
            self._ended = True
            self._refuse_alone(refuse("The connection ended within the request head."))
        elif self._state is BODY and exchange is not None:
            self._ended = True
            self._state = BUSY
            self._note_body_bytes()
            exchange.refuse(BODY_CUT)
        elif exchange is None and self._unsent():
            self._close_when_sent()
        else:
            self.drop()
        return self.scheme == "http"  # TLS cannot stay half open

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Take the end of the connection."""
        self._transport = None
        self.drop()
        self._server.closed(self)

    def pause_writing(self) -> None:
        """Hold back the upstream and whatever the client asks for next, while it does not read."""
        self._writing_paused = True
        if self._exchange is not None:
            self._exchange.pause()
        self._deadline.after(self._server.snapshot.deadlines.body)

    def _hold_back(self) -> None:
        """Pause a request that was just forwarded for a client that does not read."""
        if self._writing_paused and self._exchange is not None:
            self._exchange.pause()

    def resume_writing(self) -> None:
        """Let the upstream go on, or take the next request."""
        self._writing_paused = False
        if self._exchange is not None:
            self._exchange.resume()
        state = self._state
        if state is BUSY:
            self._deadline.clear()
        elif state is LINGER:
            self._deadline.after(LINGER_SECONDS)
        elif state is HEAD:
            self._await_head()
        if state in {HEAD, SKIP}:
            self._read_on()

    # reading

    def _read_on(self) -> None:
        """Take what has come meanwhile, and what comes next once there is room for it."""
        if self._buffer and not (self._advancing or self._turn_due):
            self._advance()
        else:
            self._balance()

    def _balance(self) -> None:
        """Stop reading while more waits than may; go on once there is room again."""
        full = len(self._buffer) > MAX_BUFFERED
        if full != self._reading_paused and self._transport is not None:
            self._reading_paused = full
            (self._transport.pause_reading if full else self._transport.resume_reading)()

    def _advance(self) -> None:
        """Take whole requests off the buffer, a few at a time: the other connections have their turn, too."""
        self._advancing = True
        try:
            for _ in range(MAX_AT_ONCE):
                if not self._buffer or not self._step():
                    return
        finally:
            self._advancing = False
            if self._reading_paused:
                self._balance()
        if not self._turn_due:
            self._turn_due = True
            self._server.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._turn_due = False
        self._advance()
        if self._ended and not self._turn_due:
            self.eof_received()

    def _step(self) -> bool:
        """Take what the buffer begins with; false where there is nothing to do until something happens."""
        state = self._state
        if state is HEAD:
            return not self._writing_paused and self._take_head()
        if state is SKIP:
            self._skip()
            return True
        if state is BODY:
            data, self._buffer = self._buffer, b""
            self._take_body(data)
            return True
        return False

    def _take_head(self) -> bool:
        """Take a head off the buffer; false while it is not whole."""
        buffer = self._buffer
        if buffer.startswith(b"\r\n"):
            # Empty lines before a request are forgiven (RFC 9112 section 2.2), but buy no time.
            buffer = self._buffer = _EMPTY_LINES.sub(b"", buffer, 1)
            self._scanned = 0
            if not buffer:
                return False
        end = buffer.find(b"\r\n\r\n", max(self._scanned - 3, 0))
        if end < 0:
            rejection = check_partial(buffer, self._scanned)
            if rejection is not None:
                self._refuse_alone(rejection)
                return False
            if self._scanned == 0 and buffer != b"\r":
                self._began = (time(), perf_counter())
                self._deadline.after(self._server.snapshot.deadlines.header)
            self._scanned = len(buffer)
            return False
        end += 4
        self._scanned = 0
        self._buffer = buffer[end:]
        self._deadline.clear()
        self._state = BUSY
        exchange = self._exchange = self._begin()
        if exchange.receive_head(buffer[:end]):
            self._begin_body(exchange)
        return True

    def _begin(self) -> Exchange:
        """Begin an exchange; one whose head came in pieces began with the first of them."""
        exchange = self._server.begin(self)
        if self._began is not None:
            exchange.began(*self._began)
            self._began = None
        return exchange

    def _begin_body(self, exchange: Exchange) -> None:
        """Begin to read an admitted request's body; one that is here already is judged at once."""
        head = exchange.head
        assert head is not None
        length = head.length
        buffer = self._buffer
        if length is not None and len(buffer) >= length:
            self._buffer = buffer[length:]
            exchange.receive_body(buffer[:length])
            self._hold_back()
            return
        self._state = BODY
        self._body = incoming(length, exchange.max_bytes)
        if head.expect and not buffer:
            self.write(CONTINUE)
        self._deadline.after(self._server.snapshot.deadlines.body)

    def _take_body(self, data: bytes) -> None:
        exchange = self._exchange
        body = self._body
        assert exchange is not None
        assert body is not None
        received = body.received
        rejection = feed(body, data, exchange.max_bytes) or exchange.hold(body.received)
        if rejection is not None:
            self._state = BUSY
            self._note_body_bytes()
            exchange.refuse(rejection)
        elif body.done:
            self._body = None
            self._buffer = body.rest + self._buffer
            self._body_complete(exchange, body.body())
        else:
            earned = (body.received - received) / MIN_BODY_RATE
            self._deadline.extend(earned, self._server.snapshot.deadlines.body)

    def _body_complete(self, exchange: Exchange, body: bytes) -> None:
        self._state = BUSY
        self._deadline.clear()
        advancing, self._advancing = self._advancing, True
        exchange.receive_body(body)
        self._hold_back()
        self._advancing = advancing
        if not advancing and self._buffer:
            self._advance()

    def _note_body_bytes(self) -> None:
        if self._exchange is not None and self._body is not None:
            self._exchange.note_arrived(self._body.received)

    def _skip(self) -> None:
        """Drop what is left of a refused request's body."""
        buffer = self._buffer
        self._buffer = buffer[self._missing :]
        self._missing = max(self._missing - len(buffer), 0)
        if not self._missing:
            self._await_head()

    def _await_head(self) -> None:
        self._state = HEAD
        deadlines = self._server.snapshot.deadlines
        self._deadline.after(deadlines.body if self._writing_paused else deadlines.keepalive)

    # ends

    def _refuse_alone(self, rejection: Rejection) -> None:
        """Refuse what never became a whole head."""
        self._state = BUSY
        arrived, self._buffer = len(self._buffer), b""
        exchange = self._exchange = self._begin()
        exchange.note_arrived(arrived)
        exchange.refuse(rejection)

    def _expired(self) -> None:
        """Act on a client that took too long: with its head, its body, or reading its answer."""
        state = self._state
        if self._writing_paused:
            # What nobody reads would stay in the kernel for minutes, behind it the FIN: megabytes.
            reset_on_close(self._transport)
            self.drop()
        elif state is HEAD and self._buffer:
            self._refuse_alone(HEAD_LATE)
        elif state is BODY and self._exchange is not None:
            self._state = BUSY
            self._note_body_bytes()
            self._exchange.refuse(BODY_LATE)
        else:
            self.drop()

    def retire(self) -> None:
        """End now if no request is under way, else after its answer: the gateway drains."""
        if self._state in {HEAD, SKIP} and not self._buffer:
            if self._state is HEAD and self._unsent() == 0:
                self.drop()
            else:
                self._linger()

    def _linger(self) -> None:
        """End gently: closing with unread bytes would reset the connection and lose the answer."""
        self._count_strays()
        self._exchange = None
        self._state = LINGER
        self._body = None
        transport = self._transport
        if transport is None:
            return
        self._outbox.flush()
        if self._ended:
            self._close_when_sent()  # nothing more can come, for which to linger
            return
        # An answer that is still leaving gets the time that one under way has.
        self._deadline.after(self._server.snapshot.deadlines.body if self._unsent() else LINGER_SECONDS)
        if transport.can_write_eof():
            with suppress(OSError):  # the client may have gone between the answer and here
                transport.write_eof()
            self._balance()
        else:
            self._close_when_sent()

    def _count_strays(self) -> Strays:
        """Count what is in the buffer as belonging to no request: none is taken off it any more."""
        strays = self._strays
        if strays is None:
            own = self._missing if self._state is SKIP else 0
            strays = self._strays = Strays(own if self._exchange is None else self._exchange.unread)
        strays.take(self._buffer)
        self._buffer = b""
        return strays

    def _close_when_sent(self) -> None:
        """End once the last answer has left."""
        self._count_strays()
        self._state = CLOSED
        self._deadline.after(self._server.snapshot.deadlines.body)
        if self._transport is not None:
            self._transport.close()

    def _unsent(self) -> int:
        self._outbox.flush()
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def drop(self, code: str = "client_gone") -> None:
        """End at once; an exchange under way is abandoned for the reason that ``code`` names."""
        self._outbox.flush()  # what a broken response has so far
        strays = self._count_strays()
        state, self._state = self._state, CLOSED
        self._deadline.close()
        exchange = self._exchange
        if strays.count:
            seconds = None if self._began is None else perf_counter() - self._began[1]
            why = "closed" if state is LINGER or state is CLOSED else code
            self.audit.connection(self.peer, why, strays.count, seconds)
            strays.count = 0
        if exchange is not None:
            if state is BODY:
                self._note_body_bytes()
            self._exchange = None
            exchange.abandon(code)
            if exchange.ends_with_connection:
                reset_on_close(self._transport)
        if self._transport is not None:
            self._transport.abort()
