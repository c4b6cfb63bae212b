"""docs/contracts.md names what the program enforces: no more, no less."""

from __future__ import annotations

from gateway.contracts import pack_files
from gateway.contracts.parameters import STYLES
from gateway.contracts.schemas.openapi_keywords import INTEGERS, OPEN
from gateway.core.schema.formats import FORMATS
from tests.support.markdown import page, quoted, table

PAGE = page("docs/contracts.md")


def test_every_format() -> None:
    """The table of formats has all that judge and all that are known not to."""
    documented = [name for row in table(PAGE, "format") for name in quoted(row[0])]
    assert sorted(documented) == sorted([*FORMATS, *INTEGERS, *OPEN])


def test_every_style() -> None:
    """Styles stand beside the places where they can be used."""
    documented = {
        (name, where)
        for styles, places, _ in table(PAGE, "style")
        for name in quoted(styles)
        for where in places.split(", ")
        if name != "content"
    }
    assert documented == {(style, where) for where, styles in STYLES.items() for style in styles}


def test_every_pack() -> None:
    """The packs that ship are those that the page lists."""
    assert {quoted(row[0])[0] for row in table(PAGE, "pack")} == set(pack_files())
