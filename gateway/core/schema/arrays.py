"""Rules for arrays: length, items, ``contains``, repetition."""

from __future__ import annotations

import operator
from functools import partial
from typing import TYPE_CHECKING, Any

from gateway.core.schema import words
from gateway.core.schema.equality import repetition
from gateway.core.schema.report import Place
from gateway.core.schema.rules import SILENT, Rule
from gateway.core.schema.scalars import at_least, at_most

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from gateway.core.schema.report import Report
    from gateway.core.schema.rules import Build, Check, Scope
    from gateway.core.schema.trial import Trial
    from gateway.core.schema.words import Wording
    from gateway.core.types import Json, Layer


def arrays(schema: Mapping[str, Any], scope: Scope, build: Build) -> Iterator[Rule]:
    """Give the rules of arrays."""
    layer = scope.layer
    if "minItems" in schema:
        too_short = partial(words.too_short, noun="array")
        yield at_least(schema["minItems"], "array_below_min_length", "empty_array", too_short, layer)
    if "maxItems" in schema:
        too_long = partial(words.too_long, noun="array")
        yield at_most(schema["maxItems"], "array_above_max_length", too_long, layer)
    if "prefixItems" in schema:
        yield _prefix([build(item, scope.below()) for item in schema["prefixItems"]])
    if "items" in schema:
        yield _items(build(schema["items"], scope.below()), len(schema.get("prefixItems", ())))
    if "contains" in schema:
        yield from _contains(schema, layer, build(schema["contains"], SILENT))
    if schema.get("uniqueItems"):
        yield _unique(layer)


def _prefix(checks: list[Check]) -> Rule:
    def fits(value: list[Json], trial: Trial) -> bool:
        return all(check.fits(item, trial) for check, item in zip(checks, value, strict=False))

    def tell(value: list[Json], place: Place, report: Report) -> None:
        report.spend(min(len(checks), len(value)))
        for index, (check, item) in enumerate(zip(checks, value, strict=False)):
            check.tell(item, Place(place, index, index), report)

    return Rule(fits, tell)


def _items(check: Check, start: int) -> Rule:
    item_fits, item_tell = check.fits, check.tell

    def fits(value: list[Json], trial: Trial) -> bool:
        return all(item_fits(item, trial) for item in (value[start:] if start else value))

    def tell(value: list[Json], place: Place, report: Report) -> None:
        report.spend(len(value))
        for index in range(start, len(value)):
            item_tell(value[index], Place(place, index, index), report)

    return Rule(fits, tell)


def _contains(schema: Mapping[str, Any], layer: Layer, check: Check) -> Iterator[Rule]:
    """Count the items that fit ``contains``; ``minContains`` is 1 where it is not given."""

    def count(value: list[Json], trial: Trial) -> int:
        return sum(check.fits(item, trial) for item in value)

    fewest = schema.get("minContains", 1)
    if fewest:
        yield _counted(count, fewest, operator.ge, words.too_few_fitting, layer)
    if "maxContains" in schema:
        yield _counted(count, schema["maxContains"], operator.le, words.too_many_fitting, layer)


def _counted(
    count: Callable[[list[Json], Trial], int],
    limit: int,
    holds: Callable[[int, int], bool],
    wording: Wording,
    layer: Layer,
) -> Rule:
    def fits(value: list[Json], trial: Trial) -> bool:
        return holds(count(value, trial), limit)

    def tell(value: list[Json], place: Place, report: Report) -> None:
        found = count(value, report.trial)
        if not holds(found, limit):
            report.add(place, "invalid_value", wording, limit, found, layer)

    return Rule(fits, tell)


def _unique(layer: Layer) -> Rule:
    def fits(value: list[Json], _trial: Trial) -> bool:
        return repetition(value) is None

    def tell(value: list[Json], place: Place, report: Report) -> None:
        found = repetition(value)
        if found is not None:
            report.add(place, "array_items_not_unique", words.repeated, *found, layer)

    return Rule(fits, tell)
