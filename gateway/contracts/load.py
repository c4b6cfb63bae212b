"""Files in, a description out: the document, its overlays, what it refers to, what is to be said of them."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from gateway.contracts.cache import cache_key
from gateway.contracts.openapi import describe
from gateway.contracts.overlays import apply_overlays
from gateway.contracts.sources import Sources
from gateway.documents import parse_document
from gateway.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from gateway.contracts.cache import Cache
    from gateway.contracts.described import Description
    from gateway.documents import Document

    Inspector: TypeAlias = Callable[[Document, Path | None], Iterable[Fault]]


class File(NamedTuple):
    """A file that was read; ``path`` is what faults call it."""

    path: Path
    content: bytes


class LoadedContract(NamedTuple):
    """A description, all files that it was made from, their digest, and warnings with their places."""

    description: Description
    files: tuple[Path, ...]
    digest: bytes
    warnings: tuple[Fault, ...]


def load_contract(
    document: File,
    overlays: Sequence[File],
    wanted: Sequence[str] | None,
    *,
    prefixed: bool,
    inspect: Inspector | None = None,
) -> LoadedContract:
    """Read a contract; ``wanted`` and ``prefixed`` are those of :func:`gateway.contracts.openapi.describe`.

    ``inspect`` gives more warnings of the document after overlays; see :mod:`gateway.contracts.inspect`.
    Raises :class:`ConfigError` with every fault.
    """
    warnings: list[Fault] = []
    parsed = _overlaid(document, overlays, warnings)
    sources = Sources(parsed, document.path.parent)
    described = describe(sources, wanted, prefixed=prefixed)
    if inspect is not None:
        warnings += inspect(parsed, document.path.parent)
    given = tuple(sorted({*warnings, *described.warnings}))
    return _loaded(described.description, document, overlays, sources.files, given)


def load_cached_contract(
    document: File, overlays: Sequence[File], wanted: Sequence[str] | None, cache: Cache, *, prefixed: bool
) -> LoadedContract:
    """Do the same as fast as can be: from ``cache`` what was seen before, and without warnings.

    To find the places of warnings takes half as long again as all the rest.
    """
    key = cache_key(document.content, [overlay.content for overlay in overlays], [wanted, prefixed])
    kept = cache.get(key)
    if kept is not None:
        return _loaded(kept.description, document, overlays, kept.files)
    parsed = _overlaid(document, overlays, [])
    sources = Sources(_Unplaced(parsed), document.path.parent)
    try:
        description = describe(sources, wanted, prefixed=prefixed).description
    except ConfigError:  # once more, for the places
        sources = Sources(parsed, document.path.parent)
        description = describe(sources, wanted, prefixed=prefixed).description
    cache.put(key, description, sources.files)
    return _loaded(description, document, overlays, sources.files)


class _Unplaced:
    """A document whose faults have no place."""

    def __init__(self, document: Document) -> None:
        self.file = document.file
        self.value = document.value

    def fault(self, _path: Sequence[str | int], message: str) -> Fault:
        """Give a fault of the document as a whole."""
        return Fault(self.file, 0, 0, message)


def _overlaid(document: File, overlays: Sequence[File], warnings: list[Fault]) -> Document:
    """Parse the document and its overlays, and apply these; ConfigError with the faults of all of them."""
    faults: list[Fault] = []
    parsed: list[Document] = []
    for file in (document, *overlays):
        try:
            parsed.append(parse_document(file.content, str(file.path)))
        except ConfigError as error:
            faults += error.faults
    if faults:
        raise ConfigError(sorted(faults))
    return apply_overlays(parsed[0], parsed[1:], warnings) if overlays else parsed[0]


def _loaded(
    description: Description,
    document: File,
    overlays: Sequence[File],
    referenced: Sequence[Path],
    warnings: tuple[Fault, ...] = (),
) -> LoadedContract:
    digest = sha256()
    contents = (document.content, *(overlay.content for overlay in overlays))
    for content in (*contents, *(path.read_bytes() for path in referenced)):
        digest.update(sha256(content).digest())
    files = (document.path, *(overlay.path for overlay in overlays), *referenced)
    return LoadedContract(description, files, digest.digest(), warnings)
