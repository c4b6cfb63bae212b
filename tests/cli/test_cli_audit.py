"""``gateway audit``: the verbs that work on the ledger alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest

from gateway.audit.follower import Follower
from gateway.audit.index import open_index
from gateway.audit.instance import instance_id
from gateway.audit.segments import segments
from gateway.audit.verify import verify
from gateway.cli.audit import verify as verb
from tests.support.ledgers import NAME, made_up, members, open_stream, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command


@pytest.fixture
def trail(config: Path) -> Path:
    """Give the audit directory of the configuration, with a ledger of three segments."""
    directory = config.parent / "var" / "audit"
    write(directory, made_up(60), segment_bytes=20_000, commit=20)
    assert len(segments(directory / "ledger" / NAME)) == 3
    return directory


def spoil(trail: Path, count: int) -> Path:
    """Change so many lines of the first segment."""
    path = segments(trail / "ledger" / NAME)[0].path
    lines = path.read_bytes().splitlines(keepends=True)
    lines[:count] = [line.replace(b'"kind"', b'"king"') for line in lines[:count]]
    path.write_bytes(b"".join(lines))
    return path


def test_an_intact_ledger(command: Command, config: Path, trail: Path) -> None:
    """By the configuration or by the directory alone, which needs none: exit status 0, and the figures."""
    size = sum(one.path.stat().st_size for one in segments(trail / "ledger" / NAME))
    for where in (["-c", str(config)], ["--directory", str(trail)]):
        result = command("audit", "verify", *where)
        assert result == (0, f"intact: 63 records of 1 stream, {size} bytes.\n", "")


def test_faults_are_named_and_counted(command: Command, trail: Path) -> None:
    """Exit status 1, and the first bad record by file, line and number."""
    path = spoil(trail, 2)
    result = command("audit", "verify", "--directory", str(trail))
    first, second, last = result.output.splitlines()
    place = f"{NAME}/{path.name}"
    assert first == f"{place}:1: record 1: the line was changed: its hash is another"
    assert second.startswith(f"{place}:2: record 2: ")
    assert (result.status, last.startswith("2 faults: 61 records of 1 stream")) == (1, True)


def test_more_faults_than_are_listed(command: Command, trail: Path) -> None:
    """A hundred are listed, the rest is counted."""
    path = segments(trail / "ledger" / NAME)[0].path
    path.write_bytes(path.read_bytes() + b"x\n" * 150)
    lines = command("audit", "verify", "--directory", str(trail)).output.splitlines()
    assert (len(lines), lines[100]) == (102, "and 50 more")


def test_kept_heads_show_a_cut_tail(command: Command, trail: Path, tmp_path: Path) -> None:
    """What `head` prints is what `verify --head` takes; without it a cut tail is not missed."""
    heads = tmp_path / "heads"
    heads.write_text(command("audit", "head", "--directory", str(trail)).output)
    assert command("audit", "verify", "--directory", str(trail), "--head", str(heads)).status == 0
    segments(trail / "ledger" / NAME)[-1].path.unlink()
    assert command("audit", "verify", "--directory", str(trail)).status == 0
    result = command("audit", "verify", "--directory", str(trail), "--head", str(heads))
    assert result.status == 1
    assert "record 63: the record of the kept head is cut off" in result.output


def test_what_cannot_be_used_is_told(command: Command, config: Path, trail: Path, tmp_path: Path) -> None:
    """Usage, a directory without a ledger, heads that are none, bad configuration: exit status 2."""
    bad = tmp_path / "bad.yaml"
    bad.write_text("nonsense: 1\n")
    for arguments, words in (
        (["verify", "--directory", str(tmp_path)], "there is no ledger here"),
        (["head", "--directory", str(tmp_path / "none")], "there is no ledger here"),
        (["verify", "--directory", str(trail), "-c", str(config)], "not together with -c"),
        (["verify", "-c", str(bad)], "bad.yaml:1:1: unknown key 'nonsense'"),
        (["verify", "-c", str(config), "--head", str(config)], "expected a stream, a number and a hash"),
        (["prune", "-c", str(config), "--before", "old"], "expected a duration such as 90d"),
    ):
        result = command("audit", *arguments)
        assert (result.status, words in result.errors) == (2, True), result


def test_a_file_that_cannot_be_read(command: Command, trail: Path) -> None:
    """One sentence, with the file and what the system said."""
    path = segments(trail / "ledger" / NAME)[0].path
    path.unlink()
    path.mkdir()
    result = command("audit", "verify", "--directory", str(trail))
    assert result == (2, "", f"gateway: {path}: cannot read: Not a regular file.\n")


def test_prune_removes_what_is_old_and_indexed(command: Command, config: Path, trail: Path) -> None:
    """First nothing, for the index has nothing; then all but the last segment, and the rest is intact."""
    result = command("audit", "prune", "-c", str(config))
    assert result == (0, "Nothing to prune: the index is empty, and what it has not got stays.\n", "")
    index = open_index("sqlite", trail)
    Follower(trail, index).catch_up()
    index.close()
    write(trail, made_up(5), "0123456789abcdef.7")
    assert command("audit", "prune", "-c", str(config), "--before", "365d").output == "Nothing to prune.\n"
    age_segments(trail)
    result = command("audit", "prune", "-c", str(config), "--before", "1d")
    assert result.status == 0
    heading, row = result.output.splitlines()
    assert heading.split() == ["stream", "records", "segments", "bytes"]
    assert row.split()[:5] == [NAME, "1", "to", "42", "2"]
    assert len(segments(trail / "ledger" / NAME)) == 1
    assert verify(trail).fault_count == 0
    ops = f"{instance_id(trail)}.ops"
    (told,) = [
        line for line in command("audit", "verify", "-c", str(config)).output.splitlines() if ops in line
    ]
    assert told.startswith(f"pruned: {NAME} begins with record 43, as record 2 of {ops} says (20")
    heads = trail / "heads"
    heads.write_text(f"{NAME} 7 {'a' * 64}\n")
    result = command("audit", "verify", "-c", str(config), "--head", str(heads))
    assert (result.status, f"note: {NAME}: record 7, of a kept head, was pruned\n" in result.output) == (
        0,
        True,
    )


def test_prune_removes_old_content(command: Command, config: Path, trail: Path) -> None:
    """What is kept of bodies goes by its own retention, a gateway or none; of this hour it stays."""
    for hour in ("20200101T00", "20990101T00"):
        path = trail / "content" / NAME / f"{1:019d}-{hour}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"old\n")
    result = command("audit", "prune", "-c", str(config))
    assert result == (0, "Removed of the content of bodies: 1 files, 4 bytes.\n", "")
    assert [one.name[20:31] for one in path.parent.iterdir()] == ["20990101T00"]


def age_segments(trail: Path) -> None:
    """Have all segments be of an hour long ago, as their names tell it."""
    for one in segments(trail / "ledger" / NAME):
        one.path.rename(one.path.with_name(one.path.name.replace(one.hour, "20200101T00")))


def test_prune_and_the_index(command: Command, config: Path) -> None:
    """What it removes from the index is told; by the retention alone, however soon the ledger goes."""
    trail = config.parent / "var" / "audit"
    days = (200, 100, 30, 3)
    for number, age in enumerate(days):
        moment = int((time.time() - age * 86_400) * 1000)
        stream = open_stream(trail, now=moment / 1000)
        stream.commit([members(record) for record in made_up(2, start=moment, seed=number)])
        stream.close()
    with closing(open_index("sqlite", trail)) as index:
        Follower(trail, index).catch_up()
    removed = "Removed from the index: 2 records."
    wanted = {"365d": ["Nothing to prune."], "150d": [NAME, removed], "90d": [NAME, removed], "1d": [NAME]}
    for before, last in wanted.items():
        told = command("audit", "prune", "-c", str(config), "--before", before).output.splitlines()
        assert [NAME if line.startswith(NAME) else line for line in told[-len(last) :]] == last
    done = command("audit", "query", "-c", str(config), "--kind", "request", "--json")
    assert len(done.output.splitlines()) == 4


def test_prune_leaves_a_running_gateway_s_ledger_to_it(command: Command, config: Path, trail: Path) -> None:
    """The supervisor's stream is locked then, and the verb says who prunes."""
    supervisor = open_stream(trail, f"{instance_id(trail)}.ops")
    result = command("audit", "prune", "-c", str(config))
    supervisor.close()
    words = "a gateway runs with this ledger; it prunes by itself, each hour."
    assert result == (2, "", f"gateway: {trail}: {words}\n")


