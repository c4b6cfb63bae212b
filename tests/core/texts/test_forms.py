"""Urlencoded forms become one JSON object, or are refused as a whole."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.codes import CODES
from gateway.core.texts.forms import MAX_FIELDS, FormFault, read_form
from gateway.core.texts.reading import reading_of

SCHEMA: Any = {
    "type": ["object"],
    "properties": {
        "text": {"type": ["string"]},
        "n": {"type": ["integer"]},
        "on": {"type": ["boolean"]},
        "list": {"type": ["array"], "items": {"type": ["integer"]}},
        "odd[name]": {"type": ["integer"]},
        "file_ids": {"type": ["array"]},
        "dotted.name": {"type": ["string"]},
        "map": {"type": ["object"], "additionalProperties": {"type": ["integer"]}},
        "objects": {"type": ["array"], "items": {"type": ["object"]}},
        "either": {"anyOf": [{"type": ["object"]}, {"enum": ["auto"]}]},
    },
}
READING = reading_of(SCHEMA, {})


def read(body: bytes, max_depth: int = 4) -> Any:
    return read_form(body, READING, max_depth=max_depth)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"", {}),
        (b"text=a+b%0D%0Ac%26&n=5&on=true", {"text": "a b\r\nc&", "n": 5, "on": True}),
        (b"text=5&text2=5", {"text": "5", "text2": "5"}),
        (b"text", {"text": ""}),
        (b"text=a=b", {"text": "a=b"}),
        (b"list=1&list=2", {"list": [1, 2]}),
        (b"list%5B%5D=1", {"list": [1]}),
        (b"list=x", {"list": ["x"]}),
        (b"n=05", {"n": "05"}),
        (b"odd[name]=1", {"odd[name]": 1}),
        (b"dotted.name=a&d.x=b&+y=c", {"dotted.name": "a", "d.x": "b", " y": "c"}),
        (b"map[a]=1&map[b]=x", {"map": {"a": 1, "b": "x"}}),
        (b"unknown[a]=1&other[]=2", {"unknown": {"a": "1"}, "other": ["2"]}),
        (b"map=%7B%22a%22:1%7D", {"map": {"a": 1}}),
        (b"map=%7B%22a%22:1,%22a%22:2%7D", {"map": '{"a":1,"a":2}'}),
        (b"map=[1]", {"map": "[1]"}),
        (b"objects=%7B%7D&objects=x", {"objects": [{}, "x"]}),
        (b"either=auto", {"either": "auto"}),
        (b"either=%7B%22a%22:[[]]%7D", {"either": {"a": [[]]}}),
        (b"either=%7B%22a%22:[[[]]]%7D", {"either": '{"a":[[[]]]}'}),
    ],
)
def test_values(body: bytes, value: Any) -> None:
    """Fields are typed by their schema; what it does not name is a string."""
    assert read(body) == value


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (b"text=a&text=b", "duplicate_key", "text"),
        (b"x=1&x=2", "duplicate_key", "x"),
        (b"list=1&list[]=2", "duplicate_key", "list"),
        (b"map[a]=1&map=2", "duplicate_key", "map"),
        (b"map[a][b][c][d]=1", "json_too_deep", "map"),
        (b"m" + b"[a]" * 5 + b"=1", "json_too_deep", "m[a][a][a][a][a]"),
        (b"text=%", "bad_request", "text"),
        (b"text=%FF", "bad_request", "text"),
        (b"text=\xc3\xa9", "bad_request", "text"),
        (b"text=a;b", "bad_request", "text"),
        (b"text=a%00", "bad_request", "text"),
        (b"te%xt=a", "bad_request", None),
        (b"text=a&&n=1", "bad_request", None),
        (b"text=a&", "bad_request", None),
        (b"=a", "bad_request", None),
        (b"map[a=1", "bad_request", "map[a"),
        (b"objects[][a]=1", "bad_request", "objects[][a]"),
        (b"+text=a", "bad_request", " text"),
        (b"text+=a", "bad_request", "text "),
        (b"text%E3%80%80[]=a", "bad_request", r"text\u3000[]"),
        (b"?text=a", "bad_request", None),
        (b"file.ids=a", "bad_request", "file.ids"),
        (b"%20%20file+ids[]=a", "bad_request", "  file ids[]"),
        (b"&" * MAX_FIELDS, "bad_request", None),
    ],
)
def test_refused(body: bytes, code: str, param: str | None) -> None:
    """What readers of forms differ over is refused, with a listed code and the field's name if it has one."""
    with pytest.raises(FormFault) as caught:
        read(body)
    assert (caught.value.code, caught.value.param) == (code, param)
    assert code in CODES
    assert caught.value.message.endswith(".")


_NAMES = st.text(st.characters(exclude_categories=["C"], exclude_characters="[]"), min_size=1)


@given(st.dictionaries(_NAMES, st.text(), max_size=5))
def test_what_a_client_writes_is_what_is_read(fields: dict[str, str]) -> None:
    """Any strings but NUL come through the standard library's encoding."""
    expected = {name: value for name, value in fields.items() if "\0" not in value}
    assert read_form(urlencode(expected).encode(), reading_of({}, {}), max_depth=2) == expected
