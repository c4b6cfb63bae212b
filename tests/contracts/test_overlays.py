"""Overlays: the specification's semantics, and its faults."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import pytest

from gateway.contracts import overlay_path, pack_files, targets
from gateway.contracts.overlays import apply_overlays
from gateway.documents import MAX_DEPTH, Document, parse_document
from gateway.errors import ConfigError, Fault, GatewayError
from tests.support.overlay_texts import HEAD, base, overlay

if TYPE_CHECKING:
    from pathlib import Path


def applied(actions: str) -> Document:
    """Lay one overlay over the base and prove that neither has changed."""
    document, laid = base(), overlay(actions)
    before = copy.deepcopy((document.value, laid.value))
    result = apply_overlays(document, [laid])
    assert (document.value, laid.value) == before
    return result


def faults(*overlays: Document) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        apply_overlays(base(), overlays)
    return [str(fault) for fault in caught.value.faults]


def test_objects_merge_member_by_member() -> None:
    """New members are added, objects merge, arrays are concatenated, primitives are replaced."""
    result = applied("""\
- target: $
  update:
    openapi: 3.0.3
    info: {title: null, tags: [c], contact: {name: N}}
""")
    assert result.value["openapi"] == "3.0.3"
    assert result.value["info"] == {"title": None, "tags": ["a", "b", "c"], "contact": {"name": "N"}}
    assert result.value["paths"] == base().value["paths"]


@pytest.mark.parametrize("update", ["{name: new}", "[name, new]", "new", "null"])
def test_an_array_gets_the_update_appended(update: str) -> None:
    """Whatever it is, it becomes one more entry: also an array, which is not concatenated here."""
    result = applied(f"- {{target: '$.paths[*].get.parameters', update: {update}}}")
    before = base().value["paths"]["/x"]["get"]["parameters"]
    entry = parse_document(update, "u.yaml").value
    assert result.value["paths"]["/x"]["get"]["parameters"] == [*before, entry]


def test_actions_see_what_the_former_left_and_overlays_follow_one_another() -> None:
    """An object is removed and made anew; a later overlay changes what an earlier one brought."""
    first = overlay("""\
- {target: $.info, remove: true}
- {target: $, update: {info: {title: new}}}
- {target: $.info, update: {tags: [x]}}
""")
    second = overlay(
        "- {target: $.info.tags, update: y}\n- {target: $.info, update: {title: newer}}", "p.yaml"
    )
    result = apply_overlays(base(), [first, second])
    assert result.value["info"] == {"title": "newer", "tags": ["x", "y"]}
    assert first.value["actions"][2]["update"] == {"tags": ["x"]}


def test_the_same_update_at_several_places_stays_apart() -> None:
    """What two targets were given is not shared: changing the one leaves the other."""
    result = applied("""\
- {target: '$.paths[*].get', update: {responses: {'200': {}}}}
- {target: "$.paths['/x'].get.responses['200']", update: {description: d}}
""")
    paths = result.value["paths"]
    assert paths["/x"]["get"]["responses"] == {"200": {"description": "d"}}
    assert paths["/y"]["get"]["responses"] == {"200": {}}


def test_removal_takes_precedence_and_takes_all_at_once() -> None:
    """Indices are those before it, values inside removed ones go with them, one selected twice goes once."""
    result = applied("""\
- target: "$.paths['/x'].get.parameters[0, 2, 0, -1]"
  remove: true
  update: {name: unused}
- target: $..['info', 'title']
  remove: true
- target: $.paths['/y'].get.deprecated
  remove: true
""")
    paths = result.value["paths"]
    assert paths["/x"]["get"]["parameters"] == [{"name": "second", "in": "query"}]
    assert paths["/y"]["get"] == {}
    assert "info" not in result.value


def test_removal_of_an_item_and_of_a_later_item_s_member() -> None:
    """The member is that of the item which stood there before the removal."""
    result = applied("""\
- target: "$.paths['/x'].get.parameters[?@.name == 'first' || @.name == 'second']['in']"
  remove: true
- target: "$.paths['/x'].get.parameters..[?@ == 'third' || @.name == 'first']"
  remove: true
