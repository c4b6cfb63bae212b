"""Replay: what another configuration would make of a record, from what is kept of its body and no more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.audit.content.reader import CHANGED, ERASED, NONE, Contents, erase
from gateway.audit.redaction import MAX_STRINGS
from gateway.audit.replay.judging import Judge
from gateway.audit.replay.rulebook import Rulebook
from gateway.audit.replay.verdicts import Change, Judgement, Reason
from gateway.core.decide import decide
from gateway.core.types import Permit
from gateway.wiring import Plan, compile_plan
from tests.support.ledgers import lines
from tests.support.program import write_config
from tests.support.replays import MESSAGES, Recorder

if TYPE_CHECKING:
    from pathlib import Path

HELLO = b'{"role": "user", "content": "Hello"}'
METADATA = b'{"role": "user", "content": "x", "metadata": {"a": "b"}}'
SHORT = "policies: {default: {schemas: {createMessage: {properties: {content: {maxLength: 4}}}}}}\n"
PATTERN = 'policies: {default: {schemas: {createMessage: {properties: {content: {pattern: "^H"}}}}}}\n'
THREADS = "/v1/threads/thread_1"


class Case:
    """Two configurations, and records of requests under the first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.current = self.plan("")

    def plan(self, more: str = "", *, contract: str = "", text: str | None = None) -> Plan:
        path = self.folder / "gateway.yaml"
        if text is None:
            write_config(path, 9, more, contract=contract)
        else:
            path.write_text(text)
        return compile_plan(path, {})

    def judged(self, new: Plan, body: bytes = b"", content: Any = "full", **more: Any) -> Judgement:
        """Record one request under the current configuration, and judge it under another."""
        recorder = Recorder(self.folder / "audit", self.current, content)
        recorder.send(body, **more)
        recorder.close()
        return self.judge(new, recorder)

    def judge(self, new: Plan, recorder: Recorder) -> Judgement:
        """Judge the last record."""
        record = json.loads(lines(self.folder / "audit")[-1])
        judge = Judge(rulebook(self.current), rulebook(new), recorder.keys)
        return judge(record, Contents(self.folder / "audit", recorder.keys).of(record))


def rulebook(plan: Plan) -> Rulebook:
    return Rulebook(plan.operations, plan.rules.max_depth)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def refused(code: str, operation: str = "createMessage") -> Judgement:
    return Judgement(Change.REFUSED, operation, code)


def permitted(code: str, operation: str = "createMessage") -> Judgement:
    return Judgement(Change.PERMITTED, operation, code)


def unknown(reason: Reason, operation: str = "createMessage") -> Judgement:
    return Judgement(Change.UNKNOWN, operation, reason)


SAME = Judgement(Change.SAME)
LEFT_OUT = Judgement(Change.LEFT_OUT)


# With the body, or its structure.


@pytest.mark.parametrize("content", ["full", "redacted"])
def test_length(case: Case, content: str) -> None:
    """What hangs on lengths is certain from either: tightened it refuses, loosened it permits."""
    assert case.judged(case.plan(SHORT), HELLO, content) == refused("string_above_max_length")
    assert case.judged(case.plan(), HELLO, content) == SAME
    case.current = case.plan(SHORT)
    assert case.judged(case.plan(), HELLO, content) == permitted("string_above_max_length")
    assert case.judged(case.plan(SHORT), HELLO, content) == SAME


@pytest.mark.parametrize("content", ["full", "redacted"])
@pytest.mark.parametrize(
    ("rule", "body", "code"),
    [
        ("{required: [metadata]}", HELLO, "missing_required_parameter"),
        ("{properties: {metadata: {maxProperties: 0}}}", METADATA, "object_above_max_properties"),
        ("{properties: {metadata: {propertyNames: {pattern: ^b}}}}", METADATA, "invalid_value"),
        ("{properties: {file_ids: {maxItems: 1}}}", b'{"role":"user","content":"x","file_ids":["a","b"]}',
         "array_above_max_length"),
        ("{properties: {content: {enum: [Hallo]}}}", HELLO, "invalid_value"),
    ],
)  # fmt: skip
def test_structure(case: Case, content: str, rule: str, body: bytes, code: str) -> None:
    """Whatever structure tells is as certain from a redacted body as from a whole one."""
    new = case.plan(f"policies: {{default: {{schemas: {{createMessage: {rule}}}}}}}\n")
    assert case.judged(new, body, content) == refused(code)


