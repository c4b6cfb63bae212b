"""The documentation names what the program has: no more, no less, with the same figures."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import pytest
import typer
from prometheus_client.parser import text_string_to_metric_families

from gateway import __version__
from gateway.admin import AdminStatus, make_admin
from gateway.audit.query import FILTERS
from gateway.cli.app import app
from gateway.config.availability import PENDING
from gateway.config.schema import build
from gateway.config.units import parse_duration, render_size
from gateway.core import chunked, encodings, fields, head
from gateway.core.codes import CODES
from gateway.core.types import Decision, Layer, Outcome, Phase, Violation
from gateway.listener import bounds, exchange
from gateway.observe.logs import configure
from gateway.observe.metrics import Gauges, Metrics
from gateway.upstream import reading
from tests.support.markdown import ROOT, anchors, blocks, links, page, quoted, section, table
from tests.support.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PAGES = (
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "docs/reference.md",
    "docs/audit.md",
    "docs/contracts.md",
    "docs/hostile-input.md",
    "config/openapi/README.md",
    "deploy/README.md",
    "tests/bench/README.md",
)
README = page("README.md")
REFERENCE = page("docs/reference.md")

FAULT = Violation("/x", "x", "invalid_value", "Invalid.", "/x", "x", Layer.CONTRACT)
FULL = Outcome(
    request_id="1", time=0.0, duration_ms=1.0, client_ip="127.0.0.1", revision="1", phase=Phase.SCHEMA,
    decision=Decision.REJECT, status=400, code="invalid_value", method="POST", path="/", operation="o",
    contract="c", thread_id="t", app="a", client_request_id="r", upstream_request_id="u", trace_id="1",
    user_agent="a", sdk_retry="0", violations=(FAULT,) * 100, upstream="main", upstream_status=200,
    upstream_attempts=1, upstream_outcome="complete", upstream_ms=1.0, overhead_us=1.0, bytes_in=1,
    bytes_out=1, bytes_decoded=1,
)  # fmt: skip
"""An exchange with everything that one can have."""


# The configuration.


def config_keys() -> dict[str, Mapping[str, Any]]:
    """Give the JSON Schema of every value of the configuration by its dotted name."""
    schema = build()

    def walk(node: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for part in (node, *node.get("anyOf", ())):
            if "$ref" in part:
                yield from walk(schema["$defs"][part["$ref"].rpartition("/")[2]], path)
                return
            if part.get("type") == "array" and "$ref" in part["items"]:
                yield path, node
                yield from walk(part["items"], f"{path}[]")
                return
        named = node.get("properties", {})
        if "patternProperties" in node:
            (named["*"],) = node["patternProperties"].values()
        for name, member in named.items():
            yield from walk(member, f"{path}.{name}" if path else name)
        if not named:
            yield path, node

    return dict(walk(schema, ""))


def default_of(node: Mapping[str, Any]) -> str:
    """Give a default as the configuration would write it; nothing where there is none."""
    value = node.get("default")
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def seconds_or_text(text: str) -> float | str:
    return parse_duration(text) if re.fullmatch(r"[0-9]+(ms|s|m|h|d)", text) else text


def test_the_readme_lists_every_configuration_key_with_its_default() -> None:
    """A key that is added, renamed or removed, and a default that changes, has to change the README."""
    documented = {
        quoted(key)[0]: seconds_or_text("".join(quoted(default)))
        for key, default, _ in table(section(README, "Configuration"), "key")
    }
    assert documented == {name: seconds_or_text(default_of(node)) for name, node in config_keys().items()}


def test_the_readme_lists_what_is_not_available_yet() -> None:
    """The keys that are refused as not available yet are exactly the ones that the README says so of."""
    _, _, told = section(README, "Configuration").partition("**Not available yet**")
    assert set(quoted(told.partition(";")[0])) == {".".join(path) for path in PENDING}


# The command line.


def commands_of(group: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Give all commands below a group, those of its groups by both names."""
    context = group.make_context(group.name, [], resilient_parsing=True)
    for own in group.list_commands(context):  # which loads them, if need be
        command = group.get_command(context, own)
        if hasattr(command, "commands"):
            yield from commands_of(command, f"{name}{own} ")
        else:
            yield f"{name}{own}", command


