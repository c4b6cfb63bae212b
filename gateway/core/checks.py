"""The full form: a schema as a tree of checks that finds every violation and says it in words.

:func:`build` turns a schema that :func:`gateway.core.keywords.read_schema` gave into closures. The order of
violations at one place: wrong type; for an object, first the required properties that are missing, then its
size, then its members in the order of the document, each key before its value; for an array its size, its
items, repetition; then ``enum`` and ``const``; then ``allOf``, ``anyOf``, ``oneOf``, ``not``.
"""

from __future__ import annotations

import operator
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from gateway.core import words
from gateway.core.equality import canonical
from gateway.core.pattern import translate
from gateway.core.report import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from gateway.core.report import Report
    from gateway.core.types import Json
    from gateway.core.words import Wording

Schema: TypeAlias = "Mapping[str, Json] | bool"
Check: TypeAlias = "Callable[[Json, Place, Report], None]"

_TYPE_OF: Final = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    list: "array",
    dict: "object",
    type(None): "null",
}
_COMPARE: Final = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_SIGNS: Final = {"minimum": ">=", "maximum": "<=", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}


class Node(NamedTuple):
    """A schema's check, and the JSON types that it allows; None for any."""

    check: Check
    types: frozenset[str] | None


def build(schema: Schema, *, noun: str = "string") -> Node:
    """Compile a schema. ``noun`` is what its strings are called: ``key`` below ``propertyNames``."""
    if schema is True:
        return Node(_anything, None)
    if schema is False:
        return Node(_nothing, None)
    by_type: dict[type, tuple[Check, ...]] = {
        str: tuple(_string(schema, noun)),
        int: tuple(_number(schema)),
        float: tuple(_number(schema)),
        list: tuple(_array(schema)),
        dict: tuple(_object(schema)),
    }
    types = frozenset(schema["type"]) if "type" in schema else None
    judge_type = _types(schema["type"]) if "type" in schema else None
    everywhere = (*_values(schema, noun), *_combined(schema, noun))

    def check(value: Json, place: Place, report: Report) -> None:
        if judge_type is not None:
            judge_type(value, place, report)
        for one in by_type.get(type(value), ()):
            one(value, place, report)
        for one in everywhere:
            one(value, place, report)

    return Node(check, types)


def _anything(_value: Json, _place: Place, _report: Report) -> None:
    """Judge nothing: the schema ``true``."""


def _nothing(_value: Json, place: Place, report: Report) -> None:
    """Refuse anything: the schema ``false``, which mostly says which properties may not be there."""
    if isinstance(place.token, str):
        report.add(Place(place.parent, place.token, named=place.named), "unknown_parameter", words.unknown)
    else:
        report.add(place, "invalid_value", words.not_allowed)


def _fits(value: Json, types: frozenset[str]) -> bool:
    """Say whether a value has one of the types; a float without fraction is an integer, too (draft 7)."""
    name = _TYPE_OF[type(value)]
    if name in types:
        return True
    if name == "integer":
        return "number" in types
    return name == "number" and "integer" in types and value.is_integer()


def _types(names: list[str]) -> Check:
    allowed = frozenset(names)
    expected = " or ".join(names)

    def check(value: Json, place: Place, report: Report) -> None:
        if not _fits(value, allowed):
            report.add(place, "invalid_type", words.wrong_type, expected, _TYPE_OF[type(value)])

    return check


def _values(schema: Mapping[str, Json], noun: str) -> Iterator[Check]:
    for name in ("enum", "const"):
        if name in schema:
            values = schema["enum"] if name == "enum" else [schema["const"]]
            yield _one_of_values(values, noun)


def _one_of_values(values: list[Json], noun: str) -> Check:
    allowed = frozenset(map(canonical, values))
    supported = words.listed(values)

    def check(value: Json, place: Place, report: Report) -> None:
        if canonical(value) in allowed:
            return

        def wording(subject: str | None, _limit: Json, _actual: Json) -> str:
            if noun == "key":
                return words.key_not_listed(subject, supported)
            return words.not_listed(supported, value)

        report.add(place, "invalid_value", wording)

    return check


