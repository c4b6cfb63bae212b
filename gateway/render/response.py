"""A refusal as a whole response: status, header fields, body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.core.codes import CODES, Code
from gateway.render import openai, problem

if TYPE_CHECKING:
    from gateway.core.types import Rejection
    from gateway.render.accept import Dialect


class Rendered(NamedTuple):
    """A response to a refusal; framing fields and ``x-request-id`` are the listener's."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes


# A code that the table lacks would be a bug of ours; the client must not get a 500 for it.
_UNLISTED: Final = Code(400, "The request was refused")

_RETRY: Final[dict[bool | None, tuple[tuple[str, str], ...]]] = {
    False: (("x-should-retry", "false"),),
    True: (("x-should-retry", "true"),),
    None: (),
}
_DIALECTS: Final[tuple[tuple[Dialect, str], ...]] = (
    ("openai", openai.CONTENT_TYPE),
    ("problem", problem.CONTENT_TYPE),
)
_FIELDS: Final = {
    (dialect, retry): (("content-type", content_type), *fields)
    for dialect, content_type in _DIALECTS
    for retry, fields in _RETRY.items()
}


def render(rejection: Rejection, *, dialect: Dialect, request_id: str) -> Rendered:
    """Give the response to ``rejection`` in ``dialect``; ``request_id`` is the gateway's UUID for it.

    The status is the code's in :data:`gateway.core.codes.CODES`. ``x-should-retry`` is ``false`` on every 4xx
    but 429, and else what ``rejection.retry`` says; None leaves it out. ``rejection.headers`` follow
    (``allow``, ``retry-after``). The body is ASCII. Never raises for a well-typed rejection.
    """
    code = CODES.get(rejection.code, _UNLISTED)
    status = code.status
    retry = False if status < 500 and status != 429 else rejection.retry
    body = (
        openai.openai_body(rejection, status)
        if dialect == "openai"
        else problem.problem_body(rejection, code, request_id)
    )
    fields = _FIELDS[dialect, retry]
    return Rendered(status, fields + rejection.headers if rejection.headers else fields, body)
