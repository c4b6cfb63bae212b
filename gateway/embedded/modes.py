"""How the embedded upstream shall misbehave: the words of ``x-embedded-mode``, read strictly. Pure.

The value is a list of words, separated by commas: ``slow=0.5``, ``stream=5, pause=0.1, truncate``.

| word       | what happens                                                                              |
|------------|-------------------------------------------------------------------------------------------|
| `slow=S`   | waits S seconds before it answers                                                         |
| `fail=N`   | answers with status N (400 to 599) and an error in the API's form; nothing is stored      |
| `reset`    | resets the connection (TCP RST) instead of answering                                      |
| `truncate` | sends the head and half of the body, then closes the connection                           |
| `stall`    | sends the head and half of the body, then nothing more for 60 s, then closes              |
| `stream=N` | answers a created message as server-sent events with N deltas (0 to 1000); no other route |
| `pause=S`  | waits S seconds between two events of a stream                                            |

Every wait is at most 60 seconds and ends when the client goes away. What a request asks for is done, and
kept, before ``reset``, ``truncate`` and ``stall`` break its answer: as with a real fault, the caller
cannot tell. Words combine; of ``reset``, ``truncate`` and ``stall`` one at most, and they leave answers that
are errors alone, those of ``fail`` included.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

MODE_HEADER: Final = "x-embedded-mode"
LONGEST: Final = 60.0
"""The longest wait, in seconds."""

MOST_DELTAS: Final = 1000

_NUMBER = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?", re.ASCII)

Break = Literal["reset", "truncate", "stall"]


@dataclass(frozen=True, slots=True)
class Mode:
    """What was asked for: waits in seconds, 0 for none; ``breaks`` says how the answer ends early."""

    slow: float = 0.0
    fail: int | None = None
    breaks: Break | None = None
    stream: int | None = None
    pause: float = 0.0


def read_mode(value: str) -> Mode:
    """Read the words of the header; an empty value is good behaviour.

    Raises ValueError, with a sentence to show, for an unknown word or a figure out of range.
    """
    found: dict[str, Any] = {}
    for item in filter(None, map(str.strip, value.split(","))):
        word, equals, figure = item.partition("=")
        if equals and word in _FIGURES:
            key, read = word, _FIGURES[word](word, figure)
        elif word in _BREAKS and not equals:
            key, read = "breaks", word
        else:
            raise ValueError(f"The {MODE_HEADER} header has an unknown word; see its documentation.")
        if key in found:
            raise ValueError(f"The {MODE_HEADER} header sets '{key}' twice.")
        found[key] = read
    return Mode(**found)


def _seconds(word: str, figure: str) -> float:
    if not _NUMBER.fullmatch(figure) or float(figure) > LONGEST:
        raise ValueError(f"'{word}' takes seconds, 0 to {LONGEST:g}.")
    return float(figure)


def _count(low: int, high: int) -> Callable[[str, str], int]:
    def read(word: str, figure: str) -> int:
        if not _NUMBER.fullmatch(figure) or "." in figure or not low <= int(figure) <= high:
            raise ValueError(f"'{word}' takes a whole number, {low} to {high}.")
        return int(figure)

    return read


_BREAKS: Final = ("reset", "truncate", "stall")
_FIGURES: Final[dict[str, Callable[[str, str], Any]]] = {
    "slow": _seconds,
    "pause": _seconds,
    "fail": _count(400, 599),
    "stream": _count(0, MOST_DELTAS),
}
