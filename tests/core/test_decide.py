"""The phases together: a Permit or a Rejection, whatever comes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.codes import CODES, status_of
from gateway.core.decide import Admission, Rules, admit, decide, judge
from gateway.core.head import read_head
from gateway.core.route import RouteTable
from gateway.core.texts.reading import STRINGS, reading_of
from gateway.core.types import (
    NOTHING_FOUND,
    Body,
    Condition,
    Content,
    Findings,
    Layer,
    Operation,
    Parameter,
    Permit,
    Phase,
    Rejection,
    Validator,
)
from tests.sockets.cases import CASES
from tests.support.encoders import ENCODERS
from tests.support.plane import BODY, RULES, SCHEMAS, SMALL, make_parameter, request

if TYPE_CHECKING:
    from gateway.core.types import ContentKind, Json, Verdict


def split(raw: bytes) -> tuple[bytes, bytes]:
    head, _, body = raw.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", body


def ask(raw: bytes, rules: Rules = RULES) -> Verdict:
    return decide(rules, *split(raw))


def code(raw: bytes, rules: Rules = RULES) -> str | None:
    verdict = ask(raw, rules)
    return verdict.code if isinstance(verdict, Rejection) else None


@pytest.mark.parametrize(
    "case", [case for case in CASES if b"hunked" not in case.raw.lower()], ids=lambda case: case.name
)
def test_as_on_the_socket(case: tuple[str, bytes, int, str | None, bool]) -> None:
    """Without a socket the verdict is the same as with one."""
    _, raw, _, expected, _ = case
    if raw.startswith(b"\r\n") or b"\r\n\r\n" not in raw or "first" in case[0]:
        return  # what comes before or in place of a head is the listener's
    assert code(raw) in (
        {expected, "bad_request", "uri_too_long", "headers_too_large"} if expected else {None}
    )


def test_a_permit_holds_what_was_judged() -> None:
    """A permit has the very bytes, and the operation."""
    verdict = ask(request(body=b' {"text":\n"a"}'))
    assert isinstance(verdict, Permit)
    assert (verdict.body, verdict.operation.name) == (b' {"text":\n"a"}', "post")


@pytest.mark.parametrize(
    ("raw", "phase", "expected"),
    [
        (b"x\r\n\r\n", Phase.HEAD, "bad_request"),
        (request(b"POST /x"), Phase.ROUTE, "unknown_route"),
        (request(b"PATCH /v1/messages"), Phase.ROUTE, "method_not_allowed"),
        (request(body=b"x" * (SMALL + 1)), Phase.BODY, "body_too_large"),
        (request(content_type=b"a/b"), Phase.BODY, "unsupported_media_type"),
        (request(content_type=None), Phase.BODY, "unsupported_media_type"),
        (request(b"GET /v1/messages"), Phase.BODY, "unexpected_body"),
        (request(b"POST /v1/messages", b"Content-Encoding: lz"), Phase.BODY, "unsupported_content_encoding"),
        (request(b"POST /v1/messages", b"Content-Encoding: br"), Phase.BODY, "bad_request"),
        (request(body=b"{]"), Phase.PARSE, "invalid_json"),
        (request(body=b"{}"), Phase.SCHEMA, "missing_required_parameter"),
    ],
)
def test_phases(raw: bytes, phase: Phase, expected: str) -> None:
    """Each refusal names the phase that it comes from."""
    verdict = ask(raw)
    assert isinstance(verdict, Rejection)
    assert (verdict.phase, verdict.code) == (phase, expected)


def test_refusals_say_what_is_accepted() -> None:
    """405 tells the methods, 415 the types and codings."""
    assert _headers(request(b"PATCH /v1/messages")) == (("allow", "GET, HEAD, POST"),)
    assert _headers(request(content_type=b"a/b")) == (("accept", "application/json"),)
    assert _headers(request(b"POST /v1/messages", b"Content-Encoding: lz")) == (
        ("accept-encoding", "br, deflate, gzip, zstd"),
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"POST /v1/x/y", "Invalid URL (POST /v1/x/y)"),
        (b"POST /%b/x%b" % (b"a" * 33, b"b" * 31), f"Invalid URL (POST /{'a' * 16}…/x{'b' * 31})"),
        (b"GET /x?" + b"q" * 40, "Invalid URL (GET /x)"),
        (b"M" * 33 + b" /v1/notes", f"Not allowed to {'M' * 16}… on /v1/notes. Allowed: PUT."),
    ],
)
def test_messages_name_the_beginning_of_long_texts(line: bytes, message: str) -> None:
    """A path's segment and a method of more than 32 characters may hold a secret; a query is not named."""
    verdict = ask(request(line, body=b""))
    assert isinstance(verdict, Rejection)
    assert verdict.message == message


