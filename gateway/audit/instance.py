"""The identity of an audit directory, and the keys that are made in it.

``instance`` holds a random id, made once, and what tells the file from its copies: its inode number and, as
numbers are used again, that inode's generation where the file system has one. A directory that was copied, or
put back from a backup, is another one, and gets an id of its own rather than going on in the other's streams.
The ids that it had before stay in the file, one in each further line. So it is with a directory whose ledger
was removed: no stream begins again at 1 under a name that an index knows.
``keys/`` holds HMAC keys by id, 32 random bytes each, mode 0600. The newest is used; older ones stay for
look-ups of what they signed.

Both are on disk, with the folders that they are in, before they are given to anybody: no record names an id
or a key that a power failure could take away.
"""

from __future__ import annotations

import fcntl
import hmac
import os
import re
import secrets
import struct
import sys
from contextlib import suppress
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.audit.chain import OPS
from gateway.audit.committed import LOCK, NOTHING, read_committed
from gateway.audit.faults import AuditError, system_fault
from gateway.audit.segments import LEDGER, make_folder, open_file, segments, streams, sync_folder
from gateway.audit.stream import is_taken

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY_BYTES: Final = 32
_BLOCK_BYTES: Final = 64  # of SHA-256, what HMAC fills a key up to
_INSTANCE: Final = re.compile(rb"([0-9a-f]{16}) ([0-9]{1,20})(?: ([0-9]{1,20}))?\n((?:[0-9a-f]{16}\n)*)")
_MAX_INSTANCE: Final = 64 * 1024
_GET_GENERATION: Final = 0x80007601 | struct.calcsize("l") << 16
"""FS_IOC_GETVERSION of <linux/fs.h>: ``_IOR('v', 1, long)``, though 32 bits is what it gives."""
_KEY_FILE: Final = re.compile(r"([0-9]{4,})-([0-9a-f]{8})\.key")


class _Instance(NamedTuple):
    """What the file tells: the id, those that the directory had before, and whether it is a copy now."""

    id: str
    former: tuple[str, ...]
    copied: bool


def instance_id(directory: Path) -> str:
    """Give the directory's id, 16 hex digits; it is made where there is none.

    So it is where it is a copy's, or the id of a ledger that was removed.

    :raises AuditError: when the directory cannot be used, or the file was changed
    """
    path = directory / "instance"
    try:
        make_folder(directory)
        while (found := _read_instance(path)) is None or found.copied or _is_removed(directory, found.id):
            former = () if found is None else (found.id, *found.former)
            path.unlink(missing_ok=True)
            identity = secrets.token_hex(8)
            _begin(_supervisor(directory, identity))
            try:
                _put(path, partial(_new_instance, identity, former))
            except OSError as error:
                late = isinstance(error, FileExistsError)  # another gateway made it first: that one counts
                if late or not path.exists():
                    _undo(_supervisor(directory, identity))
                if not late:
                    raise
    except OSError as error:
        raise system_fault("use", path, error) from None
    return found.id


def _supervisor(directory: Path, identity: str) -> Path:
    return directory / LEDGER / (identity + OPS)


def _begin(folder: Path) -> None:
    """Make the supervisor's stream, so that from an id's first moment on its absence means it was removed."""
    try:
        make_folder(folder)
        os.close(open_file(folder / LOCK, os.O_WRONLY | os.O_CREAT))
    except OSError as error:
        _undo(folder)
        raise system_fault("write in", folder, error) from None


def _undo(folder: Path) -> None:
    with suppress(OSError):
        (folder / LOCK).unlink(missing_ok=True)
        folder.rmdir()


def _is_removed(directory: Path, identity: str) -> bool:
    """Say whether an id's ledger was removed, or the segments of one of its streams; never while it is used.

    Of a stream without segments ``lock`` tells whether it had any. Whether a gateway runs is asked last: one
    that has written something by then has the supervisor's stream.

    :raises AuditError: when it cannot be told
    """
    supervisor = _supervisor(directory, identity)
    try:
        own = [folder for name, folder in streams(directory) if name.startswith(f"{identity}.")]
        removed = not (supervisor / LOCK).exists() or any(map(_had_segments, own))
        return removed and not is_taken(supervisor)
    except OSError as error:
        raise system_fault("read the ledger in", error.filename or directory, error) from None


def _had_segments(folder: Path) -> bool:
    return not segments(folder) and read_committed(folder) not in (None, NOTHING)


def _new_instance(identity: str, former: tuple[str, ...], fd: int) -> bytes:
    generation = _generation(fd)
    first = f"{identity} {os.fstat(fd).st_ino}" + ("" if generation is None else f" {generation}")
    return "".join(f"{line}\n" for line in (first, *former)).encode("ascii")


def _generation(fd: int) -> int | None:
    """Give what tells a file from others that had its inode number; None where the file system does not."""
    number = bytearray(struct.calcsize("l"))
    try:
        fcntl.ioctl(fd, _GET_GENERATION, number)
    except OSError:
        return None
    return int.from_bytes(number, sys.byteorder)


