"""Bodies that the official SDK can send, made from its own type definitions.

For a type of parameters (a ``TypedDict``) there is one sample with what it requires and, for each value that
each member can have, one with that member besides. Deeper types are gone through alike, so the samples grow
with the number of members, not with their combinations.
"""

from __future__ import annotations

import collections.abc
import types
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Final,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from typing_extensions import is_typeddict  # the SDK's types are this package's, which typing does not know

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_WRAPPED: Final = (Required, NotRequired, Annotated)
_UNIONS: Final = (Union, types.UnionType)
_LISTS: Final = (list, collections.abc.Iterable, collections.abc.Sequence)

TEXTS: Final[Mapping[str, str]] = {
    "url": "https://example.org/a",
    "image_url": "https://example.org/a.png",
    "file_url": "https://example.org/a.pdf",
    "server_url": "https://example.org/mcp",
    "tunnel_id": "tunnel_" + "a1" * 16,
}
"""Samples of texts that are not any text, by the member's name."""

NUMBERS: Final[Mapping[str, int]] = {
    "max_prompt_tokens": 256,
    "max_completion_tokens": 256,
    "max_output_tokens": 16,
    "max_chunk_size_tokens": 100,
    "compact_threshold": 1000,
    "seconds": 3600,
}
"""Samples of numbers that have a least value, by the member's name."""

ATTACHED: Final[Mapping[str, Any]] = {"file_id": "a", "tools": []}
"""A file of a message; the API refuses one without either."""

BESIDE: Final[Mapping[str, Mapping[str, Any]]] = {
    "Mcp": {"server_url": TEXTS["server_url"]},
    "ToolMcp": {"server_url": TEXTS["server_url"]},
    "Attachment": ATTACHED,
    "MessageAttachment": ATTACHED,
    "ThreadMessageAttachment": ATTACHED,
    "AdditionalMessageAttachment": ATTACHED,
    "FileFile": {"file_id": "a"},
    "ImageGenerationInputImageMask": {"file_id": "a"},
    "ToolImageGenerationInputImageMask": {"file_id": "a"},
    "ChatCompletionAssistantMessageParam": {"content": "a"},
    "ResponseCreateParamsStreaming": {"stream": True},
    "CompletionCreateParamsStreaming": {
        "stream": True,
        "logprobs": True,
        "audio": {"voice": "a", "format": "wav"},
    },
}
"""What a type needs that its definition does not say, though the reference's prose does."""


FIXED: Final[Mapping[tuple[str, str], Any]] = {
    ("ContextManagement", "type"): "compaction",
    ("CompoundFilter", "filters"): [{"type": "eq", "key": "a", "value": 1}],
}
"""Samples of members that the definitions leave open and the reference's prose does not."""


def bodies(params: type, *, apart: frozenset[str] = frozenset()) -> Iterator[dict[str, Any]]:
    """Give sample bodies of a type of parameters; members ``apart`` stand in path or query.

    KeyError for a type that there is no sample of.
    """
    for sample in _objects(params, ()):
        yield {name: value for name, value in sample.items() if name not in apart}


def samples(hint: Any, name: str) -> Iterator[Any]:
    """Give samples of a type that a member or argument ``name`` has; none for what is left out or None."""
    if hint is not type(None) and getattr(hint, "__module__", "") != "openai._types":
        yield from _samples(hint, name, ())


def _objects(params: Any, within: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
    hints = get_type_hints(params, include_extras=True)
    inside = (*within, params)
    base = {
        name: next(_member(params, hint, name, inside))
        for name, hint in hints.items()
        if name in params.__required_keys__ or get_origin(hint) is Required
    } | dict(BESIDE.get(params.__name__, {}))
    yield base
    for name, hint in hints.items():
        for value in _member(params, hint, name, inside):
            yield base | {name: value}


def _member(params: Any, hint: Any, name: str, within: tuple[Any, ...]) -> Iterator[Any]:
    if (params.__name__, name) in FIXED:
        yield FIXED[params.__name__, name]
    else:
        yield from _samples(hint, name, within)


def _samples(hint: Any, name: str, within: tuple[Any, ...]) -> Iterator[Any]:
    """Give samples of a type; ``name`` is the member's, ``within`` the objects around it."""
    origin, arguments = get_origin(hint), get_args(hint)
    if is_typeddict(hint):
        if hint not in within:
            yield from _objects(hint, within)
    elif origin is Literal:
        yield from arguments
    elif origin in _WRAPPED:
        yield from _samples(arguments[0], name, within)
    elif origin in _UNIONS:
        for argument in arguments:
            yield from _samples(argument, name, within)
    elif origin in _LISTS:
        yield from ([value] for value in _samples(arguments[0], name, within))
    elif origin is dict:
        yield from ({"1": value} for value in _samples(arguments[1], name, within))
    else:
        yield from _plain(hint, name)


def _plain(hint: Any, name: str) -> Sequence[Any]:
    samples: Mapping[Any, Sequence[Any]] = {
        str: [TEXTS.get(name, "a")],
        int: [NUMBERS.get(name, 1)],
        float: [0.5],
        bool: [True, False],
        type(None): [None],
        object: [{"a": 1}],
    }
    return samples[hint]