def _headers(raw: bytes) -> tuple[tuple[str, str], ...]:
    verdict = ask(raw)
    assert isinstance(verdict, Rejection)
    return verdict.headers


def test_a_longer_body_than_announced() -> None:
    """The limit holds for the body that is there, not only for the one that was announced."""
    head, _ = split(request(framing=b"Transfer-Encoding: chunked"))
    verdict = decide(RULES, head, b'{"text": "%b"}' % (b"x" * SMALL))
    assert isinstance(verdict, Rejection)
    assert verdict.code == "body_too_large"
    verdict = decide(
        RULES, split(request(b"GET /v1/messages", framing=b"Transfer-Encoding: chunked"))[0], b"x"
    )
    assert isinstance(verdict, Rejection)
    assert verdict.code == "unexpected_body"


def test_violations_of_parameters_and_body_come_together() -> None:
    """All faults are told at once, those of the path first."""
    verdict = ask(request(b"POST /v1/threads/" + b"a" * 21 + b"/messages", body=b'{"x": 1}'))
    assert isinstance(verdict, Rejection)
    assert [item.code for item in verdict.violations] == [
        "string_above_max_length", "missing_required_parameter", "unknown_parameter",
    ]  # fmt: skip
    assert (verdict.code, verdict.param) == ("string_above_max_length", "thread_id")


def content(kind: ContentKind, schema: Json = True, **encodings: tuple[str, ...]) -> Content:
    """Make what judges bodies of one kind by a schema in plain form."""
    return Content(kind, SCHEMAS.validator(schema), reading_of(schema, {}), encodings)


JSON_BODY = Body(required=True, media_types={"application/json": content("json")})
OPERATION = Operation("o", "c", "POST", "/v1/messages", "main", 1000)


def rules_of(*operations: Operation) -> Rules:
    return Rules(RouteTable(operations), 32)


def _raise(_value: Json) -> NoReturn:
    raise RuntimeError("a validator that fails")


def _no(_value: Json) -> bool:
    return False


def _nothing(_value: Json) -> Findings:
    return NOTHING_FOUND


@pytest.mark.parametrize(
    "validator",
    [Validator(_raise, _nothing, True), Validator(_no, _raise, True), Validator(_no, _nothing, True)],
    ids=["fast raises", "full raises", "they disagree"],
)
def test_in_doubt_is_refused(validator: Validator) -> None:
    """A validator that raises, or whose two forms disagree, refuses; it is no fault of the gateway's."""
    body = Body(required=True, media_types={"application/json": Content("json", validator)})
    in_path = Parameter("x", "path", "simple", False, True, STRINGS, validator)
    in_header = Parameter("x", "header", "simple", False, True, STRINGS, validator)
    base = replace(OPERATION, body=JSON_BODY)
    for made in (
        replace(base, body=body),
        replace(base, template="/v1/{x}", path_parameters=(in_path,)),
        replace(base, header_parameters=(in_header,)),
        replace(base, body=body, mode="report", reported=frozenset((Layer.CONTRACT,))),
    ):
        verdict = ask(request(b"POST /v1/messages", b"X: 1"), rules_of(made))
        assert isinstance(verdict, Rejection)
        assert verdict.code == "invalid_value"
        assert status_of(verdict.code) == 400


