"""Parameters in path, query and header are read without doubt and judged by their schemas."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.core.parameters import (
    NO_FINDINGS,
    ParameterFindings,
    judge_header_parameters,
    judge_parameters,
)
from gateway.core.types import NOTHING_FOUND, Condition, Field, Operation, Parameter, Reading, Validator
from tests.support.plane import make_parameter


def parameter(name: str, where: Any = "query", schema: Any = None, **more: Any) -> Parameter:
    """Make a parameter; a schema that is a word is a type."""
    plain = {"type": [schema]} if isinstance(schema, str) else schema
    return make_parameter(name, where, plain, **more)


QUERY = (
    parameter("limit", schema={"type": ["integer"], "minimum": 1, "maximum": 100}),
    parameter("order", schema={"type": ["string"], "enum": ["asc", "desc"]}),
    parameter("after", schema="string"),
    parameter("ratio", schema={"type": ["number"], "maximum": 1}),
    parameter("deep", schema="boolean"),
)
PATH = tuple(
    parameter(name, "path", {"type": ["string"], "pattern": "^[a-z_]{1,9}$"}, required=True)
    for name in ("one", "two")
)


def operation(*query: Parameter, path: tuple[Parameter, ...] = (), **more: Any) -> Operation:
    """Make an operation of parameters."""
    return Operation("list", "c", "GET", "/x", "main", 1, path, {item.name: item for item in query}, **more)


def judged(query: str | None, *, path_values: tuple[str, ...] = ("a", "b")) -> ParameterFindings:
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
    assert judged(query) is NO_FINDINGS


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
        ("order=as+c", "order", "invalid_value"),
        ("after=a#b", "after", "invalid_value"),
        ("after=a;limit=5", "after", "invalid_value"),
        ("after=é", "after", "invalid_value"),
        ("after=a b", "after", "invalid_value"),
        ("%zz=1", None, "invalid_value"),
    ],
)
def test_refused(query: str, param: str | None, code: str) -> None:
    """Anything unknown, repeated, malformed or out of range is one violation, outside the body."""
    (violation,) = judged(query).violations
    assert (violation.param, violation.code) == (param, code)
    assert violation.pointer is violation.safe_pointer is None


def test_messages_and_safe_names() -> None:
    """Messages are the API's own; a name that the contract does not know is written * elsewhere."""
    unknown, limit, order = judged("sesame=1&limit=1000&order=up").violations
    assert (unknown.message, unknown.safe_param) == ("Unknown parameter: 'sesame'.", "*")
    assert limit.message == (
        "Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 1000 instead."
    )
    assert (limit.limit, limit.actual, limit.safe_param) == (100, 1000, "limit")
    assert order.message == "Invalid value: 'up'. Supported values are: 'asc' and 'desc'."
    (wrong,) = judged("limit=many").violations
    assert wrong.message == "Invalid type for 'limit': expected an integer, but got a string instead."


def codes(findings: ParameterFindings) -> list[tuple[str | None, str]]:
    """Give params and codes."""
    assert findings.total == len(findings.violations)
    return [(item.param, item.code) for item in findings.violations]


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ("a", True),
        ("a%20b", True),
        ("%C3%A9", True),
        ("%2B", True),
        ("a+b", True),
        ("a=b,c", True),
        ("%61", False),
        ("a%2eb", False),
        ("%7E", False),
        ("a;b", False),
        ("%", False),
        ("%0a", False),
        ("%FF", False),
        ("a%20bcdefg", False),
    ],
)
def test_path_values_are_decoded_once(value: str, good: bool) -> None:
    """A path value is judged as it reads decoded; what needs no encoding must not have it."""
    name = parameter("name", "path", {"type": ["string"], "maxLength": 7}, required=True)
    found = judge_parameters(operation(path=(name,)), (value,), None)
    assert (found is NO_FINDINGS) == good


def test_path_values_in_order() -> None:
    """Each path value meets its own parameter's schema before the query does."""
    assert codes(judged("x=1", path_values=("%61", "UP"))) == [
        ("one", "invalid_value"), ("two", "invalid_value"), ("x", "unknown_parameter"),
    ]  # fmt: skip


def test_an_operation_without_a_query() -> None:
    """One path value and no query, the usual request, is judged as any other; any query is unknown."""
    alone = operation(path=PATH[:1])
    assert judge_parameters(alone, ("a",), None) is NO_FINDINGS
    assert judge_parameters(operation(), (), None) is NO_FINDINGS
    assert [name for name, _ in codes(judge_parameters(alone, ("A",), ""))] == ["one"]
    assert [name for name, _ in codes(judge_parameters(alone, ("A",), "q"))] == ["one", "q"]
    assert [name for name, _ in codes(judge_parameters(operation(path=PATH), ("a", "B"), None))] == ["two"]


