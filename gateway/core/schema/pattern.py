r"""Patterns: ECMA 262 meaning, in linear time, on whichever of two engines suits.

A pattern is read into a tree (:mod:`gateway.core.schema.ecma`) and written anew with nothing left to an
engine's taste: every class is spelled out as code points, ``$`` is the very end. Python's ``re`` takes it
when its backtracking is provably cheap: when the number of steps that it can take is small, or is small for
each character of the input. All others go to the Rust ``regex`` engine inside jsonschema-rs, which never
backtracks, and which is imported only then: that costs 7.5 MiB.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from gateway.core.schema.ecma import Characters, Choice, Edge, PatternFault, Repeat, read_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway.core.schema.ecma import Term

__all__ = ["PatternFault", "matcher"]

_MAX_STEPS: Final = 1_000_000
"""How many steps a backtracking engine may need for a text, about 10 ns each."""
_MAX_STEPS_EACH: Final = 100
"""The same for each character of the text."""
_MAX_STATES: Final = 10_000
"""How large any other pattern may be, counted in characters with repetitions written out."""
_MAX_STATES_EACH: Final = 1000
"""The same for a pattern that can be at all of its places for every character of the text.

The engine takes 6 ns for a place and a character at worst, where no automaton of a bearable size exists.
"""

_TOO_LARGE: Final = "it is too large, with its repetitions written out"


@lru_cache(maxsize=1024)
def matcher(pattern: str) -> Callable[[str], object]:
    """Compile an ECMA 262 pattern (flag ``u``): what it gives is truthy when it is found anywhere in a text.

    The text must not hold lone surrogates; parsed JSON never does. Raises :class:`PatternFault` for what is
    no pattern, and for what cannot be matched in linear time: look-arounds, back-references, and patterns too
    large for it.
    """
    tree = read_pattern(pattern)
    if _cheap(tree):
        return re.compile(_python(tree)).search
    growing = not _anchored(tree) or any(isinstance(one, Repeat) and one.high is None for one in _terms(tree))
    if _states(tree) > (_MAX_STATES_EACH if growing else _MAX_STATES):
        raise PatternFault(_TOO_LARGE)
    return _rust_matcher(tree)


def _anchored(tree: Choice) -> bool:
    """Say whether a match can only begin at the start of the text."""
    return all(branch[:1] == (Edge("^"),) for branch in tree.branches)


def _inner(term: Term) -> Iterator[Term]:
    if isinstance(term, Choice):
        for branch in term.branches:
            yield from branch
    elif isinstance(term, Repeat):
        yield term.term


def _terms(term: Term) -> Iterator[Term]:
    """Give a term and all terms inside it."""
    yield term
    for inner in _inner(term):
        yield from _terms(inner)


def _states(term: Term) -> int:
    """Count the places that a match can be at, about as an automaton would have states."""
    inside = sum(map(_states, _inner(term)))
    if isinstance(term, Repeat):
        return inside * max(1, term.low if term.high is None else term.high)
    return 1 + inside


def _cheap(tree: Choice) -> bool:
    """Say whether a backtracking engine is sure to be quick, too.

    One repetition without end, or one start that moves, lets it take its steps again for each character of
    the text; a second one would make that the square.
    """
    terms = list(_terms(tree))
    repeats = [term for term in terms if isinstance(term, Repeat)]
    if any(isinstance(term, Characters) and term.properties for term in terms):
        return False
    if any(term.high != 1 and not _simple(term.term) for term in repeats):
        return False
    growing = sum(term.high is None for term in repeats) + (not _anchored(tree))
    return growing <= 1 and _steps(tree, 1)[0] <= (_MAX_STEPS_EACH if growing else _MAX_STEPS)


def _simple(term: Term) -> bool:
    """Say whether there is one way only to match a term."""
    return not any(
        isinstance(inner, Repeat) or (isinstance(inner, Choice) and len(inner.branches) > 1)
        for inner in _terms(term)
    )


def _steps(term: Term, ways: int) -> tuple[int, int]:
    """Bound the steps that trying a term takes when what precedes it can match in so many ways.

    Gives the steps, and the number of ways to match everything up to the term's end.
    """
    if isinstance(term, Repeat):
        steps, after = _steps(term.term, ways)
        if term.high is None:
            return steps * max(1, term.low), ways
        after = after + ways if term.high == 1 else ways * (term.high - term.low + 1)
        return steps * max(1, term.high), after
    if isinstance(term, Choice):
        steps = after = 0
        for branch in term.branches:
            behind = ways
            for inner in branch:
                taken, behind = _steps(inner, behind)
                steps += taken
            after += behind
        return steps + ways, after
    return ways, ways


_PYTHON_EDGES: Final = {
    "^": r"\A",
    "$": r"\Z",
    "b": r"(?a:\b)",
    # Not \B, which Python does not find in an empty text.
    "B": r"(?a:(?<=\w)(?=\w)|(?<!\w)(?!\w))",
}
_RUST_EDGES: Final = {"^": r"\A", "$": r"\z", "b": r"(?-u:\b)", "B": r"(?-u:\B)"}


def _python(term: Term) -> str:
    if isinstance(term, Edge):
        return _PYTHON_EDGES[term.kind]
    if isinstance(term, Characters):
        return _set(term, "\\U{:08x}")
    return _written(term, _python)


def _rust(term: Term) -> str:
    if isinstance(term, Edge):
        return _RUST_EDGES[term.kind]
    if isinstance(term, Characters):
        return _set(term, "\\x{{{:x}}}")
    return _written(term, _rust)


def _written(term: Choice | Repeat, write: Callable[[Term], str]) -> str:
    """Write a group or a repetition, which all engines spell alike."""
    if isinstance(term, Choice):
        return f"(?:{'|'.join(''.join(map(write, branch)) for branch in term.branches)})"
    high = "" if term.high is None else term.high
    return f"{write(term.term)}{{{term.low},{high}}}"


def _set(term: Characters, code: str) -> str:
    """Write a set of characters, in code points written as ``code`` says."""
    parts = [
        code.format(low) if low == high else f"{code.format(low)}-{code.format(high)}"
        for low, high in term.ranges
    ]
    parts += [f"\\{'P' if negated else 'p'}{{{name}}}" for name, negated in term.properties]
    if not parts:
        return "(?s:.)"
    return f"[{'^' if term.negated else ''}{''.join(parts)}]"


def _rust_matcher(tree: Choice) -> Callable[[str], object]:
    found = _rust_engine(_rust(tree))
    if found is not None:
        return found
    for term in _terms(tree):
        for name, _ in term.properties if isinstance(term, Characters) else ():
            if _rust_engine(f"\\p{{{name}}}") is None:
                raise PatternFault(f"the Unicode property {name} is not known")
    raise PatternFault(_TOO_LARGE)


def _rust_engine(text: str) -> Callable[[str], object] | None:
    import jsonschema_rs  # noqa: PLC0415 - see the module's text

    try:
        # Without RegexOptions it would be an engine that backtracks.
        validator = jsonschema_rs.Draft202012Validator(
            {"pattern": text}, pattern_options=jsonschema_rs.RegexOptions()
        )
    except jsonschema_rs.ValidationError:
        return None
    return validator.is_valid
