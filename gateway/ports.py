"""The seams: what the listener needs from the rest, as small protocols.

``Limiter`` and ``AuditLog`` have no implementation yet; they fix where those phases will stand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.core.types import Outcome, Permit, Rejection, RequestHead


class ResponseHead(NamedTuple):
    """An upstream's response head, read strictly; hop-by-hop fields still in it.

    ``fields``: name as it came, name in lower case, value. ``length`` is the body's length when it is
    known, None for a chunked body or one that ends with the connection; 0 when no body can follow.
    """

    status: int
    reason: bytes
    fields: tuple[tuple[bytes, bytes, bytes], ...]
    length: int | None


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
        """Send the permit's request; the answer comes to ``sink``, possibly before this returns."""


class Client(NamedTuple):
    """The downstream peer as forwarding needs to know it."""

    ip: str
    scheme: str


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
