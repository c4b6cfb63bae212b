"""``gateway audit keys rotate``: makes a new HMAC key, which is used from the next start on."""

from __future__ import annotations

import typer

from gateway.cli.app import ConfigPath  # noqa: TC001 - typer reads annotations at run time
from gateway.cli.audit.group import Directory, audit, audit_settings

keys = typer.Typer(
    help="The keys that bodies and API keys are signed with.", no_args_is_help=True, rich_markup_mode=None
)
audit.add_typer(keys, name="keys")


@keys.command()
def rotate(config: ConfigPath = None, directory: Directory = None) -> None:
    """Make a new key; the gateway uses it from its next start on, and looks up with all of them."""
    from gateway.audit.instance import Keys

    made = Keys(audit_settings(config, directory).directory, make=False).rotate()
    print(f"Made the key {made}, which is used from the gateway's next start on.")
