"""The page about the audit trail says what the ledger is: its line, its kinds and its events."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, get_args

from gateway.audit.chain import ROOT, SEAL_LENGTH, unseal
from gateway.audit.proof import MAX_LISTED
from gateway.audit.records import MAX_FAULTS, MAX_TORN
from gateway.audit.segments import segment_name
from gateway.audit.stream import SEGMENT_BYTES
from gateway.config.model import Audit
from tests.support.markdown import blocks, page, quoted, section, table

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
    assert f"the first {MAX_TORN >> 10} KiB" in PAGE
    assert f"the first {MAX_FAULTS})" in PAGE
    assert (MAX_LISTED, "A hundred are listed" in PAGE) == (100, True)
    assert segment_name(943, "20270115T09") in PAGE
