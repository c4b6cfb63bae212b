"""What a compiled schema is made of: rules, each of which can judge in silence and can tell what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from gateway.core.schema.plain import SCHEMA_ITEMS, SCHEMA_MEMBERS, SCHEMA_VALUE
from gateway.core.types import Layer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.core.schema.report import Place, Report
    from gateway.core.schema.trial import Trial
    from gateway.core.types import Json, Plain

Fits: TypeAlias = "Callable[[Json, Trial], bool]"
"""Says whether a value is good; for arrays and objects this may be remembered by the trial."""
Tell: TypeAlias = "Callable[[Json, Place, Report], None]"
"""Adds each violation to the report: at least one exactly when the value is not good."""

TYPE_OF: Final = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    list: "array",
    dict: "object",
    type(None): "null",
}

_APPLICATORS: Final = SCHEMA_MEMBERS | SCHEMA_ITEMS | SCHEMA_VALUE
_FORKS: Final = frozenset(
    (
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "if",
        "contains",
        "dependentSchemas",
        "patternProperties",
        "unevaluatedItems",
        "unevaluatedProperties",
    )
)
_NO_FORK_BESIDE_REF: Final = frozenset(("$ref", "x-layer", "x-discriminator"))


class Rule(NamedTuple):
    """One rule of a schema, in its two forms."""

    fits: Fits
    tell: Tell


class Check:
    """A compiled schema. ``schema`` is kept so that its identity stays its own."""

    __slots__ = ("fits", "schema", "tell")

    def __init__(self, schema: Plain, fits: Fits, tell: Tell) -> None:
        self.schema = schema
        self.fits = fits
        self.tell = tell


class Scope(NamedTuple):
    """What a schema is compiled with: who set it, what its strings are called, who else may ask.

    ``noun`` is ``key`` below ``propertyNames``. ``shared`` is true where one value may be judged by the same
    schema more than once: then verdicts are remembered.
    """

    layer: Layer = Layer.CONTRACT
    noun: str = "string"
    shared: bool = False

    def of(self, schema: Mapping[str, Any]) -> Scope:
        """Give the scope of a schema's own rules, and of what is below it."""
        layer = Layer(schema["x-layer"]) if "x-layer" in schema else self.layer
        forks = not _FORKS.isdisjoint(schema)
        if "$ref" in schema and not _NO_FORK_BESIDE_REF.issuperset(schema):
            forks = True
        return Scope(layer, self.noun, shared=self.shared or forks)

    def below(self) -> Scope:
        """Give the scope of members and items: their strings are strings again."""
        return self if self.noun == "string" else self._replace(noun="string")


SILENT: Final = Scope(shared=True)
"""The scope of schemas that only ever answer yes or no."""

Build: TypeAlias = "Callable[[Plain, Scope], Check]"


def is_deep(schema: Mapping[str, Json]) -> bool:
    """Say whether judging by this schema means judging by others, too."""
    return not _APPLICATORS.isdisjoint(schema)
