"""Overlaid documents: where every value was written, and that changes are those of the plain reading."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contracts import targets
from gateway.contracts.overlaid import Overlaid
from gateway.contracts.overlays import apply_overlays
from gateway.documents import Document, parse_document
from gateway.errors import ConfigError
from tests.support.overlay_texts import base, overlay


def test_faults_lead_to_where_a_value_was_written() -> None:
    """In the overlay what it brought; in the document the rest, also after removals moved it."""
    laid = overlay("""\
- target: $.paths['/x'].get.parameters[0]
  remove: true
- target: $.paths['/x'].get.parameters
  update: {name: fourth}
- target: $.info
  update:
    tags: [c]
    title: new
    contact: {name: N}
- {target: "$.paths['/y'].get", remove: true}
""")
    result = apply_overlays(base(), [laid])
    parameters = ("paths", "/x", "get", "parameters")
    places = {
        ("openapi",): "base.yaml:1:1",
        (*parameters, 0): "base.yaml:10:11",
        (*parameters, 1, "in"): "base.yaml:11:25",
        (*parameters, 2): "o.yaml:7:3",
        (*parameters, 2, "name"): "o.yaml:7:12",
        (*parameters, 3): "base.yaml:8:7",
        ("info", "title"): "o.yaml:11:5",
        ("info", "tags", 1): "base.yaml:4:13",
        ("info", "tags", 2): "o.yaml:10:12",
        ("info", "contact"): "o.yaml:12:5",
        ("info", "contact", "name"): "o.yaml:12:15",
        ("info", "contact", "none", 5): "o.yaml:12:5",
        ("info", "tags", "none"): "base.yaml:4:3",
        ("paths", "/y", "get", "deprecated"): "base.yaml:12:3",
        ("openapi", 0): "base.yaml:1:1",
        (): "base.yaml:1:1",
    }
    found = {path: str(result.fault(path, "m")).removesuffix(": m") for path in places}
    assert found == places
    assert result.position(("info", "contact")) == (12, 5)
    assert result.file == "base.yaml"
    assert repr(result) == "Document('base.yaml')"


def test_places_survive_a_second_round() -> None:
    """What was laid over once can be laid over again."""
    once = apply_overlays(base(), [overlay("- {target: $.info, update: {extra: {a: 1}}}")])
    twice = apply_overlays(once, [overlay("- {target: $.info.extra, update: {b: 2}}", "p.yaml")])
    assert once.value["info"]["extra"] == {"a": 1}
    assert str(twice.fault(("info", "extra", "a"), "m")) == "o.yaml:4:37: m"
    assert str(twice.fault(("info", "extra", "b"), "m")) == "p.yaml:4:35: m"
    assert str(twice.fault(("info", "title"), "m")) == "base.yaml:3:3: m"


KEYS = st.sampled_from(["a", "b", "c"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.sampled_from(["x", "y"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
STEPS = st.sampled_from([".a", ".b", ".c", "[0]", "[1]", "[-1]", "[*]", "..a", "..[0]", "[?@.a]", "[0, 'a']"])
ACTIONS = st.builds(
    lambda steps, remove, update: {"target": "$" + "".join(steps), "remove": remove, "update": update},
    st.lists(STEPS, max_size=3),
    st.booleans(),
    VALUES,
)


def document_of(value: Any, name: str) -> Document:
    return parse_document(json.dumps(value), name)


@given(
    st.dictionaries(KEYS, VALUES, max_size=3),
    st.lists(st.lists(ACTIONS, min_size=1, max_size=4), min_size=1, max_size=2),
)
def test_it_does_what_the_plain_reading_of_the_specification_does(value: Any, overlays: list[Any]) -> None:
    """The same value as by changing a copy in place; and each leaf was written where its source says."""
    info = {"overlay": "1.0.0", "info": {"title": "t", "version": "1"}}
    laid = [document_of(info | {"actions": actions}, f"{i}.json") for i, actions in enumerate(overlays)]
    document = document_of(value, "base.json")
    try:
        expected = plainly(copy.deepcopy(value), [action for actions in overlays for action in actions])
    except _Incompatible:
        with pytest.raises(ConfigError):
            apply_overlays(document, laid)
        return
    result = apply_overlays(document, laid)
    assert result.value == expected
    assert document.value == value
    assert isinstance(result, Overlaid)
    for path, leaf in leaves(result.value, ()):
        written = result.source(path)
        there = written.document.value
        for step in written.location:
            there = there[step]
        assert there == leaf
        assert type(there) is type(leaf)


class _Incompatible(Exception):
    """What the specification calls an error."""


def plainly(value: Any, actions: list[Any]) -> Any:
    """Apply actions to ``value`` in place."""
    for action in actions:
        selected = targets.Target(action["target"]).select(value)
        if action["remove"]:
            if () in selected:
                raise _Incompatible
            for path in sorted(
                selected, key=lambda path: [(isinstance(s, int), s) for s in path], reverse=True
            ):
                try:
                    *parent, step = path
                    del follow(value, parent)[step]
                except (LookupError, TypeError):
                    continue  # it went with what it lay in
        else:
            for path in selected:
                target = follow(value, path)
                if isinstance(target, list):
                    target.append(copy.deepcopy(action["update"]))
                else:
                    merge(target, action["update"])
    return value


def follow(value: Any, path: Any) -> Any:
    for step in path:
        value = value[step]
    return value


def merge(target: Any, update: Any) -> None:
    if not isinstance(target, dict) or not isinstance(update, dict):
        raise _Incompatible
    for key, new in update.items():
        old = target.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            merge(old, new)
        elif isinstance(old, list) and isinstance(new, list):
            old.extend(copy.deepcopy(new))
        elif key in target and (isinstance(old, dict | list) or isinstance(new, dict | list)):
            raise _Incompatible
        else:
            target[key] = copy.deepcopy(new)


def leaves(value: Any, path: tuple[Any, ...]) -> Any:
    """Give every primitive value with its path."""
    if isinstance(value, dict | list):
        for step, member in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(member, (*path, step))
    else:
        yield path, value
