"""Redaction: the structure stays, the texts go, and what is judged of it is what was there."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit.instance import Keys
from gateway.audit.redaction import (
    MAX_REDACTED,
    MAX_STRINGS,
    Placeholders,
    TooMuch,
    Unrestorable,
    enumerated,
    opaque,
    redact,
)
from gateway.core.parse import parse
from gateway.core.schema import Schemas
from gateway.core.types import Body, Content, Operation

if TYPE_CHECKING:
    from pathlib import Path

WORDS = frozenset(("user", "assistant", "", "#5:0000000000000000"))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(sorted(WORDS))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(tmp_path_factory.mktemp("audit"))


def shape(value: Any) -> Any:
    """Give a value with each string replaced by its length."""
    if isinstance(value, dict):
        return {key: shape(member) for key, member in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return ("text", len(value)) if isinstance(value, str) else value


def told(value: Any) -> Any:
    """Give what a redacted value tells: each tagged string as its length."""
    if isinstance(value, dict):
        return {key: told(member) for key, member in value.items()}
    if isinstance(value, list):
        return [told(item) for item in value]
    if not isinstance(value, str):
        return value
    length = len(value) - 1 if value.startswith("=") else int(value[1:].partition(":")[0])
    return ("text", length)


def strings(value: Any) -> list[str]:
    """Give all strings of a value that are no keys."""
    if isinstance(value, (dict, list)):
        return [
            one for item in (value.values() if isinstance(value, dict) else value) for one in strings(item)
        ]
    return [value] if isinstance(value, str) else []


@given(value=values)
def test_shape_stays(keys: Keys, value: Any) -> None:
    """Keys, their order, types, numbers, counts and lengths are the body's; and it is made the same twice."""
    redacted = redact(value, WORDS, keys.sign)
    assert redacted == redact(value, WORDS, keys.sign)
    read = json.loads(redacted)
    assert told(read) == shape(value)
    assert list(read) == list(value) if isinstance(value, dict) else True
    assert redacted.isascii()
    assert b"\n" not in redacted


@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=5))
def test_texts_go(keys: Keys, text: str) -> None:
    """Of a replaced text its length is told, and 16 digits that nobody without the key can make; no more."""
    tagged = json.loads(redact([text], frozenset(), keys.sign))
    assert tagged == [f"#{len(text)}:{keys.sign(text.encode())[9:25]}"]


def test_canaries_go(keys: Keys) -> None:
    """Wherever a text stands, nothing of it is left, in whatever spelling; as a key it stays, as promised."""
    canary = "kanarienv\u00f6gel singen"
    value = {"role": "user", "content": [{"text": canary}, canary * 50], "metadata": {"k": f"user {canary}"}}
    redacted = redact(value, WORDS, keys.sign)
    assert b"kanarien" not in redacted
    assert b"singen" not in redacted
    assert b"\\u00f6" not in redacted
    assert b'"role":"=user"' in redacted
    assert b"kanarien" in redact({canary: canary}, WORDS, keys.sign)


@given(value=values)
def test_placeholders(keys: Keys, value: Any) -> None:
    """What is made of a redacted body has its shape, its words, and equal texts where it had equal texts."""
    restored = Placeholders(WORDS, keys.possible).restore(json.loads(redact(value, WORDS, keys.sign)))
    assert shape(restored) == shape(value)
    pairs = set(zip(strings(value), strings(restored), strict=True))
    assert len(pairs) == len({one for one, _ in pairs}) == len({other for _, other in pairs})
    assert all(one == other for one, other in pairs if one in WORDS)


def test_words_of_another_configuration(keys: Keys) -> None:
    """A text that was replaced is recognised where another configuration lists it, with an old key, too."""
    redacted = json.loads(redact(["developer", "dEveloper"], WORDS, keys.sign))
    keys.rotate()
    assert Placeholders(["developer"], keys.possible).restore(redacted)[0] == "developer"
    assert Placeholders(["developer"], keys.possible).restore(redacted)[1] != "dEveloper"


@pytest.mark.parametrize("tagged", ["text", "#", "#x:0000000000000000", "#3:00", "", "#03:0000000000000000"])
def test_untagged(keys: Keys, tagged: str) -> None:
    """What redaction did not write is not guessed at."""
    with pytest.raises(Unrestorable):
        Placeholders([], keys.possible).restore([tagged])


def test_too_many_short_texts(keys: Keys) -> None:
    """More different texts of one character than there are placeholders are not judged."""
    tags = [f"#1:{number:016x}" for number in range(6401)]
    placeholders = Placeholders([], keys.possible)
    assert len(set(placeholders.restore(tags[:6400]))) == 6400
    with pytest.raises(Unrestorable):
        placeholders.restore(tags)


