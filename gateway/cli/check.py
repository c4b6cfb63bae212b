"""``gateway check``: says whether a configuration is good, and what it enforces."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.app import ConfigPath, app, config_path
from gateway.cli.terminal import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gateway.core.types import Operation, Plain
    from gateway.wiring import Plan

_NAMED = 6
"""How many things of one kind are named for one operation."""


@app.command()
def check(
    config: ConfigPath = None,
    print_: Annotated[
        bool, typer.Option("--print", help="Print the effective configuration, secrets masked.")
    ] = False,
) -> None:
    """Load and compile everything; print what is enforced, or every fault (exit status 2)."""
    from gateway.config.effective import effective_yaml
    from gateway.contracts.inspect import inspect
    from gateway.errors import ConfigError
    from gateway.wiring import compile_plan

    path = config_path(config)
    try:
        plan = compile_plan(path, os.environ, inspect=None if print_ else inspect)
    except ConfigError as error:
        print(error)
        raise typer.Exit(2) from None
    if print_:
        sys.stdout.write(effective_yaml(plan.config))
        return
    _compile(plan)
    _summarise(plan)


def _compile(plan: Plan) -> None:
    """Have every validator compile itself, which otherwise happens when it is first used."""
    for operation in plan.operations:
        for parameter in (
            *operation.path_parameters,
            *operation.query_parameters.values(),
            *operation.header_parameters,
        ):
            parameter.validator.fast(None)
        for content in operation.body.media_types.values() if operation.body is not None else ():
            content.validator.fast(None)


def _summarise(plan: Plan) -> None:
    rows = [
        (operation.name, _request(operation), _enforced(operation), _mode(operation), operation.upstream)
        for operation in plan.operations
    ]
    table(("operation", "request", "enforced", "mode", "upstream"), rows)
    weak = [line for operation in plan.operations for line in _weak(operation)]
    if weak:
        print("\nWeak spots, which the contracts leave open and a policy may close:")
        print("\n".join(weak))
    if plan.warnings:
        print(f"\n{len(plan.warnings)} warning{'s' * (len(plan.warnings) != 1)} of the documents:")
        for warning in plan.warnings:
            print(f"  {warning}")
    count = len(plan.operations)
    print(f"\n{plan.path}: good. {count} operation{'s' * (count != 1)}, revision {plan.revision}.")


def _request(operation: Operation) -> str:
    """Say which requests are meant."""
    query = "&".join(f"{one.name}={one.value}" for one in operation.conditions if one.where == "query")
    headers = [f" [{one.name}: {one.value}]" for one in operation.conditions if one.where == "header"]
    return f"{operation.method} {operation.template}{'?' * bool(query)}{query}{''.join(headers)}"


def _enforced(operation: Operation) -> str:
    """Say what is judged: the parameters where, and each media type of the body by whose rules."""
    if not operation.judged:
        return "nothing"
    parts = []
    if operation.path_parameters:
        parts.append("path")
    parts.append(_named("query", operation.query_parameters) or "no query")
    parts += filter(None, [_named("header", [one.name for one in operation.header_parameters])])
    if operation.body is None:
        return "; ".join((*parts, "no body"))
    parts.append("body" if operation.body.required else "optional body")
    layers: dict[str, None] = {}
    for content in operation.body.media_types.values():
        layers |= dict.fromkeys(sorted(_layers(content.validator.schema)))
    rules = f" + {' + '.join(layers)}" if layers else ""
    return f"{'; '.join(parts)}: {', '.join(operation.body.media_types)}{rules}"


def _named(place: str, names: Iterable[str]) -> str:
    """Name the parameters in one place; nothing where there are none."""
    found = list(names)
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return f"{place} {', '.join(found[:_NAMED])}{more}" if found else ""


def _layers(schema: Plain) -> Iterator[str]:
    """Give the layers that a composed schema adds to the contract's."""
    parts = [schema, *schema.get("allOf", ())] if isinstance(schema, dict) else []
    for part in parts:
        if isinstance(part, dict) and part.get("x-layer", "contract") != "contract":
            yield part["x-layer"]


def _mode(operation: Operation) -> str:
    """Give the contract's mode, and which layers of others are only recorded."""
    others = sorted(layer.value for layer in operation.reported if layer.value != "contract")
    return f"{operation.mode} ({', '.join(others)}: report)" if others else operation.mode


def _weak(operation: Operation) -> Iterator[str]:
    """Give lines about what an operation's body leaves open: a few places for each weakness."""
    from gateway.contracts.weak import weak_spots

    if operation.body is None or not operation.judged:
        return
    places: dict[str, dict[str, None]] = {}
    for content in operation.body.media_types.values():
        for spot in weak_spots(content.validator):
            places.setdefault(spot.what, {})[spot.place or "the body"] = None
    for what, found in places.items():
        yield f"  {operation.name}: {_named(f'{what}:', found)}"
