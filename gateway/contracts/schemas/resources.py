"""Schemas that have a name of their own: where a document has ``$id``, ``$schema`` and anchors.

A *resource* is a schema with its own URI (JSON Schema 2020-12 Core section 4.3.5), or a whole document. What
is in it, up to the resources inside, is referred to relative to that URI, and is written in one dialect. They
are looked for only where a schema can stand: an ``$id`` in an ``enum`` or below an unknown keyword is none.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import unquote, urljoin

from gateway.contracts.schemas.dialects import Dialect, named_dialect
from gateway.contracts.sources import has_scheme
from gateway.core.schema.plain import SCHEMA_ITEMS, SCHEMA_MEMBERS, SCHEMA_VALUE

if TYPE_CHECKING:
    from collections.abc import Iterator

Path: TypeAlias = "tuple[str | int, ...]"

_MEMBERS: Final = SCHEMA_MEMBERS | {"$defs", "definitions", "dependencies"}
_ITEMS: Final = SCHEMA_ITEMS | {"items"}
_VALUE: Final = SCHEMA_VALUE | {"additionalItems", "contentSchema"}
_NAMING: Final = frozenset(("$id", "$schema", "$anchor", "$dynamicAnchor", "jsonSchemaDialect"))
_SIGNS: Final = _NAMING | {"readOnly"}
_OTHERWISE: Final = frozenset((Dialect.DRAFT_4, Dialect.DRAFT_2019_09))
"""Dialects that have other such keywords."""
_OPAQUE: Final = frozenset(("example", "examples", "default", "enum", "const"))
ELSEWHERE: Final = "elsewhere"
"""The sign that a document refers to others."""
RECURSIVE: Final = ""
"""The name under which ``$recursiveAnchor: true`` counts as a dynamic anchor; no anchor can have it."""


@dataclass(slots=True, eq=False)
class Resource:
    """A schema resource: where it begins, its absolute URI or path, and what names it gives inside.

    ``uri`` of a document without ``$id`` is its file's path. ``dynamic`` are the anchors that
    ``$dynamicRef`` looks for; they are in ``anchors``, too. ``repeated`` are anchors that stand twice.
    """

    file: str
    path: Path
    uri: str
    dialect: Dialect
    anchors: dict[str, Path] = field(default_factory=dict)
    dynamic: dict[str, Path] = field(default_factory=dict)
    repeated: set[str] = field(default_factory=set)

    def name(self, anchor: str, path: Path) -> None:
        """Note an anchor."""
        if self.anchors.setdefault(anchor, path) != path:
            self.repeated.add(anchor)


def find_resources(value: Any, file: str, dialect: Dialect, signs: set[str]) -> dict[Path, Resource]:
    """Give every resource in a document by its path, the whole document's first.

    ``dialect`` is that of schemas which do not say their own; ``signs`` is what :func:`find_signs` found.
    """
    whole = Resource(file, (), file, dialect)
    found: dict[Path, Resource] = {(): whole}
    if _NAMING.isdisjoint(signs) and dialect not in _OTHERWISE:
        return found
    if not isinstance(value, dict) or not ("openapi" in value or "components" in value):
        _enter(value, (), whole, found)
        return found
    whole.dialect = named_dialect(value.get("jsonSchemaDialect")) or dialect
    for path, schema in _described_schemas(value, ()):
        _enter(schema, path, whole, found)
    return found


def join(base: str, reference: str) -> str:
    """Give the URI, or the path relative to the folder, that ``reference`` means at ``base``.

    Neither has a fragment (RFC 3986 section 5).
    """
    if has_scheme(reference):
        return reference
    if has_scheme(base):
        return urljoin(base, reference)
    return posixpath.normpath(posixpath.join(posixpath.dirname(base), unquote(reference)))


def find_signs(value: Any) -> set[str]:
    """Look quickly for keys that ask for a closer look, wherever they stand: most documents have none."""
    signs: set[str] = set()
    stack = [value]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            if not _SIGNS.isdisjoint(value):
                signs.update(_SIGNS.intersection(value))
            reference = value.get("$ref")
            if reference is not None and isinstance(reference, str) and reference[:1] != "#":
                signs.add(ELSEWHERE)
            value = value.values()
        elif not isinstance(value, list):
            continue
        stack.extend([member for member in value if isinstance(member, dict | list)])
    return signs


def _described_schemas(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Find the schemas of an OpenAPI document."""
    if isinstance(value, list):
        for index, member in enumerate(value):
            yield from _described_schemas(member, (*path, index))
    elif isinstance(value, dict):
        for key, member in value.items():
            here = (*path, key)
            if key == "schema":
                yield here, member
            elif here == ("components", "schemas") and isinstance(member, dict):
                yield from (((*here, name), schema) for name, schema in member.items())
            elif key not in _OPAQUE and not key.startswith("x-"):
                yield from _described_schemas(member, here)


def _enter(schema: Any, path: Path, resource: Resource, found: dict[Path, Resource]) -> None:
    """Note what ``schema`` and the schemas in it are called."""
    if not isinstance(schema, dict):
        return
    resource = _resource(schema, path, resource, found)
    for keyword, value in schema.items():
        here = (*path, keyword)
        if keyword in _MEMBERS and isinstance(value, dict):
            for name, member in value.items():
                _enter(member, (*here, name), resource, found)
        elif keyword in _ITEMS and isinstance(value, list):
            for index, member in enumerate(value):
                _enter(member, (*here, index), resource, found)
        elif keyword in _VALUE or keyword == "items":
            _enter(value, here, resource, found)


def _resource(schema: dict[str, Any], path: Path, outer: Resource, found: dict[Path, Resource]) -> Resource:
    """Give the resource that ``schema`` belongs to, a new one where it begins one; note its anchors."""
    dialect = named_dialect(schema.get("$schema")) or outer.dialect
    if not dialect.siblings and "$ref" in schema and path != ():
        return outer
    identifier = schema.get(dialect.identifier or "")
    address, _, fragment = identifier.partition("#") if isinstance(identifier, str) else ("", "", "")
    resource = outer
    if address:
        resource = found[path] = Resource(outer.file, path, join(outer.uri, address), dialect)
    elif path == outer.path:
        outer.dialect = dialect
    if fragment and not fragment.startswith("/"):
        resource.name(fragment, path)
    if dialect.siblings:
        _name_anchors(schema, path, resource)
    return resource


def _name_anchors(schema: dict[str, Any], path: Path, resource: Resource) -> None:
    for keyword in ("$anchor", "$dynamicAnchor"):
        anchor = schema.get(keyword)
        if isinstance(anchor, str) and anchor:
            resource.name(anchor, path)
            if keyword == "$dynamicAnchor":
                resource.dynamic.setdefault(anchor, path)
    if schema.get("$recursiveAnchor") is True and path == resource.path:
        resource.dynamic[RECURSIVE] = path
