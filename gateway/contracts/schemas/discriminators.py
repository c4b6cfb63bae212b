"""``discriminator``: the value of one property says which schema is meant.

Beside ``anyOf`` or ``oneOf`` it is enforced (OpenAPI 3.1.0, "Discriminator Object"): a branch that takes any
value of the property takes, from then on, only those that the mapping gives it and its schema's name.
Elsewhere it would have to choose among schemas that inherit from this one by ``allOf``; a warning tells that
it does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from gateway.contracts.schemas.admitted import Admitted
from gateway.contracts.schemas.keywords import also
from gateway.contracts.sources import Place, ReferenceFault
from gateway.core.pointers import unescaped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.contracts.schemas.keywords import Spot
    from gateway.contracts.schemas.reader import SchemaReader
    from gateway.core.types import Json, Plain

_SCHEMAS: Final = ("components", "schemas")


class _Noted(NamedTuple):
    """A discriminator whose branches were not read yet. ``mapping`` gives a definition for each value."""

    spot: Spot
    keyword: str
    name: str
    mapping: Mapping[str, str]
    out: dict[str, Any]


class Discriminators:
    """The discriminators of the schemas that one reader reads."""

    def __init__(self, reader: SchemaReader) -> None:
        self._reader = reader
        self._noted: dict[int, _Noted] = {}
        self._admitted = Admitted(reader.definitions, before=self._finish)

    def note(self, spot: Spot, value: Json, out: dict[str, Any]) -> None:
        """Take the ``discriminator`` of the schema at ``spot``, which became ``out``."""
        reader = self._reader
        name = value.get("propertyName") if isinstance(value, dict) else None
        if not isinstance(name, str):
            reader.fault(spot.at("discriminator"), "a discriminator needs a propertyName")
            return
        mapping = value.get("mapping", {})
        if not isinstance(mapping, dict) or not all(isinstance(one, str) for one in mapping.values()):
            reader.fault(spot.at("discriminator", "mapping"), "mapping must be an object of schemas' names")
            return
        keyword = next((one for one in ("oneOf", "anyOf") if one in out), None)
        if keyword is not None:
            self._noted[id(out)] = _Noted(spot, keyword, name, self._keys(spot, mapping), out)
            return
        reader.warn(
            spot.at("discriminator"),
            f"{name} chooses no schema: a discriminator does so beside oneOf or anyOf only, and what "
            "other schemas add to this one is not enforced where this one is referred to",
        )
        if mapping:
            names = sorted({*mapping, *_heirs(reader, spot)})
            also(out, {"properties": {name: {"enum": names}}})

    def finish(self) -> None:
        """Apply all that were noted; every definition that they refer to has been read."""
        while self._noted:
            self._finish(next(iter(self._noted.values())).out)

    def _keys(self, spot: Spot, mapping: Mapping[str, str]) -> dict[str, str]:
        """Give the definition that each value is mapped to: by a schema's name, or by a reference."""
        found: dict[str, str] = {}
        for value, target in mapping.items():
            place = Place(spot.scope.resource.file, (*_SCHEMAS, target))
            try:
                self._reader.sources.value(place)
                reference = f"#/components/schemas/{target}"
            except LookupError:
                reference = target
            try:
                found[value] = self._reader.key(spot, reference, spot.at("discriminator", "mapping", value))
            except ReferenceFault as fault:
                self._reader.fault(fault.place, fault.message)
        return found

    def _finish(self, out: dict[str, Any]) -> None:
        """Apply the discriminator of ``out``, if it has one that waits."""
        noted = self._noted.pop(id(out), None)
        if noted is None:
            return
        branches = out[noted.keyword]
        mapped = self._mapped(noted, branches)
        chosen: dict[str, int | None] = {}
        for index, branch in enumerate(branches):
            if not _takes_objects(branch):
                continue
            admitted = self._admitted.values(branch, noted.name)
            if admitted is None:
                names = [*mapped[index], *_schema_name(branch)]
                if not names:
                    self._reader.warn(
                        noted.spot.at(noted.keyword, index), f"no value of {noted.name} means this schema"
                    )
                    continue
                branches[index] = _tightened(branch, noted.name, names)
                admitted = frozenset(names)
            for value in admitted:
                if isinstance(value, str):
                    chosen[value] = None if value in chosen else index
        known = {value: index for value, index in sorted(chosen.items()) if index is not None}
        if known:
            out["x-discriminator"] = {"property": noted.name, "branches": known}

    def _mapped(self, noted: _Noted, branches: Sequence[Plain]) -> list[list[str]]:
        """Give the values that the mapping has for each branch."""
        keys = [None if isinstance(branch, bool) else branch.get("$ref") for branch in branches]
        values: list[list[str]] = [[] for _ in branches]
        for value, key in noted.mapping.items():
            if key in keys:
                values[keys.index(key)].append(value)
            else:
                self._reader.warn(
                    noted.spot.at("discriminator", "mapping", value),
                    f"the schema is none of {noted.keyword}, so that nothing with {value} is taken for it",
                )
        return values


def _takes_objects(branch: Plain) -> bool:
    return isinstance(branch, bool) or "object" in branch.get("type", ("object",))


def _schema_name(branch: Plain) -> list[str]:
    """Give the name of the schema that a branch refers to, if it does."""
    key = "" if isinstance(branch, bool) else branch.get("$ref", "")
    path, _, name = key.rpartition("/")
    return [unescaped(name)] if path.endswith("#/components/schemas") else []


def _tightened(branch: Plain, name: str, names: Sequence[str]) -> dict[str, Any]:
    """Give a branch that takes only these values of a property, which has to be there.

    What is meant without the property is undefined; what is in doubt is refused.
    """
    rule: dict[str, Any] = {"properties": {name: {"enum": list(dict.fromkeys(names))}}, "required": [name]}
    if isinstance(branch, dict) and rule.keys().isdisjoint(branch):
        return {**branch, **rule}
    return {"allOf": [branch, rule]}


def _heirs(reader: SchemaReader, spot: Spot) -> set[str]:
    """Give the names of the schema at ``spot`` and of those that have it in their ``allOf``, and so on."""
    if spot.path[:-1] != _SCHEMAS:
        return set()
    parents: dict[str, set[str]] = {}
    for name, schema in reader.sources.value(spot.scope.place(_SCHEMAS)).items():
        branches = schema.get("allOf") if isinstance(schema, dict) else None
        for branch in branches if isinstance(branches, list) else ():
            reference = branch.get("$ref") if isinstance(branch, dict) else None
            if isinstance(reference, str):
                parents.setdefault(name, set()).add(reference.removeprefix("#/components/schemas/"))
    heirs = {str(spot.path[-1])}
    while True:
        more = {name for name, known in parents.items() if name not in heirs and not heirs.isdisjoint(known)}
        if not more:
            return heirs
        heirs |= more
