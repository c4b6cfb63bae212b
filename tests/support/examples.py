"""The examples of the shipped packs, from ``config/openapi/examples``; their README tells the format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from gateway import documents
from gateway.contracts import overlay_path, pack_path
from gateway.contracts.load import File, load_contract
from gateway.contracts.operations import make_operations
from gateway.core.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.core.types import Operation

FOLDER: Final = Path(__file__).parents[2] / "config" / "openapi" / "examples"
_NO_POLICY: Final = Policy()
_TIMES: Final = {"$times", "of"}
_KEYS: Final = {"$keys", "of"}


class Told(NamedTuple):
    """A violation as an example tells it."""

    code: str
    pointer: str | None
    param: str | None
    layer: str


class Example(NamedTuple):
    """One request and what becomes of it: ``status`` and ``code`` are None for one that is accepted.

    ``violations`` are all of them, in order; none for a refusal that has none.
    """

    pack: str
    name: str
    raw_head: bytes
    body: bytes
    status: int | None
    code: str | None
    violations: tuple[Told, ...]

    def __str__(self) -> str:
        return f"{self.pack}: {self.name}"


def read_examples(pack: str) -> list[Example]:
    """Give all examples of a pack, the accepted ones first; KeyError for what a file has to say."""
    content = documents.read(FOLDER / f"{pack}.yaml", name=pack).value
    assert content["pack"] == pack
    common = content.get("headers", {})
    return [
        *(_example(pack, one, common, refused=False) for one in content["accepted"]),
        *(_example(pack, one, common, refused=True) for one in content["refused"]),
    ]


def _example(pack: str, one: Mapping[str, Any], common: Mapping[str, Any], *, refused: bool) -> Example:
    unknown = one.keys() - {"name", "request", "headers", "json", "body", "status", "code", "violations"}
    assert not unknown, f"{one['name']}: {unknown}"
    body = one["body"].encode() if "body" in one else b""
    if "json" in one:
        body = json.dumps(_written_out(one["json"]), ensure_ascii=False).encode()
    told = tuple(
        Told(each["code"], each["pointer"], each["param"], each.get("layer", "contract"))
        for each in one.get("violations", ())
    )
    has_body = "json" in one or "body" in one
    return Example(
        pack,
        one["name"],
        _head(one["request"], {**common, **one.get("headers", {})}, body if has_body else None),
        body,
        one.get("status", 400) if refused else None,
        (told[0].code if told else one["code"]) if refused else None,
        told,
    )


def _head(request: str, headers: Mapping[str, str | None], body: bytes | None) -> bytes:
    fields: dict[str, str | None] = {"Host": "gateway.test"}
    if body is not None:
        fields |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    fields |= headers
    lines = [
        f"{request} HTTP/1.1",
        *(f"{name}: {value}" for name, value in fields.items() if value is not None),
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def _written_out(value: Any) -> Any:
    """Write out ``$times`` and ``$keys``."""
    if isinstance(value, list):
        return [_written_out(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == _TIMES:
        return _written_out(value["of"]) * value["$times"]
    if value.keys() == _KEYS:
        return {f"k{number}": _written_out(value["of"]) for number in range(value["$keys"])}
    return {name: _written_out(item) for name, item in value.items()}


def read_pack(
    reference: str,
    *,
    prefix: str | None = None,
    wanted: Sequence[str] | None = None,
    overlays: Sequence[str] = (),
    policy: Policy = _NO_POLICY,
) -> list[Operation]:
    """Compile operations of a pack (``pack:NAME``) or of a document by its path: all, or those ``wanted``."""
    path = pack_path(reference) if reference.startswith("pack:") else Path(reference)
    file = File(path, path.read_bytes())
    errata = [File(one, one.read_bytes()) for one in map(overlay_path, overlays)]
    loaded = load_contract(file, errata, wanted, prefixed=prefix is not None)
    return make_operations(
        loaded.description,
        contract="c",
        prefix=prefix,
        upstream="main",
        max_bytes=1 << 20,
        mode="enforce",
        when={},
        policy=policy,
        later=None,
    )