def test_required_ones_that_are_missing() -> None:
    """Each missing required parameter is named, also without any query; given twice is not missing."""
    needed = operation(*(parameter(name, schema="string", required=True) for name in "ab"))
    for query in (None, "", "c=1"):
        found = [item for item in judge_parameters(needed, (), query).violations if item.param != "c"]
        assert [(item.param, item.code) for item in found] == [
            ("a", "missing_required_parameter"),
            ("b", "missing_required_parameter"),
        ]
        assert found[0].message == "Missing required parameter: 'a'."
    assert [name for name, _ in codes(judge_parameters(needed, (), "a=1&a=2"))] == ["a", "b"]


def test_at_most_a_hundred() -> None:
    """A query of a thousand unknown names lists a hundred violations and counts them all."""
    found = judged("&".join(f"x{index}=1" for index in range(1000)))
    assert (len(found.violations), found.total, found.unreadable) == (100, 1000, ())
    doubtful = judged("&".join("%zz" for _ in range(1000)))
    assert (len(doubtful.violations), doubtful.total, len(doubtful.unreadable)) == (100, 1000, 100)


def test_a_validator_in_doubt_never_lets_pass() -> None:
    """Where the fast form says no and the full form finds nothing, judging raises: the caller refuses."""
    torn = Validator(lambda _: False, lambda _: NOTHING_FOUND, {})
    reading = Reading(frozenset(("string",)))
    for value in ("a", "%20"):
        broken = Parameter("p", "path", "simple", False, True, reading, torn)
        with pytest.raises(RuntimeError, match="disagree"):
            judge_parameters(operation(path=(broken,)), (value,), None)


def test_what_no_mode_lets_pass() -> None:
    """Text in doubt is told apart from what a schema finds, and from what the contract does not know."""
    found = judged("limit=0&after=%zz&x=1&limit=2&%zz")
    assert [item.param for item in found.unreadable] == ["limit", "after", None]
    assert found.total == 4


def test_a_plus() -> None:
    """A plus is a space or a plus: what is good as either passes, anything else is refused."""
    texts = operation(parameter("q", schema={"type": ["string"], "pattern": "^[a-z +]*$"}),
                      parameter("r", schema={"enum": ["a b"]}),
                      parameter("s", schema={"enum": ["a+b"]}))  # fmt: skip
    assert judge_parameters(texts, (), "q=a+b&r=a%20b&s=a%2Bb") is NO_FINDINGS
    assert codes(judge_parameters(texts, (), "r=a+b")) == [("r", "invalid_value")]
    assert codes(judge_parameters(texts, (), "s=a+b")) == [("s", "invalid_value")]
    assert codes(judge_parameters(texts, (), "q+=a")) == [("q ", "unknown_parameter")]


