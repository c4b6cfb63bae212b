"""``gateway replay``: what another configuration would change for the requests that were recorded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from gateway.audit.faults import AuditError
from gateway.audit.replay import work
from gateway.wiring import compile_plan
from tests.support.ledgers import MOMENT, NAME
from tests.support.program import Program, write_config
from tests.support.replays import Recorder

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command

HELLO = b'{"role": "user", "content": "Hello"}'
HI = b'{"role": "user", "content": "Hi"}'
BAD = b'{"role": "system", "content": "Hi"}'
SHORT = "policies: {default: {schemas: {createMessage: {properties: {content: {maxLength: 4}}}}}}\n"
PATTERN = 'policies: {default: {schemas: {createMessage: {properties: {content: {pattern: "^H"}}}}}}\n'


@pytest.fixture
def current(tmp_path: Path) -> Path:
    return write_config(tmp_path / "current.yaml", 9, "audit: {directory: audit}\n")


def other(folder: Path, more: str, **options: Any) -> Path:
    """Write the other configuration, whose own ledger is of no concern."""
    return write_config(folder / "new.yaml", 9, f"audit: {{directory: nowhere}}\n{more}", **options)


def record(current: Path, *bodies: bytes, content: Any = "full", **options: Any) -> list[str]:
    """Record requests under the current configuration; give their ids."""
    recorder = Recorder(current.parent / "audit", compile_plan(current, {}), content, **options)
    ids = [recorder.send(body) for body in bodies]
    recorder.close()
    return ids


def test_newly_refused(command: Command, current: Path, tmp_path: Path) -> None:
    """Exit status 1, and a table by operation, app and code with the first records."""
    ids = record(current, HELLO, HI, BAD, *[HELLO] * 6)
    result = command("replay", str(other(tmp_path, SHORT)), "-c", str(current))
    assert result.status == 1
    heading, row, empty, summary = result.output.splitlines()
    assert " ".join(heading.split()) == "change operation app code or reason requests the first of them"
    assert row.split() == [
        "newly",
        "refused",
        "createMessage",
        "-",
        "string_above_max_length",
        "7",
        ids[0],
        *ids[3:5],
    ]
    assert empty == ""
    assert summary == (
        "9 requests since 7d: 7 newly refused, 0 newly permitted, 0 not judged, 2 unchanged, 0 left out."
    )


def test_newly_permitted(command: Command, current: Path, tmp_path: Path) -> None:
    """Exit status 0: nothing is newly refused; as JSON it is for machines."""
    write_config(current, 9, f"audit: {{directory: audit}}\n{SHORT}")
    ids = record(current, HELLO, HI, content="redacted")
    result = command("replay", str(other(tmp_path, "")), "-c", str(current), "--json")
    assert result.status == 0
    assert json.loads(result.output) == {
        "requests": 2,
        "unchanged": 1,
        "left_out": 0,
        "damaged": 0,
        "refused": {"count": 0, "groups": []},
        "permitted": {
            "count": 1,
            "groups": [
                {"operation": "createMessage", "app": "-", "code": "string_above_max_length", "count": 1,
                 "ids": ids[:1]}
            ],
        },
        "unknown": {"count": 0, "groups": []},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "more", "reason"),
    [
        ("none", SHORT, "its body was not kept"),
        ("redacted", PATTERN, "a pattern or format asks for texts that were replaced"),
    ],
)
def test_not_judged(
    command: Command, current: Path, tmp_path: Path, content: str, more: str, reason: str
) -> None:
    """Exit status 3, and it says what it would have taken."""
    record(current, HELLO, content=content)
    result = command("replay", str(other(tmp_path, more)), "-c", str(current))
    assert result.status == 3
    assert f"not judged  createMessage  -    {reason}" in result.output


def test_refused_beats_not_judged(command: Command, current: Path, tmp_path: Path) -> None:
    """Exit status 1 where some would be refused and some cannot be judged."""
    record(current, HELLO, content="none")
    record(current, HELLO, content="full", start=MOMENT + 1000)
    result = command("replay", str(other(tmp_path, SHORT)), "-c", str(current), "--json")
    report = json.loads(result.output)
    assert (result.status, report["refused"]["count"], report["unknown"]["count"]) == (1, 1, 1)


def test_same_configuration(command: Command, current: Path) -> None:
    """The configuration itself changes nothing, whatever is kept, and leaves nothing in doubt."""
    for number, content in enumerate(("none", "redacted", "full")):
        record(current, HELLO, BAD, b"{", content=content, start=MOMENT + 1000 * number)
    result = command("replay", str(current), "-c", str(current), "--since", "2027-01-01")
    assert result.status == 0
    assert result.output == (
        "9 requests since 2027-01-01: 0 newly refused, 0 newly permitted, 0 not judged, 9 unchanged, "
        "0 left out.\n"
    )


def test_since(command: Command, current: Path, tmp_path: Path) -> None:
    """Older records are left alone, to the millisecond, in segments of the same hour and of older ones."""
    record(current, HELLO, start=MOMENT - 7_200_000)
    record(current, HELLO, HELLO, HELLO)
    new = str(other(tmp_path, SHORT))
    for since, count in (("2027-01-15T08:00:00.002Z", 2), ("2027-01-15", 4), ("2027-01-16", 0)):
        result = command("replay", new, "-c", str(current), "--since", since, "--json")
        assert json.loads(result.output)["requests"] == count
    result = command("replay", new, "-c", str(current), "--since", "yesterday")
    assert result.status == 2
    assert "--since" in result.errors


def test_left_out_and_damaged(command: Command, current: Path, tmp_path: Path) -> None:
    """What was refused for other reasons is told and no doubt; damaged lines are counted."""
    record(current, HI)
    recorder = Recorder(tmp_path / "audit", compile_plan(current, {}), "none", start=MOMENT + 1000)
    recorder.send(HI, decision="reject", phase="limit", code="rate_limit_exceeded")
    recorder.close()
    [segment] = (tmp_path / "audit" / "ledger" / NAME).glob("*.jsonl")
    lines = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(b"".join([lines[0].replace(b"segment", b"sigment"), *lines[1:]]))
    result = command("replay", str(other(tmp_path, SHORT)), "-c", str(current))
    assert result.status == 0
    assert "1 unchanged, 1 left out." in result.output
    assert "1 lines of the ledger are damaged; `gateway audit verify` says where." in result.output


def test_faults(command: Command, current: Path, tmp_path: Path) -> None:
    """Exit status 2 with every fault of either configuration, as `check` prints them."""
    record(current, HI)
    new = other(tmp_path, "colour: red\nbody: {max_depth: none}\n")
    result = command("replay", str(new), "-c", str(current))
    checked = command("check", "-c", str(new))
    assert result == checked
    assert result.status == 2
    assert len(result.output.splitlines()) == 2


def test_no_ledger(command: Command, current: Path, tmp_path: Path) -> None:
    """Exit status 2: that nothing is there to judge is not that nothing would change."""
    result = command("replay", str(other(tmp_path, SHORT)), "-c", str(current))
    assert result == (2, "", f"gateway: {tmp_path / 'audit'}: there is no ledger here.\n")


def test_processes(command: Command, current: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In pieces and by several processes the same is found as in one, and nothing twice."""
    bodies = [(HELLO, HI, BAD)[number % 3] for number in range(120)]
    record(current, *bodies, segment_bytes=8000)
    arguments = ("replay", str(other(tmp_path, SHORT)), "-c", str(current), "--json")
    alone = command(*arguments)
    assert json.loads(alone.output)["refused"]["count"] == 40
    pieces, judge_all = work.pieces, work.judge_all
    monkeypatch.setattr(work, "pieces", lambda directory, since: pieces(directory, since, 1000))
    assert command(*arguments) == alone
    progress: list[int] = []

    def several(found: Any, make: Any, since: str, **_: Any) -> Any:
        assert len(found) > 40
        return judge_all(found, make, since, processes=2, progress=progress.append)

    monkeypatch.setattr(work, "judge_all", several)
    assert command(*arguments) == alone
    assert sum(progress) == sum(one.end - one.start for one in pieces(tmp_path / "audit", None))


def test_a_process_that_fails(tmp_path: Path, current: Path) -> None:
    """What keeps a process from judging is told in one sentence, and no process is left."""
    record(current, *[HI] * 30)
    found = work.pieces(tmp_path / "audit", None, 1000)
    with pytest.raises(AuditError, match=r"internal error \(ZeroDivisionError\)"):
        work.judge_all(found, fail, "", processes=2)
    with pytest.raises(AuditError, match="no such thing"):
        work.judge_all(found, refuse, "", processes=2)
    with pytest.raises(AuditError, match="ended before its work was done"):
        work.judge_all(found, vanish, "", processes=2)


def fail() -> work.Means:
    raise ZeroDivisionError


def refuse() -> work.Means:
    raise AuditError("no such thing")


def vanish() -> work.Means:
    raise SystemExit


def test_as_a_program(current: Path, tmp_path: Path) -> None:
    """The command as it is started: its processes are its own program, too."""
    record(current, HELLO, *[HI] * 20_000, commit=1000)
    new = other(tmp_path, SHORT)
    with Program("replay", str(new), "-c", str(current)) as program:
        program.wait()
        assert program.process.returncode == 1
    assert "20001 requests since 7d: 1 newly refused, 0 newly permitted" in program.output[-1]