def test_words_are_recognised(case: Case) -> None:
    """An enum of the other configuration is decided although the texts that it lists were replaced."""
    new = "policies: {default: {schemas: {createMessage: {properties: {content: {enum: [Hello]}}}}}}\n"
    assert case.judged(case.plan(new), HELLO, "redacted") == SAME
    assert case.judged(case.plan(new), HELLO.replace(b"Hello", b"Hallo"), "redacted") == refused(
        "invalid_value"
    )


def test_pattern(case: Case) -> None:
    """A pattern is judged of a body in full, and of a redacted one only where nothing hangs on it."""
    new = case.plan(PATTERN)
    assert case.judged(new, HELLO, "full") == SAME
    assert case.judged(new, HELLO.replace(b"Hello", b"Ciao"), "full") == refused("invalid_value")
    assert case.judged(new, HELLO, "redacted") == unknown(Reason.TEXTS)
    too_long = b'{"role": "user", "content": "%b"}' % (b"x" * 40_000)
    assert case.judged(new, too_long, "redacted") == SAME
    case.current = new
    assert case.judged(new, HELLO, "redacted") == SAME  # judged alike by both


def test_too_much_to_redact(case: Case) -> None:
    """A body with one string more than is redacted is not judged, unless both judge it alike."""
    case.current, new = case.plan("policies: {default: {}}\n"), case.plan(SHORT)
    most = b'{"role": "user", "other": [%b]}' % b",".join([b'""'] * (MAX_STRINGS - 1))
    more = most.replace(b'"user"', b'["user", ""]')
    assert case.judged(new, most, "redacted") == SAME
    assert case.judged(new, more, "redacted") == unknown(Reason.NO_JSON)
    assert case.judged(new, more, "full") == SAME
    assert case.judged(case.current, more, "redacted") == SAME


def test_erased_and_changed(case: Case) -> None:
    """Content that is gone, or not what the record says, is not judged; and it says which."""
    new = case.plan(SHORT)
    recorder = Recorder(case.folder / "audit", case.current)
    name = recorder.send(HELLO)
    recorder.close()
    erase(case.folder / "audit", name)
    assert case.judge(new, recorder) == unknown(Reason.ERASED)
    record = json.loads(lines(case.folder / "audit")[-1])
    judge = Judge(rulebook(case.current), rulebook(new), recorder.keys)
    assert judge(record, CHANGED) == unknown(Reason.CHANGED)
    assert judge(record, NONE) == unknown(Reason.NOT_KEPT)
    assert Judge(rulebook(case.current), rulebook(case.current), recorder.keys)(record, ERASED) == SAME


# Without it.


def test_what_is_judged_alike_stays(case: Case) -> None:
    """Without any body, requests to operations that both configurations judge alike stay as they were."""
    case.current, new = case.plan("policies: {default: {}}\n"), case.plan(SHORT)
    assert case.judged(new, HELLO, "none") == unknown(Reason.NOT_KEPT)
    assert case.judged(new, b"{}", "none", target="/v1/threads") == SAME
    assert case.judged(new, b'{"colour": 1}', "none", target="/v1/threads") == SAME
    assert case.judged(new, b"{", "none", target="/v1/threads") == SAME


def test_a_contract_of_another_name(case: Case) -> None:
    """What it asks counts, not how it is called."""
    text = (case.folder / "gateway.yaml").read_text()
    renamed = text.replace("{assistants-v1: {", "{threads: {")
    assert renamed != text
    new, shorter = case.plan(text=renamed), case.plan(text=renamed + SHORT)
    for content in ("full", "redacted", "none"):
        assert case.judged(new, HELLO, content) == SAME
        assert case.judged(new, b'{"colour": 1}', content) == SAME
        assert case.judged(new, method="GET", target=MESSAGES, content=content) == SAME
    assert case.judged(shorter, HELLO) == refused("string_above_max_length")
    assert case.judged(shorter, HELLO, "none") == unknown(Reason.NOT_KEPT)


def test_facts(case: Case) -> None:
    """Sizes, counts of files and keys of metadata refuse by themselves."""
    body = b'{"role":"user","content":"x","file_ids":["a","b"]}'
    files = "policies: {default: {files: {max_count: 1}}}\n"
    assert case.judged(case.plan(files), body, "none") == refused("array_above_max_length")
    assert case.judged(case.plan(files), HELLO, "none") == unknown(Reason.NOT_KEPT)
    size = case.plan(contract=", max_bytes: 20B")
    assert case.judged(size, HELLO, "none") == refused("body_too_large", "createMessage")
    keys = case.plan("policies: {default: {metadata: {allowed_keys: [team]}}}\n")
    assert case.judged(keys, HELLO, "none", metadata_keys=["cost"]) == refused("unknown_parameter")
    assert case.judged(keys, HELLO, "none", metadata_keys=["team"]) == unknown(Reason.NOT_KEPT)


