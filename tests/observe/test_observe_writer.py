"""The thread that writes log lines: order, bounds, and readers that stop reading or go away."""

from __future__ import annotations

import os
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from gateway.observe.writer import LineWriter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONG = 30.0  # seconds; a bound for what has to happen anyway


class Pipe:
    """A pipe whose buffer can be filled to the brim."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()

    def fill(self) -> int:
        """Leave no room at all; give the number of bytes that took."""
        os.set_blocking(self.writer, False)
        filled = 0
        for size in (65536, 1):
            try:
                while True:
                    filled += os.write(self.writer, b"." * size)
            except BlockingIOError:
                continue
        os.set_blocking(self.writer, True)
        return filled

    def read(self, size: int) -> bytes:
        read = b""
        while len(read) < size:
            read += os.read(self.reader, size - len(read))
        return read


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    for fd in (pipe.reader, pipe.writer):
        try:
            os.close(fd)
        except OSError:
            continue


def test_lines_come_out_whole_and_in_order(tmp_path: Path) -> None:
    """Everything taken before the close is in the file, also across batches."""
    path = tmp_path / "log"
    with path.open("wb") as file:
        writer = LineWriter(file.fileno(), latency=0)
        lines = [f"{number} {'x' * (number % 300)}\n" for number in range(3000)]
        for number, line in enumerate(lines):
            writer.write(line)
            if number % 1000 == 0:
                assert writer.flush(LONG)
        assert writer.close(LONG)
    assert path.read_text() == "".join(lines)
    assert writer.dropped == 0


def test_a_burst_above_the_batch_size_does_not_wait_for_the_timer(pipe: Pipe) -> None:
    """With an endless latency, a burst comes out all the same."""
    writer = LineWriter(pipe.writer, latency=LONG * 100)
    for _ in range(3):
        writer.write("x" * 140_000)
    assert pipe.read(280_000) == b"x" * 280_000
    pipe.read(140_000)
    assert writer.close(LONG)


def test_a_stuck_reader_costs_lines_and_never_blocks(pipe: Pipe) -> None:
    """While nobody reads, write() returns, keeps what fits, counts the rest; the kept ones come later."""
    filled = pipe.fill()
    writer = LineWriter(pipe.writer, limit=100, latency=0)
    for letter in "abcd":
        writer.write(letter * 39 + "\n")
    assert writer.dropped == 2
    assert not writer.flush(0)
    assert pipe.read(filled) == b"." * filled
    assert writer.flush(LONG)
    assert pipe.read(80) == b"a" * 39 + b"\n" + b"b" * 39 + b"\n"
    writer.write("there is room again\n")
    assert writer.close(LONG)
    assert pipe.read(20) == b"there is room again\n"
    assert writer.dropped == 2


def test_close_gives_up_on_a_stuck_reader(pipe: Pipe) -> None:
    """The end of the process does not depend on whoever reads its log."""
    filled = pipe.fill()
    writer = LineWriter(pipe.writer, latency=0)
    writer.write("stuck\n")
    assert not writer.close(0)
    pipe.read(filled)
    assert writer.close(LONG)  # the thread must not outlive the test's pipe


def test_a_descriptor_made_non_blocking_by_others_is_waited_for(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost when a sharer of stdout set O_NONBLOCK: a write that finds no room is made again."""
    filled = pipe.fill()
    os.set_blocking(pipe.writer, False)
    refused = threading.Event()

    def write(fd: int, text: memoryview) -> int:
        try:
            return os.write(fd, text)
        except BlockingIOError:
            refused.set()
            raise

    monkeypatch.setattr("gateway.observe.writer.os", SimpleNamespace(write=write))
    writer = LineWriter(pipe.writer, latency=0)
    writer.write("patience\n")
    assert refused.wait(LONG)
    writer.write("meanwhile\n")
    pipe.read(filled)
    assert pipe.read(19) == b"patience\nmeanwhile\n"
    assert writer.close(LONG)
    assert writer.dropped == 0


def test_a_reader_that_went_away_costs_lines_only(pipe: Pipe) -> None:
    """EPIPE is counted and survived."""
    os.close(pipe.reader)
    writer = LineWriter(pipe.writer, latency=0)
    writer.write("one\n")
    assert writer.flush(LONG)
    writer.write("two\n")
    assert writer.close(LONG)
    assert writer.dropped == 2


def test_lines_after_the_close_are_counted(pipe: Pipe) -> None:
    writer = LineWriter(pipe.writer)
    assert writer.close(LONG)
    writer.write("late\n")
    assert writer.dropped == 1


def test_what_utf8_cannot_say_is_escaped(pipe: Pipe) -> None:
    """A lone surrogate in a console line neither stops the thread nor costs the line."""
    writer = LineWriter(pipe.writer)
    writer.write("é\ud800\n")
    assert writer.close(LONG)
    assert pipe.read(9) == "é\\ud800\n".encode()


def test_lines_made_in_the_thread_keep_their_place(pipe: Pipe) -> None:
    """What is handed over unfinished comes out where it was handed over; what cannot be made is counted."""
    writer = LineWriter(pipe.writer, latency=0)
    writer.render = lambda value: f"{10 // value}\n"
    writer.write("first\n")
    writer.write_later(5)
    writer.write_later(0)
    writer.write("last\n")
    assert writer.close(LONG)
    assert pipe.read(13) == b"first\n2\nlast\n"
    assert writer.dropped == 1