def _at_least(fewest: int, code: str, empty: str, wording: Wording) -> Check:
    def check(value: str | list[Json] | dict[str, Json], place: Place, report: Report) -> None:
        if len(value) < fewest:
            report.add(place, code if value else empty, wording, fewest, len(value))

    return check


def _at_most(most: int, code: str, wording: Wording) -> Check:
    def check(value: str | list[Json] | dict[str, Json], place: Place, report: Report) -> None:
        if len(value) > most:
            report.add(place, code, wording, most, len(value))

    return check


def _string(schema: Mapping[str, Json], noun: str) -> Iterator[Check]:
    if "minLength" in schema:
        too_short = partial(words.too_short, noun=noun)
        yield _at_least(schema["minLength"], "string_below_min_length", "empty_string", too_short)
    if "maxLength" in schema:
        too_long = partial(words.too_long, noun=noun)
        yield _at_most(schema["maxLength"], "string_above_max_length", too_long)
    if "pattern" in schema:
        pattern = schema["pattern"]
        search = translate(pattern).search
        no_match = partial(words.no_match, noun=noun)

        def check_pattern(value: str, place: Place, report: Report) -> None:
            if search(value) is None:
                report.add(place, "invalid_value", no_match, pattern)

        yield check_pattern


def _number(schema: Mapping[str, Json]) -> Iterator[Check]:
    types = schema.get("type", ())
    for name, sign in _SIGNS.items():
        if name in schema:
            yield _bound(schema[name], sign, whole="integer" in types, fractional="number" in types)
    if "multipleOf" in schema:
        factor = schema["multipleOf"]
        exact = Fraction(repr(factor))

        def check(value: float, place: Place, report: Report) -> None:
            if Fraction(repr(value)) % exact:
                report.add(place, "invalid_value", words.no_multiple, factor)

        yield check


def _bound(limit: float, sign: str, *, whole: bool, fractional: bool) -> Check:
    holds = _COMPARE[sign]
    side = "below_min_value" if sign[0] == ">" else "above_max_value"

    def check(value: float, place: Place, report: Report) -> None:
        if not holds(value, limit):
            noun = "integer" if whole or (isinstance(value, int) and not fractional) else "decimal"
            wording = partial(words.out_of_range, noun=noun, sign=sign)
            report.add(place, f"{noun}_{side}", wording, limit, value)

    return check


def _array(schema: Mapping[str, Json]) -> Iterator[Check]:
    if "minItems" in schema:
        yield _at_least(
            schema["minItems"],
            "array_below_min_length",
            "empty_array",
            partial(words.too_short, noun="array"),
        )
    if "maxItems" in schema:
        yield _at_most(schema["maxItems"], "array_above_max_length", partial(words.too_long, noun="array"))
    if "items" in schema:
        item_check = build(schema["items"]).check

        def check_items(value: list[Json], place: Place, report: Report) -> None:
            for index, item in enumerate(value):
                item_check(item, Place(place, index), report)

        yield check_items
    if schema.get("uniqueItems"):
        yield _unique


def _unique(value: list[Json], place: Place, report: Report) -> None:
    """Refuse an array that repeats an item; only the first repetition is named."""
    seen: dict[str, int] = {}
    for index, item in enumerate(value):
        first = seen.setdefault(canonical(item), index)
        if first != index:
            report.add(place, "array_items_not_unique", words.repeated, first, index)
            return


