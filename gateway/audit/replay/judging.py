"""One recorded request, judged under another configuration, and compared with what was decided of it.

It is judged by ``core.decide``, as the gateway would, with a head made of the record. Of a body kept in full
the bytes are judged. Of a redacted one the structure is, and where a text would matter it is not judged (see
``doubt``). Of a body that was not kept the facts are, and the rest only if nothing asks for it.

Query and header fields are not recorded. The conditions by which the operation was chosen are taken to hold
again; other parameters are as good as they were if they are judged as they were, else they are in doubt. The
media type is taken to be JSON. What cannot be judged, of an operation that both configurations judge alike,
stays as it was.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from gateway.audit.record import MAX_TEXT
from gateway.audit.redaction import Unrestorable
from gateway.audit.replay.bounds import Bounding, Bounds, admitted_as
from gateway.audit.replay.facts import Facts
from gateway.audit.replay.rulebook import JSON, Name, Rulebook, json_type, takes_only_json
from gateway.audit.replay.verdicts import (
    PERMITTED,
    WHOLE,
    Change,
    Judgement,
    Reason,
    Ruling,
    was_permitted,
)
from gateway.core.decide import Admission, Rules, admit, judge
from gateway.core.fields import FieldMemo, HeadMemo
from gateway.core.head import read_head
from gateway.core.route import Route, RouteTable
from gateway.core.types import Layer, Phase, Rejection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.audit.content.reader import Content
    from gateway.audit.instance import Keys
    from gateway.core.types import Operation, RequestHead

_UNSEEN: Final = {
    "none": Reason.NOT_KEPT,
    "kept": Reason.NO_JSON,
    "erased": Reason.ERASED,
    "changed": Reason.CHANGED,
}


class Judge:
    """Judges records under ``new``; ``current`` is the configuration that they are taken to come from.

    Not for several threads. Remembers what it made for each operation.
    """

    def __init__(self, current: Rulebook, new: Rulebook, keys: Keys) -> None:
        self._current = current
        self._new = new
        self._bounding = Bounding(keys.possible)
        self._rules = Rules(
            RouteTable(
                replace(one, query_parameters={}, header_parameters=()) for one in new.operations.values()
            ),
            new.max_depth,
        )
        self._memo = HeadMemo(FieldMemo())
        self._bounds: dict[Name, Bounds] = {}
        self._facts: dict[Name, Facts] = {}

    def __call__(self, record: Mapping[str, Any], content: Content) -> Judgement:
        """Say what would change for the request of a record; ``content`` is what is kept of its body."""
        recorded = Name(str(record.get("contract", "-")), str(record.get("operation", "-")))
        permitted = was_permitted(record)
        if permitted is None:
            return Judgement(Change.LEFT_OUT)
        ruling, name = self._ruling(record, content, recorded)
        operation = recorded.operation if recorded.operation != "-" or name is None else name.operation
        if ruling.kind == "unknown":
            if ruling.why != Reason.SIZE and self._alike(recorded, name):
                return Judgement(Change.SAME)
            return Judgement(Change.UNKNOWN, operation, ruling.why)
        if (ruling.kind == "permitted") == permitted:
            return Judgement(Change.SAME)
        if permitted:
            return Judgement(Change.REFUSED, operation, ruling.why)
        return Judgement(Change.PERMITTED, operation, str(record.get("code", "-")))

    def _alike(self, recorded: Name, name: Name | None) -> bool:
        """Say whether both judge the request alike, but for its size, whatever they call the operation."""
        if name is None or not self._current.has(recorded):
            return False
        return self._current.rules(recorded) == self._new.rules(name)

    def _ruling(
        self, record: Mapping[str, Any], content: Content, recorded: Name
    ) -> tuple[Ruling, Name | None]:
        """Judge a request, and say as which operation."""
        head = self._head(record, content, recorded, JSON)
        if head is None:
            return Ruling("unknown", Reason.PATH), None
        if self._chosen_otherwise(head, recorded):
            return Ruling("unknown", Reason.CONDITIONS), None
        admission = admit(self._rules, head)
        if isinstance(admission, Rejection) and admission.code == "unsupported_media_type":
            route = self._rules.routes.match(head.method, head.path, head)
            assert isinstance(route, Route)
            name = Name(route.operation.contract, route.operation.name)
            media_type = json_type(route.operation)
            if media_type is None:
                return Ruling("unknown", Reason.MEDIA_TYPE), name
            head = self._head(record, content, recorded, media_type) or head
            admission = admit(self._rules, head)
        if isinstance(admission, Rejection):
            return Ruling("refused", admission.code), None
        operation = admission.route.operation
        name = Name(operation.contract, operation.name)
        if record.get("code") == "body_too_large":
            return self._sized(recorded, operation), name
        if not operation.judged:
            return PERMITTED, name
        # A condition's query is no parameter.
        ruling = self._body(record, content, head._replace(query=None), admission, name)
        if ruling.kind == "permitted":
            ruling = self._with_parameters(record, recorded, operation)
        return ruling, name

    def _head(
        self, record: Mapping[str, Any], content: Content, recorded: Name, media_type: str
    ) -> RequestHead | None:
        """Make the head of a request that was recorded; None if the record does not tell enough."""
        method, path = record.get("method"), record.get("path")
        if not isinstance(method, str) or not isinstance(path, str) or len(path) >= MAX_TEXT:
            return None
        known = self._current.operations.get(recorded)
        size = record.get("bytes_decoded", record.get("bytes_in", 0))
        if content.form == "full":
            size = len(content.content)
        fields = {"host": "replay", "content-type": media_type} if size else {"host": "replay"}
        query = []
        for condition in known.conditions if known is not None else ():
            if condition.where == "query":
                query.append(f"{condition.name}={condition.value}")
            else:
                listed = fields.get(condition.name)
                fields[condition.name] = f"{listed}, {condition.value}" if listed else condition.value
        target = f"{path}?{'&'.join(query)}" if query else path
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        text = f"{method} {target} HTTP/1.1\r\n{lines}Content-Length: {size}\r\n\r\n"
        head = read_head(text.encode("utf-8", "replace"), self._memo)
        return None if isinstance(head, Rejection) else head

    def _chosen_otherwise(self, head: RequestHead, recorded: Name) -> bool:
        """Say whether another operation may be meant, by header fields that were not recorded."""
        choices = self._new.choices(head.method, head.path)
        before = self._current.choices(head.method, head.path)
        if choices is None and before is None:
            return False
        known = recorded.operation == "-" or self._current.has(recorded)
        return choices != before or not known

    def _sized(self, recorded: Name, operation: Operation) -> Ruling:
        """Judge a body that was refused for its size before all of it came."""
        before = self._current.operations.get(recorded)
        if before is not None and operation.max_bytes <= before.max_bytes:
            return Ruling("refused", "body_too_large")
        return Ruling("unknown", Reason.SIZE)

    def _body(
        self,
        record: Mapping[str, Any],
        content: Content,
        head: RequestHead,
        admission: Admission,
        name: Name,
    ) -> Ruling:
        """Judge what is known of a body, and the path."""
        phase, operation = record.get("phase"), admission.route.operation
        if content.form == "full":
            return self._judged(head, admission, content.content)
        if content.form == "redacted" and admission.entity is not None:
            return self._redacted(head, admission, content.content, name)
        if operation.body is None and record.get("code") == "unexpected_body":
            return Ruling("refused", "unexpected_body")
        if (phase in WHOLE and not head.length) or (operation.body is None and phase != "body"):
            return self._judged(head, admission, b"")
        facts = self._facts.get(name)
        if facts is None:
            facts = self._facts[name] = Facts(self._new.operations[name])
        code = facts.refusal(record) or self._still_no_json(record, operation)
        return Ruling("refused", code) if code else Ruling("unknown", _UNSEEN[content.state])

    def _judged(self, head: RequestHead, admission: Admission, body: bytes) -> Ruling:
        verdict = judge(self._rules, head, admission, body)
        if not isinstance(verdict, Rejection):
            return PERMITTED
        if verdict.phase is Phase.PARSE and body and not takes_only_json(admission.route.operation):
            return Ruling("unknown", Reason.MEDIA_TYPE)
        return Ruling("refused", verdict.code)

    def _redacted(self, head: RequestHead, admission: Admission, redacted: bytes, name: Name) -> Ruling:
        """Judge a body's structure: refused if even the lenient form is, permitted if the strict form is."""
        bounds = self._bounds.get(name)
        if bounds is None:
            bounds = self._bounds[name] = self._bounding.of(admission.route.operation)
        try:
            value = bounds.placeholders.restore(json.loads(redacted))
        except Unrestorable:
            return Ruling("unknown", Reason.TEXTS)
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
        verdict = judge(self._rules, head, admitted_as(admission, bounds.lenient), body)
        if isinstance(verdict, Rejection):
            return Ruling("refused", verdict.code)
        if bounds.strict is None:
            return PERMITTED
        verdict = judge(self._rules, head, admitted_as(admission, bounds.strict), body)
        return Ruling("unknown", Reason.TEXTS) if isinstance(verdict, Rejection) else PERMITTED

    def _still_no_json(self, record: Mapping[str, Any], operation: Operation) -> str | None:
        """Give the code of a body that was no good JSON, and is none for this operation either."""
        code = record.get("code")
        deeper = self._new.max_depth > self._current.max_depth
        if code not in ("invalid_json", "duplicate_key", "json_too_deep") or not takes_only_json(operation):
            return None
        return None if code == "json_too_deep" and deeper else str(code)

    def _with_parameters(self, record: Mapping[str, Any], recorded: Name, operation: Operation) -> Ruling:
        """Give the ruling on a request that is permitted but for parameters that are not recorded."""
        name = Name(operation.contract, operation.name)
        if Layer.CONTRACT in operation.reported:
            return PERMITTED
        current, new = self._current, self._new
        if not current.has(recorded) or current.unrecorded(recorded) != new.unrecorded(name):
            return Ruling("unknown", Reason.PARAMETERS)
        if all("pointer" in one for one in record.get("violations", ())):
            return PERMITTED
        # A parameter was refused. In the path there is nothing wrong any more; the others are as they were.
        alike = current.in_path(recorded) == new.in_path(name)
        return Ruling("refused", str(record.get("code"))) if alike else Ruling("unknown", Reason.PARAMETERS)
