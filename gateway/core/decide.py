"""The phases in order, and the only place that makes a :class:`Permit`.

The listener calls :func:`admit` once a head is whole and :func:`judge` once the body is, with
:func:`decode` between them where the body has a content coding; :func:`decide` is all of it with the head
phase before, for everything that has no socket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.core.encodings import ACCEPTED, CODINGS, EncodingFault
from gateway.core.encodings import decode as decode_body
from gateway.core.fields import refuse
from gateway.core.head import parse_media_type, read_head
from gateway.core.parameters import NO_FINDINGS, ParameterFindings, judge_header_parameters, judge_parameters
from gateway.core.parse import JsonFault, parse
from gateway.core.printable import clipped, printable
from gateway.core.route import Route, RouteTable
from gateway.core.schema.report import MAX_VIOLATIONS
from gateway.core.texts.forms import FormFault, read_form
from gateway.core.texts.multipart import read_multipart
from gateway.core.texts.reading import ANYTHING
from gateway.core.types import NOTHING_FOUND, Content, Findings, Layer, MediaType, Permit, Phase, Rejection

if TYPE_CHECKING:
    from gateway.core.encodings import Coding
    from gateway.core.types import Body, Json, Operation, RequestHead, Verdict, Violation

_NONE: Final[frozenset[Layer]] = frozenset()
_NO_BODY: Final = object()
"""What stands for the value of a body that is not there."""


class Rules(NamedTuple):
    """What requests are judged by: the routes, and how deep JSON may nest.

    ``max_decoded_ratio`` is how many times its encoded size a body may have once it is decoded.
    """

    routes: RouteTable
    max_depth: int
    max_decoded_ratio: int = 100


class Entity(NamedTuple):
    """What the head says of a body: its media type, and what the contract has for that."""

    content: Content
    media_type: MediaType


class Admission(NamedTuple):
    """A request whose head was accepted: its route, and its body (None: none known, or not judged).

    ``coding`` is the content coding to remove before the body is judged; None for none, or for none of
    ours to remove.
    """

    route: Route
    entity: Entity | None
    coding: Coding | None = None


def admit(rules: Rules, head: RequestHead) -> Admission | Rejection:
    """Do the phases that need the head only: route, and of body what the head already tells."""
    if rules.routes.tampers(head.block):
        return refuse("A header field keeps another, by which requests are judged, from arriving as it came.")
    route = rules.routes.match(head.method, head.path, head)
    if not isinstance(route, Route):
        method, path = clipped(head.method), _shown(head.path)
        if route:
            allow = ", ".join(sorted(route))
            return Rejection(
                Phase.ROUTE,
                "method_not_allowed",
                f"Not allowed to {method} on {path}. Allowed: {allow}.",
                headers=(("allow", allow),),
            )
        return Rejection(Phase.ROUTE, "unknown_route", f"Invalid URL ({method} {path})")
    return _admit_body(route, head)


def _shown(path: str) -> str:
    """Give a path as a message names it: no segment longer than what refusals repeat of callers' texts."""
    return printable("/".join(map(clipped, path.split("/"))))


def _admit_body(route: Route, head: RequestHead) -> Admission | Rejection:
    """Check what the head says of the body: length, encoding, media type; with mode ``off``, its length."""
    operation = route.operation
    body = operation.body
    length = head.length
    if length is not None and length > operation.max_bytes:
        return too_large(operation.max_bytes)
    if not operation.judged:
        return Admission(route, None)
    coding: Coding | None = None
    encoding = head.block.first.get(b"content-encoding")
    if encoding is not None and encoding.lower() != b"identity":
        coding = CODINGS.get(encoding.lower())
        if coding is None:
            return _unknown_coding()
    if body is None:
        return Admission(route, None, coding) if length is None or length == 0 else _unexpected_body()
    entity: Entity | None = head.block.derived.get(body)
    if entity is None:
        if length == 0 and b"content-type" not in head.block.first:
            return Admission(route, None, coding)
        found = choose_content(body, head.block.first.get(b"content-type"))
        if isinstance(found, Rejection):
            return found
        entity = found
        head.block.keep(body, found)
    return Admission(route, entity, coding)


def choose_content(body: Body, value: bytes | None) -> Entity | Rejection:
    """Find what judges a body of the Content-Type ``value``: the type itself, or else the narrowest range."""
    if value is None:
        return _unsupported(body, "The request has no Content-Type.")
    media_type = parse_media_type(value)
    if media_type is None:
        return _unsupported(body, "The Content-Type is malformed.")
    content = body.content_of(media_type.essence)
    if content is None or media_type.charset not in (None, "utf-8"):
        return _unsupported(body, "The Content-Type is not accepted.")
    if content.kind == "multipart" and media_type.boundary is None:
        return _unsupported(body, "The Content-Type has no boundary, or one that is malformed.")
    return Entity(content, media_type)


