"""The schema phase: one schema in, two judges out: a fast one for yes or no, a full one that lists it all.

Nothing is compiled before it is needed. The first value is judged by the full form's silent checks; meanwhile
the fast form is generated (:mod:`gateway.core.schema.fast`), and takes over when it is ready. A schema for
which no exact and linear code can be generated stays with the silent checks.
"""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from gateway.core.schema.checks import Checks, holds, judge
from gateway.core.schema.fast import Generator, Inexact
from gateway.core.types import Validator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.core.types import Findings, Json, Layer, Plain

_NONE: Final[Mapping[str, Plain]] = MappingProxyType({})


class Schemas:
    """Makes validators for schemas in plain form that share ``definitions``.

    ``later`` takes what generates a fast form, once for each validator, and may run it on another thread, one
    piece after another; without it, that happens at a validator's first use. Schemas and definitions may not
    change afterwards.
    """

    def __init__(
        self,
        definitions: Mapping[str, Plain] = _NONE,
        *,
        later: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        self._definitions = definitions
        self._later = later
        self._checks = Checks(definitions)
        self._generator = Generator(definitions, self._probe)

    def validator(self, schema: Plain, *, parameter: str | None = None) -> Validator:
        """Make a validator; it compiles at first use.

        ``parameter`` names the parameter that the schema is for: its violations then have that param, and no
        pointer. Values are never changed; they must be made of what :mod:`gateway.core.parse` gives.
        """
        full = partial(self._judge, schema, parameter)
        validator = Validator(bool, full, schema, self._definitions)
        validator.fast = partial(self._first, validator)
        return validator

    def _first(self, validator: Validator, value: Json) -> bool:
        """Judge a validator's first value, and have its fast form generated."""
        probe = validator.fast = self._probe(validator.schema)
        if self._later is not None:
            self._later(partial(self._generate, validator))
            return probe(value)
        self._generate(validator)
        return validator.fast(value)

    def _generate(self, validator: Validator) -> None:
        try:
            validator.fast = self._generator.generate(validator.schema)
        except Inexact:
            validator.fast = self._probe(validator.schema)

    def _probe(self, schema: Plain) -> Callable[[Json], bool]:
        return partial(holds, self._checks.check(schema))

    def _judge(
        self, schema: Plain, parameter: str | None, value: Json, without: frozenset[Layer] = frozenset()
    ) -> Findings:
        return judge(self._checks.check(schema), value, parameter, without)
