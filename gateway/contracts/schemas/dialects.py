"""The languages that schemas are written in, and how a schema says which is its own."""

from __future__ import annotations

from enum import Enum
from typing import Final


class Dialect(Enum):
    """A schema language; its value is what people call it."""

    OPENAPI_3_0 = "OpenAPI 3.0"
    OPENAPI_3_1 = "OpenAPI 3.1"
    DRAFT_2020_12 = "JSON Schema 2020-12"
    DRAFT_2019_09 = "JSON Schema 2019-09"
    DRAFT_7 = "JSON Schema draft 7"
    DRAFT_6 = "JSON Schema draft 6"
    DRAFT_4 = "JSON Schema draft 4"

    @property
    def openapi(self) -> bool:
        """Whether it is OpenAPI's, where keywords that have no meaning are worth a warning."""
        return self in {Dialect.OPENAPI_3_0, Dialect.OPENAPI_3_1}

    @property
    def siblings(self) -> bool:
        """Whether what stands beside ``$ref`` has effect (since JSON Schema 2019-09)."""
        return self in {Dialect.OPENAPI_3_1, Dialect.DRAFT_2020_12, Dialect.DRAFT_2019_09}

    @property
    def identifier(self) -> str | None:
        """The keyword that gives a schema its URI; OpenAPI 3.0 has none."""
        if self is Dialect.OPENAPI_3_0:
            return None
        return "id" if self is Dialect.DRAFT_4 else "$id"


DIALECTS: Final = {
    "https://spec.openapis.org/oas/3.1/dialect/base": Dialect.OPENAPI_3_1,
    "https://spec.openapis.org/oas/3.1/dialect/2024-11-10": Dialect.OPENAPI_3_1,
    "https://json-schema.org/draft/2020-12/schema": Dialect.DRAFT_2020_12,
    "https://json-schema.org/draft/2019-09/schema": Dialect.DRAFT_2019_09,
    "http://json-schema.org/draft-07/schema": Dialect.DRAFT_7,
    "http://json-schema.org/draft-06/schema": Dialect.DRAFT_6,
    "http://json-schema.org/draft-04/schema": Dialect.DRAFT_4,
}
"""Each dialect's URI, as ``$schema`` and ``jsonSchemaDialect`` name it, without an empty fragment."""


def named_dialect(uri: object) -> Dialect | None:
    """Give the dialect that a ``$schema`` names; None when it is no known one."""
    return DIALECTS.get(uri.removesuffix("#")) if isinstance(uri, str) else None
