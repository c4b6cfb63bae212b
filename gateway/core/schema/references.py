"""Which definitions schemas refer to, and which of those refer to one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.schema.plain import IN_PLACE, inner_schemas

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from gateway.core.types import Plain


def references(schema: Plain) -> Iterator[str]:
    """Give the names of the definitions that a schema refers to, at any depth: one for each ``$ref``."""
    return _references(schema, in_place=False)


def references_in_place(schema: Plain) -> Iterator[str]:
    """Give the names of those alone that judge the very value that the schema judges."""
    return _references(schema, in_place=True)


def _references(schema: Plain, *, in_place: bool) -> Iterator[str]:
    pending = [schema]
    while pending:
        one = pending.pop()
        if not isinstance(one, bool):
            if "$ref" in one:
                yield one["$ref"]
            pending += inner_schemas(one, IN_PLACE) if in_place else inner_schemas(one)


def circles(links: Mapping[str, Collection[str]]) -> list[list[str]]:
    """Group what refers to one another in a circle; each group comes after those that it refers to.

    S. R. Kosaraju's algorithm, without recursion. Names that are no key of ``links`` are left out.
    """
    backward: dict[str, list[str]] = {name: [] for name in links}
    for name, targets in links.items():
        for target in targets:
            if target in links:
                backward[target].append(name)
    seen: set[str] = set()
    groups = [_reached(name, backward, seen) for name in reversed(_finished(links))]
    return [group for group in reversed(groups) if group]


def _finished(links: Mapping[str, Collection[str]]) -> list[str]:
    """Give all names in the order in which a search from each, depth first, is done with them."""
    order: list[str] = []
    seen: set[str] = set()
    for start in links:
        trail: list[tuple[str, Iterator[str]]] = []
        following: Iterator[str] = iter((start,))
        while True:
            name = next((one for one in following if one in links and one not in seen), None)
            if name is not None:
                seen.add(name)
                trail.append((name, following))
                following = iter(links[name])
            elif trail:
                done, following = trail.pop()
                order.append(done)
            else:
                break
    return order


def _reached(start: str, links: Mapping[str, Collection[str]], seen: set[str]) -> list[str]:
    """Give what can be reached and was not seen yet."""
    found: list[str] = []
    pending = [start]
    while pending:
        name = pending.pop()
        if name not in seen:
            seen.add(name)
            found.append(name)
            pending += links[name]
    return found
