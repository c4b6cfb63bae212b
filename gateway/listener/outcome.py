"""The Outcome of an exchange: all that is known of it once it is settled."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from gateway.core.printable import clipped
from gateway.core.types import Findings, Outcome
from gateway.listener.texts import NO_TEXTS, text, texts_of

if TYPE_CHECKING:
    from gateway.listener.exchange import Exchange


def make_outcome(exchange: Exchange) -> Outcome:
    """Give what an exchange came to at this moment."""
    head = exchange.head
    texts = NO_TEXTS if head is None else texts_of(head)
    admission = exchange.admission
    operation = None if admission is None else admission.route.operation
    flight = exchange.flight
    rejection = exchange.rejection
    findings = exchange.findings
    if rejection is not None and rejection.violations:
        findings = Findings(rejection.violations, rejection.total)
    return Outcome(
        exchange.id,
        exchange.time,
        (perf_counter() - exchange.started) * 1e3,
        exchange.downstream.client(exchange.snapshot, head).ip,
        exchange.snapshot.revision,
        exchange.phase,
        exchange.decision,
        exchange.status,
        exchange.code,
        None if head is None else clipped(head.method),
        None if head is None else head.path,
        None if operation is None else operation.name,
        None if operation is None else operation.contract,
        None if admission is None else admission.route.value_of("thread_id"),
        None,
        texts.client_request_id,
        text(exchange.upstream_request_id),
        texts.trace_id,
        texts.user_agent,
        texts.sdk_retry,
        () if findings is None else findings.violations,
        0 if findings is None else findings.total,
        "enforce" if operation is None else operation.mode,
        None if flight is None or operation is None else operation.upstream,
        exchange.upstream_status,
        0 if flight is None else flight.attempts,
        exchange.upstream_outcome,
        exchange.upstream_ms,
        exchange.overhead * 1e6,
        exchange.body_bytes,
        exchange.bytes_out,
        exchange.decoded_bytes,
        exchange.head_whole,
        [],
    )
