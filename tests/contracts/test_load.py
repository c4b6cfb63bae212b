"""Files become a description: overlays applied, warnings told with their places, or all from the cache."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from gateway.contracts.cache import Cache
from gateway.contracts.load import File, load_cached_contract, load_contract
from gateway.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.documents import Document
    from gateway.errors import Fault

DOCUMENT = """\
openapi: 3.0.3
paths:
  /a?b=c:
    post:
      operationId: one
      requestBody: {content: {application/json: {schema: {$ref: "part.yaml#/S"}}}}
"""
OVERLAY = """\
overlay: 1.0.0
info: {title: t, version: "1"}
actions:
  - target: $.paths.*.post
    update: {operationId: mended}
  - target: $.nowhere
    remove: true
"""


def write(folder: Path, name: str, text: str) -> File:
    """Write a file, long ago."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    os.utime(path, (1, 1))
    return File(path, text.encode())


@pytest.fixture
def document(tmp_path: Path) -> File:
    write(tmp_path, "part.yaml", "S: {type: string}\n")
    return write(tmp_path, "c.yaml", DOCUMENT)


def test_without_overlays(document: File, tmp_path: Path) -> None:
    """The description, all files, and a warning with its place."""
    loaded = load_contract(document, (), None, prefixed=False)
    assert [one.name for one in loaded.description.operations] == ["one"]
    assert loaded.files == (tmp_path / "c.yaml", tmp_path / "part.yaml")
    assert [(one.file, one.line, one.column) for one in loaded.warnings] == [(f"{tmp_path}/c.yaml", 3, 3)]


def test_with_overlays_and_an_inspector(document: File, tmp_path: Path) -> None:
    """Overlays change the document; their own warnings and the inspector's are told, too."""
    overlay = write(tmp_path, "o.yaml", OVERLAY)
    seen: list[Path | None] = []

    def inspect(document: Document, folder: Path | None) -> list[Fault]:
        seen.append(folder)
        assert document.value["paths"]["/a?b=c"]["post"]["operationId"] == "mended"
        return [document.fault(("paths", "/a?b=c", "post", "operationId"), "inspected")]

    loaded = load_contract(document, (overlay,), ["mended"], prefixed=False, inspect=inspect)
    assert [one.name for one in loaded.description.operations] == ["mended"]
    assert loaded.files == (tmp_path / "c.yaml", tmp_path / "o.yaml", tmp_path / "part.yaml")
    places = [str(one).removeprefix(f"{tmp_path}/").split(" ")[0] for one in loaded.warnings]
    assert places[0] == "c.yaml:3:3:"
    assert all(place.startswith("o.yaml:") for place in places[1:])
    assert len(places) == 3
    assert seen == [tmp_path]


def test_faults_of_all_files_at_once(document: File, tmp_path: Path) -> None:
    """The document's and an overlay's syntax are told together."""
    bad = write(tmp_path, "o.yaml", "a: 1\na: 2\n")
    with pytest.raises(ConfigError) as caught:
        load_contract(File(document.path, b"b: ["), (bad,), None, prefixed=False)
    assert [fault.file.rpartition("/")[2] for fault in caught.value.faults] == ["c.yaml", "o.yaml"]


def test_from_the_cache(document: File, tmp_path: Path) -> None:
    """The second time nothing is parsed, and all is the same; without warnings in either case."""
    cache = Cache(tmp_path / "cache")
    plain = load_contract(document, (), None, prefixed=False)
    first = load_cached_contract(document, (), None, cache, prefixed=False)
    second = load_cached_contract(document, (), None, cache, prefixed=False)
    assert first == second == plain._replace(warnings=())
    (entry,) = (tmp_path / "cache").iterdir()
    document.path.unlink()  # what is kept does not need it
    assert load_cached_contract(document, (), None, cache, prefixed=False) == first
    entry.unlink()


def test_the_digest_covers_all_bytes(document: File, tmp_path: Path) -> None:
    """Of the document, of overlays, and of what it refers to."""
    overlay = write(tmp_path, "o.yaml", OVERLAY)
    digests = {
        load_contract(document, (), None, prefixed=False).digest,
        load_contract(document, (overlay,), None, prefixed=False).digest,
        load_contract(File(document.path, document.content + b"#"), (), None, prefixed=False).digest,
    }
    write(tmp_path, "part.yaml", "S: {type: string, maxLength: 3}\n")
    digests.add(load_contract(document, (), None, prefixed=False).digest)
    assert len(digests) == 4


def test_faults_have_places_with_a_cache_too(document: File, tmp_path: Path) -> None:
    """What is quick for a good document does not make the faults of a bad one vague; nothing is kept."""
    bad = File(document.path, DOCUMENT.replace("application/json", "application").encode())
    with pytest.raises(ConfigError) as plain:
        load_contract(bad, (), None, prefixed=False)
    with pytest.raises(ConfigError) as quick:
        load_cached_contract(bad, (), None, Cache(tmp_path / "cache"), prefixed=False)
    assert plain.value.faults == quick.value.faults
    assert plain.value.faults[0].line == 6
    assert not (tmp_path / "cache").exists()
