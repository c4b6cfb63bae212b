"""What a document describes: operations as data, every schema in plain form. Nothing is compiled yet.

It is JSON through and through, so that it can be kept and read back, and small: prose is gone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.core.types import ContentKind, ParameterPlace, ParameterStyle, Plain


@dataclass(frozen=True, slots=True)
class DescribedParameter:
    """A parameter; names of header parameters are in lower case."""

    name: str
    where: ParameterPlace
    style: ParameterStyle
    explode: bool
    required: bool
    schema: Plain


@dataclass(frozen=True, slots=True)
class DescribedContent:
    """One media type of a body; ``encodings`` maps properties of a form to their parts' media types."""

    kind: ContentKind
    schema: Plain
    encodings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DescribedOperation:
    """An operation; ``template`` is the document's path without prefix and without a query.

    ``query`` are the fixed query parameters that the document writes into a path (``/a?beta=true``).
    ``content`` is None where no body belongs. Parameters in path stand in the template's order.
    """

    name: str
    method: str
    template: str
    query: tuple[tuple[str, str], ...] = ()
    parameters: tuple[DescribedParameter, ...] = ()
    body_required: bool = False
    content: Mapping[str, DescribedContent] | None = None


@dataclass(frozen=True, slots=True)
class Description:
    """A document's operations, in its order; ``definitions`` are what their schemas' ``$ref`` name.

    ``server_path`` is the path of the first server, without a slash at its end.
    """

    server_path: str
    operations: tuple[DescribedOperation, ...]
    definitions: Mapping[str, Plain]
