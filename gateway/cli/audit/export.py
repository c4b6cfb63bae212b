"""``gateway audit export``: all records that match, as JSON Lines or CSV, in bounded memory."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from gateway.cli.app import ConfigPath  # noqa: TC001 - typer reads annotations at run time
from gateway.cli.audit.filters import filtered
from gateway.cli.audit.group import Directory, audit, audit_settings
from gateway.cli.audit.reading import current_index
from gateway.cli.terminal import counting

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gateway.audit.index import Index
    from gateway.audit.query import Query

COLUMNS: Final = """
    stream seq kind event id time duration_ms client_request_id upstream_request_id trace_id app
    attribution key_fingerprint client_ip user_agent sdk_retry method path operation contract thread_id
    revision mode decision candidate_decision phase status code violations violation_count upstream
    upstream_status upstream_attempts upstream_outcome upstream_ms overhead_us bytes_in bytes_decoded
    bytes_out body_hmac sent_hmac file_count metadata_keys content count open detail prev hash
""".split()  # noqa: SIM905 - a list of fifty would be fifty lines
"""The columns of CSV: a record's members but for ``v``."""

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What begins a formula: spreadsheets run those, and callers chose some of the texts."""


@audit.command()
@filtered("cursor", "limit")
def export(
    query: Query,
    format: Annotated[  # noqa: A002 - the name of the option
        Literal["jsonl", "csv"],
        typer.Option(help="JSON Lines as the ledger has them, or CSV with a heading."),
    ] = "jsonl",
    config: ConfigPath = None,
    directory: Directory = None,
) -> None:
    """Write all records that match to standard output, newest first.

    In CSV, lists are joined by blanks; a text that a spreadsheet would take for a formula has a ' before it.
    """
    with current_index(audit_settings(config, directory)) as index, counting("exporting") as moved:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        if format == "csv":
            writer.writerow(COLUMNS)
        for texts in _pages(index, query):
            if format == "csv":
                writer.writerows(map(_row, texts))
            else:
                sys.stdout.write("".join(f"{text}\n" for text in texts))
            moved(len(texts))


def _pages(index: Index, query: Query) -> Iterator[Sequence[str]]:
    from gateway.audit.query import MAX_LIMIT

    cursor = None
    while True:
        page = index.query(replace(query, limit=MAX_LIMIT, cursor=cursor))
        yield page.records
        cursor = page.next
        if cursor is None:
            return


def _row(text: str) -> list[str]:
    record: dict[str, Any] = json.loads(text)
    return [_cell(record.get(name)) for name in COLUMNS]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if len(value) > 1 and value.startswith(_FORMULA) else value
    if isinstance(value, list):
        return _cell(" ".join(map(_item, value)))
    return json.dumps(value)


def _item(value: Any) -> str:
    return f"{value['code']}@{value.get('pointer', '-')}" if isinstance(value, dict) else str(value)
