"""Operations for redacted bodies: the lenient and the strict form of each, made when it is first needed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from gateway.audit.redaction import Placeholders, enumerated
from gateway.audit.replay.doubt import Doubt
from gateway.core.decide import Admission, Entity
from gateway.core.schema.compiler import Schemas
from gateway.core.types import Body

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.core.types import Operation, Plain, Validator


class Bounds(NamedTuple):
    """The two forms of an operation, the strict one None where nothing is in doubt; and placeholders."""

    lenient: Operation
    strict: Operation | None
    placeholders: Placeholders


class Bounding:
    """Makes bounds. Contents that share definitions share what is made of those."""

    def __init__(self, possible: Callable[[bytes], tuple[str, ...]]) -> None:
        """``possible`` is :meth:`gateway.audit.instance.Keys.possible`."""
        self._possible = possible
        self._doubts: dict[int, tuple[Mapping[str, Plain], Doubt, Schemas]] = {}

    def of(self, operation: Operation) -> Bounds:
        """Give the bounds of an operation."""
        placeholders = Placeholders(enumerated(operation), self._possible)
        lenient, strict = (self._bounded(operation, lenient=lenient) for lenient in (True, False))
        return Bounds(lenient, None if lenient is operation else strict, placeholders)

    def _bounded(self, operation: Operation, *, lenient: bool) -> Operation:
        """Give one form of an operation; itself if none of its bodies is in doubt."""
        contents = operation.body.media_types if operation.body is not None else {}
        changed = {}
        for media_type, content in contents.items():
            validator = self._validator(content.validator, lenient=lenient)
            if validator is not content.validator:
                changed[media_type] = replace(content, validator=validator)
        if operation.body is None or not changed:
            return operation
        return replace(operation, body=Body(operation.body.required, {**contents, **changed}))

    def _validator(self, validator: Validator, *, lenient: bool) -> Validator:
        definitions = validator.definitions
        known = self._doubts.get(id(definitions))
        if known is None:
            doubt = Doubt(definitions)
            # Silent checks alone: code generated of schemas that were taken apart may be long.
            known = definitions, doubt, Schemas(doubt.definitions, later=lambda _: None)
            self._doubts[id(definitions)] = known
        _, doubt, schemas = known
        schema = doubt.bound(validator.schema, lenient=lenient)
        return validator if schema is validator.schema else schemas.validator(schema)


def admitted_as(admission: Admission, operation: Operation) -> Admission:
    """Give an admission to another form of its operation."""
    entity = admission.entity
    content = None
    if entity is not None and operation.body is not None:
        content = operation.body.content_of(entity.media_type.essence)
    return Admission(
        admission.route._replace(operation=operation),
        None if entity is None or content is None else Entity(content, entity.media_type),
    )
