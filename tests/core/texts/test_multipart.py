"""Multipart forms become one JSON object, or are refused as a whole."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.codes import CODES
from gateway.core.parse import JsonFault
from gateway.core.texts.forms import MAX_FIELDS, FormFault
from gateway.core.texts.multipart import MAX_PART_HEAD, read_multipart
from gateway.core.texts.reading import reading_of

STRING: Any = {"type": ["string"]}
SCHEMA: Any = {
    "type": ["object"],
    "properties": {
        "text": STRING,
        "purpose": {"enum": ["a", "b"]},
        "n": {"type": ["integer"]},
        "file": STRING,
        "images": {"type": ["array"], "items": STRING},
        "list": {"type": ["array"], "items": {"type": ["integer"]}},
        "map": {"type": ["object"], "properties": {"n": {"type": ["integer"]}}},
        "objects": {"type": ["array"], "items": {"type": ["object"]}},
        "picture": STRING,
        "session": {"type": ["object"]},
        "sdp": STRING,
        "two": STRING,
        "mixed": {"anyOf": [STRING, {"type": ["object"]}]},
    },
}
ENCODINGS = {
    "picture": ("image/*",),
    "session": ("application/json",),
    "sdp": ("application/sdp",),
    "two": ("text/csv", "application/json"),
}
READING = reading_of(SCHEMA, {})


def part(name: str, content: bytes = b"x", content_type: str = "", filename: str | None = None) -> bytes:
    """Make a part as clients do."""
    lines = f'Content-Disposition: form-data; name="{name}"'
    lines += f'; filename="{filename}"' if filename is not None else ""
    lines += f"\r\nContent-Type: {content_type}" if content_type else ""
    return lines.encode() + b"\r\n\r\n" + content


def form(*parts: bytes) -> bytes:
    return b"".join(b"--b\r\n" + item + b"\r\n" for item in parts) + b"--b--\r\n"


def read(body: bytes, max_depth: int = 5) -> Any:
    return read_multipart(body, b"b", READING, ENCODINGS, max_depth=max_depth)


@pytest.mark.parametrize(
    ("parts", "value"),
    [
        ([], {}),
        ([part("text", "é\r\n--".encode())], {"text": "é\r\n--"}),
        ([part("text", b"")], {"text": ""}),
        ([part("text", b"5", "text/plain;charset=UTF-8")], {"text": "5"}),
        ([part("purpose", b"a"), part("n", b"7")], {"purpose": "a", "n": 7}),
        ([part("n", b"7", "text/plain")], {"n": 7}),
        ([part("n", b"7", filename="7")], {"n": "7"}),
        ([part("file", b"\x00\xff\r\n", "audio/mpeg", "a.mp3")], {"file": "\x00\xff\r\n"}),
        ([part("file", b"\xff", filename="né.bin")], {"file": "\xff"}),
        ([part("file", b"\xff", "application/octet-stream")], {"file": "\xff"}),
        ([part("file", b"{}", "application/json", "a.json")], {"file": "{}"}),
        (
            [part("images", b"1", "image/png", "1"), part("images", b"2", "image/png", "2")],
            {"images": ["1", "2"]},
        ),
        ([part("images[]", b"1", "image/png", "1")], {"images": ["1"]}),
        ([part("images", b"", filename="")], {"images": [""]}),
        ([part("file", b"x", "text/plain; charset=utf-16", "x")], {"file": "x"}),
        ([part("file", b"x", filename="a;b.txt")], {"file": "x"}),
        ([part("list[]", b"1"), part("list[]", b"2")], {"list": [1, 2]}),
        ([part("map[n]", b"1"), part("map[x]", b"1")], {"map": {"n": 1, "x": "1"}}),
        ([part("map", b'{"n": "1"}')], {"map": {"n": "1"}}),
        ([part("map", b'{"n": 1}', "application/json")], {"map": {"n": 1}}),
        ([part("map", b'{"n": 1}', "application/vnd.x+json")], {"map": {"n": 1}}),
        ([part("objects", b"{}", "application/json")], {"objects": [{}]}),
        ([part("unknown", b"5")], {"unknown": "5"}),
        ([b"content-disposition:Form-Data;NAME=n;filename=a-b.c\r\n\r\n5"], {"n": "5"}),
        ([b"Content-Length: 1\r\n" + part("n", b"5")], {"n": 5}),
        ([part("picture", b"p", "image/png", "p")], {"picture": "p"}),
        ([part("session", b"{}", "application/json", "blob")], {"session": {}}),
        ([part("session", b"{}")], {"session": {}}),
        ([part("session[a]", b"1")], {"session": {"a": "1"}}),
        ([part("sdp", "é".encode())], {"sdp": "é"}),
        ([part("sdp", b"\xc3", "application/sdp")], {"sdp": "\xc3"}),
        ([part("two", b"a,b", "text/csv")], {"two": "a,b"}),
        ([part("two", b"{]", "application/json")], {"two": "{]"}),
        ([part("mixed", b"{}", "application/json")], {"mixed": {}}),
        ([part("mixed", b"{}", "application/json", "a.json")], {"mixed": "{}"}),
    ],
)
def test_values(parts: list[bytes], value: Any) -> None:
    """Parts are read by their media type and by what the schema means; bytes count one character each."""
    assert read(form(*parts)) == value
    assert read(form(*parts)[:-2]) == value, "the last line end is not needed"


@pytest.mark.parametrize(
    ("one", "code"),
    [
        (part("text", b"\xff"), "bad_request"),
        (part("text", b"a\x00"), "bad_request"),
        (part("text", b"a", "text/plain; charset=latin-1"), "unsupported_media_type"),
        (part("text", b"a", "application/xml"), "unsupported_media_type"),
        (part("text", b"a", "application/octet-stream; charset=utf-16le"), "unsupported_media_type"),
        (part("sdp", b"a", "application/sdp; charset=utf-7"), "unsupported_media_type"),
        (part("text", b"a", 'text/plain; x="charset=utf-16le"'), "bad_request"),
        (part("images", b"1", filename=""), "bad_request"),
        (part("text", b'"a"', "application/json"), "unsupported_media_type"),
        (part("n", b"7", "application/octet-stream"), "unsupported_media_type"),
        (part("map", b"{}", "text/plain"), "unsupported_media_type"),
        (part("picture", b"p", "text/plain"), "unsupported_media_type"),
        (part("picture", b"p", "audio/mpeg", "p"), "unsupported_media_type"),
        (part("two", b"a"), "unsupported_media_type"),
        (part("text", b"a", "text"), "bad_request"),
        (part("map", b"{}", "application/json; charset=utf-7"), "unsupported_media_type"),
        (part("map", b"{", "application/json"), "invalid_json"),
        (part("map", b'{"a":1,"a":2}', "application/json"), "duplicate_key"),
        (part("map", b"[" * 9, "application/json"), "json_too_deep"),
        (part("map[a][b][c][d][e]"), "json_too_deep"),
        (part("map[a"), "bad_request"),
        (part(""), "bad_request"),
        (part("_charset_", b"utf-8"), "bad_request"),
        (part('a"b'), "bad_request"),
        (part("a\\b"), "bad_request"),
        (part("a%22b"), "bad_request"),
        (part("a%0db"), "bad_request"),
        (part("text "), "bad_request"),
        (part("\u3000text"), "bad_request"),
        (part("a; filename=b"), "bad_request"),
        (part("a; NAME=b"), "bad_request"),
        (b'Content-Disposition: form-data; filename="a; name=b"; name="x"\r\n\r\nx', "bad_request"),
        (b"Content-Disposition: form-data; name=x ;filename=y\r\n\r\nx", "bad_request"),
        (part("text", filename="a\\b"), "bad_request"),
        (b"\r\n\r\nx", "bad_request"),
        (b"\r\nx", "bad_request"),
        (b"x", "bad_request"),
        (b"Content-Type: text/plain\r\n\r\nx", "bad_request"),
        (b"Content-Disposition: form-data\r\n\r\nx", "bad_request"),
        (b'Content-Disposition: form-data; filename="x"\r\n\r\nx', "bad_request"),
        (b'Content-Disposition: attachment; name="x"\r\n\r\nx', "bad_request"),
        (b"Content-Disposition: form-data; name='x'\r\n\r\nx", "bad_request"),
        (b"Content-Disposition: form-data; name=a%b\r\n\r\nx", "bad_request"),
        (b"Content-Disposition: form-data; name=\r\n\r\nx", "bad_request"),
        (b'Content-Disposition: form-data; name="x\r\n\r\nx', "bad_request"),
        (b"Content-Length: 2\r\n" + part("x"), "bad_request"),
        (b"Content-Length: 01\r\n" + part("x"), "bad_request"),
        (b'Content-Disposition: form-data; name="x"; name="y"\r\n\r\nx', "bad_request"),
        (b'Content-Disposition: form-data; name="x"; NAME="y"\r\n\r\nx', "bad_request"),
        (b"Content-Disposition: form-data; name=\"x\"; filename*=utf-8''y\r\n\r\nx", "bad_request"),
        (b'Content-Disposition: form-data; name="x"; size="1"\r\n\r\nx', "bad_request"),
        (b'Content-Disposition: form-data; name="\xff"\r\n\r\nx', "bad_request"),
        (b'Content-Disposition: form-data; name="x"; filename="\xff"\r\n\r\nx', "bad_request"),
        (b'Content-Disposition: form-data;\r\n name="x"\r\n\r\nx', "bad_request"),
        (b'Content-Disposition: form-data;\n name="x"\r\n\r\nx', "bad_request"),
        (b'Content-Disposition : form-data; name="x"\r\n\r\nx', "bad_request"),
        (
            b'Content-Transfer-Encoding: binary\r\nContent-Disposition: form-data; name="x"\r\n\r\nx',
            "bad_request",
        ),
        (b'X-A: b\r\nContent-Disposition: form-data; name="x"\r\n\r\nx', "bad_request"),
        (part("x") + b"\r\n--b-c\r\n" + part("y"), "bad_request"),
        (part("x") + b"\n--b\r\n" + part("y"), "bad_request"),
        (part("x") + b"\n--b\n" + part("y").replace(b"\r\n", b"\n"), "bad_request"),
        (part("x") + b"\r--b\r\n" + part("y"), "bad_request"),
        (part("x") + b"--b\r\n" + part("y"), "bad_request"),
        (b"A: " + b"x" * MAX_PART_HEAD + b"\r\n\r\nx", "bad_request"),
    ],
)
def test_refused_parts(one: bytes, code: str) -> None:
    """What parsers differ over, and what the contract does not take, is refused with a listed code."""
    with pytest.raises((FormFault, JsonFault)) as caught:
        read(form(part("file", b"first", filename="f"), one))
    assert caught.value.code == code
    assert code in CODES
    assert caught.value.message.endswith(".")


GOOD = form(part("text"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\r\n" + GOOD,
        b"preamble\r\n" + GOOD,
        GOOD + b"\r\n",
        GOOD + b"epilogue",
        GOOD[:-4],
        GOOD[:-4] + b"-",
        GOOD.replace(b"\r\n", b"\n"),
        GOOD.replace(b"--b\r\n", b"--b \r\n"),
        GOOD.replace(b"--b\r\n", b"--bb\r\n"),
        b"--b",
        b"--b\r\n--b--\r\n",
        form(*[part("text")] * (MAX_FIELDS + 1)),
    ],
)
def test_refused_frames(body: bytes) -> None:
    """Nothing stands around the parts, every line ends with CRLF, and there is an end."""
    with pytest.raises(FormFault) as caught:
        read(body)
    assert caught.value.code == "bad_request"


def test_a_field_twice() -> None:
    """A field that is no array stands once."""
    with pytest.raises(FormFault) as caught:
        read(form(part("text"), part("text")))
    assert (caught.value.code, caught.value.param) == ("duplicate_key", "text")


@given(st.binary(max_size=60))
def test_bytes_of_files_come_through(content: bytes) -> None:
    """Any content that has no boundary in it is read as it is."""
    if b"--b" in content:
        return
    assert read(form(part("file", content, filename="f"))) == {"file": content.decode("latin-1")}


@given(st.lists(st.sampled_from([b"--b", b"\r\n", b"--", GOOD, b"\r\n\r\n", part("n"), b"x"]), max_size=12))
def test_only_faults_go_out(pieces: list[bytes]) -> None:
    """Whatever the bytes, a form is read or refused by a FormFault."""
    with suppress(FormFault):
        assert isinstance(read(b"".join(pieces)), dict)
