"""The page on hostile input names tests that exist, and every file that holds one of its promises."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from gateway.core.codes import CODES
from gateway.core.printable import BEGINNING, LONGEST_ECHO
from tests.process.canary import RECORD_FIELDS
from tests.support.markdown import ROOT, page, quoted, section

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = page("docs/hostile-input.md")
NAMED = sorted({name for name in quoted(PAGE) if name.startswith("tests/")})
NO_TESTS = {"__init__.py", "__main__.py", "conftest.py"}


@pytest.mark.parametrize("name", NAMED)
def test_what_is_named_exists(name: str) -> None:
    """Each file or folder is there, and each test stands in its file."""
    path, _, test = name.partition("::")
    assert (ROOT / path).exists()
    if test:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        assert test in {getattr(node, "name", None) for node in tree.body}


@pytest.mark.parametrize("folder", ["tests/sockets", "tests/fuzz"])
def test_every_file_is_named(folder: str) -> None:
    """No file of raw sockets or fuzzing holds something that the page does not know."""
    files = {str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("*.py")}
    named = {name.partition("::")[0] for name in NAMED}
    assert {file for file in files if file.rpartition("/")[2] not in NO_TESTS} <= named


def _promises() -> Iterator[tuple[str, str]]:
    """Give the first and the last cell of each row of a table of promises."""
    for text in re.findall(r"^\| promise \|.*\n\|---\|---\|---\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE):
        for row in text.splitlines():
            promise, _, held = row.split("|")[1:-1]
            yield promise.strip(), held.strip()


def test_every_promise_is_held() -> None:
    """Each has at least one test, or table of cases that a test runs; none is made twice."""
    promises = list(_promises())
    assert len(promises) > 50
    assert all(any(name in NAMED for name in quoted(held)) for _, held in promises)
    assert len({promise for promise, _ in promises}) == len(promises)


def test_every_code_is_told() -> None:
    """The codes that the page names are those of the table."""
    named = set(re.findall(r"[45][0-9]{2} `([a-z_]+)`", PAGE))
    assert len(named) > 10
    assert named <= CODES.keys()


def test_the_figures_of_secrets() -> None:
    """How much of a name is told, and which fields of the log hold callers' texts; in the reference, too."""
    reference = page("docs/reference.md")
    told = section(PAGE, "Secrets")
    assert f"longer than {LONGEST_ECHO} characters the first {BEGINNING} " in told
    assert f"longer than {LONGEST_ECHO} characters only the first {BEGINNING} " in reference
    assert (
        f"| a name of the caller's own in a refusal | {LONGEST_ECHO} characters | its first {BEGINNING},"
        in reference
    )
    for text in (told, section(reference, "Log")):
        assert all(f"`{name}`" in text for name in RECORD_FIELDS)