def test_reported_facts_refuse_nothing(case: Case) -> None:
    """A limit that is only reported does not refuse."""
    body = b'{"role":"user","content":"x","file_ids":["a","b"]}'
    files = "policies: {default: {files: {max_count: 1}, mode: report}}\n"
    assert case.judged(case.plan(files), body, "none") == unknown(Reason.NOT_KEPT)
    assert case.judged(case.plan(files), body, "full") == SAME


def test_routes(case: Case) -> None:
    """Operations that are taken away refuse, whatever is kept; what was unknown stays so."""
    new = case.plan(contract=", operations: [createMessage]")
    assert case.judged(new, b"{}", "none", target="/v1/threads") == refused("unknown_route", "createThread")
    assert case.judged(new, method="GET", target=MESSAGES, content="none") == refused(
        "method_not_allowed", "listMessages"
    )
    assert case.judged(new, method="GET", target="/nothing", content="none") == SAME
    moved = case.plan(contract=', prefix: "/v2"')
    assert case.judged(moved, HELLO) == refused("unknown_route")


def test_new_routes(case: Case) -> None:
    """What a new operation would make of a request takes more than was recorded of an unknown one."""
    everything = case.plan()
    case.current = case.plan(contract=", operations: [createMessage]")
    assert case.judged(everything, b"{}", target="/v1/threads") == unknown(Reason.NOT_KEPT, "createThread")
    found = case.judged(everything, method="GET", target=THREADS)
    assert found == unknown(Reason.PARAMETERS, "getThread")
    off = case.plan(contract=", mode: off")
    assert case.judged(off, method="GET", target=THREADS) == permitted("unknown_route", "getThread")


def test_path(case: Case) -> None:
    """Paths are recorded, so what they hold is judged; those that are cut are not."""
    case.current = case.plan(contract=", mode: off")
    assert case.judged(case.plan(), method="GET", target="/v1/threads/a.b") == refused(
        "invalid_value", "getThread"
    )
    long = f"/v1/threads/{'a' * 2000}"
    assert case.judged(case.plan(), method="GET", target=long, path=long[:1024]) == unknown(
        Reason.PATH, "getThread"
    )


def test_size(case: Case) -> None:
    """A body that was refused for its size may pass where more is allowed; nobody knows how large it was."""
    case.current = case.plan(contract=", max_bytes: 20B")
    assert case.judged(case.plan(), HELLO) == unknown(Reason.SIZE)
    assert case.judged(case.plan(contract=", max_bytes: 30B"), HELLO) == SAME
    assert case.judged(case.plan(contract=", max_bytes: 19B"), HELLO, bytes_in=0) == SAME
    assert case.judged(case.plan(contract=", max_bytes: 60B"), HELLO, bytes_in=0) == unknown(Reason.SIZE)


def test_no_json(case: Case) -> None:
    """What is no JSON is none for any configuration, but for its depth; with mode off it passes."""
    for body in (b"{", b'{"a":1,"a":2}'):
        assert case.judged(case.plan(SHORT), body, "none") == SAME
        assert case.judged(case.plan(SHORT), body, "redacted") == SAME
    deep = b"[" * 50 + b"]" * 50
    assert case.judged(case.plan(SHORT), deep, "none") == SAME
    deeper = case.plan("body: {max_depth: 100}\n")
    assert case.judged(deeper, deep, "none") == unknown(Reason.NOT_KEPT)
    assert case.judged(deeper, deep, "redacted") == unknown(Reason.NO_JSON)
    assert case.judged(deeper, deep, "full") == SAME
    assert case.judged(case.plan(contract=", mode: off"), b"{", "none") == permitted("invalid_json")


def test_modes(case: Case) -> None:
    """Report and off permit what was refused; enforce refuses what was only reported."""
    bad = b'{"role": "system", "content": "x"}'
    report = case.plan(contract=", mode: report")
    assert case.judged(report, bad) == permitted("invalid_value")
    assert case.judged(report, bad, "redacted") == permitted("invalid_value")
    assert case.judged(case.plan(contract=", mode: off"), bad, "none") == permitted("invalid_value")
    case.current = report
    assert case.judged(case.plan(), bad) == refused("invalid_value")
    assert case.judged(case.plan(), HELLO) == unknown(Reason.PARAMETERS)  # a bad query was not refused
    assert case.judged(report, bad) == SAME


