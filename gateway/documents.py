"""YAML 1.2 and JSON documents in, plain values out, with the line and column of every value.

What is read is the YAML 1.2 core schema (YAML 1.2.2 section 10.3), of which JSON is a part: ``yes``, ``on``
and dates are strings, ``012`` is twelve. libyaml composes the nodes, the rules here give them their meaning.
Refused, because two readers could differ over them: a key twice, tags, the merge key ``<<`` and more than
one document. Aliases are copied out; they cannot refer to themselves nor grow a small file into a huge value.

Mapping keys are always strings, as in JSON: a plain ``200:`` or ``true:`` is the key ``"200"`` or ``"true"``.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

import yaml

from gateway.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MAX_DEPTH: Final = 200
"""How deep mappings and sequences may nest, aliases followed."""
MAX_COPIES: Final = 100_000
"""How many values aliases may add to those that stand in the file."""

_PLAIN: Final = "plain"
_STRING: Final = "string"
_COLLECTION: Final = "collection"
"""What :meth:`_Rules.resolve` calls nodes without a tag; compared by identity, so no tag can pose as one."""

_INTEGER: Final = re.compile(r"[-+]?[0-9]+")
_PREFIXED: Final = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: Final[dict[str, bool | float | None]] = (
    dict.fromkeys(("", "~", "null", "Null", "NULL"))
    | dict.fromkeys(("true", "True", "TRUE"), True)
    | dict.fromkeys(("false", "False", "FALSE"), False)
    | {sign + word: float("inf") for sign in ("", "+") for word in (".inf", ".Inf", ".INF")}
    | {"-" + word: float("-inf") for word in (".inf", ".Inf", ".INF")}
    | dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan"))
)
_NUMERIC_START: Final = frozenset("0123456789+-.")
_SURROGATES: Final = re.compile(
    r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
)


class _TooDeep(Exception):
    """A node lies deeper than MAX_DEPTH."""


class _Rules:
    """What a composer asks for each node; replaces PyYAML's YAML 1.1 resolver."""

    depth = 0

    def resolve(self, kind: type[yaml.Node], _value: object, implicit: Any) -> str:
        """Name an untagged node; ``implicit`` is (plain, quoted) for a scalar."""
        if kind is yaml.ScalarNode:
            return _PLAIN if implicit[0] else _STRING
        return _COLLECTION

    def descend_resolver(self, _parent: object, _index: object) -> None:
        """Enter a node. libyaml's composer recurses in C, where nothing else would stop it."""
        self.depth += 1
        if self.depth > MAX_DEPTH + 1:
            raise _TooDeep

    def ascend_resolver(self) -> None:
        """Leave a node."""
        self.depth -= 1


class _PureComposer(
    yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser, yaml.composer.Composer, _Rules
):
    """The composer where libyaml is missing; some twenty times slower."""

    def __init__(self, stream: str) -> None:
        yaml.reader.Reader.__init__(self, stream)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)
        yaml.composer.Composer.__init__(self)


_Composer: Any = _PureComposer
if yaml.__with_libyaml__:
    from yaml._yaml import CParser

    class _NativeComposer(CParser, _Rules):
        """The composer over libyaml."""

    _Composer = _NativeComposer

ACCELERATED: Final[bool] = yaml.__with_libyaml__
"""Whether libyaml is in use."""


class Document:
    """A document that was read: ``value`` is plain data (dict, list, str, int, float, bool, None).

    ``file`` is what faults call it. Positions are found anew from the text when one is first asked for, so a
    document that is merely kept costs its text and its value.
    """

    __slots__ = ("_root", "_text", "file", "value")

    def __init__(self, file: str, value: Any, text: str) -> None:
        self.file = file
        self.value = value
        self._text = text
        self._root: yaml.Node | None = None

    def __repr__(self) -> str:
        """Give the name alone: a document may hold secrets."""
        return f"Document({self.file!r})"

    def position(self, path: Sequence[str | int] = ()) -> tuple[int, int]:
        """Give line and column, from 1, of what stands at ``path``: of its key for a mapping's member.

        Where nothing stands there, its nearest ancestor's. Inside an alias, the place of the original.
        """
        if self._root is None:
            self._root = _compose(self._text)
        if self._root is None:
            return 1, 1
        mark, node = self._root.start_mark, self._root
        for step in path:
            found = _member(node, step)
            if found is None:
                break
            mark, node = found
        return mark.line + 1, mark.column + 1

    def fault(self, path: Sequence[str | int], message: str) -> Fault:
        """Give a fault of this document at ``path``."""
        return Fault(self.file, *self.position(path), message)


