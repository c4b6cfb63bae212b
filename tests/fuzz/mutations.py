"""Inputs for hypothesis: good ones, damaged a little, as atheris does by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST = 4
"""How many times an input is damaged at most."""


@st.composite
def mutated(draw: st.DrawFn, seeds: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    """Take a seed and flip, delete, double and insert in it; or splice it with another one."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, MOST))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 8))
        match draw(st.sampled_from(("flip", "delete", "double", "insert", "replace", "splice", "cut"))):
            case "flip":
                flipped = bytes(byte ^ (1 << draw(st.integers(0, 7))) for byte in data[at : at + 1])
                data = data[:at] + flipped + data[at + 1 :]
            case "delete":
                data = data[:at] + data[at + length :]
            case "double":
                data = data[: at + length] + data[at:]
            case "insert":
                data = data[:at] + draw(st.sampled_from(tokens)) + data[at:]
            case "replace":
                token = draw(st.sampled_from(tokens))
                data = data[:at] + token + data[at + len(token) :]
            case "splice":
                other = draw(st.sampled_from(seeds))
                data = data[:at] + other[draw(st.integers(0, len(other))) :]
            case _:
                data = data[:at]
    return data
