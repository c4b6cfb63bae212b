"""OpenAPI documents become descriptions; what cannot be enforced is a fault at its line and column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gateway import documents
from gateway.contracts.openapi import describe
from gateway.contracts.sources import Sources
from gateway.errors import ConfigError
from tests.support.openapi_texts import HEAD, TO_A, a_is, faults, get, post, read, warnings
from tests.support.published import PUBLISHED

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.contracts.described import Description


def test_a_whole_operation() -> None:
    """Everything that an operation has is read, references followed, in the document's order."""
    found = read(
        """
        openapi: 3.0.3
        servers: [{url: "https://example.org/base/"}]
        x-anything: {}
        paths:
          x-note: {}
          /a/{id}/b/{n}:
            summary: path
            parameters:
              - {name: n, in: path, required: true, schema: {type: integer}}
              - $ref: "#/components/parameters/Id"
              - {name: q, in: query, schema: {type: string, maxLength: 1}}
            put:
              operationId: two
              parameters:
                - {name: q, in: query, required: true, style: form, explode: true, schema: {type: string}}
                - {name: X-Y, in: header, schema: {type: integer}}
              requestBody: {$ref: "#/components/requestBodies/B"}
            get: {operationId: one}
        components:
          parameters:
            Id: {name: id, in: path, required: true, schema: {$ref: "#/components/schemas/S~1T"}}
          requestBodies:
            B:
              required: true
              content: {application/json: {schema: {items: {$ref: "#/components/schemas/S~1T"}}}}
          schemas:
            S/T: {$ref: "#/components/schemas/U"}
            U: {type: string, maxLength: 3}
        """
    ).description
    assert found.server_path == "/base"
    first, second = found.operations
    assert (first.name, first.method, first.template, first.query) == ("two", "PUT", "/a/{id}/b/{n}", ())
    described = [(one.name, one.where, one.style, one.explode, one.required) for one in first.parameters]
    assert described == [
        ("id", "path", "simple", False, True),
        ("n", "path", "simple", False, True),
        ("q", "query", "form", True, True),
        ("x-y", "header", "simple", False, False),
    ]
    assert first.parameters[2].schema == {"type": ["string"]}
    assert first.body_required
    assert first.content is not None
    assert first.content["application/json"].kind == "json"
    (key,) = [key for key in found.definitions if key.endswith("S~1T")]
    assert first.content["application/json"].schema == {"items": {"$ref": key}}
    assert (second.name, second.method, second.content, second.body_required) == ("one", "GET", None, False)
    assert second.parameters[2].schema == {"type": ["string"], "maxLength": 1}


@pytest.mark.parametrize("version", ["3.0.0", "3.0.4", "3.1.0", "3.1.2"])
def test_versions(version: str) -> None:
    """Both minor versions are read."""
    assert len(operations(f"openapi: {version}\npaths: {{/a: {{get: {{}}}}}}")) == 1


def operations(text: str, **options: Any) -> tuple[Any, ...]:
    """Give a document's operations."""
    return read(text, **options).description.operations


def test_json(tmp_path: Path) -> None:
    """A document may be JSON, and refer to files below its folder, for path items, too."""
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "item.json").write_text('{"get": {"operationId": "one"}}', encoding="utf-8")
    root = tmp_path / "root.json"
    root.write_text(
        '{"openapi": "3.1.0", "paths": {"/a": {"$ref": "below/item.json"}, "/b": {"$ref": "../x.json"}}}',
        encoding="utf-8",
    )
    sources = Sources(documents.read(root, name="root.json"), tmp_path)
    with pytest.raises(ConfigError) as caught:
        describe(sources, None)
    (fault,) = caught.value.faults
    assert str(fault).startswith("root.json:1:74: ")
    root.write_text(root.read_text(encoding="utf-8").replace("../x.json", "#/paths/~1a"), encoding="utf-8")
    sources = Sources(documents.read(root), tmp_path)
    with pytest.raises(ConfigError, match="operationId one stands twice"):
        describe(sources, None)
    assert [file.name for file in sources.files] == ["item.json"]


@pytest.mark.parametrize(
    ("servers", "path"),
    [
        ("", ""),
        ("servers: []\n", ""),
        ("servers: [{url: /}]\n", ""),
        ("servers: [{url: /v1/}, {url: /v2}]\n", "/v1"),
        ("servers: [{url: 'https://h:1/x/y?z'}]\n", "/x/y"),
        ("servers: [{url: 'https://h'}]\n", ""),
        ("servers: [{url: 'https://{h}/{v}', variables: {h: {default: a.b}, v: {default: v1}}}]\n", "/v1"),
    ],
)
def test_the_servers_path(servers: str, path: str) -> None:
    """The first server's path is told, variables by their defaults."""
    assert read(get() + servers).description.server_path == path