def test_the_readme_lists_every_command_with_its_options() -> None:
    """Both ways: no command or option is missing, none is invented."""
    text = section(README, "The command line")
    rows = {}
    for row in table(text, "command"):
        _, *words = row[0].strip("`").split()
        rows[" ".join(takewhile(re.compile("[a-z]+").fullmatch, words))] = row[0]
    filters = {f"--{name.replace('_', '-')}" for name in FILTERS}
    assert {quoted(row[0])[0] for row in table(page("docs/audit.md"), "filter")} == filters
    commands = dict(commands_of(typer.main.get_command(app)))
    assert set(rows) == set(commands)
    for name, command in commands.items():
        options = [option.opts for option in command.params if option.param_type_name == "option"]
        named = set(re.findall(r"(?<!\S)\[?(--?[a-z-]+)", rows[name]))
        assert named <= {spelling for spellings in options for spelling in spellings}, name
        if "[FILTERS]" in rows[name]:
            options = [spellings for spellings in options if spellings[0] not in filters]
        for spellings in options:
            assert named & set(spellings) or spellings == ["--app"], (name, spellings)
    assert "`--app NAME` of `validate` and `schema`" in text


# The reference.


def test_the_reference_has_the_table_of_codes() -> None:
    """Every refusal code with its status, and no other."""
    rows = table(section(REFERENCE, "Refusals"), "status")
    assert {quoted(code)[0]: int(status) for status, code, _ in rows} == {
        code: entry.status for code, entry in CODES.items()
    }
    assert len(rows) == len(CODES)


def test_the_readme_has_the_phases_with_their_statuses() -> None:
    """The phases are all there, and the statuses beside them are those that codes have."""
    rows = table(section(README, "A request's way"), "phase")
    phases = [phase.value for phase in Phase if phase is not Phase.IDENTIFY]
    assert [quoted(row[0])[0] for row in rows] == phases
    statuses = {int(number) for row in rows for number in re.findall(r"\d{3}", row[2])}
    codes = table(section(REFERENCE, "Refusals"), "status")
    assert statuses == {int(status) for status, _, when in codes if not when.startswith("not available")}


def test_the_reference_has_the_limits() -> None:
    """The figures of what is accepted as HTTP are those of the code."""
    rows = {row[0]: row[1].replace(" ", "") for row in table(REFERENCE, "limit")}
    assert rows["request line"] == render_size(head.MAX_REQUEST_LINE)
    assert rows["one header field"] == render_size(fields.MAX_FIELD_LINE)
    assert rows["header fields"] == str(fields.MAX_FIELDS)
    assert rows["whole head"] == render_size(head.MAX_HEAD)
    assert rows["chunk size line, extensions included"] == render_size(chunked.MAX_SIZE_LINE)
    assert rows["trailer section (read and dropped)"] == render_size(chunked.MAX_TRAILERS)
    assert rows["window of a zstd body"] == render_size(encodings.MAX_WINDOW)
    skipped = "refused body that is read and dropped to keep the connection"
    assert rows[skipped] == render_size(bounds.SKIPPABLE)
    kept = "requests kept while an earlier one of the connection is answered"
    assert rows[kept] == render_size(bounds.MAX_BUFFERED)
    upstream = f"{render_size(reading.MAX_HEAD)},{reading.MAX_FIELDS}fields"
    assert rows["upstream's response head"] == upstream
    assert str(exchange.CLIENT_GONE) in section(REFERENCE, "How requests end")


