"""Targets ``decide`` and ``json``: the decision about a whole request, and the reading of JSON.

The rules are those of the shipped packs and of a document with forms, under a policy. They exist twice:
with schemas compiled to code, and with the checks that answer until the code is made.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import orjson

from gateway.contracts import pack_path
from gateway.contracts.load import File, load_contract
from gateway.contracts.operations import make_operations
from gateway.core.codes import CODES
from gateway.core.decide import Rules, choose_content, decide
from gateway.core.encodings import CODINGS, EncodingFault
from gateway.core.encodings import decode as decode_body
from gateway.core.head import read_head
from gateway.core.parse import JsonFault, parse
from gateway.core.policy import FileLimits, MetadataLimits, Policy
from gateway.core.route import RouteTable
from gateway.core.types import Decision, Outcome, Permit, Rejection
from gateway.listener.response import refusal_bytes
from tests.fuzz.bodies import DECODERS
from tests.fuzz.bytestreams import stretched, taken
from tests.fuzz.streams import line_of
from tests.support.framing import Response, read_response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from gateway.core.types import Json, Operation, Verdict

MAX_BYTES: Final = 64 * 1024
MAX_DEPTH: Final = 32
LONGEST_ECHO: Final = 32
"""How much of a request's own text a refusal may repeat in a row, in characters."""
ID: Final = "00000000-0000-7000-8000-000000000000"
FORMS: Final = Path(__file__).parents[1] / "sdk" / "media.yaml"
PACKS: Final = {
    "assistants-v1": {},
    "assistants-v2": {"openai-beta": "assistants=v2"},
    "conversations": {},
    "responses": {},
    "chat-completions": {},
}
_POLICY: Final = Policy(
    metadata=MetadataLimits(max_pairs=4, max_key_length=16, max_value_length=64),
    files=FileLimits(max_count=3, id_pattern="^file[-_][a-z0-9]+$"),
)
_DIALECTS: Final = ("openai", "problem")


@cache
def operations(*, compiled: bool) -> list[Operation]:
    """Give all operations; ``compiled`` or with the checks that answer before code is made."""
    later: Callable[[Callable[[], None]], None] | None = None if compiled else _never
    found = []
    for name, when in [*PACKS.items(), ("forms", {})]:
        path = FORMS if name == "forms" else pack_path(f"pack:{name}")
        found += make_operations(
            load_contract(File(path, path.read_bytes()), [], None, prefixed=False).description,
            contract=name,
            prefix=None,
            upstream="main",
            max_bytes=MAX_BYTES,
            mode="enforce",
            when=when,
            policy=_POLICY,
            later=later,
        )
    return found


def _never(_work: Callable[[], None]) -> None:
    """Leave the code of a schema unmade."""


@cache
def rules(*, compiled: bool) -> Rules:
    """Give the rules of all operations."""
    return Rules(RouteTable(operations(compiled=compiled)), MAX_DEPTH)


@cache
def heads() -> list[bytes]:
    """Give a good head without length for each media type of each operation's body."""
    found = []
    for operation in operations(compiled=True):
        target = re.sub(r"\{\w+\}", "a_1", operation.template).encode("ascii")
        lines = [b"%b %b HTTP/1.1" % (operation.method.encode("ascii"), target), b"Host: a"]
        lines += [b"%b: %b" % (c.name.encode(), c.value.encode()) for c in operation.conditions]
        for media_type in operation.body.media_types if operation.body is not None else ():
            boundary = b"; boundary=b" if media_type.startswith("multipart/") else b""
            typed = b"Content-Type: " + media_type.encode("ascii") + boundary
            found.append(b"\r\n".join([*lines, typed]) + b"\r\n")
    return found


