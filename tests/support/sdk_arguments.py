"""Arguments for the methods of the official SDK, made from their own signatures."""

from __future__ import annotations

import inspect
from types import UnionType
from typing import TYPE_CHECKING, Any, Final, Union, get_args, get_origin, get_overloads, get_type_hints

from tests.support.sdk_samples import samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FILE: Final = ("a.wav", b"\x00\xff\r\n--x\r\n", "audio/wav")
_OWN: Final = frozenset(("self", "extra_headers", "extra_query", "extra_body", "timeout", "betas"))
"""What steers the SDK and is not sent as such."""


def arguments(method: Callable[..., Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give arguments for a method: what each of its forms requires, and that with each further one.

    Each comes with the further argument's name, "" for none.
    """
    function = inspect.unwrap(getattr(method, "__func__", method))
    for form in get_overloads(function) or [function]:
        hints = get_type_hints(form, include_extras=True)
        parameters = inspect.signature(form).parameters.values()
        wanted = [one for one in parameters if one.name not in _OWN and one.kind is not one.VAR_KEYWORD]
        base = {one.name: _sample(hints[one.name], one.name) for one in wanted if one.default is one.empty}
        yield "", base
        for one in wanted:
            if one.default is not one.empty:
                yield one.name, base | {one.name: _sample(hints[one.name], one.name)}


def _sample(hint: Any, name: str) -> Any:
    if get_origin(hint) in {Union, UnionType}:
        branches = get_args(hint)
        if bytes in branches:
            return FILE
        return next(found for branch in branches for found in samples(branch, name))
    return next(samples(hint, name))
