"""What clients are told, where no schema's test says it already."""

from __future__ import annotations

from gateway.core.schema import words


def test_long_lists_of_values_are_cut() -> None:
    """Of very many permitted values the message names a hundred and how many more there are."""
    text = words.listed([f"v{index}" for index in range(105)])
    assert text.startswith("'v0', 'v1', ")
    assert text.endswith("'v98', 'v99', and 5 more")
    assert words.listed(["a"]) == "'a'"


def test_only_short_strings_are_named_where_a_listed_value_was_expected() -> None:
    """A string of at most 32 characters is named; nothing else of the request ever is."""
    for found, named in (("x" * 32, True), ("x" * 33, False), (["x"], False), (5, False)):
        message = words.not_listed("'a'", found)("p", None, None)
        assert ("x" in message) is named
        assert message.endswith("Supported values are: 'a'.")
    key = words.not_listed("'a'", "x", "key")
    assert key("p", None, None) == "Invalid 'p': key not supported. Supported keys are: 'a'."


def test_the_body_as_a_whole_has_no_name() -> None:
    """Messages about the whole body say so."""
    assert words.unknown(None) == "Unknown value."
    assert words.unknown("a") == "Unknown parameter: 'a'."
    assert words.missing("a") == "Missing required parameter: 'a'."
    assert words.no_form(None) == "Invalid body: value matches none of the allowed forms."
    assert words.no_form("a[0]") == "Invalid 'a[0]': value matches none of the allowed forms."
    assert words.wrong_type(None, "object", "null").startswith(
        "Invalid type for the body: expected an object"
    )