# What is not recorded.


def test_query(case: Case) -> None:
    """A query that was refused is refused again where it is judged as it was, and else in doubt."""
    same = case.plan(SHORT)
    assert case.judged(same, method="GET", target=f"{MESSAGES}?limit=5") == SAME
    assert case.judged(same, method="GET", target=f"{MESSAGES}?limit=500") == SAME
    assert case.judged(same, HELLO.replace(b"Hello", b"x"), target=f"{MESSAGES}?x=1") == SAME
    overlay = case.folder / "overlay.yaml"
    overlay.write_text(
        "overlay: 1.0.0\ninfo: {title: More, version: '1'}\nactions:\n"
        "- target: $.paths['/threads/{thread_id}/messages'].get.parameters[0].schema\n"
        "  update: {maximum: 1000}\n"
    )
    wider = case.plan(contract=', overlays: ["overlay.yaml"]')
    for target in (MESSAGES, f"{MESSAGES}?limit=500"):
        found = case.judged(wider, method="GET", target=target)
        assert found == unknown(Reason.PARAMETERS, "listMessages")


TWO = """\
upstreams: {{main: {{urls: ["http://127.0.0.1:9"]}}}}
contracts:
  v1:
    {{openapi: "pack:assistants-v1", upstream: main, operations: [createMessage],
      when: {{openai-beta: assistants=v1}}}}
  v2:
    {{openapi: "pack:assistants-v2", upstream: main, operations: [createMessage],
      when: {{openai-beta: {v2}}}}}
"""


def test_conditions(case: Case) -> None:
    """What header fields chose is taken to be chosen again, unless they choose otherwise now."""
    case.current = case.plan(text=TWO.format(v2="assistants=v2"))
    same, other = (case.plan(text=TWO.format(v2=value)) for value in ("assistants=v2", "assistants=v3"))
    parts = b'{"role": "assistant", "content": "Hello"}'
    one, two = ({"fields": f"openai-beta: assistants={version}\r\n"} for version in ("v1", "v2"))
    assert case.judged(same, parts, **one) == SAME
    assert case.judged(same, parts, **two) == SAME
    assert case.judged(same, parts) == SAME
    assert case.judged(other, parts, **two) == unknown(Reason.CONDITIONS, "v2:createMessage")
    case.current, plain = case.plan(), case.current
    assert case.judged(plain, HELLO) == unknown(Reason.CONDITIONS)


FORMS = """\
openapi: 3.1.0
info: {title: Forms, version: "1"}
paths:
  /both:
    post:
      operationId: both
      requestBody:
        content:
          application/json: {schema: {$ref: "#/components/schemas/N"}}
          application/x-www-form-urlencoded: {schema: {$ref: "#/components/schemas/N"}}
  /form:
    post:
      operationId: form
      requestBody:
        content:
          application/x-www-form-urlencoded: {schema: {$ref: "#/components/schemas/N"}}
components:
  schemas:
    N: {type: object, properties: {n: {type: integer, maximum: MOST}}}
"""


def test_forms(case: Case) -> None:
    """Bodies that may be other than JSON are not judged as JSON by guess."""
    document = case.folder / "api.yaml"
    config = """\
upstreams: {main: {urls: ["http://127.0.0.1:9"]}}
contracts: {forms: {openapi: api.yaml, upstream: main}}
"""
    plans = []
    for most in (9, 5):
        document.write_text(FORMS.replace("MOST", str(most)))
        plans.append(case.plan(text=config))
    case.current, new = plans
    form = {"fields": "content-type: application/x-www-form-urlencoded\r\n"}
    assert case.judged(new, b"n=7", target="/both", **form) == unknown(Reason.MEDIA_TYPE, "both")
    assert case.judged(new, b"n=7", target="/form", **form) == unknown(Reason.MEDIA_TYPE, "form")
    assert case.judged(new, b'{"n":7}', target="/both") == refused("integer_above_max_value", "both")
    assert case.judged(case.current, b"n=7", target="/form", **form) == SAME


