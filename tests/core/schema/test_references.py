"""References are found, and what refers to one another in a circle."""

from __future__ import annotations

from gateway.core.schema.references import circles, references, references_in_place


def test_references() -> None:
    """References are found at any depth, each as often as it stands; in place, those to the same value."""
    schema = {
        "$ref": "a",
        "items": {"anyOf": [{"$ref": "b"}, True, {"not": {"$ref": "c"}}]},
        "oneOf": [{"$ref": "a"}, {"if": {"$ref": "d"}, "then": {"dependentSchemas": {"x": {"$ref": "e"}}}}],
    }
    assert sorted(references(schema)) == ["a", "a", "b", "c", "d", "e"]
    assert sorted(references_in_place(schema)) == ["a", "a", "d", "e"]
    assert list(references(True)) == []


def test_circles() -> None:
    """Circles come after what they refer to, each name once, however long the way is."""
    links = {"a": ["b", "z"], "b": ["c"], "c": ["b", "d"], "d": [], "e": ["a"], "f": ["f"]}
    groups = [sorted(group) for group in circles(links)]
    assert sorted(groups) == [["a"], ["b", "c"], ["d"], ["e"], ["f"]]
    assert groups.index(["d"]) < groups.index(["b", "c"]) < groups.index(["a"]) < groups.index(["e"])
    chain = {str(number): [str(number + 1)] for number in range(5000)}
    assert [group[0] for group in circles(chain)] == [str(number) for number in reversed(range(5000))]
