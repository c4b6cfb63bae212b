"""One request from its head to its settle: the one file that sequences the phases.

``head → route → (identify, limit: not yet) → body → parse → schema → forward → relay``, then always
``settle``, exactly once. The connection brings bytes and takes bytes; everything that is decided is
decided in ``core``; what leaves for the upstream is a Permit.

States, in order: new, admitted (its body is awaited), under way (a flight exists), answering (the
response's head is out), settled.
"""

from __future__ import annotations

from functools import partial
from time import perf_counter, time
from typing import TYPE_CHECKING, Final, Protocol

from gateway.core import decide
from gateway.core.codes import status_of
from gateway.core.head import read_head
from gateway.core.route import Route
from gateway.core.types import Decision, Phase, Rejection
from gateway.listener.bounds import SKIPPABLE
from gateway.listener.outcome import make_outcome
from gateway.listener.refusals import unrecorded, upstream_failed
from gateway.listener.response import Framing, head_bytes, refusal_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.core.decide import Admission
    from gateway.core.fields import HeadMemo
    from gateway.core.types import Findings, Permit, RequestHead
    from gateway.listener.server import Load
    from gateway.listener.snapshot import Snapshot
    from gateway.ports import AuditLog, Client, Flight, Observer, ResponseHead, UpstreamFault

CLIENT_GONE = 499
"""The status of the record where no response could be sent; nginx's figure, never on the wire."""

# By these names, since looking a member up on its class costs more than what is done with it.
_HEAD: Final = Phase.HEAD
_ROUTE: Final = Phase.ROUTE
_BODY: Final = Phase.BODY
_FORWARD: Final = Phase.FORWARD
_RELAY: Final = Phase.RELAY
_ALLOW: Final = Decision.ALLOW
_REJECT: Final = Decision.REJECT
_WOULD_REJECT: Final = Decision.WOULD_REJECT
_ERROR: Final = Decision.ERROR
_NONE: Final = Framing.NONE
_CHUNKED: Final = Framing.CHUNKED
_CLOSE: Final = Framing.CLOSE
_LAST_CHUNK: Final = b"0\r\n\r\n"


class Downstream(Protocol):
    """What an exchange needs of its connection."""

    peer: str
    scheme: str
    load: Load
    audit: AuditLog
    observers: tuple[Observer, ...]
    memo: HeadMemo

    def client(self, snapshot: Snapshot, head: RequestHead | None) -> Client:
        """Describe the client behind this connection."""

    def write(self, chunk: bytes) -> None:
        """Send bytes downstream."""

    def finished(self, *, keep_alive: bool, unread: int) -> None:
        """Go on to the next request, or end the connection once everything is sent.

        ``unread`` bytes of the request's body were never asked for and come before the next request.
        """

    def abort(self, *, reset: bool) -> None:
        """End the connection so that the client sees a broken response.

        ``reset`` where its plain end would be taken for the response's end.
        """


