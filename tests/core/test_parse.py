"""The parse phase takes RFC 8259 and nothing that two parsers could read differently."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.parse import JsonFault, parse

ACCEPTED = [
    (b"{}", {}),
    (b" \t\r\n[1 , 2]\n", [1, 2]),
    (b"null", None),
    (b'"x"', "x"),
    (b"0", 0),
    (b"-0", 0),
    (b"-0.0", 0.0),
    (b"1e5", 100000.0),
    (b"1E+5", 100000.0),
    (b"1e308", 1e308),
    (b"1e-400", 0.0),
    (b"9223372036854775807", 2**63 - 1),
    (b"-9223372036854775808", -(2**63)),
    ('{"é😀":"日本"}'.encode(), {"é😀": "日本"}),
    (b'"\\ud83d\\ude00"', "😀"),
    (b'"\\\\ud800"', "\\ud800"),
    (b'"\\u0000"', "\x00"),
    (b'"\x7f"', "\x7f"),
    (b'{"a":{"k":1},"b":{"k":2}}', {"a": {"k": 1}, "b": {"k": 2}}),
    (b'{"__proto__":1,"role\\u0000":2}', {"__proto__": 1, "role\x00": 2}),
]

REFUSED = [
    b"",
    b" ",
    b"\n",
    b"{",
    b"[",
    b'"',
    b'"abc',
    b'{"a"',
    b'{"a":',
    b'{"a":1',
    b"[1",
    b"[1,",
    b"tru",
    b"nul",
    b"[1,]",
    b'{"a":1,}',
    b"[,1]",
    b"[1,,2]",
    b"{,}",
    b"{a:1}",
    b"{'a':1}",
    b"{1:2}",
    b"[1 2]",
    b'{"a" 1}',
    b"{} {}",
    b"{}x",
    b"1 2",
    b"null,",
    b"{}\x00",
    b"{}\x0b",
    b"\x0c{}",
    b"{}//c",
    b"/*c*/{}",
    b"#\n1",
    b"NaN",
    b"[NaN]",
    b"Infinity",
    b"-Infinity",
    b"[-Infinity]",
    b"nan",
    b"inf",
    b"True",
    b"None",
    b"undefined",
    b"1e400",
    b"-1E400",
    b"1e99999999999",
    b"01",
    b"-01",
    b"1.",
    b".5",
    b"-.5",
    b"+1",
    b"0x10",
    b"1_000",
    b"1e",
    b"1e+",
    b"--1",
    b"-",
    b"- 1",
    b"1a",
    b"9223372036854775808",
    b"-9223372036854775809",
    b"9" * 5000,
    b"-" + b"9" * 5000,
    b"\xef\xbb\xbf{}",
    "{}".encode("utf-16"),
    "{}".encode("utf-16-le"),
    "{}".encode("utf-32"),
    '{"a":1}'.encode("utf-16-be"),
    b'"\xff"',
    b'"\xc0\xaf"',
    b'"\xed\xa0\x80"',
    b'"\xf4\x90\x80\x80"',
    b'"\xe2\x82"',
    b"\xff{}",
    b'"\\ud800"',
    b'"\\udc00"',
    b'{"\\ud800":1}',
    b'["\\udc00\\ud800"]',
    b'"\\uD800x"',
    b'"\\ud800\\u0041"',
    b'"\\ud83d" "\\ude00"',
    b'[{"a":["\\uDfff"]}]',
    b'"\n"',
    b'"\t"',
    b'"\x00"',
    b'"\x1f"',
    b'{"a\nb":1}',
    b'"\\x41"',
    b'"\\\'"',
    b'"\\u12"',
    b'"\\u12g4"',
    b'"\\u 123"',
    b'"\\u+123"',
    "{\u00a0}".encode(),
    "\u2003{}".encode(),
    "\uff11".encode(),
    "٣".encode(),
    "[\uff11]".encode(),
]

DUPLICATES = [
    b'{"a":1,"a":1}',
    b'{"a":1,"b":2,"a":3}',
    b'{"a":1,"\\u0061":2}',
    b'[[{"x":{"k":1,"k":2}}]]',
    b'{"":1,"":2}',
    '{"é":1,"\\u00e9":2}'.encode(),
    b'{"\\ud83d\\ude00":1,"\xf0\x9f\x98\x80":2}',
]


def code_of(body: bytes, max_depth: int = 32) -> str:
    """Give the code with which a body is refused."""
    with pytest.raises(JsonFault) as fault:
        parse(body, max_depth=max_depth)
    assert str(fault.value) == fault.value.message
    return fault.value.code


@pytest.mark.parametrize(("body", "value"), ACCEPTED)
def test_valid_json_keeps_its_value(body: bytes, value: Any) -> None:
    """Valid JSON is read, as the value and type that it is."""
    parsed = parse(body, max_depth=32)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize("body", REFUSED)
def test_anything_else_is_invalid_json(body: bytes) -> None:
    """Whatever is not RFC 8259, or means different things to different parsers, is invalid_json."""
    assert code_of(body) == "invalid_json"


@pytest.mark.parametrize("body", DUPLICATES)
def test_repeated_keys_at_any_depth(body: bytes) -> None:
    """Keys are compared after unescaping, in each object by itself."""
    assert code_of(body) == "duplicate_key"


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_depth_is_judged_before_the_parser_can_recurse(opening: bytes) -> None:
    """A million opening brackets are json_too_deep, not a RecursionError."""
    assert code_of(opening * 300_000) == "json_too_deep"


def test_depth_counts_levels() -> None:
    """At the limit passes, one more is refused; brackets in strings and siblings do not count."""
    assert parse(b"[" * 5 + b"]" * 5, max_depth=5) == [[[[[]]]]]
    assert code_of(b"[" * 6 + b"]" * 6, 5) == "json_too_deep"
    assert code_of(b'{"a":[{"b":1}]}', 2) == "json_too_deep"
    assert parse(b'["[[[[[[", "\\"[[[[[", "{{{\\\\"]', max_depth=1) == ["[[[[[[", '"[[[[[', "{{{\\"]
    assert parse(b"[" + b"[]," * 50 + b"{}]", max_depth=2)[-1] == {}
    assert parse(b"1", max_depth=0) == 1


def test_depth_beyond_what_python_can_recurse() -> None:
    """With a limit above Python's own, its RecursionError becomes json_too_deep as well."""
    assert code_of(b"[" * 200_000 + b"]" * 200_000, 10**6) == "json_too_deep"


