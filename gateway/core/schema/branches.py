"""Rules that combine schemas: ``allOf``, ``anyOf``, ``oneOf``, ``not``, ``if``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.core.schema import words
from gateway.core.schema.choices import Candidates
from gateway.core.schema.closest import Branch, Closest
from gateway.core.schema.rules import SILENT, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.core.schema.report import Place, Report
    from gateway.core.schema.rules import Build, Check, Scope
    from gateway.core.schema.shapes import Shapes
    from gateway.core.schema.trial import Trial
    from gateway.core.types import Json, Layer


def combined(schema: Mapping[str, Any], scope: Scope, build: Build, shapes: Shapes) -> Iterator[Rule]:
    """Give the rules of what combines schemas for the same value."""
    for branch in schema.get("allOf", ()):
        check = build(branch, scope)
        yield Rule(check.fits, check.tell)
    for name in ("anyOf", "oneOf"):
        if name in schema:
            branches = [Branch(build(branch, scope), shapes.of(branch)) for branch in schema[name]]
            candidates = Candidates(branches, [branch.shape for branch in branches])
            closest = Closest(branches, candidates, scope.layer, schema.get("x-discriminator"))
            choice = _Choice(candidates, closest, scope.layer, only_one=name == "oneOf")
            yield Rule(choice.fits, choice.tell)
    if "not" in schema:
        yield _not(build(schema["not"], SILENT), scope.layer)
    if "if" in schema and ("then" in schema or "else" in schema):
        sides = [build(schema.get(name, True), scope) for name in ("then", "else")]
        yield _conditional(build(schema["if"], SILENT), *sides)


def _not(excluded: Check, layer: Layer) -> Rule:
    def fits(value: Json, trial: Trial) -> bool:
        return not excluded.fits(value, trial)

    def tell(value: Json, place: Place, report: Report) -> None:
        if excluded.fits(value, report.trial):
            report.add(place, "invalid_value", words.not_allowed, layer=layer)

    return Rule(fits, tell)


def _conditional(condition: Check, then: Check, otherwise: Check) -> Rule:
    def fits(value: Json, trial: Trial) -> bool:
        side = then if condition.fits(value, trial) else otherwise
        return side.fits(value, trial)

    def tell(value: Json, place: Place, report: Report) -> None:
        side = then if condition.fits(value, report.trial) else otherwise
        side.tell(value, place, report)

    return Rule(fits, tell)


class _Choice:
    """``anyOf`` or ``oneOf``."""

    def __init__(
        self, candidates: Candidates[Branch], closest: Closest, layer: Layer, *, only_one: bool
    ) -> None:
        self._candidates = candidates
        self._closest = closest
        self._layer = layer
        self._only_one = only_one

    def fits(self, value: Json, trial: Trial) -> bool:
        found = False
        for branch in self._candidates.of(value):
            if branch.check.fits(value, trial):
                if not self._only_one:
                    return True
                if found:
                    return False
                found = True
        return found

    def tell(self, value: Json, place: Place, report: Report) -> None:
        fitting = 0
        candidates = self._candidates.of(value)
        for branch in candidates:
            fitting += branch.check.fits(value, report.trial)
            if fitting > self._only_one:
                break
        if not fitting:
            if report.brief:  # what is only counted is counted as long as that is cheap
                report.trial.steps += len(candidates)
            self._closest.tell(value, place, report)
        elif fitting > 1:
            report.add(place, "invalid_value", words.ambiguous, layer=self._layer)
