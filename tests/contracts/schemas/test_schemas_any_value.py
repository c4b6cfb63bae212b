"""Whatever stands in a schema, reading it ends in plain form or in faults, never in an exception."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.contracts.schemas.dialects import Dialect
from gateway.contracts.schemas.reader import SchemaReader
from gateway.contracts.schemas.vocabularies import RULES
from gateway.contracts.sources import Sources
from gateway.core.schema import Schemas
from gateway.core.schema.plain import inner_schemas
from gateway.errors import Fault

KEYWORDS = sorted({name for rules in RULES.values() for name in rules} | {"x-a", "propertyName", "mapping"})
STRINGS = st.sampled_from(
    ["", "a", "#", "#a", "#/a", "#/properties/a", "#/$defs/a", "#/a/0", "urn:a", "a.yaml", "string", "object",
     "date", "int32", "%ff", "(", "^a", "http://json-schema.org/draft-07/schema#"]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.floats() | STRINGS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYWORDS), inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "$ref", "#a", "("]), inner, max_size=3)
    ),
    max_leaves=25,
)


class Text:
    """A value as a document without lines."""

    file = "c.yaml"

    def __init__(self, value: Any) -> None:
        self.value = value

    def fault(self, path: tuple[str | int, ...], message: str) -> Fault:
        """Give a fault; the path must be made of keys and indices."""
        assert all(isinstance(step, str | int) for step in path)
        return Fault(self.file, 1, 1, message)


@given(st.dictionaries(st.sampled_from(KEYWORDS), VALUES, max_size=6), st.sampled_from(Dialect))
@settings(max_examples=400, deadline=None)
def test_nothing_is_raised(value: dict[str, Any], dialect: Dialect) -> None:
    """Every reference of the result has its definition, and what has no fault can be compiled and judges."""
    sources = Sources(Text(value), None)
    reader = SchemaReader(sources, dialect=dialect, formats=True)
    plain = reader.read(sources.root)
    assert all(fault.message for fault in (*reader.faults, *reader.warnings))
    if reader.faults:
        return
    waiting = [plain, *reader.definitions.values()]
    while waiting:
        schema = waiting.pop()
        if isinstance(schema, dict):
            assert schema.get("$ref", next(iter(reader.definitions), None)) in {None, *reader.definitions}
            waiting += inner_schemas(schema)
    validator = Schemas(reader.definitions).validator(plain)
    for one in (None, 1, "a", [1, "a"], {"a": {"a": 1}}):
        assert validator.fast(one) is (not validator.full(one).total)
