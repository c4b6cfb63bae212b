"""The ledger in pieces, judged by one process for each core. Memory does not grow with the ledger.

Each process makes its own judge, since what is compiled cannot be handed over. It takes one piece after the
other from a pipe and gives back a tally of each; it ends when the pipe does, however the other end went.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import sys
from functools import partial
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from gateway.audit.chain import unseal
from gateway.audit.faults import AuditError, system_fault
from gateway.audit.replay.tally import Tally
from gateway.audit.segments import LEDGER, MAX_LINE, end_of, open_file, segments, streams
from gateway.errors import GatewayError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess
    from pathlib import Path

    from gateway.audit.content.reader import Content
    from gateway.audit.replay.verdicts import Judgement

PIECE_BYTES: Final = 4 * 1024 * 1024
_FRAMES: Final = 10_000
_REQUEST: Final = b'"kind":"request",'
_TIME: Final = re.compile(rb'"time":"([^"]{1,40})"')


class Piece(NamedTuple):
    """A part of a segment: the lines that begin from ``start`` on and before ``end``."""

    path: Path
    start: int
    end: int


class Means(NamedTuple):
    """What it takes to judge records: what is kept of a body, and what would change."""

    content: Callable[[Mapping[str, Any]], Content]
    judge: Callable[[Mapping[str, Any], Content], Judgement]


def pieces(directory: Path, since: float | None, piece_bytes: int = PIECE_BYTES) -> list[Piece]:
    """Cut the ledger of an audit directory into pieces; segments that ended before ``since`` are left out.

    :raises AuditError: when there is no ledger, or it cannot be read
    """
    if not (directory / LEDGER).is_dir():
        raise AuditError(f"{directory}: there is no ledger here.")
    found: list[Piece] = []
    path = directory
    try:
        for _, path in streams(directory):
            for segment in segments(path):
                if since is not None and end_of(segment.hour) < since:
                    continue
                size = segment.path.stat().st_size
                starts = range(0, size, piece_bytes)
                found += (Piece(segment.path, start, min(start + piece_bytes, size)) for start in starts)
    except OSError as error:
        raise system_fault("read the ledger in", path, error) from None
    return found


def judge_piece(piece: Piece, means: Means, since: str) -> Tally:
    """Judge the requests of a piece. ``since`` is the least time, written as records have it, or nothing.

    :raises AuditError: when a file cannot be read
    """
    tally = Tally()
    try:
        for line in _lines(piece):
            sealed = unseal(line)
            if sealed is None:
                tally.damaged += 1
            elif sealed.members.startswith(_REQUEST):
                time = _TIME.search(sealed.members)
                if time is None or time[1].decode("ascii", "replace") >= since:
                    _judge(line, means, tally)
    except OSError as error:
        raise system_fault("read", piece.path, error) from None
    return tally


def _judge(line: bytes, means: Means, tally: Tally) -> None:
    record = json.loads(line)
    judgement = means.judge(record, means.content(record))
    tally.add(judgement, str(record.get("app", "-")), str(record.get("id", "-")))


def _lines(piece: Piece) -> Iterator[bytes]:
    with os.fdopen(open_file(piece.path), "rb") as file:
        offset = piece.start
        if offset:
            file.seek(offset - 1)
            offset += len(file.readline()) - 1
        while offset < piece.end and (line := file.readline(MAX_LINE)):
            yield line
            offset += len(line)


def judge_all(
    work: Sequence[Piece],
    make: Callable[[], Means],
    since: str,
    *,
    processes: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Tally:
    """Judge all pieces, in as many processes as there are cores, or as ``processes`` says.

    ``make`` can be pickled and makes what a process judges with. ``progress`` hears how many bytes of the
    ledger were done.

    :raises AuditError: when a file cannot be read, or a process ended before its work was done
    """
    count = min(processes or len(os.sched_getaffinity(0)), len(work))
    total = Tally()
    if count > 1:
        with _Pool(partial(_serve, make, since), count) as pool:
            for piece, tally in pool.map(work):
                total.merge(tally)
                progress(piece.end - piece.start)
    elif work:
        means = make()
        for piece in work:
            total.merge(judge_piece(piece, means, since))
            progress(piece.end - piece.start)
    return total


class _Pool:
    """Processes, each with a pipe."""

    def __init__(self, target: Callable[[Connection], None], count: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._processes: dict[Connection, SpawnProcess] = {}
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=target, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            self._processes[ours] = process

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection, process in self._processes.items():
            connection.close()
            process.terminate()
            process.join()

    def map(self, work: Sequence[Piece]) -> Iterator[tuple[Piece, Tally]]:
        """Give the tally of each piece, as they come."""
        waiting = iter(work)
        busy: dict[Connection, Piece] = {}
        idle = list(self._processes)
        while True:
            while idle and (piece := next(waiting, None)) is not None:
                connection = idle.pop()
                connection.send(piece)
                busy[connection] = piece
            if not busy:
                return
            ready = wait(list(busy))
            for connection in [one for one in busy if one in ready]:
                yield busy.pop(connection), _answer(connection)
                idle.append(connection)


def _answer(connection: Connection) -> Tally:
    try:
        answer = connection.recv()
    except (EOFError, OSError):
        raise AuditError("A process that judged records ended before its work was done.") from None
    if isinstance(answer, Tally):
        return answer
    raise AuditError(str(answer))


def _serve(make: Callable[[], Means], since: str, connection: Connection) -> None:
    """Judge pieces until the other end is closed: the whole life of a process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one that started it ends it
    sys.setrecursionlimit(_FRAMES)
    try:
        means = make()
        while True:
            piece = connection.recv()
            connection.send(judge_piece(piece, means, since))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except GatewayError as error:
        connection.send(str(error))
    except Exception as error:  # noqa: BLE001 - a traceback in the midst of a table helps nobody
        connection.send(f"A record could not be judged: internal error ({type(error).__name__}).")
