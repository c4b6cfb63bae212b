"""The group ``gateway audit``, and how its verbs find the trail."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.app import config_path

if TYPE_CHECKING:
    from gateway.config.model import Audit

audit = typer.Typer(rich_markup_mode=None)

Directory = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="The audit directory, with its index in SQLite; no configuration is read then.",
        show_default=False,
    ),
]


def audit_settings(config: Path | None, directory: Path | None) -> Audit:
    """Give the section ``audit``: the configuration's, or all defaults but for ``directory``.

    :raises ConfigError: when the configuration has faults
    :raises typer.BadParameter: when there is no ledger in the directory
    """
    from gateway.audit.segments import LEDGER
    from gateway.config.load import load
    from gateway.config.model import Audit

    if directory is None:
        settings = load(config_path(config), os.environ).config.audit
    elif config is None:
        settings = Audit.model_validate({"directory": str(directory.absolute())})
    else:
        raise typer.BadParameter("not together with -c", param_hint="--directory")
    if not (settings.directory / LEDGER).is_dir():
        raise typer.BadParameter(f"{settings.directory}: there is no ledger here", param_hint="directory")
    return settings


from gateway.cli.audit import (  # noqa: E402 - each adds its verb
    erase,  # noqa: F401
    export,  # noqa: F401
    head,  # noqa: F401
    index,  # noqa: F401
    keys,  # noqa: F401
    lookup,  # noqa: F401
    prune,  # noqa: F401
    query,  # noqa: F401
    show,  # noqa: F401
    tail,  # noqa: F401
    verify,  # noqa: F401
)
