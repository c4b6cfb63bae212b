"""Finding the operation that a verb's argument names, and what judges its body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.errors import suggestion

if TYPE_CHECKING:
    from gateway.core.types import Body, Content, Operation
    from gateway.wiring import Plan

JSON: Final = "application/json"

ContentType = Annotated[
    str | None,
    typer.Option(
        "--content-type",
        metavar="TYPE",
        help="The body's media type; application/json, or the only one that there is.",
        show_default=False,
    ),
]


def find_operation(plan: Plan, name: str) -> Operation:
    """Give the operation ``name``; a usage error that lists the known ones if there is none."""
    known = {operation.name: operation for operation in plan.operations}
    if name in known:
        return known[name]
    hint = suggestion(name, known) or f"; known: {', '.join(sorted(known))}"
    raise typer.BadParameter(f"there is no operation {name!r}{hint}", param_hint="OPERATION")


def default_content_type(body: Body) -> str:
    """Give the media type that is meant where none is named; a usage error where it cannot be told."""
    media_types = list(body.media_types)
    if JSON in media_types:
        return JSON
    if len(media_types) == 1:
        return media_types[0]
    raise typer.BadParameter(f"which one? {', '.join(media_types)}", param_hint="--content-type")


def find_content(body: Body, content_type: str | None) -> Content:
    """Give what judges a body of the media type ``content_type``; a usage error where nothing does."""
    if content_type is None:
        content_type = default_content_type(body)
    content = body.content_of(content_type.partition(";")[0].strip().lower())
    if content is None:
        listed = ", ".join(body.media_types)
        raise typer.BadParameter(f"not taken; there is {listed}", param_hint="--content-type")
    return content
