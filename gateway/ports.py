"""The seams: what the listener needs from the rest, as small protocols.

``Limiter`` has no implementation yet; it fixes where that phase will stand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.core.types import Operation, Outcome, Permit, Rejection, RequestHead, Verdict


class ResponseHead(NamedTuple):
    """An upstream's response head, read strictly.

    ``block`` holds the end-to-end header fields as they go downstream, each line with its CRLF: hop-by-hop
    and framing fields are gone, the upstream's request id is renamed to ``x-upstream-request-id``.
    ``length`` is the body's length, None for a chunked body or one that ends with the connection.
    ``bodiless`` says that no body follows whatever ``length`` says (RFC 9112 section 6.3, 1 and 2).
    """

    status: int
    reason: bytes
    block: bytes
    length: int | None
    bodiless: bool
    request_id: bytes | None


class UpstreamFault(NamedTuple):
    """Why an upstream gave no whole answer.

    ``code`` is a refusal code (``upstream_unreachable``, ``upstream_protocol_error``,
    ``upstream_timeout``); ``reason`` is a fixed word for logs and metrics (``refused``, ``reset``,
    ``connect_timeout``, ``first_byte_timeout``, ``idle_timeout``, ``protocol``, ``truncated``);
    ``sent`` says whether request bytes may have reached it.
    """

    code: str
    reason: str
    sent: bool


class ResponseSink(Protocol):
    """Takes a response as it comes. After ``response_end`` or ``response_fault`` nothing follows."""

    def request_sent(self, body: bytes) -> None:
        """Take the request's body out of the very buffer that is handed to the socket now.

        Only where that is asked for; at most once, before the response; never where nothing is sent.
        """

    def response_head(self, head: ResponseHead) -> None:
        """Take the final response's head."""

    def response_body(self, chunk: bytes) -> None:
        """Take the next piece of the body."""

    def response_flush(self) -> None:
        """Take note that nothing more is at hand for now: what was held back has to leave."""

    def response_end(self) -> None:
        """Take note that the response is whole."""

    def response_fault(self, fault: UpstreamFault) -> None:
        """Take note that the response never came, or broke off."""


class Flight(Protocol):
    """A request under way to an upstream."""

    attempts: int
    """How many connections were tried so far."""

    def pause(self) -> None:
        """Stop reading from the upstream until :meth:`resume`."""

    def resume(self) -> None:
        """Read on."""

    def cancel(self) -> None:
        """Give up: the connection is closed at once and the sink hears nothing more."""


class Forwarder(Protocol):
    """Sends judged requests upstream, and nothing else: a :class:`Permit` is all that it takes."""

    def forward(self, permit: Permit, client: Client, sink: ResponseSink) -> Flight:
        """Send the permit's request; the answer comes to ``sink``, never before this returns."""


class Client(NamedTuple):
    """The client of a request.

    ``peer`` is the address at the other end of the connection, ``ip`` the client's own: the same, unless
    a trusted proxy stands between. ``trusted`` says that the peer is one of ``trusted_proxies``: what it
    forwards about its own client is kept and added to, rather than replaced.
    """

    ip: str
    peer: str
    scheme: str
    trusted: bool = False


class Limiter(Protocol):
    """Says whether a caller is within its rate; not implemented yet."""

    def admit(self, head: RequestHead, app: str) -> Rejection | None:
        """Give None to let the request on, or the refusal."""


class Observer(Protocol):
    """Hears of every finished exchange: logs, metrics, traces."""

    def settled(self, outcome: Outcome) -> None:
        """Take note of ``outcome``. Must not raise and must not block."""


class AuditLog(Protocol):
    """Keeps a record of every exchange.

    Unlike an :class:`Observer` it may hold back what a request does until its record is safe: ``release`` is
    then called on the event loop, once, with whether it is. Nothing here raises or blocks.
    """

    @property
    def available(self) -> bool:
        """Whether new requests may be taken on: what they do could be recorded."""

    def connection(self, client_ip: str, code: str, size: int, seconds: float | None) -> None:
        """Write down a connection that ended with ``size`` bytes that never became a whole request head.

        ``code`` says why it ended, ``seconds`` how long after the first of them, None where nobody looked.
        """

    def judged(self, operation: Operation, verdict: Verdict, body: bytes) -> object:
        """Take what the record needs of a body that was judged; what is given is for the other three."""

    def intend(
        self,
        so_far: Callable[[], Outcome],
        head: RequestHead,
        judged: object,
        release: Callable[[bool], None],
    ) -> bool:
        """Write down that a request is about to be forwarded; False if nobody needs to wait for that.

        ``so_far`` gives what is known of the exchange; it is called only where that is written down.
        """

    def sent(self, judged: object, body: bytes) -> object:
        """Take what the record needs of a body as it was sent; gives what takes the place of ``judged``."""

    def record(
        self,
        outcome: Outcome,
        head: RequestHead | None,
        judged: object,
        release: Callable[[bool], None] | None,
    ) -> bool:
        """Write down what an exchange came to; False if nobody waits for it, or is to: then go on at once.

        ``judged`` is what :meth:`judged` gave, None where nothing was judged.
        """


class NoAudit:
    """Keeps no records: the :class:`AuditLog` of listeners that stand alone."""

    available = True

    def connection(self, *_: object) -> None:
        """Let it go."""

    def judged(self, *_: object) -> object:
        """Take nothing."""
        return None

    def intend(self, *_: object) -> bool:
        """Let the request go on."""
        return False

    def sent(self, *_: object) -> object:
        """Take nothing."""
        return None

    def record(self, *_: object) -> bool:
        """Let the response go on."""
        return False
