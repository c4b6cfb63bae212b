"""Path and query parameters are read without doubt and judged by their schemas."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.parameters import judge_parameters
from gateway.core.schema import compile_schema
from gateway.core.types import Operation, Parameter, Validator, Violation


def parameter(name: str, where: Any, *, required: bool = False, **schema: Any) -> Parameter:
    """Make a parameter of a schema."""
    return Parameter(name, where, schema["type"], required, compile_schema(schema, parameter=name))


QUERY = (
    parameter("limit", "query", type="integer", minimum=1, maximum=100),
    parameter("order", "query", type="string", enum=["asc", "desc"]),
    parameter("after", "query", type="string"),
    parameter("ratio", "query", type="number", maximum=1),
    parameter("deep", "query", type="boolean"),
)
PATH = tuple(
    parameter(name, "path", required=True, type="string", pattern="^[a-z_]{1,9}$") for name in ("one", "two")
)


def operation(*query: Parameter, path: tuple[Parameter, ...] = ()) -> Operation:
    """Make an operation of parameters."""
    return Operation("list", "c", "GET", "/x", "main", 1, path, {item.name: item for item in query})


def judged(query: str | None, *, path_values: tuple[str, ...] = ("a", "b")) -> list[Violation]:
    """Judge against the operation of this file."""
    return judge_parameters(operation(*QUERY, path=PATH), path_values, query)


@pytest.mark.parametrize(
    "query",
    [
        None,
        "",
        "limit=1",
        "limit=100&order=asc",
        "li%6dit=5",
        "after=",
        "after",
        "after=a%20b%C3%A9=x",
        "ratio=-0.5",
        "ratio=1e0",
        "deep=true",
        "deep=false",
        "order=%64esc",
        "after=a=b=c",
        "after=%2B%26",
    ],
)
def test_permitted(query: str | None) -> None:
    """Known parameters of the right kind pass, percent-encoded or not."""
    assert judged(query) == []


@pytest.mark.parametrize(
    ("query", "param", "code"),
    [
        ("x=1", "x", "unknown_parameter"),
        ("limit=1&", "", "unknown_parameter"),
        ("Limit=1", "Limit", "unknown_parameter"),
        ("limit[]=1", "limit[]", "unknown_parameter"),
        ("limit=1&limit=1", "limit", "invalid_value"),
        ("limit=1&li%6Dit=2", "limit", "invalid_value"),
        ("limit=0", "limit", "integer_below_min_value"),
        ("limit=101", "limit", "integer_above_max_value"),
        ("limit=", "limit", "invalid_type"),
        ("limit", "limit", "invalid_type"),
        ("limit=01", "limit", "invalid_type"),
        ("limit=-0", "limit", "invalid_type"),
        ("limit=1.0", "limit", "invalid_type"),
        ("limit=1e1", "limit", "invalid_type"),
        ("limit=%201", "limit", "invalid_type"),
        ("limit=1_0", "limit", "invalid_type"),
        ("limit=%D9%A3", "limit", "invalid_type"),
        ("limit=" + "9" * 19, "limit", "invalid_type"),
        ("limit=" + "9" * 5000, "limit", "invalid_type"),
        ("ratio=1e999", "ratio", "invalid_type"),
        ("ratio=nan", "ratio", "invalid_type"),
        ("ratio=.5", "ratio", "invalid_type"),
        ("ratio=1.5", "ratio", "decimal_above_max_value"),
        ("deep=True", "deep", "invalid_type"),
        ("deep=1", "deep", "invalid_type"),
        ("order=up", "order", "invalid_value"),
        ("after=%", "after", "invalid_value"),
        ("after=%4", "after", "invalid_value"),
        ("after=%zz", "after", "invalid_value"),
        ("after=%FF", "after", "invalid_value"),
        ("after=%ED%A0%80", "after", "invalid_value"),
        ("after=%00", "after", "invalid_value"),
        ("after=%0a", "after", "invalid_value"),
        ("after=%C2%85", "after", "invalid_value"),
        ("after=a+b", "after", "invalid_value"),
        ("after=a;limit=5", "after", "invalid_value"),
        ("after=é", "after", "invalid_value"),
        ("after=a b", "after", "invalid_value"),
        ("%zz=1", None, "invalid_value"),
    ],
)
def test_refused(query: str, param: str | None, code: str) -> None:
    """Anything unknown, repeated, malformed or out of range is one violation, outside the body."""
    (violation,) = judged(query)
    assert (violation.param, violation.code) == (param, code)
    assert violation.pointer is violation.safe_pointer is None


def test_messages_and_safe_names() -> None:
    """Messages are the API's own; a name that the contract does not know is written * elsewhere."""
    unknown, limit, order = judged("sesame=1&limit=1000&order=up")
    assert (unknown.message, unknown.safe_param) == ("Unknown parameter: 'sesame'.", "*")
    assert limit.message == (
        "Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 1000 instead."
    )
    assert (limit.limit, limit.actual, limit.safe_param) == (100, 1000, "limit")
    assert order.message == "Invalid value: 'up'. Supported values are: 'asc' and 'desc'."
    (wrong,) = judged("limit=many")
    assert wrong.message == "Invalid type for 'limit': expected an integer, but got a string instead."


def test_path_values_are_judged_raw_and_in_order() -> None:
    """Each path value meets its own parameter's schema, undecoded, before the query does."""
    violations = judged("x=1", path_values=("%61", "UP"))
    assert [item.param for item in violations] == ["one", "two", "x"]
    assert {item.code for item in violations[:2]} == {"invalid_value"}


def test_an_operation_without_a_query() -> None:
    """One path value and no query, the usual request, is judged as any other; any query is unknown."""
    alone = operation(path=PATH[:1])
    assert judge_parameters(alone, ("a",), None) == []
    assert [item.param for item in judge_parameters(alone, ("A",), "")] == ["one"]
    assert [item.param for item in judge_parameters(alone, ("A",), "q")] == ["one", "q"]
    assert [item.param for item in judge_parameters(operation(path=PATH), ("a", "B"), None)] == ["two"]


def test_required_ones_that_are_missing() -> None:
    """Each missing required parameter is named, also without any query; given twice is not missing."""
    needed = operation(*(parameter(name, "query", required=True, type="string") for name in "ab"))
    for query in (None, "", "c=1"):
        found = [item for item in judge_parameters(needed, (), query) if item.param != "c"]
        assert [(item.param, item.code) for item in found] == [
            ("a", "missing_required_parameter"),
            ("b", "missing_required_parameter"),
        ]
        assert found[0].message == "Missing required parameter: 'a'."
    assert [item.param for item in judge_parameters(needed, (), "a=1&a=2")] == ["a", "b"]


def test_at_most_a_hundred() -> None:
    """A query of a thousand unknown names yields a hundred violations."""
    assert len(judged("&".join(f"x{index}=1" for index in range(1000)))) == 100


def test_a_validator_in_doubt_never_lets_pass() -> None:
    """Where the fast form says no and the full form finds nothing, judging raises: the caller refuses."""
    torn = Parameter("p", "path", "string", True, Validator(lambda _: False, lambda _: [], {}))
    with pytest.raises(RuntimeError, match="disagree"):
        judge_parameters(operation(path=(torn,)), ("a",), None)
