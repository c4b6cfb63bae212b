"""Which dialect a client gets its refusals in, from its Accept header (RFC 9110 section 12.5.1)."""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias

Dialect: TypeAlias = Literal["openai", "problem"]

_JSON: Final = b"application/json"
_PROBLEM: Final = b"application/problem+json"
# RFC 9110 section 12.4.2: 0 to 1 with at most three decimals.
_WEIGHT: Final = re.compile(rb"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


def choose_dialect(accept: bytes | None, default: Dialect) -> Dialect:
    """Give the dialect for a client that sent ``accept`` (None: no such field).

    A client that names ``application/problem+json`` decides: it gets ``problem`` when that has a weight above
    0 and not below the one of ``application/json``, else ``openai``. One that does not name it gets
    ``default``; wildcards name nothing. An element with a malformed weight is ignored. Never raises.
    """
    if accept is None or accept in (_JSON, b"*/*"):
        return default
    lowered = accept.lower()
    if _PROBLEM not in lowered:
        return default
    weights: dict[bytes, float] = {}
    for element in lowered.split(b","):
        essence, *parameters = element.split(b";")
        name = essence.strip()
        if name not in (_JSON, _PROBLEM):
            continue
        weight = _weight(parameters)
        if weight is not None:
            weights[name] = max(weight, weights.get(name, 0.0))
    wanted = weights.get(_PROBLEM)
    if wanted is None:
        return default
    return "problem" if wanted > 0 and wanted >= weights.get(_JSON, 0.0) else "openai"


def _weight(parameters: list[bytes]) -> float | None:
    """Give the weight among an element's parameters: 1 where there is none, None for a malformed one."""
    for parameter in parameters:
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"q":
            text = value.strip()
            return float(text) if _WEIGHT.fullmatch(text) else None
    return 1.0
