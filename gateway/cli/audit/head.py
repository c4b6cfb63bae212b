"""``gateway audit head``: the last record of each stream, to be kept elsewhere."""

from __future__ import annotations

import sys

from gateway.cli.app import ConfigPath  # noqa: TC001 - typer reads annotations at run time
from gateway.cli.audit.group import Directory, audit, audit_settings


@audit.command()
def head(config: ConfigPath = None, directory: Directory = None) -> None:
    """Print the last record's number and hash of each stream, for `verify --head FILE`."""
    from gateway.audit.heads import current_heads, write_heads

    sys.stdout.write(write_heads(current_heads(audit_settings(config, directory).directory)))
