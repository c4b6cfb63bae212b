"""The documents that a contract is read from: the root, and the files below its folder that it refers to.

A reference is a URI reference (RFC 3986) to another place: in the same file (``#/components/x``) or in a file
below the root document's folder (``common/ids.yaml#/id``), its path relative to the file it stands in and
percent-encoded, its fragment a JSON Pointer (RFC 6901 section 6). Nothing else is ever opened: no ``http:``
nor ``file:``, no absolute path, no ``..`` nor symbolic link that leads out of the folder.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol
from urllib.parse import unquote

from gateway import documents
from gateway.core.pointers import unescaped
from gateway.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from gateway.errors import Fault

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_INDEX: Final = re.compile(r"0|[1-9][0-9]*")
_BAD_ESCAPE: Final = re.compile(r"~(?![01])")


class Place(NamedTuple):
    """Where a value stands: keys and indices from the root of a file.

    ``file`` is empty for the root document, else the path relative to its folder.
    """

    file: str
    path: tuple[str | int, ...]


class ReferenceFault(Exception):
    """A reference that cannot be followed; ``place`` is where it stands."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place
        self.message = message


class SourceDocument(Protocol):
    """What is needed of a document: :class:`gateway.documents.Document` is one."""

    @property
    def file(self) -> str:
        """What faults call it."""

    @property
    def value(self) -> Any:
        """Its plain value."""

    def fault(self, path: Sequence[str | int], message: str) -> Fault:
        """Give a fault at a path of it."""


class Sources:
    """A root document and the files that were read for references so far.

    ``folder`` is where the root document lies; None allows no references to files. ``known`` are documents
    that are at hand, by their absolute URI; a place in one has that URI as its ``file``.
    """

    def __init__(
        self, root: SourceDocument, folder: Path | None, *, known: Mapping[str, SourceDocument] | None = None
    ) -> None:
        self.known = frozenset(known or ())
        """The URIs of documents that are at hand."""
        self._documents: dict[str, SourceDocument] = {"": root, **(known or {})}
        self._folder = folder
        self._files: list[Path] = []

    @property
    def root(self) -> Place:
        """The root document's own place."""
        return Place("", ())

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that were read because something refers to them."""
        return tuple(self._files)

    def value(self, place: Place) -> Any:
        """Give what stands at ``place``. Raises LookupError where nothing does."""
        value = self._documents[place.file].value
        for step in place.path:
            value = _member(value, step)
        return value

    def fault(self, place: Place, message: str) -> Fault:
        """Give a fault at ``place``, or its nearest ancestor where nothing stands there."""
        return self._documents[place.file].fault(place.path, message)

    def follow(self, place: Place) -> Place:
        """Give the place that what stands at ``place`` refers to, and so on; itself, where it does not.

        For references that are not of schemas: what stands beside ``$ref`` is left aside (OpenAPI 3.0.3,
        "Reference Object"). Raises :class:`ReferenceFault` for one that cannot be followed, or leads back.
        """
        visited = {place}
        while True:
            value = self.value(place)
            if not isinstance(value, dict) or "$ref" not in value:
                return place
            here = Place(place.file, (*place.path, "$ref"))
            reference = value["$ref"]
            if not isinstance(reference, str):
                raise ReferenceFault(here, "a reference must be a string")
            address, _, fragment = reference.partition("#")
            file = self.open(join_path(place.file, address, here), here) if address else place.file
            place = self.point(file, (), fragment, here)
            if place in visited:
                raise ReferenceFault(here, "the reference leads back to itself")
            visited.add(place)

    def point(self, file: str, base: tuple[str | int, ...], fragment: str, here: Place) -> Place:
        """Give the place that a URI fragment's JSON Pointer names, from ``base`` in ``file`` on.

        ``here`` is where the reference stands. Raises :class:`ReferenceFault` when nothing is there.
        """
        pointer = decode(fragment, here)
        if pointer and not pointer.startswith("/"):
            raise ReferenceFault(here, f"#{fragment} is no JSON Pointer, and no schema has it as its anchor")
        value, path = self.value(Place(file, base)), list(base)
        for token in pointer.split("/")[1:]:
            if _BAD_ESCAPE.search(token):
                raise ReferenceFault(here, f"#{fragment} is no JSON Pointer: ~ must be ~0 or ~1")
            step: str | int = unescaped(token)
            if isinstance(value, list) and _INDEX.fullmatch(token) and int(token) < len(value):
                step = int(token)
            elif not isinstance(value, dict) or step not in value:
                raise ReferenceFault(here, f"there is no #{fragment} in {self._documents[file].file}")
            value = value[step]
            path.append(step)
        return Place(file, tuple(path))

    def open(self, file: str, here: Place) -> str:
        """Read ``file``, a path relative to the folder, unless that was done; give its name in places.

        Raises :class:`ReferenceFault` for ``here`` when it may not or cannot be read.
        """
        root = self._documents[""].file
        if file == posixpath.basename(root):
            return ""
        if file not in self._documents:
            path = self._inside(file, here)
            name = posixpath.join(posixpath.dirname(root), file)
            try:
                self._documents[file] = documents.read(path, name=name)
            except ConfigError as error:
                raise ReferenceFault(here, f"{file} cannot be used: {error.faults[0]}") from None
            self._files.append(path)
        return file

    def _inside(self, file: str, here: Place) -> Path:
        """Give the real path of ``file``, which must be a file below the folder."""
        if self._folder is None:
            raise ReferenceFault(here, f"{file}: no other file can be referred to from here")
        if file == ".." or file.startswith(("/", "../")):
            raise ReferenceFault(here, f"{file} is not below the document's folder")
        try:
            path = (self._folder / file).resolve(strict=True)
        except (OSError, RuntimeError, ValueError):
            raise ReferenceFault(here, f"there is no file {file} below the document's folder") from None
        if not path.is_relative_to(self._folder.resolve()):
            raise ReferenceFault(here, f"{file} leads out of the document's folder")
        if not path.is_file():
            raise ReferenceFault(here, f"{file} is no file")
        return path


def _member(value: Any, step: str | int) -> Any:
    """Give a member by key or index; raises LookupError where there is none."""
    if isinstance(value, dict) and isinstance(step, str):
        return value[step]
    if isinstance(value, list) and isinstance(step, int):
        return value[step]
    raise LookupError(step)


def join_path(base: str, address: str, here: Place) -> str:
    """Give the path that ``address``, a relative reference without fragment, means in the file ``base``.

    Raises :class:`ReferenceFault` for ``here`` when it is no relative path.
    """
    if has_scheme(address):
        scheme = address.partition(":")[0]
        raise ReferenceFault(
            here, f"{scheme}: is not followed; only files below the document's folder can be referred to"
        )
    if "?" in address or address.startswith("/"):
        raise ReferenceFault(here, f"{address} is no path relative to the file that it stands in")
    return posixpath.normpath(posixpath.join(posixpath.dirname(base), decode(address, here)))


def has_scheme(reference: str) -> bool:
    """Tell whether a URI reference is absolute (RFC 3986 section 4.2)."""
    return _SCHEME.match(reference) is not None


def decode(text: str, here: Place) -> str:
    """Percent-decode a part of a reference; raises :class:`ReferenceFault` when it is not UTF-8."""
    if "%" not in text:
        return text
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ReferenceFault(here, f"{text} is not UTF-8 once it is decoded") from None
