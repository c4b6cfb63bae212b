"""The cache gives back what was put there, and nothing that anybody else could have written."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from gateway.contracts import cache as module
from gateway.contracts.cache import KEPT, Cache, cache_key
from gateway.contracts.described import (
    DescribedContent,
    DescribedOperation,
    DescribedParameter,
    Description,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY = "k"
DESCRIPTION = Description(
    "/v1",
    (
        DescribedOperation(
            "one",
            "POST",
            "/a/{id}",
            (("beta", "true"),),
            (
                DescribedParameter(
                    "id", "path", "simple", explode=False, required=True, schema={"maximum": 2.5}
                ),
            ),
            body_required=True,
            content={"multipart/form-data": DescribedContent("multipart", {"$ref": "#/D"}, {"f": ("a/b",)})},
        ),
        DescribedOperation("two", "GET", "/ä"),
    ),
    {"#/D": {"enum": [None, True, "\ud800"]}, "#/E": False},
)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """Give a cache whose folder is not there yet."""
    return Cache(tmp_path / "above" / "cache")


def entry(tmp_path: Path) -> Path:
    """Give the one entry's file."""
    (file,) = (tmp_path / "above" / "cache").iterdir()
    return file


def old(tmp_path: Path, name: str, text: str) -> Path:
    """Write a file that was left alone for long."""
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    os.utime(file, (1, 1))
    return file


def test_what_is_put_comes_back(cache: Cache, tmp_path: Path) -> None:
    """Equal in every part, with the files that belong to it; readable by nobody else."""
    assert cache.get(KEY) is None
    file = old(tmp_path, "part.yaml", "x")
    cache.put(KEY, DESCRIPTION, [file])
    assert cache.get(KEY) == (DESCRIPTION, (file,))
    assert cache.get("other") is None
    assert entry(tmp_path).stat().st_mode & 0o777 == 0o600
    assert entry(tmp_path).parent.stat().st_mode & 0o777 == 0o700


def test_a_file_that_it_was_made_from_changed(cache: Cache, tmp_path: Path) -> None:
    """Changed or gone, the entry is none any more."""
    file = old(tmp_path, "part.yaml", "x")
    cache.put(KEY, DESCRIPTION, [file])
    file.write_text("y", encoding="utf-8")
    assert cache.get(KEY) is None
    file.write_text("x", encoding="utf-8")
    assert cache.get(KEY) is not None
    file.unlink()
    assert cache.get(KEY) is None


def test_a_file_that_just_changed(cache: Cache, tmp_path: Path) -> None:
    """It may have been another one when it was read, so nothing is kept; nor when it is gone."""
    file = tmp_path / "part.yaml"
    file.write_text("x", encoding="utf-8")
    cache.put(KEY, DESCRIPTION, [file])
    cache.put(KEY, DESCRIPTION, [tmp_path / "missing"])
    assert cache.get(KEY) is None


def _truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)


def _another_shape(file: Path) -> None:
    content = b'[{"server_path": "", "operations": [{}], "definitions": {}}, {}]'
    file.write_bytes(sha256(content).digest() + content)


def _deep(file: Path) -> None:
    content = b"[" * 100_000
    file.write_bytes(sha256(content).digest() + content)


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _writable(file: Path) -> None:
    file.chmod(0o620)


def _folder_writable(file: Path) -> None:
    file.parent.chmod(0o777)


def _link(file: Path) -> None:
    file.rename(file.parent.parent / "elsewhere")
    file.symlink_to(file.parent.parent / "elsewhere")


def _pipe(file: Path) -> None:
    file.unlink()
    file.mkdir(mode=0o700)


