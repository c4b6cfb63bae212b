"""Where a reference between schemas leads: to a place, and to what names mean from there on.

``$dynamicRef`` depends on the way by which a schema was reached (JSON Schema 2020-12 Core section 8.2.3.2):
the outermost resource on that way that has the anchor decides. So a way is kept as a :class:`Scope`, and a
schema that is reached by ways which differ is read once for each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from gateway.contracts.schemas.resources import RECURSIVE, Resource, find_resources, find_signs, join
from gateway.contracts.sources import Place, ReferenceFault, decode, has_scheme, join_path

if TYPE_CHECKING:
    from gateway.contracts.schemas.dialects import Dialect
    from gateway.contracts.schemas.resources import Path
    from gateway.contracts.sources import Sources

Bindings: TypeAlias = "frozenset[tuple[str, Place]]"
"""What each dynamic anchor means, by name."""


@dataclass(slots=True, eq=False)
class Scope:
    """What keywords and references mean where a schema stands. The same object for the same meaning.

    ``bindings`` are the dynamic anchors. ``dropped`` are properties of the instance that some schema of the
    same instance has as ``readOnly``, so that no schema of it can require them. ``keys`` has the definition
    that each reference was found to lead to.
    """

    resource: Resource
    dialect: Dialect
    bindings: Bindings
    dropped: frozenset[str]
    divided: bool
    """Whether the file has resources besides the whole document."""
    keys: dict[str, str] = field(default_factory=dict)

    def place(self, path: Path) -> Place:
        """Give the place of ``path`` in this file."""
        return Place(self.resource.file, path)


class Links:
    """Finds what references between schemas lead to. ``dialect`` is that of schemas that name none."""

    def __init__(self, sources: Sources, dialect: Dialect) -> None:
        self._sources = sources
        self._dialect = dialect
        self._resources: dict[str, dict[Path, Resource]] = {}
        self._uris: dict[str, Resource | None] = {}
        self._scopes: dict[tuple[int, Bindings, frozenset[str]], Scope] = {}
        self.signs: set[str] = set()
        """What :func:`find_signs` found in any file so far."""
        self._load("")

    def start(self, place: Place) -> Scope:
        """Give the scope of a schema that nothing led to."""
        return self.scope(self.resource_at(place), frozenset())

    def scope(self, resource: Resource, bindings: Bindings, dropped: frozenset[str] = frozenset()) -> Scope:
        """Give the scope in ``resource``, reached with ``bindings``: those that it adds come last."""
        if resource.dynamic:
            bound = {name for name, _ in bindings}
            bindings |= {
                (name, Place(resource.file, path))
                for name, path in resource.dynamic.items()
                if name not in bound
            }
        key = id(resource), bindings, dropped
        scope = self._scopes.get(key)
        if scope is None:
            divided = len(self._resources[resource.file]) > 1
            scope = self._scopes[key] = Scope(resource, resource.dialect, bindings, dropped, divided)
        return scope

    def dropping(self, scope: Scope, dropped: frozenset[str]) -> Scope:
        """Give the same scope with other names that cannot be required."""
        if dropped == scope.dropped:
            return scope
        return self.scope(scope.resource, scope.bindings, dropped)

    def entered(self, scope: Scope, path: Path) -> Scope:
        """Give the scope of the schema at ``path``, which stands inside one of ``scope``."""
        resource = self._resources[scope.resource.file].get(path, scope.resource)
        if resource is scope.resource:
            return scope
        return self.scope(resource, scope.bindings, scope.dropped)

    def resource_at(self, place: Place) -> Resource:
        """Give the innermost resource around ``place``."""
        resources = self._load(place.file)
        length = len(place.path) if len(resources) > 1 else 0
        while place.path[:length] not in resources:
            length -= 1
        return resources[place.path[:length]]

    def target(self, reference: object, scope: Scope, here: Place) -> tuple[Place, Scope]:
        """Give where ``reference``, which stands at ``here``, leads.

        Raises :class:`ReferenceFault` for one that cannot be followed.
        """
        place, _ = self._static(reference, scope, here)
        return place, self.scope(self.resource_at(place), scope.bindings)

    def dynamic_target(self, reference: object, scope: Scope, here: Place) -> tuple[Place, Scope]:
        """Give where a ``$dynamicRef`` leads; raises as :meth:`target` does."""
        place, resource = self._static(reference, scope, here)
        anchor = decode(str(reference).partition("#")[2], here)
        if anchor and resource.dynamic.get(anchor) == place.path:
            place = dict(scope.bindings).get(anchor, place)
        return place, self.scope(self.resource_at(place), scope.bindings)

    def recursive_target(self, scope: Scope) -> tuple[Place, Scope]:
        """Give where ``$recursiveRef: "#"`` leads (JSON Schema 2019-09 Core section 8.2.4.2.1)."""
        place = scope.place(scope.resource.path)
        if RECURSIVE in scope.resource.dynamic:
            place = dict(scope.bindings)[RECURSIVE]
        return place, self.scope(self.resource_at(place), scope.bindings)

    def _static(self, reference: object, scope: Scope, here: Place) -> tuple[Place, Resource]:
        """Give the place that a reference names, and the resource that its fragment was looked for in."""
        if not isinstance(reference, str):
            raise ReferenceFault(here, "a reference must be a string")
        address, _, fragment = reference.partition("#")
        resource = self._named(address, scope.resource, here) if address else scope.resource
        anchor = decode(fragment, here)
        if anchor in resource.repeated:
            raise ReferenceFault(here, f"the anchor {anchor} stands twice")
        if anchor in resource.anchors:
            return Place(resource.file, resource.anchors[anchor]), resource
        return self._sources.point(resource.file, resource.path, fragment, here), resource

    def _named(self, address: str, base: Resource, here: Place) -> Resource:
        """Give the resource that an address without fragment means."""
        uri = join(base.uri, address)
        if uri in self._uris:
            found = self._uris[uri]
            if found is None:
                raise ReferenceFault(here, f"{uri} is the $id of two schemas")
            return found
        if uri in self._sources.known:
            return self._load(uri)[()]
        if has_scheme(base.uri) and has_scheme(uri):
            raise ReferenceFault(here, f"{uri} is not followed: no schema that was read has it as its $id")
        return self._load(self._sources.open(join_path(base.uri, address, here), here))[()]

    def _load(self, file: str) -> dict[Path, Resource]:
        """Give a file's resources; when they are seen for the first time, note their URIs."""
        if file not in self._resources:
            value = self._sources.value(Place(file, ()))
            signs = find_signs(value)
            self.signs |= signs
            found = self._resources[file] = find_resources(value, file, self._dialect, signs)
            for resource in found.values():
                if resource.uri != file:
                    known = self._uris.setdefault(resource.uri, resource)
                    if known is not resource:
                        self._uris[resource.uri] = None
        return self._resources[file]
