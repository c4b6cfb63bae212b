"""``gateway schema``: the effective JSON Schema of an operation, each keyword with its layer."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.app import ConfigPath, app, config_path
from gateway.cli.operation import find_operation
from gateway.core.keywords import ANNOTATIONS, map_schemas

if TYPE_CHECKING:
    from collections.abc import Mapping


@app.command()
def schema(
    operation: Annotated[str, typer.Argument(metavar="OPERATION", help="operationId")],
    config: ConfigPath = None,
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
    print(json.dumps(layered(found.body.media_types["application/json"].schema), indent=2))


def layered(schema: Mapping[str, Any] | bool) -> Any:
    """Give a schema with ``x-layer`` in every schema object: keyword → layer; yet all are contracts'."""
    if isinstance(schema, bool):
        return schema
    result = map_schemas(schema, layered)
    rules = [keyword for keyword in schema if keyword not in ANNOTATIONS and not keyword.startswith("x-")]
    if rules:
        result["x-layer"] = dict.fromkeys(rules, "contract")
    return result