_BODIES = st.binary(max_size=20) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "role", "x"]), inner)
    ),
    max_leaves=6,
).map(lambda value: json.dumps(value).encode())
_LINES = st.sampled_from(
    [
        b"POST /v1/messages",
        b"PUT /v1/notes",
        b"GET /v1/messages?x",
        b"POST /v1/threads/%zz/messages",
        b"GET /v1/threads/a/messages?limit=1",
        b"GET /v1/threads/a/messages?limit=%ff&limit",
        b"POST /v1/threads/%/messages",
    ]
)


@given(line=_LINES, body=_BODIES, junk=st.binary(max_size=4))
def test_always_a_verdict(line: bytes, body: bytes, junk: bytes) -> None:
    """Whatever comes is permitted or refused with a listed code; nothing is raised, nothing is changed."""
    verdict = ask(request(line, b"X: " + junk, body=body))
    if isinstance(verdict, Permit):
        assert verdict.body == body
        if body:
            assert set(json.loads(body)) <= {"text", "role"}
    else:
        assert verdict.code in CODES
        assert status_of(verdict.code) < 500
        assert verdict.message


def test_the_body_of_the_table_is_good() -> None:
    """The cases refuse for their own reasons, not for their body's."""
    assert code(request(body=BODY)) is None


OBJECT: Json = {
    "type": ["object"],
    "properties": {"n": {"type": ["integer"]}, "file": {"type": ["string"], "maxLength": 3}},
    "required": ["n"],
    "additionalProperties": False,
}
ALL_KINDS = Body(
    required=True,
    media_types={
        "application/json": content("json", OBJECT),
        "application/vnd.a+json": content("json", OBJECT),
        "application/x-www-form-urlencoded": content("form", OBJECT),
        "multipart/form-data": content("multipart", OBJECT, file=("audio/*",)),
        "text/*": content("opaque", {"type": ["string"], "maxLength": 3}),
        "text/csv": content("opaque", {"const": "a,b"}),
        "application/octet-stream": content("opaque", {"type": ["string"], "maxLength": 3}),
    },
)
KINDS = rules_of(replace(OPERATION, body=ALL_KINDS))
FORM = b'--b\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n--b--\r\n'
PART_TYPE = b"\r\nContent-Type: a/b"


@pytest.mark.parametrize(
    ("media_type", "body", "expected"),
    [
        (b"application/json", b'{"n": 1}', None),
        (b"Application/JSON; charset=UTF-8", b'{"n": 1}', None),
        (b"application/json; charset=latin-1", b'{"n": 1}', "unsupported_media_type"),
        (b"application/json", b'{"n": "1"}', "invalid_type"),
        (b"application/json", b"", "invalid_json"),
        (b"application/vnd.a+json", b'{"n": 1}', None),
        (b"application/vnd.b+json", b'{"n": 1}', "unsupported_media_type"),
        (b"application/x-www-form-urlencoded", b"n=1", None),
        (b"application/x-www-form-urlencoded", b"n=x", "invalid_type"),
        (b"application/x-www-form-urlencoded", b"n=1&x=1", "unknown_parameter"),
        (b"application/x-www-form-urlencoded", b"n=1&n=2", "duplicate_key"),
        (b"application/x-www-form-urlencoded", b"n=%", "bad_request"),
        (b"application/x-www-form-urlencoded", b"", "missing_required_parameter"),
        (b"multipart/form-data; boundary=b", FORM % (b"n", b"", b"1"), None),
        (b'multipart/form-data; boundary="b"', FORM % (b"n", b"", b"x"), "invalid_type"),
        (b"multipart/form-data; boundary=b", FORM % (b"x", b"", b"1"), "missing_required_parameter"),
        (b"multipart/form-data; boundary=c", FORM % (b"n", b"", b"1"), "bad_request"),
        (b"multipart/form-data; boundary=b", FORM % (b"file", PART_TYPE, b""), "unsupported_media_type"),
        (b"multipart/form-data; boundary=b", b"", "bad_request"),
        (b"multipart/form-data", FORM % (b"n", b"", b"1"), "unsupported_media_type"),
        (b"multipart/form-data; boundary=b; boundary=b", b"", "unsupported_media_type"),
        (b'multipart/form-data; boundary="b "', b"", "unsupported_media_type"),
        (b"multipart/form-data; boundary=" + b"b" * 71, b"", "unsupported_media_type"),
        (b"text/plain", "äöü".encode(), None),
        (b"text/plain", "äöüß".encode(), "string_above_max_length"),
        (b"text/plain", b"\xff", "bad_request"),
        (b"text/plain", b"", "bad_request"),
        (b"text/csv", b"a,b", None),
        (b"text/csv", b"a", "invalid_value"),
        (b"application/octet-stream", b"\xff\xfe\xfd", None),
        (b"application/octet-stream", "äö".encode(), "string_above_max_length"),
        (b"application/octet-stream; charset=utf-8", "äö".encode(), None),
        (b"image/png", b"x", "unsupported_media_type"),
        (b"nonsense", b"x", "unsupported_media_type"),
    ],
)  # fmt: skip
def test_media_types(media_type: bytes, body: bytes, expected: str | None) -> None:
    """A body is read as its media type has it, by the type itself or a range, and then judged.

    In a content coding it is judged as what it is without.
    """
    lines = b"POST /v1/messages", b"Content-Type: " + media_type
    assert code(request(*lines, body=body, content_type=None), KINDS) == expected
    for coding, encode in ENCODERS.items():
        encoding = b"Content-Encoding: " + coding.encode()
        assert code(request(*lines, encoding, body=encode(body), content_type=None), KINDS) == expected


