"""The values that travel through the phases. All immutable; the hot ones are tuples for speed."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Json: TypeAlias = Any
"""A parsed JSON value: dict, list, str, int, float, bool or None."""


class Phase(StrEnum):
    """The named steps of a request, in order; ``settle`` follows whatever happened."""

    HEAD = "head"
    ROUTE = "route"
    IDENTIFY = "identify"
    LIMIT = "limit"
    BODY = "body"
    PARSE = "parse"
    SCHEMA = "schema"
    FORWARD = "forward"
    RELAY = "relay"


class Layer(StrEnum):
    """Who set the rule that a violation breaks."""

    CONTRACT = "contract"
    LIMIT = "limit"
    POLICY = "policy"


class Decision(StrEnum):
    """How an exchange ended, from the policy's point of view."""

    ALLOW = "allow"
    REJECT = "reject"
    WOULD_REJECT = "would_reject"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Violation:
    """One fault of a request.

    ``pointer`` is the RFC 6901 JSON Pointer into the body, or None for a fault outside it (a query
    parameter, say). ``param`` names the place as the upstream API does (``metadata.key``, ``file_ids[3]``),
    None for the body as a whole. ``limit`` and ``actual`` are the rule's figure and what was found.

    ``pointer``, ``param`` and ``message`` are for the client alone. ``safe_pointer`` and ``safe_param`` have
    each key that the schema does not name replaced by ``*``; only these go to logs, metrics and records.
    """

    pointer: str | None
    param: str | None
    code: str
    message: str
    safe_pointer: str | None
    safe_param: str | None
    layer: Layer = Layer.CONTRACT
    limit: str | float | None = None
    actual: str | float | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """A refusal: everything that rendering it needs, in any dialect.

    ``message``, ``param`` and ``code`` are those of the first violation where there are violations.
    ``close`` asks the listener to end the connection after the answer (framing in doubt, body unread).
    ``retry`` says whether an SDK may send the same again: None leaves it unsaid.
    """

    phase: Phase
    code: str
    message: str
    param: str | None = None
    violations: tuple[Violation, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    close: bool = False
    retry: bool | None = False


class MediaType(NamedTuple):
    """A parsed Content-Type (RFC 9110 section 8.3.1): essence and charset, both in lower case."""

    essence: str
    charset: str | None


class Field(NamedTuple):
    """A header field: the line as it is sent on, with its CRLF; the name in lower case; the bare value."""

    line: bytes
    lower: bytes
    value: bytes


class FieldBlock:
    """The header fields of a head, read and checked together; the same object for the same bytes.

    ``fields`` in order, ``first`` by lower-case name with the first value, ``host`` the Host. The common
    spelling of Content-Length is not among them: it is the one field that differs between otherwise equal
    heads. ``options`` are the Connection options, ``chunked`` whether the body comes in chunks, ``expect``
    whether 100-continue is awaited.

    ``derived`` has what was worked out from these fields alone, by whoever put it there with :meth:`keep`
    under a key of its own.
    """

    __slots__ = ("chunked", "derived", "expect", "fields", "first", "host", "options")

    def __init__(
        self,
        fields: tuple[Field, ...],
        first: dict[bytes, bytes],
        host: str,
        options: frozenset[bytes],
        *,
        chunked: bool,
        expect: bool,
    ) -> None:
        self.fields = fields
        self.first = first
        self.host = host
        self.options = options
        self.chunked = chunked
        self.expect = expect
        self.derived: dict[object, Any] = {}

    def keep(self, key: object, value: Any) -> None:
        """Put ``value`` into ``derived``, which starts anew once reloads have filled it."""
        if len(self.derived) >= 64:
            self.derived.clear()
        self.derived[key] = value


class RequestHead(NamedTuple):
    """A request head that was read without doubt (RFC 9112 sections 2 to 6).

    ``target`` is the request target in origin form, the very bytes that came; ``path`` and ``query`` are
    its parts, ``query`` None when there is no ``?``. ``length`` is the body's length in bytes, None for a
    chunked one; ``declared`` whether the head said so, rather than nothing. ``keep_alive`` and ``expect``
    (100-continue) are what the client asks for.
    """

    method: str
    target: bytes
    path: str
    query: str | None
    minor: int
    block: FieldBlock
    length: int | None
    declared: bool
    keep_alive: bool
    expect: bool

    @property
    def fields(self) -> tuple[Field, ...]:
        """The header fields in order; see :class:`FieldBlock`."""
        return self.block.fields

    @property
    def first(self) -> dict[bytes, bytes]:
        """Each lower-case field name with its first value."""
        return self.block.first

    @property
    def host(self) -> str:
        """The Host."""
        return self.block.host


@dataclass(frozen=True, slots=True)
class Validator:
    """Two compiled forms of one schema, and the schema itself.

    ``fast(value)`` is true exactly when ``full(value)`` is empty. ``full`` lists every violation in
    document order and is called only after a no. ``schema`` is the effective JSON Schema (draft 7).
    Either may raise on a value that it was not built for: the caller treats that as a refusal.
    """

    fast: Callable[[Json], bool]
    full: Callable[[Json], list[Violation]]
    schema: Mapping[str, Json] | bool


ParameterKind: TypeAlias = Literal["string", "integer", "number", "boolean"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A path or query parameter; ``validator`` judges its value once it was read as ``kind``."""

    name: str
    where: Literal["path", "query"]
    kind: ParameterKind
    required: bool
    validator: Validator


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """What an operation takes as its body: a validator for each media type, in lower case.

    Compared by identity, so that it can be a key.
    """

    required: bool
    media_types: Mapping[str, Validator]


@dataclass(frozen=True, slots=True)
class Operation:
    """One enforced operation of a contract.

    ``template`` is the whole path with its prefix, for example ``/v1/threads/{thread_id}/messages``.
    ``name`` is unique in a snapshot: the operationId, or ``contract:operationId`` where two share one.
    ``max_bytes`` bounds the body. ``weak`` says in words what the contract leaves open, for ``check``.
    """

    name: str
    contract: str
    method: str
    template: str
    upstream: str
    max_bytes: int
    path_parameters: tuple[Parameter, ...] = ()
    query_parameters: Mapping[str, Parameter] = field(default_factory=dict)
    body: Body | None = None
    weak: tuple[str, ...] = ()


class Permit(NamedTuple):
    """Proof that a request was judged: what may be forwarded, and all that :class:`ports.Forwarder` takes.

    Made in one place, ``core/decide.py``. ``body`` holds the very bytes that were judged.
    """

    head: RequestHead
    operation: Operation
    body: bytes


Verdict: TypeAlias = Permit | Rejection


class Outcome(NamedTuple):
    """A finished exchange: the only input of logs, metrics, traces and audit.

    Times: ``time`` is seconds since the epoch at the head's first byte, ``duration_ms`` up to the
    response's last byte, ``upstream_ms`` from handing over the request to the upstream's last byte,
    ``overhead_us`` what the gateway itself added (microseconds between having a request whole and having
    sent it on, plus the same for the response's head). ``phase`` is where it ended; ``settle`` is implied.
    """

    request_id: str
    time: float
    duration_ms: float
    client_ip: str
    revision: str
    phase: Phase
    decision: Decision
    status: int
    code: str | None = None
    method: str | None = None
    path: str | None = None
    operation: str = "-"
    contract: str | None = None
    thread_id: str | None = None
    app: str = "-"
    client_request_id: str | None = None
    upstream_request_id: str | None = None
    trace_id: str | None = None
    user_agent: str | None = None
    sdk_retry: str | None = None
    violations: tuple[Violation, ...] = ()
    upstream: str | None = None
    upstream_status: int | None = None
    upstream_attempts: int = 0
    upstream_outcome: str | None = None
    upstream_ms: float | None = None
    overhead_us: float | None = None
    bytes_in: int = 0
    bytes_out: int = 0