def _object(schema: Mapping[str, Json]) -> Iterator[Check]:
    required = schema.get("required", ())
    if required:

        def check_required(value: dict[str, Json], place: Place, report: Report) -> None:
            for name in required:
                if name not in value:
                    report.add(Place(place, name), "missing_required_parameter", words.missing)

        yield check_required
    if "minProperties" in schema:
        code = "object_below_min_properties"
        yield _at_least(schema["minProperties"], code, code, words.too_few_properties)
    if "maxProperties" in schema:
        yield _at_most(schema["maxProperties"], "object_above_max_properties", words.too_many_properties)
    if schema.keys() & {"properties", "patternProperties", "additionalProperties", "propertyNames"}:
        yield _members(schema, frozenset(required))


def _members(schema: Mapping[str, Json], required: frozenset[str]) -> Check:
    """Judge an object's members in the order of the document."""
    properties = {name: build(member).check for name, member in schema.get("properties", {}).items()}
    patterns = [
        (translate(pattern).search, build(member).check)
        for pattern, member in schema.get("patternProperties", {}).items()
    ]
    others = build(schema.get("additionalProperties", True)).check
    names = build(schema["propertyNames"], noun="key").check if "propertyNames" in schema else None

    def check(value: dict[str, Json], place: Place, report: Report) -> None:
        for key, item in value.items():
            known = properties.get(key)
            named = known is not None or key in required
            child = Place(place, key, named=named)
            if names is not None:
                names(key, Place(place, key, named=named, key=True), report)
            matching = [member for search, member in patterns if search(key)]
            if known is not None:
                known(item, child, report)
            for member in matching:
                member(item, child, report)
            if known is None and not matching:
                others(item, child, report)

    return check


def _combined(schema: Mapping[str, Json], noun: str) -> Iterator[Check]:
    for branch in schema.get("allOf", ()):
        yield build(branch, noun=noun).check
    for name in ("anyOf", "oneOf"):
        if name in schema:
            yield _branches([build(branch, noun=noun) for branch in schema[name]], only_one=name == "oneOf")
    if "not" in schema:
        excluded = build(schema["not"], noun=noun).check

        def check(value: Json, place: Place, report: Report) -> None:
            if report.trial().passes(partial(excluded, value, place)):
                report.add(place, "invalid_value", words.not_allowed)

        yield check


def _branches(nodes: list[Node], *, only_one: bool) -> Check:
    """Judge ``anyOf`` or ``oneOf``; when no branch fits, the one that came closest tells what is wrong."""
    allowed = frozenset[str]().union(*(node.types or () for node in nodes))
    typed = all(node.types for node in nodes)
    judge_type = _types(sorted(allowed, key=_order_of(nodes)))

    def check(value: Json, place: Place, report: Report) -> None:
        fitting = 0
        trials: list[Report] = []
        for node in nodes:
            trial = report.trial()
            if trial.passes(partial(node.check, value, place)):
                fitting += 1
                if fitting == 1 + only_one:
                    break
            trials.append(trial)
        if not fitting and typed and not _fits(value, allowed):
            judge_type(value, place, report)
        elif not fitting:
            report.adopt(min(trials, key=partial(_distance, depth=len(place.chain()))))
        elif only_one and fitting > 1:
            report.add(place, "invalid_value", words.ambiguous)

    return check


def _order_of(nodes: list[Node]) -> Callable[[str], int]:
    """Rank type names by the branch that brings them, so that messages keep the document's order."""
    return lambda name: next(index for index, node in enumerate(nodes) if name in (node.types or ()))


def _distance(trial: Report, depth: int) -> tuple[bool, int, int]:
    """Say how far a branch was from fitting, least first.

    A wrong type at the very place counts most; then wrong constants just below it, for they tell the forms of
    an object apart (``type: text``); then how much is wrong.
    """
    wrong_type = constants = 0
    for violation in trial.violations:
        below = (violation.pointer or "").count("/") - depth
        wrong_type += below == 0 and violation.code == "invalid_type"
        constants += below == 1 and violation.code == "invalid_value"
    return wrong_type > 0, constants, len(trial.violations)
