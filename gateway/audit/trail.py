"""The audit trail as the data plane knows it: what happens to requests becomes records of one stream.

Implements :class:`gateway.ports.AuditLog`. The event loop's side only notes what a record needs; the ledger's
thread makes the text of it and has it on disk.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from gateway.audit import records
from gateway.audit.connections import Connections
from gateway.audit.content.lines import Kept, keep_full, keep_redacted
from gateway.audit.ledger import Ledger
from gateway.audit.record import NOT_JUDGED, Judged, RequestRecords, file_count, metadata_keys
from gateway.audit.redaction import enumerated
from gateway.core.view import View

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from gateway.audit.content.writer import ContentWriter
    from gateway.audit.faults import AuditError
    from gateway.audit.instance import Keys
    from gateway.audit.records import Marks
    from gateway.audit.stream import Stream
    from gateway.config.model import Audit
    from gateway.core.types import Operation, Outcome, RequestHead, Verdict

_SIZE: Final = 1024
"""About how many bytes a record holds in memory until it is written, its body not counted."""
_MAX_OPERATIONS: Final = 4096


class _Request(NamedTuple):
    """A request's record that is still to be made."""

    outcome: Outcome
    judged: Judged
    credential: bytes | None


class _Intent(NamedTuple):
    """An intent that is still to be made: of what is known of the exchange at ``time``."""

    time: float
    outcome: Outcome
    hmac: str | None
    credential: bytes | None


