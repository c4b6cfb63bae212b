"""The page about the audit trail says what the ledger is: its line, its kinds and its events."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from typing import TYPE_CHECKING, Any, get_args

from gateway.audit.beginnings import Beginning
from gateway.audit.chain import ROOT, SEAL_LENGTH, Link, unseal
from gateway.audit.proof import MAX_LISTED, ChainFault
from gateway.audit.records import MAX_FAULTS
from gateway.audit.recovery import MAX_TEXT
from gateway.audit.segments import segment_name
from gateway.audit.stream import SEGMENT_BYTES
from gateway.audit.verify import Verification
from gateway.cli.audit.verify import tell
from gateway.config.model import Audit
from tests.support import ledgers
from tests.support.markdown import blocks, page, quoted, section, table

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

PAGE = page("docs/audit.md")
SCHEMA: dict[str, Any] = json.loads(page("gateway/audit/record.schema.json"))


def test_the_line_is_a_line() -> None:
    """The example is one that the gateway would write, and what the text says of its bytes is so."""
    (line,) = blocks(section(PAGE, "A line"), "json")
    sealed = unseal(line.encode("ascii"))
    assert sealed is not None
    assert (sealed.seq, sealed.prev) == (1, ROOT.hash)
    (length,) = re.findall(r"head -c -(\d+)", PAGE)
    assert int(length) == SEAL_LENGTH
    digest = hashlib.sha256(line.encode("ascii")[: -int(length)]).hexdigest()
    assert digest == json.loads(line)["hash"]
    begin = quoted(section(PAGE, "A line").partition("It begins with")[2])[:7]
    assert begin == list(json.loads(line))[:7]


def test_a_stream_is_checked_by_a_shell(tmp_path: Path) -> None:
    """The script says nothing of a sound stream, and names what was changed and what was taken out."""
    (script,) = blocks(section(PAGE, "A line"), "sh")
    ledgers.write(tmp_path / "var" / "audit", ledgers.made_up(12), "0123456789abcdef.0")
    (segment,) = (tmp_path / "var").rglob("*.jsonl")
    assert _said(script, tmp_path) == []
    lines = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(
        b"".join([*lines[:4], lines[4].replace(b'"time"', b'"Time"'), *lines[5:7], *lines[8:]])
    )
    said = _said(script, tmp_path)
    assert [line.partition(":")[0] for line in said] == ["changed", "does not follow"]
    assert ['"seq":5,' in said[0], '"seq":9,' in said[1]] == [True, True]


def _said(script: str, folder: Path) -> list[str]:
    done = subprocess.run(["sh", "-c", script], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_kinds_and_events_are_those_of_the_schema() -> None:
    """Both ways: none is missing, none is invented, and each event's details are named."""
    records = section(PAGE, "Records")
    assert set(SCHEMA["properties"]["kind"]["enum"]) == {quoted(row[0])[0] for row in table(records, "kind")}
    documented = {
        quoted(event)[0]: (quoted(kind)[0], detail) for event, kind, detail in table(records, "event")
    }
    published = {
        one["properties"]["event"]["const"]: one["properties"]
        for one in SCHEMA["$defs"]["events"]["oneOf"]
        if "const" in one["properties"]["event"]
    }
    assert set(documented) == set(published)
    for event, properties in published.items():
        kind, detail = documented[event]
        assert kind == properties["kind"]["const"]
        if properties["detail"] is not False:
            assert set(properties["detail"]["properties"]) <= set(quoted(detail)), event


def test_modes_and_figures_are_those_of_the_program() -> None:
    """The durability modes, the size of segments, and how much is told."""
    modes = [quoted(row[0])[0] for row in table(section(PAGE, "Durability"), "mode")]
    assert modes == list(get_args(Audit.model_fields["durability"].annotation))
    assert f"begun at {SEGMENT_BYTES >> 20} MiB" in PAGE
    assert f"the first {MAX_TEXT >> 10} KiB" in PAGE
    assert f"the first {MAX_FAULTS})" in PAGE
    assert (MAX_LISTED, "A hundred are listed" in PAGE) == (100, True)
    assert segment_name(943, "20270115T09") in PAGE


def test_what_verify_prints(capsys: pytest.CaptureFixture[str]) -> None:
    """The two lines of the page, a fault and whose word it is that something was pruned, to the letter."""
    name, ops = "0123456789abcdef.0", "0123456789abcdef.ops"
    found = Verification(
        beginnings={name: Beginning(Link(942, ROOT.hash), ops, 17, "2027-04-15T10:01:00.000Z")}
    )
    changed = "the line was changed: its hash is another"
    found.told.add(ChainFault(f"{name}/{segment_name(943, '20270115T09')}", 17, 959, changed))
    tell(found)
    (fault,) = blocks(section(PAGE, "Verify"), "text")
    (pruned,) = blocks(section(PAGE, "Prune"), "text")
    assert capsys.readouterr().out.splitlines()[:2] == [fault.strip(), pruned.strip()]
