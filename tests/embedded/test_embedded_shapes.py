"""Bodies in, bodies out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.embedded import shapes
from gateway.embedded.shapes import ApiError
from gateway.embedded.store import Draft, Message

if TYPE_CHECKING:
    from collections.abc import Callable

FILE_SEARCH = {"file_id": "f", "tools": [{"type": "file_search"}]}


def judge(read: Callable[[Any], Any], value: Any) -> str | int:
    """Give the status of the error that reading raises, or else the type of what it gives."""
    try:
        return type(read(value)).__name__
    except ApiError as error:
        return error.status


@given(st.binary(max_size=40))
def test_reading_never_raises_anything_else(content: bytes) -> None:
    """Whatever the bytes are: an object, or an error of status 400."""
    assert judge(shapes.read_object, content) in {"dict", 400}


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b"null",
        b"3",
        b'"x"',
        b"true",
        b"1.5",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b"\xff",
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_object_is_refused(content: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        shapes.read_object(content)
    assert caught.value.status == 400
    assert caught.value.body()["error"]["type"] == "invalid_request_error"


def test_empty_body() -> None:
    """No body counts as an empty object where the API lets it be left out."""
    assert shapes.read_object(b"") == {}
    with pytest.raises(ApiError):
        shapes.read_object(b"", required=True)


LEAVES = st.sampled_from([None, True, 3, 1.5, "", "text", "\ud800"])
KEYS = st.sampled_from(["type", "text", "file_id", "tools", "role", "content"])
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)
NAMES = ["role", "content", "file_ids", "attachments", "metadata", "messages"]


@given(st.dictionaries(st.sampled_from(NAMES), JSON))
def test_any_object_is_kept_or_refused_with_400(body: dict[str, Any]) -> None:
    """No object makes the readers raise anything but an ApiError, and what they take can be shown."""

    def show(body: dict[str, Any]) -> str:
        drafts = [shapes.read_draft(body), *shapes.read_drafts(body)]
        kept = [Message("msg_1", "thread_1", 1, draft) for draft in drafts]
        return json.dumps([shapes.show_message(message, second=True) for message in kept])

    assert judge(show, body) in {"str", 400}


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"role": 3}, "role", "invalid_type"),
        ({"content": None}, "content", "invalid_type"),
        ({"content": [{"type": "image_url"}]}, "content[0]", "invalid_value"),
        ({"content": ["x"]}, "content[0]", "invalid_value"),
        ({"file_ids": "x"}, "file_ids", "invalid_type"),
        ({"file_ids": ["x", None]}, "file_ids[1]", "invalid_type"),
        ({"attachments": [3]}, "attachments[0]", "invalid_type"),
        ({"attachments": [{}]}, "attachments[0].file_id", "invalid_type"),
        ({"attachments": [FILE_SEARCH | {"tools": ["x"]}]}, "attachments[0].tools[0]", "invalid_type"),
        ({"metadata": []}, "metadata", "invalid_type"),
        ({"metadata": {"k": {}}}, "metadata.k", "invalid_type"),
    ],
)
def test_faulty_messages_are_named(change: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(ApiError) as caught:
        shapes.read_draft({"role": "user", "content": "x"} | change)
    assert (caught.value.param, caught.value.code) == (param, code)


def test_places_inside_a_new_thread() -> None:
    """Messages that a thread starts with are named by their place."""
    good = {"role": "user", "content": "x"}
    assert shapes.read_drafts({"messages": [good]}) == [Draft("user", ("x",))]
    assert shapes.read_drafts({"messages": None}) == []
    with pytest.raises(ApiError) as caught:
        shapes.read_drafts({"messages": [good, {"role": "user"}]})
    assert (caught.value.param, caught.value.code) == ("messages[1].content", "missing_required_parameter")
    with pytest.raises(ApiError) as caught:
        shapes.read_drafts({"messages": ["x"]})
    assert caught.value.param == "messages[0]"


def test_the_contract_is_not_enforced() -> None:
    """A leak must show: what the gateway refuses is taken here."""
    metadata = {f"k{number}": "v" * 600 for number in range(17)}
    body = {"role": "system", "content": "", "file_ids": ["f"] * 11, "metadata": metadata, "x": 1}
    assert shapes.read_draft(body) == Draft("system", ("",), ("f",) * 11, (), metadata)


def test_message_shapes() -> None:
    """The first version's message, and what the second adds."""
    draft = shapes.read_draft(
        {
            "role": "user",
            "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            "attachments": [FILE_SEARCH],
        }
    )
    message = Message("msg_1", "thread_1", 7, draft)
    first = shapes.show_message(message)
    assert first == {
        "id": "msg_1",
        "object": "thread.message",
        "created_at": 7,
        "thread_id": "thread_1",
        "role": "user",
        "content": [
            {"type": "text", "text": {"value": "a", "annotations": []}},
            {"type": "text", "text": {"value": "b", "annotations": []}},
        ],
        "file_ids": [],
        "assistant_id": None,
        "run_id": None,
        "metadata": {},
    }
    added = {"attachments": [FILE_SEARCH], "status": "completed", "completed_at": 7}
    assert shapes.show_message(message, second=True) == first | added


@given(st.text(max_size=50), st.integers(0, 60))
def test_deltas_add_up_to_the_text(text: str, deltas: int) -> None:
    """A stream has exactly the deltas asked for between created and completed, and they are the text."""
    events = shapes.show_events(Message("msg_1", "thread_1", 7, Draft("user", (text,))), deltas)
    names = [event.split(b"\n")[0] for event in events]
    assert names == [
        b"event: thread.message.created",
        *[b"event: thread.message.delta"] * deltas,
        b"event: thread.message.completed",
        b"event: done",
    ]
    assert all(event.endswith(b"\n\n") and event.count(b"\n") == 3 for event in events)
    shown = [json.loads(event.split(b"\n")[1].removeprefix(b"data: ")) for event in events[:-1]]
    pieces = [item["delta"]["content"][0]["text"]["value"] for item in shown[1:-1]]
    assert "".join(pieces) == (text if deltas else "")
    assert shown[-1]["content"][0]["text"]["value"] == text


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request_error"), (401, "authentication_error"), (429, "requests"), (503, "server_error")],
)
def test_error_types(status: int, kind: str) -> None:
    assert ApiError(status, "x").body() == {
        "error": {"message": "x", "type": kind, "param": None, "code": None}
    }
