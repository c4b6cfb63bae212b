"""One request from its head to its settle: the one file that sequences the phases.

``head → route → (identify, limit: not yet) → body → parse → schema → forward → relay``, then always
``settle``, exactly once. The connection brings bytes and takes bytes; everything that is decided is
decided in ``core``; what leaves for the upstream is a Permit.

States, in order: new, admitted (its body is awaited), under way (a flight exists), answering (the
response's head is out), settled.
"""

from __future__ import annotations

from time import perf_counter, time
from typing import TYPE_CHECKING, Final, Protocol

from gateway.core import decide
from gateway.core.codes import status_of
from gateway.core.head import read_head
from gateway.core.printable import clipped
from gateway.core.route import Route
from gateway.core.types import Decision, Findings, Outcome, Phase, Rejection
from gateway.listener.response import Framing, head_bytes, refusal_bytes
from gateway.listener.texts import NO_TEXTS, text, texts_of

if TYPE_CHECKING:
    from gateway.core.decide import Admission
    from gateway.core.fields import HeadMemo
    from gateway.core.types import RequestHead
    from gateway.listener.server import Load
    from gateway.listener.snapshot import Snapshot
    from gateway.ports import Client, Flight, Observer, ResponseHead, UpstreamFault

SKIPPABLE = 256 * 1024
"""A refused request's body of at most this many bytes is read and dropped to keep the connection."""

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


