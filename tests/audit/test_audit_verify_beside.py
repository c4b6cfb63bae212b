"""Verification beside a gateway that writes and prunes, in several processes, and where it cannot be done."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any

import pytest

from gateway.audit import proof
from gateway.audit import verify as module
from gateway.audit.beginnings import Beginning
from gateway.audit.chain import ROOT, Link, unseal
from gateway.audit.faults import AuditError
from gateway.audit.segments import segments
from gateway.audit.verify import Verification, verify
from tests.support.book import INSTANCE, flipped, write_stream

if TYPE_CHECKING:
    from pathlib import Path

NAME = f"{INSTANCE}.0"


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Give the directory of a ledger of two streams, one of them in several segments."""
    write_stream(tmp_path, NAME, 300, 40_000)
    write_stream(tmp_path, f"{INSTANCE}.ops", 50, 40_000)
    assert len(segments(tmp_path / "ledger" / NAME)) > 2
    return tmp_path


def test_several_processes_tell_the_same(ledger: Path) -> None:
    """Side by side or one after another: the same faults, figures and heads, and all the bytes are told."""
    kept = {name: {link} for name, link in verify(ledger).heads.items()}
    path = segments(ledger / "ledger" / NAME)[1].path
    for spoilt in (False, True):
        if spoilt:
            first, *more = path.read_bytes().splitlines(keepends=True)
            path.write_bytes(b"".join([flipped(first, 900), *more]))
        sizes: list[int] = []
        one = verify(ledger, kept=kept, progress=sizes.append)
        assert sum(sizes) == one.size
        assert verify(ledger, kept=kept, processes=2) == one
        assert one.fault_count == spoilt


def test_a_segment_that_is_being_written_is_read_again(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a line at the end is a fault only if it stays; the gateway may be in the midst of a write."""
    path = segments(ledger / "ledger" / NAME)[-1].path
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    waits: list[float] = []

    def written_meanwhile(seconds: float) -> None:
        waits.append(seconds)
        path.write_bytes(whole)

    monkeypatch.setattr(module.time, "sleep", written_meanwhile)
    assert verify(ledger).fault_count == 0
    assert waits == [module.SETTLE_SECONDS]
    path.write_bytes(whole[:-30])
    monkeypatch.setattr(module.time, "sleep", waits.append)
    (fault,) = verify(ledger).faults
    assert fault.message == "the line is cut off"


def test_a_segment_that_is_pruned_meanwhile_is_passed_over(
    ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is gone when its turn comes, and by then a record says so."""
    first, second, *_ = segments(ledger / "ledger" / NAME)
    sealed = unseal(second.path.read_bytes().splitlines(keepends=True)[0])
    assert sealed is not None
    real = proof.prove
    monkeypatch.setattr(module, "prove", lambda one, *more: None if one == first else real(one, *more))
    (fault,) = verify(ledger).faults
    assert (fault.line, fault.seq, fault.file) == (1, 1, f"{NAME}/{second.path.name}")
    beginning = Beginning(Link(sealed.seq - 1, sealed.prev), f"{INSTANCE}.ops", 1, "2027-01-15T08:00:00.000Z")
    monkeypatch.setattr(module, "read_beginnings", lambda _: {NAME: beginning})
    assert verify(ledger).fault_count == 0


def test_an_empty_directory_is_intact(tmp_path: Path) -> None:
    """There is nothing that could be wrong, unless heads tell that there was something."""
    assert verify(tmp_path) == Verification()
    found = verify(tmp_path, kept={NAME: {Link(3, ROOT.hash)}})
    assert [str(fault) for fault in found.faults] == [f"{NAME}:0: record 3: the whole stream is missing"]


def test_what_cannot_be_read_is_told(ledger: Path) -> None:
    """What is no file does not pass for a verified ledger."""
    first = segments(ledger / "ledger" / NAME)[0]
    first.path.unlink()
    assert proof.prove(first, NAME) is None
    first.path.mkdir()
    with pytest.raises(AuditError, match=r"jsonl: cannot read: Not a regular file\.$"):
        verify(ledger)


def test_a_process_that_is_ended_from_outside_is_told(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the kernel, for want of memory, say: what it had to read was not read."""

    class Ended(ProcessPoolExecutor):
        def map(self, *_: Any, **__: Any) -> Any:
            raise BrokenProcessPool

    monkeypatch.setattr(module, "ProcessPoolExecutor", Ended)
    with pytest.raises(AuditError, match="was ended from outside"):
        verify(ledger, processes=2)
