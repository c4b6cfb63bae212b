"""The verbs together, and the options that they share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

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


class _AuditVerbs(TyperGroup):
    """The verbs of ``gateway audit``: loaded when one is asked for, as a gateway that serves needs none."""

    def list_commands(self, ctx: Any) -> list[str]:
        self._load()
        return super().list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        self._load()
        return super().get_command(ctx, cmd_name)

    def _load(self) -> None:
        if not self.commands:
            from gateway.cli.audit.group import audit

            self.commands.update(get_group(audit).commands)


from gateway.cli import check, demo, replay, schema, serve, upstream, validate, version  # noqa: E402, F401 - each adds its verb

app.add_typer(
    typer.Typer(cls=_AuditVerbs, help="The audit trail.", no_args_is_help=True, rich_markup_mode=None),
    name="audit",
)
