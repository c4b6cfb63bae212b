"""Which branches of a choice a value can be meant for: by its type, and by a tag that tells objects apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from gateway.core.schema.rules import TYPE_OF
from gateway.core.schema.shapes import either

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.core.schema.shapes import Shape
    from gateway.core.types import Json

T = TypeVar("T")


class Candidates(Generic[T]):
    """The branches of a choice, by what a value must be like to fit them; all others it cannot fit.

    ``by_type`` has them by the value's Python type, as far as ``shapes``, those of the branches, tell. Where
    all branches for objects require the same property and list strings for it, that property is their tag.
    """

    __slots__ = ("_by_tag", "_tag", "by_type")

    def __init__(self, branches: Sequence[T], shapes: Sequence[Shape]) -> None:
        known = list(zip(branches, shapes, strict=True))
        self.by_type = {
            kind: tuple(branch for branch, shape in known if _allows(shape, kind)) for kind in TYPE_OF
        }
        self._tag, self._by_tag = _tagged([one for one in known if _allows(one[1], dict)])

    def of(self, value: Json) -> Sequence[T]:
        """Give the branches that a value can fit; KeyError for what is not JSON."""
        kind = type(value)
        if kind is dict and self._tag is not None:
            text = value.get(self._tag)
            return self._by_tag.get(text, ()) if type(text) is str else ()
        return self.by_type[kind]


def _allows(shape: Shape, kind: type) -> bool:
    """Say whether a branch may allow a type: a number may be an integer, and an integer is a number."""
    names = {"integer", "number"} if kind in {int, float} else {TYPE_OF[kind]}
    return not names.isdisjoint(shape.types)


def _tagged(known: Sequence[tuple[T, Shape]]) -> tuple[str | None, dict[str, tuple[T, ...]]]:
    """Find a tag that every branch requires, and by each of its strings the branches that allow it."""
    if len(known) < 2:
        return None, {}
    common = either(shape for _, shape in known)
    for name, values in common.tags.items():
        if name in common.required and all(type(value) is str for value in values.values()):
            return name, {
                value: tuple(branch for branch, shape in known if text in shape.tags[name])
                for text, value in values.items()
            }
    return None, {}
