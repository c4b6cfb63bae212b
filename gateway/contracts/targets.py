"""The targets of overlays: JSONPath expressions (RFC 9535) that select places in a document.

The library behind them is imported when the first one is compiled, for it brings an engine of regular
expressions along. What it could be led to do by a few characters is bounded: expressions are short, and what
each segment selects is counted.
"""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from gateway.documents import MAX_DEPTH

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jsonpath_rfc9535 import JSONPathEnvironment, JSONPathNode

    from gateway.core.types import Json

MAX_LENGTH: Final = 2000
"""How many characters a target may have."""
MAX_SELECTED: Final = 100_000
"""How many values a target may select, and so may each of its segments on the way there."""

Location: TypeAlias = "tuple[str | int, ...]"
"""Keys and indices that lead from a document's root to a value."""


class TargetFault(Exception):
    """A target that is not a JSONPath expression, or cannot be evaluated. Its text is the reason."""


class Target:
    """A compiled target. Raises :class:`TargetFault` when ``expression`` is not well-formed."""

    __slots__ = ("_query",)

    def __init__(self, expression: str) -> None:
        if len(expression) > MAX_LENGTH:
            raise TargetFault(f"it is longer than {MAX_LENGTH} characters")
        try:
            self._query: Any = _environment().compile(expression)
        except _failures() as error:
            raise TargetFault(_reason(error)) from None

    def select(self, value: Json) -> list[Location]:
        """Give where the selected values stand in ``value``, each once, in the order of RFC 9535.

        Raises :class:`TargetFault` when that are too many.
        """
        nodes: Iterable[JSONPathNode] = [_root(value)]
        try:
            for segment in self._query.segments:  # not all at once: the library would chain its generators
                nodes = list(itertools.islice(segment.resolve(nodes), MAX_SELECTED + 1))
                if len(nodes) > MAX_SELECTED:
                    raise TargetFault(f"it selects more than {MAX_SELECTED} values")
        except _failures() as error:
            raise TargetFault(_reason(error)) from None
        return list(dict.fromkeys(node.location for node in nodes))


@functools.cache
def _environment() -> JSONPathEnvironment:
    from jsonpath_rfc9535 import JSONPathEnvironment  # noqa: PLC0415 - only when overlays are used

    class Environment(JSONPathEnvironment):
        max_recursion_depth = MAX_DEPTH + 2

    return Environment()


def _root(value: Json) -> JSONPathNode:
    from jsonpath_rfc9535 import JSONPathNode  # noqa: PLC0415 - as above

    return JSONPathNode(value=value, location=(), parent=None, root=value)


def _failures() -> tuple[type[Exception], ...]:
    """Give what the library raises for bad targets: its own, and Python's for absurd numbers or depth."""
    from jsonpath_rfc9535 import JSONPathError  # noqa: PLC0415 - as above

    return JSONPathError, RecursionError, ValueError, OverflowError


def _reason(error: Exception) -> str:
    """Give the library's words, with the character in the target where it says so."""
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    token = getattr(error, "token", None)
    words = str(error.args[0]) if error.args else "it is malformed"
    return words if token is None else f"{words}, at character {token.index + 1}"
