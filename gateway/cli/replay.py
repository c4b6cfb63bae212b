"""``gateway replay``: what another configuration would change for the requests that were recorded."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.app import ConfigPath, app, config_path
from gateway.cli.terminal import progress, table

if TYPE_CHECKING:
    from gateway.audit.replay.rulebook import Rulebook
    from gateway.audit.replay.tally import Tally
    from gateway.audit.replay.work import Means
    from gateway.wiring import Plan


@app.command()
def replay(
    new_config: Annotated[Path, typer.Argument(metavar="NEW_CONFIG", help="The other configuration.")],
    config: ConfigPath = None,
    since: Annotated[
        str,
        typer.Option(metavar="TIME", help="The oldest requests to judge: 7d, a date, or an RFC 3339 time."),
    ] = "7d",
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Judge the recorded requests under another configuration, and list what would change.

    Exit status: 0 nothing would be newly refused, 1 something would be, 2 a configuration or the ledger
    cannot be used, 3 nothing, but some requests could not be judged.
    """
    from gateway.audit.query import QueryError, parse_query
    from gateway.audit.replay.verdicts import Change
    from gateway.errors import ConfigError

    try:
        moment = parse_query({"since": since}, time.time()).since
    except QueryError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from None
    paths = config_path(config), new_config
    try:
        tally = _judge(paths, moment)
    except ConfigError as error:
        print(error)
        raise typer.Exit(2) from None
    if as_json:
        print(json.dumps(_report(tally), indent=2))
    else:
        _explain(tally, since)
    if tally.count(Change.REFUSED):
        raise typer.Exit(1)
    raise typer.Exit(3 if tally.count(Change.UNKNOWN) else 0)


def _judge(paths: tuple[Path, Path], moment: int | None) -> Tally:
    """Judge what was recorded from ``moment`` on, in milliseconds since the epoch."""
    from gateway.audit.replay.work import judge_all, pieces
    from gateway.errors import ConfigError, Fault

    plans: list[Plan] = []
    faults: list[Fault] = []
    for path in paths:
        try:
            plans.append(_compile(path))
        except ConfigError as error:
            faults += error.faults
    if faults:
        raise ConfigError(list(dict.fromkeys(faults)))
    directory = plans[0].config.audit.directory
    work = pieces(directory, None if moment is None else moment / 1000)
    least = "" if moment is None else _written(moment)
    with progress("judging", sum(piece.end - piece.start for piece in work)) as done:
        return judge_all(work, partial(means, paths, directory), least, progress=done)


def _compile(path: Path) -> Plan:
    from gateway.wiring import compile_plan

    return compile_plan(path, os.environ, cached=True)


def means(paths: tuple[Path, Path], directory: Path) -> Means:
    """Make what one process judges with, of the current and of the other configuration.

    :raises ConfigError: when one of them cannot be used
    """
    from gateway.audit.content.reader import Contents
    from gateway.audit.instance import Keys
    from gateway.audit.replay.judging import Judge
    from gateway.audit.replay.work import Means

    keys = Keys(directory, make=False)
    current, new = (_rulebook(_compile(path)) for path in paths)
    return Means(Contents(directory, keys).of, Judge(current, new, keys))


def _rulebook(plan: Plan) -> Rulebook:
    from gateway.audit.replay.rulebook import Rulebook

    return Rulebook(plan.operations, plan.rules.max_depth)


def _written(moment: int) -> str:
    """Write a moment as records have it."""
    seconds, milliseconds = divmod(moment, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"


def _report(tally: Tally) -> dict[str, Any]:
    from gateway.audit.replay.verdicts import Change

    report: dict[str, Any] = {
        "requests": tally.requests,
        "unchanged": tally.unchanged,
        "left_out": tally.left_out,
        "damaged": tally.damaged,
    }
    for change in (Change.REFUSED, Change.PERMITTED, Change.UNKNOWN):
        label = "reason" if change is Change.UNKNOWN else "code"
        groups = [
            {
                "operation": group.operation,
                "app": group.app,
                label: str(group.why),
                "count": members.number,
                "ids": list(members.ids),
            }
            for group, members in tally.of(change)
        ]
        report[change.name.lower()] = {"count": tally.count(change), "groups": groups}
    return report


def _explain(tally: Tally, since: str) -> None:
    from gateway.audit.replay.verdicts import Change

    refused, permitted, unknown = map(tally.count, (Change.REFUSED, Change.PERMITTED, Change.UNKNOWN))
    rows = [
        (str(change), group.operation, group.app, str(group.why), str(members.number), " ".join(members.ids))
        for change in (Change.REFUSED, Change.PERMITTED, Change.UNKNOWN)
        for group, members in tally.of(change)
    ]
    if rows:
        table(("change", "operation", "app", "code or reason", "requests", "the first of them"), rows)
        print()
    print(
        f"{tally.requests} requests since {since}: {refused} newly refused, {permitted} newly permitted, "
        f"{unknown} not judged, {tally.unchanged} unchanged, {tally.left_out} left out."
    )
    if tally.left_out:
        print(
            "Left out is what contracts and policies did not decide: broken heads, callers, rates, crashes."
        )
    if tally.damaged:
        print(f"{tally.damaged} lines of the ledger are damaged; `gateway audit verify` says where.")
