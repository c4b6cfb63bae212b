"""OpenAPI 3.0 documents become operations; what cannot be enforced is a fault at its line and column."""

from __future__ import annotations

from textwrap import dedent, indent
from typing import TYPE_CHECKING, Any

import pytest

from gateway import documents
from gateway.contracts import read_contract
from gateway.errors import ConfigError

if TYPE_CHECKING:
    from gateway.core.types import Operation

HEAD = "openapi: 3.0.3\n"


def read(text: str, **options: Any) -> list[Operation]:
    """Read a contract from text."""
    document = documents.parse_document(dedent(text).encode(), "c.yaml")
    settings: dict[str, Any] = {"prefix": None, "upstream": "main", "operations": None, "max_bytes": 9}
    return read_contract("c", document, **(settings | options))


def faults(text: str, **options: Any) -> list[str]:
    """Give the faults of a contract, as ``line:column: message``."""
    with pytest.raises(ConfigError) as error:
        read(text, **options)
    return [str(fault).removeprefix("c.yaml:") for fault in error.value.faults]


def get(*rest: str, template: str = "/a") -> str:
    """Write a document with one operation; ``rest`` are YAML lines inside it, from line 6 on."""
    inner = indent("\n".join(rest), "      ")
    return f"{HEAD}paths:\n  {template}:\n    get:\n      operationId: one\n{inner}\n"


def post(schema: str, components: str = "") -> str:
    """Write a document with one body; its schema is on line 9."""
    body = f"requestBody:\n  content:\n    application/json:\n      schema: {schema}"
    return get(body) + components


TO_A = "{$ref: '#/components/schemas/A'}"


def query(rest: str) -> str:
    """Write a document with one query parameter, whose members from ``rest`` on begin at 6:41."""
    return get(f"parameters: [{{name: x, in: query, {rest}}}]")


def a_is(schema: str) -> str:
    """Write the components that TO_A refers to; the schema begins at 10:27."""
    return f"components: {{schemas: {{A: {schema}}}}}"


def test_a_whole_operation() -> None:
    """Everything that an operation has is read, references followed, in the document's order."""
    first, second = read(
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
    )
    assert (first.name, first.method, first.template) == ("two", "PUT", "/base/a/{id}/b/{n}")
    assert (first.contract, first.upstream, first.max_bytes) == ("c", "main", 9)
    assert [(one.name, one.kind) for one in first.path_parameters] == [("id", "string"), ("n", "integer")]
    assert first.query_parameters["q"].required
    assert first.query_parameters["q"].validator.fast("long")
    assert first.body is not None
    assert first.body.required
    assert not first.body.media_types["application/json"].fast(["long"])
    assert (second.name, second.method, second.body) == ("one", "GET", None)
    assert not second.query_parameters["q"].validator.fast("long")


@pytest.mark.parametrize(
    ("servers", "prefix", "template"),
    [
        ("", None, "/a"),
        ("servers: []\n", None, "/a"),
        ("servers: [{url: /}]\n", None, "/a"),
        ("servers: [{url: /v1/}, {url: /v2}]\n", None, "/v1/a"),
        ("servers: [{url: 'https://h:1/x/y?z'}]\n", None, "/x/y/a"),
        ("servers: [{url: /v1}]\n", "/v9", "/v9/a"),
        ("servers: [{url: /v1}]\n", "", "/a"),
        ("servers: [{url: 'https://{h}/v1'}]\n", "/v9/", "/v9/a"),
    ],
)
def test_the_prefix(servers: str, prefix: str | None, template: str) -> None:
    """The configured prefix wins, else the first server's path stands before every path."""
    (operation,) = read(get() + servers, prefix=prefix)
    assert operation.template == template


