"""``gateway check``: says whether a configuration is good, and what it enforces."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.app import ConfigPath, app, config_path
from gateway.cli.terminal import table

if TYPE_CHECKING:
    from gateway.core.types import Operation
    from gateway.wiring import Plan


@app.command()
def check(
    config: ConfigPath = None,
    print_: Annotated[
        bool, typer.Option("--print", help="Print the effective configuration, secrets masked.")
    ] = False,
) -> None:
    """Load and compile everything; print what is enforced, or every fault (exit status 2)."""
    from gateway.config.effective import effective_yaml
    from gateway.errors import ConfigError
    from gateway.wiring import compile_plan

    path = config_path(config)
    try:
        plan = compile_plan(path, os.environ)
    except ConfigError as error:
        print(error)
        raise typer.Exit(2) from None
    if print_:
        sys.stdout.write(effective_yaml(plan.config))
        return
    _summarise(plan)


def _summarise(plan: Plan) -> None:
    rows = [
        (operation.name, f"{operation.method} {operation.template}", _enforced(operation), operation.upstream)
        for operation in plan.operations
    ]
    table(("operation", "request", "enforced", "upstream"), rows)
    warnings = [f"{operation.name}: {spot}" for operation in plan.operations for spot in operation.weak]
    if warnings:
        print(f"\n{len(warnings)} weak spots of the contracts:")
        for warning in warnings:
            print(f"  {warning}")
    count = len(plan.operations)
    print(f"\n{plan.path}: good. {count} operation{'s' * (count != 1)}, revision {plan.revision}.")


def _enforced(operation: Operation) -> str:
    parts = []
    if operation.path_parameters:
        parts.append("path")
    parts.append("query" if operation.query_parameters else "no query")
    parts.append("no body" if operation.body is None else "body: " + ", ".join(operation.body.media_types))
    return "; ".join(parts)