class AuditTrail:
    """Writes the records of one process."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        stream: Stream,
        keys: Keys,
        settings: Audit,
        marks: Marks,
        content: ContentWriter | None,
        told: Callable[[AuditError | None], None],
    ) -> None:
        """Begin to write to ``stream``, and to ``content`` where bodies are kept.

        ``told`` hears on the loop that nothing can be written any more, and with None that it can again.
        """
        self._loop = loop
        self._keys = keys
        self._marks = marks
        self._blocking = settings.durability != "batch"
        self._strict = settings.durability == "blocking-strict"
        self._keep = settings.content
        self._content = content
        self._stream = stream
        self._known: dict[Operation, frozenset[str]] = {}
        self._words: dict[Operation, frozenset[str]] = {}
        self._requests = RequestRecords(keys)
        self._connections = Connections(loop, self.tell, marks)
        self._ledger = Ledger(
            loop,
            stream,
            self._render,
            blocking=self._blocking,
            recovered=self._restored,
            told=told,
            before=None if content is None else self._flush_content,
        )

    # ports.AuditLog

    @property
    def available(self) -> bool:
        """Whether new requests may be taken on."""
        return self._ledger.available

    def judged(self, operation: Operation, verdict: Verdict, body: bytes) -> Judged:
        """Take what the record needs of a body that was judged."""
        value = verdict.value
        count: int | None = None
        keys: tuple[str, ...] = ()
        if isinstance(value, dict):
            count, keys = file_count(value), metadata_keys(value, self._known_keys(operation))
        signature = self._keys.sign(body) if body else None
        if self._keep == "none" or not body:
            return Judged(signature, count, keys)
        return Judged(signature, count, keys, body, value, operation)

    def intend(
        self,
        so_far: Callable[[], Outcome],
        head: RequestHead,
        judged: object,
        release: Callable[[bool], None],
    ) -> bool:
        """Write down that a request is about to be forwarded, in mode ``blocking-strict``."""
        if not self._strict:
            return False
        signature = judged.hmac if isinstance(judged, Judged) else None
        entry = _Intent(self._marks.now(), so_far(), signature, head.first.get(b"authorization"))
        self._ledger.put(entry, _SIZE, release)
        return True

    def sent(self, judged: object, body: bytes) -> object:
        """Sign a body as it was sent: also an empty one, where that is not what was judged."""
        if not isinstance(judged, Judged) or not (body or judged.hmac):
            return judged
        return judged._replace(sent=self._keys.sign(body))

    def record(
        self,
        outcome: Outcome,
        head: RequestHead | None,
        judged: object,
        release: Callable[[bool], None] | None,
    ) -> bool:
        """Write down what an exchange came to; what was refused for want of this is only counted."""
        ledger = self._ledger
        if not outcome.head_whole:
            self._headless(outcome)
            return False
        unrecorded = outcome.code == "audit_unavailable"
        if unrecorded and judged is None:
            ledger.refused += 1
            return False
        taken = judged if isinstance(judged, Judged) else NOT_JUDGED
        credential = None if head is None else head.first.get(b"authorization")
        if unrecorded or not self._blocking:
            release = None
        ledger.put(_Request(outcome, taken, credential), _SIZE + len(taken.body), release)
        return release is not None

    def connection(self, client_ip: str, code: str, size: int, seconds: float | None) -> None:
        """Write down a connection without a request; of many within a second, the rest are told in one.

        Like a request, it is only counted while nothing can be written.
        """
        if self._ledger.available:
            self._connections.add(client_ip, code, size, seconds)
        else:
            self._ledger.refused += 1

    def _headless(self, outcome: Outcome) -> None:
        """Write down a connection that was answered, though it brought no whole request head."""
        if not self._ledger.available:
            self._ledger.refused += 1
            return
        self._connections.add(
            outcome.client_ip,
            outcome.code or "-",
            outcome.bytes_in,
            outcome.duration_ms / 1e3,
            mark=records.Mark(outcome.request_id, outcome.time),
            status=outcome.status,
        )

    # what else is told

    def tell(self, members: bytes) -> None:
        """Write a record that is made already: of the gateway's life and its configuration."""
        self._ledger.put(members, len(members))

    @property
    def ledger(self) -> Ledger:
        """Where it is written, for metrics."""
        return self._ledger

    def close(self, seconds: float) -> bool:
        """Write what waits and let go of the files; False if not all could be written in ``seconds``."""
        self._connections.close()
        if self._ledger.close(seconds):
            if self._content is not None:
                self._content.close()
            self._stream.close()
        return self._ledger.queued == 0

    # the thread

    def _render(self, value: Any) -> bytes:
        if type(value) is _Request:
            return self._render_request(value)
        if type(value) is _Intent:
            time, outcome, signature, credential = value
            facts = self._requests.facts(outcome, signature, credential)
            return records.intent(records.Mark(outcome.request_id, time), facts)
        members: bytes = value
        return members

    def _render_request(self, request: _Request) -> bytes:
        """Make the record of a request; one that cannot be made must not hold up those of all others."""
        outcome, judged, credential = request
        try:
            kept = self._kept(outcome.request_id, judged) if judged.operation is not None else None
            return self._requests(outcome, judged, credential, None if kept is None else kept.hmac)
        except Exception as error:  # noqa: BLE001 - a bug
            context = {"message": "the record of a request could not be made", "exception": error}
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._loop.call_exception_handler, context)
            return records.record_failed(outcome)

    def _kept(self, identity: str, judged: Judged) -> Kept | None:
        operation = judged.operation
        if operation is None or self._content is None:
            return None
        if self._keep == "full":
            kept = keep_full(self._keys, identity, judged.body)
        else:
            words = self._contract_words(operation)
            kinds = {one.kind for one in operation.body.media_types.values()} if operation.body else set()
            kind = kinds.pop() if len(kinds) == 1 else None
            kept = keep_redacted(self._keys, identity, judged.body, judged.value, words, kind)
        self._content.add(kept.line)
        return kept

    def _flush_content(self) -> None:
        assert self._content is not None
        self._content.flush(self._stream.last.seq + 1)

    def _restored(self, refused: int, lost: int) -> bytes:
        return records.restored(self._marks(), refused=refused, lost=lost)

    def _known_keys(self, operation: Operation) -> frozenset[str]:
        known = self._known.get(operation)
        if known is None:
            if len(self._known) >= _MAX_OPERATIONS:  # reloads bring new ones
                self._known.clear()
            known = self._known[operation] = _named_metadata(operation)
        return known

    def _contract_words(self, operation: Operation) -> frozenset[str]:
        words = self._words.get(operation)
        if words is None:
            if len(self._words) >= _MAX_OPERATIONS:
                self._words.clear()
            words = self._words[operation] = enumerated(operation)
        return words


def _named_metadata(operation: Operation) -> frozenset[str]:
    """Give the keys of ``metadata`` that what judges an operation's bodies names."""
    contents = operation.body.media_types.values() if operation.body is not None else ()
    names: set[str] = set()
    for content in contents:
        view = View.of(content.validator.schema, content.validator.definitions)
        for schema in view.member("metadata").schemas():
            names |= {*schema.get("properties", ()), *schema.get("required", ())}
    return frozenset(names)
