"""Request bodies: how each media type is read, the parts of forms, and what is refused or warned of."""

from __future__ import annotations

import pytest

from gateway.contracts.media_types import essence, media_type_kind
from tests.support.openapi_texts import faults, get, read, warnings


def body(content: str) -> str:
    """Write a document with one request body; ``content`` begins at 6:30."""
    return get(f"requestBody: {{content: {{{content}}}}}")


@pytest.mark.parametrize(
    ("media_type", "name", "kind"),
    [
        ("application/json", "application/json", "json"),
        ("Application/JSON", "application/json", "json"),
        ("application/json; charset=utf-8", "application/json", "json"),
        ('application/json;charset="UTF-8"', "application/json", "json"),
        ("application/vnd.api+json", "application/vnd.api+json", "json"),
        ("multipart/form-data", "multipart/form-data", "multipart"),
        ("application/x-www-form-urlencoded", "application/x-www-form-urlencoded", "form"),
        ("multipart/mixed", "multipart/mixed", "opaque"),
        ("application/octet-stream", "application/octet-stream", "opaque"),
        ("text/*", "text/*", "opaque"),
        ("*/*", "*/*", "opaque"),
        ("application/*", "application/*", "opaque"),
        ("application/json; profile=x", None, "opaque"),
        ("*/json", None, "opaque"),
        ("application/*+json", None, "opaque"),
        ("json", None, "opaque"),
        ("te*t/*", None, "opaque"),
        (f"text/{'x' * 128}", None, "opaque"),
        ("", None, "opaque"),
    ],
)
def test_media_types(media_type: str, name: str | None, kind: str) -> None:
    """Names are compared in lower case, and only a charset of UTF-8 may follow; ranges are opaque."""
    assert essence(media_type) == name
    assert media_type_kind(media_type) == kind


def test_several_media_types() -> None:
    """Each media type has its own schema, or any value where none is given."""
    text = body(
        "application/json: {schema: {type: array}}, text/plain: {schema: {type: string}}, image/*: {}, "
        "multipart/form-data: {schema: {type: object}, encoding: {f: {contentType: 'Image/PNG, text/*'}}}, "
        "application/x-www-form-urlencoded: {encoding: {f: {style: form, explode: true}}}"
    )
    (operation,) = read(text).description.operations
    content = operation.content
    assert content is not None
    assert not operation.body_required
    assert {name: (one.kind, one.schema, one.encodings) for name, one in content.items()} == {
        "application/json": ("json", {"type": ["array"]}, {}),
        "text/plain": ("opaque", {"type": ["string"]}, {}),
        "image/*": ("opaque", True, {}),
        "multipart/form-data": ("multipart", {"type": ["object"]}, {"f": ("image/png", "text/*")}),
        "application/x-www-form-urlencoded": ("form", True, {}),
    }


@pytest.mark.parametrize("method", ["get", "head", "delete", "options"])
def test_bodies_where_none_is_usual(method: str) -> None:
    """A body is taken by every method that describes one."""
    text = body("application/json: {}").replace("get:", f"{method}:")
    assert read(text).description.operations[0].content


def test_encoding_without_effect() -> None:
    """It is for forms."""
    text = body("application/json: {encoding: {}}")
    assert warnings(text) == ["6:50: encoding has no effect: it is for forms alone"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (get("requestBody: {$ref: '#/components/requestBodies/X'}"), "6:21: there is no #/components/req"),
        (
            get("requestBody: {$ref: '#/components/requestBodies/X'}")
            + "components: {requestBodies: {X: {$ref: '#/components/requestBodies/X'}}}",
            "7:34: the reference leads back to itself",
        ),
        (get("requestBody: []"), "6:7: a request body must be a mapping"),
        (get("requestBody: {}"), "6:7: a request body needs at least one media type"),
        (get("requestBody: {content: {}}"), "6:7: a request body needs at least one media type"),
        (get("requestBody: {content: 1}"), "6:21: the content of a request body must be a mapping"),
        (get("requestBody: {required: 1, content: {application/json: {}}}"), "6:21: required must be true"),
        (
            get("requestBody: {content: {application/json: {}}, requierd: true}"),
            "6:54: a request body has no",
        ),
        (body("text: {}"), "6:31: this is no media type"),
        (body("text/plain;x=y: {}"), "6:31: this is no media type, or has parameters"),
        (body("text/plain: {}, Text/Plain: {}"), "6:47: the media type text/plain stands twice"),
        (body("application/json: 1"), "6:31: a media type must be a mapping"),
        (body("application/json: {shema: {}}"), "6:50: a media type has no shema"),
        (body("application/xml: {schema: {type: object}}"), "6:31: a body of this media type can only be"),
        (body("multipart/form-data: {schema: {type: string}}"), "6:31: a form is judged as an object"),
        (body("multipart/form-data: {encoding: 1}"), "6:53: encoding must be a mapping"),
        (body("multipart/form-data: {encoding: {f: 1}}"), "6:64: an encoding must be a mapping"),
        (body("multipart/form-data: {encoding: {f: {type: a/b}}}"), "6:68: an encoding has no type"),
        (body("multipart/form-data: {encoding: {f: {contentType: a}}}"), "6:68: contentType must be media"),
        (body("multipart/form-data: {encoding: {f: {contentType: 1}}}"), "6:68: contentType must be media"),
        (body("multipart/form-data: {encoding: {f: {style: deepObject}}}"), "6:68: only style: form can be"),
        (body("multipart/form-data: {encoding: {f: {explode: false}}}"), "6:68: only explode: true can be"),
        (
            body("multipart/form-data: {encoding: {f: {headers: {Content-Type: {}, X-Y: {}}}}}"),
            "6:96: headers of a form's parts cannot be enforced",
        ),
        (body("multipart/form-data: {encoding: {f: {headers: 1}}}"), "6:68: headers must be a mapping"),
    ],
)
def test_faults_stand_at_their_place(text: str, expected: str) -> None:
    """Each thing that is wrong or cannot be enforced is a fault with line and column."""
    found = faults(text)
    assert any(fault.startswith(expected) for fault in found), found