@pytest.mark.parametrize(
    "more",
    [
        {"decision": "reject", "phase": "head", "code": "bad_request"},
        {"decision": "reject", "phase": "identify", "code": "invalid_api_key"},
        {"decision": "reject", "phase": "limit", "code": "rate_limit_exceeded"},
        {"decision": "reject", "phase": "body", "code": "request_timeout"},
        {"decision": "reject", "phase": "body", "code": "overloaded"},
        {"decision": "error", "phase": "body", "code": "client_gone"},
        {"decision": "error", "phase": "route"},
        {},
    ],
)
def test_left_out(case: Case, more: dict[str, Any]) -> None:
    """What neither contract nor policy decided is no change, and no doubt."""
    members = {"decision": None, "phase": None, **more}
    assert case.judged(case.plan(SHORT), HELLO, **members) == LEFT_OUT


def test_left_out_after_a_crash(case: Case) -> None:
    """A request whose outcome nobody knows is recorded without its head; it is no doubt for ever after."""
    recorder = Recorder(case.folder / "audit", case.current)
    record = {
        "kind": "request",
        "id": "1",
        "decision": "error",
        "phase": "forward",
        "code": "outcome_unknown",
    }
    recorder.write(record)
    recorder.close()
    assert case.judge(case.plan(SHORT), recorder) == LEFT_OUT


@pytest.mark.parametrize("phase", ["forward", "relay"])
def test_upstream_faults(case: Case, phase: str) -> None:
    """A request that failed upstream, or was abandoned there, had been permitted."""
    new = case.plan(SHORT)
    assert case.judged(new, HELLO, decision="error", phase=phase) == refused("string_above_max_length")


# Against the gateway's own verdict.

_SCHEMAS: list[str] = [
    "{properties: {content: {maxLength: 5}}}",
    '{properties: {content: {pattern: "^[a-m]"}}}',
    '{anyOf: [{properties: {content: {pattern: "a"}}}, {required: [metadata]}]}',
    '{not: {properties: {content: {pattern: "^a"}}}}',
    '{if: {properties: {content: {pattern: "^a"}}}, then: {required: [metadata]}}',
    "{properties: {metadata: {required: [k], additionalProperties: {format: date-time}}}}",
    "{properties: {content: {enum: [abc, hello]}, file_ids: {items: {minLength: 2}}}}",
]
_texts = st.sampled_from(["a", "abc", "hello", "zebra", "x" * 20, "2020-01-01T00:00:00Z", "user"])
_bodies = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "user", "system"]), "content": _texts},
    optional={
        "metadata": st.dictionaries(st.sampled_from(["k", "l"]), _texts | st.integers(), max_size=2),
        "file_ids": st.lists(_texts, max_size=3),
        "colour": _texts,
    },
)


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> list[Plan]:
    """Give a configuration without a policy, and one with each of the schemas."""
    folder = tmp_path_factory.mktemp("plans")
    texts = ["", *(f"policies: {{default: {{schemas: {{createMessage: {one}}}}}}}\n" for one in _SCHEMAS)]
    return [compile_plan(write_config(folder / f"{n}.yaml", 9, text), {}) for n, text in enumerate(texts)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies=st.lists(_bodies, min_size=1, max_size=4), pair=st.tuples(st.integers(0, 7), st.integers(0, 7)))
def test_agrees_with_the_gateway(
    plans: list[Plan], tmp_path_factory: pytest.TempPathFactory, bodies: list[Any], pair: tuple[int, int]
) -> None:
    """With whole bodies replay says what the gateway would do; with redacted ones, that or nothing."""
    current, new = plans[pair[0]], plans[pair[1]]
    for content in ("full", "redacted"):
        folder = tmp_path_factory.mktemp("audit")
        recorder = Recorder(folder, current, content)  # type: ignore[arg-type]
        for body in bodies:
            recorder.send(json.dumps(body).encode())
        recorder.close()
        judge = Judge(rulebook(current), rulebook(new), recorder.keys)
        contents = Contents(folder, recorder.keys)
        records = [json.loads(line) for line in lines(folder) if '"kind":"request"' in line]
        for body, record in zip(bodies, records, strict=True):
            raw = json.dumps(body).encode()
            head = f"POST {MESSAGES} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            verdict = decide(new.rules, f"{head}content-length: {len(raw)}\r\n\r\n".encode(), raw)
            before, after = isinstance(recorder.verdicts[record["id"]], Permit), isinstance(verdict, Permit)
            expected = Change.SAME
            if before != after:
                expected = Change.REFUSED if before else Change.PERMITTED
            change = judge(record, contents.of(record)).change
            allowed = {expected} if content == "full" or current is new else {expected, Change.UNKNOWN}
            assert change in allowed
