"""``gateway audit prune``: removes what is older than the retention, while no gateway runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.app import ConfigPath  # noqa: TC001 - typer reads annotations at run time
from gateway.cli.audit.group import Directory, audit, audit_settings
from gateway.cli.terminal import table

if TYPE_CHECKING:
    from gateway.audit.content.reader import Pruned as PrunedContent
    from gateway.audit.prune import Pruned
    from gateway.config.model import Audit


@audit.command()
def prune(
    before: Annotated[
        str | None,
        typer.Option(
            metavar="AGE", help="How old, such as 90d; as audit.retention says.", show_default=False
        ),
    ] = None,
    config: ConfigPath = None,
    directory: Directory = None,
) -> None:
    """Remove whole segments that are older, and that the index has; a gateway that runs does so each hour.

    From the index nothing is removed that is younger than audit.retention, whatever --before says. What is
    kept of bodies goes by audit.content_retention.
    """
    settings = audit_settings(config, directory)
    found, indexed, forgotten, content = _prune(settings, _age(before, settings.retention))
    if found:
        rows = [
            (one.stream, f"{one.first} to {one.last.seq}", str(len(one.files)), str(one.size))
            for one in found
        ]
        table(("stream", "records", "segments", "bytes"), rows)
    if forgotten:
        print(f"Removed from the index: {forgotten}.")
    if content.files:
        print(f"Removed of the content of bodies: {content.files} files, {content.size} bytes.")
    if not (found or forgotten or content.files):
        empty = "" if indexed else ": the index is empty, and what it has not got stays"
        print(f"Nothing to prune{empty}.")


def _age(given: str | None, retention: float) -> float:
    from gateway.config.units import parse_duration

    if given is None:
        return retention
    try:
        return parse_duration(given)
    except ValueError:
        raise typer.BadParameter("expected a duration such as 90d or 12h", param_hint="--before") from None


def _prune(settings: Audit, age: float) -> tuple[list[Pruned], bool, str, PrunedContent]:
    """Give what was removed, whether the index has anything at all, what went from there, and of content."""
    from gateway.audit.chain import OPS
    from gateway.audit.content.reader import prune_content
    from gateway.audit.faults import AuditError, StreamTaken
    from gateway.audit.index import open_index
    from gateway.audit.instance import instance_id
    from gateway.audit.prune import prune as prune_ledger
    from gateway.audit.records import Marks
    from gateway.audit.start import take_over
    from gateway.listener.ids import RequestIds

    now = time.time()
    marks = Marks(RequestIds().next, time.time)
    trail = settings.directory
    try:
        stream = take_over(trail, instance_id(trail) + OPS, marks)
    except StreamTaken:
        raise AuditError(
            f"{trail}: a gateway runs with this ledger; it prunes by itself, each hour."
        ) from None
    try:
        content = prune_content(trail, now - settings.content_retention)
        index = open_index(settings.index.get_secret_value(), trail)
        try:
            positions = {name: position.link.seq for name, position in index.positions().items()}
            found = prune_ledger(trail, stream.commit, marks, before=now - age, positions=positions)
            # Others may have their records there, and of what is younger this ledger may still have some.
            forgotten = index.prune(int((now - max(age, settings.retention)) * 1000))
        finally:
            index.close()
    finally:
        stream.close()
    return found, bool(positions), forgotten, content