def _unsupported(body: Body, message: str) -> Rejection:
    accepted = ", ".join(sorted(body.media_types))
    return Rejection(
        Phase.BODY,
        "unsupported_media_type",
        f"{message} Accepted: {accepted}.",
        headers=(("accept", accepted),),
    )


def _unknown_coding() -> Rejection:
    """Refuse a coding that is not known, or more than one (RFC 9110 section 15.5.16)."""
    return Rejection(
        Phase.BODY,
        "unsupported_content_encoding",
        f"The Content-Encoding is not accepted. Send the body without one, or with one of: {ACCEPTED}.",
        headers=(("accept-encoding", ACCEPTED),),
    )


def _unexpected_body() -> Rejection:
    return Rejection(Phase.BODY, "unexpected_body", "This operation takes no request body.")


def too_large(limit: int) -> Rejection:
    """Refuse a body of more than ``limit`` bytes (RFC 9110 section 15.5.14)."""
    return Rejection(
        Phase.BODY, "body_too_large", f"The request body is larger than {limit} bytes.", close=True
    )


def decode(rules: Rules, admission: Admission, body: bytes) -> bytes | Rejection:
    """Remove the content coding of a whole body, or say why that cannot be; the body as it is without one.

    An empty body is none at all, unless the operation requires one. Never raises. The connection can be
    kept whatever the answer: where the body ends is known.
    """
    operation = admission.route.operation
    expected = operation.body
    if admission.coding is None or not (body or (expected is not None and expected.required)):
        return body
    if expected is None:
        return _unexpected_body()
    try:
        return decode_body(
            body, admission.coding, max_bytes=operation.max_bytes, max_ratio=rules.max_decoded_ratio
        )
    except EncodingFault as fault:
        return Rejection(Phase.BODY, fault.code, fault.message)
    except Exception:  # noqa: BLE001 - whatever a decoder raises, the request must not pass
        return Rejection(Phase.BODY, "bad_request", "The request body could not be decoded.")


def judge(rules: Rules, head: RequestHead, admission: Admission, body: bytes) -> Verdict:
    """Do the phases parse and schema on a whole body, its content coding removed by :func:`decode`.

    Never raises: a validator that does is in doubt, and what is in doubt is refused, whatever the mode.
    """
    route, entity, coding = admission
    operation = route.operation
    findings: Findings | None = None
    value: Json = _NO_BODY
    if operation.judged:
        try:
            parameters = (
                _judge_head(rules, head, route)
                if operation.header_parameters
                else judge_parameters(operation, route.values, head.query, rules.max_depth)
            )
        except Exception:  # noqa: BLE001 - whatever a validator raises, the request must not pass
            return _in_doubt()
        value = _read_value(rules, operation, entity, body)
        if isinstance(value, Rejection):
            return value
        found = _judge_value(entity, value)
        if isinstance(found, Rejection):
            return found
        if found is not NOTHING_FOUND or parameters is not NO_FINDINGS:
            verdict = _weigh(admission, value, parameters, found)
            if isinstance(verdict, Rejection):
                return verdict
            findings = verdict
    return Permit(head, operation, body, findings, coding is not None, None if value is _NO_BODY else value)


def _judge_head(rules: Rules, head: RequestHead, route: Route) -> ParameterFindings:
    """Judge path, query and header; good header fields are known by their bytes the next time."""
    operation = route.operation
    found = judge_parameters(operation, route.values, head.query, rules.max_depth)
    if operation not in head.block.derived:
        more = judge_header_parameters(operation, head.block.fields, rules.max_depth)
        if more.total:
            return _joined(found, more)
        head.block.keep(operation, value=True)
    return found


def _joined(one: ParameterFindings, other: ParameterFindings) -> ParameterFindings:
    return ParameterFindings(
        (one.violations + other.violations)[:MAX_VIOLATIONS],
        one.total + other.total,
        one.unreadable + other.unreadable,
    )


def _weigh(
    admission: Admission, value: Json, parameters: ParameterFindings, found: Findings
) -> Findings | Rejection:
    """Refuse for what is enforced, that alone; or give all that was found where nothing of it is."""
    operation = admission.route.operation
    reported = operation.reported
    everything = _together(parameters.violations, parameters.total, found)
    if not reported:
        return reject(everything, value)
    enforced = _judge_value(admission.entity, value, reported) if found.total else found
    if isinstance(enforced, Rejection):
        return enforced
    if Layer.CONTRACT in reported:
        enforced = _together(parameters.unreadable, len(parameters.unreadable), enforced)
    else:
        enforced = _together(parameters.violations, parameters.total, enforced)
    return reject(enforced, value) if enforced.total else everything


