"""Where a policy says more than the contract under it allows.

Such a policy would change nothing, since both are enforced; but whoever wrote it believes otherwise. So it is
a fault of the configuration, wherever it can be told: where the contract's word for the same place is known
through references, and is the same in all branches.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from gateway.core.policy import FILE_LISTS, LISTS_OF_BODIES, THREAD
from gateway.core.schema.equality import canonical
from gateway.core.schema.rules import TYPE_OF
from gateway.core.view import BOUNDS, View, closed, excludes, forbids, keeps, tightest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from gateway.core.policy import ConfigPath, Policy
    from gateway.core.types import Json, Plain
    from gateway.core.view import Test

_EXCLUSIVE: Final = {
    "maximum": ("exclusiveMaximum", 0),
    "exclusiveMaximum": ("maximum", 1),
    "minimum": ("exclusiveMinimum", 0),
    "exclusiveMinimum": ("minimum", 1),
}
"""Each bound of numbers with its other form, and by how much that has to be tighter to be surely tighter.

Of whole numbers, ``maximum: 9`` is ``exclusiveMaximum: 10``.
"""


def loosened(
    schema: Plain, definitions: Mapping[str, Plain], policy: Policy, operation: str
) -> Iterator[tuple[ConfigPath, str]]:
    """Give each place in the configuration where ``policy`` would loosen a contract's body, and what it says.

    Arguments are those of :func:`gateway.core.policy.compose`. Of the limits only those are judged that the
    configuration states: a default above the contract's own limit claims nothing.
    """
    told: set[ConfigPath] = set()
    contract = View.of(schema, definitions)
    for place, body in _bodies(contract):
        for path, message in (*_metadata(policy, body, place), *_files(policy, body, place)):
            if path not in told:
                told.add(path)
                yield path, _sentence(operation, message)
    for entry in policy.schemas_of(operation):
        here = _Both(contract, View.of(entry.schema, entry.definitions))
        for path, message in _Walk(entry.definitions).compare(entry.schema, here, entry.path):
            yield path, _sentence(operation, message)


def _sentence(operation: str, message: str) -> str:
    return f"a policy cannot loosen a contract: {operation} {message}"


def _bodies(body: View) -> Iterator[tuple[str, View]]:
    """Give the places that limits apply to, as :mod:`gateway.core.policy` puts them there."""
    for prefix, view in (("", body), (f"{THREAD}.", body.member(THREAD))):
        yield prefix, view
        for name in LISTS_OF_BODIES:
            yield f"{prefix}{name}[].", view.member(name).items()


def _metadata(policy: Policy, body: View, place: str) -> Iterator[tuple[ConfigPath, str]]:
    limits = policy.metadata
    view = body.member("metadata")
    if limits is None or not view.possible:
        return
    for key, keyword, stated, inside in (
        ("max_pairs", "maxProperties", limits.max_pairs, view),
        ("max_key_length", "maxLength", limits.max_key_length, view.member_names()),
        ("max_value_length", "maxLength", limits.max_value_length, view.members()),
    ):
        yield from _size(policy, ("metadata", key), stated, keyword, inside, f"{place}metadata")
    path = policy.stated.get(("metadata", "allowed_keys"))
    if path is not None:
        for index, key in enumerate(limits.allowed_keys or ()):
            if _objects(view) and view.proves(_forbidding(key)):
                yield (*path, index), f"allows no key {key!r} in {place}metadata"


def _files(policy: Policy, body: View, place: str) -> Iterator[tuple[ConfigPath, str]]:
    limits = policy.files
    if limits is None:
        return
    for name in FILE_LISTS:
        view = body.member(name)
        if not view.possible:
            continue
        yield from _size(policy, ("files", "max_count"), limits.max_count, "maxItems", view, place + name)
        path = policy.stated.get(("files", "unique"))
        if path is not None and not limits.unique and view.proves(_unique):
            yield path, f"allows no item twice in {place}{name}"


def _size(
    policy: Policy, key: tuple[str, str], stated: int | None, keyword: str, view: View, place: str
) -> Iterator[tuple[ConfigPath, str]]:
    path = policy.stated.get(key)
    if path is None or stated is None:
        return
    bound = tightest(view, keyword)
    if bound is not None and bound < stated:
        yield path, f"allows at most {bound} in {place}"


def _unique(part: Mapping[str, Any]) -> bool:
    return excludes(part, "array") or part.get("uniqueItems") is True


def _forbidding(name: str) -> Test:
    return lambda part: excludes(part, "object") or forbids(part, name)


def _objects(view: View) -> bool:
    """Whether objects may be at a place, as far as is known."""
    return not view.proves(lambda part: excludes(part, "object"))


class _Both(NamedTuple):
    """The same place as the contract and as the policy see it."""

    contract: View
    policy: View

    def looser(self, test: Test) -> bool:
        """Whether ``test`` holds of all that the contract allows, but not of all that the policy does."""
        return self.contract.proves(test) and not self.policy.proves(test)

    def inside(self, look: Callable[[View], View]) -> _Both:
        """Go down to another place on both sides."""
        return _Both(look(self.contract), look(self.policy))


class _Walk:
    """Goes through a policy's schema with both views of each place.

    Only what applies to every value at a place is compared: not the branches of ``anyOf`` and ``oneOf``, nor
    what stands below ``not``, ``if`` and their like.
    """

    def __init__(self, definitions: Mapping[str, Plain]) -> None:
        self._definitions = definitions
        self._open: set[str] = set()

    def compare(self, schema: Plain, here: _Both, path: ConfigPath) -> Iterator[tuple[ConfigPath, str]]:
        """Give what a policy's schema, which stands at ``path``, loosens, and what the contract says."""
        if isinstance(schema, bool) or not here.contract.possible:
            return
        for keyword, message in _keywords(schema, here):
            yield (*path, keyword), message
        for name in schema.get("properties", {}):
            if _objects(here.contract) and here.looser(_forbidding(name)):
                yield (*path, "properties", name), f"allows no property {name!r} here"
        for steps, part, inside in self._inside(schema, here):
            yield from self.compare(part, inside, (*path, *steps))
        target = schema.get("$ref")
        if target is not None and target not in self._open:
            self._open.add(target)
            yield from self.compare(self._definitions[target], here, (*path, "$ref"))
            self._open.discard(target)

    def _inside(
        self, schema: dict[str, Any], here: _Both
    ) -> Iterator[tuple[tuple[str | int, ...], Plain, _Both]]:
        """Give each schema inside, where it stands, and both views there."""
        for name, part in schema.get("properties", {}).items():
            yield ("properties", name), part, here.inside(partial(View.member, name=name))
        for index, part in enumerate(schema.get("allOf", ())):
            yield ("allOf", index), part, here
        if "items" in schema and "prefixItems" not in schema:
            yield ("items",), schema["items"], here.inside(View.items)
        if "propertyNames" in schema:
            yield ("propertyNames",), schema["propertyNames"], here.inside(View.member_names)
        if "additionalProperties" in schema:
            yield ("additionalProperties",), schema["additionalProperties"], here.inside(View.members)