""")
    assert result.value["paths"]["/x"]["get"]["parameters"] == [{"name": "second"}, {"in": "query"}]


def test_an_action_that_selects_nothing_is_a_warning() -> None:
    """The specification allows it; who keeps errata wants to know. Without a list it is silent."""
    laid = overlay("- {target: $.nothing, update: {a: 1}}\n- {target: '$.info.tags[7]', remove: true}")
    warnings: list[Fault] = []
    assert apply_overlays(base(), [laid], warnings).value == base().value
    assert [str(fault) for fault in warnings] == [
        "o.yaml:4:4: the target selects nothing; the action has no effect",
        "o.yaml:5:4: the target selects nothing; the action has no effect",
    ]
    assert apply_overlays(base(), [laid]).value == base().value


def test_without_overlays_the_document_stays_itself() -> None:
    document = base()
    assert apply_overlays(document, []) is document


MALFORMED = [
    ("[]", ["1:1: an overlay must be a mapping"]),
    ("{}", ["1:1: actions is missing", "1:1: info is missing", "1:1: overlay is missing"]),
    (
        "overlay: 1.1.0\ninfo: {title: 1, other: x}\nextends: 'a b'\nactions: []\nmore: 1",
        [
            "1:1: only version 1.0.x of overlays is known",
            "2:1: version is missing",
            "2:8: title must be a string",
            "2:18: unknown key 'other'; known here: title, version",
            "3:1: extends must be a URI reference",
            "4:1: actions must have at least one entry",
            "5:1: unknown key 'more'; known here: overlay, info, extends, actions",
        ],
    ),
    ("overlay: 1.0\ninfo: x\nactions: {}", [
        "1:1: overlay must be a string", "2:1: info must be a mapping", "3:1: actions must be a list",
    ]),
    (HEAD + """\
- 1
- {}
- {target: 5, update: 1}
- {target: $, remove: yes}
- {target: $, remove: false}
- {target: '$.', update: 1, what: 1, x-mine: 1, description: [], extends: 1}
- {target: a, update: 1}
- {target: '$[?length(1, 2)]', update: 1}
""", [
        "4:3: an action must be a mapping",
        "5:3: an action needs update, or remove: true",
        "5:3: target is missing",
        "6:4: target must be a string",
        "7:3: an action needs update, or remove: true",
        "7:15: remove must be true or false",
        "8:3: an action needs update, or remove: true",
        "9:4: target is not a JSONPath expression (RFC 9535): unexpected end of path, at character 3",
        "9:29: unknown key 'what'; known here: target, description, update, remove",
        "9:49: description must be a string",
        "9:66: unknown key 'extends'; known here: target, description, update, remove",
        "10:4: target is not a JSONPath expression (RFC 9535): expected '$', found 'a', at character 1",
        "11:4: target is not a JSONPath expression (RFC 9535): 'length'() requires 1",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), MALFORMED)
def test_what_is_wrong_with_an_overlay_is_told_all_at_once(text: str, expected: list[str]) -> None:
    """Unknown keys, wrong types, missing parts, malformed targets, each at its place."""
    found = faults(parse_document(text, "o.yaml"))
    places = [fault.removeprefix("o.yaml:") for fault in found]
    assert [place.split(": ")[0] for place in places] == [place.split(": ")[0] for place in expected]
    told = [place for place in places if "RFC 9535" not in place]
    assert told == [place for place in expected if "RFC 9535" not in place]


@pytest.mark.parametrize("reference", ["a.yaml", "https://example.org/a?b#c", "", "%20", "//[::1]/a"])
def test_extends_is_a_uri_reference(reference: str) -> None:
    """Where it leads is not followed: the configuration says which document is meant."""
    laid = overlay("- {target: $, update: {a: 1}}")
    laid.value["extends"] = reference
    assert apply_overlays(base(), [laid]).value["a"] == 1


@pytest.mark.parametrize("reference", ["a b", "%2", "a\\b", "é", "//[::1", "<x>"])
def test_extends_that_is_none(reference: str) -> None:
    laid = overlay("- {target: $, update: {a: 1}}")
    laid.value["extends"] = reference
    assert faults(laid) == ["o.yaml:1:1: extends must be a URI reference"]


def test_what_cannot_be_applied_is_told_all_at_once() -> None:
    """Targets that are primitives, kinds that do not fit, and the removal of everything."""
    laid = overlay("""\
- {target: $.info.title, update: {a: 1}}
- {target: $.info, update: 5}
- {target: $.paths, update: [1]}
- target: $
  update:
    openapi: {a: 1}
    info: {tags: {a: 1}, title: [1]}
    paths: null
