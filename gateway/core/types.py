"""The values that travel through the phases. All immutable; the hot ones are tuples for speed."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Json: TypeAlias = Any
"""A parsed JSON value: dict, list, str, int, float, bool or None."""

Plain: TypeAlias = "dict[str, Any] | bool"
"""A schema in plain form; see :mod:`gateway.core.schema.plain`."""


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

    ``message``, ``param`` and ``code`` are those of the first violation where there are violations;
    ``total`` is how many there are in all, of which ``violations`` lists the first.
    ``close`` asks the listener to end the connection after the answer (framing in doubt, body unread).
    ``retry`` says whether an SDK may send the same again: None leaves it unsaid. ``value`` is what a
    body was read as that could be read, for the record alone.
    """

    phase: Phase
    code: str
    message: str
    param: str | None = None
    violations: tuple[Violation, ...] = ()
    total: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    close: bool = False
    retry: bool | None = False
    value: Json = field(default=None, repr=False, compare=False)


class MediaType(NamedTuple):
    """A parsed Content-Type (RFC 9110 section 8.3.1): essence and charset, both in lower case.

    ``boundary`` is what separates the parts of a multipart body (RFC 2046 section 5.1.1), None where none
    is given, or not a good one.
    """

    essence: str
    charset: str | None
    boundary: bytes | None = None


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


class Findings(NamedTuple):
    """What is wrong with a value: the violations that a report lists, and how many there are in all.

    ``violations`` are in document order and at most ``report.MAX_VIOLATIONS``; ``total`` may be more. Beyond
    some thousand it is a lower bound where counting on would be dear.
    """

    violations: tuple[Violation, ...]
    total: int


NOTHING_FOUND: Final = Findings((), 0)
"""What is wrong with a good value."""


class Explain(Protocol):
    """Lists all that is wrong with a value, but for the violations of the layers ``without``."""

    def __call__(self, value: Json, without: frozenset[Layer] = ..., /) -> Findings:
        """Give the violations in document order; none for a good value."""


class Validator:
    """Two compiled forms of one schema, and the schema itself. Compared by identity.

    ``fast(value)`` is true exactly when ``full(value)`` finds nothing. ``full`` is called only after a no.
    ``full(value, layers)`` leaves the violations of these layers out, before it counts and lists.
    ``schema`` is the effective schema in plain form (see :mod:`gateway.core.schema.plain`); the definitions
    that it refers to are in ``definitions``. Either form may raise on a value that it was not built for: the
    caller treats that as a refusal. ``fast`` may be replaced by a faster one while in use.
    """

    __slots__ = ("definitions", "fast", "full", "schema")

    def __init__(
        self,
        fast: Callable[[Json], bool],
        full: Explain,
        schema: Plain,
        definitions: Mapping[str, Plain] = MappingProxyType({}),
    ) -> None:
        self.fast = fast
        self.full = full
        self.schema = schema
        self.definitions = definitions


@dataclass(frozen=True, slots=True)
class Reading:
    """How text becomes JSON values: of a parameter, or of a form's fields.

    ``types`` are the JSON types that the schema allows, all of them where it names none. ``items`` reads an
    array's items, ``properties`` an object's by name and ``others`` the rest (None: as strings).
    ``texts`` are the only strings that the schema allows, where it lists them; None for any.
    """

    types: frozenset[str]
    items: Reading | None = None
    properties: Mapping[str, Reading] = field(default_factory=dict)
    others: Reading | None = None
    texts: frozenset[str] | None = None


ParameterPlace: TypeAlias = Literal["path", "query", "header"]
ParameterStyle: TypeAlias = Literal["simple", "form", "spaceDelimited", "pipeDelimited", "deepObject", "json"]


@dataclass(frozen=True, slots=True, eq=False)
class Parameter:
    """A parameter in path, query or header; ``validator`` judges its value once ``reading`` has read it.

    ``style`` and ``explode`` are OpenAPI's (3.1.0, "Style Values"); ``json`` stands for ``content`` with a
    JSON media type. Names of header parameters are in lower case.
    """

    name: str
    where: ParameterPlace
    style: ParameterStyle
    explode: bool
    required: bool
    reading: Reading
    validator: Validator


