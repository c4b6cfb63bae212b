"""An audit directory's id and keys: made once, whole, and on disk before anything depends on them."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from gateway.audit import instance as module
from gateway.audit.faults import AuditError
from gateway.audit.instance import Keys, instance_id, known_instance
from gateway.audit.records import Marks
from gateway.audit.start import open_stream, take_over
from gateway.audit.verify import verify
from gateway.listener.ids import RequestIds
from tests.support.disks import small_disk
from tests.support.ledgers import made_up, members

MARKS = Marks(RequestIds().next, lambda: 1_800_000_000.0)


def begin(directory: Path) -> None:
    """Start as the gateway does, with a record."""
    identity = instance_id(directory)
    Keys(directory)
    for name in (f"{identity}.ops", f"{identity}.0"):
        take_over(directory, name, MARKS, [members(one) for one in made_up(1)]).close()


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_they_stay(tmp_path: Path) -> None:
    """Who comes later has the same id and the same keys, the newest in use; nothing else is left behind."""
    identity, keys = instance_id(tmp_path), Keys(tmp_path)
    first = keys.sign(b"a")
    keys.rotate()
    later = Keys(tmp_path)
    assert (instance_id(tmp_path), known_instance(tmp_path), later.ids) == (identity, identity, keys.ids)
    assert later.sign(b"a") == keys.sign(b"a") != first
    assert later.possible(b"a") == (first, keys.sign(b"a"))
    assert names(tmp_path) == ["instance", "keys", "ledger"]
    assert names(tmp_path / "ledger") == [f"{identity}.ops"]
    assert names(tmp_path / "keys") == [f"000{at}-{one}.key" for at, one in enumerate(keys.ids, 1)]
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()} == {0o600}


def test_a_copy_is_another(tmp_path: Path) -> None:
    """A directory that was copied gets an id of its own; the keys go with it, for look-ups."""
    begin(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert known_instance(tmp_path / "b") is None
    assert instance_id(tmp_path / "b") == known_instance(tmp_path / "b") != instance_id(tmp_path / "a")
    assert Keys(tmp_path / "b").ids == Keys(tmp_path / "a").ids


@pytest.mark.parametrize(
    "removed", ["ledger", "ledger/*", "ledger/*/*", "ledger/*/*.jsonl", "ledger/*.0/*.jsonl"]
)
def test_a_ledger_that_was_removed(tmp_path: Path, removed: str) -> None:
    """Whatever of it is gone, no stream begins again under its name; the new id stays, and the keys do."""
    begin(tmp_path)
    before, keys = instance_id(tmp_path), Keys(tmp_path).ids
    for path in tmp_path.glob(removed):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    identity = instance_id(tmp_path)
    assert identity != before
    assert module.instances(tmp_path) == (identity, before)
    begin(tmp_path)
    assert (instance_id(tmp_path), Keys(tmp_path).ids) == (identity, keys)


def test_a_start_that_was_cut_short(tmp_path: Path) -> None:
    """A crash anywhere before the first record, and a segment left empty, are no ledger that was removed."""
    identity = instance_id(tmp_path)
    ops = f"{identity}.ops"
    assert instance_id(tmp_path) == identity
    open_stream(tmp_path, ops, MARKS).close()
    assert instance_id(tmp_path) == identity
    take_over(tmp_path, ops, MARKS, [members(one) for one in made_up(1)]).close()
    for make in (Path.mkdir, lambda folder: (folder / "lock").touch()):
        make(tmp_path / "ledger" / f"{identity}.0")
        assert instance_id(tmp_path) == identity
    (tmp_path / "ledger" / f"{identity}.0" / "0000000000000000001-20270115T08.jsonl").touch()
    assert instance_id(tmp_path) == identity


def test_a_ledger_that_is_removed_under_a_gateway(tmp_path: Path) -> None:
    """As long as the gateway has the supervisor's stream the id stays, so that the lock keeps others out."""
    begin(tmp_path)
    identity = instance_id(tmp_path)
    stream = open_stream(tmp_path, f"{identity}.ops", MARKS)
    for path in tmp_path.glob("ledger/*/*.jsonl"):
        path.unlink()
    assert instance_id(tmp_path) == identity
    stream.close()
    assert instance_id(tmp_path) != identity


