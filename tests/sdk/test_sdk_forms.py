"""The official SDK's forms, and lists and objects in its queries, before a document of this test's own."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import openai
import pytest
import pytest_asyncio

from tests.support.recorder import Script, ok
from tests.support.sdk_between import Between

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOCUMENT = Path(__file__).with_name("media.yaml")
UPLOAD, SPEECH, EDIT = "files.create", "audio.transcriptions.create", "images.edit"
JOBS, LOGS = "fine_tuning.jobs.list", "admin.organization.audit_logs.list"

BYTES = bytes(range(256)) + b"\r\n--boundary\r\n\r\n--" + b"\r\n" * 5
WAV = ("a.wav", BYTES, "audio/wav")
PNG = ("a.png", b"\x89PNG\r\n\x1a\n", "image/png")
WEBP = ("b.webp", b"RIFF\0\0\0\0WEBP", "image/webp")
FILE = {"id": "file-1", "object": "file", "filename": "a.jsonl"}
TEXT = {"text": "Hello"}
IMAGES = {"created": 1, "data": [{"b64_json": "AAAA"}]}
PAGE = {"object": "list", "data": [{"id": "a"}], "has_more": False}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def between(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Between]:
    """Run one gateway with that document, and every pack beside it, for all tests of this module."""
    async with Between(tmp_path_factory.mktemp("forms"), {"media": DOCUMENT}) as between:
        yield between


class Form(NamedTuple):
    """A call that has to pass, and what each part of its form is called, in order."""

    call: str
    arguments: dict[str, Any]
    answer: dict[str, Any]
    names: list[str]
    positional: tuple[str, ...] = ()


FORMS = {
    "bytes alone": Form(UPLOAD, {"file": b"{}", "purpose": "batch"}, FILE, ["purpose", "file"]),
    "a file that is read": Form(
        UPLOAD, {"file": io.BytesIO(BYTES), "purpose": "evals"}, FILE, ["purpose", "file"]
    ),
    "JSON that is a file, and none": Form(
        UPLOAD, {"file": ("a.json", b"{not json"), "purpose": "batch"}, FILE, ["purpose", "file"]
    ),
    "a name of many letters": Form(
        UPLOAD,
        {"file": ('日本 "quoted"; a=b%.pdf', BYTES, "application/pdf"), "purpose": "user_data"},
        FILE,
        ["purpose", "file"],
    ),
    "three million bytes": Form(
        UPLOAD, {"file": ("big.jsonl", b"\xff" * 3_000_000), "purpose": "batch"}, FILE, ["purpose", "file"]
    ),
    "an object in a form": Form(
        UPLOAD,
        {"file": b"x", "purpose": "vision", "expires_after": {"anchor": "created_at", "seconds": 3600}},
        FILE,
        ["purpose", "expires_after[anchor]", "expires_after[seconds]", "file"],
    ),
    "a part of an upload": Form(
        "uploads.parts.create", {"data": BYTES}, {"id": "part_1"}, ["data"], ("upload_1",)
    ),
    "the least transcription": Form(SPEECH, {"file": WAV, "model": "whisper-1"}, TEXT, ["model", "file"]),
    "a transcription with lists": Form(
        SPEECH,
        {
            "file": WAV,
            "model": "whisper-1",
            "language": "en",
            "prompt": 'Grüße 🙂; a=b&c "quoted"\r\n--x\r\n',
            "response_format": "verbose_json",
            "temperature": 0.1 + 0.2,
            "timestamp_granularities": ["word", "segment"],
            "include": ["logprobs"],
            "known_speaker_names": ["one", "two, three"],
            "chunking_strategy": {"type": "server_vad", "threshold": 1e-05, "silence_duration_ms": 200},
        },
        TEXT,
        [
            "model",
            "chunking_strategy[type]",
            "chunking_strategy[threshold]",
            "chunking_strategy[silence_duration_ms]",
            "include[]",
            "known_speaker_names[]",
            "known_speaker_names[]",
            "language",
            "prompt",
            "response_format",
            "temperature",
            "timestamp_granularities[]",
            "timestamp_granularities[]",
            "file",
        ],
    ),
    "a list of one": Form(
        SPEECH,
        {"file": WAV, "model": "m", "timestamp_granularities": ["word"], "chunking_strategy": "auto"},
        TEXT,
        ["model", "chunking_strategy", "timestamp_granularities[]", "file"],
    ),
    "one image": Form(EDIT, {"image": PNG, "prompt": "a cat"}, IMAGES, ["prompt", "image"]),
    "several images and a mask": Form(
        EDIT,
        {"image": [PNG, WEBP, PNG], "mask": PNG, "prompt": "a cat", "n": 2, "size": "1024x1024"},
        IMAGES,
        ["prompt", "n", "size", "image[]", "image[]", "image[]", "mask"],
    ),
}


@pytest.mark.parametrize("name", FORMS)
async def test_forms_pass_byte_for_byte(between: Between, name: str) -> None:
    """Whatever the SDK makes of the arguments is read part by part, and sent on as it was."""
    form = FORMS[name]
    returned = await between.passes(form.call, form.arguments, form.answer, *form.positional)
    assert returned.to_dict() == form.answer
    names = re.findall(rb'Content-Disposition: form-data; name="([^"]+)"', between.upstream.requests[-1].body)
    assert [one.decode() for one in names] == form.names


LIST = "%5B%5D"
QUERIES = {
    "a page of files": (
        "files.list",
        {"purpose": "fine-tune", "limit": 10000, "order": "asc", "after": "file-1"},
        "after=file-1&limit=10000&order=asc&purpose=fine-tune",
    ),
    "an object": (
        JOBS,
        {"limit": 5, "metadata": {"team": "a b", "x&y": "c=d+e", "ä": "ö"}},
        "limit=5&metadata%5Bteam%5D=a+b&metadata%5Bx%26y%5D=c%3Dd%2Be&metadata%5B%C3%A4%5D=%C3%B6",
    ),
    "an object with numbers, and lists": (
        LOGS,
        {
            "effective_at": {"gte": 17, "lt": 18},
            "event_types": ["api_key.created", "login.failed"],
            "actor_emails": ["a+b@x.org"],
        },
        (
            f"actor_emails{LIST}=a%2Bb%40x.org&effective_at%5Bgte%5D=17&effective_at%5Blt%5D=18"
            f"&event_types{LIST}=api_key.created&event_types{LIST}=login.failed"
        ),
    ),
    "what the SDK does not know": (
        JOBS,
        {"extra_query": {"metadata": {"k": "v"}, "limit": 1}},
        "metadata%5Bk%5D=v&limit=1",
    ),
}


@pytest.mark.parametrize("name", QUERIES)
async def test_lists_and_objects_in_queries_pass(between: Between, name: str) -> None:
    """The query is sent on exactly as the SDK wrote it."""
    call, arguments, query = QUERIES[name]
    await between.passes(call, arguments, PAGE)
    assert between.upstream.requests[-1].target.partition("?")[2] == query


async def test_a_download_is_what_the_upstream_has(between: Between) -> None:
    """Bytes of a file come back as they are."""
    script = ok(BYTES, b"Content-Disposition: attachment")
    content = await between.passes("files.content", {}, script, "file-1")
    assert content.read() == BYTES


async def test_a_stream_of_a_form(between: Between) -> None:
    """A transcription that is asked for as a stream comes event by event."""
    events = b'data: {"type": "transcript.text.delta", "delta": "Hi"}\n\ndata: [DONE]\n\n'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(events)
    script: Script = [head, events]
    arguments = {"file": WAV, "model": "gpt-4o-transcribe", "stream": True}
    between.answers.append(script)
    mark, before = len(between.relay.raw), len(between.upstream.requests)
    async with between.client() as client:
        stream = await client.audio.transcriptions.create(**arguments)
        assert [event.to_dict() async for event in stream] == [
            {"type": "transcript.text.delta", "delta": "Hi"}
        ]
    assert b"\r\n\r\ntrue\r\n" in between.same(mark, before).body


BAD: dict[str, tuple[str, dict[str, Any], list[tuple[str, str, str | None]]]] = {
    # what raises, and of each violation its code, param and pointer
    "no such purpose": (
        UPLOAD,
        {"file": b"x", "purpose": "fun"},
        [("invalid_value", "purpose", "/purpose")],
    ),
    "a byte too many": (
        UPLOAD,
        {"file": b"\xff" * 3_000_001, "purpose": "batch"},
        [("string_above_max_length", "file", "/file")],
    ),
    "nothing in the file": (
        UPLOAD,
        {"file": b"", "purpose": "batch"},
        [("empty_string", "file", "/file")],
    ),
    "a bad object in a form": (
        UPLOAD,
        {"file": b"x", "purpose": "batch", "expires_after": {"anchor": "modified_at", "seconds": 60}},
        [
            ("invalid_value", "expires_after.anchor", "/expires_after/anchor"),
            ("integer_below_min_value", "expires_after.seconds", "/expires_after/seconds"),
        ],
    ),
    "half an object in a form": (
        UPLOAD,
        {"file": b"x", "purpose": "batch", "expires_after": {"anchor": "created_at"}},
        [("missing_required_parameter", "expires_after.seconds", "/expires_after/seconds")],
    ),
    "a field that there is not": (
        SPEECH,
        {"file": WAV, "model": "m", "extra_body": {"colour": "red"}},
        [("unknown_parameter", "colour", "/colour")],
    ),
    "a bad item of a list in a form": (
        SPEECH,
        {"file": WAV, "model": "m", "timestamp_granularities": ["word", "minute"]},
        [("invalid_value", "timestamp_granularities[1]", "/timestamp_granularities/1")],
    ),
    "an item twice": (
        SPEECH,
        {"file": WAV, "model": "m", "timestamp_granularities": ["word", "word"]},
        [("array_items_not_unique", "timestamp_granularities", "/timestamp_granularities")],
    ),
    "numbers out of range": (
        SPEECH,
        {"file": WAV, "model": "m", "temperature": 1.5, "language": "english"},
        [
            ("invalid_value", "language", "/language"),
            ("decimal_above_max_value", "temperature", "/temperature"),
        ],
    ),
    "a number that is none": (
        SPEECH,
        {"file": WAV, "model": "m", "temperature": "hot"},
        [("invalid_type", "temperature", "/temperature")],
    ),
    "four images": (
        EDIT,
        {"image": [PNG] * 4, "prompt": "x"},
        [("array_above_max_length", "image", "/image")],
    ),
    "a bad item of a list in a query": (
        LOGS,
        {"event_types": ["api_key.created", "coffee.made"]},
        [("invalid_value", "event_types[1]", None)],
    ),
    "a bad object in a query": (
        LOGS,
        {"effective_at": {"gte": "yesterday", "since": 1}, "limit": 0},
        [
            ("invalid_type", "effective_at.gte", None),
            ("unknown_parameter", "effective_at.since", None),
            ("integer_below_min_value", "limit", None),
        ],
    ),
    "a query parameter that there is not": (
        "files.list",
        {"limit": 10001, "extra_query": {"include": ["x"]}},
        [("integer_above_max_value", "limit", None), ("unknown_parameter", "include[]", None)],
    ),
    "an object where there is a number": (
        JOBS,
        {"extra_query": {"limit": {"gte": 1}}},
        [("unknown_parameter", "limit[gte]", None)],
    ),
}


@pytest.mark.parametrize("name", BAD)
async def test_bad_forms_and_queries_raise(between: Between, name: str) -> None:
    """BadRequestError with all violations; nothing goes upstream."""
    call, arguments, told = BAD[name]
    error = await between.refused(call, arguments)
    assert type(error) is openai.BadRequestError
    assert (error.code, error.param) == told[0][:2]
    assert [(one["code"], one["param"], one["pointer"]) for one in error.body["violations"]] == told


async def test_a_part_of_another_type(between: Between) -> None:
    """Where the document says which media types a part may have, others are 415, and the param says which."""
    error = await between.refused(EDIT, {"image": ("a.gif", b"GIF89a", "image/gif"), "prompt": "x"})
    assert (type(error), error.status_code) == (openai.APIStatusError, 415)
    assert (error.code, error.param) == ("unsupported_media_type", "image")
    assert error.body["message"] == (
        "The Content-Type of the part 'image' is not accepted. Accepted: image/png, image/webp."
    )


@pytest.mark.parametrize("size", [4 << 20, 9 << 20])
async def test_more_than_the_contract_takes(between: Between, size: int) -> None:
    """A file beyond max_bytes is 413, also for an SDK that reads no answer before it has sent all."""
    error = await between.refused(UPLOAD, {"file": b"x" * size, "purpose": "batch"})
    assert (error.status_code, error.code) == (413, "body_too_large")
