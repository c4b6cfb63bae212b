"""Refusals as responses: both dialects, statuses, header fields."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.codes import CODES
from gateway.core.types import Layer, Phase, Rejection, Violation
from gateway.render import Dialect, Rendered, render

REQUEST_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
DIALECTS: tuple[Dialect, ...] = ("openai", "problem")

texts = st.text(st.characters())  # all code points, lone surrogates included
violations = st.builds(
    Violation,
    pointer=st.none() | texts,
    param=st.none() | texts,
    code=st.sampled_from(sorted(CODES)),
    message=texts,
    safe_pointer=st.none(),
    safe_param=st.none(),
    layer=st.sampled_from(Layer),
    limit=st.none() | texts | st.integers() | st.floats(),
    actual=st.none() | texts | st.integers(-(10**500), 10**500) | st.floats(),
)
rejections = st.builds(
    Rejection,
    phase=st.sampled_from(Phase),
    code=st.sampled_from(sorted(CODES)),
    message=texts,
    param=st.none() | texts,
    violations=st.lists(violations, max_size=4).map(tuple),
    retry=st.none() | st.booleans(),
)


def too_many_pairs() -> Rejection:
    message = "Invalid 'metadata': too many properties."
    violation = Violation(
        "/metadata",
        "metadata",
        "object_above_max_properties",
        message,
        "/metadata",
        "metadata",
        Layer.POLICY,
        16,
        17,
    )
    return Rejection(Phase.SCHEMA, violation.code, message, "metadata", (violation,))


def body_of(rendered: Rendered) -> Any:
    return json.loads(rendered.body)


def test_openai_body_is_exactly_the_documented_object() -> None:
    """Every member of the error object and of a violation, and nothing else."""
    rendered = render(too_many_pairs(), dialect="openai", request_id=REQUEST_ID)
    message = "Invalid 'metadata': too many properties."
    assert rendered.status == 400
    assert rendered.fields == (("content-type", "application/json"), ("x-should-retry", "false"))
    assert body_of(rendered) == {
        "error": {
            "message": message,
            "type": "invalid_request_error",
            "param": "metadata",
            "code": "object_above_max_properties",
            "violations": [
                {
                    "pointer": "/metadata",
                    "param": "metadata",
                    "code": "object_above_max_properties",
                    "message": message,
                    "layer": "policy",
                    "limit": 16,
                    "actual": 17,
                }
            ],
        }
    }


def test_problem_body_is_exactly_the_documented_object() -> None:
    """RFC 9457 members plus code, param and the same violations; the instance is the request's UUID."""
    rendered = render(too_many_pairs(), dialect="problem", request_id=REQUEST_ID)
    problem = body_of(rendered)
    violations_too = body_of(render(too_many_pairs(), dialect="openai", request_id="x"))["error"][
        "violations"
    ]
    assert rendered.fields[0] == ("content-type", "application/problem+json")
    assert problem == {
        "type": "urn:message-gateway:problem:object_above_max_properties",
        "title": "An object has too many properties",
        "status": 400,
        "detail": "Invalid 'metadata': too many properties.",
        "instance": f"urn:uuid:{REQUEST_ID}",
        "code": "object_above_max_properties",
        "param": "metadata",
        "violations": violations_too,
    }
    assert uuid.UUID(problem["instance"]) == uuid.UUID(REQUEST_ID)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_violations_no_member(dialect: Dialect) -> None:
    """A refusal before the schema phase has no violations member; an unknown param is null."""
    body = body_of(
        render(Rejection(Phase.HEAD, "bad_request", "No."), dialect=dialect, request_id=REQUEST_ID)
    )
    error = body["error"] if dialect == "openai" else body
    assert "violations" not in error
    assert error["param"] is None


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("invalid_value", "invalid_request_error"),
        ("invalid_api_key", "invalid_request_error"),
        ("rate_limit_exceeded", "requests"),
        ("upstream_timeout", "server_error"),
        ("overloaded", "server_error"),
    ],
)
def test_openai_type_follows_the_status(code: str, kind: str) -> None:
    rendered = render(Rejection(Phase.HEAD, code, ""), dialect="openai", request_id=REQUEST_ID)
    assert rendered.status == CODES[code].status
    assert body_of(rendered)["error"]["type"] == kind


@pytest.mark.parametrize("retry", [None, False, True])
@pytest.mark.parametrize("code", sorted(CODES))
def test_should_retry(code: str, retry: bool | None) -> None:
    """Every 4xx but 429 says false whatever was asked for; the others say what the rejection says."""
    rendered = render(Rejection(Phase.HEAD, code, "", retry=retry), dialect="openai", request_id=REQUEST_ID)
    told = dict(rendered.fields).get("x-should-retry")
    if 400 <= rendered.status < 500 and rendered.status != 429:
        assert told == "false"
    else:
        assert told == {None: None, False: "false", True: "true"}[retry]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_rejections_own_fields_follow(dialect: Dialect) -> None:
    rejection = Rejection(Phase.ROUTE, "method_not_allowed", "", headers=(("allow", "GET, POST"),))
    rendered = render(rejection, dialect=dialect, request_id=REQUEST_ID)
    assert rendered.fields[-1] == ("allow", "GET, POST")
    assert len(rendered.fields) == 3


def test_a_code_beyond_the_table_is_no_server_error() -> None:
    """Should a maker of rejections invent a code, the client still gets a 4xx that carries it."""
    rendered = render(Rejection(Phase.SCHEMA, "novel", ""), dialect="problem", request_id=REQUEST_ID)
    assert rendered.status == 400
    assert body_of(rendered)["code"] == "novel"


@given(rejections, st.sampled_from(DIALECTS))
def test_any_rejection_becomes_ascii_json_that_reads_back(rejection: Rejection, dialect: Dialect) -> None:
    """Rendering never raises, never leaves JSON (no NaN, no raw surrogate), and loses no text."""

    def refuse(token: str) -> None:
        raise AssertionError(token)

    rendered = render(rejection, dialect=dialect, request_id=REQUEST_ID)
    body = json.loads(rendered.body.decode("ascii"), parse_constant=refuse)
    error = body["error"] if dialect == "openai" else body
    # A pair of lone surrogates reads back as the character that they make together.
    joined = rejection.message.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    assert error["message" if dialect == "openai" else "detail"] == joined
    told = error.get("violations", [])
    assert [violation["code"] for violation in told] == [v.code for v in rejection.violations]
    for violation, source in zip(told, rejection.violations, strict=True):
        assert ("limit" in violation) == (source.limit is not None)
        assert ("actual" in violation) == (source.actual is not None)
