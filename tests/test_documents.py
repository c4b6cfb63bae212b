"""Documents: the YAML 1.2 core schema, what is refused, and where everything stands."""

from __future__ import annotations

import json
import math
import re
import textwrap
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from gateway import documents
from gateway.documents import MAX_COPIES, MAX_DEPTH, Document, parse_document, read, resolve_plain
from gateway.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

COMPOSERS = (
    [documents._NativeComposer, documents._PureComposer]
    if documents.ACCELERATED
    else [documents._PureComposer]
)


@pytest.fixture(params=COMPOSERS, ids=lambda composer: composer.__name__)
def composer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "_Composer", request.param)


def parse(text: str, name: str = "f.yaml") -> Document:
    return parse_document(textwrap.dedent(text), name)


def faults(text: str | bytes, name: str = "f.yaml") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_document(text, name)
    return [str(fault) for fault in caught.value.faults]


SCALARS = [
    ("null", None), ("Null", None), ("NULL", None), ("~", None), ("", None), ("nUll", "nUll"),
    ("true", True), ("True", True), ("TRUE", True), ("false", False), ("False", False), ("FALSE", False),
    ("yes", "yes"), ("no", "no"), ("on", "on"), ("off", "off"), ("y", "y"), ("tRUE", "tRUE"),
    ("0", 0), ("-19", -19), ("+7", 7), ("012", 12), ("0o14", 12), ("0x1F", 31), ("0b11", "0b11"),
    ("-0o7", "-0o7"), ("0o8", "0o8"), ("1_000", "1_000"), ("190:20:30", "190:20:30"),
    ("2020-01-01", "2020-01-01"),
    ("0.", 0.0), ("-0.0", -0.0), (".5", 0.5), ("+12e03", 12000.0), ("-2E+05", -200000.0), ("1e3", 1000.0),
    (".inf", math.inf), ("-.Inf", -math.inf), ("+.INF", math.inf), (".", "."), ("+", "+"), ("1.2.3", "1.2.3"),
    ("-.", "-."), ("e3", "e3"), ("Infinity", "Infinity"), ("\u0663", "\u0663"), ("=", "="),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_plain_scalars_have_their_yaml_1_2_meaning(text: str, value: object) -> None:
    """The table of YAML 1.2.2 section 10.3.2, and what YAML 1.1 would have read otherwise."""
    found = resolve_plain(text)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize("text", [".nan", ".NaN", ".NAN"])
def test_not_a_number(text: str) -> None:
    found = resolve_plain(text)
    assert isinstance(found, float)
    assert math.isnan(found)


def reference(text: str) -> object:
    """Resolve as YAML 1.2.2 section 10.3.2 has it, its expressions word for word."""
    if re.fullmatch(r"null|Null|NULL|~|", text):
        return None
    if re.fullmatch(r"true|True|TRUE|false|False|FALSE", text):
        return text.lower() == "true"
    if re.fullmatch(r"[-+]?[0-9]+", text):
        return int(text)
    if re.fullmatch(r"0o[0-7]+", text) or re.fullmatch(r"0x[0-9a-fA-F]+", text):
        return int(text, 0)
    if re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", text):
        return float(text)
    if re.fullmatch(r"[-+]?(\.inf|\.Inf|\.INF)", text):
        return -math.inf if text.startswith("-") else math.inf
    return text


@given(
    st.one_of(
        st.text("0123456789+-.eExoabFnuNIltrs~_", max_size=9),
        st.from_regex(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,2})?", fullmatch=True),
        st.from_regex(r"0[ox][0-9a-fA-F]{1,8}", fullmatch=True),
        st.text(max_size=6).filter(lambda text: "nan" not in text.lower()),
    ).filter(lambda text: text not in {".nan", ".NaN", ".NAN"})
)
def test_the_resolver_agrees_with_the_specification(text: str) -> None:
    """For any text the value is that of the specification's own expressions, or it is out of range."""
    try:
        found = resolve_plain(text)
    except ValueError:
        assert reference(text) in {math.inf, -math.inf}
    else:
        expected = reference(text)
        assert (type(found), found) == (type(expected), expected)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