def test_only_what_is_wanted_is_read() -> None:
    """Faults of operations that were not asked for do not count; unknown ones are told with the known."""
    text = get() + "    post: {operationId: other, parameters: [{in: cookie, name: c}]}\n    put: {}\n"
    assert [one.name for one in read(text, operations=["one"])] == ["one"]
    assert faults(text, operations=["one", "nope"]) == [
        "2:1: there is no operation nope; the document's are one, other"
    ]
    assert len(faults(text)) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[]", "1:1: an OpenAPI document must be a mapping"),
        ("openapi: 3.1.0\npaths: {}", "1:1: OpenAPI 3.1 is not available yet"),
        ("swagger: '2.0'", "1:1: anything but OpenAPI 3.0 is not available yet"),
        ("openapi: 3.0", "1:1: anything but OpenAPI 3.0"),
        (HEAD + "paths: []", "2:1: paths must be a mapping"),
        (HEAD, "1:1: paths must be a mapping"),
        (HEAD + "paths: {/a: []}", "2:9: a path item must be a mapping"),
        (HEAD + "paths: {/a: {get: 1}}", "2:14: an operation must be a mapping"),
        (HEAD + "paths: {/a: {$ref: x}}", "2:14: a reference to a path item"),
        (HEAD + "paths: {/a: {get: {}}}", "2:14: an operation needs an operationId"),
        (get() + "    put: {operationId: one}", "7:11: operationId one stands twice"),
        (get() + "servers: [{url: 'https://{h}/'}]", "7:12: variables in a server's url"),
        (get() + "servers: [{}]", "7:11: a server needs a url"),
        (get() + "servers: 1", "7:1: a server needs a url"),
        (get("servers: []"), "6:7: servers of a single path"),
        (get(template="/a.{x}"), "3:3: a path is /-separated"),
        (get(template="/a//b"), "3:3: a path is /-separated"),
        (get(template="a"), "3:3: a path is /-separated"),
        (get(template="/{x}/{x}"), "3:3: a name stands twice in a path"),
        (get(template="/{x}"), "4:5: the path parameter x is not described"),
        (
            get("parameters: [{name: x, in: path, required: true, schema: {type: string}}]"),
            "4:5: the path parameter x does not stand",
        ),
        (get("parameters: {}"), "6:7: parameters must be a list"),
        (get("parameters: [1]"), "6:20: a parameter must be a mapping"),
        (get("parameters: [{in: query}]"), "6:20: a parameter needs a name"),
        (
            get("parameters: [{name: x, in: header, schema: {type: string}}]"),
            "6:30: a parameter in header is not available yet",
        ),
        (
            get("parameters: [{name: x, in: cookie, schema: {type: string}}]"),
            "6:30: a parameter in cookie is not available yet",
        ),
        (query("style: pipeDelimited, schema: {type: string}"), "6:41: the style pipeDelimited"),
        (query("allowReserved: true, schema: {type: string}"), "6:41: allowReserved is not"),
        (query("required: 1, schema: {type: string}"), "6:20: required must be"),
        (get("parameters: [{name: x, in: query}]"), "6:20: a schema is needed here"),
        (query("schema: {type: array}"), "6:41: a parameter's type must be one of"),
        (query("schema: true"), "6:41: a parameter's type must be one of"),
        (
            get("parameters:", *["  - {name: x, in: query, schema: {type: string}}"] * 2),
            "8:11: the parameter x stands twice",
        ),
        (
            get("parameters: [{$ref: '#/components/parameters/X'}]"),
            "6:21: there is no #/components/parameters/X",
        ),
        (get("parameters: [{$ref: 'other.yaml#/x'}]"), "6:21: only references to #/components/"),
        (
            get("requestBody: {$ref: '#/components/requestBodies/X'}"),
            "6:21: there is no #/components/requestBodies/X",
        ),
        (get("requestBody: []"), "6:7: a request body must be a mapping"),
        (
            get("requestBody: {required: 1, content: {application/json: {}}}"),
            "6:21: required must be true or false",
        ),
        (get("requestBody: {content: {text/plain: {}}}"), "6:31: text/plain is not available yet"),
        (get("requestBody: {content: {application/json: 1}}"), "6:31: a media type must be a mapping"),
        (post("{format: email}"), "9:22: the keyword format is not available yet"),
        (post("{properties: {a: {type: strin}}}"), "9:39: a type must be one or more of"),
        (post("{$ref: 'https://example.org/x'}"), "9:22: only references"),
        (post("{$ref: '#/components/schemas/A', maxLength: 1}"), "9:54: maxLength has no effect beside $ref"),
        (post(TO_A, a_is("{items: {format: x}}")), "10:36: the keyword format"),
        (post(TO_A, a_is("{items: {$ref: '#/components/schemas/A'}}")), "10:36: circular references"),
        (post(TO_A, a_is(TO_A)), "10:28: circular references"),
        (
            get("requestBody: {$ref: '#/components/requestBodies/X'}")
            + "components: {requestBodies: {X: {$ref: '#/components/requestBodies/X'}}}",
            "7:34: the reference leads back to itself",
        ),
    ],
)
def test_faults_stand_at_their_place(text: str, expected: str) -> None:
    """Each thing that is wrong or not enforced yet is a fault with line and column."""
    found = faults(text)
    assert any(fault.startswith(expected) for fault in found), found


def test_all_faults_at_once_and_each_once() -> None:
    """A fault in a schema that is used twice is told once, together with all others, in order."""
    use = TO_A
    text = post(
        f"{{properties: {{a: {use}, b: {use}, c: {{format: y}}}}}}", "components: {schemas: {A: {format: x}}}"
    )
    assert [fault.partition(" ")[0] for fault in faults(text)] == ["9:113:", "10:28:"]


def test_references_are_looked_for_only_where_schemas_stand() -> None:
    """A property may be called $ref, and an enumerated value may look like a reference."""
    (operation,) = read(post('{properties: {$ref: {type: string}}, enum: [{$ref: "x"}, {a: 1}]}'))
    assert operation.body is not None
    validator = operation.body.media_types["application/json"]
    assert validator.fast({"$ref": "x"})
    assert not validator.fast({"$ref": "y"})


def test_references_that_multiply_or_nest_without_end() -> None:
    """Schemas that refer to the next one twice, or nest for ever, are refused, not expanded."""
    for one, count in (("{{allOf: [{0}, {0}]}}", 30), ("{{items: {0}}}", 200)):
        lines = [
            f"    A{index}: " + one.format(f"{{$ref: '#/components/schemas/A{index + 1}'}}")
            for index in range(count)
        ]
        components = "\n".join(["components:", "  schemas:", *lines, f"    A{count}: {{type: string}}"])
        (fault,) = faults(post("{$ref: '#/components/schemas/A0'}", components))
        assert "too deep or too large" in fault


def test_what_is_left_open_is_told() -> None:
    """Strings and arrays without an end, and objects open to anything, are listed by name."""
    (operation,) = read(
        post(
            "{type: object, properties: {a: {type: string}, b: {type: array, items: {type: object}}, "
            "c: {oneOf: [{type: string}, {enum: [x]}]}, d: {}, f: false, e: {type: string, maxLength: 1}}, "
            "additionalProperties: {type: string}}"
        )
    )
    assert operation.weak == (
        "a: string without maxLength",
        "b: array without maxItems",
        "b[]: object with any additional property",
        "c: string without maxLength",
        "d: any type",
        "*: string without maxLength",
    )
    assert read(get("requestBody: {content: {application/json: {}}}"))[0].weak == ("the body: any value",)