def test_an_unending_string_is_linear_for_the_depth_scan() -> None:
    """A string without end behind many brackets is refused for what it is."""
    assert code_of(b'[[],[],[],"' + b'\\"[' * 100_000, 3) == "invalid_json"


def test_faults_name_the_place_and_never_the_text() -> None:
    """Line and column are named where known; nothing of the body is."""
    with pytest.raises(JsonFault) as fault:
        parse('{\n "é": sesame}'.encode(), max_depth=32)
    assert fault.value.message == (
        "We could not parse the JSON body of your request: a value was expected, at line 2, column 7."
    )
    for body in (
        b'{"sesame":1,"sesame":2}',
        b'["sesame\x01"]',
        b'"\\sesame"',
        b"[NaN, 1, sesame]",
        b"1e9999",
    ):
        with pytest.raises(JsonFault) as fault:
            parse(body, max_depth=32)
        assert "sesame" not in fault.value.message
        assert "9999" not in fault.value.message


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(values, st.booleans(), st.sampled_from([None, 1]))
def test_what_json_writes_is_read_back(value: Any, ascii_only: bool, indent: int | None) -> None:
    """Round trip: every value survives, escaped or not, spaced or not."""
    body = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    assert parse(body, max_depth=100) == value


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Draw JSON with a few bytes replaced, inserted or removed."""
    body = bytearray(json.dumps(draw(values), ensure_ascii=draw(st.booleans())).encode())
    pieces = st.sampled_from(
        [b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\\u", b"0", b"-", b"e", b"\x00", b"\xff"]
    )
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(body)))
        end = min(len(body), start + draw(st.integers(0, 3)))
        body[start:end] = draw(pieces | st.binary(max_size=3))
    return bytes(body)


@settings(deadline=None)
@given(mutated())
def test_what_is_accepted_means_the_same_to_json(body: bytes) -> None:
    """Accepted by us: accepted by json, as the same value. Refused: by a JsonFault and by nothing else."""
    try:
        value = parse(body, max_depth=100)
    except JsonFault as fault:
        code: str | None = fault.code
    else:
        code = None
        assert json.loads(body) == value
    assert code in {None, "duplicate_key", "invalid_json"}
