"""Descriptions become operations: prefix, conditions, mode and policy put on, equal parameters made once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gateway.contracts.described import (
    DescribedContent,
    DescribedOperation,
    DescribedParameter,
    Description,
)
from gateway.contracts.operations import make_operations
from gateway.core.policy import NO_POLICY, FileLimits, MetadataLimits, Policy, policy_schema
from gateway.core.types import Condition, Layer

if TYPE_CHECKING:
    from gateway.core.types import Operation

OBJECT = {"type": ["object"]}


def parameter(name: str, where: Any, schema: Any) -> DescribedParameter:
    """Describe a parameter in the place's usual style."""
    return DescribedParameter(name, where, "form", explode=True, required=False, schema=schema)


def described(**more: Any) -> DescribedOperation:
    """Describe an operation."""
    return DescribedOperation(**({"name": "one", "method": "POST", "template": "/a/{id}"} | more))


def make(*operations: DescribedOperation, **more: Any) -> list[Operation]:
    """Make operations of a contract ``c`` whose server's path is /v1."""
    description = Description("/v1", operations, more.pop("definitions", {}))
    settings: dict[str, Any] = {
        "contract": "c",
        "prefix": None,
        "upstream": "main",
        "max_bytes": 9,
        "mode": "enforce",
        "when": {},
        "policy": NO_POLICY,
        "later": None,
    }
    return make_operations(description, **(settings | more))


def test_a_whole_operation() -> None:
    """Parameters by place, in order; the body's media types with their readings and encodings."""
    content = {
        "application/json": DescribedContent("json", {"$ref": "#/D"}),
        "multipart/form-data": DescribedContent("multipart", OBJECT, {"f": ("image/png",)}),
    }
    (operation,) = make(
        described(
            parameters=(
                parameter("id", "path", {"type": ["integer"]}),
                parameter("q", "query", {"maxLength": 1}),
                parameter("x-h", "header", True),
            ),
            body_required=True,
            content=content,
        ),
        definitions={"#/D": {"type": ["array"]}},
    )
    assert (operation.name, operation.contract, operation.method) == ("one", "c", "POST")
    assert (operation.template, operation.upstream, operation.max_bytes) == ("/v1/a/{id}", "main", 9)
    (in_path,) = operation.path_parameters
    assert (in_path.name, in_path.style, in_path.explode, in_path.required) == ("id", "form", True, False)
    assert in_path.reading.types >= {"integer"}
    assert "string" not in in_path.reading.types
    assert not in_path.validator.fast("x")
    assert not operation.query_parameters["q"].validator.fast("long")
    assert [one.name for one in operation.header_parameters] == ["x-h"]
    assert operation.body is not None
    assert operation.body.required
    json_, form = operation.body.media_types.values()
    assert (json_.kind, json_.reading, json_.encodings) == ("json", None, {})
    assert json_.validator.fast([])
    assert not json_.validator.fast({})
    assert form.kind == "multipart"
    assert form.reading is not None
    assert "array" not in form.reading.types
    assert form.encodings == {"f": ("image/png",)}
    assert (operation.judged, operation.mode, operation.reported, operation.conditions) == (
        True,
        "enforce",
        frozenset(),
        (),
    )


@pytest.mark.parametrize(
    ("prefix", "template"),
    [(None, "/v1/a/{id}"), ("/v9", "/v9/a/{id}"), ("/v9/", "/v9/a/{id}"), ("", "/a/{id}"), ("/", "/a/{id}")],
)
def test_the_prefix(prefix: str | None, template: str) -> None:
    """The configured prefix wins, else the first server's path stands before every path."""
    (operation,) = make(described(), prefix=prefix)
    assert operation.template == template


def test_conditions() -> None:
    """Headers of the contract and the query that the document writes into a path."""
    (operation,) = make(described(query=(("beta", "true"),)), when={"OpenAI-Beta": "assistants=v2"})
    assert operation.conditions == (
        Condition("header", "openai-beta", "assistants=v2"),
        Condition("query", "beta", "true"),
    )
    assert operation.query_parameters == {}


@pytest.mark.parametrize(
    ("mode", "policy_reported", "judged", "reported"),
    [
        ("enforce", False, True, set()),
        ("enforce", True, True, {Layer.LIMIT, Layer.POLICY}),
        ("report", False, True, {Layer.CONTRACT}),
        ("report", True, True, {Layer.CONTRACT, Layer.LIMIT, Layer.POLICY}),
        ("off", False, False, set()),
    ],
)
def test_modes(mode: str, policy_reported: bool, judged: bool, reported: set[Layer]) -> None:
    """Which layers are only recorded follows from the contract's mode and the policy's."""
    (operation,) = make(described(), mode=mode, policy=Policy(reported=policy_reported))
    assert (operation.mode, operation.judged, operation.reported) == (mode, judged, reported)


def test_a_policy_tightens_the_body() -> None:
    """Its limits and its schema for the operation are composed onto each media type."""
    schema = policy_schema("c:one", {"$ref": "x"}, {"x": {"required": ["a"]}}, ("policies", "default"))
    policy = Policy(MetadataLimits(max_pairs=1), FileLimits(), {"c:one": schema})
    contract = {"type": ["object"], "properties": {"metadata": {"type": ["object"]}}}
    first, second = make(
        described(content={"application/json": DescribedContent("json", contract)}),
        described(name="two", content={"application/json": DescribedContent("json", contract)}),
        policy=policy,
    )
    assert first.body is not None
    assert second.body is not None
    assert first.body.required  # by the policy: without a body it could be evaded
    assert not second.body.required
    validator = first.body.media_types["application/json"].validator
    found = validator.full({"metadata": {"k": "v", "l": "w"}}).violations
    assert {(one.code, one.layer) for one in found} == {
        ("object_above_max_properties", Layer.LIMIT),
        ("missing_required_parameter", Layer.POLICY),
    }
    assert second.body.media_types["application/json"].validator.fast({"metadata": {"k": "v"}})


def test_equal_parameters_are_made_once() -> None:
    """Hundreds of operations share a handful of parameters; what differs in anything is another one."""
    first, second, third = make(
        described(parameters=(parameter("limit", "query", {"maximum": 1}),)),
        described(name="two", parameters=(parameter("limit", "query", {"maximum": 1}),)),
        described(name="three", parameters=(parameter("limit", "query", {"maximum": 2}),)),
    )
    assert first.query_parameters["limit"] is second.query_parameters["limit"]
    assert first.query_parameters["limit"] is not third.query_parameters["limit"]


def test_compiling_waits() -> None:
    """Nothing is handed to the other thread before a validator's first use."""
    waiting: list[Any] = []
    (operation,) = make(described(parameters=(parameter("q", "query", OBJECT),)), later=waiting.append)
    assert not waiting
    assert not operation.query_parameters["q"].validator.fast("x")
    assert len(waiting) == 1