def _keywords(schema: dict[str, Any], here: _Both) -> Iterator[tuple[str, str]]:
    """Give each keyword of a schema that says more than the contract, and what that says."""
    for keyword in filter(schema.__contains__, BOUNDS):
        yield from _bound(keyword, schema[keyword], here)
    for kind in schema.get("type", ()):
        if here.looser(partial(excludes, kind=kind)):
            yield "type", f"{'does not allow every' if kind == 'number' else 'allows no'} {kind} here"
    if any(here.looser(_refusing(value)) for value in schema.get("enum", ())):
        yield "enum", "does not allow all of these values here"
    if "const" in schema and here.looser(_refusing(schema["const"])):
        yield "const", "does not allow this value here"
    if schema.get("uniqueItems") is False and here.looser(_unique):
        yield "uniqueItems", "allows no item twice here"
    if schema.get("additionalProperties") is True and _objects(here.contract) and here.looser(_closed):
        yield "additionalProperties", "allows no other properties here"


def _closed(part: Mapping[str, Any]) -> bool:
    return excludes(part, "object") or closed(part)


def _bound(keyword: str, stated: float, here: _Both) -> Iterator[tuple[str, str]]:
    sign = BOUNDS[keyword].sign
    own = tightest(here.contract, keyword)
    if own is not None and own * sign < stated * sign:
        if not keeps(here.policy, keyword, own):
            yield keyword, f"has {keyword} {own} here"
        return
    other, margin = _EXCLUSIVE.get(keyword, (keyword, 0))
    own = tightest(here.contract, other) if other != keyword else None
    if own is None:
        return
    room = (stated - own) * sign
    if (room > margin or (room == 0 and not margin)) and not keeps(here.policy, other, own):
        yield keyword, f"has {other} {own} here"


def _refusing(value: Json) -> Test:
    """Say of a schema whether its own type or list of values leaves ``value`` out."""
    text, kind = canonical(value), _kind(value)

    def refuses(part: Mapping[str, Any]) -> bool:
        if excludes(part, kind):
            return True
        if "enum" in part and text not in map(canonical, part["enum"]):
            return True
        return "const" in part and canonical(part["const"]) != text

    return refuses


def _kind(value: Json) -> str:
    """Name a value's JSON type; a float without fraction is an integer, too."""
    return "integer" if type(value) is float and value.is_integer() else TYPE_OF[type(value)]
