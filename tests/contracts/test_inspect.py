"""openapi-spec-validator's findings become warnings with places, without network and beyond no folder."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gateway import documents
from gateway.contracts import inspect as module
from gateway.contracts import pack_files
from gateway.contracts.inspect import inspect

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = "openapi: 3.1.0\ninfo: {title: t, version: '1'}\n"


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Refuse every connection."""

    def refuse(*_: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return


def findings(text: str, folder: Path | None = None) -> list[str]:
    """Inspect a document; give what is found as ``line:column: message``."""
    document = documents.parse_document(text, "c.yaml")
    return [str(one).removeprefix("c.yaml:") for one in inspect(document, folder)]


def schemas(text: str, head: str = HEAD) -> str:
    """Write a document with schemas only; they begin at 4:13."""
    return f"{head}paths: {{}}\ncomponents: {{schemas: {{A: {text}}}}}\n"


@pytest.mark.parametrize("name", sorted(pack_files()))
def test_packs_are_clean(name: str) -> None:
    """Nothing is found in the contracts that ship."""
    path = pack_files()[name]
    assert inspect(documents.read(path), path.parent) == []


@pytest.mark.parametrize("text", ["[]", "openapi: 3.2.0", "{}", "swagger: '2.0'"])
def test_what_is_no_document_of_ours(text: str) -> None:
    """The reader refuses these; there is nothing to add."""
    assert findings(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{HEAD}paths: {{/a: {{get: {{responses: {{}}, deprecated: 1}}}}}}", "3:35: "),
        (schemas("{type: strin}"), "4:28: openapi-spec-validator: "),
        (schemas("{properties: {x: {required: [a, a]}}}"), "4:45: "),
        (
            schemas("{type: object, default: []}"),
            "4:42: openapi-spec-validator: the default is not valid under its own schema: [] is not",
        ),
        (schemas("{type: string, default: 1}", HEAD.replace("3.1.0", "3.0.3")), "4:42: "),
        (schemas("{allOf: [{}], required: [b]}"), "4:24: openapi-spec-validator: Required list has"),
        (HEAD, "1:1: openapi-spec-validator: "),
        (
            schemas("{properties: {x: {propertyNames: {}}}}", HEAD.replace("3.1.0", "3.0.3")),
            "4:41: openapi-spec-validator: Additional properties are not allowed ('propertyNames' was",
        ),
    ],
)
def test_findings_have_places(text: str, expected: str) -> None:
    """Wrong objects, wrong schemas and wrong defaults are told where they stand."""
    assert any(found.startswith(expected) for found in findings(text)), findings(text)


def test_references_to_files(tmp_path: Path) -> None:
    """Files below the folder are read."""
    (tmp_path / "part.yaml").write_text("S: {type: string}\n", encoding="utf-8")
    (found,) = findings(schemas("{allOf: [{$ref: 'part.yaml#/S'}], default: 1}"), tmp_path)
    assert found.startswith(
        "4:61: openapi-spec-validator: the default is not valid under its own schema: 1 is"
    )


@pytest.mark.parametrize(
    "reference",
    ["http://127.0.0.1/x", "ftp://127.0.0.1/x", "file:///etc/hosts", "../x.yaml", "gone.yaml", "bad.yaml"],
)
@pytest.mark.parametrize("inside", [True, False])
def test_references_that_are_not_followed(tmp_path: Path, reference: str, inside: bool) -> None:
    """Neither the network nor a file elsewhere is read: the library's checks end there, and say so."""
    (tmp_path / "x.yaml").write_text("{}", encoding="utf-8")
    folder = tmp_path / "below"
    folder.mkdir()
    (folder / "bad.yaml").write_text("[", encoding="utf-8")
    (found,) = findings(schemas(f"{{$ref: '{reference}', default: 1}}"), folder if inside else None)
    assert found.startswith("1:1: openapi-spec-validator could not look further: ")


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long findings are cut, and of many only some are told."""
    (found,) = findings(schemas(f"{{type: object, default: {'x' * 1000}}}"))
    assert len(found) < 300
    monkeypatch.setattr(module, "MAX_FINDINGS", 2)
    text = ", ".join(f"S{n}: {{type: strin}}" for n in range(5))
    assert [one.partition(" ")[2] for one in findings(schemas(f"{{}}, {text}"))][2:] == [
        "there is more; only this much is told"
    ]


def test_what_the_mapping_says() -> None:
    """It claims every scheme, so that the library has no reason to look for another reader."""
    files = module._Files(None)
    assert list(files) == ["file"]
    assert len(files) == 1
    assert "gopher" in files
    with pytest.raises(LookupError):
        files["gopher"](Path("/").as_uri())
