"""Parameters in path, query and header: read without doubt, then judged by their schemas.

A query is split at ``&`` and at the first ``=`` of each part, and decoded once (RFC 3986 section 2.1). What
readers of queries differ over is refused: malformed escapes, ``;`` as it stands, control characters, names
that stand twice without being an array, a parameter written in two ways. A ``+`` is a space to readers of
forms and a plus to others: a query that has one must be good for both.

Arrays and objects are read by OpenAPI's styles (see :mod:`gateway.core.texts.styles`) and, since SDKs write
them so, as ``name[]`` and ``name[key]``, unless the contract itself has a parameter of that name.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from gateway.core.printable import caller_name, clipped
from gateway.core.schema import words
from gateway.core.schema.report import MAX_VIOLATIONS
from gateway.core.texts.brackets import Field, FieldFault, Leaf, split_name
from gateway.core.texts.percent import Undecodable, decode
from gateway.core.texts.reading import read_scalar, read_text
from gateway.core.texts.styles import Unreadable, decode_value, read_field, read_styled
from gateway.core.types import Violation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from gateway.core import types
    from gateway.core.types import Json, Operation, Parameter, Reading


class ParameterFindings(NamedTuple):
    """What is wrong with parameters: ``violations`` lists the first of ``total``, in order.

    ``unreadable`` are those, listed or not, that no schema found: the text itself is in doubt, whatever the
    contract's mode.
    """

    violations: tuple[Violation, ...]
    total: int
    unreadable: tuple[Violation, ...] = ()


NO_FINDINGS: Final = ParameterFindings((), 0)
"""What is wrong with good parameters."""


class _Found:
    """Gathers violations."""

    __slots__ = ("_total", "_unreadable", "_violations")

    def __init__(self) -> None:
        self._violations: list[Violation] = []
        self._unreadable: list[Violation] = []
        self._total = 0

    def take(self, violations: Iterable[Violation], total: int = 1) -> None:
        """Take what a schema found, or the contract's want of one."""
        self._total += total
        if len(self._violations) < MAX_VIOLATIONS:
            self._violations += violations
            del self._violations[MAX_VIOLATIONS:]

    def refuse(self, fault: Unreadable, name: str) -> None:
        """Take a parameter that is in doubt."""
        self.refuse_text(name, fault.code, f"Invalid '{name}': {fault.reason}.")

    def refuse_text(self, name: str | None, code: str, message: str) -> None:
        """Take text that is in doubt, of the parameter ``name`` if it is known."""
        violation = _violation(name, name, code, message)
        if len(self._unreadable) < MAX_VIOLATIONS:
            self._unreadable.append(violation)
        self.take((violation,))

    def adopt(self, findings: ParameterFindings) -> None:
        """Take over what another has gathered."""
        self._unreadable += findings.unreadable
        self.take(findings.violations, findings.total)

    def findings(self) -> ParameterFindings:
        """Give it all."""
        if not self._total:
            return NO_FINDINGS
        return ParameterFindings(tuple(self._violations), self._total, tuple(self._unreadable))


def judge_parameters(
    operation: Operation, path_values: tuple[str, ...], query: str | None, max_depth: int = 32
) -> ParameterFindings:
    """Judge the operation's path and query parameters; :data:`NO_FINDINGS` itself for good ones.

    ``path_values`` stand in the order of the template's parameters, as they are in the target. ``query`` is
    the target's part after ``?``, None without one; an empty one has no parameters. Order: the path, the
    query as it stands, then required query parameters that are missing, in the contract's order.
    Raises whatever a validator raises; the caller treats that as a refusal.
    """
    if not query and not operation.query_parameters:
        if not path_values:
            return NO_FINDINGS
        if len(path_values) == 1:  # nearly every request: one identifier, and no query
            value = path_values[0]
            if "%" not in value and ";" not in value and operation.path_parameters[0].validator.fast(value):
                return NO_FINDINGS
    found = _Found()
    for parameter, value in zip(operation.path_parameters, path_values, strict=True):
        _judge_text(parameter, value, max_depth, found)
    if query is None or "+" not in query:
        _judge_query(operation, query, max_depth, found)
        return found.findings()
    trial = _Found()
    _judge_query(operation, query.replace("+", "%20"), max_depth, trial)
    spaced = trial.findings()
    if spaced.total:
        found.adopt(spaced)
    else:
        _judge_query(operation, query.replace("+", "%2B"), max_depth, found)
    return found.findings()


def judge_header_parameters(
    operation: Operation, fields: Iterable[types.Field], max_depth: int = 32
) -> ParameterFindings:
    """Judge the operation's header parameters, in the contract's order; fields of other names pass."""
    found = _Found()
    values: dict[bytes, list[bytes]] = {}
    for _, lower, value in fields:
        values.setdefault(lower, []).append(value)
    for parameter in operation.header_parameters:
        given = values.get(parameter.name.encode("latin-1"))
        if given is None:
            _note_missing(parameter, found)
            continue
        try:
            _judge(parameter, read_field(parameter, given, max_depth), found)
        except Unreadable as fault:
            found.refuse(fault, parameter.name)
    return found.findings()


_REPEATED: Final = "it is given more than once"
_Way: TypeAlias = Literal["plain", "brackets", "exploded"]


