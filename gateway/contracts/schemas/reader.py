"""Reading schemas of any dialect into plain form (``gateway.core.schema.plain``), every fault with its place.

A referenced schema becomes one of the ``definitions``, read once; others are read where they stand. What is a
rule and cannot be enforced is a fault; what has less effect than it may seem to have is a warning.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from gateway.contracts.schemas.circles import CircleFinder
from gateway.contracts.schemas.dialects import Dialect, named_dialect
from gateway.contracts.schemas.discriminators import Discriminators
from gateway.contracts.schemas.keywords import Spot
from gateway.contracts.schemas.links import Links, Scope
from gateway.contracts.schemas.readonly import ReadOnly
from gateway.contracts.schemas.vocabularies import BESIDE, FINISHING, RULES, read_unknown
from gateway.contracts.sources import Place, ReferenceFault, Sources
from gateway.core.pointers import pointer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.contracts.schemas.resources import Path
    from gateway.contracts.sources import SourceDocument
    from gateway.core.types import Json, Plain
    from gateway.errors import Fault


MAX_DEFINITIONS: Final = 50_000
"""How many schemas may be referred to, counted once for each meaning that they have."""


class SchemaReader:
    """Reads the schemas of one contract that judge requests.

    ``dialect`` is that of schemas which do not name one. ``formats`` says that ``format`` is a rule and not a
    remark. ``name`` is what the keys of ``definitions`` begin with, which are otherwise JSON Pointers
    (``#/components/schemas/Message``, ``common.yaml#/Id``).

    ``definitions`` grows with each :meth:`read`; ``faults`` are all that were found so far.
    """

    def __init__(self, sources: Sources, *, dialect: Dialect, formats: bool, name: str = "") -> None:
        self.definitions: dict[str, Plain] = {}
        self.faults: list[Fault] = []
        self.formats = formats
        self.links = Links(sources, dialect)
        self.sources = sources
        self._name = name
        self._told: set[tuple[Place, str]] = set()
        self._warnings: dict[tuple[Place, str], None] = {}
        self._remarks: dict[str, dict[Place, None]] = {}
        self._places: dict[str, Place] = {}
        self._waiting: deque[tuple[str, Place, Scope]] = deque()
        self._circles = CircleFinder(self.definitions)
        self._discriminators = Discriminators(self)
        self._readonly = ReadOnly(self.links, sources)
        self._check_default_dialect(dialect)

    @property
    def warnings(self) -> list[Fault]:
        """What means less than it may seem to mean, in the order in which it was found."""
        remarks = [
            (next(iter(places)), message if len(places) == 1 else f"{message} (in {len(places)} places)")
            for message, places in self._remarks.items()
        ]
        return [self.sources.fault(place, message) for place, message in (*self._warnings, *remarks)]

    def _check_default_dialect(self, dialect: Dialect) -> None:
        """Refuse a ``jsonSchemaDialect`` that is not known (OpenAPI 3.1.0, "OpenAPI Object")."""
        root = self.sources.value(self.sources.root)
        name = "jsonSchemaDialect"
        named = root.get(name) if dialect is Dialect.OPENAPI_3_1 and isinstance(root, dict) else None
        if named is not None and named_dialect(named) is None:
            self.fault(Place("", (name,)), f"{named} is no dialect that can be read")

    def read(self, place: Place) -> Plain:
        """Give the schema at ``place`` in plain form; faults, if any, are added to ``faults``."""
        schema = self.schema(self.sources.value(place), place.path, self.links.start(place))
        while self._waiting:
            key, target, scope = self._waiting.popleft()
            self.definitions[key] = self.schema(self.sources.value(target), target.path, scope)
        for key, message in self._circles.find():
            self.fault(self._places[key], message)
        if not self.faults:
            self._discriminators.finish()
        return schema

    def fault(self, place: Place, message: str) -> None:
        """Note a fault, once: a schema that is reached by several ways is read several times."""
        if (place, message) not in self._told:
            self._told.add((place, message))
            self.faults.append(self.sources.fault(place, message))

    def warn(self, place: Place, message: str) -> None:
        """Note a warning, once."""
        self._warnings[place, message] = None

    def remark(self, place: Place, message: str) -> None:
        """Note a warning that is told once, with the number of places where it would stand."""
        self._remarks.setdefault(message, {})[place] = None

    def schema(self, value: Json, path: Path, scope: Scope) -> Plain:
        """Give one schema in plain form, which stands at ``path`` in the file of ``scope``."""
        if value is True or value is False:
            return bool(value)
        if not isinstance(value, dict):
            self.fault(scope.place(path), "a schema must be an object or a boolean")
            return True
        if scope.divided:
            scope = self.links.entered(scope, path)
        if "$ref" in value and not scope.dialect.siblings:
            return self._lone_reference(value, path, scope)
        scope = self._readonly.within(value, path, scope)
        spot = Spot(value, path, scope)
        out: dict[str, Json] = {}
        rules = RULES[scope.dialect]
        for name, item in value.items():
            rule = rules.get(name, read_unknown)
            if rule is not None:
                rule(self, spot, name, item, out)
        for name, rule in FINISHING[scope.dialect]:
            if name in value:
                rule(self, spot, name, value[name], out)
        return out

    def below(self, value: Json, path: Path, scope: Scope) -> Plain:
        """Give a schema that judges a member of what the schema around it judges, or that is negated."""
        return self.schema(value, path, self.links.dropping(scope, frozenset()))

    def member(self, value: Json, path: Path, scope: Scope) -> Plain:
        """Give a property's schema: none can be given that is ``readOnly``."""
        if self._readonly.is_read_only(value, path, scope):
            return False
        return self.below(value, path, scope)

    def reference(self, spot: Spot, name: str, value: Json) -> str | None:
        """Give the definition that a ``$ref`` leads to; None, and the fault noted, if nowhere."""
        scope = spot.scope
        if isinstance(value, str) and value in scope.keys:
            return scope.keys[value]
        key = self.follow(spot, name, lambda here: self.links.target(value, scope, here))
        if key is not None:
            scope.keys[value] = key
        return key

    def key(self, spot: Spot, reference: str, here: Place) -> str:
        """Name the definition that ``reference`` leads to, read or not; raises :class:`ReferenceFault`."""
        return self._key(*self.links.target(reference, spot.scope, here))

    def follow(self, spot: Spot, name: str, find: Callable[[Place], tuple[Place, Scope]]) -> str | None:
        """Give the definition at the place that ``find`` gives for the keyword ``name``."""
        try:
            place, scope = find(spot.at(name))
        except ReferenceFault as fault:
            self.fault(fault.place, fault.message)
            return None
        if spot.scope.dropped:
            target = self.sources.value(place)
            rest = spot.scope.dropped - self._readonly.names(target, place.path, scope)
            scope = self.links.dropping(scope, rest)
        key = self._key(place, scope)
        if key not in self._places:
            if len(self._places) == MAX_DEFINITIONS:
                self.fault(spot.at(name), f"more than {MAX_DEFINITIONS} schemas are referred to")
                return None
            self._places[key] = place
            self._waiting.append((key, place, scope))
        return key

    def _key(self, place: Place, scope: Scope) -> str:
        """Name a definition: by its place, and by what it means there if it can mean several things."""
        key = f"{self._name}{place.file}#{pointer(place.path)}"
        own = {(name, scope.place(path)) for name, path in scope.resource.dynamic.items()}
        notes = [
            f"{name or '$recursiveAnchor'}: {bound.file}#{pointer(bound.path)}"
            for name, bound in sorted(scope.bindings - own)
        ]
        notes += [f"{name}: not required" for name in sorted(scope.dropped)]
        return f"{key} ({', '.join(notes)})" if notes else key

    def _lone_reference(self, value: dict[str, Json], path: Path, scope: Scope) -> Plain:
        """Read a ``$ref`` in a dialect that ignores what stands beside it."""
        spot = Spot(value, path, scope)
        if scope.dialect.openapi:
            rules = RULES[scope.dialect]
            for name in value:
                if name != "$ref" and (rules.get(name) is not None or name in BESIDE):
                    self.warn(spot.at(name), f"{name} has no effect beside $ref")
        key = self.reference(spot, "$ref", value["$ref"])
        return True if key is None else {"$ref": key}

    def postpone_discriminator(self, spot: Spot, value: Json, out: dict[str, Any]) -> None:
        """Have a discriminator read once all that its branches refer to was read."""
        self._discriminators.note(spot, value, out)


class _Part:
    """A part of a document, seen as a document of its own."""

    def __init__(self, document: SourceDocument, path: Path) -> None:
        value = document.value
        for step in path:
            value = value[step]
        self.file: str = document.file
        self.value: Any = value
        self._document = document
        self._path = path

    def fault(self, path: Sequence[str | int], message: str) -> Fault:
        return self._document.fault((*self._path, *path), message)


def read_schema(
    document: SourceDocument, path: Path = (), *, formats: bool = False, name: str = ""
) -> tuple[Plain, dict[str, Plain], list[Fault]]:
    """Read the JSON Schema that stands alone at ``path`` of a document; give definitions and faults, too.

    Its dialect is what its ``$schema`` says, else 2020-12. It can refer to what is inside it and to nothing
    else. ``formats`` and ``name`` are as for :class:`SchemaReader`. What would be a warning is a fault: it
    may be a rule misspelt. With faults, the schema is of no use.
    """
    sources = Sources(_Part(document, path), None)
    reader = SchemaReader(sources, dialect=Dialect.DRAFT_2020_12, formats=formats, name=name)
    schema = reader.read(sources.root)
    return schema, reader.definitions, [*reader.faults, *reader.warnings]