STRINGS = {"type": ["array"], "items": {"type": ["string"]}, "maxItems": 3}
NUMBERS = {"type": ["array"], "items": {"type": ["integer"], "maximum": 9}, "minItems": 1}
PATTERN = {"anyOf": [{"type": ["integer"]}, {"type": ["string"], "pattern": "^a"}]}
POINT = {
    "type": ["object"],
    "properties": {"x": {"type": ["integer"]}, "tags": STRINGS},
    "additionalProperties": {"type": ["boolean"]},
}
CLOSED = {"type": ["object"], "properties": {"gt": {"type": ["integer"]}}, "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "more", "query", "expected"),
    [
        (STRINGS, {}, "p=a&p=b", None),
        (STRINGS, {}, "p=a,b", None),
        (STRINGS, {}, "p[]=a&p[]=b", None),
        (STRINGS, {}, "p%5B%5D=a", None),
        (STRINGS, {}, "p=a&p[]=b", "invalid_value"),
        (STRINGS, {}, "p=a&p=b&p=c&p=d", "array_above_max_length"),
        (STRINGS, {}, "p[x]=a", "unknown_parameter"),
        (STRINGS, {}, "p[][x]=a", "unknown_parameter"),
        (STRINGS, {}, "p=%zz&p=a", "invalid_value"),
        (NUMBERS, {}, "p=1&p=2", None),
        (NUMBERS, {}, "p=1&p=x", "invalid_type"),
        (NUMBERS, {}, "p=1&p=10", "integer_above_max_value"),
        (NUMBERS, {"explode": False}, "p=1,2,3", None),
        (NUMBERS, {"explode": False}, "p=1,2&p=3", "invalid_value"),
        (NUMBERS, {"explode": False}, "p=1,", "invalid_type"),
        (NUMBERS, {"explode": False}, "p=", "invalid_type"),
        (NUMBERS, {"explode": False}, "p[]=1&p[]=2", None),
        (STRINGS, {"explode": False}, "p=a%2Cb,c", None),
        (STRINGS, {"explode": False}, "p=a,b,c%2Cd", "array_above_max_length"),
        (NUMBERS, {"style": "spaceDelimited"}, "p=1%202%203", None),
        (STRINGS, {"style": "spaceDelimited"}, "p=a+b", None),
        (NUMBERS, {"style": "spaceDelimited"}, "p=1+2", "invalid_type"),
        (NUMBERS, {"style": "pipeDelimited"}, "p=1%7C2|3%7c4", None),
        (NUMBERS, {"style": "pipeDelimited"}, "p=1,2", "invalid_type"),
        (POINT, {"style": "deepObject"}, "p[x]=1&p[y]=true", None),
        (POINT, {"style": "deepObject"}, "p[x]=1&p[tags][]=a&p[tags][]=b", None),
        (POINT, {"style": "deepObject"}, "p[x]=1&p[x]=2", "invalid_value"),
        (POINT, {"style": "deepObject"}, "p[x]=1&p[x][y]=2", "invalid_value"),
        (POINT, {"style": "deepObject"}, "p[x]=a", "invalid_type"),
        (POINT, {"style": "deepObject"}, "p[y]=1", "invalid_type"),
        (POINT, {"style": "deepObject"}, "p=1", "invalid_type"),
        (POINT, {"style": "deepObject"}, "p[]=1", "unknown_parameter"),
        (POINT, {"style": "deepObject"}, "p[x=1", "unknown_parameter"),
        (POINT, {"style": "deepObject"}, "p" + "[x]" * 40 + "=1", "json_too_deep"),
        (POINT, {"style": "deepObject"}, "p" + "[x]" * 32 + "[]=1", "json_too_deep"),
        (POINT, {}, "x=1&y=true", None),
        (POINT, {}, "x=1&x=2", "invalid_value"),
        (POINT, {}, "p[x]=1", None),
        (POINT, {}, "p[x]=1&y=true", "invalid_value"),
        (POINT, {}, "y=1", "invalid_type"),
        (POINT, {}, "q[z]=true", "unknown_parameter"),
        (CLOSED, {}, "gt=1", None),
        (CLOSED, {}, "lt=1", "unknown_parameter"),
        (CLOSED, {}, "p[lt]=1", "unknown_parameter"),
        (POINT, {"explode": False}, "p=x,1,y,true", None),
        (POINT, {"explode": False}, "p=x,1,y", "invalid_value"),
        (POINT, {"explode": False}, "p=x,1,x,2", "duplicate_key"),
        (CLOSED, {"style": "json"}, "p=%7B%22gt%22:1%7D", None),
        (CLOSED, {"style": "json"}, "p=%7B%22gt%22:%221%22%7D", "invalid_type"),
        (CLOSED, {"style": "json"}, "p=%7B", "invalid_json"),
        (CLOSED, {"style": "json"}, "p=1&p=2", "invalid_value"),
        (CLOSED, {"style": "json"}, "gt=1", "unknown_parameter"),
        (CLOSED, {"style": "json"}, "p[gt]=1", "unknown_parameter"),
        ({"type": ["integer", "null"]}, {}, "p=null", None),
        ({"type": ["integer", "boolean"]}, {}, "p=true", None),
        ({"type": ["integer", "null"]}, {}, "p=nil", "invalid_type"),
        ({"anyOf": [{"type": ["integer"]}, {"enum": ["auto"]}]}, {}, "p=5", None),
        ({"anyOf": [{"type": ["integer"]}, {"enum": ["auto"]}]}, {}, "p=auto", None),
        (PATTERN, {}, "p=5", None),
        (PATTERN, {}, "p=b", "invalid_value"),
        ({"anyOf": [{"type": ["string"]}, STRINGS]}, {}, "p=a", None),
        ({"anyOf": [{"type": ["string"]}, STRINGS]}, {}, "p=a&p=b", None),
        ({"anyOf": [{"type": ["string"]}, STRINGS]}, {"explode": False}, "p=a,b", None),
        (True, {}, "p=a&p=b", None),
    ],
)  # fmt: skip
def test_styles_of_queries(schema: Any, more: Any, query: str, expected: str | None) -> None:
    """Arrays and objects are read by OpenAPI's styles and as SDKs write them; typed, and in one way alone."""
    found = judge_parameters(operation(parameter("p", schema=schema, **more)), (), query)
    assert [item.code for item in found.violations[:1]] == ([expected] if expected else [])