def test_faults_of_forms() -> None:
    """A form's violations point into the object that it stands for; what cannot be read has its field."""
    media_type = b"Content-Type: application/x-www-form-urlencoded"
    verdict = ask(request(b"POST /v1/messages", media_type, body=b"n=x&y=1", content_type=None), KINDS)
    assert isinstance(verdict, Rejection)
    assert [(item.pointer, item.param) for item in verdict.violations] == [("/n", "n"), ("/y", "y")]
    verdict = ask(request(b"POST /v1/messages", media_type, body=b"n=1&n=2", content_type=None), KINDS)
    assert isinstance(verdict, Rejection)
    assert (verdict.phase, verdict.param, verdict.violations) == (Phase.PARSE, "n", ())


def test_no_body_where_one_is_needed() -> None:
    """What is missing is called JSON only where JSON is accepted."""
    assert code(request(b"POST /v1/messages", body=b""), KINDS) == "invalid_json"
    other = replace(OPERATION, body=Body(required=True, media_types={"text/plain": content("opaque")}))
    assert code(request(b"POST /v1/messages", body=b""), rules_of(other)) == "bad_request"
    anything = replace(OPERATION, body=Body(required=True, media_types={"*/*": content("opaque")}))
    assert code(request(b"POST /v1/messages", content_type=b"image/png"), rules_of(anything)) is None


def test_mode_off() -> None:
    """Nothing is judged but framing and size: no parameter, media type, coding or body."""
    off = replace(OPERATION, body=JSON_BODY, mode="off", judged=False)
    rules = rules_of(off, replace(off, method="GET", body=None))
    for raw in (
        request(b"POST /v1/messages?x=%00", b"Content-Encoding: br", body=b"{", content_type=b"a/b"),
        request(b"POST /v1/messages", body=b""),
        request(b"GET /v1/messages"),
    ):
        verdict = ask(raw, rules)
        assert isinstance(verdict, Permit)
        assert (verdict.body, verdict.findings) == (split(raw)[1], None)
    assert code(request(body=b"x" * 1001), rules) == "body_too_large"


LAYERED: Json = {
    "type": ["object"],
    "properties": {
        "text": {"type": ["string"], "maxLength": 9, "allOf": [{"x-layer": "policy", "maxLength": 5}]}
    },
    "additionalProperties": False,
    "allOf": [{"x-layer": "limit", "maxProperties": 2}],
}