def _together(violations: tuple[Violation, ...], total: int, found: Findings) -> Findings:
    return Findings((*violations, *found.violations)[:MAX_VIOLATIONS], total + found.total)


def judge_body(
    rules: Rules,
    operation: Operation,
    entity: Entity | None,
    body: bytes,
    without: frozenset[Layer] = _NONE,
) -> Findings | Rejection:
    """Judge a body alone: give what is wrong by its schema, or a refusal that stands by itself.

    For a good body that is :data:`NOTHING_FOUND` itself. ``without`` leaves out the violations of these
    layers. Never raises.
    """
    value = _read_value(rules, operation, entity, body)
    return value if isinstance(value, Rejection) else _judge_value(entity, value, without)


def _read_value(rules: Rules, operation: Operation, entity: Entity | None, body: bytes) -> Json | Rejection:
    """Do the phase parse: give what a body says, ``_NO_BODY`` where there is none and none is needed."""
    if not body and (operation.body is None or not operation.body.required):
        return _NO_BODY
    if operation.body is None:
        return _unexpected_body()
    if entity is None or (not body and entity.content.kind != "form"):
        return _empty(operation.body, entity)
    try:
        if entity.content.kind == "json":
            return parse(body, max_depth=rules.max_depth)
        return _read(entity, body, rules)
    except JsonFault as fault:
        return Rejection(Phase.PARSE, fault.code, fault.message)
    except FormFault as fault:
        return Rejection(Phase.PARSE, fault.code, fault.message, fault.param)
    except Exception:  # noqa: BLE001 - whatever a reader raises, the request must not pass
        return _in_doubt()


def _judge_value(
    entity: Entity | None, value: Json, without: frozenset[Layer] = _NONE
) -> Findings | Rejection:
    """Do the phase schema on what a body was read as."""
    if value is _NO_BODY or entity is None:
        return NOTHING_FOUND
    validator = entity.content.validator
    try:
        if validator.fast(value):
            return NOTHING_FOUND
        found = validator.full(value, without) if without else validator.full(value)
    except Exception:  # noqa: BLE001 - whatever a validator raises, the request must not pass
        return _in_doubt()
    if found.total:
        return found
    return NOTHING_FOUND if without else _in_doubt()


def _read(entity: Entity, body: bytes, rules: Rules) -> Json:
    """Read a body that is not JSON; raises FormFault and, for JSON inside a form, JsonFault."""
    content, media_type = entity
    reading = content.reading or ANYTHING
    if content.kind == "form":
        return read_form(body, reading, max_depth=rules.max_depth)
    if content.kind == "multipart":
        boundary = media_type.boundary or b""
        return read_multipart(body, boundary, reading, content.encodings, max_depth=rules.max_depth)
    if media_type.charset is None and not media_type.essence.startswith("text/"):
        return body.decode("latin-1")  # a character for each byte: lengths are in bytes
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise FormFault("bad_request", "The request body is not UTF-8.") from None


def _empty(body: Body, entity: Entity | None) -> Rejection:
    kinds = (
        {content.kind for content in body.media_types.values()} if entity is None else {entity.content.kind}
    )
    if "json" in kinds:
        return Rejection(Phase.PARSE, "invalid_json", "The request body is empty; JSON was expected.")
    return Rejection(Phase.PARSE, "bad_request", "The request body is empty.")


def reject(findings: Findings, value: Json = None) -> Rejection:
    """Make the schema phase's refusal out of at least one violation; the first one speaks for all.

    ``value`` is what the body was read as.
    """
    first = findings.violations[0]
    return Rejection(
        Phase.SCHEMA,
        first.code,
        first.message,
        first.param,
        findings.violations,
        findings.total,
        value=None if value is _NO_BODY else value,
    )


def _in_doubt() -> Rejection:
    return Rejection(Phase.SCHEMA, "invalid_value", "The request could not be judged, so it is refused.")


def decide(rules: Rules, raw_head: bytes, body: bytes) -> Verdict:
    """Judge a whole request: the raw head and the body as it came but for its transfer coding."""
    head = read_head(raw_head)
    if isinstance(head, Rejection):
        return head
    admission = admit(rules, head)
    if isinstance(admission, Rejection):
        return admission
    if len(body) > admission.route.operation.max_bytes:
        return too_large(admission.route.operation.max_bytes)
    decoded = decode(rules, admission, body)
    if isinstance(decoded, Rejection):
        return decoded
    return judge(rules, head, admission, decoded)