def read(path: Path, *, name: str | None = None, faults: list[Fault] | None = None) -> Document:
    """Read the file at ``path``; ``name`` is what faults call it, else the path as given.

    Raises :class:`ConfigError` with every fault when it cannot be read or is not one good document;
    ``faults`` as for :func:`parse_document`.
    """
    name = name if name is not None else str(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError([Fault(name, 0, 0, f"cannot be read: {error.strerror or error}")]) from None
    return parse_document(content, name, faults=faults)


def parse_document(text: bytes | str, name: str, *, faults: list[Fault] | None = None) -> Document:
    """Parse one document; ``name`` is what faults call it. Bytes must be UTF-8.

    Raises :class:`ConfigError` with a syntax error, or else with every fault there is. A caller with more to
    say of the document hands in ``faults``: what leaves the rest readable (a key twice, a tag) is then added
    there rather than raised.
    """
    try:
        text = _decode(text) if isinstance(text, bytes) else text
        text = text.removeprefix("\ufeff")
        if name.endswith(".json"):
            text = _join_surrogates(text)
        root = _compose(text)
        builder = _Builder()
        value = None if root is None else builder.build(root, 0, counting=False)
    except _SyntaxFault as fault:
        raise ConfigError([Fault(name, fault.line, fault.column, fault.message)]) from None
    found = sorted(Fault(name, *place) for place in builder.faults)
    if faults is not None:
        faults += found
    elif found:
        raise ConfigError(found)
    return Document(name, value, text)


def resolve_plain(text: str) -> str | float | bool | None:
    """Give the value of a plain scalar under the YAML 1.2 core schema (YAML 1.2.2 section 10.3.2).

    Raises ValueError for a number that is too large to be held.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMERIC_START:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _PREFIXED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if math.isinf(number):
            raise ValueError
        return number
    return text


class _SyntaxFault(Exception):
    """The text is no YAML; line and column count from 1."""

    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(message)
        self.line, self.column, self.message = line, column, message


def _decode(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line, column = _place(content[: error.start].decode())
        raise _SyntaxFault(line, column, "the text is not UTF-8") from None


def _place(before: str) -> tuple[int, int]:
    """Give line and column, from 1, of what follows ``before``."""
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _join_surrogates(text: str) -> str:
    r"""Write JSON's ``\ud83d\ude00`` as YAML's ``\U0001f600``.

    JSON escapes UTF-16 units (RFC 8259 section 7), YAML code points. It moves the columns of what follows on
    the same line.
    """

    def join(match: re.Match[str]) -> str:
        high, low = int(match[2], 16), int(match[3], 16)
        return f"{match[1]}\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08x}"

    return _SURROGATES.sub(join, text)


def _compose(text: str) -> yaml.Node | None:
    """Compose the one document of ``text``; None when it is empty."""
    composer = None
    try:
        composer = _Composer(text)
        root: yaml.Node | None = composer.get_single_node()
    except _TooDeep:
        raise _SyntaxFault(*_depth_mark(text), f"nested deeper than {MAX_DEPTH} levels") from None
    except yaml.MarkedYAMLError as error:
        raise _syntax_fault(error) from None
    except yaml.reader.ReaderError as error:
        found = yaml.reader.Reader.NON_PRINTABLE.search(text)
        line, column = _place(text[: found.start()] if found else "")
        raise _SyntaxFault(line, column, f"a character is not allowed: {error.reason}") from None
    finally:
        if isinstance(composer, _PureComposer):
            composer.dispose()
    return root


def _depth_mark(text: str) -> tuple[int, int]:
    """Find where nesting goes beyond MAX_DEPTH."""
    depth, place = 0, (1, 1)
    for event in yaml.parse(text, Loader=yaml.CSafeLoader if ACCELERATED else yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH and event.start_mark:
            place = event.start_mark.line + 1, event.start_mark.column + 1
            break
    return place


def _syntax_fault(error: yaml.MarkedYAMLError) -> _SyntaxFault:
    mark = error.problem_mark or error.context_mark
    message = error.problem or "not valid YAML"
    if message == "but found another document":
        message = "a second document begins here; one is expected"
    elif error.context and error.context.startswith("found duplicate anchor"):
        message = "an anchor stands twice"
    elif error.context:
        message = f"{message} ({error.context})"
    return _SyntaxFault(mark.line + 1 if mark else 1, mark.column + 1 if mark else 1, message)


def _member(node: yaml.Node, step: str | int) -> tuple[yaml.Mark, yaml.Node] | None:
    """Give the mark and node of one member: by key of a mapping, by index of a sequence."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                return key.start_mark, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and 0 <= step < len(node.value):
        value = node.value[step]
        return value.start_mark, value
    return None


class _Builder:
    """Builds plain values from nodes and notes every fault as (line, column, message)."""

    def __init__(self) -> None:
        self.faults: list[tuple[int, int, str]] = []
        self._seen: set[int] = set()
        self._open: set[int] = set()
        self._copies = 0

    def build(self, node: yaml.Node, depth: int, *, counting: bool) -> Any:
        """Give the value of ``node``; ``counting`` says that it is reached through an alias."""
        tag = node.tag
        if counting:
            self._copies += 1
            if self._copies > MAX_COPIES:
                self._give_up(node, f"aliases add more than {MAX_COPIES} values")
        if tag is _STRING:
            return node.value
        if tag is _COLLECTION:
            return self._collection(node, depth + 1, counting=counting)
        if tag is _PLAIN:
            try:
                return resolve_plain(node.value)
            except ValueError:
                self._fault(node, "a number is too large")
        else:
            self._fault(node, f"tags are not supported: {tag}")
        return None

    def _collection(self, node: yaml.Node, depth: int, *, counting: bool) -> Any:
        identity = id(node)
        if identity in self._seen:
            if identity in self._open:
                self._fault(node, "an alias inside it refers to the value itself")
                return None
            counting = True
        self._seen.add(identity)
        if depth > MAX_DEPTH:
            self._give_up(node, f"nested deeper than {MAX_DEPTH} levels")
        self._open.add(identity)
        value: Any
        if isinstance(node, yaml.SequenceNode):
            value = [self.build(item, depth, counting=counting) for item in node.value]
        else:
            value = self._mapping(node, depth, counting=counting)
        self._open.discard(identity)
        return value

    def _mapping(self, node: yaml.Node, depth: int, *, counting: bool) -> dict[str, Any]:
        members: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            name = self._key(key)
            if name in members and name is not None:
                self._fault(key, f"key {name!r} stands twice, first on line {lines[name]}")
                continue
            built = self.build(value, depth, counting=counting)
            if name is not None:
                members[name] = built
                lines[name] = key.start_mark.line + 1
        return members

    def _key(self, node: yaml.Node) -> str | None:
        """Give a key's text; None, with the fault noted, for what cannot be a key."""
        tag = node.tag
        if tag is _STRING or (tag is _PLAIN and node.value not in {"", "<<"}):
            return str(node.value)
        if tag is _PLAIN and node.value:
            self._fault(node, "the merge key << is not part of YAML 1.2")
        elif tag is _PLAIN or tag is _COLLECTION:
            self._fault(node, "a key must be a string")
        else:
            self._fault(node, f"tags are not supported: {tag}")
        return None

    def _fault(self, node: yaml.Node, message: str) -> None:
        place = (node.start_mark.line + 1, node.start_mark.column + 1, message)
        if place not in self.faults:  # a copied value shows its faults once
            self.faults.append(place)

    def _give_up(self, node: yaml.Node, message: str) -> None:
        raise _SyntaxFault(node.start_mark.line + 1, node.start_mark.column + 1, message)