def test_several_processes_find_the_same(
    command: Command, trail: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large ledger is read side by side."""
    alone = command("audit", "verify", "--directory", str(trail))
    monkeypatch.setattr(verb, "_WORTH_A_PROCESS", 1)
    monkeypatch.setattr(verb.os, "cpu_count", lambda: 2)
    assert command("audit", "verify", "--directory", str(trail)) == alone


def test_a_terminal_shows_progress(trail: Path) -> None:
    """The bar is drawn on standard error and is gone at the end; what is found goes to standard output."""
    reader, terminal = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "audit", "verify", "--directory", str(trail)],
        stdout=subprocess.PIPE,
        stderr=terminal,
        env=os.environ | {"TERM": "xterm"},
    )
    os.close(terminal)
    shown = b""
    with suppress(OSError):  # what a terminal gives when nobody writes to it any more
        while piece := os.read(reader, 4096):
            shown += piece
    os.close(reader)
    output, _ = process.communicate()
    assert (process.returncode, output.startswith(b"intact: 63 records")) == (0, True)
    assert b"verifying" in shown
    assert shown.rstrip().endswith(b"\x1b[2K")  # the line is cleared


def test_the_group_lists_its_verbs(command: Command) -> None:
    """``--help`` names them."""
    result = command("audit", "--help")
    assert result.status == 0
    assert all(name in result.output for name in ("verify", "head", "prune"))
