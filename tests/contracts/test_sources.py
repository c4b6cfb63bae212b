"""References lead to places in the document and in files below its folder, and nowhere else."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import pytest

from gateway import documents
from gateway.contracts.sources import Place, ReferenceFault, Sources

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give the folder of a root document, with files beside and outside it."""
    inside = tmp_path / "contract"
    (inside / "common").mkdir(parents=True)
    (inside / "common" / "ids.yaml").write_text("id: {type: string}\nfar: {$ref: '../c.yaml#/list/1'}\n")
    (inside / "common" / "a b%.json").write_text('{"x": {"$ref": "ids.yaml#/id"}}')
    (inside / "broken.yaml").write_text("a: [\n")
    (tmp_path / "secret.yaml").write_text("a: 1\n")
    (inside / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    (inside / "inner.yaml").symlink_to(inside / "common" / "ids.yaml")
    (inside / "circle.yaml").symlink_to(inside / "circle.yaml")
    os.mkfifo(inside / "pipe.yaml")
    return inside


def sources(reference: Any, folder: Path | None) -> Sources:
    """Give the sources of a document that has a reference at ``/here``; it stands in line 3."""
    text = f"list: [zero, {{one: 1}}]\na/b~c: {{'': 5}}\nhere: {{$ref: {reference}}}\n"
    return Sources(documents.parse_document(text, "contracts/c.yaml"), folder)


@pytest.mark.parametrize(
    ("reference", "place"),
    [
        ("'#/list/1/one'", Place("", ("list", 1, "one"))),
        ("'#/a~1b~0c/'", Place("", ("a/b~c", ""))),
        ("'#/a%7E1b~0c'", Place("", ("a/b~c",))),
        ("'#/list'", Place("", ("list",))),
        ("'common/ids.yaml#/id'", Place("common/ids.yaml", ("id",))),
        ("'./common/../common/ids.yaml'", Place("common/ids.yaml", ())),
        ("'common/a%20b%25.json#/x'", Place("common/ids.yaml", ("id",))),
        ("'common/ids.yaml#/far'", Place("", ("list", 1))),
        ("'inner.yaml#/id'", Place("inner.yaml", ("id",))),
        ("'c.yaml#/list/0'", Place("", ("list", 0))),
    ],
)
def test_where_references_lead(folder: Path, reference: str, place: Place) -> None:
    """Pointers are decoded, paths are relative to the file they stand in, the root is one of the files."""
    assert sources(reference, folder).follow(Place("", ("here",))) == place


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("'#/nothing'", "there is no #/nothing in contracts/c.yaml"),
        ("'#/list/2'", "there is no #/list/2 in contracts/c.yaml"),
        ("'#/list/01'", "there is no #/list/01 in contracts/c.yaml"),
        ("'#/list/-1'", "there is no #/list/-1 in contracts/c.yaml"),
        ("'#/list/0/0'", "there is no #/list/0/0 in contracts/c.yaml"),
        ("'#/a~2b'", "#/a~2b is no JSON Pointer: ~ must be ~0 or ~1"),
        ("'#list'", "#list is no JSON Pointer, and no schema has it as its anchor"),
        ("'#/%ff'", "/%ff is not UTF-8 once it is decoded"),
        ("'#/here'", "the reference leads back to itself"),
        ("5", "a reference must be a string"),
        (
            "'http://example.org/a.yaml'",
            "http: is not followed; only files below the document's folder can be referred to",
        ),
        ("'HTTPS://example.org/'", "HTTPS: is not followed; only files below the document's folder can be"),
        ("'file:///etc/passwd'", "file: is not followed; only files below the document's folder can be"),
        ("'C:/windows'", "C: is not followed; only files below the document's folder can be referred to"),
        ("'/etc/passwd'", "/etc/passwd is no path relative to the file that it stands in"),
        ("'//example.org/a'", "//example.org/a is no path relative to the file that it stands in"),
        ("'a.yaml?x=1'", "a.yaml?x=1 is no path relative to the file that it stands in"),
        ("'../secret.yaml#/a'", "../secret.yaml is not below the document's folder"),
        ("'%2E%2E/secret.yaml'", "../secret.yaml is not below the document's folder"),
        ("'common/../../secret.yaml'", "../secret.yaml is not below the document's folder"),
        ("'..'", ".. is not below the document's folder"),
        ("'%2Fetc/passwd'", "/etc/passwd is not below the document's folder"),
        ("'link.yaml#/a'", "link.yaml leads out of the document's folder"),
        ("'circle.yaml'", "there is no file circle.yaml below the document's folder"),
        ("'missing.yaml'", "there is no file missing.yaml below the document's folder"),
        ("'a%00b'", "there is no file a\0b below the document's folder"),
        ("common", "common is no file"),
        ("pipe.yaml", "pipe.yaml is no file"),
        ("'%ff.yaml'", "%ff.yaml is not UTF-8 once it is decoded"),
    ],
)
def test_what_is_not_followed(folder: Path, reference: str, message: str) -> None:
    """Each is refused at the place of the reference, before anything outside the folder is opened."""
    found = sources(reference, folder)
    with pytest.raises(ReferenceFault, match=f"^{re.escape(message)}") as fault:
        found.follow(Place("", ("here",)))
    assert fault.value.place == Place("", ("here", "$ref"))
    told = found.fault(fault.value.place, fault.value.message)
    assert str(told).startswith(f"contracts/c.yaml:3:8: {message}")
    assert found.files == ()


def test_a_file_with_faults(folder: Path) -> None:
    """The fault says what is wrong with the file and where."""
    with pytest.raises(ReferenceFault, match=r"^broken\.yaml cannot be used: contracts/broken\.yaml:2:1: "):
        sources("broken.yaml", folder).follow(Place("", ("here",)))


def test_without_a_folder_no_file_is_read() -> None:
    """A document that lies nowhere can refer to itself alone."""
    with pytest.raises(ReferenceFault, match=r"^x\.yaml: no other file can be referred to from here$"):
        sources("x.yaml", None).follow(Place("", ("here",)))


def test_values_and_faults_of_files(folder: Path) -> None:
    """Places in files that were read have values and positions; the files are told, each once."""
    found = sources("common/ids.yaml#/id", folder)
    assert found.root == Place("", ())
    place = found.follow(Place("", ("here",)))
    assert found.follow(Place("", ("here",))) == place
    assert found.follow(place) == place
    assert found.value(place) == {"type": "string"}
    assert str(found.fault(place, "so")) == "contracts/common/ids.yaml:1:1: so"
    assert str(found.fault(Place("", ("list", 1)), "so")) == "contracts/c.yaml:1:14: so"
    assert found.files == (folder.resolve() / "common" / "ids.yaml",)


@pytest.mark.parametrize("path", [("list", "x"), ("list", 9), ("x",), ("list", 0, "x"), ("here", 0)])
def test_there_is_no_such_value(path: tuple[str | int, ...]) -> None:
    """Asking for what does not stand there is a LookupError, whatever the path is like."""
    with pytest.raises(LookupError):
        sources("a", None).value(Place("", path))


def test_documents_at_hand() -> None:
    """A known document is at its URI; only schemas can refer to it."""
    root = documents.parse_document("{}", "c.yaml")
    other = documents.parse_document("a: 1", "other")
    found = Sources(root, None, known={"urn:x": other})
    assert found.known == {"urn:x"}
    assert found.value(Place("urn:x", ("a",))) == 1