def layered(*reported: Layer) -> Rules:
    body = Body(required=True, media_types={"application/json": content("json", LAYERED)})
    fields = (make_parameter("x-n", "header", {"type": ["integer"]}),)
    made = replace(OPERATION, body=body, header_parameters=fields, reported=frozenset(reported))
    return rules_of(replace(made, max_bytes=SMALL))


def found(
    rules: Rules, body: bytes, line: bytes = b"POST /v1/messages"
) -> tuple[bool, list[tuple[str, str]], int]:
    """Say whether a request is permitted, with the violations' codes and layers and their number."""
    verdict = ask(request(line, b"X-N: 1", body=body), rules)
    findings: Findings | Rejection = (
        verdict.findings or NOTHING_FOUND if isinstance(verdict, Permit) else verdict
    )
    listed = [(item.code, item.layer.value) for item in findings.violations]
    return isinstance(verdict, Permit), listed, findings.total


LONG = ("string_above_max_length", "contract")
LONGER = ("string_above_max_length", "policy")
MANY = ("object_above_max_properties", "limit")
UNKNOWN = ("unknown_parameter", "contract")


@pytest.mark.parametrize(
    ("reported", "body", "line", "permitted", "listed"),
    [
        ((), b'{"text": "12345"}', b"", True, []),
        ((Layer.CONTRACT,), b'{"text": "12345"}', b"", True, []),
        ((), b'{"text": "123456"}', b"", False, [LONGER]),
        ((Layer.POLICY,), b'{"text": "123456"}', b"", True, [LONGER]),
        ((Layer.POLICY,), b'{"text": "1234567890"}', b"", False, [LONG]),
        ((Layer.CONTRACT,), b'{"text": "1234567890"}', b"", False, [LONGER]),
        ((Layer.CONTRACT, Layer.POLICY), b'{"text": "1234567890"}', b"", True, [LONGER]),
        ((Layer.CONTRACT,), b'{"a": 1, "b": 2, "c": 3}', b"", False, [MANY]),
        (
            (Layer.CONTRACT, Layer.LIMIT),
            b'{"a": 1, "b": 2, "c": 3}',
            b"",
            True,
            [MANY, UNKNOWN, UNKNOWN, UNKNOWN],
        ),
        ((Layer.LIMIT,), b'{"text": "a"}', b"?q=1", False, [UNKNOWN]),
        ((Layer.CONTRACT,), b'{"text": "a"}', b"?q=1", True, [UNKNOWN]),
        ((Layer.CONTRACT,), b'{"text": "123456"}', b"?q=1", False, [LONGER]),
        ((Layer.LIMIT,), b'{"text": "123456"}', b"?q=1", False, [UNKNOWN, LONGER]),
        ((Layer.CONTRACT,), b'{"text": "a"}', b"?q=1&%00", False, [("invalid_value", "contract")]),
        ((Layer.CONTRACT,), b"{]", b"", False, []),
    ],
)
def test_reported_layers(
    reported: tuple[Layer, ...], body: bytes, line: bytes, permitted: bool, listed: list[tuple[str, str]]
) -> None:
    """What a reported layer finds is carried along; a refusal names what is enforced alone."""
    rules = layered(*reported)
    assert found(rules, body, b"POST /v1/messages" + line) == (permitted, listed, len(listed))


def test_what_is_enforced_is_found_behind_what_is_reported() -> None:
    """However many violations are reported, an enforced one behind them all refuses."""
    members = b", ".join(b'"%d": 1' % index for index in range(300))
    body = b'{%b, "text": "123456"}' % members
    permitted, listed, total = found(layered(Layer.CONTRACT, Layer.LIMIT), body)
    assert (permitted, listed, total) == (False, [LONGER], 1)
    permitted, listed, total = found(layered(Layer.CONTRACT, Layer.LIMIT), b'{%b, "text": "1"}' % members)
    assert (permitted, len(listed), total) == (True, 100, 301)


