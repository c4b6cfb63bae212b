"""Chains of references that never go down into the value, and circles of them, which would never end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.core.schema.references import circles, references_in_place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.core.types import Plain

MAX_CHAIN: Final = 64
"""How many references may follow on each other that judge the same value."""


class CircleFinder:
    """Looks for such chains among definitions, each of which is looked at once."""

    def __init__(self, definitions: Mapping[str, Plain]) -> None:
        self._definitions = definitions
        self._lengths: dict[str, int] = {}
        """How many references follow on each other from each definition on."""

    def find(self) -> Iterator[tuple[str, str]]:
        """Give a definition of each circle or long chain among those that are new, and what is wrong.

        All that definitions refer to have to be there.
        """
        links = {
            key: set(references_in_place(schema))
            for key, schema in self._definitions.items()
            if key not in self._lengths
        }
        for group in circles(links):  # those first that others refer to
            key = group[0]
            if len(group) > 1 or key in links[key]:
                yield key, "the schema refers to itself without going down into the value"
                self._lengths |= dict.fromkeys(group, 0)
                continue
            length = self._lengths[key] = max((self._lengths[one] + 1 for one in links[key]), default=0)
            if length == MAX_CHAIN + 1:
                yield key, f"more than {MAX_CHAIN} references to the same value follow on each other"