def known_instance(directory: Path) -> str | None:
    """Give the directory's id; None where it has none yet, also because it is a copy of another directory.

    :raises AuditError: when the file cannot be read, or was changed
    """
    found = _known(directory)
    return None if found is None or found.copied else found.id


def instances(directory: Path) -> tuple[str, ...]:
    """Give the directory's id and those that it had before; none where it has none yet.

    A copy that nobody has used so far still has the ids of its original.

    :raises AuditError: when the file cannot be read, or was changed
    """
    found = _known(directory)
    return () if found is None else (found.id, *found.former)


def _known(directory: Path) -> _Instance | None:
    path = directory / "instance"
    try:
        return _read_instance(path)
    except OSError as error:
        raise system_fault("read", path, error) from None


def _read_instance(path: Path) -> _Instance | None:
    try:
        fd = open_file(path)
    except FileNotFoundError:
        return None
    with os.fdopen(fd, "rb") as file:
        match = _INSTANCE.fullmatch(file.read(_MAX_INSTANCE))
        inode, generation = os.fstat(fd).st_ino, _generation(fd)
    if match is None:
        raise AuditError(f"{path}: this is not what the gateway wrote. Move it away to begin anew.")
    identity, *former = (one.decode("ascii") for one in (match[1], *match[4].split()))
    told = generation if match[3] is None else int(match[3])  # older versions did not tell
    copied = int(match[2]) != inode or (generation is not None and generation != told)
    return _Instance(identity, tuple(former), copied)


def _put(path: Path, content: Callable[[int], bytes]) -> None:
    """Have a new file on disk, whole or not at all; ``content`` makes it, given the file's descriptor.

    :raises FileExistsError: when there is one already; it stays
    :raises OSError: when it cannot be made
    """
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    fd = open_file(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content(fd))
            file.flush()
            os.fsync(fd)
        path.hardlink_to(draft)  # unlike a rename, it takes no other's place
    finally:
        draft.unlink()
    sync_folder(path.parent)


class Keys:
    """The HMAC keys of an audit directory."""

    def __init__(self, directory: Path, *, make: bool = True) -> None:
        """Read the keys, and make the first one where there is none.

        Without ``make`` nothing is made. Where there is no key nothing can be signed then, and nothing has
        been.

        :raises AuditError: when they cannot be read or made, or others than the owner may read them
        """
        self._folder = directory / "keys"
        try:
            names = sorted(path.name for path in self._folder.iterdir()) if self._folder.exists() else []
            found = [
                (int(match[1]), match[2], match[0]) for match in map(_KEY_FILE.fullmatch, names) if match
            ]
            self._keys = {identity: self._read(name) for _, identity, name in sorted(found)}
            self._last = max((number for number, _, _ in found), default=0)
        except OSError as error:
            raise system_fault("use", error.filename or self._folder, error) from None
        if self._keys:
            self._use(self.ids[-1])
        elif make:
            self.rotate()

    def _read(self, name: str) -> bytes:
        path = self._folder / name
        with os.fdopen(open_file(path), "rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise AuditError(f"{path}: others may read this key. Make it mode 0600.")
            key = file.read(_BLOCK_BYTES)
        if len(key) != KEY_BYTES:
            raise AuditError(f"{path}: this is no key, which has {KEY_BYTES} bytes.")
        return key

    def rotate(self) -> str:
        """Make a new key that is used from now on, and give its id.

        :raises AuditError: when it cannot be written
        """
        identity, key = secrets.token_hex(4), secrets.token_bytes(KEY_BYTES)
        path = self._folder / f"{self._last + 1:04d}-{identity}.key"
        try:
            make_folder(self._folder)
            _put(path, lambda _: key)
        except OSError as error:
            raise system_fault("make a key", path, error) from None
        self._last += 1
        self._keys[identity] = key
        self._use(identity)
        return identity

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all keys, the oldest first; the last one is in use."""
        return tuple(self._keys)

    def sign(self, content: bytes) -> str:
        """Give ``id:hex``: HMAC-SHA-256 of ``content`` with the key in use (RFC 2104)."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(content)
        outer.update(inner.digest())
        return self._prefix + outer.hexdigest()

    def possible(self, content: bytes) -> tuple[str, ...]:
        """Give what :meth:`sign` gave, or would have given, with each key."""
        return tuple(
            f"{identity}:{hmac.digest(key, content, 'sha256').hex()}" for identity, key in self._keys.items()
        )

    def _use(self, identity: str) -> None:
        """Sign with this key from now on; its two beginnings are hashed once, which is most of the work."""
        key = self._keys[identity].ljust(_BLOCK_BYTES, b"\0")
        self._prefix = f"{identity}:"
        self._inner = sha256(bytes(byte ^ 0x36 for byte in key))
        self._outer = sha256(bytes(byte ^ 0x5C for byte in key))
