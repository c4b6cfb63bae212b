"""The fast form: Python functions that fastjsonschema writes, for yes or no.

Each definition becomes one function, written when something first needs it, and shared by all. What
fastjsonschema writes is altered before it is compiled: its messages are dropped, and the names that it hands
on for them, for they would cost time in proportion to the caller's keys wherever they are made; known names
become sets, and references calls among functions that are written one by one.
"""

from __future__ import annotations

import re
from decimal import Decimal
from types import CodeType
from typing import TYPE_CHECKING, Any, Final

import fastjsonschema

from gateway.core.schema.choices import Candidates
from gateway.core.schema.draft7 import Draft7, Names
from gateway.core.schema.effort import Efforts
from gateway.core.schema.shapes import Shapes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from gateway.core.schema.draft7 import Choice
    from gateway.core.types import Json, Plain

_DRAFT_7: Final = "http://json-schema.org/draft-07/schema#"
_START: Final = "\n\ndef validate(data, custom_formats={}, name_prefix=None):\n"
_CALL: Final = re.compile(
    r"^( +)validate___definitions_(d[0-9]+)\((\w+), custom_formats, .*\)$", re.MULTILINE
)
_FORMAT: Final = re.compile(r'^( +if not )custom_formats\["(f[0-9]+)"\](\(\w+\):)$', re.MULTILINE)
_PATTERN: Final = re.compile(r"^( +if )REGEX_PATTERNS\['(f[0-9]+)'\]\.search(\(\w+\):)$", re.MULTILINE)
_RAISE: Final = re.compile(r"^( +)raise JsonSchemaValueException\(.*\)$", re.MULTILINE)
_EXCEPT: Final = re.compile(
    r"^( +except )\(JsonSchemaValueException, JsonSchemaValuesException\):", re.MULTILINE
)
_KNOWN: Final = re.compile(r"^( +if \w+_key not in )\[(.*)\]:$", re.MULTILINE)
_FOREIGN: Final = ("custom_formats", "name_prefix", "REGEX_PATTERNS", "JsonSchemaValue", "validate_")
"""How names begin that altered code no longer holds; if it does, fastjsonschema has changed its ways."""


class Inexact(Exception):
    """No function can be generated that would be exact and linear."""


class _Refused(Exception):
    """A generated function's no."""


class Generator:
    """Generates functions for schemas whose ``$ref`` name ``definitions``.

    ``probe`` gives a function that judges a schema without generated code. Generated functions may run in any
    thread, also while one thread, and only one, generates more.
    """

    def __init__(
        self, definitions: Mapping[str, Plain], probe: Callable[[Plain], Callable[[Json], bool]]
    ) -> None:
        self._definitions = definitions
        self._probe = probe
        self._efforts = Efforts(definitions)
        self._shapes = Shapes(definitions)
        self._names = Names()
        self._references: dict[str, set[str]] = {}
        self._globals: dict[str, Any] = {"Decimal": Decimal, "NoneType": type(None), "Refused": _Refused}

    def generate(self, schema: Plain) -> Callable[[Json], bool]:
        """Give a function that says whether a value is good; raises :class:`Inexact`.

        It may raise on a value that is not parsed JSON, or nests more than :data:`effort.MAX_DEPTH` deep.
        """
        if not self._efforts.bounded(schema):
            raise Inexact
        name = self._names.part(schema)
        pending = list(self._write(name, schema))
        run: Callable[[Json], object] = self._globals.pop(name)
        seen: set[str] = set()
        while pending:
            name = pending.pop()
            if name not in seen:
                seen.add(name)
                pending += self._have(name)

        def fast(value: Json) -> bool:
            try:
                run(value)
            except _Refused:
                return False
            return True

        return fast

    def _have(self, name: str) -> set[str]:
        """See to it that a function is there; gives the names of those that it calls."""
        if name not in self._references:
            self._references[name] = self._make(name)
        return self._references[name]

    def _make(self, name: str) -> set[str]:
        names = self._names
        if name in names.judged:
            return self._judge(name, names.judged[name])
        if name in names.choices:
            self._globals[name] = self._choose(names.choices[name])
            return set(names.choices[name].names)
        if name in names.parts:
            schema = names.parts[name]
        else:
            key = names.definitions[name]
            schema = self._definitions[key]
            if not self._efforts.bounded_definition(key):
                return self._judge(name, schema)
        try:
            return self._write(name, schema)
        except Inexact:
            return self._judge(name, schema)

    def _choose(self, choice: Choice) -> Callable[[Json], object]:
        """Make the function of a choice; those of its branches need not be there yet."""
        shapes = [self._shapes.of(branch) for branch in choice.branches]
        candidates = Candidates(choice.names, shapes)
        only_one, functions = choice.only_one, self._globals

        def choose(value: Json) -> None:
            names = candidates.of(value)
            if len(names) == 1:
                functions[names[0]](value)
                return
            found = False
            for name in names:
                try:
                    functions[name](value)
                except _Refused:
                    continue
                if found:
                    raise _Refused
                if not only_one:
                    return
                found = True
            if not found:
                raise _Refused

        return choose

    def _judge(self, name: str, schema: Plain) -> set[str]:
        good = self._probe(schema)

        def judge(value: Json) -> None:
            if not good(value):
                raise _Refused

        self._globals[name] = judge
        return set()

    def _write(self, name: str, schema: Plain) -> set[str]:
        """Define the function of a schema; gives the names of those that it calls."""
        writer = Draft7(self._names)
        functions = self._names.functions
        try:
            source = _source(name, writer.write(schema), writer.references, functions)
            code = compile(source, "<schema>", "exec")
        except (fastjsonschema.JsonSchemaDefinitionException, SyntaxError, ValueError) as error:
            raise Inexact from error
        if any(name.startswith(_FOREIGN) for name in _names_in(code)):
            raise Inexact
        self._globals.update(functions)
        exec(code, self._globals)  # noqa: S102 - it is what the generator wrote
        return writer.references


def _names_in(code: CodeType) -> Iterator[str]:
    """Give the global names that code and the functions inside it use."""
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names_in(inner)


def _source(
    name: str, schema: Plain, references: set[str], functions: Mapping[str, Callable[[Any], bool]]
) -> str:
    """Write the Python text of one function; those that it calls are left out."""
    root = {"allOf": [schema]} if isinstance(schema, bool) else schema
    text = fastjsonschema.compile_to_code(
        {**root, "$schema": _DRAFT_7, "definitions": dict.fromkeys(references, True)},
        formats=functions,
        use_default=False,
        detailed_exceptions=False,
    )
    body = text.partition(_START)[2].partition("\n\ndef ")[0]
    body = _CALL.sub(r"\1\2(\3)", body)
    body = _FORMAT.sub(r"\1\2\3", body)
    body = _PATTERN.sub(r"\1\2\3", body)
    body = _KNOWN.sub(r"\1{\2}:", body)
    body = _EXCEPT.sub(r"\1Refused:", _RAISE.sub(r"\1raise Refused", body))
    return f"def {name}(data):\n{body}\n"
