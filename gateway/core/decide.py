"""The phases in order, and the only place that makes a :class:`Permit`.

The listener calls :func:`admit` once a head is whole and :func:`judge` once the body is;
:func:`decide` is both with the head phase before them, for everything that has no socket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gateway.core.head import parse_media_type, read_head
from gateway.core.parameters import judge_parameters
from gateway.core.parse import JsonFault, parse
from gateway.core.route import Route, RouteTable
from gateway.core.types import Permit, Phase, Rejection, Validator, Violation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.core.types import Body, Operation, RequestHead, Verdict


class Rules(NamedTuple):
    """What requests are judged by: the routes, and how deep JSON may nest."""

    routes: RouteTable
    max_depth: int


class Admission(NamedTuple):
    """A request whose head was accepted: its route, and what will judge its body (None: no body known)."""

    route: Route
    validator: Validator | None


def admit(rules: Rules, head: RequestHead) -> Admission | Rejection:
    """Do the phases that need the head only: route, and of body what the head already tells."""
    route = rules.routes.match(head.method, head.path)
    if not isinstance(route, Route):
        if route:
            allow = ", ".join(sorted(route))
            return Rejection(
                Phase.ROUTE,
                "method_not_allowed",
                f"Not allowed to {head.method} on {head.path}. Allowed: {allow}.",
                headers=(("allow", allow),),
            )
        return Rejection(Phase.ROUTE, "unknown_route", f"Invalid URL ({head.method} {head.path})")
    return _admit_body(route, head)


def _admit_body(route: Route, head: RequestHead) -> Admission | Rejection:
    """Check what the head says of the body: encoding, media type, length."""
    operation = route.operation
    body = operation.body
    length = head.length
    if length is not None and length > operation.max_bytes:
        return too_large(operation.max_bytes)
    encoding = head.block.first.get(b"content-encoding")
    if encoding is not None and encoding.lower() != b"identity":
        return Rejection(
            Phase.BODY,
            "unsupported_content_encoding",
            "The Content-Encoding is not accepted. Send the body without one.",
            headers=(("accept-encoding", "identity"),),
        )
    if body is None:
        return Admission(route, None) if length is None or length == 0 else _unexpected_body()
    validator: Validator | None = head.block.derived.get(body)
    if validator is None:
        if length == 0 and b"content-type" not in head.block.first:
            return Admission(route, None)
        found = _choose_validator(body, head.block.first.get(b"content-type"))
        if isinstance(found, Rejection):
            return found
        validator = found
        head.block.keep(body, found)
    return Admission(route, validator)


def _choose_validator(body: Body, value: bytes | None) -> Validator | Rejection:
    """Find what judges a body of the media type in the Content-Type ``value``."""
    if value is None:
        return _unsupported(body.media_types, "The request has no Content-Type.")
    media_type = parse_media_type(value)
    if media_type is None:
        return _unsupported(body.media_types, "The Content-Type is malformed.")
    validator = body.media_types.get(media_type.essence)
    if validator is None or media_type.charset not in (None, "utf-8"):
        return _unsupported(body.media_types, "The Content-Type is not accepted.")
    return validator


def _unsupported(media_types: Mapping[str, Validator], message: str) -> Rejection:
    accepted = ", ".join(sorted(media_types))
    return Rejection(
        Phase.BODY,
        "unsupported_media_type",
        f"{message} Accepted: {accepted}.",
        headers=(("accept", accepted),),
    )


def _unexpected_body() -> Rejection:
    return Rejection(Phase.BODY, "unexpected_body", "This operation takes no request body.")


def too_large(limit: int) -> Rejection:
    """Refuse a body of more than ``limit`` bytes (RFC 9110 section 15.5.14)."""
    return Rejection(
        Phase.BODY, "body_too_large", f"The request body is larger than {limit} bytes.", close=True
    )


def judge(rules: Rules, head: RequestHead, admission: Admission, body: bytes) -> Verdict:
    """Do the phases parse and schema on a whole body.

    Never raises: a validator that does is in doubt, and what is in doubt is refused.
    """
    route, validator = admission
    operation = route.operation
    violations: list[Violation] = []
    try:
        if operation.path_parameters or operation.query_parameters or head.query is not None:
            violations = judge_parameters(operation, route.values, head.query)
    except Exception:  # noqa: BLE001 - whatever a validator raises, the request must not pass
        return _in_doubt()
    found = judge_body(rules, operation, validator, body)
    if isinstance(found, Rejection):
        return found
    violations += found
    if violations:
        return reject(violations)
    return Permit(head, operation, body)


def judge_body(
    rules: Rules, operation: Operation, validator: Validator | None, body: bytes
) -> list[Violation] | Rejection:
    """Judge a body alone: give its violations, none for a good one, or a refusal that stands by itself."""
    if not body and (operation.body is None or not operation.body.required):
        return []
    if operation.body is None:
        return _unexpected_body()
    if validator is None or not body:
        return Rejection(Phase.PARSE, "invalid_json", "The request body is empty; JSON was expected.")
    try:
        value = parse(body, max_depth=rules.max_depth)
        if validator.fast(value):
            return []
        return validator.full(value) or _in_doubt()
    except JsonFault as fault:
        return Rejection(Phase.PARSE, fault.code, fault.message)
    except Exception:  # noqa: BLE001 - whatever a validator raises, the request must not pass
        return _in_doubt()


def reject(violations: Sequence[Violation]) -> Rejection:
    """Make the schema phase's refusal out of at least one violation; the first one speaks for all."""
    first = violations[0]
    return Rejection(Phase.SCHEMA, first.code, first.message, first.param, tuple(violations))


def _in_doubt() -> Rejection:
    return Rejection(Phase.SCHEMA, "invalid_value", "The request could not be judged, so it is refused.")


def decide(rules: Rules, raw_head: bytes, body: bytes) -> Verdict:
    """Judge a whole request: the raw head and the body with its transfer coding removed."""
    head = read_head(raw_head)
    if isinstance(head, Rejection):
        return head
    admission = admit(rules, head)
    if isinstance(admission, Rejection):
        return admission
    if len(body) > admission.route.operation.max_bytes:
        return too_large(admission.route.operation.max_bytes)
    return judge(rules, head, admission, body)
