"""``gateway validate``: judges one body exactly as the proxy would, and forwards nothing."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.app import ConfigPath, app, config_path
from gateway.cli.operation import find_operation
from gateway.cli.terminal import table

if TYPE_CHECKING:
    from gateway.core.types import Operation, Rejection, Violation
    from gateway.wiring import Plan


@app.command()
def validate(
    operation: Annotated[str, typer.Argument(metavar="OPERATION", help="operationId")],
    file: Annotated[str, typer.Argument(metavar="[FILE or -]", help="The body; - is standard input.")] = "-",
    config: ConfigPath = None,
    app_name: Annotated[
        str | None, typer.Option("--app", metavar="NAME", help="As this app; not available yet.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
) -> None:
    """Judge one body: exit status 0 permitted, 1 refused (every violation is printed), 2 usage."""
    from gateway.wiring import compile_plan

    if app_name is not None:
        raise typer.BadParameter("apps are not available yet", param_hint="--app")
    plan = compile_plan(config_path(config), os.environ)
    found = find_operation(plan, operation)
    rejection = _judge(plan, found, _read(file))
    if as_json:
        print(json.dumps(_verdict(rejection), indent=2))
    elif rejection is None:
        print("permitted")
    else:
        _explain(rejection)
    raise typer.Exit(0 if rejection is None else 1)


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}", param_hint="FILE") from None


def _judge(plan: Plan, operation: Operation, body: bytes) -> Rejection | None:
    from gateway.core.decide import judge_body, reject, too_large
    from gateway.core.types import Rejection

    if len(body) > operation.max_bytes:
        return too_large(operation.max_bytes)
    validator = None if operation.body is None else operation.body.media_types.get("application/json")
    found = judge_body(plan.rules, operation, validator, body)
    if isinstance(found, Rejection):
        return found
    return reject(found) if found else None


def _verdict(rejection: Rejection | None) -> dict[str, Any]:
    from gateway.core.codes import status_of

    if rejection is None:
        return {"verdict": "permit", "violations": []}
    return {
        "verdict": "reject",
        "phase": rejection.phase.value,
        "status": status_of(rejection.code),
        "code": rejection.code,
        "message": rejection.message,
        "param": rejection.param,
        "violations": [_violation(violation) for violation in rejection.violations],
    }


def _violation(violation: Violation) -> dict[str, Any]:
    members = {
        "pointer": violation.pointer,
        "param": violation.param,
        "code": violation.code,
        "message": violation.message,
        "layer": violation.layer.value,
        "limit": violation.limit,
        "actual": violation.actual,
    }
    return {name: value for name, value in members.items() if value is not None}


def _explain(rejection: Rejection) -> None:
    from gateway.core.codes import status_of

    print(f"refused: {status_of(rejection.code)} {rejection.code}")
    if not rejection.violations:
        print(rejection.message)
        return
    rows = [(v.pointer or "(whole body)", v.code, v.layer.value, v.message) for v in rejection.violations]
    table(("pointer", "code", "layer", "message"), rows)
