"""The phases together: a Permit or a Rejection, whatever comes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.codes import CODES, status_of
from gateway.core.decide import Rules, decide
from gateway.core.route import RouteTable
from gateway.core.schema import compile_schema
from gateway.core.types import Body, Operation, Parameter, Permit, Phase, Rejection, Validator
from tests.sockets.cases import CASES
from tests.support.plane import BODY, RULES, SMALL, request

if TYPE_CHECKING:
    from gateway.core.types import Json, Verdict, Violation


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
        (request(b"POST /v1/messages", b"Content-Encoding: br"), Phase.BODY, "unsupported_content_encoding"),
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
    assert _headers(request(b"POST /v1/messages", b"Content-Encoding: br")) == (
        ("accept-encoding", "identity"),
    )


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


def _raise(_value: Json) -> NoReturn:
    raise RuntimeError("a validator that fails")


def _no(_value: Json) -> bool:
    return False


def _nothing(_value: Json) -> list[Violation]:
    return []


@pytest.mark.parametrize(
    "validator",
    [Validator(_raise, _nothing, True), Validator(_no, _raise, True), Validator(_no, _nothing, True)],
    ids=["fast raises", "full raises", "they disagree"],
)
def test_in_doubt_is_refused(validator: Validator) -> None:
    """A validator that raises, or whose two forms disagree, refuses; it is no fault of the gateway's."""
    body = Body(required=True, media_types={"application/json": validator})
    parameter = Parameter("x", "path", "string", required=True, validator=validator)
    anything = Body(required=True, media_types={"application/json": compile_schema(True)})
    base = Operation("o", "c", "POST", "/v1/messages", "main", 100)
    for made in (
        replace(base, body=body),
        replace(base, template="/v1/{x}", path_parameters=(parameter,), body=anything),
    ):
        verdict = ask(request(), Rules(RouteTable([made]), 32))
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
