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
        parameters = self.operation.path_parameters
        for index in range(len(parameters)):
            if parameters[index].name == name:
                return self.values[index]
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
        found = _walk(self._root, path.split("/"), 1, ())
        if found is None:
            return _NO_METHODS
        methods, values = found
        operation = methods.get(method)
        return frozenset(methods) if operation is None else Route(operation, values)


_NO_METHODS: frozenset[str] = frozenset()


def _walk(
    node: _Node, segments: list[str], at: int, values: tuple[str, ...]
) -> tuple[dict[str, Operation], tuple[str, ...]] | None:
    """Give the methods at the path's end and what stands for the templates on the way."""
    for index in range(at, len(segments)):
        segment = segments[index]
        literal = node.literal.get(segment)
        template = node.any
        if literal is not None:
            if template is None:
                node = literal
                continue
            found = _walk(literal, segments, index + 1, values)
            if found is not None:
                return found
        if template is None or not segment:
            return None
        values = (*values, segment)
        node = template
    return (node.methods, values) if node.methods else None