class _Given:
    """What a query has of one parameter, in the ways of writing it; ``values`` with their keys."""

    __slots__ = ("parameter", "values", "ways")

    def __init__(self, parameter: Parameter) -> None:
        self.parameter = parameter
        self.ways: set[_Way] = set()
        self.values: list[tuple[tuple[str, ...], str]] = []


def _judge_query(operation: Operation, query: str | None, max_depth: int, found: _Found) -> None:
    """Judge all of a query in which no ``+`` is in doubt."""
    given: dict[str, _Given] = {}
    fixed = {condition.name: 0 for condition in operation.conditions if condition.where == "query"}
    steps: list[Callable[[], None]] = []  # taken once all is known, in the order of the query
    for part in query.split("&") if query else ():
        raw_name, _, raw_value = part.partition("=")
        try:
            name = decode(raw_name)
        except Undecodable as fault:
            message = f"Invalid query string: a parameter's name {fault.reason}."
            steps.append(partial(found.refuse_text, None, "invalid_value", message))
            continue
        place = _find(operation.query_parameters, name)
        if place is not None:
            parameter, keys, way = place
            if parameter.name not in given:
                given[parameter.name] = _Given(parameter)
                steps.append(partial(_judge_given, given[parameter.name], max_depth, found))
            given[parameter.name].ways.add(way)
            given[parameter.name].values.append((keys, raw_value))
        elif name not in fixed:
            unknown = _violation(clipped(name), "*", "unknown_parameter", words.unknown(caller_name(name)))
            steps.append(partial(found.take, (unknown,)))
        elif fixed[name]:
            steps.append(partial(found.refuse, Unreadable(_REPEATED), name))
        else:
            fixed[name] = 1
    for step in steps:
        step()
    for parameter in operation.query_parameters.values():
        if parameter.name not in given:
            _note_missing(parameter, found)


def _find(parameters: Mapping[str, Parameter], name: str) -> tuple[Parameter, tuple[str, ...], _Way] | None:
    """Find the parameter that a name in a query means, and the keys of the place in its value."""
    parameter = parameters.get(name)
    if parameter is not None:
        return parameter, (), "plain"
    split = split_name(name)
    if split is not None and split[0] in parameters:
        parameter, keys = parameters[split[0]], split[1]
        kind = "object" if keys[0] else "array"
        return (parameter, keys, "brackets") if _may_be(parameter, kind) else None
    if "[" in name:
        return None
    for parameter in parameters.values():
        reading = parameter.reading
        spread = parameter.style == "form" and parameter.explode and _may_be(parameter, "object")
        # Where a schema says what other members are, it is the document's way to take any name at all.
        if spread and (name in reading.properties or reading.others is not None):
            return parameter, (name,), "exploded"
    return None


def _may_be(parameter: Parameter, kind: str) -> bool:
    return parameter.style != "json" and kind in parameter.reading.types


def _judge_given(given: _Given, max_depth: int, found: _Found) -> None:
    """Judge all that a query has of one parameter."""
    parameter = given.parameter
    if len(given.ways) > 1:
        found.refuse(Unreadable("it is written in two ways"), parameter.name)
        return
    if given.ways == {"plain"} and (parameter.style == "json" or not parameter.explode):
        if len(given.values) > 1:
            found.refuse(Unreadable(_REPEATED), parameter.name)
        else:
            _judge_text(parameter, given.values[0][1], max_depth, found)
        return
    try:
        field = Field(parameter.name)
        for keys, raw in given.values:
            field.add(keys, Leaf(decode_value(raw)))
        _judge(parameter, field.read(parameter.reading, max_depth, _read_text), found)
    except FieldFault as fault:
        code = fault.code if fault.code == "json_too_deep" else "invalid_value"
        found.refuse(Unreadable(f"it {fault.reason}", code), parameter.name)
    except Unreadable as fault:
        found.refuse(fault, parameter.name)


def _read_text(text: str, reading: Reading, _room: int) -> Json:
    return read_text(text, reading)


def _judge_text(parameter: Parameter, raw: str, max_depth: int, found: _Found) -> None:
    """Judge a parameter in path or query that is one text: each way to read it, up to the first bad one."""
    try:
        for value in read_styled(parameter, raw, max_depth):
            if not _judge(parameter, value, found):
                return
    except Unreadable as fault:
        found.refuse(fault, parameter.name)


def _judge(parameter: Parameter, value: Json, found: _Found) -> bool:
    """Judge a parameter's value; true if it is good."""
    validator = parameter.validator
    if validator.fast(value):
        return True
    if isinstance(value, str):
        # Where several types are allowed, a text that is no good string may yet be a good number.
        scalar = read_scalar(value, parameter.reading.types)
        if scalar is not value and validator.fast(scalar):
            return True
    findings = validator.full(value)
    if not findings.total:
        raise RuntimeError("the two forms of a parameter's schema disagree")
    found.take(*findings)
    return False


def _note_missing(parameter: Parameter, found: _Found) -> None:
    if parameter.required:
        name = parameter.name
        found.take((_violation(name, name, "missing_required_parameter", words.missing(name)),))


def _violation(param: str | None, safe_param: str | None, code: str, message: str) -> Violation:
    return Violation(None, param, code, message, None, safe_param)
