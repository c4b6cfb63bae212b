"""Parameters: which styles may stand where, what defaults they have, and what is refused or warned of."""

from __future__ import annotations

import pytest

from tests.support.openapi_texts import HEAD, faults, get, query, read, warnings


@pytest.mark.parametrize(
    ("where", "rest", "style", "explode"),
    [
        ("query", "schema: {}", "form", True),
        ("query", "explode: false, schema: {}", "form", False),
        ("query", "style: form, schema: {type: array}", "form", True),
        ("query", "style: spaceDelimited, schema: {type: array}", "spaceDelimited", False),
        ("query", "style: pipeDelimited, explode: false, schema: {type: object}", "pipeDelimited", False),
        ("query", "style: deepObject, schema: {type: object}", "deepObject", True),
        ("query", "style: deepObject, explode: true, schema: {}", "deepObject", True),
        ("query", "content: {application/json: {schema: {type: integer}}}", "json", False),
        ("query", "content: {application/vnd.x+json: {}}", "json", False),
        ("header", "schema: {}", "simple", False),
        ("header", "explode: true, schema: {}", "simple", True),
        ("path", "required: true, schema: {}", "simple", False),
        ("path", "required: true, style: simple, explode: true, schema: {}", "simple", True),
    ],
)
def test_styles(where: str, rest: str, style: str, explode: bool) -> None:
    """Styles and explode as given, or as OpenAPI has them by default."""
    template = "/{x}" if where == "path" else "/a"
    text = get(f"parameters: [{{name: x, in: {where}, {rest}}}]", template=template)
    ((parameter,),) = (one.parameters for one in read(text).description.operations)
    assert (parameter.where, parameter.style, parameter.explode) == (where, style, explode)


def test_what_a_content_parameter_is_judged_by() -> None:
    """Its media type's schema, or nothing."""
    for content, schema in (("{schema: {type: integer}}", {"type": ["integer"]}), ("{}", True)):
        text = query(f"content: {{application/json: {content}}}")
        assert read(text).description.operations[0].parameters[0].schema == schema


def test_headers_that_openapi_ignores() -> None:
    """Accept, Content-Type and Authorization are described elsewhere; other headers' names become lower."""
    names = ("Accept", "content-type", "AUTHORIZATION", "X-Mine")
    listed = ", ".join(f"{{name: {name}, in: header, schema: {{}}}}" for name in names)
    (operation,) = read(get(f"parameters: [{listed}]")).description.operations
    assert [one.name for one in operation.parameters] == ["x-mine"]


def test_an_operation_s_own_parameter_wins() -> None:
    """By name and place; the same name in another place is another parameter."""
    text = (
        HEAD + "paths:\n  /a:\n    parameters:\n"
        "      - {name: x, in: query, schema: {type: string}}\n"
        "      - {name: X, in: header, schema: {type: string}}\n"
        "    get:\n      parameters:\n"
        "        - {name: x, in: header, schema: {type: integer}}\n"
    )
    (operation,) = read(text).description.operations
    found = [(one.where, one.name, one.schema) for one in operation.parameters]
    assert found == [("query", "x", {"type": ["string"]}), ("header", "x", {"type": ["integer"]})]


def test_shared_parameters_are_read_once() -> None:
    """What is wrong with one that several operations refer to is told once."""
    use = "[{$ref: '#/components/parameters/P'}]"
    text = (
        f"{HEAD}paths:\n  /a: {{get: {{parameters: {use}}}}}\n  /b: {{get: {{parameters: {use}}}}}\n"
        "components: {parameters: {P: {name: p, in: cookie, schema: {}}}}\n"
    )
    assert faults(text) == ["5:40: parameters in cookies cannot be enforced"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (query("allowEmptyValue: true, schema: {}"), "6:41: without effect: an empty value, too,"),
        (query("allowReserved: true, schema: {}"), "6:41: without effect: what is in doubt"),
        (query("style: form, content: {application/json: {}}"), "6:41: style has no effect beside content"),
        (query("explode: true, content: {application/json: {}}"), "6:41: explode has no effect beside"),
    ],
)
def test_warnings(text: str, expected: str) -> None:
    """What the document says without effect is told where it stands."""
    (warning,) = warnings(text)
    assert warning.startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (get("parameters: {}"), "6:7: parameters must be a list"),
        (get("parameters: [1]"), "6:20: a parameter must be a mapping"),
        (get("parameters: [{in: query}]"), "6:20: a parameter needs a name"),
        (get("parameters: [{name: x, schema: {}}]"), "6:20: a parameter needs a name and a place"),
        (get("parameters: [{name: x, in: cookie, schema: {}}]"), "6:30: parameters in cookies cannot be"),
        (get("parameters: [{name: x, in: body, schema: {}}]"), "6:30: a parameter's place (in) must be one"),
        (get("parameters: [{name: 'x y', in: header, schema: {}}]"), "6:21: this is no name of a header"),
        (query("schema: {}, shcema: {}"), "6:53: a parameter has no shcema"),
        (query("style: simple, schema: {}"), "6:41: the style of a parameter in query must be deepObject"),
        (query("style: 1, schema: {}"), "6:41: the style of a parameter in query must be"),
        (
            query("style: pipeDelimited, schema: {type: string}"),
            "6:41: the style pipeDelimited needs a schema",
        ),
        (query("style: deepObject, schema: {type: array}"), "6:41: the style deepObject needs a schema"),
        (query("style: deepObject, explode: false, schema: {}"), "6:60: deepObject without explode"),
        (query("style: spaceDelimited, explode: true, schema: {}"), "6:64: spaceDelimited with explode"),
        (query("explode: 1, schema: {}"), "6:41: explode must be true or false"),
        (query("required: 1, schema: {}"), "6:41: required must be true or false"),
        (query("deprecated: true"), "6:20: a parameter needs a schema, or content"),
        (query("schema: {}, content: {application/json: {}}"), "6:20: a parameter has either a schema or"),
        (query("content: {text/plain: {}}"), "6:41: the content of a parameter must be one JSON"),
        (query("content: {}"), "6:41: the content of a parameter must be one JSON"),
        (query("content: 1"), "6:41: content must be a mapping"),
        (query("content: {application/json: 1}"), "6:51: a media type must be a mapping"),
        (query("schema: {type: 7}"), "6:50: "),
        (
            get("parameters:", *["  - {name: x, in: query, schema: {type: string}}"] * 2),
            "8:11: the parameter x stands twice",
        ),
        (
            get(
                "parameters:",
                "  - {name: x, in: header, schema: {}}",
                "  - {name: X, in: header, schema: {}}",
            ),
            "8:11: the parameter x stands twice",
        ),
        (
            get("parameters: [{name: x, in: path, schema: {}}]", template="/{x}"),
            "6:20: a path parameter must",
        ),
        (
            get("parameters: [{name: x, in: path, required: true, style: label, schema: {}}]"),
            "6:56: the style of a parameter in path must be simple",
        ),
        (get("parameters: [{$ref: '#/components/parameters/X'}]"), "6:21: there is no #/components/parame"),
        (get("parameters: [{$ref: 'other.yaml#/x'}]"), "6:21: other.yaml: no other file can be"),
        (get("parameters: [{$ref: 1}]"), "6:21: a reference must be a string"),
    ],
)
def test_faults_stand_at_their_place(text: str, expected: str) -> None:
    """Each thing that is wrong or cannot be enforced is a fault with line and column."""
    found = faults(text)
    assert any(fault.startswith(expected) for fault in found), found