@example({"emoji": "\U0001f600", '\\"\\ud83d\\ude00': "\\\U0001f600", "": [[], {}]})
def test_json_is_read_as_json_readers_do(value: object) -> None:
    """Escaped JSON in a .json file gives what the json module reads, surrogate pairs included."""
    text = json.dumps(value)
    assert parse_document(text, "f.json").value == json.loads(text)


@pytest.mark.usefixtures("composer")
def test_values_and_keys() -> None:
    """Quoted scalars are strings; plain keys are their own text, whatever they look like."""
    document = parse("""\
        responses:
          200: {description: "200"}
          default: '1'
        true: [1, 0x10, yes]
        block: |
          a
          b
        """)
    assert document.value == {
        "responses": {"200": {"description": "200"}, "default": "1"},
        "true": [1, 16, "yes"],
        "block": "a\nb\n",
    }


@pytest.mark.usefixtures("composer")
@pytest.mark.parametrize("text", ["", "# only a comment\n", "\ufeff", "~"])
def test_an_empty_document_is_null(text: str) -> None:
    document = parse_document(text, "f.yaml")
    assert document.value is None
    assert document.position(("a",)) == (1, 1)


@pytest.mark.usefixtures("composer")
def test_aliases_are_copied_out() -> None:
    """Each alias has a value of its own: changing one leaves the others."""
    value = parse("a: &x {n: [1]}\nb: *x\nc: [*x, *x]\n").value
    assert value == {"a": {"n": [1]}, "b": {"n": [1]}, "c": [{"n": [1]}, {"n": [1]}]}
    value["b"]["n"].append(2)
    assert value["a"] == value["c"][0] == {"n": [1]}


LAUGHS = "\n".join(
    ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
)


FAULTS = [
    ("a: 1\nb: 2\na: 3\nb: 4\n", ["3:1: key 'a' stands twice, first on line 1",
                                  "4:1: key 'b' stands twice, first on line 2"]),
    ("r:\n  200: a\n  '200': b\n", ["3:3: key '200' stands twice, first on line 2"]),
    ("a: &x {k: 1, k: 2}\nb: *x\n", ["1:14: key 'k' stands twice, first on line 1"]),
    ("b: &b {x: 1}\nc:\n  <<: *b\n", ["3:3: the merge key << is not part of YAML 1.2"]),
    ("a: !!str 3\nb: !x {}\n!!int 1: [!y z]\n", ["1:4: tags are not supported: tag:yaml.org,2002:str",
                                  "2:4: tags are not supported: !x",
                                  "3:1: tags are not supported: tag:yaml.org,2002:int",
                                  "3:11: tags are not supported: !y"]),
    ("a: !<plain> 3\n", ["1:4: tags are not supported: plain"]),
    ("? [1]\n: 2\n? \n: 3\n", ["1:3: a key must be a string", "3:2: a key must be a string"]),
    ("a: &a\n  b: [*a]\n", ["1:4: an alias inside it refers to the value itself"]),
    (LAUGHS, [f"1:31: aliases add more than {MAX_COPIES} values"]),
    ("a: " + "9" * 5000, ["1:4: a number is too large"]),
    ("a:\n- 1\n- 1e999\n", ["3:3: a number is too large"]),
    ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
     [f"1:{MAX_DEPTH + 1}: nested deeper than {MAX_DEPTH} levels"]),
    ("a:\n " + "[" * 100_000, [f"2:{MAX_DEPTH + 1}: nested deeper than {MAX_DEPTH} levels"]),
    ("a: b\n---\nc: d\n", ["2:1: a second document begins here; one is expected"]),
    (b"a: b\nc: \xc3\xa4\xff", ["2:5: the text is not UTF-8"]),
    ("\u00e4: 1\nab: \x01", ["2:5: a character is not allowed"]),
]  # fmt: skip


@pytest.mark.usefixtures("composer")
@pytest.mark.parametrize(("text", "expected"), FAULTS)
def test_faults_with_their_place(text: str | bytes, expected: list[str]) -> None:
    """Each refused construct, all of them in one go, at the exact line and column, in both composers."""
    found = [fault.removeprefix("f.yaml:") for fault in faults(text)]
    if expected[0].endswith("is not allowed"):
        found = [fault[: fault.index("allowed") + len("allowed")] for fault in found]
    assert found == expected


