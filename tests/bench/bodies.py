"""What is sent: the bodies by name, and the header fields that an SDK sends with each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

PATH = "/v1/threads/thread_abc123abc123abc123abc123/messages"
"""The one operation measured, createMessage."""

ECHO_PATH = "/v1/threads/thread_echo/messages"
"""The same operation on a thread for which the bench's upstream answers with the body that it got."""

LONG_PATH = "/v1/threads/thread_long/messages"
"""The operation listMessages on a thread for which the bench's upstream answers with LONG_BYTES."""

LONG_BYTES = 16 * 1024 * 1024
"""More than the buffers of three sockets hold, so that an answer nobody reads holds everything up."""

FIELDS: tuple[tuple[str, str], ...] = (
    ("accept", "application/json"),
    ("accept-encoding", "gzip, deflate"),
    ("connection", "keep-alive"),
    ("authorization", "Bearer sk-bench-0123456789abcdef0123456789abcdef"),
    ("content-type", "application/json"),
    ("openai-beta", "assistants=v1"),
    ("user-agent", "OpenAI/Python 1.14.3"),
    ("x-stainless-arch", "x64"),
    ("x-stainless-async", "false"),
    ("x-stainless-lang", "python"),
    ("x-stainless-os", "Linux"),
    ("x-stainless-package-version", "1.14.3"),
    ("x-stainless-retry-count", "0"),
    ("x-stainless-runtime", "CPython"),
    ("x-stainless-runtime-version", "3.11.9"),
)
"""With ``host`` and ``content-length``, which the load generator adds: 17 fields, as openai-python sends."""


@dataclass(frozen=True, slots=True)
class Body:
    """A body to send; ``status`` is what a validating peer must answer to each request with it."""

    name: str
    payload: bytes
    status: int = 200

    @property
    def valid(self) -> bool:
        """Whether the body is to be let through."""
        return self.status == 200


def _encode(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _pairs(count: int) -> dict[str, str]:
    return {
        f"customer_attribute_{n:02d}": f"value {n:02d} of an ordinary attribute, as apps do"
        for n in range(count)
    }


def _small() -> bytes:
    content = "How does AI work? Explain it in simple terms, please, with one example for a child."
    pairs = {"conversation": "c-2048100017", "channel": "web", "language": "en-GB"}
    return _encode({"role": "user", "content": content, "metadata": pairs})


def _medium() -> bytes:
    content = "Please compare the attached reports and list what changed in each quarter. "
    files = [f"file-{n:02d}abcdefghijklmnopqrstuv" for n in range(10)]
    return _encode({"role": "user", "content": content * 7, "file_ids": files, "metadata": _pairs(16)})


def _large() -> bytes:
    sentence = "Größe, naïveté, Ελληνικά, русский текст, 日本語の文章、한국어 문장, עברית, हिन्दी, 😀🚀. "
    content = sentence * (32_000 // len(sentence.encode()))
    return _encode({"role": "user", "content": content})


def _refused() -> bytes:
    return _encode({"role": "user", "content": "One metadata pair too many.", "metadata": _pairs(17)})


BODIES: dict[str, Body] = {
    body.name: body
    for body in (
        Body("small", _small()),
        Body("medium", _medium()),
        Body("large", _large()),
        Body("refused", _refused(), status=400),
    )
}
