"""Of several schemas none of which fits, the one that came closest tells what is wrong.

That is the one that the discriminator names; else, of those that allow the value's type, the one whose tags
it has (properties with listed values, such as ``type``); else the one with the fewest wrong types, then the
fewest violations, then the fewest properties that it does not name. A type that none allows, a tag's value
that none knows and a tag that is missing and that all require are told as such, for all of them.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from gateway.core.schema import words
from gateway.core.schema.equality import canonical
from gateway.core.schema.report import MISSING, Full, Place, Sketch
from gateway.core.schema.scalars import refusal, wrong_type
from gateway.core.schema.shapes import either

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gateway.core.schema.choices import Candidates
    from gateway.core.schema.report import Report
    from gateway.core.schema.rules import Check
    from gateway.core.schema.shapes import Shape, Tag
    from gateway.core.types import Json, Layer

_SCALARS: Final = (str, int, float, bool, type(None))


class Branch(NamedTuple):
    """One schema of a choice: compiled, and what it says at first sight."""

    check: Check
    shape: Shape


class Closest:
    """Tells what is wrong with values that no branch of a choice fits.

    ``candidates`` are those of ``branches``. ``discriminator`` is ``x-discriminator`` of the plain form, if
    any.
    """

    def __init__(
        self,
        branches: Sequence[Branch],
        candidates: Candidates[Branch],
        layer: Layer,
        discriminator: Mapping[str, Any] | None,
    ) -> None:
        self._by_type = candidates.by_type
        self._layer = layer
        types = either([branch.shape for branch in branches]).types
        self._wrong_type = wrong_type(types, layer) if types else refusal(layer)
        objects = self._by_type[dict]
        self._name, self._named = "", {}
        self._tags = dict(_shared_tags(objects))
        if discriminator is not None:
            self._name = discriminator["property"]
            self._named = {value: branches[number] for value, number in discriminator["branches"].items()}
            supported = {canonical(value): value for value in self._named}
            for branch in objects:
                supported |= branch.shape.tags.get(self._name, {})
            self._tags = {self._name: supported, **self._tags}

    def tell(self, value: Json, place: Place, report: Report) -> None:
        """Add at least one violation for a value that no branch fits."""
        branches = self._by_type[type(value)]
        if not branches:
            self._wrong_type(value, place, report)
        elif report.brief:
            report.add(place, "invalid_value", words.no_form, layer=self._layer)
        elif len(branches) == 1:
            branches[0].check.tell(value, place, report)
        elif type(value) is not dict:
            _nearest(branches, value, place, report).check.tell(value, place, report)
        else:
            self._tell_object(branches, value, place, report)

    def _tell_object(
        self, branches: Sequence[Branch], value: dict[str, Json], place: Place, report: Report
    ) -> None:
        tag = value.get(self._name)
        if type(tag) is str and tag in self._named:
            self._named[tag].check.tell(value, place, report)
            return
        if any(self._tell_tag(name, value, place, report) for name in self._tags):
            return
        wrong = [self._wrong_tags(branch.shape, value) for branch in branches]
        likely = [branch for branch, count in zip(branches, wrong, strict=True) if count == min(wrong)]
        _nearest(likely, value, place, report).check.tell(value, place, report)

    def _tell_tag(self, name: str, value: dict[str, Json], place: Place, report: Report) -> bool:
        """Tell of a tag that it is missing or has a value that no branch knows; say whether it is so."""
        supported = self._tags[name]
        if name not in value:
            missing = all(name in branch.shape.required for branch in self._by_type[dict])
            if missing:
                child = Place(place, name, MISSING)
                report.add(child, "missing_required_parameter", words.missing, layer=self._layer)
            return missing
        found = value[name]
        if _has(found, supported):
            return False
        child = Place(place, name, list(value).index(name))
        values = list(supported.values())
        if type(found) is not str and all(type(one) is str for one in values):
            wrong_type(["string"], self._layer)(found, child, report)
        else:
            wording = words.not_listed(words.listed(values), found)
            report.add(child, "invalid_value", wording, layer=self._layer)
        return True

    def _wrong_tags(self, shape: Shape, value: dict[str, Json]) -> int:
        """Count the shared tags that a branch requires to be there, or to be different."""
        return sum(
            not _has(value[name], shape.tags.get(name, self._tags[name]))
            if name in value
            else name in shape.required
            for name in self._tags
        )


def _shared_tags(branches: Sequence[Branch]) -> Iterator[tuple[str, Tag]]:
    """Give the tags that all branches have, though not with the same values."""
    for name, supported in either([branch.shape for branch in branches]).tags.items():
        if any(len(branch.shape.tags[name]) < len(supported) for branch in branches):
            yield name, supported


def _has(value: Json, supported: Tag) -> bool:
    return type(value) in _SCALARS and canonical(value) in supported


def _nearest(branches: Sequence[Branch], value: Json, place: Place, report: Report) -> Branch:
    """Choose the branch with the least distance; the first one of equals."""
    if len(branches) == 1:
        return branches[0]
    return min(branches, key=lambda branch: _distance(branch, value, place, report))


def _distance(branch: Branch, value: Json, place: Place, report: Report) -> tuple[int, int, int]:
    """Say how far a branch is from fitting, as far as a sketch goes."""
    sketch = Sketch(report.trial, report.without)
    with suppress(Full):
        branch.check.tell(value, place, sketch)
    wrong_types = sum(entry.code == "invalid_type" for entry in sketch.entries)
    strange = sum(name not in branch.shape.names for name in value) if type(value) is dict else 0
    return wrong_types, sketch.total, strange
