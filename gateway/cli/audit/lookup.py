"""``gateway audit lookup``: the records of a body or of a key that is at hand; neither is stored."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path  # noqa: TC003 - typer reads annotations at run time
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.app import ConfigPath  # noqa: TC001 - typer reads annotations at run time
from gateway.cli.audit.filters import filtered
from gateway.cli.audit.group import Directory, audit, audit_settings
from gateway.cli.audit.query import AsJson  # noqa: TC001
from gateway.cli.audit.reading import HEADING, complain, current_index, row
from gateway.cli.terminal import table

if TYPE_CHECKING:
    from gateway.audit.index import Index
    from gateway.audit.query import Query


@audit.command()
@filtered("body_hmac", "key_fingerprint", "cursor")
def lookup(
    query: Query,
    body: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A body, byte for byte as it was judged.", show_default=False),
    ] = None,
    key: Annotated[bool, typer.Option("--key", help="An API key, asked for or on standard input.")] = False,
    as_json: AsJson = False,
    config: ConfigPath = None,
    directory: Directory = None,
) -> None:
    """Find the newest records of a body or an API key, whichever HMAC key was in use.

    Exit status 1 if there are none.
    """
    from gateway.audit.instance import Keys
    from gateway.audit.record import fingerprints

    if (body is None) is not key:
        raise typer.BadParameter("one of --body and --key is needed, not both", param_hint="--body")
    settings = audit_settings(config, directory)
    keys = Keys(settings.directory, make=False)
    if body is None:
        queries = [replace(query, key_fingerprint=one) for one in fingerprints(keys, _read_key())]
    else:
        queries = [replace(query, body_hmac=one) for one in keys.possible(_read_body(body))]
    with current_index(settings) as index:
        texts = [text for one in queries for text in _newest(index, one)]
    records = sorted(map(json.loads, texts), key=lambda record: str(record["time"]), reverse=True)
    if not records:
        complain("No record matches.")
        raise typer.Exit(1)
    del records[query.limit :]
    if as_json:
        for record in records:
            print(json.dumps(record, separators=(",", ":")))
    else:
        table(HEADING, [row(record) for record in records])


def _newest(index: Index, query: Query) -> list[str]:
    """Give as many records as ``limit`` says, over as many pages as those take."""
    page = index.query(query)
    texts = list(page.records)
    while page.next is not None and len(texts) < query.limit:
        page = index.query(replace(query, cursor=page.next, limit=query.limit - len(texts)))
        texts.extend(page.records)
    return texts


def _read_key() -> bytes:
    """Read a key from where no list of processes and no history of a shell shows it."""
    import getpass

    text = getpass.getpass("API key: ") if sys.stdin.isatty() else sys.stdin.readline()
    key = text.strip()
    if not key:
        raise typer.BadParameter("there is no key on standard input", param_hint="--key")
    return key.encode("utf-8", "surrogateescape")


def _read_body(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}", param_hint="--body") from None
