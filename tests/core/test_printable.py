"""What others chose can be shown without harm."""

from __future__ import annotations

from gateway.core.printable import caller_name, clipped, escape_controls, printable


def test_escape_controls() -> None:
    """What is printable stays; what could end a line or reverse its direction is written out."""
    assert escape_controls("naïve 🙂") == "naïve 🙂"
    assert escape_controls("a\r\n\x1b\u2028\u202e\ud800") == "a\\r\\n\\x1b\\u2028\\u202e\\ud800"


def test_printable() -> None:
    """A name is cut when it is very long, before it is written out, which may make it longer."""
    assert printable("k" * 200) == "k" * 200
    assert printable("k" * 201) == "k" * 200 + "…"
    assert printable("\n" * 300) == r"\n" * 200 + "…"
    assert printable("a\nb\u202e") == r"a\nb\u202e"
    assert printable("naïve") == "naïve"


def test_texts_of_callers_are_cut_short() -> None:
    """Beyond 32 characters only the beginning is left; in messages controls are escaped as well."""
    assert clipped("k" * 32) == "k" * 32
    assert clipped("k" * 33) == "k" * 16 + "…"
    assert clipped("a\n") == "a\n"
    assert caller_name("\n" * 33) == r"\n" * 16 + "…"