def test_the_reference_has_every_metric_with_its_labels() -> None:
    """What a scrape shows is what the table lists."""
    metrics = Metrics(Gauges(*[lambda: 0] * 3, lambda: {"written": 0}, *[lambda: 0] * 2))
    metrics.configured("1", operations=["o"], upstreams=["main"])
    metrics.settled(FULL)
    exposed = {}
    for family in text_string_to_metric_families(metrics.expose().decode()):
        if family.name.startswith("gateway_"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            exposed[name] = {label for sample in family.samples for label in sample.labels} - {"le"}
    documented = {quoted(row[0])[0]: set(quoted(row[1])) for row in table(REFERENCE, "metric")}
    assert documented == exposed


def test_the_reference_has_every_log_field() -> None:
    """What a line of a request can have is what the table lists."""
    reader, writer = os.pipe()
    logs = configure("json", writer)
    logs.requests.settled(FULL)
    logs.close()
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as stream:
        line = json.loads(stream.readline())
    documented = [quoted(row[0])[0] for row in table(section(REFERENCE, "Log"), "field")]
    assert sorted(documented) == sorted(line)


def test_the_reference_has_the_admin_paths() -> None:
    """The paths of the admin listener are the ones that the table lists."""
    status = AdminStatus("1")
    admin = make_admin(
        host="127.0.0.1", tokens=(), metrics=lambda: b"", status=lambda: status, audit=Reading()
    )
    served = {resource.canonical for resource in admin.router.resources()}
    assert {quoted(row[0])[0] for row in table(REFERENCE, "path")} == served


# The architecture.


def test_the_architecture_has_the_floors() -> None:
    """The floors are those that import-linter holds, in their order."""
    project = tomllib.loads(page("pyproject.toml"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    floors = [name.strip() for layer in layers for name in layer.split("|")]
    drawn = blocks(section(page("ARCHITECTURE.md"), "The floors"), "text")[0]
    named = re.findall(r"^ +([a-z_]+) {2,}", drawn, re.MULTILINE)
    assert sorted(named) == sorted(floors)
    place = {name: floor for floor, layer in enumerate(layers) for name in re.findall(r"\w+", layer)}
    assert [place[name] for name in named] == sorted(place[name] for name in named)


def test_the_architecture_names_files_that_exist() -> None:
    """A file that moves takes its mention with it."""
    for name in re.findall(r"\b[a-z_]+(?:/[a-z_0-9]+)+\.py\b", page("ARCHITECTURE.md")):
        assert (ROOT / name).is_file() or (ROOT / "gateway" / name).is_file(), name


# The pages together.


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    """Every link to a file or a heading resolves."""
    for link in links(page(name)):
        target, _, fragment = link.partition("#")
        if "://" in target:
            continue
        file = (ROOT / name).parent / target if target else ROOT / name
        assert file.exists(), f"{name}: {link}"
        assert not fragment or fragment in anchors(file.read_text(encoding="utf-8")), f"{name}: {link}"


@pytest.mark.parametrize("name", PAGES)
def test_make_targets_exist(name: str) -> None:
    """Whatever a page says to make can be made."""
    targets = set(re.findall(r"^([a-z]+):", page("Makefile"), re.MULTILINE))
    assert set(re.findall(r"(?:`|^)make ([a-z]+)", page(name), re.MULTILINE)) <= targets


def test_the_readme_has_the_two_commands() -> None:
    """What a newcomer runs first stands in the first block."""
    first = blocks(README, "sh")[0].splitlines()
    assert [line.split("#")[0].strip() for line in first] == ["make run", "make test"]


def test_the_changelog_has_what_is_unreleased() -> None:
    """There is a place for the next change, and this version's changes are somewhere."""
    changelog = page("CHANGELOG.md")
    assert re.search(rf"^## \[(Unreleased|{re.escape(__version__)})\]$\n\n###", changelog, re.MULTILINE)
    assert "## [Unreleased]" in changelog


def test_the_licence_is_there() -> None:
    """The licence that the package names is the one in the file."""
    assert tomllib.loads(page("pyproject.toml"))["project"]["license"] == "Apache-2.0"
    assert re.search(r"Apache License\s+Version 2\.0, January 2004", page("LICENSE"))


def committed() -> Iterator[tuple[str, str]]:
    """Give the name and text of every file that is, or would be, committed."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            yield name, (ROOT / name).read_text(encoding="utf-8", errors="replace")


def test_no_file_names_a_package_index_or_a_machine_s_paths() -> None:
    """The locks install from whatever index a machine is set to; nothing depends on where a clone lies."""
    index = re.compile(
        r"(?:pypi|pythonhosted|npmjs|jfrog|artifactory)\.(?:org|com|io)|^--(?:extra-)?index-url|^-i ",
        re.MULTILINE,
    )
    machine = re.compile(r"(?<![\w.~/-])/(?:work|root|home|Users)/\w|(?<![\w.~/-])/tmp/\w")
    found = [
        f"{name}: {match[0]}"
        for name, text in committed()
        for match in (index.search(text), machine.search(text))
        if match is not None
    ]
    assert found == []
