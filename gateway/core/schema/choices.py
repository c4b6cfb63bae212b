"""Which branches of a choice a value can be meant for: by its type, and by a tag that tells objects apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gateway.core.schema.rules import TYPE_OF
from gateway.core.schema.shapes import either

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.core.schema.shapes import Shape


class Candidates(NamedTuple):
    """The branches, by number, that a value can fit; all others it cannot.

    ``by_type`` has them by Python type. Where ``tag`` is not None, every branch for objects requires that
    property and lists strings for it: ``by_tag`` has the branches by those.
    """

    by_type: Mapping[type, tuple[int, ...]]
    tag: str | None
    by_tag: Mapping[str, tuple[int, ...]]


def candidates(shapes: Sequence[Shape]) -> Candidates:
    """Work out the candidates of a choice from the shapes of its branches."""
    by_type = {kind: _allowing(shapes, kind) for kind in TYPE_OF}
    objects = by_type[dict]
    if len(objects) > 1:
        shape = either(shapes[index] for index in objects)
        for name, values in shape.tags.items():
            if name in shape.required and all(type(value) is str for value in values.values()):
                by_tag = {
                    value: tuple(index for index in objects if text in shapes[index].tags[name])
                    for text, value in values.items()
                }
                return Candidates(by_type, name, by_tag)
    return Candidates(by_type, None, {})


def _allowing(shapes: Sequence[Shape], kind: type) -> tuple[int, ...]:
    """Give the branches that may allow a type: a number may be an integer, and an integer is a number."""
    names = {"integer", "number"} if kind in (int, float) else {TYPE_OF[kind]}
    return tuple(index for index, shape in enumerate(shapes) if not names.isdisjoint(shape.types))
