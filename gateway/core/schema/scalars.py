"""Rules for single values: types, ``enum`` and ``const``, strings, numbers."""

from __future__ import annotations

import math
import operator
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from gateway.core.schema import words
from gateway.core.schema.equality import Values
from gateway.core.schema.formats import FORMATS
from gateway.core.schema.pattern import matcher
from gateway.core.schema.rules import TYPE_OF, Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from gateway.core.schema.report import Place, Report
    from gateway.core.schema.rules import Scope, Tell
    from gateway.core.schema.trial import Trial
    from gateway.core.schema.words import Wording
    from gateway.core.types import Json, Layer

_COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_SIGNS: Final = {"minimum": ">=", "maximum": "<=", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}


def rule(
    test: Callable[[Json, Trial], bool], code: str, wording: Wording, layer: Layer, limit: Json = None
) -> Rule:
    """Make a rule whose one violation names ``limit``, and of the value nothing."""

    def tell(value: Json, place: Place, report: Report) -> None:
        if not test(value, report.trial):
            report.add(place, code, wording, limit, None, layer)

    return Rule(test, tell)


def wrong_type(names: Sequence[str], layer: Layer) -> Tell:
    """Tell that a value has none of the types ``names``."""
    expected = " or ".join(names)

    def tell(value: Json, place: Place, report: Report) -> None:
        report.add(place, "invalid_type", words.wrong_type, expected, TYPE_OF[type(value)], layer)

    return tell


def refusal(layer: Layer) -> Tell:
    """Refuse anything: the schema ``false``, which mostly says which properties may not be there."""

    def tell(_value: Json, place: Place, report: Report) -> None:
        if isinstance(place.token, str):
            report.add(place, "unknown_parameter", words.unknown, layer=layer)
        else:
            report.add(place, "invalid_value", words.not_allowed, layer=layer)

    return tell


def values(schema: Mapping[str, Any], scope: Scope) -> Iterator[Rule]:
    """Give the rules of ``enum`` and ``const``."""
    if "enum" in schema:
        yield _one_of_values(schema["enum"], scope)
    if "const" in schema:
        yield _one_of_values([schema["const"]], scope)


def _one_of_values(allowed: Sequence[Json], scope: Scope) -> Rule:
    among = Values(allowed)
    supported = words.listed(allowed)

    def fits(value: Json, _trial: Trial) -> bool:
        return value in among

    def tell(value: Json, place: Place, report: Report) -> None:
        if value not in among:
            wording = words.not_listed(supported, value, scope.noun)
            report.add(place, "invalid_value", wording, layer=scope.layer)

    return Rule(fits, tell)


def at_least(fewest: int, code: str, empty: str, wording: Wording, layer: Layer) -> Rule:
    """Bound a length from below; ``empty`` is the code for a length of none."""

    def fits(value: str | list[Json] | dict[str, Json], _trial: Trial) -> bool:
        return len(value) >= fewest

    def tell(value: str | list[Json] | dict[str, Json], place: Place, report: Report) -> None:
        if len(value) < fewest:
            report.add(place, code if value else empty, wording, fewest, len(value), layer)

    return Rule(fits, tell)


def at_most(most: int, code: str, wording: Wording, layer: Layer) -> Rule:
    """Bound a length from above."""

    def fits(value: str | list[Json] | dict[str, Json], _trial: Trial) -> bool:
        return len(value) <= most

    def tell(value: str | list[Json] | dict[str, Json], place: Place, report: Report) -> None:
        if len(value) > most:
            report.add(place, code, wording, most, len(value), layer)

    return Rule(fits, tell)


def strings(schema: Mapping[str, Any], scope: Scope) -> Iterator[Rule]:
    """Give the rules of strings: length in code points, pattern, format."""
    noun, layer = scope.noun, scope.layer
    if "minLength" in schema:
        too_short = partial(words.too_short, noun=noun)
        yield at_least(schema["minLength"], "string_below_min_length", "empty_string", too_short, layer)
    if "maxLength" in schema:
        too_long = partial(words.too_long, noun=noun)
        yield at_most(schema["maxLength"], "string_above_max_length", too_long, layer)
    if "pattern" in schema:
        matches = matcher(schema["pattern"])
        no_match = partial(words.no_match, noun=noun)
        yield rule(lambda value, _: bool(matches(value)), "invalid_value", no_match, layer, schema["pattern"])
    if "format" in schema:
        obeys = FORMATS[schema["format"]]
        no_format = partial(words.no_format, noun=noun)
        yield rule(lambda value, _: obeys(value), "invalid_value", no_format, layer, schema["format"])


def numbers(schema: Mapping[str, Any], scope: Scope) -> Iterator[Rule]:
    """Give the rules of numbers: bounds, and ``multipleOf``."""
    types = schema.get("type", ())
    for name, sign in _SIGNS.items():
        if name in schema:
            yield _bound(schema[name], sign, scope.layer, types)
    if "multipleOf" in schema:
        factor = schema["multipleOf"]
        above, below = _ratio(factor)

        def is_multiple(value: float, _trial: Trial) -> bool:
            if not math.isfinite(value):
                return False
            numerator, denominator = _ratio(value)
            return numerator * below % (denominator * above) == 0

        yield rule(is_multiple, "invalid_value", words.no_multiple, scope.layer, factor)


def _ratio(number: float) -> tuple[int, int]:
    """Give the fraction that a number's decimal figures say: 1 and 100 for 0.01."""
    return (number, 1) if type(number) is int else Decimal(repr(number)).as_integer_ratio()


def _bound(limit: float, sign: str, layer: Layer, types: Sequence[str]) -> Rule:
    holds = _COMPARE[sign]
    side = "below_min_value" if sign[0] == ">" else "above_max_value"
    whole, fractional = "integer" in types, "number" in types

    def fits(value: float, _trial: Trial) -> bool:
        return holds(value, limit)

    def tell(value: float, place: Place, report: Report) -> None:
        if not holds(value, limit):
            noun = "integer" if whole or (isinstance(value, int) and not fractional) else "decimal"
            wording = partial(words.out_of_range, noun=noun, sign=sign)
            report.add(place, f"{noun}_{side}", wording, limit, value, layer)

    return Rule(fits, tell)
