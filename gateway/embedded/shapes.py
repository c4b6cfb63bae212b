"""What the API's bodies look like: JSON in → drafts and metadata, kept things → JSON out. Pure.

The reader checks only what keeping and showing a message needs. It does not enforce the contract: a
faulty request that got past the gateway shall succeed here and be seen, not be refused in like words.
"""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from gateway.embedded.store import Attachment, Draft

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.embedded.store import Message, Page, Thread

Json: TypeAlias = Any


class ApiError(Exception):
    """An error answer: HTTP status, the message for the caller, and the API's ``param`` and ``code``."""

    def __init__(
        self, status: int, message: str, *, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code

    def body(self) -> dict[str, Json]:
        """Give the error in the API's form; the type follows from the status."""
        kind = {401: "authentication_error", 429: "requests"}.get(self.status, "invalid_request_error")
        if self.status >= 500:
            kind = "server_error"
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


def read_object(content: bytes, *, required: bool = False) -> dict[str, Json]:
    """Read a body that is a JSON object; an empty one counts as ``{}`` unless it is ``required``.

    Raises :class:`ApiError` with status 400 for everything else.
    """
    if not content and not required:
        return {}
    try:
        value = json.loads(content.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):  # ValueError: not UTF-8, not JSON, or an integer beyond reason
        message = "We could not parse the JSON body of your request. The API expects a JSON payload."
        raise ApiError(400, message) from None
    if not isinstance(value, dict):
        raise ApiError(400, f"Invalid type: expected an object, but got {_kind(value)} instead.")
    return value


def read_draft(body: Mapping[str, Json], at: str = "") -> Draft:
    """Read a message to create; ``at`` is where it stands in the body, such as ``messages[2].``."""
    for name in ("role", "content"):
        if name not in body:
            message = f"Missing required parameter: '{at}{name}'."
            raise ApiError(400, message, param=at + name, code="missing_required_parameter")
    role = body["role"]
    if not isinstance(role, str):
        raise _invalid(f"{at}role", "a string", role)
    return Draft(
        role,
        _read_texts(body["content"], f"{at}content"),
        _read_strings(body.get("file_ids"), f"{at}file_ids"),
        _read_attachments(body.get("attachments"), f"{at}attachments"),
        read_metadata(body, at) or {},
    )


def read_drafts(body: Mapping[str, Json]) -> list[Draft]:
    """Read the messages that a new thread starts with: ``messages``, absent or null for none."""
    drafts = []
    for place, item in enumerate(_read_list(body.get("messages"), "messages")):
        if not isinstance(item, dict):
            raise _invalid(f"messages[{place}]", "an object", item)
        drafts.append(read_draft(item, f"messages[{place}]."))
    return drafts


def read_metadata(body: Mapping[str, Json], at: str = "") -> dict[str, str] | None:
    """Read ``metadata``: None when it is absent, empty when it is null."""
    if "metadata" not in body:
        return None
    value = body["metadata"]
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _invalid(f"{at}metadata", "an object", value)
    for key, item in value.items():
        if not isinstance(item, str):
            raise _invalid(f"{at}metadata.{key}", "a string", item)
    return value


def show_thread(thread: Thread) -> dict[str, Json]:
    """Show a thread."""
    return {
        "id": thread.id,
        "object": "thread",
        "created_at": thread.created_at,
        "metadata": dict(thread.metadata),
    }


def show_message(message: Message, *, second: bool = False) -> dict[str, Json]:
    """Show a message; ``second`` adds what the API's second version (``assistants=v2``) has."""
    draft = message.draft
    shown: dict[str, Json] = {
        "id": message.id,
        "object": "thread.message",
        "created_at": message.created_at,
        "thread_id": message.thread_id,
        "role": draft.role,
        "content": [{"type": "text", "text": {"value": text, "annotations": []}} for text in draft.texts],
        "file_ids": list(draft.file_ids),
        "assistant_id": None,
        "run_id": None,
        "metadata": dict(draft.metadata),
    }
    if second:
        shown["attachments"] = [
            {"file_id": item.file_id, "tools": [{"type": tool} for tool in item.tools]}
            for item in draft.attachments
        ]
        shown["status"] = "completed"
        shown["completed_at"] = message.created_at
    return shown


def show_page(page: Page, *, second: bool = False) -> dict[str, Json]:
    """Show a list of messages with the cursors that lead on from it."""
    return {
        "object": "list",
        "data": [show_message(message, second=second) for message in page.messages],
        "first_id": page.messages[0].id if page.messages else None,
        "last_id": page.messages[-1].id if page.messages else None,
        "has_more": page.has_more,
    }


def show_deleted(kind: str, key: str) -> dict[str, Json]:
    """Show that a ``thread`` or ``thread.message`` is gone."""
    return {"id": key, "object": f"{kind}.deleted", "deleted": True}


def show_events(message: Message, deltas: int, *, second: bool = False) -> list[bytes]:
    """Show a message as server-sent events: created, ``deltas`` pieces of its text, completed, done.

    Each item is one whole event with its blank line (WHATWG HTML, section 9.2.6).
    """
    whole = show_message(message, second=second)
    begun = whole | {"content": [], "status": "in_progress", "completed_at": None}
    text = "".join(message.draft.texts)
    bounds = [len(text) * piece // deltas for piece in range(deltas + 1)] if deltas else []
    pieces = [text[start:stop] for start, stop in itertools.pairwise(bounds)]
    return [
        _event("thread.message.created", begun),
        *(_event("thread.message.delta", _delta(message.id, piece)) for piece in pieces),
        _event(
            "thread.message.completed", whole | {"status": "completed", "completed_at": message.created_at}
        ),
        b"event: done\ndata: [DONE]\n\n",
    ]


def _delta(message_id: str, piece: str) -> dict[str, Json]:
    content = [{"index": 0, "type": "text", "text": {"value": piece, "annotations": []}}]
    return {"id": message_id, "object": "thread.message.delta", "delta": {"content": content}}


def _event(name: str, value: Json) -> bytes:
    # ASCII output: a lone surrogate that came in escaped can go out only escaped.
    return f"event: {name}\ndata: {json.dumps(value)}\n\n".encode("ascii")


def _read_texts(value: Json, at: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list):
        raise _invalid(at, "a string", value)
    texts = []
    for place, part in enumerate(value):
        text = part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None
        if not isinstance(text, str):
            where = f"{at}[{place}]"
            message = f"Invalid value for '{where}': this server keeps text parts only."
            raise ApiError(400, message, param=where, code="invalid_value")
        texts.append(text)
    return tuple(texts)


def _read_attachments(value: Json, at: str) -> tuple[Attachment, ...]:
    attachments = []
    for place, item in enumerate(_read_list(value, at)):
        where = f"{at}[{place}]"
        if not isinstance(item, dict):
            raise _invalid(where, "an object", item)
        file_id = item.get("file_id")
        if not isinstance(file_id, str):
            raise _invalid(f"{where}.file_id", "a string", file_id)
        tools = _read_list(item.get("tools"), f"{where}.tools")
        types = [tool.get("type") if isinstance(tool, dict) else None for tool in tools]
        attachments.append(Attachment(file_id, _read_strings(types, f"{where}.tools")))
    return tuple(attachments)


def _read_strings(value: Json, at: str) -> tuple[str, ...]:
    items = _read_list(value, at)
    for place, item in enumerate(items):
        if not isinstance(item, str):
            raise _invalid(f"{at}[{place}]", "a string", item)
    return tuple(items)


def _read_list(value: Json, at: str) -> Sequence[Json]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise _invalid(at, "an array", value)
    return value


def _invalid(at: str, expected: str, value: Json) -> ApiError:
    message = f"Invalid type for '{at}': expected {expected}, but got {_kind(value)} instead."
    return ApiError(400, message, param=at, code="invalid_type")


def _kind(value: Json) -> str:
    names = {
        dict: "an object",
        list: "an array",
        str: "a string",
        bool: "a boolean",
        int: "an integer",
        float: "a decimal",
    }
    return names.get(type(value), "null")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)
