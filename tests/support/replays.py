"""Requests that were judged and recorded, as the gateway judges and records, without a socket."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Literal

from gateway.audit.content.lines import keep_full, keep_redacted
from gateway.audit.content.writer import ContentWriter
from gateway.audit.instance import Keys
from gateway.audit.record import file_count
from gateway.audit.redaction import enumerated
from gateway.core.decide import decide
from gateway.core.head import read_head
from gateway.core.route import Route
from gateway.core.types import Permit, Rejection, RequestHead
from tests.support.ledgers import MOMENT, NAME, identity, members, open_stream, time_text

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.core.types import Operation
    from gateway.wiring import Plan

MESSAGES = "/v1/threads/thread_1/messages"


class Recorder:
    """Judges requests under ``plan`` and writes their records, each commit with its content before it."""

    def __init__(
        self,
        directory: Path,
        plan: Plan,
        content: Literal["none", "redacted", "full"] = "full",
        *,
        start: int = MOMENT,
        segment_bytes: int = 1 << 20,
        commit: int = 1,
    ) -> None:
        """``commit`` is how many records go out together."""
        self.keys = Keys(directory)
        self.verdicts: dict[str, Permit | Rejection] = {}
        self._plan = plan
        self._keep = content
        self._moment = start
        self._stream = open_stream(directory, now=start / 1000, segment_bytes=segment_bytes)
        self._content = ContentWriter(
            directory, NAME, now=lambda: self._moment / 1000, segment_bytes=segment_bytes
        )
        self._commit = commit
        self._waiting: list[bytes] = []
        self._chance = random.Random(start)

    def send(
        self,
        body: bytes = b"",
        *,
        method: str = "POST",
        target: str = MESSAGES,
        fields: str = "",
        **more: Any,
    ) -> str:
        """Judge and record one request; ``more`` are members that replace the record's. Gives its id."""
        content_type = "content-type: application/json\r\n" if body and "content-type" not in fields else ""
        fields = f"host: x\r\n{fields}{content_type}content-length: {len(body)}\r\n"
        head = f"{method} {target} HTTP/1.1\r\n{fields}\r\n"
        verdict = decide(self._plan.rules, head.encode(), body)
        self._moment += 1
        name = identity(self._moment, self._chance)
        self.verdicts[name] = verdict
        read = read_head(head.encode())
        assert isinstance(read, RequestHead)
        route = self._plan.rules.routes.match(method, read.path, read)
        operation = route.operation if isinstance(route, Route) else None
        record = {
            "kind": "request",
            "id": name,
            "time": time_text(self._moment),
            "method": method,
            "path": read.path,
            "revision": self._plan.revision,
            "bytes_in": len(body),
            **_verdict(verdict),
        }
        if operation is not None:
            record |= {"operation": operation.name, "contract": operation.contract}
            record |= self._facts(name, operation, verdict, body)
        self.write({**record, **more})
        return name

    def _facts(
        self, name: str, operation: Operation, verdict: Permit | Rejection, body: bytes
    ) -> dict[str, Any]:
        if not body or (isinstance(verdict, Rejection) and verdict.phase == "body"):
            return {}
        facts: dict[str, Any] = {}
        if isinstance(verdict.value, dict):
            count = file_count(verdict.value)
            facts = {} if count is None else {"file_count": count}
        if self._keep == "none":
            return facts
        if self._keep == "full":
            kept = keep_full(self.keys, name, body)
        else:
            words = enumerated(operation)
            kept = keep_redacted(self.keys, name, body, verdict.value, words, "json")
        self._content.add(kept.line)
        return {**facts, "content": kept.hmac}

    def write(self, record: dict[str, Any]) -> None:
        """Write a record as it is."""
        self._waiting.append(members(record))
        if len(self._waiting) >= self._commit:
            self._flush()

    def _flush(self) -> None:
        self._content.flush(self._stream.last.seq + 1)
        self._stream.commit(self._waiting)
        self._waiting.clear()

    def close(self) -> None:
        """End the stream, so that another one may go on."""
        if self._waiting:
            self._flush()
        self._content.close()
        self._stream.close()


def _verdict(verdict: Permit | Rejection) -> dict[str, Any]:
    """Give what a record tells of a verdict; the upstream always answers."""
    if isinstance(verdict, Permit):
        decision = "allow" if verdict.findings is None else "would_reject"
        return {"decision": decision, "phase": "relay", "status": 200}
    violations = [
        {"code": one.code, "layer": one.layer.value}
        | ({} if one.safe_pointer is None else {"pointer": one.safe_pointer})
        for one in verdict.violations
    ]
    told = {"violations": violations} if violations else {}
    return {"decision": "reject", "phase": verdict.phase.value, "status": 400, "code": verdict.code, **told}