def request_of(data: bytes) -> tuple[bytes, bytes]:
    """Make a raw head and a body of an input, in one of four ways that its first byte chooses.

    A whole request as it is; a good head before any body; lines with target, a header field, media type
    and body; a good head that names a content coding before an encoded body.
    """
    (mode, which), rest = taken(data, 2)
    if mode % 4 == 0:
        head, end, body = stretched(rest).partition(b"\r\n\r\n")
        return head + end, body
    head = heads()[which % len(heads())]
    if mode % 4 == 1:
        return _with_length(head, rest), rest
    if mode % 4 == 2:
        target, field, media_type, body = (stretched(rest).split(b"\n", 3) + [b""] * 4)[:4]
        head = b"POST %b HTTP/1.1\r\nHost: a\r\n%b\r\nContent-Type: %b\r\n" % (target, field, media_type)
        return _with_length(head, body), body
    coding = list(CODINGS)[mode // 4 % len(CODINGS)]
    return _with_length(head + b"Content-Encoding: " + coding + b"\r\n", rest), rest


def _with_length(head: bytes, body: bytes) -> bytes:
    return head + b"Content-Length: %d\r\n\r\n" % len(body)


def judge(data: bytes) -> None:
    """Invariant of ``decide``: a Permit or a Rejection, nothing else.

    It is the same one before and after the schemas' code is made. A Permit's body is the one that came, or
    what its content coding holds; JSON in it has one meaning for all parsers, and the full form of its
    schema has no objection to it. A Rejection is a well-formed answer in both dialects with a known status,
    and neither it nor its log line, one line, repeats more than 32 characters of the request.
    """
    head, body = request_of(data)
    verdict = decide(rules(compiled=True), head, body)
    before = decide(rules(compiled=False), head, body)
    assert _told(verdict) == _told(before), "the two forms of a schema differ"
    if isinstance(verdict, Permit):
        check_permit(verdict, body)
    else:
        assert isinstance(verdict, Rejection)
        check_rejection(verdict, head, body)


def _told(verdict: Verdict) -> Any:
    if isinstance(verdict, Permit):
        return verdict.operation.name, verdict.body, verdict.findings, verdict.decoded
    return verdict


def check_permit(permit: Permit, body: bytes) -> None:
    """Hold a Permit against the invariant."""
    assert permit.findings is None, "nothing is only reported here"
    first = permit.head.first
    if permit.decoded and body:
        body = DECODERS[first[b"content-encoding"].lower()](body)
    assert permit.body == body
    taken_body = permit.operation.body
    if not permit.body or taken_body is None:
        return
    entity = choose_content(taken_body, first.get(b"content-type"))
    assert not isinstance(entity, Rejection)
    if entity.content.kind == "json":
        value = parse(permit.body, max_depth=MAX_DEPTH)
        check_meaning(permit.body, value)
        assert entity.content.validator.full(value).total == 0, "the full form of a schema objects"


def check_meaning(body: bytes, value: Json) -> None:
    """Hold what was read of a JSON body against what three other parsers read of it, types included."""
    ours = repr(value)  # which tells types, the sign of zero and the order of keys
    assert repr(json.loads(body)) == ours
    assert repr(orjson.loads(body)) == ours
    assert repr(msgspec.json.decode(body)) == ours


def check_rejection(rejection: Rejection, head: bytes, body: bytes) -> None:
    """Hold a Rejection against the invariant."""
    assert rejection.code in CODES
    assert "could not be judged" not in rejection.message, "the two forms of a schema differ"
    answers = [_answer(rejection, dialect) for dialect in _DIALECTS]
    assert {answer.status for answer in answers} == {CODES[rejection.code].status}
    told = [text for answer in answers for text in _strings(json.loads(answer.body))]
    echoed = _pieces([*told, _line(rejection)]) & _pieces(_texts(head, body))
    assert all(piece in _own_words() for piece in echoed), f"echoes {echoed}"


def _answer(rejection: Rejection, dialect: Any) -> Response:
    """Give the refusal as the client reads it: one answer, whole."""
    raw, size = refusal_bytes(rejection, None, dialect, ID, keep_alive=not rejection.close)
    answer, end = read_response(raw)
    assert end == len(raw)
    assert size == len(answer.body)
    assert answer.header("connection") == ("close" if rejection.close else None)
    return answer


def _line(rejection: Rejection) -> str:
    """Give the log line of a refusal, without what it has of the head."""
    outcome = Outcome(
        ID, 0.0, 0.0, "192.0.2.1", "r", rejection.phase, Decision.REJECT, CODES[rejection.code].status,
        rejection.code, violations=rejection.violations, violation_count=rejection.total,
    )  # fmt: skip
    return line_of(outcome)


def _strings(value: Json) -> Iterator[str]:
    """Give all strings of a value, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _pieces(texts: Iterable[str]) -> set[str]:
    """Give all pieces that are too long to be repeated, path segments and pointers' keys each by itself."""
    return {
        segment[at : at + LONGEST_ECHO + 1]
        for text in texts
        for segment in text.split("/")
        for at in range(len(segment) - LONGEST_ECHO)
    }


@cache
def _own_words() -> str:
    """Give all texts that are the documents' own: names, enumerated values, media types, in order."""
    texts: list[str] = []
    for operation in operations(compiled=True):
        texts.append(operation.template)
        texts += operation.query_parameters
        if operation.body is not None:
            texts.append(", ".join(sorted(operation.body.media_types)))
            for content in operation.body.media_types.values():
                texts += _strings(content.validator.schema)
                texts += _strings(dict(content.validator.definitions))
    return "\0".join(dict.fromkeys(texts))


def _texts(head: bytes, body: bytes) -> Iterator[str]:
    """Give what a request says, as it came and as its body's coding and JSON have it."""
    yield head.decode("latin-1")
    read = read_head(head)
    coding = None if isinstance(read, Rejection) else CODINGS.get(read.first.get(b"content-encoding", b""))
    if coding is not None:
        with suppress(EncodingFault):
            body = decode_body(body, coding, max_bytes=MAX_BYTES, max_ratio=1000)
    yield body.decode("utf-8", "replace")
    if b"\\" in body:
        with suppress(JsonFault):
            yield from _strings(parse(body, max_depth=MAX_DEPTH))


def read_json(data: bytes) -> None:
    """Invariant of ``json``: a value, the same one for three other parsers; or JsonFault, nothing else."""
    try:
        value = parse(data, max_depth=MAX_DEPTH)
    except JsonFault:
        return
    check_meaning(data, value)
