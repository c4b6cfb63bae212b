"""Descriptions kept on disk, so that a large document is read once and not at every start.

The folder is ``$GATEWAY_CACHE``, else ``message-gateway`` in ``$XDG_CACHE_HOME`` or ``~/.cache``; an empty
``GATEWAY_CACHE`` turns it off. An entry is named by the digest of everything that it was made from: the
document, its overlays, which operations are wanted, and this program. The files that the document refers to
are listed in it with their own digests. What is kept becomes code in this process, so only a file and a
folder are trusted that are this user's and that nobody else can write. Whatever is wrong with an entry, or
with the folder, is as if it were not there.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
import time
from dataclasses import fields
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from gateway import __version__
from gateway.contracts.described import (
    DescribedContent,
    DescribedOperation,
    DescribedParameter,
    Description,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KEPT: Final = 16
"""How many entries are kept, those that were used last."""
MAX_BYTES: Final = 256 << 20
"""How large an entry may be."""
_SETTLED: Final = 2.0
"""Seconds that a file must have been left alone for its digest to be that of what was read."""
_FORMAT: Final = 1
_SUFFIX: Final = ".contract"
_PACKAGE: Final = Path(__file__).resolve().parent.parent


class Kept(NamedTuple):
    """An entry: a description, and the files that its document refers to."""

    description: Description
    files: tuple[Path, ...]


class Cache:
    """The entries in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Cache | None:
        """Give the cache that an environment asks for; None for none."""
        if "GATEWAY_CACHE" in environ:
            folder = environ["GATEWAY_CACHE"]
            return cls(Path(folder).absolute()) if folder else None
        base = environ.get("XDG_CACHE_HOME", "")
        if not Path(base).is_absolute():  # such a one is to be ignored (XDG Base Directory Specification)
            home = environ.get("HOME", "")
            if not Path(home).is_absolute():
                return None
            base = f"{home}/.cache"
        return cls(Path(base, "message-gateway"))

    def get(self, key: str) -> Kept | None:
        """Give the entry of ``key``; None where there is none that can be trusted and is still true."""
        try:
            return _unpack(self._read(key))
        except (OSError, ValueError, TypeError, LookupError, RecursionError):
            return None

    def put(self, key: str, description: Description, files: Iterable[Path]) -> None:
        """Keep an entry; it is not kept where that cannot be done, or one of ``files`` just changed."""
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _ours(self._folder.stat()):
                return
            digests = {str(file): _digest(file) for file in files}
            if any(time.time() - Path(file).stat().st_mtime < _SETTLED for file in digests):
                return
            packed = json.dumps([description, digests], separators=(",", ":"), default=_members).encode()
            self._write(key, sha256(packed).digest() + packed)
            self._forget_oldest()

    def _read(self, key: str) -> bytes:
        if not _ours(self._folder.stat()):
            raise PermissionError
        file = os.open(self._folder / f"{key}{_SUFFIX}", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(file, "rb") as stream:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode) or not _ours(status) or status.st_size > MAX_BYTES:
                raise PermissionError
            content = stream.read()
            os.utime(file)
        if sha256(content[32:]).digest() != content[:32]:
            raise ValueError
        return content[32:]

    def _write(self, key: str, content: bytes) -> None:
        """Write an entry whole or not at all."""
        handle, name = tempfile.mkstemp(suffix=_SUFFIX, prefix=".", dir=self._folder)  # of mode 0600
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
            Path(name).rename(self._folder / f"{key}{_SUFFIX}")
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise

    def _forget_oldest(self) -> None:
        entries = [(entry.stat().st_mtime, entry) for entry in self._folder.glob(f"*{_SUFFIX}")]
        for _, entry in sorted(entries, reverse=True)[KEPT:]:
            entry.unlink(missing_ok=True)


def cache_key(document: bytes, overlays: Iterable[bytes], options: object) -> str:
    """Give the name of the entry for a document, its overlays and JSON ``options``, by this program."""
    digest = sha256(json.dumps([_FORMAT, __version__, _program(), options]).encode())
    for content in (document, *overlays):
        digest.update(sha256(content).digest())
    return digest.hexdigest()


def _program() -> list[tuple[str, int, int]]:
    """Say which files read documents, and when they last changed: other readers, other descriptions."""
    patterns = ("*.py", "core/**/*.py", "contracts/**/*.py")
    files = sorted(file for pattern in patterns for file in _PACKAGE.glob(pattern))
    stats = [(str(file.relative_to(_PACKAGE)), file.stat()) for file in files]
    return [(name, status.st_size, status.st_mtime_ns) for name, status in stats]


def _ours(status: os.stat_result) -> bool:
    """Tell whether only this user can have written it."""
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _digest(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()


def _members(value: Any) -> dict[str, Any]:
    """Give a described thing as a mapping."""
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _unpack(content: bytes) -> Kept | None:
    value, digests = json.loads(content)
    if any(_digest(Path(file)) != digest for file, digest in digests.items()):
        return None
    operations = tuple(map(_operation, value["operations"]))
    description = Description(value["server_path"], operations, value["definitions"])
    return Kept(description, tuple(map(Path, digests)))


def _operation(value: dict[str, Any]) -> DescribedOperation:
    content = value.pop("content")
    return DescribedOperation(
        query=tuple((name, fixed) for name, fixed in value.pop("query")),
        parameters=tuple(DescribedParameter(**one) for one in value.pop("parameters")),
        content=None if content is None else {name: _content(one) for name, one in content.items()},
        **value,
    )


def _content(value: dict[str, Any]) -> DescribedContent:
    encodings = {name: tuple(types) for name, types in value["encodings"].items()}
    return DescribedContent(value["kind"], value["schema"], encodings)