@pytest.mark.parametrize("servers", ["servers: 1\n", "servers: [{url: 'https://{h}/'}]\n"])
def test_servers_do_not_matter_with_a_prefix(servers: str) -> None:
    """A contract with a prefix of its own loads whatever the servers say."""
    assert read(get() + servers, prefixed=True).description.server_path == ""
    assert faults(get() + servers)


def test_only_what_is_wanted_is_read() -> None:
    """Faults of operations that were not asked for do not count; unknown ones are told with the known."""
    text = get() + "    post: {operationId: other, parameters: [{in: cookie, name: c}]}\n    put: {}\n"
    assert [one.name for one in operations(text, wanted=["one"])] == ["one"]
    assert [one.name for one in operations(text, wanted=["PUT /a"])] == ["PUT /a"]
    assert faults(text, wanted=["one", "nope"]) == [
        "2:1: there is no operation nope; the document's are PUT /a, one, other"
    ]
    many = HEAD + "paths:\n" + "".join(f"  /{n}: {{get: {{operationId: op{n}}}}}\n" for n in range(30))
    assert faults(many, wanted=["op77", "else"]) == [
        "2:1: there is no operation else; it has 30",
        "2:1: there is no operation op77; did you mean 'op7'?",
    ]


def test_trace_is_left_out() -> None:
    """TRACE would show an upstream's view of a request: its operations are warned of, or refused by name."""
    text = get() + "    trace: {operationId: echo}\n"
    assert [one.name for one in operations(text)] == ["one"]
    assert warnings(text) == ["6:5: TRACE is never forwarded: a request with it is refused"]
    assert faults(text, wanted=["echo"]) == ["6:5: TRACE is never forwarded: a request with it is refused"]
    assert operations(text, wanted=["one"])


def test_webhooks_callbacks_and_responses_are_not_read() -> None:
    """What describes no request to this service may have any faults."""
    text = get("callbacks: {c: {$ref: nowhere}}", "responses: 1", "security: 1") + "webhooks: 1\n"
    assert len(operations(text)) == 1


def test_a_query_in_a_path() -> None:
    """A path with a fixed query is an operation of its own, with a warning at the path."""
    text = HEAD + "paths:\n  /a: {get: {}}\n  /a?beta=true&v=2: {get: {}}\n"
    plain, beta = operations(text)
    assert (plain.template, plain.query) == ("/a", ())
    assert (beta.template, beta.query) == ("/a", (("beta", "true"), ("v", "2")))
    assert warnings(text) == [
        "4:3: OpenAPI knows no query in a path; taken as: only requests with beta=true&v=2 are meant"
    ]


def test_paths_that_end_in_a_slash() -> None:
    """The root and paths with a last slash are paths like others."""
    assert [one.template for one in operations(HEAD + "paths: {/: {get: {}}, /a/: {get: {}}}")] == [
        "/",
        "/a/",
    ]


def test_segments_of_names_and_literal_text() -> None:
    """Names may stand beside literal text, in the order in which their values come."""
    listed = ", ".join(f"{{name: {name}, in: path, required: true, schema: {{}}}}" for name in "cba")
    (operation,) = operations(get(f"parameters: [{listed}]", template="/x-{a}:{b}.json/{c}"))
    assert operation.template == "/x-{a}:{b}.json/{c}"
    assert [one.name for one in operation.parameters] == ["a", "b", "c"]


def test_servers_of_a_path_and_of_an_operation_are_warned_of() -> None:
    """They do not change the route, and it is said where they stand."""
    text = HEAD + "paths:\n  /a:\n    servers: []\n    get: {servers: []}\n"
    assert [line.partition(" ")[0] for line in warnings(text)] == ["4:5:", "5:11:"]