def test_deepest_body(keys: Keys) -> None:
    """A body as deep as any configuration allows needs no more frames than a thread of Python has."""
    body = b"[" * 200 + b'"secret text"' + b"]" * 200
    limit = sys.getrecursionlimit()
    with ThreadPoolExecutor(1) as thread:
        sys.setrecursionlimit(1000)
        try:
            value = thread.submit(parse, body, max_depth=200).result()
            redacted = thread.submit(redact, value, frozenset(), keys.sign).result()
            restored = thread.submit(Placeholders([], keys.possible).restore, json.loads(redacted)).result()
        finally:
            sys.setrecursionlimit(limit)
    assert redacted.startswith(b"[" * 200 + b'"#11:')
    assert shape(restored) == shape(value)


def test_each_string_is_signed_once(keys: Keys) -> None:
    """However often a body has a string: what many short ones cost is what different ones cost."""
    signed: list[bytes] = []

    def sign(content: bytes) -> str:
        signed.append(content)
        return keys.sign(content)

    value = ["a", {"b": "a", "c": ["b", "a"]}, "user"] * 100
    assert redact(value, WORDS, sign) == redact(value, WORDS, keys.sign)
    assert sorted(signed) == [b"a", b"b"]


@pytest.mark.parametrize("text", ["", "user", "x"])
def test_as_many_strings_as_one_body_may_have(keys: Keys, text: str) -> None:
    """One more is too much, wherever it stands, and whether it stays or not; what is behind is not read."""
    strings: list[Any] = [text] * (MAX_STRINGS - 1)
    assert len(json.loads(redact([*strings, {"a": text}], WORDS, keys.sign))) == MAX_STRINGS
    behind = [[]]
    behind.append(behind)  # without end
    with pytest.raises(TooMuch):
        redact([*strings, {"a": text}, text, behind], WORDS, keys.sign)


@pytest.mark.parametrize("filler", [1, "user", [], {}, {"k": None}, -1.5, "unknown"])
def test_as_long_as_a_redacted_body_may_be(keys: Keys, filler: Any) -> None:
    """To the byte, whatever the body is made of, and long before all of a huge one was looked at."""
    size = len(redact(filler, WORDS, keys.sign)) + 1
    count = min(MAX_STRINGS - 1, (MAX_REDACTED - 1000) // size)
    value = {"list": [filler] * count}
    rest = MAX_REDACTED - len(redact(value, WORDS, keys.sign)) - len(',"":0')
    assert len(redact({**value, "k" * rest: 0}, WORDS, keys.sign)) == MAX_REDACTED
    with pytest.raises(TooMuch):
        redact({**value, "k" * (rest + 1): 0}, WORDS, keys.sign)


def test_shortest_parts(keys: Keys) -> None:
    """The most that a body of the shortest values can have is kept, too."""
    most = [0] * ((MAX_REDACTED - 1) // 2)  # brackets, and a comma between two
    assert len(redact(most, WORDS, keys.sign)) == MAX_REDACTED - 1
    with pytest.raises(TooMuch):
        redact([*most, 0], WORDS, keys.sign)


def test_opaque(keys: Keys) -> None:
    """Of a body that is not JSON its length in bytes stays, and its HMAC."""
    body = b"\xff" * 9
    assert json.loads(opaque(body, keys.sign)) == f"#9:{keys.sign(body)[9:25]}"


def operation(schema: Any, definitions: dict[str, Any]) -> Operation:
    validator = Schemas(definitions).validator(schema)
    body = Body(required=True, media_types={"application/json": Content("json", validator)})
    return Operation("o", "c", "POST", "/o", "main", 1024, body=body)


def test_enumerated() -> None:
    """The words are those of every enum and const in reach, inside values and through circles, too."""
    definitions = {
        "a": {"properties": {"next": {"$ref": "a"}, "b": {"const": {"key": ["inner", 1]}}}},
        "unused": {"enum": ["unused"]},
    }
    schema = {"anyOf": [{"$ref": "a"}, {"enum": ["user", None, 2]}], "propertyNames": {"enum": ["name"]}}
    assert enumerated(operation(schema, definitions)) == {"inner", "user", "name"}
    assert enumerated(Operation("o", "c", "GET", "/o", "main", 0)) == frozenset()


def test_key_decides(tmp_path: Path) -> None:
    """Without the key nothing can be tried out: another directory's key gives another form."""
    first, other = Keys(tmp_path / "a"), Keys(tmp_path / "b")
    assert redact("yes", frozenset(), first.sign) != redact("yes", frozenset(), other.sign)