- {target: $, remove: true}
""")
    assert faults(laid) == [
        "o.yaml:4:26: the target is a primitive value; only objects and arrays are updated",
        "o.yaml:5:20: the target is an object: the update must be one, too, not a primitive value",
        "o.yaml:6:21: the target is an object: the update must be one, too, not an array",
        "o.yaml:9:5: an object cannot be merged into a primitive value",
        "o.yaml:10:12: an object cannot be merged into an array",
        "o.yaml:10:26: an array cannot be merged into a primitive value",
        "o.yaml:11:5: a primitive value cannot be merged into an object",
        "o.yaml:12:4: the target is the whole document, which cannot be removed",
    ]


def test_faults_of_several_overlays_come_together() -> None:
    assert [
        fault.partition(":")[0] for fault in faults(overlay("- 1", "b.yaml"), parse_document("[]", "a.yaml"))
    ] == ["a.yaml", "b.yaml"]


def test_the_depth_of_the_result_is_bounded() -> None:
    """What is laid deep down counts from the root: nothing nests deeper than a document may."""
    deep = "{a: " * 150 + "1" + "}" * 150
    steps = ".a" * 100
    laid = overlay(f"- {{target: $, update: {deep}}}\n- {{target: '${steps}', update: {{b: {deep}}}}}")
    assert faults(laid) == [
        f"o.yaml:5:{17 + len(steps)}: the update would nest deeper than {MAX_DEPTH} levels"
    ]


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("$" + ".a" * 1000, "longer than 2000 characters"),
        ("$[?" + "(" * 900 + "@" + ")" * 900 + "]", "nested too deep"),
        ("$[" + "9" * 1900 + "]", ""),
    ],
)
def test_absurd_targets_are_faults(target: str, reason: str) -> None:
    """Neither Python's recursion nor its numbers get in the way."""
    laid = overlay("- {target: x, update: 1}")
    laid.value["actions"][0]["target"] = target
    (fault,) = faults(laid)
    assert fault.startswith("o.yaml:4:4: target is not a JSONPath expression (RFC 9535): ")
    assert reason in fault


def test_what_a_target_visits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also on the way: descendants of descendants are more than the document has values."""
    monkeypatch.setattr(targets, "MAX_SELECTED", 20)
    apply_overlays(base(), [overlay("- {target: $..get, update: {a: 1}}")])
    assert faults(
        overlay("- {target: $..*..nothing, update: {a: 1}}\n- {target: '$..[*, *, *]', remove: true}")
    ) == [
        "o.yaml:4:4: the target cannot be evaluated: it selects more than 20 values",
        "o.yaml:5:4: the target cannot be evaluated: it selects more than 20 values",
    ]


def test_a_long_filter_ends_in_a_fault_or_in_nothing() -> None:
    """As many segments as a target has room for; the library follows them one inside the other."""
    laid = overlay("- {target: x, update: {a: 1}}")
    laid.value["actions"][0]["target"] = "$[?@" + ".a" * 990 + "]"
    assert faults(laid) == ["o.yaml:4:4: the target cannot be evaluated: it is nested too deep"]


def test_values_below_the_library_s_own_depth_are_reached() -> None:
    """A document may nest deeper than the library would descend by itself."""
    document = parse_document("{a: " * 150 + "{b: 1}" + "}" * 150, "deep.yaml")
    result = apply_overlays(document, [overlay("- {target: '$..[?@.b]', update: {c: 2}}")])
    value = result.value
    for _ in range(150):
        value = value["a"]
    assert value == {"b": 1, "c": 2}


def test_shipped_overlays_are_found_by_name() -> None:
    """They lie beside the packs and are none themselves."""
    path = overlay_path("pack:errata/openai-v1")
    assert path.name == "openai-v1.yaml"
    assert path not in pack_files().values()
    with pytest.raises(GatewayError, match=r"no overlay 'errata/x'.*errata/openai-v1, errata/openai-v2"):
        overlay_path("pack:errata/x")


def test_the_first_folder_that_has_an_overlay_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for packs: a wheel's own folder comes before a checkout's."""
    folders = [tmp_path / name for name in ("a", "b", "c")]
    for folder in folders[:2]:
        (folder / "errata").mkdir(parents=True)
        (folder / "errata" / "x.yaml").touch()
    monkeypatch.setattr("gateway.contracts.packs._FOLDERS", tuple(folders))
    assert overlay_path("pack:errata/x") == folders[0] / "errata" / "x.yaml"
