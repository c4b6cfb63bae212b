"""Short runs of all targets; long ones are ``make fuzz``, see README.md beside this."""

from __future__ import annotations

import os
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.bytestreams import cut_at
from tests.fuzz.campaign import command, crashes, prepare
from tests.fuzz.mutations import mutated
from tests.fuzz.streams import ANSWER, check_same, feed, hold_same, run
from tests.fuzz.targets import TARGETS, seeds
from tests.support.plane import request

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).parents[2]
CASES = sorted(Path(__file__).with_name("cases").glob("*/*.bin"))
EXAMPLES = {"decide": 300, "downstream": 100, "upstream": 150}
"""How many inputs are made for a target, where it is not 400: those that cost more."""


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_kept_cases(path: Path) -> None:
    """What broke an invariant once does so no more."""
    TARGETS[path.parent.name].run(path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_seeds(name: str) -> None:
    """The invariant holds for what every search starts from."""
    for data in seeds(name):
        TARGETS[name].run(data)


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_inputs(name: str) -> None:
    """The invariant holds for seeds that were damaged, and for bytes out of nowhere."""
    target = TARGETS[name]

    @settings(max_examples=EXAMPLES.get(name, 400), suppress_health_check=list(HealthCheck))
    @given(mutated(seeds(name), target.words) | st.binary(max_size=40))
    def hold(data: bytes) -> None:
        target.run(data)

    hold()


STREAM = (
    request()
    + request(b"POST /v1/x", body=b"GET / HTTP/1.1\r\n\r\n")
    + b"\r\n"
    + request(framing=b"Transfer-Encoding: chunked", body=b'11;x\r\n{"text": "hello"}\r\n0\r\nX: y\r\n\r\n')
    + request(b"POST /v1/messages", b"Expect: 100-continue", body=b"{}")
)
LAST = {
    "a good one": request(b"GET /v1/messages", body=b""),
    "a bare LF": b"GET /v1/messages HTTP/1.1\nHost: a\r\n\r\n",
    "two lengths": request(b"POST /v1/messages", b"Content-Length: 3"),
    "a bad chunk": request(framing=b"Transfer-Encoding: chunked", body=b"5\r\nhello0\r\n\r\n"),
    "half a head": b"GET /v1/messages HTTP/1.1\r\nHo",
    "half a body": request()[:-4],
}


@pytest.mark.parametrize("last", LAST)
def test_every_boundary_downstream(last: str) -> None:
    """A stream of requests, good, refused and broken, has one meaning wherever it is cut in two."""
    stream = STREAM + LAST[last]
    eof = last.startswith("half")
    whole = feed([stream], eof=eof)
    assert len(whole.outcomes) == 5
    for at in range(1, len(stream)):
        hold_same(feed(cut_at(stream, [at]), eof=eof, patient=at % 2 == 0), whole)


ANSWERS = {
    "sized": ANSWER,
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nX: y\r\n\r\n",
    "interim": b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 204 No Content\r\nX: y\r\n\r\n",
    "ended": b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n\r\nabc",
    "two": ANSWER * 2,
    "a bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "too short": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
}


@pytest.mark.parametrize("end", ["stay", "fin", "reset"])
@pytest.mark.parametrize("answer", ANSWERS)
def test_every_boundary_upstream(answer: str, end: str) -> None:
    """An upstream's answer is whole, or broken in the same way, wherever it is cut in two."""
    raw = ANSWERS[answer]
    cuts = [[raw], *(cut_at(raw, [at]) for at in range(1, len(raw)))]
    check_same([run([request()], answer=tuple(pieces), end=end) for pieces in cuts], head=False)


@pytest.fixture
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep coverage out of child processes: it would see nothing that is new, and cost most of the time."""
    for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("_alone")
@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris has wheels for Linux on x86-64 only")
@pytest.mark.parametrize(("name", "runs"), [("decide", 2200), ("downstream", 1000)])
def test_atheris(name: str, runs: int, tmp_path: Path) -> None:
    """A short run of the engine that looks for what is new; the same inputs at every run."""
    prepare(tmp_path, name)
    ended = subprocess.run(
        [*command(tmp_path, name), f"-runs={runs}", "-seed=1"], cwd=FOLDER, capture_output=True, check=False
    )
    assert crashes(tmp_path, name) == set(), ended.stderr.decode("utf-8", "replace")[-3000:]
    assert ended.returncode == 0, ended.stderr.decode("utf-8", "replace")[-3000:]


def _broken(data: bytes) -> None:
    assert b"\r\n\r\n" not in data


def test_damage_is_found() -> None:
    """What damages inputs makes what it was given no word for: a broken invariant shows."""
    found: Callable[[], None] = settings(max_examples=1000, database=None)(
        given(mutated([b"a\r\n"], [b"\r\n"]))(_broken)
    )
    with pytest.raises(AssertionError):
        found()
