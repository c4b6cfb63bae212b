"""Records that are not of requests: each is what the published schema says, in a line that can be read."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

import gateway.audit
from gateway.audit import records
from gateway.audit.chain import ROOT, Link, seal, unseal
from gateway.audit.records import Mark
from gateway.audit.recovery import MAX_TEXT, OpenIntents, Recovered, Torn

ID = "019ab2f0-8e3c-7123-89ab-0123456789ab"
MADE = int(ID.replace("-", "")[:12], 16)
MARK = Mark(ID, 1_800_000_000.25)
STREAM = "0123456789abcdef.0"
HASH = b"a" * 64


@cache
def schema() -> jsonschema_rs.Validator:
    """Give what judges by the published schema."""
    path = Path(gateway.audit.__file__).with_name("record.schema.json")
    published = json.loads(path.read_text("ascii"))
    jsonschema_rs.meta.validate(published)
    return jsonschema_rs.validator_for(published, validate_formats=True)


def line_of(members: bytes) -> dict[str, Any]:
    """Seal members into a line, and read it with a JSON parser; the schema has to allow it."""
    line, _ = seal(STREAM.encode(), ROOT, members)
    assert unseal(line) is not None
    record: dict[str, Any] = json.loads(line)
    schema().validate(record)
    return record


def torn(content: bytes, *, damaged: bool = False) -> Recovered:
    cut = Torn(len(content), sha256(content).hexdigest(), content[:MAX_TEXT]) if content else None
    return Recovered(ROOT, None, 0, cut, damaged, ())


FACTS = {
    "client_request_id": "c", "trace_id": "b" * 32, "app": "billing", "attribution": "none",
    "key_fingerprint": f"11111111:{'c' * 32}", "client_ip": "::1", "user_agent": "\u00e4", "method": "POST",
    "path": "/v1/threads/t/messages", "operation": "createMessage", "contract": "assistants-v1",
    "thread_id": "t", "revision": "r", "body_hmac": f"11111111:{'d' * 64}",
}  # fmt: skip
EVERY = {
    "started": records.started(MARK, revision="r", version="1", durability="batch"),
    "stopped": records.stopped(MARK, revision="r", drained=True),
    "segment": records.segment(MARK, [ID, ID]),
    "recovered": records.recovered(MARK, torn(b'{"v":1,"\xff\0')),
    "recovered with damage": records.recovered(MARK, torn(b"", damaged=True)),
    "restored": records.restored(MARK, refused=3, lost=0),
    "pruned": records.pruned(MARK, STREAM, 1, Link(7, HASH)),
    "applied": records.config_applied(MARK, revision="r", previous="q"),
    "refused": records.config_refused(MARK, revision="r", faults=["a.yaml:1:1: \u00e4"]),
    "query": records.admin(MARK, "query", who="ann", client_ip="::1", what={"app": "\ud83d\n"}),
    "reload": records.admin(MARK, "reload", who="ann"),
    "connection": records.connection(MARK, code="bad_request", client_ip="10.0.0.1", duration_ms=1.23456),
    "connections": records.connection(MARK, code="bad_request", count=99, bytes_in=12),
    "intent": records.intent(MARK, FACTS),
    "unknown": records.outcome_unknown(ID, FACTS),
}


@pytest.mark.parametrize("name", EVERY)
def test_every_record_is_what_the_schema_says(name: str) -> None:
    """Kind, id and time come first, so that recovery and the index find them without reading the rest."""
    members = EVERY[name]
    record = line_of(members)
    assert list(record)[4:7] == ["kind", "id", "time"]
    assert None not in record.values()
    assert b"\n" not in members
    if name != "unknown":
        assert (record["id"], record["time"]) == (ID, "2027-01-15T08:00:00.250Z")


def test_what_is_published_is_not_met_by_others() -> None:
    """An event of another kind, one without its figures, and members that the schema does not know."""
    good = line_of(EVERY["pruned"])
    for change in (
        {"kind": "config"}, {"event": "gone"}, {"detail": {}}, {"detail": good["detail"] | {"more": 1}},
        {"kind": "request"}, {"count": 2}, {"time": "yesterday"}, {"id": "1"}, {"colour": "red"},
    ):  # fmt: skip
        assert not schema().is_valid(good | change), change


def test_what_was_cut_off_can_be_proven() -> None:
    """The bytes are told whole as long as they are few, one character for each; else their hash remains."""
    content = bytes(range(256))
    detail = line_of(records.recovered(MARK, torn(content)))["detail"]
    assert detail["text"].encode("latin-1") == content
    many = content * 100
    detail = line_of(records.recovered(MARK, torn(many)))["detail"]
    assert detail["bytes"] == len(many)
    assert detail["text"].encode("latin-1") == many[:MAX_TEXT]
    assert detail["sha256"] == sha256(many).hexdigest()


def test_torn_text_is_not_taken_for_open_intents() -> None:
    """What a record quotes of another one stays a quotation."""
    quoted = records.recovered(MARK, torn(f',"open":["{ID}"]'.encode()))
    intents = OpenIntents()
    intents.note(records.segment(MARK, [ID]))
    intents.note(quoted)
    assert intents.ids == (ID,)
    intents.carry(())
    intents.note(quoted)
    assert intents.ids == ()


def test_an_unknown_outcome_has_the_intent_s_id_and_time() -> None:
    """Both come from the intent's id alone, which is all that is carried from segment to segment."""
    record = line_of(records.outcome_unknown(ID, {}))
    assert (record["kind"], record["id"], record["decision"]) == ("request", ID, "error")
    assert record["upstream_outcome"] == "unknown"
    made = datetime.fromisoformat(record["time"]).timestamp()
    assert round(made * 1000) == MADE
    assert b'"time":"1970-' in records.outcome_unknown("-" * 36, {})


def test_an_unknown_outcome_repeats_what_its_intent_tells() -> None:
    """All of it, and nothing that it cannot have said: a line that somebody else sealed is not believed."""
    assert set(FACTS) == set(records.FACTS)
    assert line_of(records.intent(MARK, FACTS)).items() >= FACTS.items()
    hostile = FACTS | {"status": 200, "decision": "allow", "path": ["/"], "user_agent": "x" * 5000}
    record = line_of(records.outcome_unknown(ID, hostile))
    assert (record["decision"], record["code"]) == ("error", "outcome_unknown")
    assert record["user_agent"] == "x" * 1024
    assert record.keys() & {"status", "path"} == set()
    assert line_of(records.outcome_unknown(ID, FACTS)).items() >= FACTS.items()


def test_what_comes_from_outside_is_bounded() -> None:
    """Faults, filters and their number have bounds; how many there were is told."""
    record = line_of(records.config_refused(MARK, revision="r", faults=["x" * 5000] * 500))
    assert (len(record["detail"]["faults"]), record["detail"]["fault_count"]) == (20, 500)
    assert set(map(len, record["detail"]["faults"])) == {1024}
    record = line_of(records.admin(MARK, "query", who="a", what={"q": "x" * 5000}))
    assert len(record["detail"]["what"]["q"]) == 1024
