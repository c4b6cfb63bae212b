"""A configuration as replay sees it: its operations, and what two configurations judge alike."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from gateway.audit.redaction import reachable
from gateway.core.route import Route, RouteTable
from gateway.core.types import Layer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gateway.core.types import Body, Condition, Operation, Parameter, Plain

JSON: Final = "application/json"
_NAME: Final = re.compile(r"\{[^{}]*\}")


class Name(NamedTuple):
    """How a record names its operation."""

    contract: str
    operation: str


class Rulebook:
    """The operations of a configuration, and how deep JSON may nest."""

    def __init__(self, operations: Iterable[Operation], max_depth: int) -> None:
        self.operations = {Name(one.contract, one.name): one for one in operations}
        self.max_depth = max_depth
        self._rules: dict[Name, str] = {}
        self._unrecorded: dict[Name, str] = {}
        self._choices: dict[tuple[str, str], set[frozenset[Condition]]] = {}
        conditional = {}
        for one in self.operations.values():
            place = one.method, _NAME.sub("{}", one.template)
            self._choices.setdefault(place, set()).add(frozenset(one.conditions))
            if one.conditions:
                conditional[place] = replace(one, conditions=(), template=place[1])
        self._conditional = RouteTable(conditional.values())

    def has(self, name: Name) -> bool:
        """Say whether there is such an operation."""
        return name in self.operations

    def choices(self, method: str, path: str) -> set[frozenset[Condition]] | None:
        """Give the conditions by which one of several operations is chosen; None where there are none."""
        found = self._conditional.match(method, path)
        return self._choices[method, found.operation.template] if isinstance(found, Route) else None

    def in_path(self, name: Name) -> str:
        """Give a text that is the same for two operations that judge their paths alike."""
        return _text([_parameter(one) for one in self.operations[name].path_parameters])

    def unrecorded(self, name: Name) -> str:
        """Give a text that is the same for two operations that judge query and header alike."""
        known = self._unrecorded.get(name)
        if known is None:
            operation = self.operations[name]
            parameters = (*operation.query_parameters.values(), *operation.header_parameters)
            enforced = operation.judged and Layer.CONTRACT not in operation.reported
            known = self._unrecorded[name] = _text([enforced, *map(_parameter, parameters)])
        return known

    def rules(self, name: Name) -> str:
        """Give a text that is the same for two operations that judge all but a body's size alike."""
        known = self._rules.get(name)
        if known is None:
            operation = self.operations[name]
            enforced = operation.judged, sorted(operation.reported), self.max_depth
            body = _body(operation.body)
            parameters = self.in_path(name), self.unrecorded(name)
            known = self._rules[name] = _text([enforced, body, parameters])
        return known


def json_type(operation: Operation) -> str | None:
    """Give the media type of an operation's JSON bodies; None where it takes none."""
    types = operation.body.media_types if operation.body is not None else {}
    if JSON in types:
        return JSON
    found = operation.body.content_of(JSON) if operation.body is not None else None
    if found is not None and found.kind == "json":
        return JSON
    return next((name for name, one in types.items() if one.kind == "json" and "*" not in name), None)


def takes_only_json(operation: Operation) -> bool:
    """Say whether a body can be nothing but JSON."""
    return operation.body is not None and all(
        one.kind == "json" for one in operation.body.media_types.values()
    )


def _body(body: Body | None) -> list[Any]:
    if body is None:
        return []
    return [
        body.required,
        *(
            [name, one.kind, dict(one.encodings), _schema(one.validator.schema, one.validator.definitions)]
            for name, one in body.media_types.items()
        ),
    ]


def _parameter(one: Parameter) -> list[Any]:
    schema = _schema(one.validator.schema, one.validator.definitions)
    return [one.name, one.where, one.style, one.explode, one.required, schema]


def _schema(schema: Plain, definitions: Mapping[str, Plain]) -> list[Any]:
    """Give a schema and the definitions that it needs."""
    names = {part["$ref"] for part in reachable(schema, definitions) if "$ref" in part}
    return [schema, {name: definitions[name] for name in sorted(names)}]


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
