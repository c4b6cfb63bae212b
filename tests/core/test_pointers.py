"""JSON Pointers are written and read as RFC 6901 has it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.pointers import escaped, pointer, unescaped


def test_the_standard_s_own_examples() -> None:
    """Keys of the document in RFC 6901 section 5 have the pointers that stand there."""
    written = {
        "foo": "/foo",
        "": "/",
        "a/b": "/a~1b",
        "c%d": "/c%d",
        "i\\j": "/i\\j",
        " ": "/ ",
        "m~n": "/m~0n",
    }
    assert {key: pointer([key]) for key in written} == written
    assert pointer([]) == ""
    assert pointer(["foo", 0]) == "/foo/0"


@given(st.text(alphabet="~/01a", max_size=8))
def test_what_is_escaped_can_be_read_back(key: str) -> None:
    """However tildes, slashes and digits stand beside each other, escaping loses nothing."""
    assert unescaped(escaped(key)) == key
    assert "/" not in escaped(key)
