"""The full form: a schema as a tree of checks that finds every violation and says it in words.

:class:`Checks` turns schemas in plain form (:mod:`gateway.core.schema.plain`) into closures, two for each:
one answers yes or no, in silence, and the other tells what is wrong. A choice between schemas asks the silent
ones, and lets only the branch tell that came closest. Where one value can be judged by the same schema
several times, silent verdicts are remembered (:mod:`gateway.core.schema.trial`), so that the cost stays
bounded on circular schemas, too. A value of the wrong type is not judged further by the same schema.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gateway.core.schema.arrays import arrays
from gateway.core.schema.branches import combined
from gateway.core.schema.evaluated import KEYWORDS, Evaluation
from gateway.core.schema.objects import objects
from gateway.core.schema.report import ROOT, Full, Place, Report
from gateway.core.schema.rules import TYPE_OF, Check, Rule, Scope, is_deep
from gateway.core.schema.scalars import numbers, refusal, strings, values, wrong_type
from gateway.core.schema.shapes import Shapes
from gateway.core.schema.trial import Trial, remembered

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.core.schema.rules import Fits, Tell
    from gateway.core.types import Findings, Json, Layer, Plain

__all__ = ["Check", "Checks", "holds", "judge"]


def judge(
    check: Check, value: Json, parameter: str | None = None, without: frozenset[Layer] = frozenset()
) -> Findings:
    """Give all that is wrong with a value: in document order, at most 100 listed, all counted.

    ``parameter`` names the parameter whose value it is: its violations have no pointer, and a param that
    begins with that name. Violations of the layers ``without`` are left out.
    """
    report = Report(Trial(), without)
    with suppress(Full):
        check.tell(value, ROOT, report)
    return report.findings(parameter)


def holds(check: Check, value: Json) -> bool:
    """Say whether nothing is wrong with a value; it must not change meanwhile."""
    return check.fits(value, Trial())


class Checks:
    """Compiles schemas whose ``$ref`` name ``definitions``, each when it is first needed.

    Neither the schemas nor the definitions may change afterwards.
    """

    def __init__(self, definitions: Mapping[str, Plain]) -> None:
        self._definitions = definitions
        self._shapes = Shapes(definitions)
        self._evaluation = Evaluation(definitions, self._build)
        self._built: dict[tuple[int, Scope], Check] = {}

    def check(self, schema: Plain) -> Check:
        """Compile a schema in plain form; ``$ref`` is followed at first use.

        Raises :class:`gateway.core.schema.pattern.PatternFault` for a pattern that the readers would have
        refused.
        """
        return self._build(schema, Scope())

    def _build(self, schema: Plain, scope: Scope) -> Check:
        key = (id(schema), scope)
        check = self._built.get(key)
        if check is None:
            check = self._built[key] = self._compile(schema, scope)
        return check

    def _compile(self, schema: Plain, scope: Scope) -> Check:
        if isinstance(schema, bool):
            return Check(schema, _always, _accept) if schema else Check(schema, _never, refusal(scope.layer))
        scope = scope.of(schema)
        rules = list(self._everywhere(schema, scope))
        by_type: dict[type, list[Rule]] = {
            kind: self._of_type(kind, schema, scope) for kind in (str, int, list, dict)
        }
        by_type[float] = by_type[int]
        by_type = {kind: [*by_type.get(kind, ()), *rules] for kind in TYPE_OF}
        for kind in KEYWORDS:
            by_type[kind] += self._evaluation.rule(schema, kind, scope, tuple(by_type[kind]))
        if not any(map(len, by_type.values())) and "type" not in schema:
            return Check(schema, _always, _accept)
        fits, tell = _dispatch(schema, scope, by_type, rules)
        check = Check(schema, fits, tell)
        return remembered(check) if scope.shared and is_deep(schema) else check

    def _everywhere(self, schema: Mapping[str, Any], scope: Scope) -> Iterator[Rule]:
        """Give the rules that concern values of any type."""
        yield from values(schema, scope)
        if "$ref" in schema:
            yield self._reference(schema["$ref"], scope)
        yield from combined(schema, scope, self._build, self._shapes)

    def _of_type(self, kind: type, schema: Mapping[str, Any], scope: Scope) -> list[Rule]:
        """Give the rules that concern values of one type."""
        if kind is str:
            return list(strings(schema, scope))
        if kind is int:
            return list(numbers(schema, scope))
        if kind is list:
            return list(arrays(schema, scope, self._build))
        return list(objects(schema, scope, self._build))

    def _reference(self, name: str, scope: Scope) -> Rule:
        """Compile what is referred to when it is first asked for: it may lead back here, further down."""
        target: list[Check] = []

        def resolve() -> Check:
            target.append(self._build(self._definitions[name], scope))
            return target[0]

        def fits(value: Json, trial: Trial) -> bool:
            return (target[0] if target else resolve()).fits(value, trial)

        def tell(value: Json, place: Place, report: Report) -> None:
            (target[0] if target else resolve()).tell(value, place, report)

        return Rule(fits, tell)


def _always(_value: Json, _trial: Trial) -> bool:
    """Judge nothing: the schema ``true``."""
    return True


def _accept(_value: Json, _place: Place, _report: Report) -> None:
    """Tell nothing: the schema ``true``."""


def _never(_value: Json, _trial: Trial) -> bool:
    return False


def _dispatch(
    schema: Mapping[str, Any], scope: Scope, by_type: Mapping[type, list[Rule]], others: list[Rule]
) -> tuple[Fits, Tell]:
    """Put a schema's rules together, by the type of the value."""
    fits_of = {kind: tuple(rule.fits for rule in rules) for kind, rules in by_type.items()}
    tells_of = {kind: tuple(rule.tell for rule in rules) for kind, rules in by_type.items()}
    if "type" in schema:
        names = schema["type"]
        tell_type = wrong_type(names, scope.layer)
        for kind, name in TYPE_OF.items():
            if name not in names and not (name == "integer" and "number" in names):
                fits_of[kind] = (_never,)
                tells_of[kind] = (tell_type,)
        if "integer" in names and "number" not in names:
            fits_of[float], tells_of[float] = _whole(by_type[int], tell_type)
    fits_other, tells_other = tuple(rule.fits for rule in others), tuple(rule.tell for rule in others)

    def fits(value: Json, trial: Trial) -> bool:
        for one in fits_of.get(type(value), fits_other):  # noqa: SIM110 - a generator would take twice as long
            if not one(value, trial):
                return False
        return True

    def tell(value: Json, place: Place, report: Report) -> None:
        for one in tells_of.get(type(value), tells_other):
            one(value, place, report)

    return fits, tell


def _whole(rules: list[Rule], tell_type: Tell) -> tuple[tuple[Fits, ...], tuple[Tell, ...]]:
    """Give the rules of an ``integer`` for a float, which is one if it has no fraction."""

    def tell(value: float, place: Place, report: Report) -> None:
        if not value.is_integer():
            tell_type(value, place, report)
            return
        for rule in rules:
            rule.tell(value, place, report)

    return (lambda value, _: value.is_integer(), *(rule.fits for rule in rules)), (tell,)
