"""``gateway validate``: judges one body exactly as the proxy would, and forwards nothing."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.app import ConfigPath, app, config_path
from gateway.cli.operation import ContentType, default_content_type, find_operation
from gateway.cli.terminal import table

if TYPE_CHECKING:
    from gateway.core.types import Findings, Operation, Rejection, Violation
    from gateway.wiring import Plan


@app.command()
def validate(
    operation: Annotated[str, typer.Argument(metavar="OPERATION", help="operationId")],
    file: Annotated[str, typer.Argument(metavar="[FILE or -]", help="The body; - is standard input.")] = "-",
    config: ConfigPath = None,
    content_type: ContentType = None,
    app_name: Annotated[
        str | None, typer.Option("--app", metavar="NAME", help="As this app; not available yet.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
) -> None:
    """Judge one body: exit status 0 permitted, 1 refused (every violation is printed), 2 usage."""
    from gateway.core.types import Rejection
    from gateway.wiring import compile_plan

    if app_name is not None:
        raise typer.BadParameter("apps are not available yet", param_hint="--app")
    plan = compile_plan(config_path(config), os.environ)
    found = find_operation(plan, operation)
    verdict = _judge(plan, found, content_type, _read(file))
    if as_json:
        print(json.dumps(_verdict(verdict), indent=2))
    else:
        _explain(found, verdict)
    raise typer.Exit(1 if isinstance(verdict, Rejection) else 0)


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}", param_hint="FILE") from None


def _judge(plan: Plan, operation: Operation, content_type: str | None, body: bytes) -> Findings | Rejection:
    """Give the proxy's refusal, or what it would only record."""
    from gateway.core.decide import choose_content, judge_body, reject, too_large
    from gateway.core.types import Findings, Rejection

    if len(body) > operation.max_bytes:
        return too_large(operation.max_bytes)
    if not operation.judged:
        return Findings((), 0)
    entity = None
    if operation.body is not None and (body or content_type is not None):
        meant = default_content_type(operation.body) if content_type is None else content_type
        chosen = choose_content(operation.body, meant.encode())
        if isinstance(chosen, Rejection):
            return chosen
        entity = chosen
    enforced = found = judge_body(plan.rules, operation, entity, body)
    if operation.reported and not isinstance(found, Rejection) and found.total:
        enforced = judge_body(plan.rules, operation, entity, body, operation.reported)
    if isinstance(enforced, Rejection):
        return enforced
    return reject(enforced) if enforced.total else found


def _verdict(verdict: Findings | Rejection) -> dict[str, Any]:
    from gateway.core.codes import status_of
    from gateway.core.types import Rejection

    violations = [_violation(violation) for violation in verdict.violations]
    counted = {"total": verdict.total} if verdict.total else {}
    if not isinstance(verdict, Rejection):
        would = {"would_reject": True} if verdict.total else {}
        return {"verdict": "permit", **would, "violations": violations, **counted}
    return {
        "verdict": "reject",
        "phase": verdict.phase.value,
        "status": status_of(verdict.code),
        "code": verdict.code,
        "message": verdict.message,
        "param": verdict.param,
        "violations": violations,
        **counted,
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


def _explain(operation: Operation, verdict: Findings | Rejection) -> None:
    from gateway.core.codes import status_of
    from gateway.core.types import Rejection

    if isinstance(verdict, Rejection):
        print(f"refused: {status_of(verdict.code)} {verdict.code}")
        if not verdict.violations:
            print(verdict.message)
            return
    elif not verdict.total:
        print("permitted" if operation.judged else "permitted: the mode of its contract is off")
        return
    else:
        layers = " and ".join(sorted(operation.reported))
        print(f"permitted: it would be refused, were the faults of {layers} not only reported")
    rows = [(v.pointer or "(whole body)", v.code, v.layer.value, v.message) for v in verdict.violations]
    table(("pointer", "code", "layer", "message"), rows)
    if verdict.total > len(rows):
        print(f"and {verdict.total - len(rows)} more")
