"""Rules for objects: required properties, size, members and their names, dependencies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway.core.schema import words
from gateway.core.schema.pattern import matcher
from gateway.core.schema.report import MISSING, Place
from gateway.core.schema.rules import Rule
from gateway.core.schema.scalars import at_least, at_most

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from gateway.core.schema.report import Report
    from gateway.core.schema.rules import Build, Check, Scope
    from gateway.core.schema.trial import Trial
    from gateway.core.types import Json, Layer

_OF_MEMBERS: Final = frozenset(("properties", "patternProperties", "additionalProperties"))


def objects(schema: Mapping[str, Any], scope: Scope, build: Build) -> Iterator[Rule]:
    """Give the rules of objects."""
    layer = scope.layer
    if schema.get("required"):
        yield _required(schema["required"], layer)
    if "dependentRequired" in schema:
        yield _dependent_required(schema["dependentRequired"], layer)
    if "minProperties" in schema:
        code = "object_below_min_properties"
        yield at_least(schema["minProperties"], code, code, words.too_few_properties, layer)
    if "maxProperties" in schema:
        yield at_most(
            schema["maxProperties"], "object_above_max_properties", words.too_many_properties, layer
        )
    known = names_of(schema)
    if "propertyNames" in schema:
        yield _names(build(schema["propertyNames"], scope._replace(noun="key")), known)
    if not _OF_MEMBERS.isdisjoint(schema):
        yield _members(schema, scope, build, known)
    for name, dependent in schema.get("dependentSchemas", {}).items():
        yield _dependent(name, build(dependent, scope))


def names_of(schema: Mapping[str, Any]) -> frozenset[str]:
    """Give the keys that a schema names; any other is the caller's own."""
    return frozenset(
        (
            *schema.get("properties", ()),
            *schema.get("required", ()),
            *schema.get("dependentSchemas", ()),
            *(name for key, names in schema.get("dependentRequired", {}).items() for name in (key, *names)),
        )
    )


def _required(names: Sequence[str], layer: Layer) -> Rule:
    def fits(value: dict[str, Json], _trial: Trial) -> bool:
        for name in names:  # noqa: SIM110 - a generator would take twice as long
            if name not in value:
                return False
        return True

    def tell(value: dict[str, Json], place: Place, report: Report) -> None:
        for name in names:
            if name not in value:
                report.add(
                    Place(place, name, MISSING), "missing_required_parameter", words.missing, layer=layer
                )

    return Rule(fits, tell)


def _dependent_required(dependents: Mapping[str, Sequence[str]], layer: Layer) -> Rule:
    rules = [(name, _required(needed, layer)) for name, needed in dependents.items()]

    def fits(value: dict[str, Json], trial: Trial) -> bool:
        return all(needed.fits(value, trial) for name, needed in rules if name in value)

    def tell(value: dict[str, Json], place: Place, report: Report) -> None:
        for name, needed in rules:
            if name in value:
                needed.tell(value, place, report)

    return Rule(fits, tell)


def _dependent(name: str, check: Check) -> Rule:
    def fits(value: dict[str, Json], trial: Trial) -> bool:
        return name not in value or check.fits(value, trial)

    def tell(value: dict[str, Json], place: Place, report: Report) -> None:
        if name in value:
            check.tell(value, place, report)

    return Rule(fits, tell)


def _names(check: Check, known: frozenset[str]) -> Rule:
    def fits(value: dict[str, Json], trial: Trial) -> bool:
        return all(check.fits(key, trial) for key in value)

    def tell(value: dict[str, Json], place: Place, report: Report) -> None:
        report.spend(len(value))
        for position, key in enumerate(value):
            check.tell(key, Place(place, key, position, key in known, key=True), report)

    return Rule(fits, tell)


def _members(schema: Mapping[str, Any], scope: Scope, build: Build, known: frozenset[str]) -> Rule:
    """Judge an object's members."""
    below = scope.below()
    properties = {name: build(member, below) for name, member in schema.get("properties", {}).items()}
    patterns = [
        (matcher(pattern), build(member, below))
        for pattern, member in schema.get("patternProperties", {}).items()
    ]
    others = build(schema["additionalProperties"], below) if "additionalProperties" in schema else None
    checks_of = _with_patterns(properties, patterns, others) if patterns else None

    def fits(value: dict[str, Json], trial: Trial) -> bool:
        for key, item in value.items():
            check = properties.get(key, others)
            if check is not None and not check.fits(item, trial):
                return False
        return True

    def fits_with_patterns(value: dict[str, Json], trial: Trial) -> bool:
        assert checks_of is not None
        return all(check.fits(item, trial) for key, item in value.items() for check in checks_of(key))

    def tell(value: dict[str, Json], place: Place, report: Report) -> None:
        report.spend(len(value))
        for position, (key, item) in enumerate(value.items()):
            if checks_of is None:
                check = properties.get(key, others)
                if check is not None:
                    check.tell(item, Place(place, key, position, key in known), report)
            else:
                child = Place(place, key, position, key in known)
                for check in checks_of(key):
                    check.tell(item, child, report)

    return Rule(fits if checks_of is None else fits_with_patterns, tell)


def _with_patterns(
    properties: Mapping[str, Check],
    patterns: Sequence[tuple[Callable[[str], object], Check]],
    others: Check | None,
) -> Callable[[str], list[Check]]:
    """Give the function that finds the checks of a member by its key."""

    def checks_of(key: str) -> list[Check]:
        checks = [properties[key]] if key in properties else []
        checks += [check for matches, check in patterns if matches(key)]
        if not checks and others is not None:
            return [others]
        return checks

    return checks_of
