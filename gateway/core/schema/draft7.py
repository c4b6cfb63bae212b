"""Plain form in, JSON Schema draft 7 out: as fastjsonschema has to be told so that it means what we do.

What it would judge inexactly, or in more than linear time, becomes a reference to a schema that the full
form's silent checks judge instead: ``multipleOf`` (it rounds), unique items that are not strings (it hashes
them, and a caller can choose numbers whose hashes collide), counted ``contains``, ``unevaluated…``. A choice
between schemas for arrays or objects becomes a reference, too, so that only branches that a value can fit are
asked. Patterns, formats and long lists of strings become formats, which are plain functions there.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from gateway.core.schema.equality import canonical
from gateway.core.schema.formats import FORMATS
from gateway.core.schema.pattern import matcher
from gateway.core.schema.plain import ANNOTATIONS, map_schemas
from gateway.core.schema.rules import is_deep

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gateway.core.types import Json, Plain

_MAX_NESTING: Final = 6
"""How many schemas inside one another make one function: Python allows 20 nested blocks, and a schema takes
up to two."""
_FEW: Final = 3
"""How many strings are compared one by one rather than looked up."""
_UNEVALUATED: Final = frozenset(("unevaluatedProperties", "unevaluatedItems"))
_AS_THEY_ARE: Final = frozenset(
    (
        *("type", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
        *("minItems", "maxItems", "minProperties", "maxProperties", "allOf", "anyOf", "oneOf", "not"),
        *("properties", "propertyNames"),
    )
)
_ENUMERABLE: Final = frozenset(("string", "boolean", "null"))


class Choice(NamedTuple):
    """An ``anyOf`` or ``oneOf``, and the names of its branches."""

    branches: tuple[Plain, ...]
    names: tuple[str, ...]
    only_one: bool


class Names:
    """Names for what generated code calls, each a Python identifier.

    ``functions`` are the formats; ``definitions`` name definitions, ``parts`` schemas that get a function of
    their own, ``choices`` those between schemas with functions of their own, ``judged`` schemas that the
    silent checks judge.
    """

    def __init__(self) -> None:
        self.functions: dict[str, Callable[[str], Any]] = {}
        self.definitions: dict[str, str] = {}
        self.parts: dict[str, Plain] = {}
        self.choices: dict[str, Choice] = {}
        self.judged: dict[str, Plain] = {}
        self._definitions: dict[str, str] = {}
        self._functions: dict[tuple[str, str], str] = {}
        self._numbers = count()

    def definition(self, key: str) -> str:
        """Name a definition."""
        name = self._definitions.setdefault(key, f"d{next(self._numbers)}")
        self.definitions[name] = key
        return name

    def part(self, schema: Plain) -> str:
        """Name a schema that gets a function of its own."""
        name = f"d{next(self._numbers)}"
        self.parts[name] = schema
        return name

    def choice(self, branches: Sequence[Plain], *, only_one: bool) -> str:
        """Name a choice; each of its branches gets a function."""
        name = f"d{next(self._numbers)}"
        names = tuple(self._branch(branch) for branch in branches)
        self.choices[name] = Choice(tuple(branches), names, only_one)
        return name

    def _branch(self, schema: Plain) -> str:
        if not isinstance(schema, bool) and schema.keys() - ANNOTATIONS == {"$ref"}:
            return self.definition(schema["$ref"])
        return self.part(schema)

    def judge(self, schema: Plain) -> str:
        """Name a schema that the silent checks judge."""
        name = f"d{next(self._numbers)}"
        self.judged[name] = schema
        return name

    def function(self, kind: str, key: str, function: Callable[[str], Any]) -> str:
        """Name a function of a string."""
        name = self._functions.setdefault((kind, key), f"f{next(self._numbers)}")
        self.functions[name] = function
        return name


class Draft7:
    """Writes one schema; ``references`` are the names that it refers to afterwards."""

    def __init__(self, names: Names) -> None:
        self.references: set[str] = set()
        self._names = names
        self._depth = 0

    def write(self, schema: Plain) -> Plain:
        """Give the schema as draft 7, with references to ``#/definitions/NAME``.

        Raises :class:`gateway.core.schema.pattern.PatternFault` for a pattern that the readers would have
        refused.
        """
        if isinstance(schema, bool):
            return schema
        if not _UNEVALUATED.isdisjoint(schema):
            return self._refer(self._names.judge(schema))
        if self._depth > _MAX_NESTING:
            return self._refer(self._names.part(schema))
        choices = [name for name in ("anyOf", "oneOf") if any(map(_is_deep, schema.get(name, ())))]
        self._depth += 1
        plain = map_schemas({name: schema[name] for name in schema if name not in choices}, self.write)
        self._depth -= 1
        result = {name: value for name, value in plain.items() if name in _AS_THEY_ARE}
        also = [*self._scalars(plain), *self._members(plain, result), *self._items(schema, plain, result)]
        also += [self._refer(self._names.choice(schema[name], only_one=name == "oneOf")) for name in choices]
        if "if" in plain and ("then" in plain or "else" in plain):
            result |= {name: plain[name] for name in ("if", "then", "else") if name in plain}
        if "$ref" in plain:
            reference = self._refer(self._names.definition(plain["$ref"]))
            if not result and not also:
                return reference
            also.append(reference)
        if also:
            result["allOf"] = [*result.get("allOf", ()), *also]
        return result

    def _refer(self, name: str) -> dict[str, Any]:
        self.references.add(name)
        return {"$ref": f"#/definitions/{name}"}

    def _judge(self, schema: Mapping[str, Json], *keywords: str) -> dict[str, Any]:
        """Leave some of a schema's keywords to the silent checks."""
        return self._refer(self._names.judge({name: schema[name] for name in keywords if name in schema}))

    def _scalars(self, schema: Mapping[str, Json]) -> list[Plain]:
        also: list[Plain] = []
        if "enum" in schema:
            also.append(self._one_of(schema["enum"]))
        if "const" in schema:
            also.append(self._one_of([schema["const"]]))
        if "pattern" in schema:
            pattern = schema["pattern"]
            also.append({"format": self._names.function("pattern", pattern, matcher(pattern))})
        if "format" in schema:
            format_ = schema["format"]
            also.append({"format": self._names.function("format", format_, FORMATS[format_])})
        if "multipleOf" in schema:
            also.append(self._judge(schema, "multipleOf"))
        return also

    def _one_of(self, values: list[Json]) -> Plain:
        if len(values) > _FEW and all(isinstance(value, str) for value in values):
            known = frozenset(values)
            name = self._names.function("enum", canonical(sorted(known)), known.__contains__)
            return {"type": ["string"], "format": name}
        return {"enum": values}

    def _members(self, schema: Mapping[str, Json], result: dict[str, Any]) -> list[Plain]:
        also: list[Plain] = []
        if "additionalProperties" in schema:
            result["additionalProperties"] = schema["additionalProperties"]
        if "patternProperties" in schema:
            result["patternProperties"] = {
                self._names.function("pattern", pattern, matcher(pattern)): member
                for pattern, member in schema["patternProperties"].items()
            }
        required = list(dict.fromkeys(schema.get("required", ())))
        # It refuses to generate what looks like a contradiction, but only where both stand side by side.
        if schema.get("additionalProperties", True) or set(required) <= schema.get("properties", {}).keys():
            result |= {"required": required} if required else {}
        else:
            also.append({"required": required})
        dependent = [schema[name] for name in ("dependentRequired", "dependentSchemas") if schema.get(name)]
        return [*also, *({"dependencies": one} for one in dependent)]

    def _items(
        self, schema: Mapping[str, Json], plain: Mapping[str, Json], result: dict[str, Any]
    ) -> list[Plain]:
        also: list[Plain] = []
        if plain.get("prefixItems"):
            result["items"] = plain["prefixItems"]
            if plain.get("items", True) not in (True, {}):
                result["additionalItems"] = plain["items"]
        elif "items" in plain:
            result["items"] = plain["items"]
        if "contains" in plain:
            fewest, most = plain.get("minContains", 1), plain.get("maxContains")
            if fewest == 1 and most is None:
                result["contains"] = plain["contains"]
            elif fewest or most is not None:
                also.append(self._judge(schema, "contains", "minContains", "maxContains"))
        if plain.get("uniqueItems"):
            if "prefixItems" not in plain and _only_strings(plain.get("items", True)):
                # It hashes items before it judges them.
                also += [{"items": result.pop("items")}, {"uniqueItems": True}]
            else:
                also.append(self._judge(schema, "uniqueItems"))
        return also


def _is_deep(schema: Plain) -> bool:
    return not isinstance(schema, bool) and ("$ref" in schema or is_deep(schema))


def _only_strings(schema: Plain) -> bool:
    return not isinstance(schema, bool) and "type" in schema and _ENUMERABLE.issuperset(schema["type"])
