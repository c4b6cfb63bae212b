"""No accepted body means two things: what parse takes, parsers of other makes take, as the same value."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import orjson
import pytest
from hypothesis import given, settings

from gateway.core.parse import JsonFault, parse
from tests.core import json_readers
from tests.core.json_cases import ACCEPTED, REFUSED
from tests.core.json_readers import Reader, form
from tests.core.json_strategies import mutated, written
from tests.core.test_parse import outline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway.core.types import Json

DEPTH = 100
CASES = [body for body, _ in (*ACCEPTED.values(), *REFUSED.values())]


@pytest.fixture(scope="module", params=[json_readers.node, json_readers.go], ids=["node", "go"])
def reader(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Run a parser of another language, where that is on the machine."""
    start: Callable[..., Reader | None] = request.param
    found = start(tmp_path_factory.mktemp("reader"))
    if found is None:
        pytest.skip(f"{start.__name__} is not on this machine")
    with found:
        yield found


def taken(body: bytes) -> tuple[Json] | None:
    """Give the value of a body that parse takes, in a tuple."""
    try:
        return (parse(body, max_depth=DEPTH),)
    except JsonFault:
        return None


def compare(reader: Reader, body: bytes) -> None:
    """Fail if ``body`` is taken and means something else to ``reader``."""
    if (value := taken(body)) is not None:
        assert reader.read(body) == form(*value)


def compare_here(body: bytes) -> None:
    """Fail if ``body`` is taken and means something else to one of Python's parsers, to types and order."""
    if (value := taken(body)) is not None:
        expected = outline(*value)
        assert outline(json.loads(body)) == expected
        assert outline(orjson.loads(body)) == expected
        assert outline(msgspec.json.decode(body)) == expected


def test_readers_tell_values_apart(reader: Reader) -> None:
    """The comparison can fail: other values have another form, and what is not JSON has none."""
    forms = [reader.read(text) for text in (
        b"0", b"1", b'"1"', b"[1]", b"[[1]]", b'{"1":1}', b'{"1":[1]}', b"[]", b"{}", b'""', b"null", b"true",
        b"false", b'["a","b"]', b'["ab"]', b"5e-324", b"0.1", b"0.10000000000000002", b'"\\u0000"', b'"a"',
        b'"\\ud83d\\ude00"', b'{"__proto__":1}', b'{"__proto__":{}}',
    )]  # fmt: skip
    assert len(set(forms)) == len(forms)
    assert json_readers.REFUSED not in forms
    assert {reader.read(text) for text in (b"", b"{", b"[1,]", b"NaN", b"01")} == {json_readers.REFUSED}


def test_cases_in_other_languages(reader: Reader) -> None:
    """Every text of the table that is taken has its value there too."""
    for body in CASES:
        compare(reader, body)


@settings(max_examples=300)
@given(written)
def test_texts_in_other_languages(reader: Reader, body: bytes) -> None:
    """So has any text by the grammar, however it is spelt."""
    compare(reader, body)


@settings(max_examples=300)
@given(mutated())
def test_mutated_texts_in_other_languages(reader: Reader, body: bytes) -> None:
    """So has any text that is damaged, and taken nevertheless."""
    compare(reader, body)


@pytest.mark.parametrize("body", CASES, ids=range(len(CASES)))
def test_cases_in_other_parsers_of_python(body: bytes) -> None:
    """json, orjson and msgspec agree to the type of each number and the order of keys."""
    compare_here(body)


@given(written)
def test_texts_in_other_parsers_of_python(body: bytes) -> None:
    """So they do for any text by the grammar."""
    compare_here(body)


@given(mutated())
def test_mutated_texts_in_other_parsers_of_python(body: bytes) -> None:
    """So they do for damaged ones."""
    compare_here(body)


def test_the_one_difference_that_is_known(reader: Reader) -> None:
    """An integer beyond 2^53 is exact for the gateway, and the double next to it for who has only doubles."""
    assert taken(b"9007199254740993") == (2**53 + 1,)
    assert reader.read(b"9007199254740993") == form(2**53)