def test_totals() -> None:
    """Parameters come before the body, a hundred are listed, all are counted."""
    members = b", ".join(b'"%d": 1' % index for index in range(90))
    query = b"&".join(b"q%d" % index for index in range(20))
    verdict = ask(request(b"POST /v1/messages?" + query, b"X-N: x", body=b"{%b}" % members), layered())
    assert isinstance(verdict, Rejection)
    assert (len(verdict.violations), verdict.total) == (100, 20 + 1 + 91)
    assert [item.param for item in verdict.violations[19:22]] == ["q19", "x-n", None]


def test_good_header_fields_are_known_again() -> None:
    """Header parameters are judged anew for other fields and other operations."""
    one = make_parameter("x-n", "header", {"type": ["integer"]}, required=True)
    two = make_parameter("x-n", "header", {"type": ["integer"], "maximum": 1}, required=True)
    get = replace(OPERATION, method="GET", header_parameters=(one,))
    rules = rules_of(get, replace(get, method="PUT", header_parameters=(two,)))
    assert code(request(b"GET /v1/messages", b"X-N: 2", body=b""), rules) is None
    assert code(request(b"PUT /v1/messages", b"X-N: 2", body=b""), rules) == "integer_above_max_value"
    assert code(request(b"GET /v1/messages", body=b""), rules) == "missing_required_parameter"


def test_the_same_fields_again() -> None:
    """What is remembered of a head's fields does not change the verdict."""
    fields = (make_parameter("x-n", "header", {"type": ["integer"]}, required=True),)
    rules = rules_of(replace(OPERATION, body=JSON_BODY, header_parameters=fields))
    head = read_head(split(request(b"POST /v1/messages", b"X-N: 1"))[0])
    assert not isinstance(head, Rejection)
    for body, phase in ((BODY, None), (b"{]", Phase.PARSE), (BODY, None)):
        admission = admit(rules, head)
        assert isinstance(admission, Admission)
        verdict = judge(rules, head, admission, body)
        assert (verdict.phase if isinstance(verdict, Rejection) else None) is phase


def test_in_doubt_behind_what_is_reported() -> None:
    """Where it cannot be told whether an enforced layer is broken, the request is refused."""
    odd = Validator(_no, lambda value: SCHEMAS.validator(False).full(value), False)
    body = Body(required=True, media_types={"application/json": Content("json", odd)})
    made = replace(OPERATION, body=body, reported=frozenset((Layer.CONTRACT,)))
    verdict = ask(request(), rules_of(made))
    assert isinstance(verdict, Rejection)
    assert verdict.message == "The request could not be judged, so it is refused."


def test_conditions_choose_the_contract() -> None:
    """The operation whose conditions hold judges the request."""
    strict = {"application/json": content("json", {"type": ["object"], "maxProperties": 0})}
    beta = replace(
        OPERATION,
        body=Body(required=True, media_types=strict),
        conditions=(Condition("header", "beta", "on"), Condition("query", "b", "1")),
    )
    rules = rules_of(replace(OPERATION, body=JSON_BODY), beta)
    assert code(request(b"POST /v1/messages"), rules) is None
    assert code(request(b"POST /v1/messages?b=1"), rules) == "unknown_parameter"
    assert code(request(b"POST /v1/messages?b=1", b"Beta: on"), rules) == "object_above_max_properties"
    assert code(request(b"POST /v1/messages?b=1", b"Beta: on", body=b"{}"), rules) is None


def test_fields_that_keep_others_from_arriving() -> None:
    """What the upstream would not get as it was judged is refused with the head, whatever the route."""
    beta = Condition("header", "openai-beta", "v2")
    rules = rules_of(Operation("op", "c", "GET", "/a", "main", 100, conditions=(beta,)))
    for line in (b"OpenAI_Beta: v2", b"OpenAI-Beta: v2\r\nConnection: openai-beta"):
        verdict = ask(b"GET /a HTTP/1.1\r\nHost: a\r\n" + line + b"\r\n\r\n", rules)
        assert isinstance(verdict, Rejection)
        assert (verdict.phase, verdict.code, verdict.close) == (Phase.HEAD, "bad_request", True)
    assert code(b"GET /a HTTP/1.1\r\nHost: a\r\nOpenAI-Beta: v2\r\n\r\n", rules) is None
