"""What a document describes becomes operations: prefix, conditions, policy and mode put on, validators made.

Validators are compiled when they are first used; see :mod:`gateway.core.schema`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.core.policy import compose, needs_body
from gateway.core.schema import Schemas
from gateway.core.texts.reading import reading_of
from gateway.core.types import Body, Condition, Content, Layer, Operation, Parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.contracts.described import (
        DescribedContent,
        DescribedOperation,
        DescribedParameter,
        Description,
    )
    from gateway.core.policy import Policy
    from gateway.core.types import Plain


def make_operations(
    description: Description,
    *,
    contract: str,
    prefix: str | None,
    upstream: str,
    max_bytes: int,
    mode: str,
    when: Mapping[str, str],
    policy: Policy,
    later: Callable[[Callable[[], None]], None] | None,
) -> list[Operation]:
    """Give the operations of the contract ``contract``, in the document's order.

    ``prefix`` stands before every path; None takes the path of the document's first server. ``upstream`` and
    ``max_bytes`` are written into each operation. ``mode`` is enforce, report or off. ``when`` are headers,
    by name, that a request must have for the contract to be meant. ``later`` runs work on another thread;
    see :class:`gateway.core.schema.Schemas`.
    """
    reported = frozenset((Layer.CONTRACT,)) if mode == "report" else frozenset()
    if policy.reported:
        reported |= {Layer.LIMIT, Layer.POLICY}
    make = _Maker(description.definitions, contract, policy, later, enforced=mode == "enforce")
    base = (description.server_path if prefix is None else prefix).rstrip("/")
    headers = tuple(Condition("header", name.lower(), value) for name, value in when.items())
    result = []
    for one in description.operations:
        query = tuple(Condition("query", name, value) for name, value in one.query)
        parameters = [make.parameter(parameter) for parameter in one.parameters]
        result.append(
            Operation(
                name=one.name,
                contract=contract,
                method=one.method,
                template=base + one.template,
                upstream=upstream,
                max_bytes=max_bytes,
                path_parameters=tuple(each for each in parameters if each.where == "path"),
                query_parameters={each.name: each for each in parameters if each.where == "query"},
                header_parameters=tuple(each for each in parameters if each.where == "header"),
                body=make.body(one),
                conditions=(*headers, *query),
                mode=mode,
                judged=mode != "off",
                reported=reported,
            )
        )
    return result


class _Maker:
    """Makes what judges the operations of one contract; equal parameters are made once."""

    def __init__(
        self,
        definitions: Mapping[str, Plain],
        contract: str,
        policy: Policy,
        later: Callable[[Callable[[], None]], None] | None,
        *,
        enforced: bool,
    ) -> None:
        self._definitions = definitions
        self._contract = contract
        self._policy = policy
        self._enforced = enforced
        self._schemas = Schemas({**definitions, **policy.definitions}, later=later)
        self._parameters: dict[object, Parameter] = {}

    def parameter(self, described: DescribedParameter) -> Parameter:
        """Make one parameter."""
        where = described.where, described.name, described.style, described.explode, described.required
        key = (*where, json.dumps(described.schema))
        made = self._parameters.get(key)
        if made is None:
            made = self._parameters[key] = Parameter(
                described.name,
                described.where,
                described.style,
                described.explode,
                described.required,
                reading_of(described.schema, self._definitions),
                self._schemas.validator(described.schema, parameter=described.name),
            )
        return made

    def body(self, operation: DescribedOperation) -> Body | None:
        """Make what judges an operation's body; None where none belongs."""
        if operation.content is None:
            return None
        name = f"{self._contract}:{operation.name}"
        required = operation.body_required or any(
            needs_body(content.schema, self._definitions, self._policy, name)
            for content in operation.content.values()
        )
        return Body(required, {key: self._content(one, name) for key, one in operation.content.items()})

    def _content(self, content: DescribedContent, operation: str) -> Content:
        policy = self._policy
        if content.kind == "opaque":  # a string has no metadata
            policy = replace(policy, metadata=None, files=None)
        schema = compose(content.schema, self._definitions, policy, operation, enforced=self._enforced)
        form = content.kind in {"form", "multipart"}
        return Content(
            content.kind,
            self._schemas.validator(schema),
            reading_of(content.schema, self._definitions) if form else None,
            content.encodings,
        )
