"""Short OpenAPI documents as text, and what reading them gives."""

from __future__ import annotations

from textwrap import dedent, indent
from typing import TYPE_CHECKING, Any

import pytest

from gateway import documents
from gateway.contracts.openapi import describe
from gateway.contracts.sources import Sources
from gateway.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.contracts.openapi import Described

HEAD = "openapi: 3.0.3\n"
TO_A = "{$ref: '#/components/schemas/A'}"


def read(text: str, *, wanted: Sequence[str] | None = None, **options: Any) -> Described:
    """Read a document, which faults call ``c.yaml``; it can refer to no other file."""
    document = documents.parse_document(dedent(text).encode(), "c.yaml")
    return describe(Sources(document, None), wanted, **options)


def faults(text: str, **options: Any) -> list[str]:
    """Give the faults of a document, as ``line:column: message``."""
    with pytest.raises(ConfigError) as error:
        read(text, **options)
    return [str(fault).removeprefix("c.yaml:") for fault in error.value.faults]


def warnings(text: str) -> list[str]:
    """Give the warnings of a document in the same form."""
    return [str(warning).removeprefix("c.yaml:") for warning in read(text).warnings]


def get(*rest: str, template: str = "/a") -> str:
    """Write a document with one operation; ``rest`` are YAML lines inside it, from line 6 on."""
    inner = indent("\n".join(rest), "      ")
    last = f"{inner}\n" if rest else ""
    return f"{HEAD}paths:\n  {template}:\n    get:\n      operationId: one\n{last}"


def post(schema: str, components: str = "") -> str:
    """Write a document with one body; its schema is on line 9."""
    body = f"requestBody:\n  content:\n    application/json:\n      schema: {schema}"
    return get(body) + components


def query(rest: str) -> str:
    """Write a document with one query parameter, whose members from ``rest`` on begin at 6:41."""
    return get(f"parameters: [{{name: x, in: query, {rest}}}]")


def a_is(schema: str) -> str:
    """Write the components that TO_A refers to; the schema begins at 10:27."""
    return f"components: {{schemas: {{A: {schema}}}}}"
