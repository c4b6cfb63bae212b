"""``gateway audit tail``: the last records, and those that come, from the ledger itself."""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.cli.app import ConfigPath  # noqa: TC001 - typer reads annotations at run time
from gateway.cli.audit.filters import filtered
from gateway.cli.audit.group import Directory, audit, audit_settings
from gateway.cli.audit.query import AsJson  # noqa: TC001
from gateway.cli.audit.reading import row

if TYPE_CHECKING:
    from gateway.audit.query import Query
    from gateway.audit.tail import Line

POLL_SECONDS: Final = 0.25


@audit.command()
@filtered("since", "until", "cursor", "limit")
def tail(
    query: Query,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on as records come.")] = False,
    count: Annotated[int, typer.Option("-n", min=0, metavar="N", help="So many of the last ones.")] = 10,
    as_json: AsJson = False,
    config: ConfigPath = None,
    directory: Directory = None,
) -> None:
    """Print the last records, oldest first; read from the ledger, the index is not needed."""
    from gateway.audit.tail import Tail

    end = Tail(audit_settings(config, directory).directory)
    matching = (line for line in end.last() if query.matches(line.record))
    for line in reversed(list(islice(matching, count))):
        _print(line, as_json=as_json)
    while follow:
        time.sleep(POLL_SECONDS)
        for line in end.more():
            if query.matches(line.record):
                _print(line, as_json=as_json)


def _print(line: Line, *, as_json: bool) -> None:
    text = line.text if as_json else "  ".join(cell for cell in row(line.record) if cell)
    print(text, flush=True)
