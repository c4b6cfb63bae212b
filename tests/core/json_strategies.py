"""JSON for hypothesis: values, texts of every spelling, and texts that are no longer JSON."""

from __future__ import annotations

import json

from hypothesis import strategies as st

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
"""Strings that UTF-8 can write."""

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
"""JSON values that the gateway takes."""

_space = st.sampled_from([b"", b"", b"", b" ", b"\n", b"\t\r"])
_numbers = st.from_regex(
    r"-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?",
    fullmatch=True,
    alphabet="-+.eE0123456789",
)
_long_numbers = st.builds(
    "{}{}.{}1e{}".format,
    st.integers(1, 9),
    st.integers(0, 790).map(lambda count: "0" * count),
    st.integers(0, 400).map(lambda count: "0" * count),
    st.integers(-1200, 310),
)
_characters = st.one_of(
    texts.map(lambda text: json.dumps(text, ensure_ascii=False)[1:-1]),
    texts.map(lambda text: json.dumps(text)[1:-1]),
    st.integers(0, 0xFFFF).map(lambda unit: f"\\u{unit:04X}"),
    st.sampled_from(
        [r"\"", r"\\", r"\/", r"\b", r"\f", r"\n", r"\r", r"\t", r"\ud83d\ude00", "a", "__proto__"]
    ),
)
_strings = st.lists(_characters, max_size=3).map(lambda parts: f'"{"".join(parts)}"'.encode())
_scalars = (
    _strings | (_numbers | _long_numbers).map(str.encode) | st.sampled_from([b"null", b"true", b"false"])
)


def _array(items: list[bytes]) -> bytes:
    return b"[" + b",".join(items) + b"]"


def _object(members: list[tuple[bytes, bytes]]) -> bytes:
    return b"{" + b",".join(key + b":" + value for key, value in members) + b"}"


def _spaced(text: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.tuples(_space, text, _space).map(b"".join)


written = st.recursive(
    _spaced(_scalars),
    lambda inner: _spaced(
        st.lists(inner, max_size=4).map(_array)
        | st.lists(st.tuples(_spaced(_strings), inner), max_size=4).map(_object)
    ),
    max_leaves=12,
)
"""Texts by RFC 8259's grammar, also with keys that repeat, numbers that do not fit, lone surrogates."""

_PIECES = (
    b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\\u", b"\\ud83d", b"0", b"9", b"-", b"+", b".", b"e",
    b"\x00", b"\x0b", b"\x7f", b"\xff", b"\xc3", b"\xc2\xa0", b"\xef\xbb\xbf", b"\xed\xa0\x80",
    b"\xe2\x80\xa8", b"/**/", b"//", b"#", b"'", b"NaN", b"Infinity", b'"a":1', b"\n", b" ",
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Draw JSON with a few bytes replaced, inserted or removed."""
    body = bytearray(draw(written))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(body)))
        end = min(len(body), start + draw(st.integers(0, 3)))
        body[start:end] = draw(st.sampled_from(_PIECES) | st.binary(max_size=3))
    return bytes(body)
