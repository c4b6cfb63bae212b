"""What a contract leaves open, in words, for ``gateway check``: what an operator may want to close."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.core.types import Validator


def weak_spots(body: Validator) -> tuple[str, ...]:
    """List the body's strings and arrays without a greatest length, and its objects with any property."""
    return tuple(dict.fromkeys(_walk(body.schema, "")))


def _walk(schema: Mapping[str, Any] | bool, name: str) -> Iterator[str]:
    if isinstance(schema, bool):
        if schema:
            yield f"{name or 'the body'}: any value"
        return
    for text in _open_ends(schema):
        yield f"{name or 'the body'}: {text}"
    for key, member in schema.get("properties", {}).items():
        yield from _walk(member, f"{name}.{key}" if name else key)
    for member in schema.get("patternProperties", {}).values():
        yield from _walk(member, f"{name}.*" if name else "*")
    for branch in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(branch, ()):
            yield from _walk(part, name)
    if "items" in schema:
        yield from _walk(schema["items"], f"{name}[]")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _walk(schema["additionalProperties"], f"{name}.*" if name else "*")


def _open_ends(schema: Mapping[str, Any]) -> Iterator[str]:
    kinds = schema.get("type", ())
    kinds = (kinds,) if isinstance(kinds, str) else kinds
    if "string" in kinds and not schema.keys() & {"enum", "const", "pattern", "maxLength"}:
        yield "string without maxLength"
    if "array" in kinds and "maxItems" not in schema:
        yield "array without maxItems"
    if "object" in kinds and schema.get("additionalProperties", True) is True:
        yield "object with any additional property"
    if not kinds and not schema.keys() & {"enum", "const", "allOf", "anyOf", "oneOf"}:
        yield "any type"
