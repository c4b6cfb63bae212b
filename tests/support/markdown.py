"""What the documentation's tests read out of Markdown: sections, tables, fenced blocks, links."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]

_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CELLS: Final = re.compile(r"(?<!\\)\|")
_LINK: Final = re.compile(r"\]\(([^)\s]+)\)")


def page(name: str) -> str:
    """Give the text of a page, its path relative to the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    """Give what stands below a second-level heading, up to the next one; it has to be there once."""
    (found,) = re.findall(rf"^## {re.escape(heading)}$\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return str(found)


def table(text: str, first: str) -> list[list[str]]:
    """Give the rows of the table whose first column is called ``first``, without its heading."""
    lines = text.splitlines()
    (start,) = (at for at, line in enumerate(lines) if line.startswith(f"| {first} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().replace("\\|", "|") for cell in _CELLS.split(line)[1:-1]])
    assert rows, first
    return rows


def quoted(cell: str) -> list[str]:
    """Give everything between backticks."""
    return re.findall(r"`([^`]+)`", cell)


def blocks(text: str, language: str) -> list[str]:
    """Give the fenced blocks of a language, in order."""
    return [body for found, body in _FENCE.findall(text) if found == language]


def links(text: str) -> list[str]:
    """Give the targets of all links outside of fenced blocks."""
    return _LINK.findall(_FENCE.sub("", text))


def anchors(text: str) -> set[str]:
    """Give the fragments by which the headings can be linked to, made the usual way."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
