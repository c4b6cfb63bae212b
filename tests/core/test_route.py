"""The route phase against a naive reference."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.head import read_head
from gateway.core.route import Route, RouteConflictError, RouteTable
from gateway.core.types import Condition, Operation, RequestHead
from tests.support.plane import make_parameter


def operation(method: str, template: str, *conditions: Condition) -> Operation:
    names = re.findall(r"\{([^}]*)\}", template)
    parameters = tuple(make_parameter(name, "path", True, required=True) for name in names)
    name = " ".join([method, template, *(item.value for item in conditions)])
    return Operation(name, "c", method, template, "main", 100, parameters, conditions=conditions)


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


@pytest.mark.parametrize(
    ("path", "template", "values"),
    [
        ("/f/a.json", "/f/{id}.json", ("a",)),
        ("/f/a.json.json", "/f/{id}.json", ("a.json",)),
        ("/f/.json", "/f/{id}", (".json",)),
        ("/f/x-a.json", "/f/x-{id}.json", ("a",)),
        ("/f/x.json", "/f/{id}.json", ("x",)),
        ("/f/search.json", "/f/search.json", ()),
        ("/f/a:b", "/f/{a}:{b}", ("a", "b")),
        ("/f/a:b:c", None, ()),
        ("/f/:b", "/f/{id}", (":b",)),
        ("/f/a", "/f/{id}", ("a",)),
        ("/f/a.json/x", "/f/{id}.json/x", ("a",)),
        ("/f/a.json/y", "/f/{id}/y", ("a.json",)),
        ("/g/a.json", "/g/{id}.json", ("a",)),
        ("/g/a.xml", None, ()),
        ("/g/", None, ()),
        ("/g/a.json/x", None, ()),
    ],
)
def test_names_beside_text(path: str, template: str | None, values: tuple[str, ...]) -> None:
    """A name may be a part of a segment; most literal text wins; two ways to tell it are none."""
    templates = (
        "/f/{id}", "/f/{id}.json", "/f/x-{id}.json", "/f/search.json", "/f/{a}:{b}", "/f/{id}.json/x",
        "/f/{id}/y", "/g/{id}.json",
    )  # fmt: skip
    found = RouteTable([operation("GET", one) for one in templates]).match("GET", path)
    if template is None:
        assert found == frozenset()
    else:
        assert isinstance(found, Route)
        assert (found.operation.template, found.values) == (template, values)


def test_names_beside_text_conflict() -> None:
    """Mixed segments with the same text are the same route."""
    with pytest.raises(RouteConflictError):
        RouteTable([operation("GET", "/{a}.json"), operation("GET", "/{b}.json")])


def head_of(*lines: str, target: str = "/a") -> RequestHead:
    raw = "\r\n".join([f"GET {target} HTTP/1.1", "Host: a", *lines, "", ""])
    head = read_head(raw.encode())
    assert isinstance(head, RequestHead)
    return head


V1 = Condition("header", "beta", "v1")
V2 = Condition("header", "beta", "v2")
TRUE = Condition("query", "beta", "true")


def matched(table: RouteTable, *lines: str, target: str = "/a", method: str = "GET") -> str | set[str]:
    head = head_of(*lines, target=target)
    found = table.match(method, head.path, head)
    assert found == table.match(method, head.path, head), "what is remembered of the fields changes nothing"
    return found.operation.name if isinstance(found, Route) else set(found)


def test_conditions() -> None:
    """Of operations whose conditions hold, the one with most is taken, then the one that came first."""
    routes = [
        operation("GET", "/a"), operation("GET", "/a", V1), operation("GET", "/a", V2),
        operation("GET", "/a", V2, V1),
    ]  # fmt: skip
    table = RouteTable(routes)
    assert matched(table) == "GET /a"
    assert matched(table, "Beta: v1") == "GET /a v1"
    assert matched(table, "BETA: x,\tv2 , y") == "GET /a v2"
    assert matched(table, "Beta: v3", "Beta: v2") == "GET /a v2"
    assert matched(table, "Beta: V1") == "GET /a"
    assert matched(table, "Beta: v1 v2") == "GET /a"
    assert matched(table, "Beta: v2", "Beta: v1") == "GET /a v2 v1"
    assert table.match("GET", "/a") == Route(routes[0], ())


def test_conditions_of_several() -> None:
    """A client cannot choose which of two contracts judges by naming the values of both."""
    other = Condition("header", "gamma", "g")
    both = RouteTable(
        [
            operation("GET", "/a", V2),
            operation("GET", "/a", V1),
            operation("GET", "/a"),
            operation("GET", "/a", other),
        ]
    )
    assert matched(both, "Beta: v1, v2") == set()
    assert matched(both, "Beta: v1", "Beta: v2") == set()
    assert matched(both, "Beta: v1, v3") == "GET /a v1"
    assert matched(both, "Beta: v1", "Gamma: g") == "GET /a v1", "other fields: the first one, as written"


def test_decoded_paths() -> None:
    """What is another operation once it is decoded is none: some decode before they look for the route."""
    table = RouteTable(
        [operation("POST", "/x/{id}"), operation("POST", "/x/{id}:cancel"), operation("GET", "/x/a:b")]
    )
    assert matched(table, target="/x/1:cancel", method="POST") == "POST /x/{id}:cancel"
    assert matched(table, target="/x/1%3Acancel", method="POST") == set()
    assert matched(table, target="/x/1%3acancel", method="POST") == set()
    assert matched(table, target="/x/a%3Ab", method="POST") == set()
    assert matched(table, target="/x/a%3Ac", method="POST") == "POST /x/{id}"
    assert matched(table, target="/x/%20", method="POST") == "POST /x/{id}"
    pairs = RouteTable([operation("GET", "/{a}:{b}")])
    assert matched(pairs, target="/1%3A2:3") == set(), "it could be split in two ways"


def test_matrix_parameters() -> None:
    """What is another operation once semicolons end its segments is none: some servers take the rest away."""
    table = RouteTable(
        [operation("GET", "/x/{id}"), operation("GET", "/x/search"), operation("GET", "/y/{id}")]
    )
    assert matched(table, target="/x/search") == "GET /x/search"
    for target in (
        "/x/search;a",
        "/x/search;",
        "/x/search;a=b;c",
        "/x/search%3ba",
        "/x/search%3Ba",
        "/x;/search",
    ):
        assert matched(table, target=target) == set()
    assert matched(table, target="/x/find;a") == "GET /x/{id}"
    assert matched(table, target="/x/;a=search") == "GET /x/{id}", "a parameter in matrix style"
    assert matched(table, target="/y/search;a") == "GET /y/{id}"


def test_tampering() -> None:
    """Fields by which requests are routed or judged can be neither imitated nor kept from arriving."""
    asked = operation("GET", "/b")
    tenant = make_parameter("x-tenant", "header", True)
    table = RouteTable([operation("GET", "/a", V1), replace(asked, header_parameters=(tenant,))])
    for lines, tampered in (
        (("Beta: v1", "X-Tenant: a", "X_Other: b"), False),
        (("Connection: close, x-other",), False),
        (("X_Tenant: a",), True),
        (("X-Tenant: a", "x_tenant: b"), True),
        (("Connection: keep-alive, X-Tenant", "X-Tenant: a"), True),
        (("Beta: v1", "Connection: beta"), True),
        (("X.Tenant: a",), True),
    ):
        block = head_of(*lines).block
        assert table.tampers(block) is tampered
        assert table.tampers(block) is tampered, "what is remembered of the fields changes nothing"
    assert not RouteTable([asked]).tampers(head_of("X_Tenant: a", "Connection: beta").block)


def test_conditions_of_queries() -> None:
    """A query parameter decides by its decoded name and value."""
    table = RouteTable([operation("GET", "/a", TRUE), operation("GET", "/a", V1), operation("GET", "/a")])
    assert matched(table, target="/a?x=1&b%65ta=tru%65") == "GET /a true"
    assert matched(table, target="/a?beta=false") == "GET /a"
    assert matched(table, target="/a?beta") == "GET /a"
    assert matched(table) == "GET /a"
    assert matched(table, "Beta: v1") == "GET /a v1"


def test_as_if_it_did_not_exist() -> None:
    """Without its condition, an operation's path and method are those of the others."""
    table = RouteTable([operation("GET", "/a", V1), operation("POST", "/a"), operation("GET", "/b", V1)])
    assert matched(table) == {"POST"}
    assert matched(table, "Beta: v1", method="PUT") == {"GET", "POST"}
    assert matched(table, target="/b") == set()
    assert table.match("GET", "/b") == frozenset()
    less = RouteTable([operation("GET", "/{x}"), operation("GET", "/a", V1)])
    assert matched(less) == "GET /{x}"
    assert matched(less, "Beta: v1") == "GET /a v1"


def test_conflicting_conditions() -> None:
    """The same conditions in another order are the same."""
    for conditions in ((V1, V2), (V2, V1, V2)):
        with pytest.raises(RouteConflictError):
            RouteTable([operation("GET", "/a", V1, V2), operation("GET", "/a", *conditions)])
    with pytest.raises(RouteConflictError):
        RouteTable([operation("GET", "/a"), operation("GET", "/a", V1), operation("GET", "/a")])