@pytest.mark.usefixtures("composer")
@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: [1\nb: 2\n", (2, 2)),
        ("a:\n\tb: 1\n", (2, 1)),
        ("a: *nowhere\n", (1, 4)),
        ("x: &x a\ny: &x b\n", (2, 4)),
        ("a: @b\n", (1, 4)),
        ('a: "b\n', (2, 1)),
    ],
)
def test_syntax_errors_have_a_place(text: str, place: tuple[int, int]) -> None:
    """What the composer cannot read is one fault, at its line and column, on one line of text."""
    with pytest.raises(ConfigError) as caught:
        parse_document(text, "f.yaml")
    (fault,) = caught.value.faults
    assert (fault.line, fault.column) == place
    assert "\n" not in fault.message


DOCUMENT = """\
# a comment
paths:
  /a:
    get: {id: x, tags: [one, two]}
    \u00fc\U0001f600: {k: v}
list:
- first
-   - inner
shared: &s
  deep: 1
use: *s
"""


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ((), (2, 1)),
        (("paths",), (2, 1)),
        (("paths", "/a"), (3, 3)),
        (("paths", "/a", "get", "id"), (4, 11)),
        (("paths", "/a", "get", "tags"), (4, 18)),
        (("paths", "/a", "get", "tags", 1), (4, 30)),
        (("paths", "/a", "\u00fc\U0001f600", "k"), (5, 10)),
        (("list", 0), (7, 3)),
        (("list", 1, 0), (8, 7)),
        (("use", "deep"), (10, 3)),
        (("paths", "/b", "get"), (2, 1)),
        (("paths", "/a", "get", "tags", 2), (4, 18)),
        (("paths", "/a", "get", "tags", -1), (4, 18)),
        (("list", "0"), (6, 1)),
        (("nothing",), (2, 1)),
    ],
)
def test_positions(path: tuple[str | int, ...], place: tuple[int, int]) -> None:
    """A member stands where its key does; what is missing, where its nearest ancestor does."""
    assert parse_document(DOCUMENT, "f.yaml").position(path) == place


def test_a_fault_of_a_document_names_file_line_and_column() -> None:
    fault = parse_document(DOCUMENT, "f.yaml").fault(("paths", "/a", "get", "id"), "is wrong")
    assert str(fault) == "f.yaml:4:11: is wrong"


@given(json_values)
def test_positions_point_at_the_value(value: object) -> None:
    """In indented JSON every member's position is exactly that of its key's opening quote."""
    text = json.dumps({"key": value, "last": 1}, indent=1)
    lines = text.splitlines()
    line, column = parse_document(text, "f.json").position(("last",))
    assert lines[line - 1][column - 1 :] == '"last": 1'


def test_a_file_is_read_under_the_name_given(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes("\ufeffa: 1\n".encode())
    assert read(path).file == str(path)
    assert read(path, name="short").file == "short"
    assert read(path).value == {"a": 1}


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file and a folder are faults of the whole file, not tracebacks."""
    with pytest.raises(ConfigError) as caught:
        read(tmp_path / "missing.yaml", name="missing.yaml")
    assert str(caught.value) == "missing.yaml:0:0: cannot be read: No such file or directory"
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read(tmp_path)


def test_a_document_does_not_show_its_content() -> None:
    assert repr(parse_document("key: s3cret", "f.yaml")) == "Document('f.yaml')"


def test_both_composers_read_a_large_document_alike() -> None:
    """The fallback gives the values that libyaml gives, on a made-up document of many shapes."""
    text = yaml.safe_dump({f"k{i}": [{"a": i, "b": "x" * i, "c": [None, True, i / 3]}] for i in range(60)})
    values = []
    for composer in COMPOSERS:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(documents, "_Composer", composer)
            values.append(parse_document(text, "f.yaml").value)
    assert all(value == yaml.safe_load(text) for value in values)