def test_what_stands_beside_a_reference_is_warned_of() -> None:
    """OpenAPI ignores it; whoever wrote it may not know."""
    text = (
        get("parameters: [{$ref: '#/components/parameters/P', required: true, description: d, x-y: 1}]")
        + "components: {parameters: {P: {name: p, in: query, schema: {}}}}\n"
    )
    assert warnings(text) == ["6:56: required has no effect beside $ref"]
    (parameter,) = operations(text)[0].parameters
    assert not parameter.required


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[]", "1:1: an OpenAPI document must be a mapping"),
        ("openapi: 3.2.0\npaths: {}", "1:1: openapi must be 3.0.x or 3.1.x"),
        ("swagger: '2.0'", "1:1: openapi must be 3.0.x or 3.1.x"),
        ("openapi: 3.0", "1:1: openapi must be 3.0.x or 3.1.x"),
        ("openapi: 3.1.0\njsonSchemaDialect: https://x.y/z\npaths: {}", "2:1: schemas of this dialect"),
        (HEAD + "paths: []", "2:1: paths must be a mapping"),
        (HEAD, "1:1: paths must be a mapping"),
        (HEAD + "paths: {/a: []}", "2:9: a path item must be a mapping"),
        (HEAD + "paths: {/a: {get: 1}}", "2:14: an operation must be a mapping"),
        (HEAD + "paths: {/a: {$ref: '#/x'}}", "2:14: there is no #/x in c.yaml"),
        (HEAD + "paths: {/a: {$ref: 'x.yaml'}}", "2:14: x.yaml: no other file can be referred to"),
        (HEAD + "paths: {/a: {$ref: '#/x', get: {}}}", "2:27: get has no agreed meaning beside"),
        (HEAD + "paths: {/a: {query: {}, get: {}}}", "2:14: a path item has no query"),
        (get("paramters: []"), "6:7: an operation has no paramters"),
        (HEAD + "paths: {/a: {get: {operationId: 1}}}", "2:20: an operationId must be a string"),
        (get() + "    put: {operationId: one}", "6:11: operationId one stands twice"),
        (get() + "  /{x}: {get: {}}\n  /{y}: {get: {}}", "7:10: GET /{x} and GET /{y} are both GET /{y}"),
        (
            get() + "servers: [{url: 'https://{h}/'}]",
            "6:12: the variable h of the server's url has no default",
        ),
        (get() + "servers: [{url: 'v1'}]", "6:12: the path of the server's url cannot be used"),
        (get() + "servers: [{url: '//[/'}]", "6:12: the path of the server's url cannot be used"),
        (get() + "servers: [{}]", "6:11: a server needs a url"),
        (get() + "servers: 1", "6:1: a server needs a url"),
        (get(template="/{x}{y}"), "3:3: a path is /-separated"),
        (get(template="/{x"), "3:3: a path is /-separated"),
        (get(template="/a%20b"), "3:3: a path is /-separated"),
        (get(template="/a//b"), "3:3: a path is /-separated"),
        (get(template="/ä"), "3:3: a path is /-separated"),
        (get(template="a"), "3:3: a path is /-separated"),
        (get(template="/{x}/{x}"), "3:3: a name stands twice in a path"),
        (get(template="/a?b"), "3:3: a query in a path must be name=value pairs"),
        (get(template="/a?b=1&b=2"), "3:3: a query in a path must be name=value pairs"),
        (get(template="/{x}"), "4:5: the path parameter x is not described"),
        (
            get("parameters: [{name: x, in: path, required: true, schema: {type: string}}]"),
            "4:5: the path parameter x does not stand",
        ),
        (post("{properties: {a: {type: strin}}}"), "9:39: "),
        (post("{$ref: 'https://example.org/x'}"), "9:22: "),
        (post(TO_A, a_is("{items: {pattern: '('}}")), "10:36: "),
    ],
)
def test_faults_stand_at_their_place(text: str, expected: str) -> None:
    """Each thing that is wrong or cannot be enforced is a fault with line and column."""
    found = faults(text)
    assert any(fault.startswith(expected) for fault in found), found


def test_all_faults_at_once_and_each_once() -> None:
    """A fault in a schema that is used twice is told once, together with all others, in order."""
    text = post(
        f"{{properties: {{a: {TO_A}, b: {TO_A}, c: {{minLength: y}}}}}}",
        "components: {schemas: {A: {minLength: x}}}",
    )
    assert [fault.partition(" ")[0] for fault in faults(text)] == ["9:113:", "10:28:"]


def test_circular_schemas() -> None:
    """A schema may refer to itself on the way down."""
    found = read(post(TO_A, a_is(f"{{properties: {{a: {TO_A}}}}}"))).description
    (key,) = found.definitions
    assert found.definitions[key] == {"properties": {"a": {"$ref": key}}}


if PUBLISHED.is_dir():  # it lies beside some checkouts; elsewhere there is nothing to read

    def published(name: str) -> Description:
        """Read a published document as it is."""
        path = PUBLISHED / name
        return describe(Sources(documents.read(path), path.parent), None).description

    @pytest.mark.parametrize(("name", "count"), [("openai-v1.yaml", 51), ("openai-v2.yaml", 288)])
    def test_published_documents(name: str, count: int) -> None:
        """Every operation is read, and every body has its media types."""
        found = published(name)
        assert len(found.operations) == count
        assert found.server_path == "/v1"
        assert all(one.content is None or one.content for one in found.operations)
        assert {kind.kind for one in found.operations for kind in (one.content or {}).values()} <= {
            "json",
            "multipart",
            "opaque",
        }
