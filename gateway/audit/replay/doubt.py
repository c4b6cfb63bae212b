"""Schemas for bodies whose texts are not known: what is certainly refused, and what is certainly accepted.

In a redacted body strings are placeholders (:mod:`gateway.audit.redaction`). Nothing is lost by that but what
``pattern`` and ``format`` say of a replaced string. So two schemas are made of one that has these:

- the *lenient* one takes any placeholder for a string that they accept: what it refuses is refused
- the *strict* one takes any placeholder for a string that they refuse: what it accepts is accepted

Between the two lies what cannot be judged. Under ``not``, and wherever else more that is accepted inside
means less that is accepted outside, each takes the place of the other. That is sound for every schema in
plain form. It could be narrower where ``unevaluatedProperties`` or ``unevaluatedItems`` stand beside a choice
in doubt: there the strict form accepts nothing. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway.audit.redaction import FIRST_PLACEHOLDER, LAST_PLACEHOLDER
from gateway.core.schema.plain import inner_schemas, map_schemas
from gateway.core.schema.references import references

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.core.types import Plain

_TEXTUAL: Final = ("pattern", "format")
_UNEVALUATED: Final = ("unevaluatedProperties", "unevaluatedItems")
_CHOICES: Final = ("anyOf", "oneOf", "not", "if", "then", "else")
"""Keywords whose schemas need not hold, so that what they have evaluated depends on whether they do."""
_PLACEHOLDER: Final = {
    "type": ["string"],
    "pattern": f"^[{chr(FIRST_PLACEHOLDER)}-{chr(LAST_PLACEHOLDER)}]+$",
}
_NO_NAMES: Final = frozenset(("propertyNames",))
"""Keywords whose schemas judge keys, which are kept."""


class Doubt:
    """Makes lenient and strict schemas of those that share ``definitions``.

    ``definitions`` of the result are those, and a lenient and a strict one of each that is in doubt.
    """

    def __init__(self, definitions: Mapping[str, Plain]) -> None:
        self._known = definitions
        self._in_doubt = self._names_in_doubt()
        self._done: dict[tuple[int, bool], Plain] = {}
        self.definitions: dict[str, Plain] = dict(definitions)
        for name in self._in_doubt:
            for lenient in (True, False):
                self.definitions[_named(name, lenient=lenient)] = self.bound(
                    definitions[name], lenient=lenient
                )

    def _names_in_doubt(self) -> frozenset[str]:
        """Give the names of definitions in which a replaced string may be in doubt."""
        users: dict[str, list[str]] = {}
        pending = []
        for name, schema in self._known.items():
            for used in set(references(schema)):
                users.setdefault(used, []).append(name)
            if _says_of_texts(schema):
                pending.append(name)
        found: set[str] = set()
        while pending:
            name = pending.pop()
            if name not in found:
                found.add(name)
                pending += users.get(name, ())
        return frozenset(found)

    def concerns(self, schema: Plain) -> bool:
        """Say whether a replaced string may be in doubt under a schema."""
        return _says_of_texts(schema) or not self._in_doubt.isdisjoint(references(schema))

    def bound(self, schema: Plain, *, lenient: bool) -> Plain:
        """Give the lenient or the strict form of a schema: the schema itself if nothing is in doubt."""
        if isinstance(schema, bool) or not self.concerns(schema):
            return schema
        key = id(schema), lenient
        done = self._done.get(key)
        if done is None:
            done = self._done[key] = self._bound(schema, lenient=lenient)
        return done

    def _bound(self, schema: dict[str, Any], *, lenient: bool) -> Plain:
        schema = dict(schema)
        if any(name in schema for name in _UNEVALUATED) and self._choice_in_doubt(schema, set()):
            if not lenient:
                return False
            for name in _UNEVALUATED:
                schema.pop(name, None)
        names = schema.pop("propertyNames", None)
        parts = [
            *_texts(schema, lenient=lenient),
            *self._condition(schema, lenient=lenient),
            *self._one_of(schema, lenient=lenient),
            *self._contains(schema, lenient=lenient),
        ]
        excluded = schema.pop("not", None)
        result = map_schemas(schema, lambda inner: self.bound(inner, lenient=lenient))
        if excluded is not None:
            result["not"] = self.bound(excluded, lenient=not lenient)
        if names is not None:
            result["propertyNames"] = names
        if result.get("$ref") in self._in_doubt:
            result["$ref"] = _named(result["$ref"], lenient=lenient)
        if parts:
            result["allOf"] = [*result.get("allOf", ()), *parts]
        return result

    def _condition(self, schema: dict[str, Any], *, lenient: bool) -> list[Plain]:
        """Take ``if`` apart where it is in doubt: (not if, or then) and (if, or else)."""
        if not self.concerns(schema.get("if", True)):
            return []
        condition = schema.pop("if")
        then, otherwise = (self.bound(schema.pop(name, True), lenient=lenient) for name in ("then", "else"))
        return [
            {"anyOf": [{"not": self.bound(condition, lenient=not lenient)}, then]},
            {"anyOf": [self.bound(condition, lenient=lenient), otherwise]},
        ]

    def _one_of(self, schema: dict[str, Any], *, lenient: bool) -> list[Plain]:
        """Take ``oneOf`` apart where it is in doubt: at least one, and not more."""
        if not any(map(self.concerns, schema.get("oneOf", ()))):
            return []
        branches = schema.pop("oneOf")
        meant = schema.pop("x-discriminator", None)
        discriminator = {} if meant is None or "anyOf" in schema else {"x-discriminator": meant}
        others = [self.bound(branch, lenient=not lenient) for branch in branches]
        several = {"allOf": [{"anyOf": others}, {"not": {"oneOf": others}}]}
        return [
            {"anyOf": [self.bound(branch, lenient=lenient) for branch in branches], **discriminator},
            {"not": several},
        ]

    def _contains(self, schema: dict[str, Any], *, lenient: bool) -> list[Plain]:
        """Take ``contains`` apart where it is in doubt: so many at least, and so many at most."""
        if not self.concerns(schema.get("contains", True)):
            return []
        wanted = schema.pop("contains")
        fewest, most = schema.pop("minContains", 1), schema.pop("maxContains", None)
        parts: list[Plain] = [{"contains": self.bound(wanted, lenient=lenient), "minContains": fewest}]
        if most is not None:
            parts.append(
                {
                    "contains": self.bound(wanted, lenient=not lenient),
                    "minContains": 0,
                    "maxContains": most,
                }
            )
        return parts

    def _choice_in_doubt(self, schema: Plain, seen: set[str]) -> bool:
        """Say whether it is in doubt which members of a value a schema evaluates."""
        if isinstance(schema, bool):
            return False
        if any(self.concerns(inner) for inner in inner_schemas(schema, _CHOICES)):
            return True
        if self.concerns(schema.get("contains", True)):
            return True
        name = schema.get("$ref")
        if name is not None and name not in seen:
            seen.add(name)
            if self._choice_in_doubt(self._known[name], seen):
                return True
        return any(
            self._choice_in_doubt(inner, seen)
            for inner in inner_schemas(schema, ("allOf", "dependentSchemas"))
        )


def _named(name: str, *, lenient: bool) -> str:
    """Name the form of a definition; no contract's and no policy's begins so."""
    return f"{'lenient' if lenient else 'strict'}:{name}"


def _says_of_texts(schema: Plain) -> bool:
    """Say whether a schema, or one inside it, says of a string what cannot be known of a replaced one."""
    pending = [schema]
    while pending:
        one = pending.pop()
        if isinstance(one, bool):
            continue
        if any(name in one for name in _TEXTUAL):
            return True
        pending += inner_schemas(one, one.keys() - _NO_NAMES)
    return False


def _texts(schema: dict[str, Any], *, lenient: bool) -> list[Plain]:
    """Give what takes the place of ``pattern`` and ``format``; the latter two are taken out."""
    parts: list[Plain] = []
    for name in _TEXTUAL:
        if name in schema:
            rule: dict[str, Any] = {name: schema.pop(name)}
            parts.append({"anyOf": [_PLACEHOLDER, rule]} if lenient else rule)
    if parts and not lenient:
        parts.append({"not": _PLACEHOLDER})
    return parts
