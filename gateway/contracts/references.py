"""References inside a document, followed: a schema in, the same schema with no ``$ref`` left out.

What was at ``path`` of the resolved schema can be found in the document again with :meth:`Resolved.origin`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from gateway.core.keywords import SCHEMA_ITEMS, SCHEMA_MEMBERS, SCHEMA_VALUE

if TYPE_CHECKING:
    from gateway.documents import Document

DocumentPath: TypeAlias = "tuple[str | int, ...]"

MAX_DEPTH: Final = 64
"""How deep a schema may nest once its references were followed."""
MAX_SCHEMAS: Final = 50_000
"""How many schemas one schema may hold once its references were followed."""

_BESIDE: Final = frozenset(
    ("$ref", "description", "summary", "title", "example", "examples", "default", "deprecated")
)


class ReferenceFault(Exception):
    """A reference that cannot be followed. ``path`` is its place in the document."""

    def __init__(self, path: DocumentPath, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


@dataclass(slots=True)
class Resolved:
    """A schema without references, and where its parts stand in the document."""

    value: Any = True
    origins: dict[DocumentPath, DocumentPath] = field(default_factory=dict)

    def origin(self, path: DocumentPath) -> DocumentPath:
        """Give the place in the document of what is at ``path`` of the resolved schema."""
        length = next(length for length in range(len(path), -1, -1) if path[:length] in self.origins)
        return (*self.origins[path[:length]], *path[length:])


def follow(document: Document, path: DocumentPath) -> tuple[Any, DocumentPath]:
    """Give what stands at ``path`` of the document, references followed, and the place where it was found."""
    value = _at(document, path)
    visited: set[DocumentPath] = set()
    while isinstance(value, dict) and isinstance(value.get("$ref"), str):
        if path in visited:
            raise ReferenceFault((*path, "$ref"), "the reference leads back to itself")
        visited.add(path)
        value, path = _target(document, value, path)
    return value, path


def resolve_schema(document: Document, path: DocumentPath) -> Resolved:
    """Give the schema at ``path`` of the document with all references in it followed.

    Raises :class:`ReferenceFault` for one that leaves the document, leads nowhere, or leads back to itself.
    """
    resolver = _SchemaResolver(document)
    resolver.result.value = resolver.schema(_at(document, path), path, (), ())
    return resolver.result


def _at(document: Document, path: DocumentPath) -> Any:
    value = document.value
    for step in path:
        value = value[step]
    return value


def _target(document: Document, holder: dict[str, Any], path: DocumentPath) -> tuple[Any, DocumentPath]:
    """Give what one reference object points to (RFC 6901 in a URI fragment), and its place."""
    reference: str = holder["$ref"]
    here = (*path, "$ref")
    if not reference.startswith("#/components/"):
        raise ReferenceFault(here, "only references to #/components/… of this document are available yet")
    for name in holder:
        if name not in _BESIDE and not name.startswith("x-"):
            raise ReferenceFault((*path, name), f"{name} has no effect beside $ref: OpenAPI 3.0 ignores it")
    steps = [step.replace("~1", "/").replace("~0", "~") for step in reference[2:].split("/")]
    value = document.value
    for step in steps:
        if not isinstance(value, dict) or step not in value:
            raise ReferenceFault(here, f"there is no {reference} in this document")
        value = value[step]
    return value, tuple(steps)


class _SchemaResolver:
    """Copies one schema; looks for references only where a schema can stand."""

    def __init__(self, document: Document) -> None:
        self.result = Resolved()
        self._document = document
        self._count = 0

    def schema(
        self, value: Any, path: DocumentPath, out: DocumentPath, within: tuple[DocumentPath, ...]
    ) -> Any:
        """Copy the schema ``value`` from ``path`` to ``out``; ``within`` are the references that led here."""
        self.result.origins[out] = path
        while isinstance(value, dict) and isinstance(value.get("$ref"), str):
            holder = path
            value, path = _target(self._document, value, path)
            if path in within:
                raise ReferenceFault((*holder, "$ref"), "circular references are not available yet")
            within = (*within, path)
            self.result.origins[out] = path
        self._count += 1
        if len(out) > 2 * MAX_DEPTH or self._count > MAX_SCHEMAS:
            raise ReferenceFault(path, "the schema is too deep or too large once its references are followed")
        if not isinstance(value, dict):
            return value
        return {
            name: self._keyword(name, item, (*path, name), (*out, name), within)
            for name, item in value.items()
        }

    def _keyword(
        self, name: str, item: Any, path: DocumentPath, out: DocumentPath, within: tuple[DocumentPath, ...]
    ) -> Any:
        if name in SCHEMA_MEMBERS and isinstance(item, dict):
            return {key: self.schema(one, (*path, key), (*out, key), within) for key, one in item.items()}
        if name in SCHEMA_ITEMS and isinstance(item, list):
            return [self.schema(one, (*path, at), (*out, at), within) for at, one in enumerate(item)]
        if name in SCHEMA_VALUE:
            return self.schema(item, path, out, within)
        return item
