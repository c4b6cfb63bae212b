"""The OpenAPI Overlay Specification 1.0: changes to a document, written down in another.

An overlay's actions are applied in order, each to what the former left, and one overlay after another. The
document's own file stays as it was published, and what is wrong with it is mended in a file that says why.
Of version 1.0.0 only this is taken more widely: ``remove`` takes primitive values away, too, as since 1.1.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from gateway.contracts.overlaid import Edit, Source
from gateway.contracts.targets import Target, TargetFault
from gateway.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.contracts.targets import Location
    from gateway.core.types import Json
    from gateway.documents import Document
    from gateway.errors import Fault

_VERSION: Final = re.compile(r"1\.0\.[0-9]+(?:-.+)?")
_REFERENCE: Final = re.compile(r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*")
_KINDS: Final[dict[type, str]] = {str: "a string", bool: "true or false", dict: "a mapping", list: "a list"}


class _Action(NamedTuple):
    """An action as it was read; ``source`` is its own place."""

    source: Source
    target: Target
    remove: bool
    update: Json


def apply_overlays(
    document: Document, overlays: Sequence[Document], warnings: list[Fault] | None = None
) -> Document:
    """Give ``document`` as ``overlays`` change it, in order; ``document`` itself stays as it is.

    The result's ``position`` and ``fault`` lead to where each value was written: in an overlay what that one
    brought, in the document all else, also where removals have moved it. An action whose target selects
    nothing changes nothing, as the specification has it; to ``warnings`` it is added as a fault, for it may
    well mend what is no longer there.

    Raises :class:`ConfigError` with every fault of all overlays, or else with everything that could not be
    applied. Takes time linear in what the targets visit; of the document only what changes is copied.
    """
    faults: list[Fault] = []
    actions = [action for overlay in overlays for action in _Reader(overlay, faults).read()]
    if faults:
        raise ConfigError(sorted(set(faults)))
    if not actions:
        return document
    edit = Edit(document)
    unused: list[Fault] = []
    for action in actions:
        _apply(edit, action, unused)
    if edit.faults:
        raise ConfigError(sorted(set(edit.faults)))
    if warnings is not None:
        warnings += unused
    return edit.result()


def _apply(edit: Edit, action: _Action, unused: list[Fault]) -> None:
    """Apply one action; what it cannot do is added to the edit's faults."""
    place = action.source.below("target")
    try:
        locations = action.target.select(edit.value)
    except TargetFault as error:
        edit.faults.append(place.fault(f"the target cannot be evaluated: {error}"))
        return
    if not locations:
        unused.append(place.fault("the target selects nothing; the action has no effect"))
    elif not action.remove:
        edit.update(locations, action.update, action.source.below("update"))
    elif () in locations:
        edit.faults.append(place.fault("the target is the whole document, which cannot be removed"))
    else:
        edit.remove(_outermost(locations))


def _outermost(locations: list[Location]) -> list[Location]:
    """Give those that do not lie in one of the others."""
    known = set(locations)
    return [one for one in locations if not any(one[:length] in known for length in range(len(one)))]


class _Reader:
    """Reads one overlay; whatever is wrong with it is added to ``faults``."""

    def __init__(self, overlay: Document, faults: list[Fault]) -> None:
        self._overlay = overlay
        self._faults = faults

    def read(self) -> list[_Action]:
        """Give the overlay's actions, those that are good."""
        root = Source(self._overlay, ())
        if not isinstance(self._overlay.value, dict):
            self._faults.append(root.fault("an overlay must be a mapping"))
            return []
        self._known(root, ("overlay", "info", "extends", "actions"))
        version = self._take(root, "overlay", str, required=True)
        if version is not None and not _VERSION.fullmatch(version):
            self._faults.append(root.below("overlay").fault("only version 1.0.x of overlays is known"))
        self._info(root)
        extends = self._take(root, "extends", str)
        if extends is not None and not _is_reference(extends):
            self._faults.append(root.below("extends").fault("extends must be a URI reference"))
        actions = self._take(root, "actions", list, required=True)
        if actions == []:
            self._faults.append(root.below("actions").fault("actions must have at least one entry"))
        place = root.below("actions")
        read = (self._action(place.below(index)) for index in range(len(actions or ())))
        return [action for action in read if action is not None]

    def _info(self, root: Source) -> None:
        if self._take(root, "info", dict, required=True) is not None:
            info = root.below("info")
            self._known(info, ("title", "version"))
            self._take(info, "title", str, required=True)
            self._take(info, "version", str, required=True)

    def _action(self, place: Source) -> _Action | None:
        members = _value(place)
        if not isinstance(members, dict):
            self._faults.append(place.fault("an action must be a mapping"))
            return None
        self._known(place, ("target", "description", "update", "remove"))
        self._take(place, "description", str)
        remove = self._take(place, "remove", bool) or False
        if not remove and "update" not in members:
            self._faults.append(place.fault("an action needs update, or remove: true"))
        target = self._take(place, "target", str, required=True)
        compiled = None if target is None else self._compile(place.below("target"), target)
        return None if compiled is None else _Action(place, compiled, remove, members.get("update"))

    def _compile(self, place: Source, target: str) -> Target | None:
        try:
            return Target(target)
        except TargetFault as fault:
            self._faults.append(place.fault(f"target is not a JSONPath expression (RFC 9535): {fault}"))
            return None

    def _known(self, place: Source, names: Sequence[str]) -> None:
        """Refuse unknown members; extensions (``x-``) are known and mean nothing here."""
        for name in _value(place):
            if name not in names and not name.startswith("x-"):
                known = ", ".join(names)
                self._faults.append(place.below(name).fault(f"unknown key {name!r}; known here: {known}"))

    def _take(self, place: Source, name: str, kind: type, *, required: bool = False) -> Any:
        """Give a member; None when it is not there or, which is a fault, not of its kind."""
        members = _value(place)
        if name not in members:
            if required:
                self._faults.append(place.fault(f"{name} is missing"))
            return None
        if isinstance(members[name], kind):
            return members[name]
        self._faults.append(place.below(name).fault(f"{name} must be {_KINDS[kind]}"))
        return None


def _value(source: Source) -> Json:
    """Give the value that was written at ``source``."""
    value = source.document.value
    for step in source.location:
        value = value[step]
    return value


def _is_reference(text: str) -> bool:
    """Whether ``text`` is a URI reference (RFC 3986 section 4.1), as far as characters and host go."""
    try:
        urlsplit(text)
    except ValueError:
        return False
    return _REFERENCE.fullmatch(text) is not None
