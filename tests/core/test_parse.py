"""The parse phase takes RFC 8259 and nothing that two parsers could read differently."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tracemalloc
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import parse as module
from gateway.core.decide import decide
from gateway.core.parse import JsonFault, parse
from gateway.core.types import Rejection
from tests.core.json_cases import ACCEPTED, MAX_DEPTH, NOT_TOO_DEEP, REFUSED, TOO_DEEP
from tests.core.json_shapes import SHAPES
from tests.core.json_strategies import mutated, values
from tests.support.plane import RULES, request

if TYPE_CHECKING:
    from types import FrameType


def code_of(body: bytes, max_depth: int = 32) -> str:
    """Give the code with which a body is refused."""
    with pytest.raises(JsonFault) as fault:
        parse(body, max_depth=max_depth)
    assert str(fault.value) == fault.value.message
    return fault.value.code


def outline(value: Any) -> Any:
    """Give what tells a JSON value from any other: types, the sign of zero, the order of keys."""
    if isinstance(value, dict):
        return [(key, outline(item)) for key, item in value.items()]
    if isinstance(value, list):
        return [list, *map(outline, value)]
    return (type(value), math.copysign(1, value), value) if isinstance(value, float) else (type(value), value)


@pytest.mark.parametrize("name", ACCEPTED)
def test_valid_json_keeps_its_value(name: str) -> None:
    """Valid JSON is read, as the value and type that it is, with its keys in their order."""
    body, value = ACCEPTED[name]
    assert outline(parse(body, max_depth=MAX_DEPTH)) == outline(value)


@pytest.mark.parametrize("name", REFUSED)
def test_anything_else_is_refused(name: str) -> None:
    """Whatever is not RFC 8259, or means different things to different parsers, is refused as what it is."""
    body, code = REFUSED[name]
    assert code_of(body, MAX_DEPTH) == code


@pytest.mark.parametrize("name", ["__proto__", "Role", "role\\u0000", "\\u0072ole\\u0000", "constructor"])
def test_names_that_imitate_others_are_unknown_properties(name: str) -> None:
    """A schema that knows ``role`` knows no other spelling of it, nor what JavaScript has of its own."""
    body = b'{"text":"x","%b":"user"}' % name.encode()
    verdict = decide(RULES, request(body=body).removesuffix(body), body)
    assert isinstance(verdict, Rejection)
    assert verdict.code == "unknown_parameter"


@pytest.mark.parametrize("name", TOO_DEEP)
def test_depth_is_judged_before_the_parser_can_recurse(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """What is too deep never gets to the scanner."""

    def scan(_: str, __: int) -> NoReturn:
        raise AssertionError

    monkeypatch.setattr(module, "_read", scan)
    assert code_of(TOO_DEEP[name], MAX_DEPTH) == "json_too_deep"
    with pytest.raises(AssertionError):
        parse(next(iter(NOT_TOO_DEEP.values())), max_depth=MAX_DEPTH)


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


def test_every_depth_that_python_can_recurse_or_not() -> None:
    """Near Python's own limit, too, a body is read or json_too_deep, with surrogates to check as well."""
    text = b'"\\ud83d\\ude00"'
    codes = set()
    for depth in range(1, sys.getrecursionlimit() + 10):
        try:
            parse(b"[" * depth + text + b"]" * depth, max_depth=10**6)
        except JsonFault as fault:
            codes.add(fault.code)
    assert codes == {"json_too_deep"}


def test_long_integers_are_never_converted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Conversion costs the square of the digits: what can not fit is refused by its length."""
    seen: list[int] = []

    def convert(text: str) -> int:
        seen.append(len(text))
        return int(text)

    monkeypatch.setattr(module, "int", convert, raising=False)
    for digits in (19, 20, 5000, 1_000_000):
        code_of(b"9" * digits)
        code_of(b"-" + b"9" * digits)
    assert max(seen) == 20


def calls(body: bytes) -> int:
    """Count the calls, of Python's functions and of C's, that reading ``body`` takes."""
    count = 0

    def tally(_: FrameType, event: str, __: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(tally)
    try:
        parse(body, max_depth=MAX_DEPTH)
    except JsonFault:
        pass
    finally:
        sys.setprofile(None)
    return count


def peak(body: bytes) -> int:
    """Give the most bytes of memory that reading ``body`` takes at one time."""
    tracemalloc.start()
    try:
        parse(body, max_depth=MAX_DEPTH)
    except JsonFault:
        pass
    finally:
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return most


@pytest.mark.parametrize("name", SHAPES)
def test_cost_is_linear(name: str) -> None:
    """Four times the bytes take at most four times the calls and, but for steps of growth, the memory.

    What happens within a call is measured by tests/bench/parse.py.
    """
    once, four_times = SHAPES[name](16_000), SHAPES[name](64_000)
    assert 3 < len(four_times) / len(once) < 5
    assert calls(four_times) <= 4.4 * calls(once) + 20
    assert peak(four_times) <= 9 * peak(once) + 4096


def test_no_keys_can_be_chosen_to_collide() -> None:
    """Strings are hashed by SipHash, short ones too, with a key that each process draws."""
    assert sys.hash_info.algorithm.startswith("siphash")
    assert sys.hash_info.cutoff == 0
    command = [sys.executable, "-I", "-c", "print(hash('role'))"]
    assert len({subprocess.run(command, capture_output=True, check=True).stdout for _ in range(3)}) > 1


def test_the_scanner_is_the_one_in_c() -> None:
    """The one in Python would take digits of other scripts."""
    assert type(module._read).__module__ == "_json"


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


def test_a_byte_order_mark_is_named() -> None:
    """It can not be seen, so the message says that it is there."""
    with pytest.raises(JsonFault, match="byte order mark"):
        parse("\ufeff{}".encode(), max_depth=MAX_DEPTH)


@given(values, st.booleans(), st.sampled_from([None, 1]))
def test_what_json_writes_is_read_back(value: Any, ascii_only: bool, indent: int | None) -> None:
    """Round trip: every value survives, escaped or not, spaced or not."""
    body = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    assert outline(parse(body, max_depth=100)) == outline(value)


@given(mutated())
def test_what_is_accepted_means_the_same_to_json(body: bytes) -> None:
    """Accepted by us: accepted by json, as the same value. Refused: by a JsonFault and by nothing else."""
    try:
        value = parse(body, max_depth=100)
    except JsonFault as fault:
        code: str | None = fault.code
    else:
        code = None
        assert outline(json.loads(body)) == outline(value)
    assert code in {None, "duplicate_key", "invalid_json"}
