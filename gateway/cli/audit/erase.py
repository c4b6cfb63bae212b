"""``gateway audit erase``: erases what is kept of one request's body; its record stays."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.app import ConfigPath  # noqa: TC001 - typer reads annotations at run time
from gateway.cli.audit.group import Directory, audit, audit_settings
from gateway.cli.audit.reading import complain


@audit.command()
def erase(
    identity: Annotated[str, typer.Argument(metavar="ID", help="The request's id: x-request-id.")],
    config: ConfigPath = None,
    directory: Directory = None,
) -> None:
    """Erase what is kept of one request's body; exit status 1 if there is nothing."""
    from gateway.audit.content.reader import erase as erase_content

    if not erase_content(audit_settings(config, directory).directory, identity):
        complain("Nothing is kept of a body of this request.")
        raise typer.Exit(1)
    print("Erased. The record, where there still is one, stays as it is.")
