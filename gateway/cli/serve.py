"""``gateway serve``: the main job."""

from __future__ import annotations

import os
from typing import Annotated, Literal

import typer

from gateway.cli.app import ConfigPath, app, config_path


@app.command()
def serve(
    config: ConfigPath = None,
    workers: Annotated[
        str | None, typer.Option(metavar="N", help="Processes that serve; only 1 yet.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Reload when a configuration file changes.")] = False,
    log_format: Annotated[
        Literal["json", "console"], typer.Option(help="JSON lines, or lines for people.")
    ] = "json",
) -> None:
    """Serve until SIGTERM or SIGINT, which drain; SIGHUP reloads."""
    _forget_client()
    from gateway.process.background import Background
    from gateway.process.serve import run
    from gateway.process.serve import serve as serve_plan
    from gateway.wiring import compile_plan

    if workers not in (None, "1"):
        raise typer.BadParameter("more than one worker is not available yet", param_hint="--workers")
    background = Background()
    plan = compile_plan(config_path(config), os.environ, later=background.later, cached=True)
    if not run(serve_plan(plan, watch=watch, log_format=log_format, background=background)):
        raise typer.Exit(1)


def _forget_client() -> None:
    """Drop the two TLS contexts that aiohttp's client makes as it is imported, with all certificates: 2 MiB.

    Nothing that serves uses that client; whoever did would get a NameError, not a connection without TLS.
    """
    from aiohttp import connector

    for name in ("_SSL_CONTEXT_VERIFIED", "_SSL_CONTEXT_UNVERIFIED"):
        vars(connector).pop(name, None)
