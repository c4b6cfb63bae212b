"""``gateway audit verify``: proves that the ledger is what was written."""

from __future__ import annotations

import os
from pathlib import Path  # noqa: TC003 - typer reads annotations at run time
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.cli.app import ConfigPath  # noqa: TC001 - typer reads annotations at run time
from gateway.cli.audit.group import Directory, audit, audit_settings
from gateway.cli.terminal import progress

if TYPE_CHECKING:
    from gateway.audit.verify import Verification

_WORTH_A_PROCESS: Final = 128 * 1024 * 1024
"""Bytes of a ledger from which on starting other processes is worth it."""
_MAX_PROCESSES: Final = 8


@audit.command()
def verify(
    head: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Heads that were kept elsewhere: a cut tail shows.", show_default=False
        ),
    ] = None,
    config: ConfigPath = None,
    directory: Directory = None,
) -> None:
    """Read the whole ledger; exit status 1, and the place of each fault, if it is not what was written."""
    from gateway.audit.heads import read_heads
    from gateway.audit.segments import ledger_size
    from gateway.audit.verify import verify as verify_ledger

    trail = audit_settings(config, directory).directory
    kept = None if head is None else read_heads(head)
    size = ledger_size(trail)
    processes = min(os.cpu_count() or 1, _MAX_PROCESSES) if size > _WORTH_A_PROCESS else 1
    with progress("verifying", size) as moved:
        found = verify_ledger(trail, kept=kept, processes=processes, progress=moved)
    tell(found)
    if found.fault_count:
        raise typer.Exit(1)


def tell(found: Verification) -> None:
    """Print the faults, or that there is none, and the streams."""
    for fault in found.faults:
        print(fault)
    faults = found.fault_count
    if faults > len(found.faults):
        print(f"and {faults - len(found.faults)} more")
    for name, one in sorted(found.beginnings.items()):
        told = f"record {one.seq} of {one.stream} says ({one.time})"
        print(f"pruned: {name} begins with record {one.after.seq + 1}, as {told}")
    for note in found.notes:
        print(f"note: {note}")
    result = f"{faults} fault{'s' * (faults != 1)}" if faults else "intact"
    streams = f"{len(found.heads)} stream{'s' * (len(found.heads) != 1)}"
    print(f"{result}: {found.records} records of {streams}, {found.size} bytes.")
