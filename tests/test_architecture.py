"""What the house promises of its own source."""

from __future__ import annotations

import ast
from pathlib import Path

import gateway
from gateway.core.codes import CODES

SOURCE = Path(gateway.__file__).parent
MODULES = {path.relative_to(SOURCE).as_posix(): path for path in sorted(SOURCE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text("utf-8")) for name, path in MODULES.items()}


def calls(tree: ast.AST, name: str) -> list[ast.Call]:
    """Give the calls of ``name`` or ``x.name``, and of its other ways to be made."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Attribute) and function.attr in {"_make", "_replace", "__new__"}:
                function = function.value
            if name in (getattr(function, "id", None), getattr(function, "attr", None)):
                found.append(node)
    return found


def strings(tree: ast.AST) -> set[str]:
    """Give all string literals but docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
    }


def test_permits_are_made_in_one_place() -> None:
    """Only core/decide.py makes a Permit, once: nothing that was not judged can be forwarded."""
    makers = {name: len(calls(tree, "Permit")) for name, tree in TREES.items() if calls(tree, "Permit")}
    assert makers == {"core/decide.py": 1}


def test_modules_are_short() -> None:
    """No module is longer than 450 lines."""
    lengths = {name: len(path.read_text("utf-8").splitlines()) for name, path in MODULES.items()}
    assert {name: length for name, length in lengths.items() if length > 450} == {}


AWAITED = {
    "invalid_api_key", "not_allowed", "rate_limit_exceeded",
}  # fmt: skip
"""Codes of phases whose seams are there and which are not served yet."""


def test_every_code_is_used() -> None:
    """Each code of the table is given somewhere else in the source, but for those of later phases."""
    used: set[str] = set()
    for name, tree in TREES.items():
        if name != "core/codes.py" and not name.startswith("audit/"):  # which reads codes, and gives none
            used |= strings(tree)
    numbers = {
        f"{kind}_{end}" for kind in ("integer", "decimal") for end in ("below_min_value", "above_max_value")
    }
    unused = {code for code in CODES if code not in used} - numbers
    assert unused == AWAITED


def _given_codes(tree: ast.AST) -> set[str]:
    """Give the literals in the places where refusals take their code."""
    places = {
        "Rejection": (1, "code"),
        "UpstreamFault": (0, "code"),
        "refuse": (1, "code"),
        "status_of": (0, "code"),
    }
    found: set[str] = set()
    for name, (index, keyword) in places.items():
        for call in calls(tree, name):
            values = [
                *call.args[index : index + 1],
                *(item.value for item in call.keywords if item.arg == keyword),
            ]
            found |= {
                item.value
                for item in values
                if isinstance(item, ast.Constant) and isinstance(item.value, str)
            }
    return found


def test_every_given_code_is_listed() -> None:
    """Each code that a refusal is made with is in the table."""
    assert len(set().union(*map(_given_codes, TREES.values()))) > 10
    for name, tree in TREES.items():
        if name.startswith("embedded/"):
            continue  # an upstream of its own, with codes of its own
        assert _given_codes(tree) - set(CODES) == set(), name
