"""The route phase against a naive reference."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.route import Route, RouteConflictError, RouteTable
from gateway.core.schema import compile_schema
from gateway.core.types import Operation, Parameter


def operation(method: str, template: str) -> Operation:
    names = [segment[1:-1] for segment in template.split("/") if segment.startswith("{")]
    anything = compile_schema(True)
    parameters = tuple(Parameter(name, "path", "string", required=True, validator=anything) for name in names)
    return Operation(f"{method} {template}", "c", method, template, "main", 100, parameters)


def matches(template: str, path: str) -> tuple[str, ...] | None:
    """Give what stands for a template's names, None if the path is another one."""
    ours, theirs = template.split("/"), path.split("/")
    if len(ours) != len(theirs):
        return None
    values = []
    for segment, value in zip(ours, theirs, strict=True):
        if segment.startswith("{"):
            if not value:
                return None
            values.append(value)
        elif segment != value:
            return None
    return tuple(values)


def naive(operations: list[Operation], method: str, path: str) -> tuple[str, tuple[str, ...]] | set[str]:
    """Match the slow way: among the templates that fit, the one with literals furthest to the left."""
    fitting = [item for item in operations if matches(item.template, path) is not None]
    if not fitting:
        return set()
    rank = min([segment.startswith("{") for segment in item.template.split("/")] for item in fitting)
    best = [item for item in fitting if [part.startswith("{") for part in item.template.split("/")] == rank]
    for item in best:
        if item.method == method:
            values = matches(item.template, path)
            assert values is not None
            return item.name, values
    return {item.method for item in best}


_SEGMENTS = st.sampled_from(["a", "b", "{x}", "{y}", "c"])
_TEMPLATES = st.lists(_SEGMENTS, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
_PATHS = st.lists(st.sampled_from(["a", "b", "c", "d", ""]), min_size=1, max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)
_METHODS = st.sampled_from(["GET", "POST"])


@given(
    routes=st.lists(st.tuples(_METHODS, _TEMPLATES), max_size=12),
    requests=st.lists(st.tuples(_METHODS, _PATHS), min_size=1, max_size=12),
)
def test_against_the_reference(routes: list[tuple[str, str]], requests: list[tuple[str, str]]) -> None:
    """The table answers as the slow way does, whatever the templates."""
    seen = set()
    operations = []
    for method, template in routes:
        names = iter(range(9))
        named = "/".join(
            f"{{n{next(names)}}}" if part.startswith("{") else part for part in template.split("/")
        )
        if (method, named) not in seen:
            seen.add((method, named))
            operations.append(operation(method, named))
    table = RouteTable(operations)
    for method, path in requests:
        found = table.match(method, path)
        expected = naive(operations, method, path)
        if isinstance(found, Route):
            assert (found.operation.name, found.values) == expected
        else:
            assert set(found) == expected


def test_conflicts() -> None:
    """Two operations with one method on one template, however its names are spelled, are a fault."""
    with pytest.raises(RouteConflictError) as caught:
        RouteTable([operation("GET", "/a/{x}"), operation("POST", "/a/{x}"), operation("GET", "/a/{y}")])
    assert (caught.value.first.template, caught.value.second.template) == ("/a/{x}", "/a/{y}")
    assert "/a/{y}" in str(caught.value)


def test_values_by_name() -> None:
    """A matched segment is found by its template's name, undecoded."""
    route = RouteTable([operation("GET", "/a/{x}/b/{y}")]).match("GET", "/a/1%20/b/2")
    assert isinstance(route, Route)
    assert (route.value_of("x"), route.value_of("y"), route.value_of("z")) == ("1%20", "2", None)


def test_the_root() -> None:
    """The root is a path like any other."""
    table = RouteTable([operation("GET", "/")])
    assert isinstance(table.match("GET", "/"), Route)
    assert table.match("POST", "/") == {"GET"}
    assert table.match("GET", "//") == frozenset()
