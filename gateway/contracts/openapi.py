"""Reading an OpenAPI 3.0 or 3.1 document: what it describes, as data, or every fault that it has.

Read are ``paths`` with all that requests are judged by; webhooks, callbacks, responses and security are not.
What cannot be enforced is a fault at its place; what means less than it may seem, or is refused where the
document would let it pass, is a warning. Operations that were not asked for are not read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from gateway.contracts.bodies import read_body
from gateway.contracts.described import DescribedOperation, Description
from gateway.contracts.notes import Notes, at
from gateway.contracts.parameters import ParameterReader
from gateway.contracts.schemas.dialects import Dialect, named_dialect
from gateway.contracts.schemas.reader import SchemaReader
from gateway.contracts.servers import server_path
from gateway.errors import ConfigError, Fault, suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gateway.contracts.sources import Place, Sources

_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_VERSION: Final = re.compile(r"3\.([01])\.[0-9]+(?:-[0-9A-Za-z.-]+)?")
_LITERAL: Final = "[A-Za-z0-9._~!$&'()*+,;=:@-]+"
"""Characters that stand for themselves in a path (RFC 3986 section 3.3, pchar)."""
_NAME: Final = re.compile(r"\{([^{}/?#]+)\}")
_SEGMENT: Final = re.compile(
    rf"(?:{_LITERAL})?(?:{_NAME.pattern}(?:{_LITERAL}{_NAME.pattern})*(?:{_LITERAL})?)?"
)
"""Literal text and names in turn: of two names side by side nobody could tell where one ends."""
_PAIR: Final = re.compile(r"([A-Za-z0-9._~-]+)=([A-Za-z0-9._~-]*)")
_PATH_ITEM_KEYS: Final = frozenset(("$ref", "summary", "description", "servers", "parameters", *_METHODS))
_OPERATION_KEYS: Final = frozenset(
    (
        "tags",
        "summary",
        "description",
        "externalDocs",
        "operationId",
        "parameters",
        "requestBody",
        "responses",
        "callbacks",
        "deprecated",
        "security",
        "servers",
    )
)
_LISTED: Final = 20
"""Up to how many operations are all named when one that is asked for is not among them."""


class Described(NamedTuple):
    """What a document describes, and what is to be said about it; every warning has its place."""

    description: Description
    warnings: tuple[Fault, ...]


class _Found(NamedTuple):
    """An operation in the document: its path item's place and its own, references followed."""

    name: str
    method: str
    path: str
    item: Place
    place: Place


def describe(sources: Sources, wanted: Sequence[str] | None, *, prefixed: bool = False) -> Described:
    """Read the operations ``wanted`` by name, None for all, in the document's order.

    An operation's name is its operationId, or ``METHOD /path`` where it has none. ``prefixed`` says that
    the contract has a prefix, so that what the servers say does not matter; the server path is then empty.
    Raises :class:`ConfigError` with every fault, each at its line and column.
    """
    notes = Notes(sources)
    description = _read(notes, wanted, prefixed=prefixed)
    if notes.faults or description is None:
        raise ConfigError(sorted(set(notes.faults)))
    return Described(description, tuple(sorted(set(notes.warnings))))


def _read(notes: Notes, wanted: Sequence[str] | None, *, prefixed: bool) -> Description | None:
    place = notes.sources.root
    root = notes.mapping(place, "an OpenAPI document")
    dialect = _dialect(notes, root)
    if dialect is None:
        return None
    base = "" if prefixed else server_path(notes, root)
    found = list(_find(notes, notes.mapping(at(place, "paths"), "paths")))
    if wanted is not None:
        _refuse_unknown(notes, found, wanted)
        found = [one for one in found if one.name in wanted]
    _refuse_repeated(notes, found)
    found = _without_trace(notes, found, asked=wanted is not None)
    reader = _Reader(notes, dialect)
    operations = [operation for one in found if (operation := reader.read(one)) is not None]
    _refuse_same_routes(notes, operations, found)
    notes.faults += reader.schemas.faults
    notes.warnings += reader.schemas.warnings
    return Description(base, tuple(operations), reader.schemas.definitions)


def _dialect(notes: Notes, root: Mapping[str, Any]) -> Dialect | None:
    """Say how schemas are to be read (OpenAPI 3.1.0, "Schema Object"); None for another version."""
    place = notes.sources.root
    version = root.get("openapi")
    match = _VERSION.fullmatch(version) if isinstance(version, str) else None
    if match is None:
        if root:
            notes.fault(at(place, "openapi"), "openapi must be 3.0.x or 3.1.x; nothing else can be read")
        return None
    if match[1] == "0":
        return Dialect.OPENAPI_3_0
    dialect = named_dialect(root["jsonSchemaDialect"]) if "jsonSchemaDialect" in root else Dialect.OPENAPI_3_1
    if dialect is None:
        notes.fault(at(place, "jsonSchemaDialect"), "schemas of this dialect cannot be read")
    return dialect


def _find(notes: Notes, paths: Mapping[str, Any]) -> Iterator[_Found]:
    """Find every operation; what is wrong with those that are not wanted is left alone."""
    for path in paths:
        if path.startswith("x-"):
            continue
        place = _path_item(notes, at(notes.sources.root, "paths", path))
        if place is None:
            continue
        for key, operation in notes.mapping(place, "a path item").items():
            if key in _METHODS:
                method = key.upper()
                identifier = operation.get("operationId") if isinstance(operation, dict) else None
                name = identifier if isinstance(identifier, str) and identifier else f"{method} {path}"
                yield _Found(name, method, path, place, at(place, key))


