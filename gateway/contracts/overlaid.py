"""A document that others were laid over: it remembers of every value which file brought it.

Nothing that was read is changed: containers are copied on the way down to what changes, and only those. What
stands where is kept the same way, as the difference from "where the document has it".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from gateway.documents import MAX_DEPTH, Document

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gateway.contracts.targets import Location
    from gateway.core.types import Json
    from gateway.errors import Fault


class Source(NamedTuple):
    """Where a value was written: in this document at this location."""

    document: Document
    location: Location

    def below(self, step: str | int) -> Source:
        """Give where a member of the value was written."""
        return Source(self.document, (*self.location, step))

    def fault(self, message: str) -> Fault:
        """Give a fault at this place."""
        return self.document.fault(self.location, message)


@dataclass(slots=True)
class _Origin:
    """Where a value comes from, and its members' origins where those are not simply below it."""

    source: Source
    members: dict[str | int, _Origin] = field(default_factory=dict)

    def member(self, step: str | int) -> _Origin:
        """Give a member's origin."""
        return self.members.get(step) or _Origin(self.source.below(step))

    def enter(self, step: str | int) -> _Origin:
        """Give a member's origin, to be changed."""
        return self.members.setdefault(step, self.member(step))


class Overlaid(Document):
    """A document as others changed it; made by :class:`Edit`.

    ``file`` is the name of the document that was changed, while ``position`` and ``fault`` tell where a value
    was really written, be it in that file or in another one.
    """

    __slots__ = ("_origin",)

    def __init__(self, document: Document, value: Json, origin: _Origin) -> None:
        super().__init__(document.file, value, "")
        self._origin = origin

    def source(self, path: Sequence[str | int] = ()) -> Source:
        """Give where the value at ``path`` was written, or its nearest ancestor when there is none."""
        value, origin = self.value, self._origin
        for step in path:
            if isinstance(value, dict):
                there = step in value
            else:
                there = isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value)
            if not there:
                break
            value, origin = value[step], origin.member(step)
        return origin.source

    def position(self, path: Sequence[str | int] = ()) -> tuple[int, int]:
        """Give line and column as :meth:`Document.position`, in the file that ``source`` names."""
        document, location = self.source(path)
        return document.position(location)

    def fault(self, path: Sequence[str | int], message: str) -> Fault:
        """Give a fault of what stands at ``path``, in the file where it was written."""
        return self.source(path).fault(message)


class Edit:
    """A document while it is changed; ``document`` is left as it is, ``faults`` are what could not be done.

    Locations must exist in ``value``, which is the document as changed so far.
    """

    def __init__(self, document: Document) -> None:
        self.value: Json = document.value
        self.faults: list[Fault] = []
        self._document = document
        self._origin = _Origin(Source(document, ()))
        self._own: dict[int, Json] = {}

    def result(self) -> Overlaid:
        """Give the changed document; this edit is over."""
        return Overlaid(self._document, self.value, self._origin)

    def update(self, locations: Iterable[Location], update: Json, source: Source) -> None:
        """Merge ``update``, written at ``source``, into each object there, or append it to each array there.

        Objects merge member by member, arrays are concatenated, primitives replace primitives; anything else
        does not fit and is a fault (Overlay 1.0.0, "Action Object").
        """
        depth = _depth(update)
        for location in locations:
            if len(location) + depth > MAX_DEPTH:
                self.faults.append(source.fault(f"the update would nest deeper than {MAX_DEPTH} levels"))
                return
            target, origin = self._reach(location)
            if isinstance(target, list):
                origin.members[len(target)] = _Origin(source)
                target.append(update)
            elif not isinstance(target, dict):
                message = f"the target is {_kind(target)}; only objects and arrays are updated"
                self.faults.append(source.fault(message))
            elif not isinstance(update, dict):
                message = f"the target is an object: the update must be one, too, not {_kind(update)}"
                self.faults.append(source.fault(message))
            else:
                self._merge(target, origin, update, source)

    def remove(self, locations: Iterable[Location]) -> None:
        """Remove what stands at each of ``locations``, none of which is empty; all as they are now."""
        removed: dict[Location, set[str | int]] = {}
        for location in locations:
            removed.setdefault(location[:-1], set()).add(location[-1])
        for parent, steps in sorted(removed.items(), key=lambda item: len(item[0]), reverse=True):
            container, origin = self._reach(parent)
            if isinstance(container, list):
                kept = [index for index in range(len(container)) if index not in steps]
                origin.members = {new: origin.member(old) for new, old in enumerate(kept)}
                container[:] = [container[index] for index in kept]
                continue
            for step in steps:
                del container[step]
                origin.members.pop(step, None)

    def _reach(self, location: Location) -> tuple[Json, _Origin]:
        """Give what stands at ``location``, to be changed when it is a container, and its origin."""
        value, origin = self._owned(self.value), self._origin
        self.value = value
        for step in location:
            value[step] = self._owned(value[step])
            value, origin = value[step], origin.enter(step)
        return value, origin

    def _owned(self, value: Json) -> Json:
        """Copy a container that is still shared with a document that was read."""
        if isinstance(value, dict | list) and id(value) not in self._own:
            value = value.copy()
            self._own[id(value)] = value
        return value

    def _merge(
        self, target: dict[str, Json], origin: _Origin, update: dict[str, Json], source: Source
    ) -> None:
        for key, new in update.items():
            place = source.below(key)
            old = target.get(key)
            if key not in target or not (isinstance(old, dict | list) or isinstance(new, dict | list)):
                target[key] = new
                origin.members[key] = _Origin(place)
            elif isinstance(old, dict) and isinstance(new, dict):
                target[key] = own = self._owned(old)
                self._merge(own, origin.enter(key), new, place)
            elif isinstance(old, list) and isinstance(new, list):
                target[key] = own = self._owned(old)
                members = origin.enter(key).members
                members.update({len(own) + index: _Origin(place.below(index)) for index in range(len(new))})
                own += new
            else:
                self.faults.append(place.fault(f"{_kind(new)} cannot be merged into {_kind(old)}"))


def _depth(value: Json) -> int:
    """Give how deep a value nests: 0 for a primitive."""
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def _kind(value: Json) -> str:
    """Name a value's kind, for a message."""
    if isinstance(value, dict):
        return "an object"
    return "an array" if isinstance(value, list) else "a primitive value"