def test_a_contract_that_names_brackets() -> None:
    """A parameter whose own name has brackets is meant by that name alone."""
    named = operation(parameter("include[]", schema=STRINGS), parameter("a[b]", schema="integer"))
    assert judge_parameters(named, (), "include[]=a&include%5B%5D=b&a[b]=1") is NO_FINDINGS
    assert codes(judge_parameters(named, (), "include=a&a[c]=1")) == [
        ("include", "unknown_parameter"), ("a[c]", "unknown_parameter"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("schema", "more", "value", "expected"),
    [
        (NUMBERS, {}, "1,2", None),
        (NUMBERS, {}, "1,x", "invalid_type"),
        (STRINGS, {}, "a,b%2Cc", None),
        (STRINGS, {}, "a,b,c%2Cd", "array_above_max_length"),
        (STRINGS, {}, "%61,b", "invalid_value"),
        (POINT, {}, "x,1,y,true", None),
        (POINT, {"explode": True}, "x=1,y=true", None),
        (POINT, {"explode": True}, "x=1,y", "invalid_value"),
        ("integer", {}, "7", None),
        ("integer", {}, "07", "invalid_type"),
    ],
)
def test_styles_of_paths(schema: Any, more: Any, value: str, expected: str | None) -> None:
    """A path's segment may be an array or an object, too."""
    one = parameter("p", "path", schema, required=True, **more)
    found = judge_parameters(operation(path=(one,)), (value,), None)
    assert [item.code for item in found.violations] == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("schema", "more", "values", "expected"),
    [
        ("string", {}, ["a, b"], None),
        ("string", {}, [], None),
        ("string", {"required": True}, [], "missing_required_parameter"),
        ("string", {}, ["a", "b"], "invalid_value"),
        ("string", {}, ["a\xe9b"], "invalid_value"),
        ("string", {}, ["%zz"], None),
        ("integer", {}, ["5"], None),
        ("integer", {}, ["five"], "invalid_type"),
        (NUMBERS, {}, ["1, 2\t,3"], None),
        (NUMBERS, {}, ["1", "2"], None),
        (NUMBERS, {}, ["1", "2", "x"], "invalid_type"),
        (NUMBERS, {}, ["1,,2"], "invalid_value"),
        (NUMBERS, {}, [""], "empty_array"),
        (STRINGS, {}, ['"a,b"'], "invalid_value"),
        (POINT, {}, ["x,1, y,true"], None),
        (POINT, {"explode": True}, ["x=1, y=true"], None),
        (POINT, {"explode": True}, ["x=1", "x=2"], "duplicate_key"),
        (CLOSED, {"style": "json"}, ['{"gt": 1}'], None),
        (CLOSED, {"style": "json"}, ["{"], "invalid_json"),
        (CLOSED, {"style": "json"}, ["{}", "{}"], "invalid_value"),
        ({"anyOf": [{"type": ["string"]}, STRINGS]}, {}, ["a,b"], None),
        ({"anyOf": [{"type": ["string"]}, STRINGS]}, {}, ["a,b", "c,d"], "array_above_max_length"),
    ],
)
def test_headers(schema: Any, more: Any, values: list[str], expected: str | None) -> None:
    """Declared header fields are read undecoded, several as one list; others pass."""
    fields = [Field(b"", b"x-p", value.encode("latin-1")) for value in values]
    fields.append(Field(b"", b"x-other", b"1"))
    made = operation(header_parameters=(parameter("x-p", "header", schema, **more),))
    found = judge_header_parameters(made, fields)
    assert [item.code for item in found.violations[:1]] == ([expected] if expected else [])
    assert {(item.param or "")[:3] for item in found.violations} <= {"x-p"}


def test_fixed_parameters_of_a_path() -> None:
    """A query parameter that makes the route needs no description, and stands once."""
    fixed = replace(operation(*QUERY), conditions=(Condition("query", "beta", "true"),))
    assert judge_parameters(fixed, (), "beta=true&limit=1") is NO_FINDINGS
    assert codes(judge_parameters(fixed, (), "beta=true&b%65ta=false")) == [("beta", "invalid_value")]
    header = replace(operation(*QUERY), conditions=(Condition("header", "beta", "true"),))
    assert codes(judge_parameters(header, (), "beta=true")) == [("beta", "unknown_parameter")]
