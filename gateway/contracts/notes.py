"""Looking at a document: what stands where, and what is wrong with it, collected until all of it is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway.contracts.sources import Place, ReferenceFault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.contracts.sources import Sources
    from gateway.errors import Fault

_BESIDE_REFERENCE: Final = frozenset(("$ref", "summary", "description"))


class Notes:
    """The faults and warnings of a document, and the ways to look at it that may find some.

    A fault keeps the document from being used. A warning says what it means otherwise than it may seem.
    """

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.faults: list[Fault] = []
        self.warnings: list[Fault] = []

    def fault(self, place: Place, message: str) -> None:
        """Note a fault at ``place``."""
        self.faults.append(self.sources.fault(place, message))

    def warn(self, place: Place, message: str) -> None:
        """Note a warning at ``place``."""
        self.warnings.append(self.sources.fault(place, message))

    def mapping(self, place: Place, what: str) -> Mapping[str, Any]:
        """Give the mapping at ``place``; an empty one, and the fault noted, where ``what`` is none."""
        try:
            value = self.sources.value(place)
        except LookupError:  # its holder is there, and it is not: the fault stands at the holder
            value = None
        if isinstance(value, dict):
            return value
        self.fault(place, f"{what} must be a mapping")
        return {}

    def flag(self, holder: Mapping[str, Any], name: str, place: Place, *, default: bool = False) -> bool:
        """Give the true or false called ``name`` in the mapping at ``place``."""
        value = holder.get(name, default)
        if not isinstance(value, bool):
            self.fault(at(place, name), f"{name} must be true or false")
            return default
        return value

    def known_keys(self, holder: Mapping[str, Any], place: Place, known: frozenset[str], what: str) -> None:
        """Note as faults the members that OpenAPI does not give to ``what``: they may be misspelt rules."""
        for key in holder:
            if key not in known and not key.startswith("x-"):
                self.fault(at(place, key), f"{what} has no {key}")

    def follow(self, place: Place) -> Place | None:
        """Give the place of what stands at ``place``, references followed; None, and the fault, if lost."""
        value = self.sources.value(place)
        if not isinstance(value, dict) or "$ref" not in value:
            return place
        for key in value:
            if key not in _BESIDE_REFERENCE and not key.startswith("x-"):
                self.warn(at(place, key), f"{key} has no effect beside $ref")
        try:
            return self.sources.follow(place)
        except ReferenceFault as fault:
            self.fault(fault.place, fault.message)
            return None


def at(place: Place, *steps: str | int) -> Place:
    """Give the place of a member, or of a member's member."""
    return Place(place.file, (*place.path, *steps))
