"""Parameters in the path and the query: read without doubt, then judged by their schemas.

A query is split at ``&`` and at the first ``=`` of each part, and decoded once (RFC 3986 section 2.1). What
readers of queries differ over is refused: malformed escapes, ``+`` and ``;`` as they stand, repeated names,
control characters. Path values are judged as they stand in the target, undecoded.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote_to_bytes

from gateway.core import words
from gateway.core.parse import INTEGER_MAX, INTEGER_MIN
from gateway.core.report import MAX_VIOLATIONS
from gateway.core.types import Violation

if TYPE_CHECKING:
    from gateway.core.types import Json, Operation, Parameter

_MALFORMED_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_DOUBTFUL: Final = re.compile(r"[^!-~]|[+;#]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,18}")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,3})?")
_BOOLEANS: Final = {"true": True, "false": False}


class _Unreadable(NamedTuple):
    """Why a part of a query cannot be read."""

    reason: str


def judge_parameters(
    operation: Operation, path_values: tuple[str, ...], query: str | None
) -> list[Violation]:
    """Give every violation of the operation's path and query parameters, at most 100.

    Raises whatever a validator raises; the caller treats that as a refusal.
    ``path_values`` stand in the order of the template's parameters. ``query`` is the target's part after
    ``?``, None without one; an empty one has no parameters. Order: the path, the query as it stands, then
    required query parameters that are missing, in the contract's order.
    """
    if not operation.query_parameters and not query:
        if len(path_values) == 1:  # nearly every request: one identifier, and no query
            parameter = operation.path_parameters[0]
            if parameter.kind == "string" and parameter.validator.fast(path_values[0]):
                return []
            return _judge(parameter, path_values[0])
        return _judge_path(operation, path_values)
    violations = _judge_path(operation, path_values)
    seen: set[str] = set()
    for part in query.split("&") if query else ():
        if len(violations) >= MAX_VIOLATIONS:
            break
        violations += _judge_part(operation, part, seen)
    violations += [
        _violation(name, name, "missing_required_parameter", words.missing(name))
        for name, parameter in operation.query_parameters.items()
        if parameter.required and name not in seen
    ]
    return violations[:MAX_VIOLATIONS]


def _judge_path(operation: Operation, values: tuple[str, ...]) -> list[Violation]:
    violations: list[Violation] = []
    for parameter, value in zip(operation.path_parameters, values, strict=True):
        violations += _judge(parameter, value)
    return violations


def _judge_part(operation: Operation, part: str, seen: set[str]) -> list[Violation]:
    """Judge one ``name=value``."""
    raw_name, _, raw_value = part.partition("=")
    name = _decode(raw_name)
    if isinstance(name, _Unreadable):
        message = f"Invalid query string: a parameter's name {name.reason}."
        return [_violation(None, None, "invalid_value", message)]
    parameter = operation.query_parameters.get(name)
    if parameter is None:
        return [_violation(name, "*", "unknown_parameter", words.unknown(words.printable(name)))]
    if name in seen:
        return [_violation(name, name, "invalid_value", f"Invalid '{name}': it is given more than once.")]
    seen.add(name)
    value = _decode(raw_value)
    if isinstance(value, _Unreadable):
        return [_violation(name, name, "invalid_value", f"Invalid '{name}': the value {value.reason}.")]
    return _judge(parameter, value)


def _decode(raw: str) -> str | _Unreadable:
    """Undo percent-encoding once, or say what is in doubt."""
    if _DOUBTFUL.search(raw):
        return _Unreadable("has a character that must be percent-encoded")
    if "%" not in raw:
        return raw
    if _MALFORMED_ESCAPE.search(raw):
        return _Unreadable("has a malformed percent-encoding")
    try:
        value = unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        return _Unreadable("is not percent-encoded UTF-8")
    if _CONTROL.search(value):
        return _Unreadable("has a control character")
    return value


def _judge(parameter: Parameter, text: str) -> list[Violation]:
    value: Json = text
    if parameter.kind != "string":
        value = _typed(parameter.kind, text)
        if value is None:
            name = parameter.name
            message = words.wrong_type(name, parameter.kind, "string")
            return [_violation(name, name, "invalid_type", message, parameter.kind, "string")]
    validator = parameter.validator
    if validator.fast(value):
        return []
    violations = validator.full(value)
    if not violations:
        raise RuntimeError("the two forms of a parameter's schema disagree")
    return violations


def _typed(kind: str, text: str) -> Json:
    """Read a value's text in its one canonical form (JSON's own); None when it is not that."""
    if kind == "boolean":
        return _BOOLEANS.get(text)
    if kind == "integer":
        value = int(text) if _INTEGER.fullmatch(text) else None
        return value if value is not None and INTEGER_MIN <= value <= INTEGER_MAX else None
    number = float(text) if _NUMBER.fullmatch(text) else math.inf
    return number if math.isfinite(number) else None


def _violation(
    param: str | None,
    safe_param: str | None,
    code: str,
    message: str,
    limit: str | None = None,
    actual: str | None = None,
) -> Violation:
    return Violation(None, param, code, message, None, safe_param, limit=limit, actual=actual)
