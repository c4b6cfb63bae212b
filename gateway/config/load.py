"""A configuration file in, a checked :class:`Config` out, or every fault with its line and column.

In order: the document is read, environment variables are put in, keys not served yet are set aside, the
model reads the rest, and what only several values together show is checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

from gateway.config.availability import pending_keys, without_pending
from gateway.config.consistency import check_config, check_document
from gateway.config.environment import substitute_all
from gateway.config.model import Config
from gateway.config.values import PACK, kind
from gateway.documents import Document, read
from gateway.errors import ConfigError, Fault, suggestion

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from pydantic_core import ErrorDetails

Place = tuple[str | int, ...]
"""Keys and indexes that lead to a value."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration and where it stands, for faults that only show later.

    ``document``'s value has the environment's variables in it, and is what policies' schemas are read from.
    """

    config: Config
    document: Document
    path: Path

    def fault(self, path: Sequence[str | int], message: str) -> Fault:
        """Give a fault of the configuration file at ``path``, such as ``("contracts", "a", "openapi")``."""
        return self.document.fault(path, message)


def load(path: Path, environ: Mapping[str, str], packs: Collection[str] | None = None) -> Loaded:
    """Read the configuration at ``path``, with ``environ`` for its ``${NAME}`` references.

    ``packs`` are the names that ``pack:NAME`` may have, None for any. Relative paths in it start from its own
    folder. Raises :class:`ConfigError` with every fault, sorted by place; no fault repeats a value that came
    from ``environ`` or a secret.
    """
    faults: list[Fault] = []
    document = read(path, faults=faults)
    if not isinstance(document.value, dict):
        got = "nothing" if document.value is None else kind(document.value)
        other = document.fault((), f"expected a mapping of settings, but got {got}")
        raise ConfigError(faults or [other])
    found: list[tuple[Place, str]] = []
    raw = substitute_all(document.value, environ, lambda *fault: found.append(fault))
    unresolved = [place for place, _ in found]
    raw, pending = without_pending(raw)
    document.value = raw
    found += [(place, f"{place[-1]} is not available yet") for place in pending]
    found += check_document(raw)
    config = None
    try:
        config = Config.model_validate(raw, context={"base": path.absolute().parent})
    except ValidationError as error:
        found += _model_faults(error.errors(include_url=False), unresolved)
        found += _unknown_packs(raw, packs)
    else:
        found += check_config(config)
    faults += {document.fault(place, message) for place, message in found}
    if faults or config is None:
        raise ConfigError(sorted(faults))
    return Loaded(config, document, path)


def _unknown_packs(raw: Any, packs: Collection[str] | None) -> Iterator[tuple[Place, str]]:
    """Find dangling packs in a configuration that has other faults, too; else whoever reads them says so."""
    contracts = raw.get("contracts")
    if packs is None or not isinstance(contracts, dict):
        return
    for name, contract in contracts.items():
        reference = contract.get("openapi") if isinstance(contract, dict) else None
        if not isinstance(reference, str) or PACK.fullmatch(reference) is None:
            continue
        pack = reference.removeprefix("pack:")
        if pack not in packs:
            known = ", ".join(sorted(packs)) or "none"
            yield ("contracts", name, "openapi"), f"There is no pack {pack!r}. The packs are: {known}."


def _model_faults(errors: list[ErrorDetails], unresolved: list[Place]) -> Iterator[tuple[Place, str]]:
    """Put the model's errors into words; what fails only because a variable is missing is left out."""
    for error in errors:
        place = tuple(step for step in error["loc"] if step != "[key]")
        if error["type"] == "fault" and any(lost[: len(place)] == place for lost in unresolved):
            continue
        given = error["input"]
        if error["type"] == "too_short" and given:
            continue  # its members were there, and have faults of their own
        if error["type"] == "fault" and isinstance(given, dict) and list(given) == ["file"]:
            place += ("file",)  # a secret's own file
        yield place, _message(error, place)


def _message(error: ErrorDetails, place: Place) -> str:
    """Say what is wrong, in the words of the file rather than of the model."""
    match error["type"]:
        case "fault":
            return str(error["ctx"]["message"])
        case "missing":
            return f"{place[-1]} is missing"
        case "extra_forbidden":
            known = [*_fields(place[:-1]), *pending_keys(place[:-1])]
            return f"unknown key {str(place[-1])!r}{suggestion(str(place[-1]), known)}"
        case "too_short":
            return "expected at least one"
        case "tuple_type":
            return f"expected a list, but got {kind(error['input'])}"
        case _:
            return f"expected a mapping, but got {kind(error['input'])}"


def _fields(place: Place) -> list[str]:
    """Name the keys that the section at ``place`` takes."""
    annotation: Any = Config
    for step in place:
        model = _model_in(annotation)
        at_field = annotation is model and step in model.model_fields
        annotation = model.model_fields[str(step)].annotation if at_field else model
    return list(_model_in(annotation).model_fields)


def _model_in(annotation: Any) -> type[BaseModel]:
    """Give the section that an annotation holds: itself, or as an option, a list's item or a map's value."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    held = [part for part in get_args(annotation) if part is not type(None)]
    return _model_in(held[-1] if held[-1] is not ... else held[0])