class Exchange:
    """One request and its response; also the sink of the upstream's answer."""

    __slots__ = (
        "_at", "_framing", "_held", "_judged", "_keep_alive", "_last", "_length", "_paused", "_permit",
        "_response_at", "_sent_at", "_whole", "admission", "body_bytes", "bytes_out", "code",
        "decision", "decoded_bytes", "downstream", "findings", "flight", "head", "head_whole", "id",
        "overhead", "phase", "rejection", "reserved", "settled", "snapshot", "started", "status", "time",
        "upstream_ms", "upstream_outcome", "upstream_request_id", "upstream_status",
    )  # fmt: skip

    def __init__(self, downstream: Downstream, snapshot: Snapshot, request_id: str) -> None:
        self.downstream = downstream
        self.snapshot = snapshot
        self.id = request_id
        self.time = time()
        self.started = self._at = perf_counter()
        self.head: RequestHead | None = None
        self.head_whole = False
        self.flight: Flight | None = None
        self.status = 0
        self.bytes_out = 0
        self.reserved = 0
        self.admission: Admission | None = None
        self.phase: Phase = _HEAD
        self.decision: Decision = _ALLOW
        self.rejection: Rejection | None = None
        self.findings: Findings | None = None
        self.code: str | None = None
        self.body_bytes = 0
        self.decoded_bytes: int | None = None
        self._whole = False
        self._keep_alive = False
        self._framing: Framing = _NONE
        self._length: int | None = None
        self._held = b""
        self._last = b""
        self._judged: object = None
        self._permit: Permit | None = None
        self._paused = False
        self.overhead = 0.0
        self._sent_at = 0.0
        self._response_at = 0.0
        self.settled = False
        self.upstream_ms: float | None = None
        self.upstream_outcome: str | None = None
        self.upstream_request_id: bytes | None = None
        self.upstream_status: int | None = None
        downstream.load.in_flight += 1

    # downstream → here

    def receive_head(self, raw: bytes) -> bool:
        """Do the phases head and route, and of body what the head tells; false if refused."""
        self._at = perf_counter()
        self.head_whole = True
        head = read_head(raw, self.downstream.memo, secured=self.downstream.scheme == "https")
        if isinstance(head, Rejection):
            self.refuse(head if self.downstream.audit.available else unrecorded(close=True))
            return False
        self.head = head
        self.phase = _ROUTE
        if not self.downstream.audit.available:
            self._note_route(head)
            self.refuse(unrecorded())
            return False
        admission = decide.admit(self.snapshot.rules, head)
        if isinstance(admission, Rejection):
            self._note_route(head)
            self.refuse(admission)
            return False
        self.admission = admission
        rejection = self.downstream.load.refusal(self.snapshot.capacity)
        if rejection is not None:
            self.refuse(rejection)
            return False
        self.phase = _BODY
        return True

    def _note_route(self, head: RequestHead) -> None:
        """Keep the route of a request that was refused for what its head says of the body, for the record."""
        route = self.snapshot.rules.routes.match(head.method, head.path, head)
        if isinstance(route, Route):
            self.admission = decide.Admission(route, None)

    def hold(self, size: int) -> Rejection | None:
        """Count ``size`` bytes of the body as held, or say that they are more than the gateway takes on."""
        load = self.downstream.load
        held = load.body_bytes + size - self.reserved
        if held > self.snapshot.capacity.body_bytes:
            self.body_bytes = size
            return load.overloaded(_BODY, close=not self._whole)
        load.body_bytes = held
        self.reserved = self.body_bytes = size
        return None

    @property
    def max_bytes(self) -> int:
        """The limit of the body whose head was admitted."""
        assert self.admission is not None
        return self.admission.route.operation.max_bytes

    def receive_body(self, body: bytes) -> None:
        """Remove the content coding, do the phases parse and schema, and forward what is permitted."""
        head = self.head
        admission = self.admission
        assert head is not None
        assert admission is not None
        self._at = perf_counter()
        self._whole = True
        audit = self.downstream.audit
        rejection = self.hold(len(body)) if audit.available else unrecorded()
        if rejection is not None:
            self.refuse(rejection)
            return
        if admission.coding is not None:
            decoded = self._decode(admission, body)
            if isinstance(decoded, Rejection):
                self.refuse(decoded)
                return
            body = decoded
        verdict = decide.judge(self.snapshot.rules, head, admission, body)
        self._judged = audit.judged(admission.route.operation, verdict, body)
        if isinstance(verdict, Rejection):
            self.refuse(verdict)
            return
        self.phase = _FORWARD
        if verdict.findings is not None:
            self.findings = verdict.findings
            self.decision = _WOULD_REJECT
        self._permit = verdict
        if not audit.intend(partial(make_outcome, self), head, self._judged, self._intended):
            self._forward()

    def _intended(self, durable: bool) -> None:
        """Go on once it is on disk what is about to happen; never without that."""
        if self.settled:
            return
        if durable:
            self._forward()
        else:
            self.refuse(unrecorded())

    def _forward(self) -> None:
        permit, self._permit = self._permit, None
        head = self.head
        assert permit is not None
        assert head is not None
        forwarder = self.snapshot.forwarders[permit.operation.upstream]
        client = self.downstream.client(self.snapshot, head)
        self.flight = forwarder.forward(permit, client, self)
        if self._paused:
            self.flight.pause()
        self._sent_at = perf_counter()
        self.overhead = self._sent_at - self._at

    def _decode(self, admission: Admission, body: bytes) -> bytes | Rejection:
        """Remove the content coding; the decoded bytes are what is held from here on."""
        decoded = decide.decode(self.snapshot.rules, admission, body)
        if isinstance(decoded, Rejection):
            return decoded
        self.decoded_bytes = len(decoded)
        rejection = self.hold(len(decoded))
        self.body_bytes = len(body)
        return decoded if rejection is None else rejection

    def began(self, when: float, at: float) -> None:
        """Take note that the head's first byte came earlier: seconds since the epoch, and perf_counter()."""
        self.time = when
        self.started = at

    def note_arrived(self, count: int) -> None:
        """Take note of how many bytes came of a head or a body that never became whole."""
        self.body_bytes = count

    @property
    def unread(self) -> int | None:
        """Bytes of the body that were never asked for; None where they cannot be told or are not worth it."""
        head = self.head
        if self._whole:
            return 0
        if head is None or head.length is None or head.length > SKIPPABLE or head.expect:
            return None
        return head.length

    def refuse(self, rejection: Rejection) -> None:
        """Answer with a refusal and settle; the connection goes on if no body is in doubt."""
        head = self.head
        self.rejection = rejection
        self.phase = rejection.phase
        self.status = status_of(rejection.code)
        self.code = rejection.code
        if self.decision is not _ERROR:
            self.decision = _REJECT
        self._keep_alive = (
            head is not None
            and head.keep_alive
            and not rejection.close
            and not self.downstream.load.draining
            and self.unread is not None
        )
        answer, self.bytes_out = refusal_bytes(
            rejection, head, self.snapshot.dialect, self.id, keep_alive=self._keep_alive
        )
        if self.flight is None:
            self.overhead = perf_counter() - self._at
        self._finish(answer)

    def abandon(self, code: str) -> None:
        """Give the request up and settle: the client has gone, or the gateway must.

        ``code`` says which, for the record only: ``client_gone`` or ``draining``.
        """
        if self.settled:
            return
        flight = self.flight
        if flight is not None:
            self._note_upstream("abandoned")
            flight.cancel()
        self.decision = _ERROR
        self.code = code
        if self.status == 0:
            self.status = CLIENT_GONE
        self.settle()

    @property
    def ends_with_connection(self) -> bool:
        """Whether the plain end of the connection would be taken for the response's."""
        return self._framing is _CLOSE

    def pause(self) -> None:
        """Hold the upstream back, unless it is through: its connection may serve another request then."""
        self._paused = True
        if self.flight is not None and self.upstream_outcome is None:
            self.flight.pause()

    def resume(self) -> None:
        """Let the upstream go on."""
        self._paused = False
        if self.flight is not None and self.upstream_outcome is None:
            self.flight.resume()

    # ports.ResponseSink: upstream → here

    def request_sent(self, body: bytes) -> None:
        """Have the record tell of the body as it was sent, too."""
        self._judged = self.downstream.audit.sent(self._judged, body)

    def response_head(self, head: ResponseHead) -> None:
        """Make the response's head; it leaves together with the first piece of the body."""
        self._response_at = perf_counter()
        self.phase = _RELAY
        request = self.head
        assert request is not None
        self.status = self.upstream_status = head.status
        self.upstream_request_id = head.request_id
        self._framing = Framing.of(head, request)
        self._length = head.length
        self._keep_alive = (
            request.keep_alive and self._framing is not _CLOSE and not self.downstream.load.draining
        )
        findings = self.findings
        self._held = head_bytes(
            head,
            self._framing,
            request,
            self.id,
            keep_alive=self._keep_alive,
            would_reject=0 if findings is None else findings.total,
        )

    def response_body(self, chunk: bytes) -> None:
        """Pass a piece of the body on, in chunks where its length is not known."""
        if self.settled:
            return
        self.bytes_out += len(chunk)
        if self._framing is _CHUNKED:
            chunk = b"%x\r\n%b\r\n" % (len(chunk), chunk)
        elif self.bytes_out == self._length:
            self._last = chunk  # the end follows at once
            return
        if self._held:
            self._flush(chunk)
        else:
            self.downstream.write(chunk)

    def response_end(self) -> None:
        """End the response and settle."""
        if self.settled:
            return
        self._note_upstream("complete")
        if self._held:
            self.overhead += perf_counter() - self._response_at
        held, self._held = self._held, b""
        self._finish(held + (_LAST_CHUNK if self._framing is _CHUNKED else self._last))

    def response_flush(self) -> None:
        """Send a head that waits for its body: no more of the response is at hand."""
        if self._held:
            self._flush(b"")

    def response_fault(self, fault: UpstreamFault) -> None:
        """Refuse with the fault, or break the response off if its head is already out."""
        if self.settled:
            return
        self._note_upstream(fault.reason)
        self.decision = _ERROR
        if self.upstream_status is not None and not self._held:
            self.code = fault.code
            self.downstream.abort(reset=self._framing is Framing.CLOSE)
            self.settle()
            return
        self._held = b""
        self.refuse(upstream_failed(fault))

    def _flush(self, chunk: bytes) -> None:
        held = self._held
        self._held = b""
        self.downstream.write(held + chunk)
        self.overhead += perf_counter() - self._response_at

    def _note_upstream(self, outcome: str) -> None:
        self.upstream_outcome = outcome
        since = self._sent_at or self._at
        self.upstream_ms = (perf_counter() - since) * 1e3

    # the end

    def _finish(self, last: bytes) -> None:
        """Settle, and end the response with ``last`` as soon as its record allows that."""
        self._last = last
        if not self.settle(self._released):
            self._released(durable=True)

    def _released(self, durable: bool) -> None:
        """End the response, or break it off where its record could not be had."""
        last, self._last = self._last, b""
        if durable:
            if last:
                self.downstream.write(last)
            self.downstream.finished(keep_alive=self._keep_alive, unread=self.unread or 0)
        else:
            self.downstream.abort(reset=True)

    def settle(self, release: Callable[[bool], None] | None = None) -> bool:
        """Make the Outcome and tell the observers; what comes later finds the exchange settled.

        Gives whether ``release`` will be called once the record is on disk.
        """
        if self.settled:
            return False
        self.settled = True
        load = self.downstream.load
        load.in_flight -= 1
        load.body_bytes -= self.reserved
        outcome = make_outcome(self)
        self.flight = None  # it knows this exchange: a circle that only the garbage collector would end
        for observer in self.downstream.observers:
            observer.settled(outcome)
        judged, self._judged = self._judged, None
        self._permit = None
        return self.downstream.audit.record(outcome, self.head, judged, release)
