"""``gateway audit index rebuild``: makes the index anew of what the ledger holds."""

from __future__ import annotations

import typer

from gateway.cli.app import ConfigPath  # noqa: TC001 - typer reads annotations at run time
from gateway.cli.audit.group import Directory, audit, audit_settings
from gateway.cli.terminal import progress

index = typer.Typer(help="The index that queries read.", no_args_is_help=True, rich_markup_mode=None)
audit.add_typer(index, name="index")


@index.command()
def rebuild(config: ConfigPath = None, directory: Directory = None) -> None:
    """Forget what the index has of this ledger, and fill it anew; a gateway may run meanwhile."""
    from gateway.audit.follower import rebuild as rebuild_index
    from gateway.audit.index import open_index
    from gateway.audit.segments import ledger_size

    settings = audit_settings(config, directory)
    opened = open_index(settings.index.get_secret_value(), settings.directory)
    try:
        with progress("filling the index", ledger_size(settings.directory)) as moved:
            done = 0

            def reached(size: int, _total: int) -> None:
                nonlocal done
                moved(size - done)
                done = size

            count = rebuild_index(settings.directory, opened, reached)
    finally:
        opened.close()
    print(f"The index has {count} records of this ledger.")
