"""The route phase: method and path in, an operation out. Cost does not grow with the number of operations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote

from gateway.core.fields import folded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.core.types import Condition, FieldBlock, Operation, RequestHead


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
    """Two operations claim the same method and template under the same conditions. Carries both."""

    def __init__(self, first: Operation, second: Operation) -> None:
        self.first = first
        self.second = second
        super().__init__(f"{first.name} and {second.name} are both {first.method} {first.template}")


class _Pattern(NamedTuple):
    """A segment with names and literal text: ``{id}.json``, ``{name}:cancel``, ``{a}:{b}``."""

    prefix: str
    between: tuple[str, ...]
    suffix: str

    def match(self, segment: str) -> tuple[str, ...] | None:
        """Give what stands for the names, none of it empty; None where the segment does not match.

        Nothing at all, ``()``, where it does, and in more than one way.
        """
        if not segment.startswith(self.prefix) or not segment.endswith(self.suffix):
            return None
        rest = segment[len(self.prefix) : len(segment) - len(self.suffix)]
        values: list[str] = []
        for literal in self.between:
            value, found, rest = rest.partition(literal)
            if not found:
                return None
            if literal in rest:
                return ()
            values.append(value)
        values.append(rest)
        return tuple(values) if all(values) else None

    @property
    def order(self) -> tuple[int, int]:
        """Say when it is tried: the more literal text the sooner, and the fewer names."""
        return -sum(map(len, (self.prefix, *self.between, self.suffix))), len(self.between)


_WHOLE: Final = _Pattern("", (), "")
_MATRIX: Final = re.compile(r";[^/]*")
"""What some servers take off a segment before they look for the route (RFC 3986 section 3.3)."""


_NAME: Final = re.compile(r"\{[^{}]*\}")


class _Choices:
    """Operations of one path of which some have conditions: by method, those with most conditions first."""

    __slots__ = ("_by_fields_alone", "_operations")

    def __init__(self) -> None:
        self._operations: dict[str, list[Operation]] = {}
        self._by_fields_alone = True

    def add(self, operation: Operation) -> None:
        """Take one more; RouteConflictError if another has the same conditions."""
        known = self._operations.setdefault(operation.method, [])
        for other in known:
            if set(other.conditions) == set(operation.conditions):
                raise RouteConflictError(other, operation)
        known.append(operation)
        known.sort(key=lambda item: -len(set(item.conditions)))
        if any(condition.where != "header" for condition in operation.conditions):
            self._by_fields_alone = False

    def holding(self, head: RequestHead | None) -> dict[str, Operation]:
        """Give, by method, the first operation whose conditions hold."""
        if head is None or not self._by_fields_alone:
            return self._find(head)
        found: dict[str, Operation] | None = head.block.derived.get(self)
        if found is None:
            found = self._find(head)
            head.block.keep(self, found)
        return found

    def _find(self, head: RequestHead | None) -> dict[str, Operation]:
        found: dict[str, Operation] = {}
        for method, operations in self._operations.items():
            holding = [one for one in operations if all(_holds(each, head) for each in one.conditions)]
            # Where a field has the values of several, it would be the client's choice which one judges.
            if holding and not any(_are_rivals(holding[0], other) for other in holding[1:]):
                found[method] = holding[0]
        return found


def _are_rivals(one: Operation, other: Operation) -> bool:
    """Say whether ``other`` wants a value that ``one`` does not, of a header or query that both look at."""
    places = {condition[:2] for condition in one.conditions}
    return any(each[:2] in places and each not in one.conditions for each in other.conditions)


def _holds(condition: Condition, head: RequestHead | None) -> bool:
    """Say whether a request has what a condition asks for; what stands twice is for the judges to refuse."""
    if head is None:
        return False
    if condition.where == "query":
        wanted = (condition.name, condition.value)
        parts = head.query.split("&") if head.query else ()
        return any((unquote(name), unquote(value)) == wanted for name, _, value in map(_pair, parts))
    name, value = condition.name.encode("latin-1"), condition.value.encode("latin-1", "replace")
    return any(
        lower == name and value in [member.strip(b" \t") for member in listed.split(b",")]
        for _, lower, listed in head.block.fields
    )


def _pair(part: str) -> tuple[str, str, str]:
    return part.partition("=")


class _Node:
    """One segment's place in the tree: its children, and what ends here.

    Where there are ``mixed`` children there is an ``any``, too, if only an empty one. ``choices`` takes the
    place of ``methods`` where something that ends here has conditions.
    """

    __slots__ = ("any", "choices", "literal", "methods", "mixed")

    def __init__(self) -> None:
        self.literal: dict[str, _Node] = {}
        self.mixed: list[tuple[_Pattern, _Node]] = []
        self.any: _Node | None = None
        self.methods: dict[str, Operation] = {}
        self.choices: _Choices | None = None

    def child(self, segment: str) -> _Node:
        """Give the child for one segment of a template, made if need be."""
        if "{" not in segment:
            return self.literal.setdefault(segment, _Node())
        if self.any is None:
            self.any = _Node()
        prefix, *between, suffix = _NAME.split(segment)
        pattern = _Pattern(prefix, tuple(between), suffix)
        if pattern == _WHOLE:
            return self.any
        for known, node in self.mixed:
            if known == pattern:
                return node
        node = _Node()
        self.mixed.append((pattern, node))
        self.mixed.sort(key=lambda item: item[0].order)
        return node

    def end(self, operation: Operation) -> None:
        """Let an operation end here; RouteConflictError if another one of the method does."""
        if self.choices is None and not operation.conditions:
            other = self.methods.setdefault(operation.method, operation)
            if other is not operation:
                raise RouteConflictError(other, operation)
            return
        if self.choices is None:
            self.choices = _Choices()
            for other in self.methods.values():
                self.choices.add(other)
        self.choices.add(operation)


class RouteTable:
    """All operations of a snapshot by path. Immutable once made.

    A template's ``{name}`` matches one whole, non-empty segment of the raw path, undecoded, or together with
    literal text a part of one. A literal segment wins over a mixed one, and that, the more literal text the
    sooner, over a name alone (OpenAPI 3.0.3, "Path Templating Matching").

    Of operations with the same method and template, those are looked at first that have most conditions. One
    whose conditions do not hold is as if it did not exist, and so are those that want different values of one
    field in which both stand. A path that has another operation once it is decoded, or once what follows a
    semicolon in its segments is taken away, has none: there are upstreams that do so first. So has one that a
    template matches in two ways, ``/a:b:c`` for ``/{x}:{y}``, even where a name alone would match it.
    """

    __slots__ = ("_guarded", "_imitations", "_root")

    def __init__(self, operations: Iterable[Operation]) -> None:
        """Build the table; RouteConflictError if two operations claim one route."""
        self._root = _Node()
        operations = tuple(operations)
        names = [
            condition.name
            for one in operations
            for condition in one.conditions
            if condition.where == "header"
        ]
        names += [parameter.name for one in operations for parameter in one.header_parameters]
        self._guarded = frozenset(name.encode("latin-1") for name in names)
        self._imitations = frozenset(map(folded, self._guarded))
        for operation in operations:
            node = self._root
            for segment in operation.template.split("/")[1:]:
                node = node.child(segment)
            node.end(operation)

    def match(self, method: str, path: str, head: RequestHead | None = None) -> Route | frozenset[str]:
        """Find the operation of a request; ``head`` is what conditions are looked for in.

        Gives the methods that the path does have where it lacks this one; an empty set where there is
        no such path at all.
        """
        found = _walk(self._root, path.split("/"), 1, (), head)
        if found is None:
            return _NO_METHODS
        methods, values = found
        if "%" in path:
            decoded = _walk(self._root, unquote(path).split("/"), 1, (), head)
            if decoded is None or decoded[0] != methods:
                return _NO_METHODS
        if ";" in path or "%3" in path:
            bare = _walk(self._root, _MATRIX.sub("", unquote(path)).split("/"), 1, (), head)
            if bare is not None and bare[0] != methods:
                return _NO_METHODS
        operation = methods.get(method)
        return frozenset(methods) if operation is None else Route(operation, values)

    def tampers(self, block: FieldBlock) -> bool:
        """Say whether fields of a head keep others, by which requests are routed or judged, from arriving.

        That is so where Connection names one of those, and where a name becomes one of theirs for upstreams
        that take underscores for dashes, as CGI has it (RFC 3875 section 4.1.18).
        """
        if not self._guarded:
            return False
        known: bool | None = block.derived.get(self)
        if known is None:
            known = not self._guarded.isdisjoint(block.options) or any(
                lower not in self._guarded and folded(lower) in self._imitations
                for _, lower, _ in block.fields
            )
            block.keep(self, known)
        return known


_NO_METHODS: frozenset[str] = frozenset()
_IN_DOUBT: Final[tuple[dict[str, Operation], tuple[str, ...]]] = {}, ()
"""Where a path ends that a template may match in two ways: there is nothing, and nothing else is tried."""


def _walk(
    node: _Node, segments: list[str], at: int, values: tuple[str, ...], head: RequestHead | None
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
            found = _walk(literal, segments, index + 1, values, head)
            if found is not None:
                return found
        if template is None or not segment:
            return None
        if node.mixed:
            found = _walk_mixed(node, segments, index, values, head)
            if found is not None:
                return found
        values = (*values, segment)
        node = template
    methods = node.methods if node.choices is None else node.choices.holding(head)
    return (methods, values) if methods else None


def _walk_mixed(
    node: _Node, segments: list[str], at: int, values: tuple[str, ...], head: RequestHead | None
) -> tuple[dict[str, Operation], tuple[str, ...]] | None:
    """Try the children that stand for a part of the segment at ``at``."""
    for pattern, child in node.mixed:
        parts = pattern.match(segments[at])
        if parts is not None:
            found = _walk(child, segments, at + 1, (*values, *parts), head)
            if found is not None:
                return found if parts else _IN_DOUBT
    return None
