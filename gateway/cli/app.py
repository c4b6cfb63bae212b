"""The verbs together, and the options that they share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="gateway",
    help="A validating reverse proxy for message APIs.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ConfigPath = Annotated[
    Path | None,
    typer.Option(
        "-c",
        "--config",
        metavar="FILE",
        help="The configuration; $GATEWAY_CONFIG, then config/gateway.yaml.",
        show_default=False,
    ),
]


def config_path(given: Path | None) -> Path:
    """Say which configuration file is meant."""
    return given or Path(os.environ.get("GATEWAY_CONFIG") or "config/gateway.yaml")


from gateway.cli import check, demo, replay, schema, serve, upstream, validate, version  # noqa: E402, F401 - each adds its verb
from gateway.cli.audit import group  # noqa: E402, F401 - the verbs of `gateway audit`
