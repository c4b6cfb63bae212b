"""JSON Schema's official test suite: this project's reader and compilers give its verdicts.

The suite comes with jsonschema's source distribution; ``make unit`` unpacks it below the environment. Only
its required tests are run: those in ``optional/`` leave the choice to an implementation.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import jsonschema_specifications
import pytest

from gateway.contracts.schemas.dialects import Dialect
from gateway.contracts.schemas.reader import SchemaReader
from gateway.contracts.sources import Sources
from gateway.core.schema import Schemas
from gateway.errors import Fault

SUITE: Final = Path(sys.prefix) / "json-schema-suite" / "json"
DRAFTS: Final = {
    "draft4": Dialect.DRAFT_4,
    "draft6": Dialect.DRAFT_6,
    "draft7": Dialect.DRAFT_7,
    "draft2019-09": Dialect.DRAFT_2019_09,
    "draft2020-12": Dialect.DRAFT_2020_12,
}
REMOTE: Final = "http://localhost:1234/"
"""Where the suite's tests expect what is in its folder ``remotes``."""
DEVIATIONS: Final = {
    (draft, "vocabulary", group): "a $schema that is no published dialect is refused at load"
    for draft in ("draft2019-09", "draft2020-12")
    for group in (
        "schema that uses custom metaschema with with no validation vocabulary",
        "ignore unrecognized optional vocabulary",
    )
}
"""Groups of tests that are not judged, with the reason. Nothing is accepted in any: the schema is refused."""


class Text(NamedTuple):
    """A schema as a document."""

    file: str
    value: Any

    def fault(self, path: tuple[str | int, ...], message: str) -> Fault:
        """Give a fault; JSON that was not read from text has no lines."""
        return Fault(self.file, 0, 0, f"{'/'.join(map(str, path))}: {message}")


def at_hand() -> dict[str, Text]:
    """Give the documents that the tests may refer to: the suite's own and the metaschemas."""
    registry = jsonschema_specifications.REGISTRY
    known = {uri.rstrip("#"): Text(uri, registry.contents(uri)) for uri in registry}
    for path in (SUITE / "remotes").rglob("*.json"):
        uri = REMOTE + path.relative_to(SUITE / "remotes").as_posix()
        known[uri] = Text(uri, json.loads(path.read_bytes()))
    return known


known_documents = cache(at_hand)


def read(draft: str, file: str, schema: Any, *, known: bool = True) -> tuple[Any, SchemaReader]:
    """Read a group's schema."""
    sources = Sources(Text(file, schema), None, known=known_documents() if known else None)
    reader = SchemaReader(sources, dialect=DRAFTS[draft], formats=False)
    return reader.read(sources.root), reader


def groups(draft: str, file: str) -> list[dict[str, Any]]:
    """Give the groups of tests in a file: a schema each, with values and their verdicts."""
    found: list[dict[str, Any]] = json.loads((SUITE / "tests" / draft / file).read_bytes())
    return found


FILES: Final = [
    (draft, path.name) for draft in DRAFTS for path in sorted((SUITE / "tests" / draft).glob("*.json"))
]


def test_the_suite_is_there() -> None:
    """The tests below run over something: ``make unit`` fetches the suite."""
    counts = {draft: sum(one == draft for one, _ in FILES) for draft in DRAFTS}
    assert counts["draft7"] >= 35
    assert counts["draft2020-12"] >= 42


@pytest.mark.parametrize(("draft", "file"), FILES)
def test_verdicts(draft: str, file: str) -> None:
    """Fast and full form both say of every value what the suite says."""
    wrong = []
    for group in groups(draft, file):
        if (draft, file.removesuffix(".json"), group["description"]) in DEVIATIONS:
            continue
        plain, reader = read(draft, file, group["schema"])
        assert reader.faults == [], group["description"]
        validator = Schemas(reader.definitions).validator(plain)
        for test in group["tests"]:
            verdicts = validator.fast(test["data"]), not validator.full(test["data"]).total
            if verdicts != (test["valid"], test["valid"]):
                wrong.append((group["description"], test["description"], *verdicts))
    assert wrong == []


@pytest.mark.parametrize(("draft", "file", "description"), DEVIATIONS)
def test_deviations_are_refusals(draft: str, file: str, description: str) -> None:
    """What is pinned still deviates, and so that the schema is refused, not that something passes."""
    (group,) = (one for one in groups(draft, f"{file}.json") if one["description"] == description)
    _, reader = read(draft, file, group["schema"])
    assert [fault.message for fault in reader.faults] == [
        f"$schema: {group['schema']['$schema']} is no dialect that can be read"
    ]


@pytest.mark.parametrize("draft", DRAFTS)
def test_nothing_is_fetched(draft: str) -> None:
    """A reference to a document that is not at hand is a fault, in each test of the suite that has one."""
    refused = set()
    for one, file in FILES:
        for group in groups(one, file) if one == draft else ():
            _, reader = read(draft, file, group["schema"], known=False)
            if any("is not followed" in fault.message for fault in reader.faults):
                refused.add(file)
            elif file == "refRemote.json":
                refused.add(group["description"])
    expected = {"definitions.json", "ref.json", "refRemote.json"}
    if draft in {"draft2019-09", "draft2020-12"}:
        expected = expected - {"definitions.json"} | {"defs.json"}
    assert refused - {"dynamicRef.json", "recursiveRef.json", "anchor.json"} == expected
