"""The route phase: method and path in, an operation out. Cost does not grow with the number of operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.core.types import Operation


class Route(NamedTuple):
    """A matched operation with the raw path segments that stand for its template's names, in order."""

    operation: Operation
    values: tuple[str, ...]

    def value_of(self, name: str) -> str | None:
        """Give the raw segment that stands for a template's name; None if the template has no such name."""
        for parameter, value in zip(self.operation.path_parameters, self.values, strict=True):
            if parameter.name == name:
                return value
        return None


class RouteConflictError(ValueError):
    """Two operations claim the same method and template. Carries both."""

    def __init__(self, first: Operation, second: Operation) -> None:
        self.first = first
        self.second = second
        super().__init__(f"{first.name} and {second.name} are both {first.method} {first.template}")


class _Node:
    """One segment's place in the tree: literal children, the child of a template, and what ends here."""

    __slots__ = ("any", "literal", "methods")

    def __init__(self) -> None:
        self.literal: dict[str, _Node] = {}
        self.any: _Node | None = None
        self.methods: dict[str, Operation] = {}


class RouteTable:
    """All operations of a snapshot by path. Immutable once made.

    A template's ``{name}`` matches one whole, non-empty segment of the raw path, undecoded. A literal
    segment wins over a template's (OpenAPI 3.0.3, "Path Templating Matching").
    """

    __slots__ = ("_root",)

    def __init__(self, operations: Iterable[Operation]) -> None:
        """Build the table; RouteConflictError if two operations claim one route."""
        self._root = _Node()
        for operation in operations:
            node = self._root
            for segment in operation.template.split("/")[1:]:
                if segment.startswith("{"):
                    if node.any is None:
                        node.any = _Node()
                    node = node.any
                else:
                    node = node.literal.setdefault(segment, _Node())
            if operation.method in node.methods:
                raise RouteConflictError(node.methods[operation.method], operation)
            node.methods[operation.method] = operation

    def match(self, method: str, path: str) -> Route | frozenset[str]:
        """Find the operation of a request.

        Gives the methods that the path does have where it lacks this one; an empty set where there is
        no such path at all.
        """
        segments = path.split("/")
        allowed: set[str] = set()
        route = self._walk(self._root, segments, 1, (), method, allowed)
        return frozenset(allowed) if route is None else route

    def _walk(
        self,
        node: _Node,
        segments: list[str],
        at: int,
        values: tuple[str, ...],
        method: str,
        allowed: set[str],
    ) -> Route | None:
        while at < len(segments):
            segment = segments[at]
            literal = node.literal.get(segment)
            template = node.any if segment else None
            at += 1
            if literal is None:
                if template is None:
                    return None
                values = (*values, segment)
                node = template
            else:
                if template is not None:
                    found = self._walk(literal, segments, at, values, method, allowed)
                    if found is not None or allowed:
                        return found
                    values = (*values, segment)
                    node = template
                    continue
                node = literal
        operation = node.methods.get(method)
        if operation is not None:
            return Route(operation, values)
        allowed.update(node.methods)
        return None