def _path_item(notes: Notes, place: Place) -> Place | None:
    """Follow a path item's reference. What stands beside one has no agreed meaning (OpenAPI 3.1.0)."""
    value = notes.sources.value(place)
    if isinstance(value, dict) and "$ref" in value:
        rules = [key for key in value if key in {"servers", "parameters", *_METHODS}]
        for key in rules:
            notes.fault(at(place, key), f"{key} has no agreed meaning beside a path item's $ref")
        if rules:
            return None
    return notes.follow(place)


def _refuse_unknown(notes: Notes, found: list[_Found], wanted: Sequence[str]) -> None:
    known = sorted({one.name for one in found})
    for name in wanted:
        if name in known:
            continue
        hint = suggestion(name, known) or f"; it has {len(known)}"
        if len(known) <= _LISTED:
            hint = f"; the document's are {', '.join(known) or 'none'}"
        notes.fault(at(notes.sources.root, "paths"), f"there is no operation {name}{hint}")


def _without_trace(notes: Notes, found: list[_Found], *, asked: bool) -> list[_Found]:
    """Leave out TRACE, whose answers hold what the request did, secrets too (RFC 9110 section 9.3.8).

    That is a warning, or a fault where the operation was ``asked`` for by name.
    """
    for one in found:
        if one.method == "TRACE":
            note = notes.fault if asked else notes.warn
            note(one.place, "TRACE is never forwarded: a request with it is refused")
    return [one for one in found if one.method != "TRACE"]


def _refuse_repeated(notes: Notes, found: list[_Found]) -> None:
    seen: set[str] = set()
    for one in found:
        if one.name in seen:
            notes.fault(at(one.place, "operationId"), f"operationId {one.name} stands twice")
        seen.add(one.name)


def _refuse_same_routes(notes: Notes, operations: list[DescribedOperation], found: list[_Found]) -> None:
    """Refuse paths that are the same but for the names in them (OpenAPI 3.1.0, "Paths Object")."""
    places = {one.name: one.place for one in found}
    seen: dict[object, str] = {}
    for one in operations:
        route = one.method, _NAME.sub("{}", one.template), frozenset(one.query)
        first = seen.setdefault(route, one.name)
        if first != one.name:
            notes.fault(places[one.name], f"{first} and {one.name} are both {one.method} {one.template}")


class _Reader:
    """Reads operations one by one."""

    def __init__(self, notes: Notes, dialect: Dialect) -> None:
        self.schemas = SchemaReader(notes.sources, dialect=dialect, formats=True)
        self._notes = notes
        self._parameters = ParameterReader(notes, self.schemas)

    def read(self, found: _Found) -> DescribedOperation | None:
        """Read one operation; None where its path cannot be read."""
        notes = self._notes
        value = notes.mapping(found.place, "an operation")
        item = notes.mapping(found.item, "a path item")
        notes.known_keys(item, found.item, _PATH_ITEM_KEYS, "a path item")
        notes.known_keys(value, found.place, _OPERATION_KEYS, "an operation")
        if not isinstance(value.get("operationId", ""), str):
            notes.fault(at(found.place, "operationId"), "an operationId must be a string")
        for holder, place in ((item, found.item), (value, found.place)):
            if "servers" in holder:
                notes.warn(
                    at(place, "servers"),
                    "ignored: routes begin with the path of the document's first server, "
                    "or the contract's prefix",
                )
        template, query = self._template(found)
        names = _NAME.findall(template)
        described = self._parameters.read_all(((item, found.item), (value, found.place)))
        in_path = {one.name: one for one in described if one.where == "path"}
        self._compare(names, set(in_path), found)
        required, content = False, None
        if "requestBody" in value:
            required, content = read_body(notes, self.schemas, at(found.place, "requestBody"))
        return DescribedOperation(
            found.name,
            found.method,
            template,
            query,
            (
                *(in_path[name] for name in names if name in in_path),
                *(one for one in described if one.where != "path"),
            ),
            required,
            content,
        )

    def _template(self, found: _Found) -> tuple[str, tuple[tuple[str, str], ...]]:
        """Split a path into its template and the fixed query that some documents write behind it."""
        place = at(self._notes.sources.root, "paths", found.path)
        template, mark, rest = found.path.partition("?")
        *segments, last = template.split("/")[1:] or [""]
        good = all(segment and _SEGMENT.fullmatch(segment) for segment in (*segments, last or "-"))
        if not template.startswith("/") or not good:
            self._notes.fault(
                place,
                "a path is /-separated, each segment of literal text and {name}s, none beside another",
            )
            return "", ()
        names = _NAME.findall(template)
        if len(names) != len(set(names)):
            self._notes.fault(place, "a name stands twice in a path")
        if not mark:
            return template, ()
        pairs = [_PAIR.fullmatch(part) for part in rest.split("&")]
        query = tuple((pair[1], pair[2]) for pair in pairs if pair is not None)
        if len(query) != len(pairs) or len(dict(query)) != len(query):
            self._notes.fault(place, "a query in a path must be name=value pairs, joined by &, each once")
        else:
            self._notes.warn(
                place, f"OpenAPI knows no query in a path; taken as: only requests with {rest} are meant"
            )
        return template, query

    def _compare(self, names: Sequence[str], described: set[str], found: _Found) -> None:
        for name in names:
            if name not in described:
                self._notes.fault(found.place, f"the path parameter {name} is not described, or not rightly")
        for name in sorted(described.difference(names)):
            self._notes.fault(found.place, f"the path parameter {name} does not stand in the path")
