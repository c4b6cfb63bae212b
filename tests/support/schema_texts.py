"""Schemas as short YAML texts, and what reading them gives."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway import documents
from gateway.contracts.schemas.dialects import Dialect
from gateway.contracts.schemas.reader import SchemaReader
from gateway.contracts.sources import Place, Sources
from gateway.core.schema import Schemas

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.core.types import Json, Plain
    from gateway.errors import Fault


class ReadSchema(NamedTuple):
    """A schema in plain form; faults and warnings as ``line:column: message``, with other files' names."""

    plain: Plain
    definitions: dict[str, Plain]
    faults: list[str]
    warnings: list[str]

    def takes(self, value: Json) -> bool:
        """Judge a value by both compiled forms, which must agree."""
        assert not self.faults
        validator = Schemas(self.definitions).validator(self.plain)
        fast = validator.fast(value)
        assert fast is (not validator.full(value).total)
        return fast


def read_text(
    text: str,
    dialect: Dialect = Dialect.OPENAPI_3_1,
    *,
    path: tuple[str | int, ...] = (),
    formats: bool = True,
    folder: Path | None = None,
    name: str = "",
) -> ReadSchema:
    """Read the schema at ``path`` of a document, which faults call ``c.yaml``."""
    sources = Sources(documents.parse_document(dedent(text), "c.yaml"), folder)
    reader = SchemaReader(sources, dialect=dialect, formats=formats, name=name)
    plain = reader.read(Place("", path))
    return ReadSchema(plain, reader.definitions, lines(reader.faults), lines(reader.warnings))


def lines(faults: list[Fault]) -> list[str]:
    """Write faults as :class:`ReadSchema` has them."""
    return [str(fault).removeprefix("c.yaml:") for fault in faults]


def component(text: str, dialect: Dialect = Dialect.OPENAPI_3_0, **options: Any) -> ReadSchema:
    """Read the schema A of a document's components; ``text`` are the components' schemas, from line 4 on."""
    head = "openapi: 3.1.0\ncomponents:\n  schemas:\n"
    body = "".join(f"    {line}\n" for line in dedent(text).strip("\n").split("\n"))
    return read_text(head + body, dialect, path=("components", "schemas", "A"), **options)