@pytest.mark.parametrize(
    "spoil",
    [_truncate, _flip, _another_shape, _deep, _empty, _writable, _folder_writable, _link, _pipe],
)
def test_spoiled_entries_are_none(cache: Cache, tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    """Whatever is wrong with an entry, it is as if it were not there."""
    cache.put(KEY, DESCRIPTION, [])
    assert cache.get(KEY) is not None
    spoil(entry(tmp_path))
    assert cache.get(KEY) is None


def test_another_user_s_entry_is_none(cache: Cache, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is read from, nor written to, what belongs to somebody else."""
    cache.put(KEY, DESCRIPTION, [])
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert cache.get(KEY) is None
    entry(tmp_path).unlink()
    cache.put(KEY, DESCRIPTION, [])
    assert not list((tmp_path / "above" / "cache").iterdir())


def test_too_large(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry that nobody would have written is not read."""
    cache.put(KEY, DESCRIPTION, [])
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    assert cache.get(KEY) is None


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """Without a place to write, everything goes on without a cache."""
    (tmp_path / "file").touch()
    cache = Cache(tmp_path / "file" / "cache")
    cache.put(KEY, DESCRIPTION, [])
    assert cache.get(KEY) is None


def test_what_cannot_be_written_leaves_nothing(cache: Cache, tmp_path: Path) -> None:
    """An entry is there whole or not at all."""
    cache.put(KEY, DESCRIPTION, [])
    entry(tmp_path).rename(tmp_path / "kept")
    (tmp_path / "above" / "cache" / f"{KEY}.contract").mkdir()
    cache.put(KEY, DESCRIPTION, [])
    assert entry(tmp_path).is_dir()


def test_the_oldest_are_forgotten(cache: Cache, tmp_path: Path) -> None:
    """Those used last are kept, and what is none of its own is left alone."""
    folder = tmp_path / "above" / "cache"
    folder.mkdir(parents=True, mode=0o700)
    (folder / "mine.txt").touch()
    for number in range(KEPT):
        cache.put(str(number), DESCRIPTION, [])
        os.utime(folder / f"{number}.contract", (number, number))
    assert cache.get("0") is not None  # used, so the oldest is now the second
    cache.put("new", DESCRIPTION, [])
    names = {file.name for file in folder.iterdir()}
    assert names == {"mine.txt", "new.contract", *(f"{n}.contract" for n in range(KEPT) if n != 1)}


def test_where_it_is(tmp_path: Path) -> None:
    """GATEWAY_CACHE, else XDG's folder, else ~/.cache; empty or without a home: nowhere."""
    folders = {
        tmp_path / "a": {"GATEWAY_CACHE": str(tmp_path / "a"), "XDG_CACHE_HOME": "/x", "HOME": "/h"},
        tmp_path / "b" / "message-gateway": {"XDG_CACHE_HOME": str(tmp_path / "b"), "HOME": "/h"},
        tmp_path / "c" / ".cache" / "message-gateway": {"HOME": str(tmp_path / "c"), "XDG_CACHE_HOME": "x"},
    }
    for folder, environ in folders.items():
        cache = Cache.of(environ)
        assert cache is not None
        cache.put(KEY, DESCRIPTION, [])
        assert [file.name for file in folder.iterdir()] == [f"{KEY}.contract"]
    for environ in ({}, {"GATEWAY_CACHE": "", "HOME": str(tmp_path)}, {"HOME": "h"}):
        assert Cache.of(environ) is None


def test_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that a description depends on changes the key."""
    keys = {
        cache_key(b"d", [], [None, False]),
        cache_key(b"e", [], [None, False]),
        cache_key(b"d", [b"o"], [None, False]),
        cache_key(b"d", [b"o", b"p"], [None, False]),
        cache_key(b"d", [b"op"], [None, False]),
        cache_key(b"d", [], [["a"], False]),
        cache_key(b"d", [], [None, True]),
    }
    assert len(keys) == 7
    assert cache_key(b"d", [], [None, False]) in keys
    monkeypatch.setattr(module, "__version__", "another")
    assert cache_key(b"d", [], [None, False]) not in keys


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("documents.py", True),
        ("contracts/openapi.py", True),
        ("contracts/schemas/reader.py", True),
        ("core/schema/pattern.py", True),
        ("core/texts/new.py", True),
        ("listener/exchange.py", False),
    ],
)
def test_other_readers_make_other_descriptions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: str, counts: bool
) -> None:
    """A change of any module that reads documents, however deep its package, changes the key."""
    for folder in ("contracts/schemas", "core/schema", "core/texts", "listener"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setattr(module, "_PACKAGE", tmp_path)
    before = cache_key(b"d", [], [])
    (tmp_path / file).write_text("pass")
    assert (cache_key(b"d", [], []) != before) is counts
