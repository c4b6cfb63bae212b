"""``gateway schema``: the effective JSON Schema of an operation, each keyword with its layer."""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from gateway.cli.app import ConfigPath, app, config_path
from gateway.cli.operation import ContentType, find_content, find_operation
from gateway.core.pointers import escaped
from gateway.core.schema.plain import ANNOTATIONS, map_schemas
from gateway.core.schema.references import references
from gateway.core.types import Layer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.core.types import Plain


@app.command()
def schema(
    operation: Annotated[str, typer.Argument(metavar="OPERATION", help="operationId")],
    config: ConfigPath = None,
    content_type: ContentType = None,
    app_name: Annotated[
        str | None, typer.Option("--app", metavar="NAME", help="As for this app; not available yet.")
    ] = None,
) -> None:
    """Print what an operation's body is judged by; ``x-layer`` says who set each keyword."""
    from gateway.wiring import compile_plan

    if app_name is not None:
        raise typer.BadParameter("apps are not available yet", param_hint="--app")
    plan = compile_plan(config_path(config), os.environ)
    found = find_operation(plan, operation)
    if found.body is None:
        print("false")
        return
    validator = find_content(found.body, content_type).validator
    print(json.dumps(effective_schema(validator.schema, validator.definitions), indent=2))


def effective_schema(schema: Plain, definitions: Mapping[str, Plain]) -> Any:
    """Give a schema in plain form as JSON Schema 2020-12 that stands by itself.

    What several of its references lead to is in ``$defs``; what one leads to stands in its place. In every
    schema object, ``x-layer`` maps each keyword to the layer that set it.
    """
    writer = _Writer(schema, definitions)
    written = writer.write(schema, Layer.CONTRACT.value)
    written = {"allOf": [written]} if isinstance(written, bool) else written
    result = {"$schema": "https://json-schema.org/draft/2020-12/schema", **written}
    defs: dict[str, Any] = {}
    while len(defs) < len(writer.names):
        key, name = list(writer.names.items())[len(defs)]
        defs[name] = writer.write(definitions[key], Layer.CONTRACT.value)
    return result | {"$defs": defs} if defs else result


class _Writer:
    """Writes schemas out; ``names`` maps the definitions needed so far to their names in ``$defs``."""

    def __init__(self, schema: Plain, definitions: Mapping[str, Plain]) -> None:
        self.names: dict[str, str] = {}
        self._definitions = definitions
        self._counts = Counter(references(schema))
        waiting = list(self._counts)
        while waiting:
            for key in references(definitions[waiting.pop()]):
                if key not in self._counts:
                    waiting.append(key)
                self._counts[key] += 1

    def write(self, schema: Plain, layer: str) -> Any:
        """Give a schema with ``x-layer`` in every schema object; ``layer`` is what holds around it."""
        if isinstance(schema, bool):
            return schema
        layer = schema.get("x-layer", layer)
        rules = {keyword: value for keyword, value in schema.items() if keyword not in ANNOTATIONS}
        if list(rules) == ["$ref"] and self._counts[rules["$ref"]] == 1:
            return self.write(self._definitions[rules["$ref"]], layer)
        result = map_schemas(rules, lambda inner: self.write(inner, layer))
        if "$ref" in result:
            result["$ref"] = "#/$defs/" + _fragment(self._name(result["$ref"]))
        if len(result.get("type", ())) == 1:
            [result["type"]] = result["type"]
        if rules:
            result["x-layer"] = dict.fromkeys(rules, layer)
        return result

    def _name(self, key: str) -> str:
        """Give a definition's short name: the last step of its key, numbered where others have the same."""
        if key not in self.names:
            short = key.rpartition("/")[2] or key
            taken = set(self.names.values())
            name, number = short, 1
            while name in taken:
                number += 1
                name = f"{short}-{number}"
            self.names[key] = name
        return self.names[key]


def _fragment(token: str) -> str:
    """Write a token of a JSON Pointer in a URI fragment (RFC 6901 section 6)."""
    return quote(escaped(token), safe="!$&'()*+,;=:@-._~?")