ContentKind: TypeAlias = Literal["json", "form", "multipart", "opaque"]


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """What one media type of a body is read as, and what judges it. Compared by identity, as a key.

    ``form`` is application/x-www-form-urlencoded, ``opaque`` any type that is listed and not one of the
    others: its bytes are judged as one string. ``reading`` is for forms; ``encodings`` names, by property,
    the media types that its part may have, where the document says (OpenAPI 3.1.0, "Encoding Object").
    """

    kind: ContentKind
    validator: Validator
    reading: Reading | None = None
    encodings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """What an operation takes as its body, by media type or media range (``text/*``) in lower case."""

    required: bool
    media_types: Mapping[str, Content]

    def content_of(self, essence: str) -> Content | None:
        """Give what a media type in lower case is read as: by its own name, else by the narrowest range."""
        known = self.media_types
        return known.get(essence) or known.get(essence.partition("/")[0] + "/*") or known.get("*/*")


class Condition(NamedTuple):
    """What a request must have for a route to be meant: a header or a query parameter with this value.

    A header's value is compared with each member of its comma-separated list; names are in lower case.
    """

    where: Literal["header", "query"]
    name: str
    value: str


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One enforced operation of a contract.

    ``template`` is the whole path with its prefix, for example ``/v1/threads/{thread_id}/messages``.
    ``name`` is unique in a snapshot: the operationId, or ``contract:operationId`` where two share one.
    ``max_bytes`` bounds the body. ``conditions`` must all hold for the route to be taken. ``mode`` is the
    contract's (enforce, report, off), for the record; what follows from it is in the next two. ``judged`` is
    false for mode ``off``: parameters and body are passed on as they are. ``reported`` are the layers whose
    violations are recorded and not refused.
    """

    name: str
    contract: str
    method: str
    template: str
    upstream: str
    max_bytes: int
    path_parameters: tuple[Parameter, ...] = ()
    query_parameters: Mapping[str, Parameter] = field(default_factory=dict)
    header_parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    conditions: tuple[Condition, ...] = ()
    mode: str = "enforce"
    judged: bool = True
    reported: frozenset[Layer] = frozenset()


class Permit(NamedTuple):
    """Proof that a request was judged: what may be forwarded, and all that :class:`ports.Forwarder` takes.

    Made in one place, ``core/decide.py``. ``body`` holds the very bytes that were judged. ``findings`` is
    what would have been refused, were its layers enforced; None for nothing. ``decoded`` says that a content
    coding was removed from the body, so that its Content-Encoding must not be sent on. ``value`` is what the
    body was read as, for the record alone.
    """

    head: RequestHead
    operation: Operation
    body: bytes
    findings: Findings | None = None
    decoded: bool = False
    value: Json = None


Verdict: TypeAlias = Permit | Rejection


class Outcome(NamedTuple):
    """A finished exchange: the only input of logs, metrics, traces and audit.

    Times: ``time`` is seconds since the epoch at the head's first byte, ``duration_ms`` from there up to the
    response's end, which may still wait for its record, ``upstream_ms`` from handing over the request to the
    upstream's last byte, ``overhead_us`` what the gateway itself added (microseconds between having a request
    whole and having sent it on, plus the same for the response's head). ``phase`` is where it ended;
    ``settle`` is implied. ``violation_count`` is how many there are in all; ``mode`` the contract's (enforce,
    report, off). ``bytes_in`` is the request body's size as it came, ``bytes_decoded`` without its content
    coding; None where it had none, or could not be decoded. ``head_whole`` is false for what never became a
    whole request head: then it is the connection that the record tells of, and ``bytes_in`` is all that came.
    ``rendered`` is where the text of it is kept that log and record have in common (``render/outcome.py``),
    None for nowhere.
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
    operation: str | None = None
    contract: str | None = None
    thread_id: str | None = None
    app: str | None = None
    client_request_id: str | None = None
    upstream_request_id: str | None = None
    trace_id: str | None = None
    user_agent: str | None = None
    sdk_retry: str | None = None
    violations: tuple[Violation, ...] = ()
    violation_count: int = 0
    mode: str = "enforce"
    upstream: str | None = None
    upstream_status: int | None = None
    upstream_attempts: int = 0
    upstream_outcome: str | None = None
    upstream_ms: float | None = None
    overhead_us: float | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    bytes_decoded: int | None = None
    head_whole: bool = True
    rendered: list[str] | None = None