class FileSystem:
    """Gives files a generation, or tells that it has none."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.generation: int | None = None
        monkeypatch.setattr("gateway.audit.instance.fcntl.ioctl", self)

    def __call__(self, _fd: int, request: int, answer: bytearray) -> None:
        if self.generation is None:
            raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
        assert (request, len(answer)) == (0x80087601, 8)
        answer[:4] = self.generation.to_bytes(4, sys.byteorder)


def test_an_inode_number_that_is_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of another generation it is another file; where that is not known, then or now, the number decides."""
    system = FileSystem(monkeypatch)
    older = instance_id(tmp_path)
    for generation in (1, 2, None):
        system.generation = generation
        assert instance_id(tmp_path) == older
    (tmp_path / "instance").unlink()
    system.generation = 3_000_000_000
    identity = instance_id(tmp_path)
    system.generation = None
    assert known_instance(tmp_path) == identity
    system.generation = 7
    assert known_instance(tmp_path) is None
    assert instance_id(tmp_path) not in (older, identity)


def test_the_generation_of_a_real_file(tmp_path: Path) -> None:
    """It stays as long as the file does, whether the file system has one or not."""
    path = tmp_path / "file"
    path.touch()
    with path.open("rb") as file, path.open("rb") as again:
        assert module._generation(file.fileno()) == module._generation(again.fileno())


def test_they_are_on_disk_before_the_first_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power failure behind the first record takes neither: files, then the folders that name them."""
    synced: list[str] = []

    def noted(fd: int, real: object) -> None:
        path = Path(f"/proc/self/fd/{fd}").readlink()
        synced.append(re.sub("[.].*", "", path.relative_to(tmp_path.parent).as_posix()))
        assert callable(real)
        real(fd)

    for name in ("fsync", "fdatasync"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda fd, real=real: noted(fd, real))
    begin(tmp_path / "var" / "audit")
    (key,) = Keys(tmp_path / "var" / "audit").ids
    top = f"{tmp_path.name}/var"
    trail = f"{top}/audit"
    assert synced[:9] == [
        *(tmp_path.name, top),  # the folders that were made
        *(trail, f"{trail}/ledger"),  # the supervisor's stream
        *(f"{trail}/instance", trail),
        *(trail, f"{trail}/keys/0001-{key}", f"{trail}/keys"),
    ]
    assert all(path.startswith(f"{trail}/ledger") for path in synced[9:])


def test_two_gateways_that_start_at_once_have_one_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one whose file is there first counts, so that the lock of a stream keeps the other out."""
    real = module._put
    others: list[str] = []

    def late(*arguments: object) -> None:
        monkeypatch.setattr(module, "_put", real)
        others.append(instance_id(tmp_path))
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_put", late)
    assert [instance_id(tmp_path)] == others
    assert names(tmp_path) == ["instance", "ledger"]
    assert names(tmp_path / "ledger") == [f"{others[0]}.ops"]


@pytest.mark.parametrize("call", ["fsync", "link"])
def test_what_could_not_be_made_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Wherever it fails, nothing is left half made."""
    keys = Keys(tmp_path)

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(AuditError, match="cannot make a key: Input/output error"):
        keys.rotate()
    monkeypatch.undo()
    assert Keys(tmp_path).ids == keys.ids
    assert len(names(tmp_path / "keys")) == 1


def told(directory: Path) -> str:
    """Begin, and give what is said if that is not possible."""
    try:
        begin(directory)
    except AuditError as error:
        return str(error)
    return ""


def test_a_disk_that_fills_up_while_a_gateway_starts(tmp_path: Path) -> None:
    """With no page left, or one, or more: a sentence, and once there is room the next start needs no help."""
    with small_disk(tmp_path / "disk") as disk:
        ballast = disk / "ballast"
        found = []
        for free in range(8):
            space = os.statvfs(disk)
            with ballast.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, (space.f_bavail - free) * space.f_frsize)
            directory = disk / str(free)
            found.append(told(directory))
            ballast.unlink()
            begin(directory)
            assert verify(directory).fault_count == 0
            assert names(directory) == ["instance", "keys", "ledger"]
            assert len(names(directory / "keys")) == 1
            shutil.rmtree(directory)
    faults = [one for one in found if one]
    assert found == faults + [""] * (8 - len(faults))
    for free, one in enumerate(faults):
        assert re.fullmatch(f"{disk}/{free}(/[^:]+)?: cannot .*: No space left on device[.]", one)
    named = "".join(faults)
    assert all(name in named for name in ("/instance", "/keys/0001", "/ledger/"))
