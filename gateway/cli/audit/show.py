"""``gateway audit show``: one record whole, its intent, its content, and whether it is what was written."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.app import ConfigPath  # noqa: TC001 - typer reads annotations at run time
from gateway.cli.audit.group import Directory, audit, audit_settings
from gateway.cli.audit.reading import complain, current_index
from gateway.core.printable import escape_controls

if TYPE_CHECKING:
    from gateway.audit.content.reader import Content
    from gateway.audit.place import Proof
    from gateway.config.model import Audit


@audit.command()
def show(
    identity: Annotated[str, typer.Argument(metavar="ID", help="The record's id: x-request-id.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    config: ConfigPath = None,
    directory: Directory = None,
) -> None:
    """Print a record, its intent, what is kept of its body, and whether the ledger has it so.

    Exit status 1 if there is none, or if it is not what was written.
    """
    settings = audit_settings(config, directory)
    found = _find(settings, identity)
    if not found:
        complain("No record has this id.")
        raise typer.Exit(1)
    record = found[-1][0]
    content = _content(settings, record)
    if as_json:
        told = [{"record": one, "proof": proof} for one, proof in found]
        print(json.dumps({"records": told, "content": _as_json(content)}, indent=2))
    else:
        for one, proof in found:
            _print_record(one, proof)
        _print_content(content)
    if any(proof == "changed" for _, proof in found) or content.state == "changed":
        raise typer.Exit(1)


def _find(settings: Audit, identity: str) -> list[tuple[dict[str, Any], Proof]]:
    """Give what has this id, an intent before its outcome, each with what the ledger says of it."""
    from gateway.audit.place import prove_record
    from gateway.audit.query import Query

    with current_index(settings) as index:
        texts = index.query(Query(id=identity)).records
    found = [(json.loads(text), prove_record(settings.directory, text)) for text in texts]
    return sorted(found, key=lambda one: one[0]["kind"] != "intent")


def _content(settings: Audit, record: dict[str, Any]) -> Content:
    from gateway.audit.content.reader import NONE, Contents
    from gateway.audit.instance import Keys

    if "content" not in record:
        return NONE
    return Contents(settings.directory, Keys(settings.directory, make=False)).of(record)


def _print_record(record: dict[str, Any], proof: Proof) -> None:
    from gateway.audit.place import WORDS

    width = max(map(len, record))
    for name, value in record.items():
        if name == "violations":
            for one in value:
                told = f"{one['code']} {one.get('pointer', '-')} ({one['layer']})"
                print(f"{name:{width}}  {escape_controls(told)}")
        else:
            text = value if isinstance(value, str) else json.dumps(value)
            print(f"{name:{width}}  {escape_controls(text)}")
    print(f"{'proof':{width}}  {WORDS[proof]}\n")


def _print_content(content: Content) -> None:
    match content.state:
        case "none":
            print("Of its body nothing was kept but what stands above.")
        case "erased":
            print("What was kept of its body was erased, or is older than content_retention.")
        case "changed":
            print("What is kept of its body is NOT what the record says.")
        case "kept":
            print(f"Its body ({content.form}):")
            print(escape_controls(content.content.decode("utf-8", "backslashreplace")))


def _as_json(content: Content) -> dict[str, str]:
    told: dict[str, str] = {"state": content.state}
    if content.form is not None:
        told["form"] = content.form
        try:
            told["text"] = content.content.decode("utf-8")
        except UnicodeDecodeError:
            told["base64"] = b64encode(content.content).decode("ascii")
    return told