class Downstream(Protocol):
    """What an exchange needs of its connection."""

    peer: str
    scheme: str
    load: Load
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
        "_admission", "_at", "_body_bytes", "_code", "_decision", "_decoded_bytes", "_downstream",
        "_findings", "_framing", "_held", "_keep_alive", "_overhead", "_phase", "_rejection",
        "_response_at", "_sent_at", "_settled", "_snapshot", "_time", "_upstream_ms", "_upstream_outcome",
        "_upstream_request_id", "_upstream_status", "_whole", "bytes_out", "flight", "head", "id", "reserved",
        "started", "status",
    )  # fmt: skip

    def __init__(self, downstream: Downstream, snapshot: Snapshot, request_id: str) -> None:
        self._downstream = downstream
        self._snapshot = snapshot
        self.id = request_id
        self._time = time()
        self.started = self._at = perf_counter()
        self.head: RequestHead | None = None
        self.flight: Flight | None = None
        self.status = 0
        self.bytes_out = 0
        self.reserved = 0
        self._admission: Admission | None = None
        self._phase: Phase = _HEAD
        self._decision: Decision = _ALLOW
        self._rejection: Rejection | None = None
        self._findings: Findings | None = None
        self._code: str | None = None
        self._body_bytes = 0
        self._decoded_bytes: int | None = None
        self._whole = False
        self._keep_alive = False
        self._framing: Framing = _NONE
        self._held = b""
        self._overhead = 0.0
        self._sent_at = 0.0
        self._response_at = 0.0
        self._settled = False
        self._upstream_ms: float | None = None
        self._upstream_outcome: str | None = None
        self._upstream_request_id: bytes | None = None
        self._upstream_status: int | None = None
        downstream.load.in_flight += 1

    # downstream → here

    def receive_head(self, raw: bytes) -> bool:
        """Do the phases head and route, and of body what the head tells; false if refused."""
        self._at = perf_counter()
        head = read_head(raw, self._downstream.memo, secured=self._downstream.scheme == "https")
        if isinstance(head, Rejection):
            self.refuse(head)
            return False
        self.head = head
        self._phase = _ROUTE
        admission = decide.admit(self._snapshot.rules, head)
        if isinstance(admission, Rejection):
            self._note_route(head)
            self.refuse(admission)
            return False
        self._admission = admission
        rejection = self._downstream.load.refusal(self._snapshot.capacity)
        if rejection is not None:
            self.refuse(rejection)
            return False
        self._phase = _BODY
        return True

    def _note_route(self, head: RequestHead) -> None:
        """Keep the route of a request that was refused for what its head says of the body, for the record."""
        route = self._snapshot.rules.routes.match(head.method, head.path, head)
        if isinstance(route, Route):
            self._admission = decide.Admission(route, None)

    def hold(self, size: int) -> Rejection | None:
        """Count ``size`` bytes of the body as held, or say that they are more than the gateway takes on."""
        load = self._downstream.load
        held = load.body_bytes + size - self.reserved
        if held > self._snapshot.capacity.body_bytes:
            self._body_bytes = size
            return load.overloaded(_BODY, close=not self._whole)
        load.body_bytes = held
        self.reserved = self._body_bytes = size
        return None

    @property
    def max_bytes(self) -> int:
        """The limit of the body whose head was admitted."""
        assert self._admission is not None
        return self._admission.route.operation.max_bytes

    def receive_body(self, body: bytes) -> None:
        """Remove the content coding, do the phases parse and schema, and forward what is permitted."""
        head = self.head
        admission = self._admission
        assert head is not None
        assert admission is not None
        self._at = perf_counter()
        self._whole = True
        rejection = self.hold(len(body))
        if rejection is not None:
            self.refuse(rejection)
            return
        if admission.coding is not None:
            decoded = self._decode(admission, body)
            if isinstance(decoded, Rejection):
                self.refuse(decoded)
                return
            body = decoded
        verdict = decide.judge(self._snapshot.rules, head, admission, body)
        if isinstance(verdict, Rejection):
            self.refuse(verdict)
            return
        self._phase = _FORWARD
        if verdict.findings is not None:
            self._findings = verdict.findings
            self._decision = _WOULD_REJECT
        forwarder = self._snapshot.forwarders[verdict.operation.upstream]
        client = self._downstream.client(self._snapshot, head)
        self.flight = forwarder.forward(verdict, client, self)
        self._sent_at = perf_counter()
        self._overhead = self._sent_at - self._at

    def _decode(self, admission: Admission, body: bytes) -> bytes | Rejection:
        """Remove the content coding; the decoded bytes are what is held from here on."""
        decoded = decide.decode(self._snapshot.rules, admission, body)
        if isinstance(decoded, Rejection):
            return decoded
        self._decoded_bytes = len(decoded)
        rejection = self.hold(len(decoded))
        self._body_bytes = len(body)
        return decoded if rejection is None else rejection

    def began(self, when: float, at: float) -> None:
        """Take note that the head's first byte came earlier: seconds since the epoch, and perf_counter()."""
        self._time = when
        self.started = at

    def note_body_bytes(self, count: int) -> None:
        """Take note of how much of a body arrived that never became whole."""
        self._body_bytes = count

    @property
    def _unread(self) -> int | None:
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
        self._rejection = rejection
        self._phase = rejection.phase
        self.status = status_of(rejection.code)
        self._code = rejection.code
        if self._decision is _ALLOW:
            self._decision = _REJECT
        self._keep_alive = (
            head is not None
            and head.keep_alive
            and not rejection.close
            and not self._downstream.load.draining
            and self._unread is not None
        )
        answer, self.bytes_out = refusal_bytes(
            rejection, head, self._snapshot.dialect, self.id, keep_alive=self._keep_alive
        )
        self._downstream.write(answer)
        if self.flight is None:
            self._overhead = perf_counter() - self._at
        self._finish()

    def abandon(self, code: str) -> None:
        """Give the request up and settle: the client has gone, or the gateway must.

        ``code`` says which, for the record only: ``client_gone`` or ``draining``.
        """
        if self._settled:
            return
        flight = self.flight
        if flight is not None:
            self._note_upstream("abandoned")
            flight.cancel()
        self._decision = _ERROR
        self._code = code
        if self.status == 0:
            self.status = CLIENT_GONE
        self.settle()

    def pause(self) -> None:
        """Hold the upstream back, unless it is through: its connection may serve another request then."""
        if self.flight is not None and self._upstream_outcome is None:
            self.flight.pause()

    def resume(self) -> None:
        """Let the upstream go on."""
        if self.flight is not None and self._upstream_outcome is None:
            self.flight.resume()

    # ports.ResponseSink: upstream → here

    def response_head(self, head: ResponseHead) -> None:
        """Make the response's head; it leaves together with the first piece of the body."""
        self._response_at = perf_counter()
        self._phase = _RELAY
        request = self.head
        assert request is not None
        self.status = self._upstream_status = head.status
        self._upstream_request_id = head.request_id
        self._framing = Framing.of(head, request)
        self._keep_alive = (
            request.keep_alive and self._framing is not _CLOSE and not self._downstream.load.draining
        )
        findings = self._findings
        self._held = head_bytes(
            head,
            self._framing,
            request,
            self.id,
            keep_alive=self._keep_alive,
            would_reject=0 if findings is None else findings.total,
        )
        if self._framing is not _NONE and head.length != 0:
            return
        self._flush(b"")

    def response_body(self, chunk: bytes) -> None:
        """Pass a piece of the body on, in chunks where its length is not known."""
        if self._settled:
            return
        self.bytes_out += len(chunk)
        if self._framing is _CHUNKED:
            chunk = b"%x\r\n%b\r\n" % (len(chunk), chunk)
        if self._held:
            self._flush(chunk)
        else:
            self._downstream.write(chunk)

    def response_end(self) -> None:
        """End the response and settle."""
        if self._settled:
            return
        self._note_upstream("complete")
        end = b"0\r\n\r\n" if self._framing is _CHUNKED else b""
        if self._held:
            self._flush(end)
        elif end:
            self._downstream.write(end)
        self._finish()

    def response_flush(self) -> None:
        """Send a head that waits for its body: no more of the response is at hand."""
        if self._held:
            self._flush(b"")

    def response_fault(self, fault: UpstreamFault) -> None:
        """Refuse with the fault, or break the response off if its head is already out."""
        if self._settled:
            return
        self._note_upstream(fault.reason)
        self._decision = _ERROR
        if self._upstream_status is not None and not self._held:
            self._code = fault.code
            self._downstream.abort(reset=self._framing is Framing.CLOSE)
            self.settle()
            return
        self._held = b""
        retry = False if fault.sent else None
        headers = (("retry-after", "1"),) if fault.code == "overloaded" else ()
        self.refuse(Rejection(_FORWARD, fault.code, _FAULTS[fault.code], headers=headers, retry=retry))

    def _flush(self, chunk: bytes) -> None:
        held = self._held
        self._held = b""
        self._downstream.write(held + chunk)
        self._overhead += perf_counter() - self._response_at

    def _note_upstream(self, outcome: str) -> None:
        self._upstream_outcome = outcome
        since = self._sent_at or self._at
        self._upstream_ms = (perf_counter() - since) * 1e3

    # the end

    def _finish(self) -> None:
        self.settle()
        self._downstream.finished(keep_alive=self._keep_alive, unread=self._unread or 0)

    def settle(self) -> None:
        """Make the Outcome and tell the observers; what comes later finds the exchange settled."""
        if self._settled:
            return
        self._settled = True
        load = self._downstream.load
        load.in_flight -= 1
        load.body_bytes -= self.reserved
        outcome = self._outcome()
        self.flight = None  # it knows this exchange: a circle that only the garbage collector would end
        for observer in self._downstream.observers:
            observer.settled(outcome)

    def _outcome(self) -> Outcome:
        head = self.head
        texts = NO_TEXTS if head is None else texts_of(head)
        admission = self._admission
        operation = None if admission is None else admission.route.operation
        flight = self.flight
        rejection = self._rejection
        findings = self._findings
        if rejection is not None and rejection.violations:
            findings = Findings(rejection.violations, rejection.total)
        return Outcome(
            self.id,
            self._time,
            (perf_counter() - self.started) * 1e3,
            self._downstream.client(self._snapshot, head).ip,
            self._snapshot.revision,
            self._phase,
            self._decision,
            self.status,
            self._code,
            None if head is None else clipped(head.method),
            None if head is None else head.path,
            "-" if operation is None else operation.name,
            None if operation is None else operation.contract,
            None if admission is None else admission.route.value_of("thread_id"),
            "-",
            texts.client_request_id,
            text(self._upstream_request_id),
            texts.trace_id,
            texts.user_agent,
            texts.sdk_retry,
            () if findings is None else findings.violations,
            0 if findings is None else findings.total,
            "enforce" if operation is None else operation.mode,
            None if flight is None or operation is None else operation.upstream,
            self._upstream_status,
            0 if flight is None else flight.attempts,
            self._upstream_outcome,
            self._upstream_ms,
            self._overhead * 1e6,
            self._body_bytes,
            self.bytes_out,
            self._decoded_bytes,
        )


_FAULTS: Final = {
    "upstream_unreachable": "The upstream could not be reached, or closed the connection without an answer.",
    "upstream_protocol_error": "The upstream's answer is not acceptable HTTP.",
    "upstream_timeout": "The upstream did not answer in time.",
    "overloaded": "All connections to the upstream are in use. Try again shortly.",
}
