"""What a client is told: every message of a schema violation, in the upstream API's own words.

Each function takes the *subject* first: the parameter's name, made :func:`printable`, None for the body as a
whole. Then ``limit``, the rule's figure, and ``actual``, what was found. Of the request's values nothing
appears but a short string where one of a list was expected, and the figure of a number.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from gateway.core.printable import LONGEST_ECHO, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.core.types import Json

Wording: TypeAlias = "Callable[[str | None, Json, Json], str]"

_LISTED: Final = 100
_KINDS: Final = {
    "string": "a string",
    "integer": "an integer",
    "number": "a decimal",
    "boolean": "a boolean",
    "array": "an array",
    "object": "an object",
    "null": "null",
}
_FOUND: Final = _KINDS | {"number": "a decimal number"}


def _invalid(subject: str | None) -> str:
    return "Invalid body" if subject is None else f"Invalid '{subject}'"


def unknown(subject: str | None, _limit: Json = None, _actual: Json = None) -> str:
    """Say that a property or query parameter is not known."""
    return "Unknown value." if subject is None else f"Unknown parameter: '{subject}'."


def missing(subject: str | None, _limit: Json = None, _actual: Json = None) -> str:
    """Say that a required one is not there."""
    return f"Missing required parameter: '{subject}'."


def wrong_type(subject: str | None, limit: str, actual: str) -> str:
    """Say which JSON types were expected (``limit``, joined by " or ") and which was found."""
    kinds = limit.split(" or ")
    expected = _KINDS[kinds[0]]
    if len(kinds) > 1:
        expected = f"one of {', '.join([expected, *kinds[1:-1]])} or {kinds[-1]}"
    place = "the body" if subject is None else f"'{subject}'"
    return f"Invalid type for {place}: expected {expected}, but got {_FOUND[actual]} instead."


def not_listed(supported: str, found: Json, noun: str = "string") -> Wording:
    """Say what a value, or a key, may be; ``supported`` comes from :func:`listed`."""
    if noun == "key":
        return partial(_key_not_listed, supported)
    echo = f": '{printable(found)}'" if isinstance(found, str) and len(found) <= LONGEST_ECHO else ""
    text = f"Invalid value{echo}. Supported values are: {supported}."
    return lambda _subject, _limit, _actual: text


def _key_not_listed(supported: str, subject: str | None, _limit: Json, _actual: Json) -> str:
    return f"{_invalid(subject)}: key not supported. Supported keys are: {supported}."


def listed(values: Sequence[Json]) -> str:
    """List the values of an enum: ``'a', 'b', and 'c'``."""
    texts = [
        f"'{printable(value)}'" if isinstance(value, str) else json.dumps(value) for value in values[:_LISTED]
    ]
    if len(values) > _LISTED:
        texts.append(f"{len(values) - _LISTED} more")
    if len(texts) < 3:
        return " and ".join(texts)
    return f"{', '.join(texts[:-1])}, and {texts[-1]}"


def too_long(subject: str | None, limit: int, actual: int, noun: str = "string") -> str:
    """Say so of a string or a key (lengths in code points), or of an array."""
    a = _article(noun)
    return (
        f"{_invalid(subject)}: {noun} too long. Expected {a} {noun} with maximum length {limit}, "
        f"but got {a} {noun} with length {actual} instead."
    )


def too_short(subject: str | None, limit: int, actual: int, noun: str = "string") -> str:
    """Say so of a string or a key (lengths in code points), or of an array."""
    a = _article(noun)
    if not actual:
        return (
            f"{_invalid(subject)}: empty {noun}. Expected {a} {noun} with minimum length {limit}, "
            f"but got an empty {noun} instead."
        )
    return (
        f"{_invalid(subject)}: {noun} too short. Expected {a} {noun} with minimum length {limit}, "
        f"but got {a} {noun} with length {actual} instead."
    )


def _article(noun: str) -> str:
    return "an" if noun == "array" else "a"


def no_match(subject: str | None, limit: str, _actual: Json = None, noun: str = "string") -> str:
    """Say that a string, or a key, does not match the pattern ``limit``."""
    return (
        f"{_invalid(subject)}: {noun} does not match pattern. "
        f"Expected a {noun} that matches the pattern '{printable(limit)}'."
    )


def no_format(subject: str | None, limit: str, _actual: Json = None, noun: str = "string") -> str:
    """Say that a string, or a key, is not of the format ``limit``."""
    return f"{_invalid(subject)}: {noun} has the wrong format. Expected a {noun} in the format '{limit}'."


def too_few_fitting(subject: str | None, limit: int, actual: int) -> str:
    """Say that of an array's items only ``actual`` have the form that at least ``limit`` must have."""
    return (
        f"{_invalid(subject)}: required items missing. Expected an array with at least {_items(limit)} of "
        f"the required form, but got an array with {actual} instead."
    )


def too_many_fitting(subject: str | None, limit: int, actual: int) -> str:
    """Say that of an array's items ``actual`` have a form that at most ``limit`` may have."""
    return (
        f"{_invalid(subject)}: too many items of one form. Expected an array with at most {_items(limit)} of "
        f"that form, but got an array with {actual} instead."
    )


def _items(count: int) -> str:
    return "1 item" if count == 1 else f"{count} items"


def repeated(subject: str | None, limit: int, actual: int) -> str:
    """Say that the item at index ``actual`` equals the one at ``limit``."""
    return (
        f"{_invalid(subject)}: array items not unique. Expected an array of unique items, "
        f"but the item at index {actual} repeats the one at index {limit}."
    )


def _properties(count: int) -> str:
    return "1 property" if count == 1 else f"{count} properties"


def too_many_properties(subject: str | None, limit: int, actual: int) -> str:
    """Say so of an object."""
    return (
        f"{_invalid(subject)}: too many properties. Expected an object with at most {_properties(limit)}, "
        f"but got an object with {_properties(actual)} instead."
    )


def too_few_properties(subject: str | None, limit: int, actual: int) -> str:
    """Say so of an object."""
    return (
        f"{_invalid(subject)}: too few properties. Expected an object with at least {_properties(limit)}, "
        f"but got an object with {_properties(actual)} instead."
    )


def out_of_range(subject: str | None, limit: float, actual: float, noun: str, sign: str) -> str:
    """Say that a number breaks ``sign limit``, where sign is one of ``< <= > >=``."""
    side = "above maximum" if sign in {"<", "<="} else "below minimum"
    expected = f"Expected a value {sign} {limit}"
    return f"{_invalid(subject)}: {noun} {side} value. {expected}, but got {actual} instead."


def no_multiple(subject: str | None, limit: float, _actual: Json = None) -> str:
    """Say that a number is no multiple of ``limit``."""
    return f"{_invalid(subject)}: value is not a multiple of {limit}."


def not_allowed(subject: str | None, _limit: Json = None, _actual: Json = None) -> str:
    """Say that a value is one of those that ``not`` or ``false`` exclude."""
    return f"{_invalid(subject)}: value is not allowed."


def no_form(subject: str | None, _limit: Json = None, _actual: Json = None) -> str:
    """Say that a value fits none of several forms; only where no form is told in particular."""
    return f"{_invalid(subject)}: value matches none of the allowed forms."


def ambiguous(subject: str | None, _limit: Json = None, _actual: Json = None) -> str:
    """Say that a value fits several of the forms of which exactly one is allowed."""
    return f"{_invalid(subject)}: value matches more than one of the forms of which exactly one is allowed."
