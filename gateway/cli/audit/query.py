"""``gateway audit query``: a page of records, newest first."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.app import ConfigPath  # noqa: TC001 - typer reads annotations at run time
from gateway.cli.audit.filters import filtered
from gateway.cli.audit.group import Directory, audit, audit_settings
from gateway.cli.audit.reading import HEADING, complain, current_index, row
from gateway.cli.terminal import table

if TYPE_CHECKING:
    from gateway.audit.query import Query

AsJson = Annotated[bool, typer.Option("--json", help="Print records as they stand in the ledger.")]


@audit.command()
@filtered()
def query(
    query: Query, as_json: AsJson = False, config: ConfigPath = None, directory: Directory = None
) -> None:
    """Find records, newest first, in the index.

    Where no gateway runs, the index takes first what it has not got.
    """
    with current_index(audit_settings(config, directory)) as index:
        page = index.query(query)
    if as_json:
        for text in page.records:
            print(text)
    elif page.records:
        table(HEADING, [row(json.loads(text)) for text in page.records])
    else:
        print("No record matches.")
    if page.next is not None:
        complain(f"There are more: --cursor {page.next}")
