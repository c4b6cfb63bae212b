"""The seams: what the listener needs from the rest, as small protocols.

``Limiter`` and ``AuditLog`` have no implementation yet; they fix where those phases will stand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.core.types import Outcome, Permit, Rejection, RequestHead


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
    """Keeps a record of every finished exchange; not implemented yet.

    Unlike an :class:`Observer` it may hold a response's end back until the record is safe.
    """

    def record(self, outcome: Outcome, release: Callable[[], None]) -> None:
        """Write the record and call ``release`` once the response may end."""
